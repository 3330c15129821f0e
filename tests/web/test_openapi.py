"""The OpenAPI document and its page."""

from __future__ import annotations

import re

import pytest
from openapi_spec_validator import validate

from mailbox_service.web import guards
from tests.web.site import Site

pytestmark = pytest.mark.anyio


async def test_the_document_is_valid_and_complete(site: Site) -> None:
    document = (await site.http.get("/openapi.json")).json()
    validate(document)
    assert document["openapi"] == "3.1.0"
    told = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    operations = site.app.state.table.operations
    assert told == {(operation.method, operation.path) for operation in operations}


async def test_every_route_says_what_it_does_and_what_it_asks_for(site: Site) -> None:
    document = (await site.http.get("/openapi.json")).json()
    tags = {tag["name"] for tag in document["tags"]}
    names = set()
    for operation in site.app.state.table.operations:
        told = document["paths"][operation.path][operation.method.lower()]
        assert len(told["summary"]) > 10, operation.path
        assert told["tags"][0] in tags
        names.add(told["operationId"])
        asked = told.get("security", [])
        if operation.guard is guards.OPEN:
            assert asked == []
        elif operation.guard is guards.ADMIN:
            assert asked == [{"adminPassword": []}]
        elif operation.guard in (guards.ACCOUNT, guards.ACCOUNT_AND_MAILBOX):
            assert asked == [{"userToken": []}]
        else:
            assert asked == [{"addressToken": []}]
        in_path = {item["name"] for item in told["parameters"] if item["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", operation.path))
    assert len(names) == len(site.app.state.table.operations)


async def test_the_page_of_the_document_needs_nothing_from_elsewhere(site: Site) -> None:
    answer = await site.http.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    page = answer.text
    assert "<script" not in page
    for reference in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert reference.startswith("/")
    for path in ("/api/send_mail", "/api/events", "/admin/statistics"):
        assert f"<code>{path}</code>" in page

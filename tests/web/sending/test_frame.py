"""Keys, envelope, codes, rates and tolerance (sending-api §1; acceptance 2 and 3)."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from mailbox_service.core.errors import TemporaryFailure
from mailbox_service.web import front
from mailbox_service.web.sending import rates
from mailbox_service.web.sending.table import ROWS
from tests.web.sending.conftest import LETTER, Api, serving_api

pytestmark = pytest.mark.anyio

UNKNOWN = "api-" + "0" * 32


@pytest.mark.parametrize(
    "show",
    [
        lambda key: ({"X-Smtp2go-Api-Key": key}, {}),
        lambda key: ({"Authorization": f"Bearer {key}"}, {}),
        lambda key: ({}, {"api_key": key}),
        lambda key: ({"X-Smtp2go-Api-Key": key}, {"api_key": "api-other"}),
        lambda key: ({"X-Smtp2go-Api-Key": key, "Authorization": "Bearer x"}, {}),
    ],
)
async def test_a_key_is_taken_from_header_bearer_and_body(api: Api, show: Any) -> None:
    headers, fields = show(api.key)
    answer = await api.site.http.post("/v3/email/send", json={**LETTER, **fields}, headers=headers)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert str(uuid.UUID(told["request_id"])) == told["request_id"]
    assert answer.headers["x-request-id"] == told["request_id"]
    assert told["data"]["succeeded"] == 1
    assert told["data"]["failed"] == 0
    assert told["data"]["failures"] == []
    assert set(told["data"]) == {"succeeded", "failed", "failures", "email_id"}


@pytest.mark.parametrize(
    ("headers", "fields", "code"),
    [
        ({}, {}, "NON_VALIDATING_IN_PAYLOAD"),
        ({}, {"api_key": None}, "NON_VALIDATING_IN_PAYLOAD"),
        ({}, {"api_key": 5}, "NON_VALIDATING_IN_PAYLOAD"),
        ({"X-Smtp2go-Api-Key": "nonsense"}, {}, "NON_VALIDATING_IN_PAYLOAD"),
        ({"X-Smtp2go-Api-Key": UNKNOWN[:-1]}, {}, "NON_VALIDATING_IN_PAYLOAD"),
        ({"X-Smtp2go-Api-Key": UNKNOWN}, {}, "API_EXCEPTION"),
        ({"Authorization": f"Bearer {UNKNOWN}"}, {}, "API_EXCEPTION"),
        ({}, {"api_key": UNKNOWN}, "API_EXCEPTION"),
    ],
)
async def test_a_wrong_key_is_401(
    api: Api, headers: dict[str, str], fields: dict[str, Any], code: str
) -> None:
    answer = await api.site.http.post("/v3/email/send", json={**LETTER, **fields}, headers=headers)
    data = answer.json()["data"]
    assert (answer.status_code, data["error_code"]) == (401, f"E_ApiResponseCodes.{code}")
    if code == "NON_VALIDATING_IN_PAYLOAD":
        assert data["field_validation_errors"]["fieldname"] == "api_key"


async def test_every_endpoint_asks_for_a_key_and_for_its_permission(api: Api) -> None:
    """Hazard 37, for the whole table."""
    (weak,) = await api.data("api_keys/add", {"endpoints": ["/email/search"]})
    for row in ROWS:
        answer = await api.site.http.request(row.verb, f"/v3/{row.path}", json={})
        assert answer.status_code == 401, row.path
        if row.path not in ("email/search", "api_keys/permissions"):
            got = await Api(api.site, weak["api_key"]).refused(row.path, verb=row.verb)
            assert got == (403, "ENDPOINT_PERMISSION_DENIED", ""), row.path
    permissions = await Api(api.site, weak["api_key"]).data("api_keys/permissions")
    assert permissions == ["/email/search"]


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("POST", "nothing/here", 404),
        ("POST", "", 404),
        ("POST", "email/send/more", 404),
        ("GET", "email/send", 405),
        ("PUT", "email/send", 405),
        ("DELETE", "template/view", 405),
        ("PATCH", "template/edit", 405),
        ("POST", "ip_auth/edit", 405),
        ("GET", "nothing/here", 404),
        ("POST", "api/index", 405),
    ],
)
async def test_unknown_paths_and_methods_have_the_shape_of_errors(
    api: Api, verb: str, path: str, status: int
) -> None:
    answer = await api.post(path, verb=verb)
    told = answer.json()
    assert answer.status_code == status
    assert set(told) == {"request_id", "data"}
    assert told["data"]["error_code"] == "E_ApiResponseCodes.API_EXCEPTION"
    allowed = {405: "PATCH" if path == "ip_auth/edit" else "POST"}.get(status)
    if path == "template/edit":
        allowed = "POST"
    if path == "api/index":
        allowed = "GET, HEAD"
    assert answer.headers.get("allow") == allowed


@pytest.mark.parametrize("body", [b"", b"  ", b"{}", b"null"])
async def test_an_empty_body_has_no_fields(api: Api, body: bytes) -> None:
    answer = await api.site.http.post(
        "/v3/stats/email_cycle", content=body, headers={"X-Smtp2go-Api-Key": api.key}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("body", [b"{", b"[1]", b'"x"', b"[" * 5_000, b"\xff", b"nonsense"])
async def test_what_is_no_object_is_400(api: Api, body: bytes) -> None:
    answer = await api.site.http.post(
        "/v3/email/send", content=body, headers={"X-Smtp2go-Api-Key": api.key}
    )
    data = answer.json()["data"]
    assert answer.status_code == 400
    assert data["error_code"] == "E_ApiResponseCodes.NON_VALIDATING_IN_PAYLOAD"


@pytest.mark.parametrize("path", ["/v3//email/send", "/v3/email/send/", "///v3///email//send//"])
async def test_slashes_collapse(api: Api, path: str) -> None:
    answer = await api.site.http.post(path, json={**LETTER, "api_key": api.key})
    assert answer.status_code == 200


async def test_clients_are_loose(api: Api) -> None:
    """No content type, nulls and empty values for what is optional, a foreign Host."""
    fields = {**LETTER, "api_key": api.key, "cc": None, "bcc": [], "html_body": "",
              "template_id": "", "template_data": None, "custom_headers": None,
              "attachments": [], "reply_to": "", "unknown": {"a": 1}}  # fmt: skip
    answer = await api.site.http.post(
        "/v3/email/send",
        content=json.dumps(fields).encode(),
        headers={"Host": "api.smtp2go.com", "Content-Type": "text/plain"},
    )
    assert answer.status_code == 200, answer.text
    empty = await api.site.http.post(
        "/v3/api_keys/permissions", headers={"X-Smtp2go-Api-Key": api.key}
    )
    assert empty.status_code == 200


async def test_the_index_needs_no_key(api: Api) -> None:
    told = (await api.site.http.get("/v3/api/index")).json()
    assert "/email/send" in told["data"]
    assert sorted(told["data"]) == sorted({f"/{row.path}" for row in ROWS})


async def test_the_api_describes_itself(api: Api) -> None:
    told = (await api.site.http.get("/v3/openapi.json")).json()
    validate(told)
    described = {(verb.upper(), path) for path, verbs in told["paths"].items() for verb in verbs}
    assert described == {(row.verb, f"/v3/{row.path}") for row in ROWS}
    for verbs in told["paths"].values():
        for operation in verbs.values():
            assert len(operation["summary"]) > 5


async def test_a_limit_is_told_on_every_answer_and_kept(tmp_path: Path) -> None:
    async with serving_api(tmp_path, sending_rate=3) as api:
        left = []
        for _ in range(3):
            answer = await api.post("email/send", LETTER)
            for name in ("limit", "remaining", "reset"):
                int(answer.headers[f"x-ratelimit-{name}"])
            left.append(answer.headers["x-ratelimit-remaining"])
        assert answer.headers["x-ratelimit-limit"] == "3"
        late = await api.post("email/send", LETTER)
        if late.status_code == 200:  # the minute ended between two calls
            return
        assert left == ["2", "1", "0"]
        assert late.status_code == 429
        assert late.json()["data"]["error_code"] == "E_ApiResponseCodes.REQ_LIMIT_EXCEEDED"
        assert 1 <= int(late.headers["retry-after"]) <= 60
        assert (await api.post("template/search")).status_code == 200


async def test_an_address_that_guesses_keys_waits_a_minute(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sending-api §1.5: at least a minute, however late in a window."""
    now = 1_000_000_019.0  # a second before a window ends
    monkeypatch.setattr(rates, "MOST_REFUSALS", 3)
    monkeypatch.setattr(time, "time", lambda: now)
    wrong = Api(api.site, "api-" + "0" * 32)
    for _ in range(4):
        assert (await wrong.post("email/send", LETTER)).status_code == 401
    for path in ("email/send", "api_keys/permissions"):
        answer = await api.post(path, LETTER)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
        assert answer.json()["data"]["error_code"].endswith("REQ_LIMIT_EXCEEDED")
    now += 59
    assert (await api.post("email/send", LETTER)).status_code == 429
    now += 1
    assert (await api.post("email/send", LETTER)).status_code == 200


async def test_a_body_has_a_size(api: Api) -> None:
    """Hazard 36."""
    key = {"X-Smtp2go-Api-Key": api.key}
    for path, most in (("template/add", 1 << 20), ("email/send", 70 << 20)):
        headers = {**key, "Content-Length": str(most + 1)}
        request = api.site.http.build_request("POST", f"/v3/{path}", headers=headers)
        answer = await api.site.http.send(request)
        assert answer.status_code == 413
        assert answer.json()["data"]["error_code"].endswith("API_EXCEPTION")
    long = {"template_name": "x", "html_body": "x" * (1 << 20)}
    assert (await api.post("template/add", long)).status_code == 413


async def test_trouble_of_the_store_is_503_in_the_same_shape(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 19."""

    async def fail(*_: Any, **__: Any) -> Any:
        raise TemporaryFailure("The disk is busy")

    monkeypatch.setattr(type(api.site.parts.database), "read", fail)
    answer = await api.post("template/search")
    assert answer.status_code == 503
    assert answer.json()["data"]["error"] == "The disk is busy"
    assert "retry-after" in answer.headers


async def test_a_key_that_is_blocked_or_removed_proves_nobody(api: Api) -> None:
    (made,) = await api.data("api_keys/add", {"description": "one", "endpoints": ["*"]})
    other = Api(api.site, made["api_key"])
    assert (await other.post("template/search")).status_code == 200
    await api.data("api_keys/edit", {"id": made["username"], "status": "blocked"}, verb="PATCH")
    assert await other.refused("template/search") == (401, "API_EXCEPTION", "")
    await api.data("api_keys/edit", {"id": made["api_key"], "status": "allowed"}, verb="PATCH")
    assert (await other.post("template/search")).status_code == 200
    await api.data("api_keys/remove", {"id": made["username"]})
    assert await other.refused("template/search") == (401, "API_EXCEPTION", "")


async def test_a_site_password_is_not_asked_for(tmp_path: Path) -> None:
    """The API has keys of its own, and a browser that follows its links has no headers."""
    async with serving_api(tmp_path, passwords=["knock"]) as api:
        assert (await api.post("api_keys/permissions")).status_code == 200
        for path, status in (
            ("/confirm-sender/x", 404),
            ("/archive/x/y", 404),
            ("/t/o/x", 200),
            ("/t/c/x", 404),
            ("/t/u/x", 404),
            ("/health_check", 401),
        ):
            assert (await api.site.http.get(path)).status_code == status, path


async def test_an_answer_in_one_step_has_the_fields_that_it_has_in_two() -> None:
    told: list[tuple[bytes, bytes]] = []

    def whole(
        status: int, lines: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> bool:
        for line in lines.split(b"\r\n")[:-1]:
            name, _, value = line.partition(b": ")
            told.append((name, value))
        told.extend(headers)
        return True

    async def send(message: Any) -> None:
        raise AssertionError(message)

    fields = [
        front.JSON_TYPE,
        (b"x-request-id", b"r"),
        (b"x-ratelimit-limit", b"1000"),
        (b"x-ratelimit-remaining", b"999"),
        (b"x-ratelimit-reset", b"1"),
        (b"content-length", b"2"),
    ]
    assert front.is_named(fields)
    assert front.Outgoing("POST", "/v3/email/send", b"own", send, whole).send_whole(
        200, fields, b"{}"
    )
    front.complete(fields, b"own")
    assert sorted(told) == sorted(fields)

"""Every administrator's change is in the audit log."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from mailbox_service.config import Role
from mailbox_service.web.admin.actions import ACTIONS, action_of
from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, Site

pytestmark = pytest.mark.anyio

WRONG = {"x-admin-auth": "wrong"}
OUTSIDE = "203.0.113.9"


async def log(site: Site, query: str = "") -> Any:
    answer = await site.http.get(f"/admin/audit{query}", headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_no_route_of_administrators_is_without_a_name(site: Site) -> None:
    """A new route that changes something belongs into web/admin/actions.py."""
    operations = {
        (operation.method, operation.path): operation
        for operation in site.app.state.table.operations
        if operation.guard.administers
    }
    changing = {key for key in operations if key[0] != "GET"}
    assert changing <= set(ACTIONS), changing - set(ACTIONS)
    assert set(ACTIONS) <= set(operations), set(ACTIONS) - set(operations)


async def test_every_path_of_administration_is_behind_a_guard_that_is_logged(site: Site) -> None:
    for operation in site.app.state.table.operations:
        if operation.path.startswith("/admin/"):
            assert operation.guard.administers, operation.path
            assert bool(action_of(operation)) or (operation.method, operation.path) in ACTIONS or (
                operation.method == "GET")  # fmt: skip


async def test_a_change_with_who_where_what_and_to_whom(site: Site) -> None:
    async with site.client(OUTSIDE) as http:
        body = {"name": "ann", "domain": "inbox.test", "enablePrefix": False}
        answer = await http.post("/admin/new_address", json=body, headers=ADMIN)
        assert answer.status_code == 200, answer.text
        opened = answer.json()["address_id"]
        await http.delete(f"/admin/delete_address/{opened}", headers=ADMIN)
    body = await log(site)
    assert (body["count"], body["next_before_id"]) == (2, None)
    deleted, made = body["results"]
    assert set(made) == {
        "id", "at", "actor", "from", "action", "subject", "detail",
        "title", "title_told", "actor_told",
    }  # fmt: skip
    assert made["title"] == "Address opened"
    assert made["title_told"] == {"code": "audit.address.open", "values": {}}
    assert made["actor_told"] == {"code": "actor.password", "values": {}}
    assert (made["actor"], made["from"]) == ("admin password", OUTSIDE)
    assert (made["action"], made["subject"]) == ("address.open", "ann@inbox.test")
    assert made["detail"]["domain"] == "inbox.test"
    assert "jwt" not in made["detail"]
    assert (deleted["action"], deleted["subject"]) == (
        "address.delete", f"{opened} (ann@inbox.test)")  # fmt: skip
    page = await log(site, "?limit=1")
    assert page["next_before_id"] == deleted["id"]
    assert (await log(site, f"?limit=1&before_id={deleted['id']}"))["results"] == [made]
    assert (await log(site, "?action=address.open&actor=password&q=ann"))["results"] == [made]


async def test_secrets_are_not_in_the_log(site: Site) -> None:
    digest = hashlib.sha256(b"hunter2").hexdigest()
    body = {"email": "eve@far.test", "password": digest}
    assert (await site.http.post("/admin/users", json=body, headers=ADMIN)).status_code == 200
    hook = {"enabled": True, "url": "https://hook.test/in?key=s3cret", "method": "POST",
            "headers": '{"Authorization":"Bearer s3cret"}', "body": "{}"}  # fmt: skip
    answer = await site.http.post("/admin/mail_webhook/settings", json=hook, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    text = (await site.http.get("/admin/audit", headers=ADMIN)).text
    assert "eve@far.test" in text
    assert "hook.test/in" in text
    assert digest not in text
    assert "s3cret" not in text


async def test_what_was_refused_or_only_looked_at_is_no_change(site: Site) -> None:
    ann = await site.open()
    for method, path, body in (
        ("GET", "/admin/users?limit=10&offset=0", None),
        ("GET", f"/admin/address?limit=10&offset=0&query={ann.address}", None),
        ("POST", "/admin/queue/drop", {}),
        ("POST", "/admin/cleanup", {"cleanType": "everything", "cleanDays": 1}),
        ("POST", "/admin/db_migration", None),
    ):
        await site.http.request(method, path, json=body, headers=ADMIN)
    await site.http.post("/admin/queue/drop", json={"filter": {}})  # by nobody
    assert (await log(site))["results"] == []


async def test_a_token_that_is_shown_is_in_the_log(site: Site) -> None:
    ann = await site.open()
    await site.http.get(f"/admin/show_password/{ann.address_id}", headers=ADMIN)
    (row,) = (await log(site))["results"]
    assert (row["action"], row["subject"]) == (
        "address.show_token", f"{ann.address_id} ({ann.address})")  # fmt: skip
    assert ann.jwt not in str(row)


@pytest.mark.parametrize("door", ["header", "login"])
async def test_a_wrong_admin_password_is_in_the_log_once(site: Site, door: str) -> None:
    async with site.client(OUTSIDE) as http:
        for n in range(5):
            if door == "header":
                await http.get("/admin/statistics", headers={"x-admin-auth": f"wrong{n}"})
            else:
                await http.post("/open_api/admin_login", json={"password": f"wrong{n}"})
    await site.http.get("/admin/statistics")  # shows none
    (row,) = (await log(site))["results"]
    assert (row["action"], row["actor"], row["from"]) == ("login.failed", "nobody", OUTSIDE)


async def test_an_administrator_by_role_is_named(site_with: SiteWith) -> None:
    roles = [Role(role="chief")]
    async with site_with(user_roles=roles, admin_user_role="chief") as site:
        digest = hashlib.sha256(b"hunter2").hexdigest()
        body = {"email": "eve@far.test", "password": digest}
        await site.http.post("/admin/users", json=body, headers=ADMIN)
        role = {"user_id": 1, "role_text": "chief"}
        answer = await site.http.post("/admin/user_roles", json=role, headers=ADMIN)
        assert answer.status_code == 200, answer.text
        body = {"email": "eve@far.test", "password": digest}
        token = (await site.http.post("/user_api/login", json=body)).json()["jwt"]
        shown = await site.http.get("/user_api/settings", headers={"x-user-token": token})
        access = {"x-user-access-token": shown.json()["access_token"]}
        answer = await site.http.post("/admin/queue/retry", json={"filter": {}}, headers=access)
        assert answer.status_code == 200, answer.text
        row = (await log(site, "?action=queue"))["results"][0]
        assert row["actor"] == "user 1 (eve@far.test)"
        assert (row["subject"], row["detail"]) == ("everything", {"filter": {}, "changed": 0})


async def test_where_no_password_is_asked_for_that_is_said(site_with: SiteWith) -> None:
    async with site_with(disable_admin_password_check=True) as site:
        await site.http.post("/admin/queue/retry", json={"filter": {}}, headers=WRONG)
        row = (await log(site))["results"][0]
        assert row["actor"].startswith("anybody")


async def test_the_log_is_for_administrators(site: Site) -> None:
    assert (await site.http.get("/admin/audit")).status_code == 401


async def test_every_action_is_listed_with_its_words(site: Site) -> None:
    answer = await site.http.get("/admin/audit/actions", headers=ADMIN)
    listed = {one["action"]: one for one in answer.json()["results"]}
    assert listed["queue.drop"] == {
        "action": "queue.drop",
        "title": "Waiting mail given up",
        "title_told": {"code": "audit.queue.drop", "values": {}},
    }

"""Every administrator's change is in the audit log."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import fields

from mailbox_service.config import Role
from mailbox_service.core.audit_fields import FIELDS, WORDS_OF
from mailbox_service.services.reading import Reading
from mailbox_service.services.sent import SentMail
from mailbox_service.web.admin.actions import ACTIONS, action_of, carry_out
from mailbox_service.web.request import Call
from tests.programs import ROOT
from tests.web.conftest import SiteWith
from tests.web.people import access_token, sign_up
from tests.web.site import ADMIN, Site

pytestmark = pytest.mark.anyio

WRONG = {"x-admin-auth": "wrong"}
OUTSIDE = "203.0.113.9"
WITH_FILE = (
    b"From: x@y.test\r\nSubject: s\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n"
    b"--b\r\nContent-Type: text/csv\r\n"
    b'Content-Disposition: attachment; filename="a.csv"\r\n\r\na,b\r\n--b--\r\n'
)


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
        "title", "title_told", "actor_told", "fields",
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


READING_ACTIONS = ("mail.read", "sent.read")
READING = (
    "/admin/inbox/{mail}",
    "/admin/inbox/{mail}?remote=1",
    "/admin/mails/{mail}",
    "/admin/mails/{mail}/raw",
    "/admin/mails/{mail}/attachments/0",
)
READING_SENT = (
    "/admin/sent/{mail}",
    "/admin/sent/{mail}/raw",
    "/admin/sent/{mail}/attachments/0",
)


async def test_every_route_that_opens_a_mail_for_administrators_is_written_down(
    site: Site,
) -> None:
    opening = {
        operation.path
        for operation in site.app.state.table.operations
        if operation.area == "admin mails" and operation.method == "GET" and "{" in operation.path
    }
    assert opening == {
        path for (method, path), action in ACTIONS.items() if action in READING_ACTIONS
    }


@pytest.mark.parametrize("path", READING)
async def test_whose_mail_an_administrator_read_is_in_the_log_once(site: Site, path: str) -> None:
    ann = await site.open()
    mail, other = await site.arrive(raw=WITH_FILE), await site.arrive("nobody@inbox.test")
    async with site.client(OUTSIDE) as http:
        for number in (mail, mail, other):
            answer = await http.get(path.format(mail=number), headers=ADMIN)
            assert answer.status_code == (404 if "attach" in path and number == other else 200)
        await http.get(path.format(mail=999), headers=ADMIN)
        await http.get("/admin/inbox?limit=20&offset=0", headers=ADMIN)
        await http.get("/admin/mails?limit=20&offset=0", headers=ADMIN)
    rows = (await log(site))["results"]
    expected = [(f"{mail} ({ann.address})", OUTSIDE)]
    if "attach" not in path:
        expected.insert(0, (f"{other} (nobody@inbox.test)", OUTSIDE))
    assert [(row["subject"], row["from"]) for row in rows] == expected
    assert {row["action"] for row in rows} == {"mail.read"}
    assert rows[0]["title"] == "Somebody's mail read"
    assert rows[0]["detail"] == {}
    # Somewhere else that is somebody else.
    await site.http.get(path.format(mail=mail), headers=ADMIN)
    assert (await log(site))["count"] == len(expected) + 1


@pytest.mark.parametrize("path", READING_SENT)
async def test_whose_sent_mail_an_administrator_read_is_in_the_log(site: Site, path: str) -> None:
    ann = await site.open()
    file = {"filename": "a.txt", "content": "aGk="}
    letter = {"to_mail": "bob@inbox.test", "subject": "s", "content": "c", "attachments": [file]}
    assert (await site.http.post("/api/send_mail", json=letter, headers=ann.auth)).is_success
    answer = await site.http.get("/admin/sendbox?limit=20&offset=0", headers=ADMIN)
    sent = answer.json()["results"][0]["id"]
    for number in (sent, sent, 999):
        await site.http.get(path.format(mail=number), headers=ADMIN)
    (row,) = (await log(site))["results"]
    assert (row["action"], row["subject"]) == ("sent.read", f"{sent} ({ann.address})")


async def test_a_mail_that_is_opened_is_not_looked_up_again_for_the_log(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await site.open()
    letter = {"to_mail": "bob@inbox.test", "subject": "s", "content": "c"}
    assert (await site.http.post("/api/send_mail", json=letter, headers=ann.auth)).is_success
    mail = await site.arrive()
    monkeypatch.delattr(Reading, "one")
    monkeypatch.delattr(SentMail, "sender_of")
    for path in (f"/admin/inbox/{mail}", f"/admin/mails/{mail}", "/admin/sent/1"):
        assert (await site.http.get(path, headers=ADMIN)).json()["id"] in (mail, 1), path
    assert [row["subject"] for row in (await log(site))["results"]] == [
        f"1 ({ann.address})", f"{mail} ({ann.address})"]  # fmt: skip


async def test_a_handler_that_does_not_say_what_it_opened_shows_nothing(site: Site) -> None:
    async def silent(call: Call) -> str:
        return "somebody's mail"

    unasked: Any = None
    for operation in site.app.state.table.operations:
        action = action_of(operation)
        if action in READING_ACTIONS:
            with pytest.raises(RuntimeError, match="does not say"):
                await carry_out(unasked, replace(operation, handler=silent))


async def test_an_administrator_by_role_may_read_mail_of_its_own_in_silence(
    site_with: SiteWith,
) -> None:
    roles = {"user_roles": [Role(role="chief")], "admin_user_role": "chief"}
    async with site_with(**roles) as site:
        eve = await sign_up(site, "eve@far.test", role="chief")
        mine, other = await site.open("mine"), await site.open("other")
        await site.http.post("/user_api/bind_address", headers=eve.both(mine))
        access = {"x-user-access-token": await access_token(site, eve) or ""}
        for box in (mine, other):
            mail = await site.arrive(box.address)
            answer = await site.http.get(f"/admin/inbox/{mail}", headers=access)
            assert answer.status_code == 200, answer.text
        (row,) = (await log(site, "?action=mail"))["results"]
        assert (row["actor"], row["subject"]) == (
            f"user {eve.id} (eve@far.test)", f"{mail} ({other.address})")  # fmt: skip


async def test_values_are_called_by_their_names_and_counts_are_told(site: Site) -> None:
    ann = await site.open()
    letter = {
        "from_mail": ann.address,
        "to_mail": "bob@inbox.test",
        "subject": "s",
        "content": "hello",
    }
    answer = await site.http.post("/admin/send_mail", json=letter, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    await site.http.post(
        "/admin/queue/drop", json={"filter": {"domain": "far.test"}}, headers=ADMIN
    )
    dropped, sent = (await log(site))["results"]
    named = {one["name"]: one for one in sent["fields"]}
    assert named["to_mail"] == {
        "name": "to_mail",
        "title": "To",
        "title_told": {"code": "field.to", "values": {}},
        "value_told": None,
    }
    assert sent["detail"]["content"] == "(5 characters)"
    assert named["content"]["value_told"] == {
        "code": "count.characters", "values": {"size": "5"}}  # fmt: skip
    assert {one["name"]: one["title"] for one in dropped["fields"]} == {
        "filter": "Filter", "filter.domain": "Domain", "changed": "Changed"}  # fmt: skip


async def test_every_value_that_administrators_post_has_a_name(site: Site) -> None:
    """Either a word of its own or the label of its form, which the page has."""
    labels = (ROOT / "frontend/src/admin/settings.ts").read_text("utf-8")
    labels += (ROOT / "frontend/src/admin/audit.ts").read_text("utf-8")
    for operation in site.app.state.table.operations:
        if not operation.guard.administers or not action_of(operation):
            continue
        body = operation.body
        posted = isinstance(body, type) and issubclass(body, Struct)
        if not posted or operation.path == "/admin/auto_cleanup":
            continue  # its kinds are named one by one
        for field in fields(body):
            name = field.encode_name
            assert name in WORDS_OF or f"'{name}" in labels, (operation.path, name)
    assert {WORDS_OF[name] for name in WORDS_OF} == set(FIELDS.names)


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

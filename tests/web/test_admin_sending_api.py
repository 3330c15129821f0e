"""The sending API with an administrator's rights."""

from __future__ import annotations

from typing import Any

import pytest

from mailbox_service.config import Role
from mailbox_service.web.admin.sending_api import ACTIONS, REACHED, SENDS
from mailbox_service.web.sending.table import ROWS
from tests.programs import ROOT
from tests.web.conftest import SiteWith
from tests.web.people import access_token, sign_up
from tests.web.site import ADMIN, Site

pytestmark = pytest.mark.anyio


async def ask(site: Site, path: str, body: object = None, status: int = 200) -> Any:
    answer = await site.http.post(f"/admin/sending/{path}", json=body or {}, headers=ADMIN)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.headers["content-type"] == "application/json" else answer.text


async def audit(site: Site) -> list[tuple[str, str]]:
    answer = await site.http.get("/admin/audit", headers=ADMIN)
    return [(one["action"], one["subject"]) for one in answer.json()["results"]]


async def test_a_key_is_made_changed_and_removed(site: Site) -> None:
    [made] = await ask(
        site, "api_keys/add", {"description": "shop", "endpoints": ["/suppression/*"]}
    )
    headers = {"x-smtp2go-api-key": made["api_key"]}
    answer = await site.http.post("/v3/suppression/view", json={}, headers=headers)
    assert answer.status_code == 200
    # What is not said stays: it is the change of the PATCH, not of the POST.
    [changed] = await ask(site, "api_keys/edit", {"id": made["username"], "status": "blocked"})
    assert (changed["status"], changed["description"]) == ("blocked", "shop")
    answer = await site.http.post("/v3/suppression/view", json={}, headers=headers)
    assert answer.status_code == 401
    assert await ask(site, "api_keys/remove", {"id": made["username"]}) == "ok"
    assert await ask(site, "api_keys/view") == []
    assert await audit(site) == [
        ("sending.keys", f"remove {made['username']}"),
        ("sending.keys", f"edit {made['username']}"),
        ("sending.keys", "add shop"),
    ]


async def test_every_permission_is_there_to_be_given(site: Site) -> None:
    assert "/email/send" in await ask(site, "api_keys/permissions")
    assert await audit(site) == []


async def test_a_refusal_names_the_field(site: Site) -> None:
    said = await ask(site, "smtp_users/add", {"username": "p" * 300}, status=400)
    assert said["field_validation_errors"]["fieldname"] == "username"
    said = await ask(site, "suppression/add", {}, status=400)
    assert said["field_validation_errors"]["fieldname"] == "email_address"
    assert await audit(site) == []


async def test_it_acts_for_a_subaccount(site: Site) -> None:
    made = await ask(site, "subaccount/add", {"fullname": "North"})
    of_it = {"subaccount_id": made["id"]}
    await ask(site, "suppression/add", {"email_address": "ann@far.test", **of_it})
    assert (await ask(site, "suppression/view", of_it))["total"] == 1
    assert (await ask(site, "suppression/view"))["total"] == 0
    await ask(site, "suppression/view", {"subaccount_id": "nobody"}, status=400)


async def test_mail_is_sent_by_credentials_alone(site: Site) -> None:
    for path in ("email/send", "email/batch", "sms/send", "nothing/here"):
        await ask(site, path, status=404)


async def test_a_body_that_is_no_object_is_told_so(site: Site) -> None:
    for body in (b"", b"[]", b"{"):
        answer = await site.http.post("/admin/sending/template/view", content=body, headers=ADMIN)
        assert answer.status_code == 400, body


async def test_secrets_of_it_are_not_in_the_audit_log(site: Site) -> None:
    await ask(site, "smtp_users/add", {"username": "printer", "email_password": "hunter2 hunter2"})
    answer = await site.http.get("/admin/audit", headers=ADMIN)
    assert "hunter2" not in answer.text


# Area, what changes something in it, what only asks. An operation that is new belongs here.
MEANING: list[tuple[str, str, str]] = [
    ("activity", "", "search"),
    ("allowed_recipients", "add remove update", "view"),
    ("allowed_senders", "add remove update", "view"),
    ("api_keys", "add edit remove", "permissions view"),
    ("archive", "", "email search"),
    ("blocklist", "add remove", "view"),
    ("dedicated_ips", "", "view"),
    ("domain", "add remove returnpath subaccount_access tracking verify", "view"),
    ("email", "batch mime send", "search"),
    ("email/scheduled", "remove", "search"),
    ("", "ip_allow_list", ""),
    ("ip_allow_list", "add edit remove", "view"),
    ("ip_auth", "add edit remove", "view"),
    ("single_sender_emails", "add remove", "view"),
    ("sms", "send", "summary view-received view-sent"),
    ("stats", "", "email_bounces email_cycle email_history email_spam email_summary email_unsubs"),
    ("subaccount", "add close edit reopen", ""),
    ("subaccounts", "", "search usage"),
    ("suppression", "add remove", "view"),
    ("template", "add delete edit", "search view"),
    ("users/smtp", "add edit remove", "view"),
    ("webhook", "add cancel edit remove replay", "delivery log view"),
]


async def test_what_an_operation_means_stands_in_its_row() -> None:
    meant = {
        (f"{area}/{act}".lstrip("/"), only_asks)
        for area, changes, asks in MEANING
        for acts, only_asks in ((changes, False), (asks, True))
        for act in acts.split()
    }
    assert {(row.path, row.only_asks) for row in ROWS} == meant


async def test_what_changes_something_has_a_name_in_the_audit_log() -> None:
    changing = {path.partition("/")[0] for path, row in REACHED.items() if not row.only_asks}
    assert changing == set(ACTIONS)
    assert not any(row.only_asks for row in ROWS if row.path in SENDS)


# One change of each area that has one; `scheduled` has none without a mail.
CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("allowed_recipients/add", {"allowed_recipients": ["far.test"]}),
    ("allowed_senders/add", {"allowed_senders": ["inbox.test"]}),
    ("api_keys/add", {"description": "shop"}),
    ("domain/add", {"domain": "far.test"}),
    ("ip_allow_list/switch", {"enabled": False}),
    ("ip_auth/add", {"ip_address": "198.51.100.7"}),
    ("single_sender_emails/add", {"email_address": "ann@far.test"}),
    ("smtp_users/add", {"username": "printer", "email_password": "hunter2 hunter2"}),
    ("subaccount/add", {"fullname": "North"}),
    ("suppression/add", {"email_address": "bob@far.test"}),
    ("template/add", {"template_name": "t", "subject": "s", "html_body": "h", "text_body": "t"}),
    ("webhook/add", {"url": "https://hook.test/in", "events": ["delivered"]}),
]
# What these ask for must be there.
ASKED_BY_ID = {"archive/email", "template/view", "webhook/delivery"}


async def test_changes_are_in_the_audit_log_and_questions_are_not(site: Site) -> None:
    made = {path: await ask(site, path, body) for path, body in CHANGES}
    written = await audit(site)
    assert [action for action, _ in reversed(written)] == [
        ACTIONS[path.partition("/")[0]] for path, _ in CHANGES
    ]
    assert {*ACTIONS} - {path.partition("/")[0] for path, _ in CHANGES} == {"scheduled"}
    for path, row in REACHED.items():
        if row.only_asks and path not in ASKED_BY_ID:
            await ask(site, path)
    await ask(site, "template/view", {"id": made["template/add"]["id"]})
    assert await audit(site) == written


# Reached, and of no use on a page of ours.
FOR_OTHERS = {
    "archive/email": "one of the copies that the search lists",
    "dedicated_ips/view": "there are no others than the service's own",
    "domain/returnpath": "a name below the domain that nobody reads",
    "domain/subaccount_access": "rights between subaccounts, for their programs",
    "domain/tracking": "as the return path",
    "email/search": "the older form of activity",
    "sms/summary": "the sums of the lists of short messages",
    "stats/email_bounces": "part of the history",
    "stats/email_spam": "part of the history",
    "stats/email_summary": "part of the history and the cycle",
    "stats/email_unsubs": "part of the history",
    "subaccounts/usage": "the search has the month of each",
    "webhook/log": "the page shows the log of all webhooks",
    "webhook/delivery": "the page shows the log of all webhooks",
    "webhook/replay": "the page shows the log of all webhooks",
    "webhook/cancel": "the page shows the log of all webhooks",
}


async def test_the_page_has_a_place_for_all_that_it_can() -> None:
    admin = ROOT / "frontend" / "src" / "admin"
    source = "\n".join(file.read_text("utf-8") for file in admin.glob("[sS]ending*"))
    uncalled = {path for path in REACHED if f"'{path}'" not in source}
    assert uncalled == set(FOR_OTHERS)


async def test_an_administrators_smtp_servers_are_in_the_audit_log(site: Site) -> None:
    server = {"host": "smtp.far.test", "username": "shop", "password": "hunter2"}
    for method, body in (("PUT", server), ("DELETE", None)):
        answer = await site.http.request(method, "/smtp-connections/shop", json=body, headers=ADMIN)
        assert answer.status_code == 200, answer.text
    assert await audit(site) == [
        ("sending.servers", "DELETE shop"),
        ("sending.servers", "PUT shop"),
    ]
    assert "hunter2" not in (await site.http.get("/admin/audit", headers=ADMIN)).text


async def test_whoever_administrates_keeps_smtp_servers(site_with: SiteWith) -> None:
    roles = {"user_roles": [Role(role="chief")], "admin_user_role": "chief"}
    async with site_with(**roles) as site:
        eve = await sign_up(site, "eve@far.test", role="chief")
        access = {"x-user-access-token": await access_token(site, eve) or ""}
        for headers, status in ((access, 200), ({"x-admin-auth": ""}, 401), ({}, 401)):
            answer = await site.http.get("/smtp-connections", headers=headers)
            assert answer.status_code == status, answer.text


async def test_where_no_password_is_asked_for_anybody_keeps_smtp_servers(
    site_with: SiteWith,
) -> None:
    async with site_with(disable_admin_password_check=True) as site:
        answer = await site.http.get("/smtp-connections", headers={"x-admin-auth": ""})
        assert answer.status_code == 200, answer.text

"""Handing over mail and seeing what became of it: mailbox-api §3.3, §3.4, §10 and ours."""

from __future__ import annotations

import asyncio
import base64
import email
import json
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest

from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, Mailbox, Site

pytestmark = pytest.mark.anyio

BODY: dict[str, Any] = {
    "from_name": "Ann",
    "to_name": "Bob",
    "to_mail": "bob@far.example",
    "subject": "Hello",
    "content": "Good morning",
    "is_html": False,
}


async def send(site: Site, ann: Mailbox, **changes: Any) -> Any:
    return await site.http.post("/api/send_mail", json=BODY | changes, headers=ann.auth)


async def message(site: Site, ann: Mailbox, sent_id: int) -> EmailMessage:
    """The message as it was queued."""
    answer = await site.http.get(f"/api/sent/{sent_id}/raw", headers=ann.auth)
    assert answer.headers["content-type"] == "message/rfc822"
    parsed = email.message_from_bytes(answer.content, policy=default)
    assert isinstance(parsed, EmailMessage)
    return parsed


async def test_a_mail_of_the_contract_is_queued(site: Site) -> None:
    ann = await site.open()
    answer = await send(site, ann)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert set(told) == {"status", "queue_id", "id", "message_id"}
    assert told["status"] == "ok"
    mail = await message(site, ann, told["id"])
    assert mail["From"] == "Ann <ann@inbox.test>"
    assert mail["To"] == "Bob <bob@far.example>"
    assert mail["Subject"] == "Hello"
    assert mail["Message-ID"] == told["message_id"]
    assert mail.get_content().strip() == "Good morning"
    settings = await site.http.get("/api/settings", headers=ann.auth)
    assert settings.json()["send_balance"] == 9


# what is changed, text behind "Failed to send mail "
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"to_mail": ""}, "Invalid recipient address"),
    ({"to_mail": None}, "Invalid recipient address"),
    ({"to_mail": []}, "Invalid recipient address"),
    ({"to_mail": ["bob@far.example", ""]}, "Invalid recipient address"),
    ({"to_mail": "blocked@far.example"}, "Address is blocked"),
    ({"cc": ["blocked@far.example"]}, "Address is blocked"),
    ({"subject": ""}, "Subject is empty"),
    ({"subject": None}, "Subject is empty"),
    ({"content": ""}, "Content is empty"),
    ({"content": None}, "Content is empty"),
    ({"to_mail": "", "subject": ""}, "Invalid recipient address"),
    ({"subject": "", "content": ""}, "Subject is empty"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED)
async def test_a_mail_that_is_refused_costs_nothing(
    site: Site, changes: dict[str, Any], words: str
) -> None:
    lists = {"blockList": [], "sendBlockList": ["blocked@"], "verifiedAddressList": []}
    await site.http.post("/admin/account_settings", json=lists, headers=ADMIN)
    ann = await site.open()
    answer = await send(site, ann, **changes)
    assert (answer.status_code, answer.text) == (400, f"Failed to send mail {words}")
    external = await site.http.post(
        "/external/api/send_mail", json=BODY | changes | {"token": ann.jwt}
    )
    assert (external.status_code, external.text) == (answer.status_code, answer.text)
    settings = await site.http.get("/api/settings", headers=ann.auth)
    assert settings.json()["send_balance"] == 10
    assert (await site.http.get("/api/sent", headers=ann.auth)).json()["count"] == 0


@pytest.mark.parametrize("to", ["nonsense", "a@b@c", "bob@far.example\r\nBcc: x@y.example", "<>"])
async def test_a_recipient_that_is_no_address_is_refused(site: Site, to: str) -> None:
    ann = await site.open()
    answer = await send(site, ann, to_mail=to)
    assert answer.status_code == 400
    assert answer.text.startswith("Failed to send mail Invalid recipient address")


async def test_without_allowance_nothing_is_sent(site_with: SiteWith) -> None:
    async with site_with(default_send_balance=0) as site:
        ann = await site.open()
        answer = await send(site, ann)
        assert (answer.status_code, answer.text) == (400, "Failed to send mail No balance")
        chinese = await site.http.post(
            "/api/send_mail", json=BODY, headers={**ann.auth, "x-lang": "zh"}
        )
        assert chinese.text.startswith("Failed to send mail ")
        assert not chinese.text.isascii()
        asked = await site.http.post("/api/request_send_mail_access", headers=ann.auth)
        assert asked.json() == {"status": "ok"}
        asked = await site.http.post("/api/request_send_mail_access", headers=ann.auth)
        assert (asked.status_code, asked.text) == (400, "Already requested")
        rows = (
            await site.http.get("/admin/address_sender?limit=20&offset=0", headers=ADMIN)
        ).json()
        (row,) = rows["results"]
        assert set(row) == {"id", "address", "balance", "enabled", "created_at"}
        assert (row["address"], row["balance"], row["enabled"]) == (ann.address, 0, 0)
        grant = {"address": ann.address, "address_id": row["id"], "balance": 2, "enabled": True}
        assert (
            await site.http.post("/admin/address_sender", json=grant, headers=ADMIN)
        ).json() == {"success": True}
        assert (await send(site, ann)).status_code == 200
        note = (await site.http.get("/api/parsed_mails?limit=1&offset=0", headers=ann.auth)).json()
        (mail,) = note["results"]
        assert mail["subject"] == "Account Send Access Updated"
        assert mail["source"] == "admin@internal"
        assert mail["sender"] == "Admin <admin@internal>"
        assert mail["text"].strip() == "Your send access has been enabled, balance: 2"
        removed = await site.http.delete(f"/admin/address_sender/{row['id']}", headers=ADMIN)
        assert removed.json() == {"success": True}
        settings = await site.http.get("/api/settings", headers=ann.auth)
        assert settings.json()["send_balance"] == 0


@pytest.mark.parametrize("address_id", [None, 0, "", "x"])
async def test_an_allowance_is_named_by_its_row(site: Site, address_id: Any) -> None:
    change = {"address": "a@inbox.test", "address_id": address_id, "balance": 1, "enabled": 1}
    answer = await site.http.post("/admin/address_sender", json=change, headers=ADMIN)
    assert (answer.status_code, answer.text) == (400, "Invalid address_id")


async def test_the_sendbox_has_the_rows_of_the_contract(site: Site) -> None:
    ann = await site.open()
    for number in range(3):
        await send(site, ann, subject=f"Number {number}")
    page = (await site.http.get("/api/sendbox?limit=2&offset=0", headers=ann.auth)).json()
    assert set(page) == {"results", "count"}
    assert page["count"] == 3
    row = page["results"][0]
    assert set(row) == {"id", "address", "raw", "created_at"}
    assert row["address"] == ann.address
    record = json.loads(row["raw"])
    assert record == {
        "version": "v2",
        **BODY,
        "subject": "Number 2",
        "geoData": {"ip": "127.0.0.1"},
    }
    assert "token" not in record
    admin = (await site.http.get("/admin/sendbox?limit=5&offset=0", headers=ADMIN)).json()
    assert admin["count"] == 3
    assert admin["results"][0] == row
    mine = await site.http.get(
        "/admin/sendbox?limit=5&offset=0&address=b@inbox.test", headers=ADMIN
    )
    assert mine.json() == {"results": [], "count": 0}
    deleted = await site.http.delete(f"/api/sendbox/{row['id']}", headers=ann.auth)
    assert deleted.json() == {"success": True}
    page = (await site.http.get("/api/sendbox?limit=2&offset=0", headers=ann.auth)).json()
    assert page["count"] == 2
    assert (await site.http.delete("/api/clear_sent_items", headers=ann.auth)).status_code == 200
    page = (await site.http.get("/api/sendbox?limit=2&offset=0", headers=ann.auth)).json()
    assert page == {"results": [], "count": 0}


async def test_several_recipients_files_and_threads(site: Site) -> None:
    ann = await site.open()
    answer = await send(
        site,
        ann,
        to_name="",
        to_mail=["Bob <bob@far.example>", "carol@far.example"],
        cc="dan@inbox.test",
        bcc=["eve@far.example"],
        reply_to="answers@far.example",
        text="plain words",
        html="<p>rich words</p>",
        content=None,
        in_reply_to="<before@far.example>",
        references="<first@far.example>",
        headers={"X-Purpose": "a test"},
        attachments=[
            {"filename": "ü.bin", "content": base64.b64encode(b"\x00\x01").decode()},
            {
                "filename": "x.png",
                "content": base64.b64encode(b"png").decode(),
                "type": "image/png",
                "disposition": "inline",
                "content_id": "pic",
            },
        ],
    )
    assert answer.status_code == 200, answer.text
    mail = await message(site, ann, answer.json()["id"])
    assert mail["To"] == "Bob <bob@far.example>, carol@far.example"
    assert mail["Cc"] == "dan@inbox.test"
    assert mail["Bcc"] is None
    assert b"eve@" not in mail.as_bytes()
    assert mail["Reply-To"] == "answers@far.example"
    assert mail["In-Reply-To"] == "<before@far.example>"
    assert mail["References"].split() == ["<first@far.example>", "<before@far.example>"]
    assert mail["X-Purpose"] == "a test"
    bodies = {part.get_content_type(): part for part in mail.walk()}
    assert bodies["text/plain"].get_content().strip() == "plain words"
    assert "rich words" in bodies["text/html"].get_content()
    assert bodies["application/octet-stream"].get_filename() == "ü.bin"
    assert bodies["application/octet-stream"].get_content() == b"\x00\x01"
    assert bodies["image/png"]["Content-ID"] == "<pic>"
    rows = (await site.http.get("/api/sent", headers=ann.auth)).json()
    assert set(rows) == {"results", "count", "next_before_id"}
    (row,) = rows["results"]
    assert set(row) == {
        "id", "queue_id", "subject", "from_address", "to", "created_at", "size", "state",
        "recipients",
    }  # fmt: skip
    assert row["queue_id"] == answer.json()["queue_id"]
    assert sorted(row["to"]) == [
        "bob@far.example", "carol@far.example", "dan@inbox.test", "eve@far.example",
    ]  # fmt: skip
    states = {recipient["address"]: recipient["state"] for recipient in row["recipients"]}
    assert states == {
        "bob@far.example": "held",
        "carol@far.example": "held",
        "eve@far.example": "held",
        "dan@inbox.test": "queued",
    }
    assert set(row["recipients"][0]) == {
        "address", "state", "attempts", "next_attempt_at", "last_reply", "updated_at",
    }  # fmt: skip
    opened = (await site.http.get(f"/api/sent/{row['id']}", headers=ann.auth)).json()
    assert set(opened) == set(row) | {"text", "html", "headers", "attachments", "attempts"}
    assert opened["text"].strip() == "plain words"
    assert opened["attempts"] == []
    assert sorted(part["size"] for part in opened["attachments"]) == [2, 3]


@pytest.mark.parametrize("is_html", [True, 1, "true"])
async def test_html_content_goes_as_html(site: Site, is_html: Any) -> None:
    ann = await site.open()
    answer = await send(site, ann, content="<b>x</b>", is_html=is_html)
    mail = await message(site, ann, answer.json()["id"])
    assert mail.get_content_type() == "text/html"


async def test_the_external_route_proves_the_token_in_the_body(site: Site) -> None:
    ann = await site.open()
    answer = await site.http.post("/external/api/send_mail", json=BODY | {"token": ann.jwt})
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    row = (await site.http.get("/api/sendbox?limit=1&offset=0", headers=ann.auth)).json()
    assert ann.jwt not in row["results"][0]["raw"]
    for token in (None, "", "nonsense", ann.jwt[:-2]):
        answer = await site.http.post("/external/api/send_mail", json=BODY | {"token": token})
        assert answer.status_code == 400
        assert answer.text == "Failed to send mail Invalid address credential"
    answer = await site.http.post("/external/api/send_mail", content=b"{")
    assert (answer.status_code, answer.text) == (
        500,
        "SyntaxError Unexpected end of JSON input",
    )


# One hostile value for every field of the JSON that can reach a header field.
CONTROLS = ["x\r\nBcc: victim@far.example", "x\nX-Evil: 1", "x\rX-Evil: 1", "x\x00y", "x\x1b[31m"]
FIELDS: list[tuple[str, Any]] = [
    ("from_name", lambda text: text),
    ("to_name", lambda text: text),
    ("subject", lambda text: text),
    ("to_mail", lambda text: f"{text} <bob@far.example>"),
    ("cc", lambda text: [f"{text} <bob@far.example>"]),
    ("bcc", lambda text: [f"bob@far.example{text}"]),
    ("reply_to", lambda text: f"{text} <bob@far.example>"),
    ("reply_to", lambda text: f"bob@far.example{text}"),
    ("in_reply_to", lambda text: f"<a@b.example>{text}"),
    ("references", lambda text: [f"<a@b.example>{text}"]),
    ("headers", lambda text: {"X-Ours": text}),
    ("headers", lambda text: {f"X-Ours{text}": "v"}),
    ("headers", lambda text: {"List-Unsubscribe": f"<mailto:{text}>"}),
    ("attachments", lambda text: [{"filename": f"a{text}.txt", "content": "eA=="}]),
    ("attachments", lambda text: [{"filename": "a", "content": "eA==", "type": f"a/b{text}"}]),
    (
        "attachments",
        lambda text: [
            {"filename": "a", "content": "eA==", "disposition": "inline", "content_id": text}
        ],
    ),
    ("attachments", lambda text: [{"filename": "a", "content": "eA==", "disposition": text}]),
]


@pytest.mark.parametrize("text", CONTROLS)
@pytest.mark.parametrize(("field", "value"), FIELDS)
async def test_no_field_of_the_json_ends_a_header_field(
    site: Site, field: str, value: Any, text: str
) -> None:
    """Hazard 43."""
    ann = await site.open()
    answer = await send(site, ann, **{field: value(text)})
    if answer.status_code != 200:
        assert answer.status_code == 400
        assert answer.text.startswith("Failed to send mail ")
        return
    raw = (await site.http.get(f"/api/sent/{answer.json()['id']}/raw", headers=ann.auth)).content
    head = raw.partition(b"\r\n\r\n")[0]
    assert b"\x00" not in head
    assert b"\x1b" not in head
    assert b"\n" not in head.replace(b"\r\n", b"")
    names = {line.partition(b":")[0].lower() for line in head.split(b"\r\n") if line[:1] != b" "}
    assert not names & {b"bcc", b"x-evil"}


@pytest.mark.parametrize("name", ["From", "Sender", "Bcc", "Received", "DKIM-Signature", "a b", ""])
async def test_reserved_fields_are_not_the_authors(site: Site, name: str) -> None:
    """Hazard 43."""
    ann = await site.open()
    answer = await send(site, ann, headers={name: "x"})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": {"x": 1}},
        {"to_mail": [1]},
        {"attachments": [{"filename": "a", "content": "not base64!"}]},
        {"attachments": [{"content": "eA=="}]},
        {"headers": {"X-A": 1}},
    ],
)
async def test_a_value_of_the_wrong_type_is_a_failure_to_send(
    site: Site, changes: dict[str, Any]
) -> None:
    ann = await site.open()
    answer = await send(site, ann, **changes)
    assert answer.status_code == 400
    assert (
        answer.text.startswith("Failed to send mail Expected ")
        or "base64" in answer.text
        or ("missing" in answer.text)
    )


async def test_the_same_key_sends_once_however_often_it_comes(site: Site) -> None:
    """Hazard 42: fifty at once, then again, then with another request, then by another owner."""
    ann, bob = await site.open("ann"), await site.open("bob")
    key = {"Idempotency-Key": "one"}
    answers = await asyncio.gather(
        *(
            site.http.post("/api/send_mail", json=BODY, headers={**ann.auth, **key})
            for _ in range(50)
        )
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert (await site.http.get("/api/sent", headers=ann.auth)).json()["count"] == 1
    settings = await site.http.get("/api/settings", headers=ann.auth)
    assert settings.json()["send_balance"] == 9
    other = await site.http.post(
        "/api/send_mail", json=BODY | {"subject": "Other"}, headers={**ann.auth, **key}
    )
    assert other.status_code == 409
    assert other.text.startswith("Failed to send mail ")
    again = await site.http.post("/api/send_mail", json=BODY, headers={**ann.auth, **key})
    assert again.text == answers[0].text
    foreign = await site.http.post("/api/send_mail", json=BODY, headers={**bob.auth, **key})
    assert foreign.json()["queue_id"] != again.json()["queue_id"]
    long = {"Idempotency-Key": "x" * 300}
    answer = await site.http.post("/api/send_mail", json=BODY, headers={**ann.auth, **long})
    assert answer.status_code == 400


async def test_the_administrator_sends_in_any_name_of_ours(site: Site) -> None:
    letter = BODY | {"from_mail": "info@second.test"}
    answer = await site.http.post("/admin/send_mail", json=letter, headers=ADMIN)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    rows = (await site.http.get("/admin/sendbox?limit=1&offset=0", headers=ADMIN)).json()
    assert rows["results"][0]["address"] == "info@second.test"
    for changes, words in (
        ({"from_mail": ""}, "Address not found"),
        ({"from_mail": "a@foreign.test"}, "Invalid domain"),
        ({"from_mail": "a@x.inbox.test"}, "Invalid domain"),
        ({"to_mail": ""}, "Invalid recipient address"),
        ({"subject": ""}, "Subject is empty"),
        ({"content": ""}, "Content is empty"),
        ({"headers": {"From": "x"}}, "Operation failed"),
    ):
        answer = await site.http.post("/admin/send_mail", json=letter | changes, headers=ADMIN)
        assert (answer.status_code, answer.text) == (400, words), changes
    for body in (b"", b"{", b"[]", b'{"headers": 1}'):
        answer = await site.http.post("/admin/send_mail", content=body, headers=ADMIN)
        assert (answer.status_code, answer.text) == (400, "Invalid input")


async def test_an_address_outside_the_sending_domains_has_no_channel(site_with: SiteWith) -> None:
    async with site_with(send_mail_domains=["second.test"]) as site:
        ann = await site.open()
        answer = await send(site, ann)
        assert answer.status_code == 400
        assert answer.text == (
            "Failed to send mail "
            "Please enable resend, smtp or SEND_MAIL for this domain (inbox.test)"
        )
        letter = BODY | {"from_mail": ann.address}
        answer = await site.http.post("/admin/send_mail", json=letter, headers=ADMIN)
        assert (answer.status_code, answer.text) == (400, "Operation failed")


async def test_the_limits_of_the_server_are_told(site: Site) -> None:
    lists: dict[str, Any] = {"blockList": [], "sendBlockList": [], "verifiedAddressList": []}
    for limits, words in (
        ({"dailyEnabled": True, "monthlyEnabled": False, "dailyLimit": 0}, "daily"),
        ({"dailyEnabled": False, "monthlyEnabled": True, "monthlyLimit": 0}, "monthly"),
    ):
        change = lists | {"sendMailLimitConfig": limits}
        answer = await site.http.post("/admin/account_settings", json=change, headers=ADMIN)
        assert answer.json() == {"success": True}
        ann = await site.open(f"ann{words}")
        refused = await send(site, ann)
        assert (refused.status_code, refused.text) == (
            400,
            f"Failed to send mail Server {words} send quota has been reached",
        )
        shown = await site.http.get("/api/settings", headers=ann.auth)
        assert shown.json()["send_balance"] == 10


@pytest.mark.parametrize("below", [False, True])
async def test_an_address_below_a_domain_sends_by_an_option(
    site_with: SiteWith, below: bool
) -> None:
    """§10.2, 2: without the option its domain must be exactly one of ours."""
    async with site_with(
        random_subdomain_domains=["inbox.test"], enable_send_from_subdomains=below
    ) as site:
        ann = await site.open("ann", "a.inbox.test")
        answer = await send(site, ann)
        external = await site.http.post("/external/api/send_mail", json=BODY | {"token": ann.jwt})
        shown = await site.http.get("/api/settings", headers=ann.auth)
        if below:
            assert (answer.status_code, external.status_code) == (200, 200)
            assert shown.json()["send_balance"] == 8
        else:
            for refused in (answer, external):
                assert (refused.status_code, refused.text) == (
                    400,
                    "Failed to send mail Invalid domain",
                )
            assert shown.json()["send_balance"] == 10

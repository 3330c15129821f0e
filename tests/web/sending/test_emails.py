"""email/send, mime, batch, scheduled mail, searches, the archive (sending-api §2)."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from mailbox_service.services.sending_api.composing import divided
from mailbox_service.services.sending_api.messages import people_in
from tests.nameserver import NameServer, serving
from tests.web.sending.conftest import LETTER, Api, serving_api
from tests.webhook_receiver import Receiver, answer

pytestmark = pytest.mark.anyio

EMAIL_ID = re.compile(r"[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}")
GIF = base64.b64encode(b"GIF89a picture").decode()


def parsed(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def tree(message: Any) -> Any:
    kind = message.get_content_type()
    if not message.is_multipart():
        return kind
    return [kind.removeprefix("multipart/"), *(tree(part) for part in message.iter_parts())]


async def sent(api: Api, **changes: Any) -> EmailMessage:
    """Send a letter and read it where it arrives."""
    assert EMAIL_ID.fullmatch(await api.send(**changes))
    await api.deliver()
    return parsed((await api.received())[-1])


async def test_a_letter_arrives(api: Api) -> None:
    message = await sent(
        api,
        cc=["carl@inbox.test"],
        bcc="dora@inbox.test",
        reply_to="Help <help@inbox.test>",
        html_body="<b>How are you?</b>",
        custom_headers=[
            {"header": "X-Campaign", "value": "spring"},
            {"name": "X-Other", "value": "grün"},
            {"header": "X-Smtp2go-Api", "value": "leaks"},
            {"header": "From", "value": "evil@else.example"},
        ],
    )
    assert message["From"] == "Ann <ann@inbox.test>"
    assert message["To"] == "Bob <bob@inbox.test>"
    assert message["Cc"] == "carl@inbox.test"
    assert message["Bcc"] is None
    assert message["Reply-To"] == "Help <help@inbox.test>"
    assert message["X-Campaign"] == "spring"
    assert message["X-Other"] == "grün"
    assert message["X-Smtp2go-Api"] is None
    assert message["Message-ID"].endswith("@inbox.test>")
    assert tree(message) == ["alternative", "text/plain", "text/html"]
    assert len(await api.received("carl@inbox.test")) == 1
    assert len(await api.received("dora@inbox.test")) == 1


@pytest.mark.parametrize(
    ("version", "shape"),
    [
        (1, ["mixed", ["alternative", "text/plain", ["related", "text/html", "image/gif"]],
             "application/pdf"]),
        (2, ["mixed", ["related", ["alternative", "text/plain", "text/html"], "image/gif"],
             "application/pdf"]),
    ],
)  # fmt: skip
async def test_the_tree_has_the_shape_of_its_version(api: Api, version: int, shape: Any) -> None:
    message = await sent(
        api,
        version=version,
        html_body='<img src="cid:a-cat">',
        inlines=[{"filename": "a-cat", "fileblob": GIF, "mimetype": "image/gif"}],
        attachments=[{"filename": "bill.pdf", "fileblob": base64.b64encode(b"%PDF").decode()}],
    )
    assert tree(message) == shape
    (picture,) = [part for part in message.walk() if part.get_content_type() == "image/gif"]
    assert picture["Content-ID"] == "<a-cat>"
    assert picture.get_content() == b"GIF89a picture"
    (bill,) = [part for part in message.walk() if part.get_filename() == "bill.pdf"]
    assert bill.get_content() == b"%PDF"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"sender": None}, "sender"),
    ({"sender": "nobody"}, "sender"),
    ({"sender": "a@inbox.test\r\nBcc: x@y.test"}, "sender"),
    ({"to": None}, "to"),
    ({"to": []}, "to"),
    ({"to": ["nobody"]}, "to"),
    ({"to": [5]}, "to"),
    ({"to": ["bob@inbox.test\nX: y"]}, "to"),
    ({"to": [f"a{n}@inbox.test" for n in range(101)]}, "to"),
    ({"cc": [f"a{n}@inbox.test" for n in range(101)]}, "cc"),
    ({"bcc": [f"a{n}@inbox.test" for n in range(101)]}, "bcc"),
    ({"subject": None}, "subject"),
    ({"subject": 5}, "subject"),
    ({"subject": "a\r\nBcc: x@y.test"}, "subject"),
    ({"text_body": None}, "text_body"),
    ({"text_body": ""}, "text_body"),
    ({"reply_to": "a@inbox.test\r\nX: y"}, "reply_to"),
    ({"custom_headers": [{"header": "Content-Type", "value": "x"}]}, "custom_headers"),
    ({"custom_headers": [{"header": "MIME-Version", "value": "x"}]}, "custom_headers"),
    ({"custom_headers": [{"header": "content-transfer-encoding", "value": "x"}]},
     "custom_headers"),
    ({"custom_headers": [{"header": "X-A\r\nX-B", "value": "x"}]}, "custom_headers"),
    ({"custom_headers": [{"header": "X-A\n", "value": "x"}]}, "custom_headers"),
    ({"custom_headers": [{"header": "X-A", "value": "x\r\nBcc: a@b.test"}]}, "custom_headers"),
    ({"custom_headers": [{"header": "X-A"}]}, "custom_headers"),
    ({"custom_headers": "X-A: 1"}, "custom_headers"),
    ({"attachments": [{"filename": "a.txt"}]}, "attachments"),
    ({"attachments": [{"fileblob": GIF}]}, "attachments"),
    ({"attachments": [{"filename": "a.txt", "fileblob": "!!"}]}, "attachments"),
    ({"attachments": [{"filename": "a.txt", "fileblob": GIF, "url": "http://a.test/"}]},
     "attachments"),
    ({"attachments": [{"filename": "a\r\nX: y", "fileblob": GIF}]}, "attachments"),
    ({"attachments": [{"filename": "a", "fileblob": GIF, "mimetype": "x\r\ny"}]}, "attachments"),
    ({"attachments": [{"filename": "a", "url": "http://127.0.0.1/"}]}, "attachments"),
    ({"attachments": [{"filename": "a", "url": "http://169.254.169.254/"}]}, "attachments"),
    ({"attachments": [{"filename": "a", "url": "http://[::1]/"}]}, "attachments"),
    ({"attachments": [{"filename": "a", "url": "http://localhost/"}]}, "attachments"),
    ({"attachments": [{"filename": "a", "url": "file:///etc/passwd"}]}, "attachments"),
    ({"inlines": [{"filename": "a", "fileblob": GIF, "cid": "x\r\ny"}]}, "inlines"),
    ({"inlines": [{"filename": "a", "fileblob": GIF, "mimetype": "gif"}]}, "inlines"),
    ({"attachments": [{"filename": "a", "fileblob": GIF, "mimetype": "gif"}],
      "inlines": [{"filename": "a", "fileblob": GIF}]}, "attachments"),
    ({"schedule": "yesterday"}, "schedule"),
    ({"schedule": "2020-01-01"}, "schedule"),
    ({"schedule": 1}, "schedule"),
    ({"version": 3}, "version"),
    ({"template_data": "x", "template_id": "exist"}, "template_data"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "field"), WRONG)
async def test_a_wrong_field_is_named(api: Api, change: dict[str, Any], field: str) -> None:
    """Acceptance 4, hazards 40 and 43: nothing is sent."""
    got = await api.refused("email/send", {**LETTER, **change})
    assert got == (400, "NON_VALIDATING_IN_PAYLOAD", field)
    assert await api.events() == []


async def test_a_hundred_in_each_list_are_taken(api: Api) -> None:
    lists = {name: [f"{name}{n}@inbox.test" for n in range(100)] for name in ("to", "cc", "bcc")}
    await api.send(**lists)
    assert await api.events() == [("processed", "to0@inbox.test")]


@pytest.mark.parametrize(
    "change",
    [
        {"subject": ""},
        {"text_body": "  "},
        {"sender": "<ann@inbox.test>", "to": "<bob@inbox.test>"},
        {"sender": '"Ann, Jr" <ann@inbox.test>'},
        {"custom_headers": {"X-A": "1"}},
        {"attachments": [{"filename": "empty.txt", "fileblob": ""}]},
    ],
)
async def test_unusual_letters_are_taken(api: Api, change: dict[str, Any]) -> None:
    await sent(api, **change)


@pytest.mark.parametrize(
    "sender", ["ann@else.example", "ann@inbox.test.else.example", "ann@xinbox.test"]
)
async def test_a_sender_must_be_verified(api: Api, sender: str) -> None:
    answer_ = await api.post("email/send", {**LETTER, "sender": sender})
    assert answer_.status_code == 400
    data = answer_.json()["data"]
    assert data["error"] == "From header sender domain not verified"
    assert data["error_code"] == "E_ApiResponseCodes.API_EXCEPTION"


async def test_fastaccept_answers_with_the_id_alone(api: Api) -> None:
    data = await api.data("email/send", {**LETTER, "fastaccept": True})
    assert set(data) == {"email_id"}


async def test_the_same_idempotency_key_sends_once(api: Api) -> None:
    """Hazard 42: also of fifty at once, where those that come too early are told so."""
    answers = await asyncio.gather(
        *(api.post("email/send", LETTER, **{"Idempotency-Key": "k1"}) for _ in range(50))
    )
    for one in answers:
        if one.status_code == 409:
            assert "still running" in one.json()["data"]["error"]
    answers = [one for one in answers if one.status_code != 409]
    answers.append(await api.post("email/send", LETTER, **{"Idempotency-Key": "k1"}))
    assert len(answers) >= 2
    assert {one.status_code for one in answers} == {200}
    assert len({one.json()["data"]["email_id"] for one in answers}) == 1
    assert await api.events() == [("processed", "bob@inbox.test")]
    other = await api.post(
        "email/send", {**LETTER, "subject": "Other"}, **{"Idempotency-Key": "k1"}
    )
    assert other.status_code == 409
    (second,) = await api.data("api_keys/add", {"endpoints": ["*"]})
    theirs = await Api(api.site, second["api_key"]).post(
        "email/send", LETTER, **{"Idempotency-Key": "k1"}
    )
    assert theirs.json()["data"]["email_id"] != answers[0].json()["data"]["email_id"]


async def test_a_message_has_a_size(tmp_path: Path) -> None:
    """Acceptance 4 with a smaller limit: the built message counts."""
    async with serving_api(tmp_path, max_message_size=65_536) as api:
        small = {"filename": "a.bin", "fileblob": base64.b64encode(b"x" * 40_000).decode()}
        large = {"filename": "a.bin", "fileblob": base64.b64encode(b"x" * 60_000).decode()}
        await api.send(attachments=[small])
        got = await api.refused("email/send", {**LETTER, "attachments": [large]})
        assert got == (413, "API_EXCEPTION", "")


async def test_a_file_from_the_web_is_fetched_once_a_day(
    tmp_path: Path, receiver: Receiver
) -> None:
    """Acceptance 5."""
    receiver.answers = [answer(200, "OK", b"from the web")]
    async with serving_api(tmp_path, fetch_private_hosts=["127.0.0.1"]) as api:
        file = {"filename": "web.txt", "url": receiver.url}
        for _ in range(3):
            message = await sent(api, attachments=[file])
        (part,) = message.iter_attachments()
        assert part.get_payload(decode=True) == b"from the web"
        assert len(receiver.got) == 1


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:127.0.0.1"]
)
async def test_a_file_at_a_name_that_leads_inside_is_refused(tmp_path: Path, address: str) -> None:
    """Acceptance 5, hazard 40: what counts is where the name leads when it is called."""
    kind = "AAAA" if ":" in address else "A"
    async with (
        serving(NameServer()) as names,
        serving_api(tmp_path, name_servers=[names.address]) as api,
    ):
        names.records = {("inside.example", kind): [address]}
        for url in ("http://inside.example/x", "https://inside.example:8443/x"):
            file = {"filename": "a.txt", "url": url}
            got = await api.refused("email/send", {**LETTER, "attachments": [file]})
            assert got == (400, "NON_VALIDATING_IN_PAYLOAD", "attachments")


async def test_a_key_whose_first_call_is_still_running_is_409(
    tmp_path: Path, receiver: Receiver
) -> None:
    """Sending-api §2.1: the same request a second time, and another one."""
    receiver.hangs = True
    receiver.answers = [answer(200, "OK", b"from the web")]
    async with serving_api(tmp_path, fetch_private_hosts=["127.0.0.1"]) as api:
        letter = {**LETTER, "attachments": [{"filename": "web.txt", "url": receiver.url}]}
        key = {"Idempotency-Key": "k1"}
        first = asyncio.create_task(api.post("email/send", letter, **key))
        await receiver.wait(1)
        for fields in (letter, LETTER):
            early = await api.post("email/send", fields, **key)
            assert early.status_code == 409
            assert early.json()["data"]["error_code"] == "E_ApiResponseCodes.API_EXCEPTION"
        receiver.released.set()
        done = (await first).json()["data"]
        again = await api.post("email/send", letter, **key)
        assert again.json()["data"] == done
        assert await api.events() == [("processed", "bob@inbox.test")]


async def test_a_refused_call_lets_its_key_go(api: Api) -> None:
    key = {"Idempotency-Key": "k1"}
    refused = await api.post("email/send", {**LETTER, "to": ["nobody"]}, **key)
    assert refused.status_code == 400
    assert (await api.post("email/send", LETTER, **key)).status_code == 200


async def test_a_redirect_to_a_private_address_is_not_followed(
    tmp_path: Path, receiver: Receiver
) -> None:
    """Hazard 40."""
    port = receiver.url.rpartition(":")[2].partition("/")[0]
    moved = answer(302, "Found", b"", f"Location: http://localhost:{port}/secret\r\n")
    receiver.answers = [moved]
    async with serving_api(tmp_path, fetch_private_hosts=["127.0.0.1"]) as api:
        file = {"filename": "web.txt", "url": receiver.url}
        got = await api.refused("email/send", {**LETTER, "attachments": [file]})
        assert got == (400, "NON_VALIDATING_IN_PAYLOAD", "attachments")
        assert len(receiver.got) == 1


# --- Templates ---------------------------------------------------------------------------------


async def test_a_template_makes_the_message(api: Api) -> None:
    await api.data("template/add", {"id": "hello", "template_name": "Hello",
        "subject": "Dear {{name}}", "html_body": "<p>{{name}} {{x}}</p>",
        "text_body": "{{name}} {{x}}", "template_variables": {"name": "you", "x": 1}})  # fmt: skip
    message = await sent(api, template_id="hello", subject=None, text_body=None,
                         template_data={"name": "A&B"})  # fmt: skip
    assert message["Subject"] == "Dear A&B"
    text, html = (part.get_content().strip() for part in message.iter_parts())
    assert (text, html) == ("A&B 1", "<p>A&amp;B 1</p>")
    message = await sent(api, template_id="hello", template_data='{"name": "C"}')
    assert message["Subject"] == "Dear C"
    got = await api.refused("email/send", {**LETTER, "template_id": "none-there"})
    assert got == (400, "API_EXCEPTION", "")
    crlf = {"name": "a\r\nBcc: x@y.test"}
    got = await api.refused("email/send", {**LETTER, "template_id": "hello", "template_data": crlf})
    assert got == (400, "NON_VALIDATING_IN_PAYLOAD", "subject")


# --- MIME and batches --------------------------------------------------------------------------

RAW = (
    'From: Ann <ann@inbox.test>\nTo: Bob <bob@inbox.test>, "C, D" <carl@inbox.test>\n'
    "Bcc: dora@inbox.test\nSubject: =?utf-8?q?gr=C3=BCn?=\n\nBody\n"
)


@pytest.mark.parametrize("text", [base64.b64encode(RAW.encode()).decode(), RAW])
async def test_a_written_message_is_sent_as_it_is(api: Api, text: str) -> None:
    data = await api.data("email/mime", {"mime_email": text})
    assert data["succeeded"] == 1
    await api.deliver()
    for name in ("bob", "carl", "dora"):
        (raw,) = await api.received(f"{name}@inbox.test")
        message = parsed(raw)
        assert message["Bcc"] is None
        assert message["Subject"] == "grün"
        assert message["Message-ID"]


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (RAW.replace("ann@inbox.test", "ann@else.example"), 400, "API_EXCEPTION"),
        (RAW.replace("Subject", "Sender: eve@else.example\nSubject"), 400, "API_EXCEPTION"),
        ("Subject: x\n\nno sender", 400, "NON_VALIDATING_IN_PAYLOAD"),
        ("From: ann@inbox.test\n\nnobody", 400, "NON_VALIDATING_IN_PAYLOAD"),
        ("From: ann@inbox.test\nFrom: b@inbox.test\nTo: c@inbox.test\n\nx", 400,
         "NON_VALIDATING_IN_PAYLOAD"),
    ],
)  # fmt: skip
async def test_a_written_message_is_judged(api: Api, raw: str, status: int, code: str) -> None:
    encoded = base64.b64encode(raw.encode()).decode()
    assert (await api.refused("email/mime", {"mime_email": encoded}))[:2] == (status, code)


@pytest.mark.parametrize(
    "field",
    [
        "To: =?utf-8?q?M=C3=BCller=2C_J=C3=B6rg?= <bob@inbox.test>, carl@inbox.test",
        "To: =?utf-8?q?eve=40else=2Eexample=2C?= <bob@inbox.test>\nCc: carl@inbox.test",
        "To: friends: bob@inbox.test, carl@inbox.test;",
        "To: bob@inbox.test (Smith, J), Carl <carl@inbox.test> (at home)",
        'To: "B, (b" <bob@inbox.test>, "a:b \\" c" <carl@inbox.test>, nobody: ;',
        "To: " + ",\n ".join(f"{'N' * 150} <{name}@inbox.test>" for name in
                             [*(f"p{n}" for n in range(97)), "bob", "carl"]),
    ],
    ids=["comma in a word", "address in a word", "group", "comments", "quoted", "long"],
)  # fmt: skip
async def test_whoever_a_written_message_names_gets_it(api: Api, field: str) -> None:
    """RFC 5322 §3.4; encoded words are no structure (RFC 2047 §6.2)."""
    raw = f"From: ann@inbox.test\n{field}\nSubject: x\n\nBody\n"
    await api.data("email/mime", {"mime_email": raw})
    (event,) = (await api.data("activity/search", {"event_types": ["processed"]}))["events"]
    assert event["recipients"][-2:] == ["bob@inbox.test", "carl@inbox.test"]
    assert len(event["recipients"]) == (99 if "p96" in field else 2)


@pytest.mark.parametrize("text", ['"' + '\\"' * 50_000, "(" * 100_000, '"\\' * 30_000])
def test_a_list_of_mailboxes_is_divided_in_one_go(text: str) -> None:
    """Hazard 28: what is never closed is not looked for again at each of its characters."""
    assert len(divided(text)) == 1
    assert people_in("to", [text], count=False) == []


async def test_a_batch_answers_in_order_and_one_fails_alone(api: Api) -> None:
    wrong = {**LETTER, "to": []}
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    data = await api.data(
        "email/batch",
        {"emails": [LETTER, wrong, {**LETTER, "sender": "x@else.example"}, 5,
                    {**LETTER, "schedule": soon}, LETTER]},
    )  # fmt: skip
    assert [sorted(one) for one in data] == [
        ["email_id"],
        ["error", "error_code", "field_validation_errors"],
        ["error", "error_code"],
        ["error", "error_code", "field_validation_errors"],
        ["schedule_id"],
        ["email_id"],
    ]
    assert data[1]["field_validation_errors"]["fieldname"] == "to"
    await api.deliver()
    assert len(await api.received()) == 2


@pytest.mark.parametrize("emails", [None, [], [LETTER] * 1001, "x"])
async def test_a_batch_has_one_to_a_thousand(api: Api, emails: Any) -> None:
    got = await api.refused("email/batch", {"emails": emails})
    assert got == (400, "NON_VALIDATING_IN_PAYLOAD", "emails")


# --- Scheduled mail ----------------------------------------------------------------------------


def later(**gap: float) -> datetime:
    return datetime.now(UTC) + timedelta(**gap)


@pytest.mark.parametrize(
    "write",
    [
        lambda when: when.strftime("%Y-%m-%d %H:%M:%S +0000"),
        lambda when: when.strftime("%Y-%m-%dT%H:%M:%SZ"),
        lambda when: when.strftime("%d %b %y %H:%M UTC"),
        lambda when: int(when.timestamp()),
    ],
)
async def test_scheduled_mail_waits_is_found_and_taken_back(api: Api, write: Any) -> None:
    data = await api.data("email/send", {**LETTER, "schedule": write(later(hours=2))})
    assert data["schedule_id"]
    await api.deliver()
    assert await api.received() == []
    (found,) = await api.data("email/scheduled/search", {"search": "hello"})
    assert found["schedule_id"] == data["schedule_id"]
    assert found["recipients"] == "Bob <bob@inbox.test>"
    assert found["sender"] == "Ann <ann@inbox.test>"
    for nothing in ({"search_sender": "zoe"}, {"search_recipient": "zoe"}, {"page": 2},
                    {"search_subject": "zoe"}, {"search": "zoe"}):  # fmt: skip
        assert await api.data("email/scheduled/search", nothing) == []
    text = await api.data("email/scheduled/remove", {"schedule_id": data["schedule_id"]})
    assert text == f"Successfully removed scheduled email '{data['schedule_id']}'"
    assert await api.data("email/scheduled/search") == []
    got = await api.refused("email/scheduled/remove", {"schedule_id": data["schedule_id"]})
    assert got == (400, "API_EXCEPTION", "")
    (row,) = (await api.data("email/search"))["emails"]
    assert row["status"] == "cancelled"


async def test_scheduled_mail_goes_out_when_its_time_has_come(api: Api) -> None:
    data = await api.data("email/send", {**LETTER, "schedule": later(seconds=1).isoformat()})
    async with asyncio.timeout(30):
        while not (received := await api.received()):
            await api.deliver()
            await asyncio.sleep(0.05)
    assert parsed(received[0])["X-Smtp2go-Schedule-Id"] == data["schedule_id"]


async def test_an_operator_who_retries_everything_sends_nothing_before_its_time(api: Api) -> None:
    from mailbox_service.services.clock import now_micros
    from mailbox_service.storage import send_queue

    await api.data("email/send", {**LETTER, "schedule": later(hours=2).isoformat()})
    await api.site.parts.database.write(send_queue.retry_all, now=now_micros(), limit=100)
    await api.deliver()
    assert await api.received() == []


async def test_the_number_of_scheduled_mails_is_bounded(tmp_path: Path) -> None:
    async with serving_api(tmp_path, sending_scheduled=1) as api:
        scheduled = {**LETTER, "schedule": later(hours=1).isoformat()}
        await api.data("email/send", scheduled)
        assert await api.refused("email/send", scheduled) == (402, "API_EXCEPTION", "")


@pytest.mark.parametrize("gap", [{"days": 3, "minutes": 5}, {"minutes": -5}])
async def test_a_time_is_within_three_days(api: Api, gap: dict[str, float]) -> None:
    got = await api.refused("email/send", {**LETTER, "schedule": later(**gap).isoformat()})
    assert got == (400, "NON_VALIDATING_IN_PAYLOAD", "schedule")


# --- Searches ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        ({}, 3),
        ({"sender": "ann"}, 3),
        ({"recipient": "bob@inbox.test"}, 2),
        ({"subject": "Second"}, 1),
        ({"subject": "second"}, 0),
        ({"subject": "second", "ignore_case": True}, 1),
        ({"status": "delivered"}, 2),
        ({"status": "sent"}, 2),
        ({"status": "dropped"}, 1),
        ({"event": "reject"}, 1),
        ({"event": "delivered"}, 2),
        ({"event": "processed"}, 3),
        ({"event": "spam"}, 0),
        ({"limit": 2}, 2),
        ({"limit": 2, "offset": 2}, 1),
        ({"username": "nobody"}, 0),
        ({"email_id": "000000-00000000000-0000"}, 0),
        ({"opened_only": True}, 0),
        ({"start_date": "2020-01-01", "end_date": "2020-01-02"}, 0),
        ({"date_start": "2020-01-01", "date_end": "2020-01-02"}, 0),
        ({"date_start": "2020-01-01"}, 3),
        ({"filter_query": "subject:Second"}, 1),
        ({"filter_query": "recipient:bob* AND NOT subject:'Second'"}, 1),
        ({"filter_query": "(subject:Second OR status:rejected) sender:'ann@inbox.test'"}, 2),
        ({"filter_query": "headers:'X-A: 1'"}, 1),
        ({"filter_query": "sent_ts:[2020-01-01 TO *]"}, 3),
    ],
)
async def test_email_search_finds(api: Api, fields: dict[str, Any], number: int) -> None:
    await api.data("suppression/add", {"email_address": "eve@inbox.test"})
    await api.send()
    await api.send(subject="Second", custom_headers={"X-A": "1"})
    await api.send(to=["eve@inbox.test"])
    await api.deliver()
    found = await api.data("email/search", fields)
    assert found["count"] == len(found["emails"]) == number


@pytest.mark.parametrize(
    ("fields", "subjects", "total", "counts"),
    [
        ({}, ["c", "a", "b"], 3, {"processed": 3}),
        ({"limit": 1}, ["c"], 3, {"processed": 3}),
        ({"limit": 1, "sort_order": "asc"}, ["b"], 3, {"processed": 3}),
        ({"limit": 2, "offset": 1, "sort_order": "asc"}, ["a", "c"], 3, {"processed": 3}),
        ({"sort_by": "subject", "sort_order": "asc"}, ["a", "b", "c"], 3, {"processed": 3}),
        ({"sort_by": "subject", "sort_order": "desc", "limit": 2}, ["c", "b"], 3, {"processed": 3}),
        ({"subject": "a"}, ["a"], 1, {"processed": 1}),
        ({"subject": "nothing"}, [], 0, {}),
    ],
)
async def test_email_search_orders_and_counts_all_that_fits(
    api: Api, fields: dict[str, Any], subjects: list[str], total: int, counts: dict[str, int]
) -> None:
    """Whatever the page, `total` and `status_counts` are about everything (§1.6, §2.7)."""
    for subject in ("b", "a", "c"):
        await api.send(subject=subject)
    found = await api.data("email/search", {**fields, "status_counts": True})
    assert [one["subject"] for one in found["emails"]] == subjects
    assert (found["total"], found["status_counts"]) == (total, counts)


async def test_email_search_knows_events_that_come_later(api: Api) -> None:
    """A connector's `event` is what happened to a mail, not only its state in the queue (§2.7)."""
    (key,) = await api.data("api_keys/add", {"endpoints": ["*"], "open_tracking_enabled": True})
    tracking = Api(api.site, key["api_key"])
    await tracking.send(html_body="<html><body>x</body></html>")
    await tracking.send(subject="Other")
    await tracking.deliver()
    contents = b"".join(await api.received())
    html = contents.replace(b"=\r\n", b"").replace(b"=3D", b"=")
    opened = re.search(rb'img src="[^"]*(/t/o/[^"]+)"', html)
    assert opened is not None
    await api.site.http.get(opened[1].decode())
    for fields in ({"event": "open"}, {"event": "opened"}, {"status": "opened"}):
        (found,) = (await api.data("email/search", fields))["emails"]
        assert (found["subject"], found["status"]) == ("Hello", "delivered")
        assert found["total_opens"] == 1
    got = await api.refused("email/search", {"event": "exploded"})
    assert got == (400, "NON_VALIDATING_IN_PAYLOAD", "event")


@pytest.mark.parametrize("path", ["email/search", "email/scheduled/search", "archive/search"])
async def test_a_page_has_at_least_one_row(api: Api, path: str) -> None:
    assert await api.refused(path, {"limit": 0}) == (400, "NON_VALIDATING_IN_PAYLOAD", "limit")


@pytest.mark.parametrize("query", ["(", "a AND", "OR", "nofield:'x'", "x" * 3_000, "'"])
async def test_a_query_that_makes_no_sense_is_400(api: Api, query: str) -> None:
    """Hazard 46."""
    got = await api.refused("email/search", {"filter_query": query})
    assert got == (400, "NON_VALIDATING_IN_PAYLOAD", "filter_query")


async def test_a_connectors_last_day_is_part_of_the_range(api: Api) -> None:
    """sending-api §1.6: the official one ends before it."""
    await api.send()
    yesterday, today, tomorrow = (
        (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%d") for days in (-1, 0, 1)
    )
    for fields, number in (
        ({"date_start": today, "date_end": today}, 1),
        ({"start_date": today, "end_date": today}, 0),
        ({"start_date": today, "end_date": tomorrow}, 1),
        ({"date_start": yesterday, "date_end": today + " 00:00:00"}, 0),
    ):
        assert (await api.data("email/search", fields))["total"] == number, fields
        assert (await api.data("activity/search", fields))["total"] == number, fields
    found = await api.data("activity/search", {"search": {"date_from": today, "date_to": today}})
    assert found["total"] == 1


async def test_email_search_pages_by_its_token(api: Api) -> None:
    for _ in range(3):
        await api.send()
    seen, token = [], None
    for _ in range(3):
        page = await api.data("email/search", {"limit": 1, "continue_token": token,
                                               "status_counts": True})  # fmt: skip
        seen += [one["email_id"] for one in page["emails"]]
        token = page["continue_token"]
    assert len(set(seen)) == 3
    assert token is None
    assert page["status_counts"] == {"processed": 3}


async def test_an_archived_message_can_be_had_again(api: Api) -> None:
    (key,) = await api.data("api_keys/add", {"endpoints": ["*"], "archive_enabled": True})
    archiving = Api(api.site, key["api_key"])
    file = {"filename": "a.txt", "fileblob": GIF}
    email_id = await archiving.send(attachments=[file])
    await api.send(subject="not kept")
    found = await api.data("archive/search", {"subject": "hello"})
    assert (found["email_count"], found["total"], found["continue_token"]) == (1, 1, None)
    one = await api.data("archive/email", {"email_id": email_id})
    assert found["emails"][0] == {**one, "url": found["emails"][0]["url"]}
    assert (one["attachment_count"], one["attachments"]) == (1, ["a.txt"])
    assert one["envelope_from"] == "ann@inbox.test"
    path = "/archive/" + one["url"].partition("/archive/")[2]
    got = await api.site.http.get(path)
    assert got.status_code == 200
    assert parsed(got.content)["Subject"] == "Hello"
    assert (await api.site.http.get(path[:-1] + "x")).status_code == 404
    assert await api.data("archive/search", {"subject": "zoe"}) == {
        "email_count": 0, "emails": [], "continue_token": None, "total": 0}  # fmt: skip
    assert (await api.refused("archive/email", {"email_id": "x"}))[0] == 400

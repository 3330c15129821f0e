"""Activity, statistics and webhooks (sending-api §3, §6, §10; acceptance 7)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.utils import getaddresses, parseaddr
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from mailbox_service.core.sending_retries import AFTER, next_try
from mailbox_service.core.webhook import HttpAnswer
from mailbox_service.storage import sending_events, suppressions, webhooks
from tests.nexthop import NextHop, running
from tests.web.sending.conftest import LETTER, Api, serving_api
from tests.webhook_receiver import Receiver, answer

pytestmark = pytest.mark.anyio

EVENT_KEYS = {
    *("from", "recipient", "subaccount_name", "email_id", "date", "event", "recipients"),
    *("subject", "username", "reply_to", "sender", "sender_full", "to", "cc", "bcc"),
    *("smtp_response", "reason", "host", "originating_host", "error", "email_client"),
    *("metadata", "outbound_ip", "byte_size", "headers", "custom_headers"),
}


async def three_letters(api: Api) -> list[str]:
    """One delivered, one to a suppressed address, one still on its way."""
    await api.data("suppression/add", {"email_address": "eve@inbox.test"})
    first = await api.send(custom_headers={"X-Tag": "blue"})
    await api.deliver()
    second = await api.send(to=["eve@inbox.test"], subject="Second")
    third = await api.send(sender="zoe@second.test", subject="Third")
    return [first, second, third]


SEARCHES: list[tuple[dict[str, Any], int]] = [
    ({}, 5),
    ({"search": "second"}, 3),
    ({"search": "eve|zoe"}, 3),
    ({"search_subject": "HELLO"}, 2),
    ({"search_sender": "zoe"}, 1),
    ({"search_recipient": "eve@"}, 2),
    ({"search_usernames": ["nobody"]}, 0),
    ({"event_types": ["processed"]}, 3),
    ({"event_types": ["delivered", "rejected"]}, 2),
    ({"event_types": "reject"}, 1),
    ({"event_types": ["bounce", "open", "click", "unsubscribe", "resubscribe", "spam"]}, 0),
    ({"only_latest": True}, 3),
    ({"only_latest_by_sent": True}, 3),
    ({"limit": 2}, 2),
    ({"limit": 2, "offset": 4}, 1),
    ({"limit": 5_000}, 5),
    ({"start_date": "2020-01-01", "end_date": "2020-02-01"}, 0),
    ({"start_date": "2020-01-01"}, 5),
    ({"region": "eu"}, 5),
    ({"search": {"event": "delivered"}}, 1),
    ({"search": {"events": ["delivered"], "recipient": "bob"}}, 1),
    ({"search": {"event_type": "rejected", "to": "eve"}}, 1),
    ({"search": {"from": "zoe"}}, 1),
    ({"search": {"sender": "zoe"}}, 1),
    ({"search": {"subject": "second"}}, 2),
    ({"search": {"date_start": "2020-01-01", "date_end": "2020-02-01"}}, 0),
    ({"search": {"date_from": "2020-01-01"}}, 5),
    ({"search": {"username": "nobody"}}, 0),
]


@pytest.mark.parametrize(("fields", "number"), SEARCHES)
async def test_events_are_searched(api: Api, fields: dict[str, Any], number: int) -> None:
    await three_letters(api)
    found = await api.data("activity/search", fields)
    assert len(found["events"]) == number
    for event in found["events"]:
        assert set(event) >= EVENT_KEYS


async def test_events_say_what_happened(api: Api) -> None:
    first, *_ = await three_letters(api)
    for name in ({"search_email_id": first}, {"search": {"email_id": first}},
                 {"search": {"message_id": first}}):  # fmt: skip
        found = await api.data("activity/search", {**name, "custom_headers": ["x-tag"],
                                                   "include_headers": True})  # fmt: skip
        assert [one["event"] for one in found["events"]] == ["delivered", "processed"]
    delivered, processed = found["events"]
    assert delivered["smtp_response"].startswith("250 ")
    assert delivered["custom_headers"] == {"x-tag": "blue"}
    assert "X-Tag: blue" in delivered["headers"]
    assert delivered["sender_full"] == "Ann <ann@inbox.test>"
    assert delivered["subaccount_name"] == "Master account"
    (tried,) = processed["delivery_attempts"]
    assert set(tried) == {"smtptime", "host", "smtpresponse"}
    assert (tried["host"], tried["smtpresponse"]) == ("inbox.test", delivered["smtp_response"])
    assert processed["originating_host"] == "127.0.0.1"
    assert processed["byte_size"] > 0


async def test_events_page_to_the_end(api: Api) -> None:
    await three_letters(api)
    seen, token = [], None
    while True:
        page = await api.data("activity/search", {"limit": 2, "continue_token": token})
        assert page["total_events"] == 5
        seen += page["events"]
        token = page["continue_token"]
        if token is None:
            break
    assert len(seen) == 5


@pytest.mark.parametrize("sought", ["über ÄRGER", "Über Ärger", "ÜBER", "äRG"])
async def test_subjects_are_found_in_either_case(api: Api, sought: str) -> None:
    await api.send(subject="Über Ärger im Büro")
    await api.send(subject="Uber")
    for name in ("search", "search_subject"):
        assert (await api.data("activity/search", {name: sought}))["total_events"] == 1


@pytest.mark.parametrize(
    ("path", "field"),
    [
        *[("activity/search", name) for name in
          ("search", "search_subject", "search_sender", "search_recipient")],
        *[("stats/email_bounces", name) for name in ("email", "sender")],
        *[("suppression/view", name) for name in ("wildcard", "reason")],
    ],
)  # fmt: skip
async def test_what_is_longer_than_everything_is_not_found(api: Api, path: str, field: str) -> None:
    await api.send()
    await api.data("suppression/add", {"email_address": "eve@inbox.test"})
    found = await api.data(path, {field: "ü_" * 30_000})
    assert found["total"] == 0


@pytest.mark.parametrize(
    ("path", "rows"), [("activity/search", "events"), ("email/search", "emails")]
)
async def test_what_is_new_moves_no_row_of_the_next_page(api: Api, path: str, rows: str) -> None:
    sent = [await api.send(subject=str(number)) for number in range(4)]
    seen: list[str] = []
    token = ""
    while token is not None:
        page = await api.data(path, {"limit": 1, "continue_token": token})
        seen += [one["email_id"] for one in page[rows]]
        token = page["continue_token"]
        await api.send()
    assert seen == sent[::-1]


async def test_an_unknown_event_type_is_named(api: Api) -> None:
    got = await api.refused("activity/search", {"event_types": ["exploded"]})
    assert got == (400, "NON_VALIDATING_IN_PAYLOAD", "event_types")


# --- Statistics --------------------------------------------------------------------------------


async def test_numbers_add_up(api: Api) -> None:
    await three_letters(api)
    assert await api.data("stats/email_bounces") == {
        "emails": 3, "rejects": 1, "softbounces": 0, "hardbounces": 0,
        "bounce_percent": "0.00"}  # fmt: skip
    assert await api.data("stats/email_spam") == {
        "emails": 3, "rejects": 1, "spams": 0, "spam_percent": "0.00"}  # fmt: skip
    assert await api.data("stats/email_unsubs") == {
        "emails": 3, "rejects": 1, "unsubscribes": 0, "unsubscribe_percent": "0.00"}  # fmt: skip
    cycle = await api.data("stats/email_cycle")
    assert set(cycle) == {"cycle_start", "cycle_end", "cycle_used", "cycle_remaining",
                          "cycle_max"}  # fmt: skip
    assert (cycle["cycle_used"], cycle["cycle_max"]) == (3, 1_000_000_000)
    assert cycle["cycle_start"].endswith("-01 00:00:00+00:00")
    summary = await api.data("stats/email_summary", {"username": api.key[:16]})
    assert (summary["email_count"], summary["rejects"]) == (3, 1)
    assert (await api.data("stats/email_summary", {"username": "nobody"}))["email_count"] == 0
    assert set(summary) == {*cycle, "email_count", "bounce_rejects", "softbounces",
        "hardbounces", "bounce_percent", "spam_rejects", "spam_emails", "spam_percent",
        "unsubscribes", "unsubscribe_percent", "opens", "clicks", "rejects"}  # fmt: skip


async def test_a_bounce_counts_and_has_its_record(api: Api) -> None:
    await api.site.parts.administering.change(
        {"email_rule_settings": {"blockReceiveUnknowAddressEmail": True}}
    )
    await api.send(to=["nobody@inbox.test"])
    await api.deliver()
    data = await api.data("stats/email_bounces")
    assert (data["hardbounces"], data["bounce_percent"]) == (1, "100.00")
    for fields in ({"date_start": "2020-01-01", "date_end": "2099-01-01"}, {"limit": 5},
                   {"email": "nobody@inbox.test", "sort_field": "date_bounced"}):  # fmt: skip
        data = await api.data("stats/email_bounces", fields)
        (record,) = data["records"]
        assert (record["email_address"], record["bounce"]) == ("nobody@inbox.test", "hard")
        assert (data["total"], data["hardbounces"]) == (1, 1)
    nothing = {"date_start": "2020-01-01", "date_end": "2020-01-01"}
    assert (await api.data("stats/email_bounces", nothing))["records"] == []


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("stats/email_cycle", {"date_from": "2020-01-01", "date_to": "2099-01-01"}),
        ("stats/email_cycle", {"group_by": "week"}),
        ("stats/email_cycle", {"grouping": "month", "limit": 5, "offset": 0}),
        ("stats/email_spam", {"date_start": "2020-01-01", "date_end": "2099-01-01"}),
        ("stats/email_spam", {"recipient": "x", "transaction_id": "y", "sender": "z"}),
        ("stats/email_unsubs", {"email_address": "x", "result_limit": 5, "result_offset": 0}),
    ],
)
async def test_a_connector_gets_records_beside_the_numbers(
    api: Api, path: str, fields: dict[str, Any]
) -> None:
    await three_letters(api)
    data = await api.data(path, fields)
    assert isinstance(data["records"], list)
    assert data["total"] == len(data["records"])
    if path == "stats/email_cycle":
        (period,) = data["records"]
        assert (period["emails"], period["delivered"], period["rejects"]) == (3, 1, 1)


@pytest.mark.parametrize(
    ("fields", "key", "rows"),
    [
        ({}, "email_address", {"ann@inbox.test": 2, "zoe@second.test": 1}),
        ({"group_by": "domain"}, "domain", {"inbox.test": 2, "second.test": 1}),
        ({"group_by": "username"}, "username", {"": 3}),
        ({"group_by": "subaccount"}, "subaccount", {"Master account": 3}),
        ({"sender": "zoe@second.test"}, "email_address", {"zoe@second.test": 1}),
        ({"start_date": "2020-01-01", "end_date": "2020-02-01"}, "email_address", {}),
        ({"date_start": "2020-01-01", "date_end": "2099-01-01", "limit": 1}, "email_address",
         {"ann@inbox.test": 2}),
    ],
)  # fmt: skip
async def test_history_groups(
    api: Api, fields: dict[str, Any], key: str, rows: dict[str, int]
) -> None:
    await three_letters(api)
    data = await api.data("stats/email_history", fields)
    found = {one[key]: one["used"] for one in data["history"]}
    if key == "username":
        found = {"": sum(found.values())}
        assert data["history"][0]["description"] == "tests"
    assert found == rows
    for one in data["history"]:
        assert isinstance(one["bounce_percent"], float)
        assert {"bytecount", "avgsize", "lastip", "reject_percent"} <= set(one)
    assert isinstance(data["reject_percent_total"], float)


@pytest.mark.parametrize(
    ("group", "rows"),
    [
        ("email_address", {"ann@inbox.test": 1, "zoe@second.test": 1}),
        ("domain", {"inbox.test": 1, "second.test": 1}),
        ("subaccount", {"Master account": 2}),
    ],
)
async def test_history_of_one_recipient_has_the_groups_and_octets_too(
    api: Api, group: str, rows: dict[str, int]
) -> None:
    """A connector's `email` is the recipient, a row's `email_address` the sender (§10)."""
    await three_letters(api)
    data = await api.data("stats/email_history", {"email": "bob@inbox.test", "group_by": group})
    assert {one[group]: one["used"] for one in data["history"]} == rows
    for one in data["history"]:
        assert one["bytecount"] >= one["avgsize"] > 0
        assert one["lastip"] == "127.0.0.1"
    nobody = {"email": "nobody@inbox.test", "group_by": group}
    assert (await api.data("stats/email_history", nobody))["history"] == []


async def test_a_summary_says_why_recipients_were_left_out(api: Api) -> None:
    """sending-api §10: what bounces and complaints of before held back."""
    for target, reason in (("bob", "bounce"), ("eve", "spam"), ("zoe", "manual")):
        await api.site.parts.database.write(
            suppressions.put, account="", target=f"{target}@inbox.test", reason=reason, now=1
        )
    await api.send(to=["bob@inbox.test", "eve@inbox.test", "zoe@inbox.test"])
    await api.send(to=["bob@inbox.test"])
    summary = await api.data("stats/email_summary")
    assert (summary["bounce_rejects"], summary["spam_rejects"], summary["rejects"]) == (2, 1, 4)
    nobody = await api.data("stats/email_summary", {"username": "nobody"})
    assert (nobody["bounce_rejects"], nobody["spam_rejects"]) == (0, 0)


async def test_a_message_counts_for_each_of_its_recipients(api: Api) -> None:
    """A connector's `email` finds those in copy too, whose message was taken once (§10)."""
    await api.send(to=["bob@inbox.test"], cc=["Zoe <zoe@inbox.test>"], bcc=["eve@inbox.test"])
    await api.send(to=["bob@inbox.test"])
    for email, number in (("bob", 2), ("zoe", 1), ("eve", 1), ("oe", 0)):
        fields = {"email": f"{email}@inbox.test"}
        assert (await api.data("stats/email_history", fields))["count"] == number, email
    assert (await api.data("stats/email_bounces", {"email": "zoe@inbox.test"}))["emails"] == 1


async def test_a_domain_below_a_verified_one_is_verified(api: Api) -> None:
    await api.send(sender="ann@news.inbox.test")
    (row,) = (await api.data("stats/email_history", {"group_by": "domain"}))["history"]
    assert (row["domain"], row["domain_verified"]) == ("news.inbox.test", True)


async def test_what_a_subaccount_sent_bears_its_name(api: Api) -> None:
    sub = await api.data("subaccount/add", {"fullname": "A customer"})
    await api.data("domain/add", {"domain": "inbox.test"})
    await api.data("domain/subaccount_access", {"domain": "inbox.test", "subaccounts": [sub["id"]],
                                                "future_subaccounts": False})  # fmt: skip
    await api.send(subaccount_id=sub["id"])
    await api.send()
    found = await api.data("activity/search", {"subaccounts": [sub["id"]]})
    assert [one["subaccount_name"] for one in found["events"]] == ["A customer"]
    found = await api.data("activity/search", {})
    assert [one["subaccount_name"] for one in found["events"]] == ["Master account"]


@pytest.mark.parametrize(
    ("start", "end", "used"),
    [(-2, -1, 0), (-1, 1, 3), (-1, None, 3), (1, None, 0), (1, 2, 0), (-60, 60, 3), (-60, -30, 0)],
)
@pytest.mark.parametrize("group", ["email_address", "username", "domain", "subaccount"])
async def test_history_of_hours_counts_no_whole_days(
    api: Api, start: int, end: int | None, used: int, group: str
) -> None:
    await three_letters(api)
    now = datetime.now(UTC)
    fields = {"start_date": (now + timedelta(hours=start)).isoformat(), "group_by": group}
    if end is not None:
        fields["end_date"] = (now + timedelta(hours=end)).isoformat()
    data = await api.data("stats/email_history", fields)
    assert sum(one["used"] for one in data["history"]) == data["count"] == used
    if used and group == "email_address":
        assert [(one["email_address"], one["used"]) for one in data["history"]] == [
            ("ann@inbox.test", 2),
            ("zoe@second.test", 1),
        ]
        zoe = await api.data("stats/email_history", {**fields, "sender": "zoe@second.test"})
        assert zoe["count"] == 1


async def test_history_of_whole_days_reads_sums_alone(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million events are too many to be counted anew."""
    await three_letters(api)
    monkeypatch.delattr(sending_events, "sums_of_events")
    today = datetime.now(UTC).date().isoformat()
    for fields in ({}, {"start_date": today}, {"end_date": "2100-01-01"}):
        assert (await api.data("stats/email_history", fields))["count"] == 3


async def test_who_came_back_is_no_sender(api: Api) -> None:
    await api.send()
    await api.data("suppression/add", {"email_address": "bob@inbox.test"})
    await api.data("suppression/remove", {"email_address": "bob@inbox.test"})
    data = await api.data("stats/email_history", {"email": "bob@inbox.test"})
    assert [one["email_address"] for one in data["history"]] == ["ann@inbox.test"]


async def test_a_wrong_group_is_named(api: Api) -> None:
    for path in ("stats/email_history", "stats/email_cycle"):
        assert (await api.refused(path, {"group_by": "mood"}))[2] == "group_by"


# --- Webhooks ----------------------------------------------------------------------------------

HOOK = {"url": "https://h.example/x", "events": ["delivered", "bounce"]}


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        (HOOK, {"url": HOOK["url"], "events": HOOK["events"], "output_format": "form"}),
        ({"webhook_url": HOOK["url"], "events": ["open"], "name": "n"},
         {"url": HOOK["url"], "name": "n"}),
        ({**HOOK, "output": "json"}, {"output_format": "json"}),
        ({**HOOK, "output_type": "json"}, {"output_format": "json"}),
        ({**HOOK, "headers": "X-Tag", "usernames": "u"}, {"headers": ["X-Tag"],
                                                          "usernames": ["u"]}),
        ({**HOOK, "email_headers": ["X-Tag"], "users": ["u"]}, {"headers": ["X-Tag"],
                                                                "usernames": ["u"]}),
        ({"url": HOOK["url"], "email_events": ["spam_complaint", "opened", "nonsense"]},
         {"events": ["spam", "open"]}),
        ({"url": HOOK["url"], "sms_events": ["delivered", "opt-out"]},
         {"events": [], "sms_events": ["delivered", "opt-out"]}),
        ({**HOOK, "authorization_header": "Bearer abc"},
         {"auth_header_type": "bearer", "auth_header_value": "abc"}),
        ({**HOOK, "authorization_header": "Token abc"},
         {"auth_header_type": "", "auth_header_value": "Token abc"}),
    ],
)  # fmt: skip
async def test_webhooks_by_every_name(
    api: Api, fields: dict[str, Any], shown: dict[str, Any]
) -> None:
    """Acceptance 10."""
    added = await api.data("webhook/add", fields)
    assert {name: added[name] for name in shown} == shown
    secret = added.pop("signing_secret")
    assert secret.startswith("whsec_")
    assert await api.data("webhook/view") == [added]
    assert await api.data("webhook/view", {"id": added["id"]}) == [added]
    edited = await api.data("webhook/edit", {"webhook_id": str(added["id"]), "events": "click"})
    assert edited == {**added, "events": ["click"]}
    assert await api.data("webhook/remove", {"webhook_id": added["id"]}) == edited
    assert await api.data("webhook/view") == []
    assert await api.refused("webhook/edit", {"id": added["id"]}) == (400, "API_EXCEPTION", "")


async def test_unknown_events_are_dropped_when_others_are_left(api: Api) -> None:
    """sending-api §6.1: of both vocabularies together."""
    fields = {"url": HOOK["url"], "events": ["nonsense"], "sms_events": ["failed", "nonsense"]}
    added = await api.data("webhook/add", fields)
    assert (added["events"], added["sms_events"]) == ([], ["failed"])


@pytest.mark.parametrize("name", ["usernames", "headers"])
async def test_a_list_of_a_webhook_is_emptied_and_what_is_null_stays(api: Api, name: str) -> None:
    """Empty user names are all of them (sending-api §6.1)."""
    fields = {**HOOK, name: ["x"], "auth_header_type": "bearer", "auth_header_value": "t"}
    added = await api.data("webhook/add", fields)
    del added["signing_secret"]
    kept = {"id": added["id"], name: None, "events": [], "auth_header_type": None}
    assert await api.data("webhook/edit", kept) == added
    emptied = {"id": added["id"], name: [], "auth_header_type": "", "auth_header_value": ""}
    expected = {**added, name: [], "auth_header_type": "", "auth_header_value": ""}
    assert await api.data("webhook/edit", emptied) == expected


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"events": ["open"]}, "url"),
        ({"url": "ftp://x/", "events": ["open"]}, "url"),
        ({"url": "nonsense", "events": ["open"]}, "url"),
        ({"url": HOOK["url"]}, "events"),
        ({"url": HOOK["url"], "events": ["nonsense"]}, "events"),
        ({"url": HOOK["url"], "sms_events": ["nonsense"]}, "sms_events"),
        ({"url": HOOK["url"], "events": ["nonsense"], "sms_events": ["x"]}, "events"),
        ({**HOOK, "output_format": "xml"}, "output_format"),
        ({**HOOK, "auth_header_type": "digest"}, "auth_header_type"),
        ({**HOOK, "auth_header_value": "a\r\nX: y"}, "auth_header_value"),
    ],
)
async def test_what_is_no_webhook_is_refused(api: Api, fields: dict[str, Any], field: str) -> None:
    got = await api.refused("webhook/add", fields)
    assert got == (400, "NON_VALIDATING_IN_PAYLOAD", field)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x", "http://[::1]/x", "http://localhost/x", "http://a.localhost/x",
        "http://169.254.169.254/x", "https://10.0.0.1/x", "http://[::ffff:192.168.0.1]/x",
    ],
)  # fmt: skip
async def test_a_webhook_to_a_private_address_is_refused_at_once(tmp_path: Path, url: str) -> None:
    """Sending-api §6.1, hazard 40; what names lead to is judged at each post."""
    async with serving_api(tmp_path, webhook_private_addresses=False) as api:
        got = await api.refused("webhook/add", {**HOOK, "url": url})
        assert got == (400, "NON_VALIDATING_IN_PAYLOAD", "url")
        hook = await api.data("webhook/add", HOOK)
        got = await api.refused("webhook/edit", {"id": hook["id"], "url": url})
        assert got == (400, "NON_VALIDATING_IN_PAYLOAD", "url")


async def test_webhooks_are_ten_at_most(tmp_path: Path) -> None:
    async with serving_api(tmp_path, sending_webhooks=1) as api:
        await api.data("webhook/add", HOOK)
        assert await api.refused("webhook/add", HOOK) == (402, "API_EXCEPTION", "")


async def report(api: Api) -> None:
    """Let events become posts and posts go out."""
    while await api.site.parts.sending_api.reporting.report():
        pass
    await api.site.parts.notifying.start_some()
    await api.site.parts.notifying.settled()


@pytest.mark.parametrize("output", ["json", "form"])
async def test_a_receiver_is_told(api: Api, receiver: Receiver, output: str) -> None:
    secret = (await api.data("webhook/add", {"url": receiver.url, "output_format": output,
        "events": ["processed", "delivered", "bounce", "reject"], "headers": ["X-Tag"],
        "auth_header_type": "bearer", "auth_header_value": "t0ken"}))["signing_secret"]  # fmt: skip
    email_id = await api.send(to=["bob@inbox.test", "carl@inbox.test"],
                              custom_headers={"X-Tag": "blue"})  # fmt: skip
    await api.deliver()
    await report(api)
    while len(receiver.got) < 3:
        await report(api)
    told = []
    for got in receiver.got:
        assert got.method == "POST"
        assert got.headers["authorization"] == "Bearer t0ken"
        signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode()
        key = base64.b64decode(secret.removeprefix("whsec_"))
        digest = hmac.digest(key, signed + got.body, hashlib.sha256)
        assert got.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
        if output == "json":
            assert got.headers["content-type"] == "application/json"
            told.append(json.loads(got.body))
        else:
            assert got.headers["content-type"] == "application/x-www-form-urlencoded"
            fields = parse_qs(got.text)
            told.append({name: values[0] if name != "recipients" else values
                         for name, values in fields.items()})  # fmt: skip
    assert sorted(one["event"] for one in told) == ["delivered", "delivered", "processed"]
    for one in told:
        assert one["email_id"] == email_id
        assert one["sender"] == one["from_address"] == "ann@inbox.test"
        assert one["recipients"] == ["bob@inbox.test", "carl@inbox.test"]
        assert one["subject"] == one["Subject"] == "Hello"
        assert one["from_name"] == "Ann"
        assert one["auth"] == api.key[:16]
        assert one["X-Tag"] == "blue"
        assert {"time", "sendtime", "rcpt", "id"} <= set(one)
    assert len({one["id"] for one in told}) == 3
    (content,) = await api.received()
    message_id = message_from_bytes(content)["Message-ID"]
    assert (
        {one["message-id"] for one in told} == {one["Message-Id"] for one in told} == {message_id}
    )


async def test_a_message_id_of_the_authors_own_is_told(api: Api, receiver: Receiver) -> None:
    await api.data("webhook/add", {"url": receiver.url, "events": ["processed"],
                                   "output_format": "json"})  # fmt: skip
    await api.send(custom_headers={"Message-ID": "<own@inbox.test>"})
    await report(api)
    await receiver.wait(1)
    assert json.loads(receiver.got[0].body)["message-id"] == "<own@inbox.test>"
    await api.deliver()
    (content,) = await api.received()
    assert message_from_bytes(content)["Message-ID"] == "<own@inbox.test>"


@pytest.mark.parametrize(
    ("recipient", "mail_reply", "context"),
    [
        ("refused@far.test", "250 2.1.0 Ok", "RCPT TO:<refused@far.test>"),
        ("refused-dot@far.test", "250 2.1.0 Ok", "DATA: 554 5.7.1 Looks like spam"),
        ("bob@far.test", "550 5.7.1 Not from you", "Unavailable"),
    ],
)
async def test_a_bounce_tells_where_in_the_dialogue_it_was_said(
    tmp_path: Path, receiver: Receiver, recipient: str, mail_reply: str, context: str
) -> None:
    async with (
        running(NextHop(mail_reply=mail_reply)) as hop,
        serving_api(tmp_path, outbound="relay", relay_url=f"smtp://127.0.0.1:{hop.port}") as api,
    ):
        await api.data("webhook/add", {"url": receiver.url, "events": ["bounce"],
                                       "output_format": "json"})  # fmt: skip
        await api.send(to=[recipient])
        await api.deliver()
        await report(api)
        await receiver.wait(1)
        told = json.loads(receiver.got[0].body)
        assert (told["rcpt"], told["context"]) == (recipient, context)


@pytest.mark.parametrize(
    "name", ["Müller, Jörg", "Shop, Inc.", "A <b@else.example>", "b@else.example", 'a "b" \\ (c)']
)
@pytest.mark.parametrize("path", ["email/send", "email/mime"])
async def test_a_name_is_never_taken_for_an_address(
    api: Api, receiver: Receiver, path: str, name: str
) -> None:
    await api.data("webhook/add", {"url": receiver.url, "events": ["processed"],
                                   "output_format": "json"})  # fmt: skip
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    if path == "email/send":
        await api.send(sender=f'"{quoted}" <ann@inbox.test>', to=[f'"{quoted}" <bob@inbox.test>'],
                       cc=["carl@inbox.test"])  # fmt: skip
    else:
        word = f"=?utf-8?b?{base64.b64encode(name.encode()).decode()}?="
        raw = (f"From: {word} <ann@inbox.test>\nTo: {word} <bob@inbox.test>\n"
               "Cc: carl@inbox.test\nSubject: x\n\nx")  # fmt: skip
        await api.data(path, {"mime_email": raw})
    await report(api)
    await receiver.wait(1)
    told = json.loads(receiver.got[0].body)
    (event,) = (await api.data("activity/search", {}))["events"]
    assert told["recipients"] == event["recipients"] == ["bob@inbox.test", "carl@inbox.test"]
    assert told["from_name"] == name
    assert parseaddr(told["from"]) == parseaddr(event["sender_full"]) == (name, "ann@inbox.test")
    assert getaddresses([event["to"], event["cc"]]) == [
        (name, "bob@inbox.test"),
        ("", "carl@inbox.test"),
    ]


async def test_a_webhook_hears_only_what_it_asked_for(api: Api, receiver: Receiver) -> None:
    await api.data("webhook/add", {"url": receiver.url, "events": ["reject"],
                                   "usernames": ["somebody"]})  # fmt: skip
    await api.data("webhook/add", {"url": receiver.url, "events": ["delivered"]})
    await api.send()
    await report(api)
    assert receiver.got == []
    await api.deliver()
    await report(api)
    assert len(receiver.got) == 1


async def test_a_refused_post_comes_again_with_the_same_id(api: Api, receiver: Receiver) -> None:
    receiver.answers = [answer(500, "No"), answer(302, "Found", b"", "Location: /x\r\n")]
    (hook,) = [await api.data("webhook/add", {"url": receiver.url, "events": ["processed"]})]
    await api.send()
    await report(api)
    notifying, database = api.site.parts.notifying, api.site.parts.database
    for tries in (1, 2):
        (post,) = await database.read(webhooks.list_posts, f"sending:{hook['id']}", limit=10)
        assert (post.state, post.attempts) == ("waiting", tries)
        assert post.next_attempt_at is not None
        notifying._clock = partial(int, post.next_attempt_at)
        await notifying.start_some()
        await notifying.settled()
    assert [got.body for got in receiver.got] == [receiver.got[0].body] * 3
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    (post,) = await database.read(webhooks.list_posts, f"sending:{hook['id']}", limit=10)
    assert post.state == "delivered"


def test_a_post_is_tried_35_times_and_the_last_is_at_48_hours() -> None:
    """Acceptance 7, with a clock of ours."""
    refused = HttpAnswer(500, "No")
    for jitter in (0.0, 0.5, 1.0):
        begin = now = 1_000_000_000
        times: list[int] = []
        while True:
            attempt = len(times) + 1
            due = next_try(refused, attempt=attempt, created_at=begin, now=now, jitter=jitter)
            if due is None:
                break
            times.append(due)
            now = due
        assert len(times) == len(AFTER) == 35
        assert times[-1] - begin == 48 * 3_600 * 1_000_000
        assert times == sorted(set(times))
    assert next_try(HttpAnswer(204, ""), attempt=1, created_at=0, now=0, jitter=0) is None


async def test_removing_a_webhook_takes_back_what_waits(api: Api, receiver: Receiver) -> None:
    receiver.answers = [answer(500, "No")]
    hook = await api.data("webhook/add", {"url": receiver.url, "events": ["processed"]})
    await api.send()
    await report(api)
    await api.data("webhook/remove", {"id": hook["id"]})
    posts = await api.site.parts.database.read(
        webhooks.list_posts, f"sending:{hook['id']}", limit=10
    )
    assert [post for post in posts if post.next_attempt_at is not None] == []


async def test_events_before_a_kill_are_told_after_it(tmp_path: Path, receiver: Receiver) -> None:
    """The cursor and the posts are one transaction: nothing is lost and nothing told twice."""
    async with serving_api(tmp_path) as api:
        await api.data("webhook/add", {"url": receiver.url, "events": ["processed"]})
        await api.data("email/send", LETTER)
        await api.site.parts.sending_api.reporting.report()
    async with serving_api(tmp_path) as api:
        await report(api)
        await report(api)
    assert len(receiver.got) == 1

"""Taking submissions: who may send what, what it costs, and that it happens once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from mailbox_service.core.compose import Attachment, NamedAddress
from mailbox_service.core.envelope import Envelope, Peer, Principal, Receipt
from mailbox_service.core.errors import (
    BadContent,
    BadRequest,
    Conflict,
    FromNotYours,
    MailError,
    MessageTooBig,
    NoChannel,
    NotFound,
    NotYours,
    QuotaReached,
    RecipientBlocked,
    RoutingLoop,
)
from mailbox_service.services.delivering import tidy
from mailbox_service.services.orders import MOST_RECIPIENTS
from mailbox_service.storage import (
    contents,
    idempotency,
    send_counts,
    submissions,
    user_addresses,
    users,
)
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.submissions import NewSubmission
from tests.databases import AnyDatabase
from tests.services.posting import ADMIN, ANN, LETTER, Post, draft

pytestmark = pytest.mark.anyio

BOB = Principal("address", "bob@x.test", 2)


async def refusal(waiting: Any) -> MailError:
    with pytest.raises(MailError) as caught:
        await waiting
    return caught.value


async def test_a_draft_is_queued_with_its_receipt(database: AnyDatabase) -> None:
    post = Post(database)
    record = {"from_name": "Ann", "to_mail": "bob@next.test", "token": "s3cret", "is_html": False}
    receipt = await post.sending.submit_draft(
        ANN, draft("bob@next.test"), record=record, ip="192.0.2.7"
    )
    message = await post.only()
    assert message.submission.queue_id == receipt.queue_id
    assert message.submission.id == receipt.submission_id
    assert message.submission.message_id == receipt.message_id
    assert receipt.message_id == f"<{receipt.queue_id.lower()}@x.test>"
    assert message.submission.subject == "Hello"
    (row,), total = await post.sent.sendbox("ann@x.test", limit=10, offset=0)
    assert total == 1
    assert json.loads(row.record) == {
        "version": "v2",
        "from_name": "Ann",
        "to_mail": "bob@next.test",
        "is_html": False,
        "geoData": {"ip": "192.0.2.7"},
    }
    assert await post.kinds() == ["held"]


async def test_the_order_of_refusals_is_that_of_the_contract(database: AnyDatabase) -> None:
    """Mailbox API §10.2: the first failure wins, and a failure consumes nothing."""
    post = Post(database, default_send_balance=0, send_mail_domains=["y.test"])
    limits = {"dailyEnabled": True, "monthlyEnabled": False, "dailyLimit": 0}
    await post.administering.change(
        {"send_block_list": ["@evil"], "send_mail_limit_config": limits}
    )
    letter = draft("bob@evil.test", subject="", text="")

    async def key_of(one: Any, principal: Principal = ANN, **options: Any) -> str | None:
        return (await refusal(post.sending.submit_draft(principal, one, **options))).message_key

    nobody = replace(letter, sender=NamedAddress(""))
    assert await key_of(nobody) == "AddressNotFoundMsg"
    strange = replace(letter, sender=NamedAddress("a@sub.x.test"))
    assert await key_of(strange, ADMIN) == "InvalidDomainMsg"
    assert await key_of(replace(letter, to=())) == "NoBalanceMsg"
    await post.sending.request_access(ANN)
    (row,), _ = await post.sending.allowances.list(limit=10, offset=0)
    await post.sending.allowances.change(row.id, balance=5, enabled=True)
    assert await key_of(replace(letter, to=())) == "InvalidToMailMsg"
    assert await key_of(replace(letter, to=(NamedAddress("nonsense"),))) == "InvalidToMailMsg"
    assert await key_of(letter) == "AddressBlockedMsg"
    letter = draft("bob@next.test", subject="", text="")
    assert await key_of(letter) == "SubjectEmptyMsg"
    assert await key_of(replace(letter, subject="Hi")) == "ContentEmptyMsg"
    letter = draft("bob@next.test")
    assert await key_of(letter) == "ServerSendMailDailyLimitMsg"
    await post.administering.change({"send_mail_limit_config": {**limits, "dailyLimit": 9}})
    missing = await refusal(post.sending.submit_draft(ANN, letter))
    assert isinstance(missing, NoChannel)
    assert missing.detail == "Please enable resend, smtp or SEND_MAIL for this domain (x.test)"
    assert await post.sending.balance(ANN) == 5, "failures cost nothing"
    day = "day:2026-11-21"
    assert await database.read(send_counts.get, day) == 0
    assert await key_of(letter, ADMIN) == "EnableResendOrSmtpOrSendMailMsg"


async def test_one_message_costs_one_whatever_its_recipients(database: AnyDatabase) -> None:
    post = Post(database, default_send_balance=2)
    assert await post.sending.balance(ANN) == 2
    await post.post("bob@next.test", "eve@next.test", "joe@y.test")
    assert await post.sending.balance(ANN) == 1
    sent = await asyncio.gather(
        *(post.post("bob@next.test") for _ in range(10)), return_exceptions=True
    )
    refused = [one for one in sent if isinstance(one, QuotaReached)]
    assert len(refused) == 9
    assert refused[0].message_key == "NoBalanceMsg"
    assert await post.sending.balance(ANN) == 0
    assert await database.read(submissions.count, "ann@x.test") == 2


async def test_who_needs_no_allowance(database: AnyDatabase) -> None:
    post = Post(database, default_send_balance=0)
    with pytest.raises(QuotaReached):
        await post.post("bob@next.test")
    await post.sending.submit_draft(replace(ANN, unlimited=True), draft("bob@next.test"))
    await post.sending.submit_draft(ADMIN, draft("bob@next.test"))
    await post.sending.submit_draft(ANN, draft("bob@next.test"), charge=False)
    await post.administering.change({"no_limit_send_address_list": ["ann@x.test"]})
    await post.post("bob@next.test")
    assert await post.sending.balance(ANN) == 99_999


async def test_verified_recipients_cost_nothing_but_need_something_left(
    database: AnyDatabase,
) -> None:
    """Mailbox API §10.5, first rule."""
    post = Post(database, default_send_balance=1)
    await post.administering.change({"verified_address_list": ["bob@next.test"]})
    await post.post("bob@next.test")
    await post.post("bob@next.test")
    assert await post.sending.balance(ANN) == 1
    await post.post("bob@next.test", "eve@next.test")
    assert await post.sending.balance(ANN) == 0
    with pytest.raises(QuotaReached):
        await post.post("bob@next.test")


async def test_verified_recipients_are_reached_from_every_domain(database: AnyDatabase) -> None:
    """Mailbox API §10.5: `send_mail_domains` is asked in the last rule, and this is the first."""
    post = Post(database, outbound="direct", send_mail_domains=["y.test"], default_send_balance=5)
    await post.administering.change({"verified_address_list": ["Bob@Next.test"]})
    await post.post("bob@next.test")
    await post.post("BOB@next.test")
    assert await post.sending.balance(ANN) == 5
    for others in (["eve@next.test"], ["bob@next.test", "eve@next.test"]):
        with pytest.raises(NoChannel):
            await post.post(*others)
    assert await post.kinds() == ["queued", "queued"]


async def test_access_is_asked_for_once_and_granted_with_a_note(database: AnyDatabase) -> None:
    post = Post(database, default_send_balance=0)
    await post.sending.request_access(ANN)
    again = await refusal(post.sending.request_access(ANN))
    assert (type(again), again.message_key) == (BadRequest, "AlreadyRequestedMsg")
    assert await post.sending.balance(ANN) == 0
    (row,), _ = await post.sending.allowances.list(limit=10, offset=0, address="ann@x.test")
    assert (row.balance, row.enabled) == (0, False)
    await post.sending.allowances.change(row.id, balance=7, enabled=True)
    assert await post.sending.balance(ANN) == 7
    (note,) = await post.inbox("ann@x.test")
    assert b"Subject: Account Send Access Updated\r\n" in note
    assert note.endswith(b"Your send access has been enabled, balance: 7\r\n")
    with pytest.raises(NotFound):
        await post.sending.allowances.change(999, balance=7, enabled=True)
    await post.sending.allowances.remove(row.id)
    assert await post.sending.balance(ANN) == 0
    giving = Post(database, default_send_balance=3)
    await giving.sending.request_access(ANN)
    await giving.sending.request_access(ANN)
    assert await giving.sending.balance(ANN) == 3


async def test_server_limits_count_only_what_was_sent(database: AnyDatabase) -> None:
    post = Post(database)
    await post.administering.change(
        {
            "send_mail_limit_config": {
                "dailyEnabled": True,
                "monthlyEnabled": True,
                "dailyLimit": 2,
                "monthlyLimit": 3,
            }
        }
    )
    await post.post("bob@next.test")
    await post.post("bob@next.test")
    daily = await refusal(post.post("bob@next.test"))
    assert daily.message_key == "ServerSendMailDailyLimitMsg"
    post.wait(24 * 60)
    await post.post("bob@next.test")
    monthly = await refusal(post.post("bob@next.test"))
    assert monthly.message_key == "ServerSendMailMonthlyLimitMsg"
    assert await post.sending.balance(ANN) == 97


async def account_with(post: Post, role: str, *names: str) -> list[Principal]:
    """Addresses of one account with a role."""
    opened = [
        await post.registering.open_by_admin(
            name=name, domain="x.test", with_prefix=False, random_subdomain=False
        )
        for name in names
    ]

    async def unit(tx: Transaction) -> None:
        user_id = await users.add(
            tx,
            email=f"{role}@home.example",
            password_hash=None,
            role=role,
            user_info=None,
            source="test",
            now=1,
        )
        assert user_id is not None
        for one in opened:
            await user_addresses.bind(tx, user_id=user_id, address_id=one.address_id, now=1)

    await post.database.write(unit)
    return [Principal("address", one.address, one.address_id) for one in opened]


async def send_as(post: Post, sender: Principal) -> Receipt:
    letter = replace(draft("bob@next.test"), sender=NamedAddress(sender.address))
    return await post.sending.submit_draft(sender, letter)


async def test_a_role_limits_what_all_addresses_of_an_account_send(database: AnyDatabase) -> None:
    post = Post(database)
    ann, amy = await account_with(post, "member", "ann", "amy")
    (vip,) = await account_with(post, "vip", "vic")
    nobodys = Principal("address", "zoe@x.test", 99)
    limits = {"member": {"sendLimitDay": 2, "sendLimitMonth": 3}, "vip": {"maxAddressCount": 1}}
    await post.administering.change({"role_address_config": limits})
    await send_as(post, ann)
    await send_as(post, replace(amy, unlimited=True))
    for sender in (ann, amy):
        daily = await refusal(send_as(post, sender))
        assert daily.message_key == "ServerSendMailDailyLimitMsg"
    assert await post.sending.balance(ann) == 99, "what is refused costs nothing"
    for free in (vip, nobodys):
        for _ in range(3):
            await send_as(post, free)
    post.wait(24 * 60)
    await send_as(post, amy)
    for _ in range(2):  # what the month refuses is not counted for the day
        monthly = await refusal(send_as(post, ann))
        assert monthly.message_key == "ServerSendMailMonthlyLimitMsg"
    await database.write(tidy, post.clock.now)
    assert (await refusal(send_as(post, ann))).message_key == "ServerSendMailMonthlyLimitMsg"
    administrator = Principal("admin", "", unlimited=True)
    await post.sending.submit_draft(administrator, draft("bob@next.test"))
    await post.administering.change({"role_address_config": {"member": {"sendLimitDay": -1}}})
    await send_as(post, ann)
    await post.administering.change({"role_address_config": {"member": {"sendLimitDay": 0}}})
    assert (await refusal(send_as(post, ann))).message_key == "ServerSendMailDailyLimitMsg"
    await database.write(tidy, post.clock.now + 200 * 86_400_000_000)
    left = await database.read(counted)
    assert [period for period in left if "account" in period] == []


async def counted(tx: Transaction) -> list[str]:
    return [str(row[0]) for row in await tx.fetch_all("SELECT period FROM send_counts", {})]


async def test_an_account_that_sends_from_everywhere_at_once_stays_within_its_limit(
    database: AnyDatabase,
) -> None:
    post = Post(database)
    ann, amy = await account_with(post, "member", "ann", "amy")
    limits = {"member": {"sendLimitDay": 5}}
    await post.administering.change({"role_address_config": limits})
    outcomes = await asyncio.gather(
        *(send_as(post, one) for one in (ann, amy) * 6), return_exceptions=True
    )
    assert sum(isinstance(one, Receipt) for one in outcomes) == 5


async def test_without_a_limit_of_a_role_a_submission_asks_for_no_account(
    database: AnyDatabase,
) -> None:
    post = Post(database)
    orders = post.sending.orders
    submission = NewSubmission(
        queue_id="q", address="ann@x.test", reverse_path="ann@x.test", door="api",
        message_id="", from_address="ann@x.test", subject="", smtputf8=False,
    )  # fmt: skip

    def by_role() -> object:
        made = orders.make(submission, ("bob@next.test",), b"", 1, submitted_by="address")
        return made.by_role

    assert not by_role()
    await post.administering.change({"role_address_config": {"vip": {"maxAddressCount": 1}}})
    assert not by_role()
    await post.administering.change({"role_address_config": {"vip": {"sendLimitDay": 1}}})
    assert by_role()


async def test_the_sender_must_own_every_name_it_uses(database: AnyDatabase) -> None:
    """Hazard 12: envelope, From and Sender are the principal's own."""
    post = Post(database)
    cases = [
        ("bob@x.test", LETTER),
        ("", LETTER),
        ("ann@x.test", LETTER.replace(b"ann@x.test", b"bob@x.test")),
        ("ann@x.test", b"Sender: bob@x.test\r\n" + LETTER),
        ("ann@x.test", LETTER.replace(b"<ann@x.test>", b"<ann@x.test>, bob@x.test")),
    ]
    for reverse_path, content in cases:
        envelope = Envelope(reverse_path, ("eve@next.test",))
        refused = await refusal(post.sending.submit(ANN, envelope, content, door="smtp"))
        assert isinstance(refused, FromNotYours), content
    with pytest.raises(FromNotYours):
        await post.sending.submit_draft(BOB, draft("eve@next.test"))
    twice = b"From: ann@x.test\r\n" + LETTER
    with pytest.raises(BadContent):
        await post.submit("eve@next.test", content=twice)
    assert await database.read(submissions.count, None) == 0


async def test_a_submitted_message_is_kept_as_it_was_made(database: AnyDatabase) -> None:
    post = Post(database)
    content = (
        b"From: Ann <ann@x.test>\r\nTo: bob@next.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
        b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <mine@x.test>\r\n\r\nHi\r\n"
    )
    peer = Peer("192.0.2.7", protocol="ESMTPSA")
    receipt = await post.submit("bob@next.test", "bob@next.test", content=content, peer=peer)
    message = await post.only()
    assert message.submission.subject == "Grüße"
    assert receipt.message_id == "<mine@x.test>"
    assert (await post.sent.whole("ann@x.test", receipt.submission_id)).raw == content
    assert [one.recipient for one in message.recipients] == ["bob@next.test"], "each once"
    (row,), _ = await post.sent.sendbox("ann@x.test", limit=10, offset=0)
    record = json.loads(row.record)
    assert record["version"] == "v2"
    assert (record["from_name"], record["to_mail"], record["subject"]) == (
        "Ann",
        "bob@next.test",
        "Grüße",
    )
    assert (record["content"].strip(), record["is_html"]) == ("Hi", False)
    opened = await post.sent.open("ann@x.test", receipt.submission_id)
    assert opened.parsed.text.strip() == "Hi"
    for stranger in ("bob@x.test", "eve@y.test"):
        with pytest.raises(NotFound):
            await post.sent.open(stranger, receipt.submission_id)
        with pytest.raises(NotFound):
            await post.sent.whole(stranger, receipt.submission_id)
        assert not await post.sent.delete(stranger, receipt.submission_id)
    assert await post.sent.delete("ann@x.test", receipt.submission_id)
    assert (await post.sent.page("ann@x.test", limit=10)).count == 0


async def test_what_is_missing_is_added_and_bcc_is_taken_out(database: AnyDatabase) -> None:
    post = Post(database)
    content = b"From: ann@x.test\r\nBcc: eve@next.test\r\nSubject: Hi\r\n\r\nHi\r\n"
    receipt = await post.submit("eve@next.test", content=content)
    kept = (await post.sent.whole("ann@x.test", receipt.submission_id)).raw
    assert b"Bcc" not in kept
    assert receipt.message_id.encode() in kept
    assert b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n" in kept


async def test_limits_of_a_message(database: AnyDatabase) -> None:
    post = Post(database, max_message_size=65_536)
    with pytest.raises(MessageTooBig):
        await post.submit("bob@next.test", content=LETTER + b"x" * 65_536)
    with pytest.raises(MessageTooBig):
        await post.post("bob@next.test", text="x " * 40_000)
    with pytest.raises(RoutingLoop):
        await post.submit("bob@next.test", content=b"Received: by a\r\n" * 51 + LETTER)
    many = [f"bob{number}@next.test" for number in range(MOST_RECIPIENTS + 1)]
    with pytest.raises(BadRequest):
        await post.submit(*many)
    await post.submit(*many[:-1])
    await post.administering.change({"send_block_list": ["bob7@"]})
    with pytest.raises(RecipientBlocked):
        await post.submit(*many[:-1])


async def test_attachments_are_in_the_message_and_not_in_the_record(database: AnyDatabase) -> None:
    post = Post(database)
    file = Attachment("a.txt", b"file content", "text/plain")
    record = {"to_mail": "bob@next.test", "attachments": [{"filename": "a.txt", "content": "Zm8="}]}
    receipt = await post.sending.submit_draft(
        ANN, draft("bob@next.test", attachments=(file,)), record=record
    )
    opened = await post.sent.open("ann@x.test", receipt.submission_id)
    assert [part.filename for part in opened.parsed.attachments] == ["a.txt"]
    (row,), _ = await post.sent.sendbox("ann@x.test", limit=10, offset=0)
    assert json.loads(row.record)["attachments"] == [{"filename": "a.txt"}]


async def test_a_key_sends_once_however_often_it_comes(database: AnyDatabase) -> None:
    """Hazard 42: fifty at once, another body, another principal, a day later."""
    post = Post(database, default_send_balance=10)
    receipts = await asyncio.gather(
        *(
            post.sending.submit_draft(ANN, draft("bob@next.test"), idempotency_key="k1")
            for _ in range(50)
        )
    )
    assert len(set(receipts)) == 1
    assert await database.read(submissions.count, None) == 1
    assert await post.sending.balance(ANN) == 9
    with pytest.raises(Conflict):
        await post.sending.submit_draft(ANN, draft("eve@next.test"), idempotency_key="k1")
    from_bob = replace(draft("bob@next.test"), sender=NamedAddress("bob@x.test"))
    other = await post.sending.submit_draft(BOB, from_bob, idempotency_key="k1")
    assert other.queue_id != receipts[0].queue_id
    again = Post(database)
    kept = await again.sending.submit_draft(ANN, draft("bob@next.test"), idempotency_key="k1")
    assert kept == receipts[0], "the key is in the store, not in the process"
    assert kept.submission_id == receipts[0].submission_id
    post.wait(24 * 60 + 1)
    later = await post.sending.submit_draft(ANN, draft("bob@next.test"), idempotency_key="k1")
    assert later.queue_id != receipts[0].queue_id
    with pytest.raises(BadRequest):
        await post.sending.submit_draft(ANN, draft("b@n.test"), idempotency_key="k" * 300)


async def test_a_key_of_a_message_as_it_was_made(database: AnyDatabase) -> None:
    """Hazard 42, through the mail door's way."""
    post = Post(database)
    first = await post.submit("bob@next.test", idempotency_key="k")
    assert await post.submit("bob@next.test", idempotency_key="k") == first
    with pytest.raises(Conflict):
        await post.submit("eve@next.test", idempotency_key="k")
    with pytest.raises(Conflict):
        await post.submit("bob@next.test", content=LETTER + b"more\r\n", idempotency_key="k")


async def test_a_refused_request_does_not_use_up_its_key(database: AnyDatabase) -> None:
    post = Post(database, default_send_balance=0)
    with pytest.raises(QuotaReached):
        await post.sending.submit_draft(ANN, draft("bob@next.test"), idempotency_key="k")
    await post.sending.submit_draft(
        replace(ANN, unlimited=True), draft("bob@next.test"), idempotency_key="k"
    )
    assert await database.read(submissions.count, None) == 1
    assert await database.write(idempotency.remove_before, before=2**60, limit=9) == 1


POISON = ("\r\nBcc: eve@evil.test", "\nX: y", "\r", "\x00", "\x0b", "\u2028X: y", "a\x85b")


def poisoned(bad: str) -> dict[str, dict[str, Any]]:
    """Every field of a draft with `bad` in it."""
    file = Attachment("a.txt", b"x", "text/plain")
    return {
        "subject": {"subject": bad},
        "sender": {"sender": NamedAddress("ann@x.test", bad)},
        "to": {"to": (NamedAddress("bob@next.test", bad),)},
        "cc": {"cc": (NamedAddress("bob@next.test", bad),)},
        "reply_to": {"reply_to": (NamedAddress("ann@x.test", bad),)},
        "in_reply_to": {"in_reply_to": f"<{bad}@x.test>"},
        "references": {"references": (f"<{bad}@x.test>",)},
        "header": {"headers": (("X-Note", bad),)},
        "list-unsubscribe": {"headers": (("List-Unsubscribe", f"<https://x.test/{bad}>"),)},
        "header_name": {"headers": ((bad, "y"),)},
        "filename": {"attachments": (replace(file, filename=bad),)},
        "content_id": {"attachments": (replace(file, content_id=f"{bad}@x"),)},
        "mime_type": {"attachments": (replace(file, mime_type=f"text/{bad}"),)},
    }


async def test_no_field_of_a_draft_ends_a_header_line(database: AnyDatabase) -> None:
    """Hazard 43: header injection through every field of a draft."""
    post = Post(database)
    for poison in POISON:
        for place, changes in poisoned(f"Hello{poison}").items():
            letter = replace(draft("bob@next.test"), **changes)
            refused = await refusal(post.sending.submit_draft(ANN, letter))
            assert isinstance(refused, BadRequest), place
    assert await database.read(submissions.count, None) == 0


async def test_who_is_not_of_our_domains_does_not_send(database: AnyDatabase) -> None:
    post = Post(database)
    stranger = Principal("address", "ann@elsewhere.test", 3)
    letter = replace(draft("bob@next.test"), sender=NamedAddress("ann@elsewhere.test"))
    with pytest.raises(NotYours):
        await post.sending.submit_draft(stranger, letter)
    envelope = Envelope("ann@elsewhere.test", ("bob@next.test",))
    content = LETTER.replace(b"ann@x.test", b"ann@elsewhere.test")
    with pytest.raises(NotYours):
        await post.sending.submit(stranger, envelope, content, door="smtp")


async def test_what_administrators_send_unlisted_is_in_no_box(database: AnyDatabase) -> None:
    post = Post(database)
    receipt = await post.sending.submit_draft(ADMIN, draft("bob@next.test"), listed=False)
    assert (await post.sent.page(None, limit=10)).count == 0
    kept = await database.read(submissions.by_id, receipt.submission_id)
    assert kept is not None
    assert await database.read(contents.read, kept.content_id)

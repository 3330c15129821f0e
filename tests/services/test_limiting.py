"""Limits of each mailbox, on both engines: what it may hold, and what may arrive for it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mailbox_service.core.envelope import Envelope
from mailbox_service.core.errors import (
    MailboxFull,
    MessageTooBig,
    TemporaryFailure,
    TooManyRequests,
    UnknownMailbox,
)
from mailbox_service.core.mailbox_limits import HOUR, MINUTE, Fill, MailboxLimits
from mailbox_service.core.stored import Excerpt
from mailbox_service.services import limiting
from mailbox_service.services.limiting import FULL_MICROS, KNOWN_MICROS
from mailbox_service.storage import fills, message_lists
from tests.databases import AnyDatabase
from tests.services.parts import LETTER, NOON, PEER, Mailboxes
from tests.services.posting import Post

pytestmark = pytest.mark.anyio

SENDER = "ann@sender.example"
# When a full mailbox is looked at again, also where a look took a second; what is known of others
# is known for longer.
LATER = 10 * FULL_MICROS


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The mailboxes about which the store is asked from now on."""
    asked: list[str] = []
    fill_of = fills.fill_of

    async def watched(tx: Any, address: str, **rest: Any) -> Fill:
        asked.append(address)
        return await fill_of(tx, address, **rest)

    monkeypatch.setattr(fills, "fill_of", watched)
    return asked


async def take(mailboxes: Mailboxes, *recipients: str, content: bytes = LETTER) -> None:
    """Have a letter arrive as the reception door does, step by step."""
    for recipient in recipients:
        if not mailboxes.receiving.recipient_now(recipient, SENDER):
            await mailboxes.receiving.check_recipient(recipient, SENDER)
    await mailboxes.receiving.receive(Envelope(SENDER, recipients), content, PEER)


async def held(mailboxes: Mailboxes, address: str = "a@x.test") -> Fill:
    return await mailboxes.database.read(fills.fill_of, address, now=mailboxes.clock.now)


async def ids_of(mailboxes: Mailboxes, address: str = "a@x.test") -> list[int]:
    rows = await mailboxes.database.read(message_lists.page, address, Excerpt(10))
    return [row.id for row in rows]


@pytest.mark.parametrize(
    ("limits", "fill", "size", "refusal"),
    [
        (MailboxLimits(), Fill(9, 9, 9, 9), 9, None),
        (MailboxLimits(mails=3), Fill(2), 0, None),
        (MailboxLimits(mails=3), Fill(3), 0, MailboxFull),
        (MailboxLimits(octets=100), Fill(1, 99), 0, None),
        (MailboxLimits(octets=100), Fill(1, 100), 0, MailboxFull),
        (MailboxLimits(octets=100), Fill(1, 60), 40, None),
        (MailboxLimits(octets=100), Fill(1, 60), 41, MailboxFull),
        (MailboxLimits(per_minute=2), Fill(in_minute=1), 0, None),
        (MailboxLimits(per_minute=2), Fill(in_minute=2), 0, TooManyRequests),
        (MailboxLimits(per_hour=2), Fill(in_hour=2), 0, TooManyRequests),
        (MailboxLimits(mails=1, per_hour=1), Fill(1, 1, 1, 1), 0, MailboxFull),
    ],
)
def test_what_a_mailbox_takes(
    limits: MailboxLimits, fill: Fill, size: int, refusal: type[Exception] | None
) -> None:
    if refusal is None:
        limits.check(fill, now=NOON, size=size)
        return
    with pytest.raises(refusal):
        limits.check(fill, now=NOON, size=size)


def test_a_mailbox_that_gets_too_much_says_when_to_come_back() -> None:
    for limits, seconds in ((MailboxLimits(per_minute=1), 50), (MailboxLimits(per_hour=1), 3_590)):
        with pytest.raises(TooManyRequests) as refused:
            limits.check(Fill(1, 1, 1, 1), now=NOON + 10_000_000)
        assert refused.value.retry_after == seconds


async def test_without_limits_the_store_is_never_asked(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = counted(monkeypatch)
    mailboxes = Mailboxes(database)
    assert mailboxes.receiving.recipient_now("a@x.test", SENDER)
    assert mailboxes.receiving.recipient_now("a+tag@x.test", SENDER)
    await take(mailboxes, "a@x.test", "b@x.test")
    assert asked == []


async def test_a_full_mailbox_refuses_for_now_until_its_owner_deletes(
    database: AnyDatabase,
) -> None:
    mailboxes = Mailboxes(database, mailbox_max_mails=3)
    for _ in range(3):
        await take(mailboxes, "a@x.test")
    mailboxes.clock.now += LATER
    with pytest.raises(MailboxFull, match="full") as refused:
        await mailboxes.receiving.check_recipient("a@x.test", SENDER)
    assert refused.value.enhanced == "4.2.2"
    with pytest.raises(MailboxFull):
        mailboxes.receiving.recipient_now("a@x.test", SENDER)
    with pytest.raises(MailboxFull):
        await mailboxes.receive("a@x.test")
    await take(mailboxes, "b@x.test")
    await mailboxes.reading.delete("a@x.test", (await ids_of(mailboxes))[:1])
    mailboxes.clock.now += LATER
    await take(mailboxes, "a@x.test")
    mailboxes.clock.now += LATER
    with pytest.raises(MailboxFull):
        await take(mailboxes, "a@x.test")
    assert (await held(mailboxes)).mails == 3


async def test_a_busy_mailbox_costs_one_look_in_half_a_minute(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = counted(monkeypatch)
    mailboxes = Mailboxes(database, mailbox_max_mails=100, mailbox_mails_per_hour=100)
    for _ in range(20):
        await take(mailboxes, "a@x.test")
    assert asked == ["a@x.test"]
    mailboxes.clock.now += 1_000 * KNOWN_MICROS
    await take(mailboxes, "a@x.test")
    assert asked == ["a@x.test"] * 2


async def test_what_was_there_before_a_restart_counts(database: AnyDatabase) -> None:
    limits = {"mailbox_max_mails": 4, "mailbox_mails_per_hour": 3}
    mailboxes = Mailboxes(database, **limits)
    for _ in range(3):
        await take(mailboxes, "a@x.test")
    again = Mailboxes(database, **limits)
    with pytest.raises(TooManyRequests):
        await take(again, "a@x.test")
    again.clock.now += HOUR
    await take(again, "a@x.test")
    again = Mailboxes(database, **limits)
    again.clock.now += 2 * HOUR
    with pytest.raises(MailboxFull):
        await take(again, "a@x.test")


@pytest.mark.parametrize(
    ("setting", "period"),
    [("mailbox_mails_per_minute", MINUTE), ("mailbox_mails_per_hour", HOUR)],
)
async def test_so_many_mails_arrive_in_a_minute_or_an_hour_whatever_is_deleted(
    setting: str, period: int, database: AnyDatabase
) -> None:
    mailboxes = Mailboxes(database, **{setting: 2})
    for _ in range(2):
        await take(mailboxes, "a@x.test")
    await mailboxes.reading.delete("a@x.test", await ids_of(mailboxes))
    with pytest.raises(TooManyRequests) as refused:
        await take(mailboxes, "a@x.test")
    assert refused.value.enhanced == "4.7.0"
    assert refused.value.retry_after == period / 1_000_000
    await take(mailboxes, "b@x.test")
    mailboxes.clock.now += period
    await take(mailboxes, "a@x.test")


async def test_octets_are_kept_to_after_data_too(database: AnyDatabase) -> None:
    """At RCPT nobody knows how large the mail will be."""
    mailboxes = Mailboxes(database, mailbox_max_octets=10_000)
    letter = LETTER + b"x" * 6_000
    await take(mailboxes, "a@x.test", content=letter)
    mailboxes.clock.now += LATER
    with pytest.raises(MailboxFull):
        await take(mailboxes, "a@x.test", content=letter)
    await take(mailboxes, "a@x.test")
    with pytest.raises(MessageTooBig) as refused:
        await take(mailboxes, "b@x.test", "c@x.test", content=LETTER + b"x" * 10_000)
    assert refused.value.enhanced == "5.3.4"
    # For several at once only some room is asked for, or the others would never get it.
    await take(mailboxes, "a@x.test", "b@x.test", content=letter)
    assert 10_000 < (await held(mailboxes)).octets < 20_000
    mailboxes.clock.now += LATER
    with pytest.raises(MailboxFull):
        await take(mailboxes, "a@x.test")


async def test_many_that_come_at_once_do_not_overfill_a_mailbox(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database, mailbox_max_mails=5)
    outcomes = await asyncio.gather(
        *(take(mailboxes, "a@x.test") for _ in range(30)), return_exceptions=True
    )
    refused = [one for one in outcomes if one is not None]
    assert {type(one) for one in refused} == {MailboxFull}
    assert (await held(mailboxes)).mails == 30 - len(refused) == 5


async def test_mail_that_was_not_stored_takes_no_room(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailboxes = Mailboxes(database, mailbox_max_mails=1, mailbox_mails_per_hour=1)
    loop = asyncio.get_running_loop()

    def refuse(*_: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = loop.create_future()
        future.set_exception(TemporaryFailure("The disk is away"))
        return future

    with monkeypatch.context() as broken:
        broken.setattr(mailboxes.receiving._arrivals, "keep", refuse)
        for _ in range(3):
            with pytest.raises(TemporaryFailure):
                await take(mailboxes, "a@x.test")
            await asyncio.sleep(0)  # futures tell their callbacks in the next turn of the loop
    await take(mailboxes, "a@x.test")
    assert (await held(mailboxes)).mails == 1


async def test_a_tag_counts_for_the_mailbox_below_it(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database, mailbox_max_mails=2)
    await mailboxes.registering.open_by_admin(
        name="a", domain="x.test", with_prefix=False, random_subdomain=False
    )
    await take(mailboxes, "a+shop@x.test")
    await take(mailboxes, "a@x.test")
    mailboxes.clock.now += LATER
    for recipient in ("a+shop@x.test", "a+other@x.test", "a@x.test"):
        with pytest.raises(MailboxFull):
            await mailboxes.receiving.check_recipient(recipient, SENDER)


async def test_an_unknown_mailbox_is_unknown_before_it_is_full(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database, mailbox_max_mails=1)
    await take(mailboxes, "a@x.test")
    await mailboxes.administering.change(
        {"email_rule_settings": {"blockReceiveUnknowAddressEmail": True}}
    )
    mailboxes.clock.now += LATER
    with pytest.raises(UnknownMailbox):
        await mailboxes.receiving.check_recipient("a@x.test", SENDER)
    await mailboxes.registering.open_by_admin(
        name="a", domain="x.test", with_prefix=False, random_subdomain=False
    )
    with pytest.raises(MailboxFull):
        await mailboxes.receiving.check_recipient("a@x.test", SENDER)


async def test_notices_and_imports_come_into_full_mailboxes_and_are_no_arrivals(
    database: AnyDatabase,
) -> None:
    mailboxes = Mailboxes(database, mailbox_max_mails=2, mailbox_mails_per_hour=2)
    for _ in range(3):
        await mailboxes.receiving.store_notice("a@x.test", "", LETTER)
    found = await held(mailboxes)
    assert (found.mails, found.in_hour) == (3, 0)
    with pytest.raises(MailboxFull):
        await take(mailboxes, "a@x.test")


async def test_few_mailboxes_are_remembered(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiting, "MOST_KNOWN", 3)
    asked = counted(monkeypatch)
    mailboxes = Mailboxes(database, mailbox_max_mails=2)
    for name in "abcd":
        await take(mailboxes, f"{name}@x.test")
    await take(mailboxes, "d@x.test")
    assert len(asked) == 4
    await take(mailboxes, "a@x.test")
    assert len(asked) == 5


async def test_mail_of_our_own_waits_in_the_queue_for_room(database: AnyDatabase) -> None:
    post = Post(database, mailbox_max_mails=1)
    for name in ("ann", "bob"):
        await post.registering.open_by_admin(
            name=name, domain="x.test", with_prefix=False, random_subdomain=False
        )
    first, second = await post.post("bob@x.test"), await post.post("bob@x.test")
    await post.delivering.deliver_due()
    states = [(await post.states(one.queue_id))[0] for one in (first, second)]
    assert sorted(states) == ["deferred", "delivered"]
    waiting = (first, second)[states.index("deferred")].queue_id
    (recipient,) = (await post.only(waiting)).recipients
    assert recipient.last_reply == "452 4.2.2 The mailbox is full, try again later"
    await post.reading.delete("bob@x.test", await ids_of(post, "bob@x.test"))
    post.wait(5)
    await post.delivering.deliver_due()
    assert await post.states(waiting) == ["delivered"]
    assert len(await post.inbox("bob@x.test")) == 1

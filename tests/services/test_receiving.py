"""Accepting mail and refusing it, on both engines."""

from __future__ import annotations

import pytest

from mailbox_service import signals as topics
from mailbox_service.core.envelope import Envelope
from mailbox_service.core.errors import (
    BadContent,
    MessageTooBig,
    NotOurDomain,
    RoutingLoop,
    SenderRefused,
    UnknownMailbox,
)
from mailbox_service.core.stored import Excerpt
from mailbox_service.storage import contents, messages
from tests.databases import AnyDatabase
from tests.services.parts import LETTER, PEER, Mailboxes

pytestmark = pytest.mark.anyio


async def test_a_mail_is_stored_once_for_all_its_recipients(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    ids = await mailboxes.receive("a@x.test", "b@y.test", "c@sub.x.test")
    rows = await database.read(messages.by_ids, ids)
    assert [row.address for row in rows] == ["a@x.test", "b@y.test", "c@sub.x.test"]
    assert len({row.content_id for row in rows}) == 1
    raw = await database.read(contents.read, rows[0].content_id)
    assert raw.endswith(LETTER)
    field = raw[: -len(LETTER)].decode()
    assert field.startswith("Received: from mx.sender.example")
    assert "192.0.2.7" in field
    assert " for <" not in field, "recipients of one copy do not learn of each other"
    for row in rows[:2]:
        await mailboxes.reading.delete(row.address, [row.id])
    assert await database.read(contents.read, rows[2].content_id) == raw
    await mailboxes.reading.delete(None, [rows[2].id])
    with pytest.raises(contents.Damaged):
        await database.read(contents.read, rows[2].content_id)


@pytest.mark.parametrize(
    "recipient",
    ["bob@elsewhere.example", "bob@notx.test", "bob@x.test.example", "bob@test", "x@y.x.tes"],
)
async def test_a_domain_that_is_not_ours_is_refused(database: AnyDatabase, recipient: str) -> None:
    """Hazard 11."""
    mailboxes = Mailboxes(database)
    with pytest.raises(NotOurDomain):
        mailboxes.receiving.recipient_now(recipient, "ann@sender.example")
    with pytest.raises(NotOurDomain):
        await mailboxes.receiving.check_recipient(recipient, "ann@sender.example")


async def test_blocked_senders_are_refused_by_setting_and_by_rule(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database, black_list="spam.example,,bulk@")
    await mailboxes.administering.change({"from_block_list": ["noise@"]})
    for reverse_path in ("a@spam.example", "bulk@any.example", "noise@any.example"):
        with pytest.raises(SenderRefused, match="Reject from address"):
            mailboxes.receiving.recipient_now("a@x.test", reverse_path)
    assert mailboxes.receiving.recipient_now("a@x.test", "")
    assert mailboxes.receiving.recipient_now("a@x.test", "ann@sender.example")


async def test_unknown_recipients_are_refused_where_an_administrator_wants_it(
    database: AnyDatabase,
) -> None:
    mailboxes = Mailboxes(database)
    await mailboxes.administering.change(
        {"email_rule_settings": {"blockReceiveUnknowAddressEmail": True}}
    )
    await mailboxes.registering.open_by_admin(
        name="ann", domain="x.test", with_prefix=False, random_subdomain=False
    )
    assert not mailboxes.receiving.recipient_now("ann@x.test", "")
    await mailboxes.receiving.check_recipient("ann@x.test", "")
    with pytest.raises(UnknownMailbox, match="Unknown address"):
        await mailboxes.receiving.check_recipient("bob@x.test", "")


async def test_a_loop_and_a_giant_are_refused(database: AnyDatabase) -> None:
    """Hazards 17 and 7."""
    mailboxes = Mailboxes(database, max_message_size=65_536)
    envelope = Envelope("ann@sender.example", ("a@x.test",))
    with pytest.raises(RoutingLoop):
        mailboxes.receiving.receive(envelope, b"Received: by somebody\r\n" * 51 + LETTER, PEER)
    with pytest.raises(MessageTooBig):
        mailboxes.receiving.receive(envelope, LETTER + b"x" * 65_536, PEER)
    assert (await mailboxes.reading.page(None, Excerpt(1))).count == 0


async def test_ids_never_return(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    seen: set[int] = set()
    for _ in range(3):
        ids = await mailboxes.receive("a@x.test", "b@x.test")
        assert min(ids) > max(seen, default=0)
        seen.update(ids)
        await mailboxes.reading.delete(None, ids)


@pytest.mark.parametrize(
    ("field", "junk"),
    [
        (b"Authentication-Results: mx.other.test; spf=pass", False),
        (b"Authentication-Results: x.test; spf=pass", True),
        (b"Authentication-Results: X.Test. 1 ; spf=pass", True),
    ],
)
async def test_results_that_pose_as_ours_make_no_mail_pass(
    database: AnyDatabase, field: bytes, junk: bool
) -> None:
    """RFC 8601 §5: nobody outside can know what we found out."""
    mailboxes = Mailboxes(database, enable_check_junk_mail=True, junk_mail_force_pass_list=["spf"])
    if junk:
        with pytest.raises(BadContent, match="Junk mail"):
            await mailboxes.receive("a@x.test", content=field + b"\r\n" + LETTER)
    else:
        await mailboxes.receive("a@x.test", content=field + b"\r\n" + LETTER)


async def test_results_that_pose_as_ours_are_not_kept(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    posing = b"Authentication-Results: x.test; spf=pass\r\n"
    other = b"Authentication-Results: mx.other.test; spf=pass\r\n"
    envelope = Envelope("ann@sender.example", ("a@x.test",))
    receipt = await mailboxes.receiving.accept(envelope, posing + other + LETTER, PEER)
    found = await mailboxes.reading.content("a@x.test", receipt.message_ids[0])
    assert found is not None
    assert found[1].endswith(b"+0000\r\n" + other + LETTER)


async def test_whoever_waits_for_mail_of_a_mailbox_is_woken_by_the_door_and_nobody_else(
    database: AnyDatabase,
) -> None:
    mailboxes = Mailboxes(database)
    signals = mailboxes.signals
    with (
        signals.watch(topics.mailbox("a@x.test")) as waiting,
        signals.watch(topics.mailbox("b@y.test")) as other,
        signals.watch(topics.MESSAGES) as worker,
    ):
        envelope = Envelope("ann@sender.example", ("a@x.test",))
        await mailboxes.receiving.receive(envelope, LETTER, PEER)
        assert await waiting.wait(10)
        assert await worker.wait(10)
        assert not await other.wait(0.001)


async def test_what_was_said_of_a_recipient_holds_however_often_it_is_asked(
    database: AnyDatabase,
) -> None:
    mailboxes = Mailboxes(database, enable_sub_addresses=True)
    await mailboxes.receive("ann@x.test")
    for _ in range(2):
        assert mailboxes.receiving.recipient_now("ann@x.test", "bob@sender.example")
        assert mailboxes.receiving.recipient_now("ann+shop@x.test", "bob@sender.example")
        with pytest.raises(NotOurDomain):
            mailboxes.receiving.recipient_now("ann@elsewhere.example", "bob@sender.example")
    await mailboxes.administering.change({"from_block_list": ["bob@"]})
    with pytest.raises(SenderRefused):
        mailboxes.receiving.recipient_now("ann@x.test", "bob@sender.example")

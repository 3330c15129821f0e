"""What an attempt at delivering means to the sending API: delivered, or bounced hard or soft."""

from __future__ import annotations

from collections.abc import Sequence

from mailbox_service.core import simulated_recipients
from mailbox_service.core.delivery import Reply
from mailbox_service.services.attempts import Outcome
from mailbox_service.services.kept_requests import json_text
from mailbox_service.storage import send_queue, sending_events, sending_messages, suppressions
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.sending_events import About, NewEvent
from mailbox_service.storage.sending_messages import SentMessage

# A hard bounce is let go after a week: mailboxes come back (sending-api §5).
BOUNCE_LIFE = 7 * 86_400 * 1_000_000
BOUNCE = "bounce"
# The stage of a refusal that no command of ours was answered with.
UNAVAILABLE = "Unavailable"


def is_hard(reply: Reply, *, expired: bool) -> bool:
    """Whether nobody is there (sending-api §7.4): a final no that is neither about a full
    mailbox (RFC 3463, X.2.2) nor about policy (X.7.Y), and not merely the end of our patience."""
    if expired or reply.code // 100 != 5:
        return False
    return reply.enhanced != "5.2.2" and not reply.enhanced.startswith("5.7.")


async def note_all(
    tx: Transaction, settled: Sequence[tuple[int, Sequence[Outcome], int]]
) -> Sequence[int]:
    """Write down what became of recipients of several messages, each with its submission, its
    outcomes and the time; the submissions that came through the sending API. Part of the
    transaction that settles them."""
    over = [
        (number, final, now)
        for number, outcomes, now in settled
        if (final := [one for one in outcomes if one.failed or is_delivered(one)])
    ]
    messages = await sending_messages.by_submissions(tx, {number for number, _, _ in over})
    facts = [
        await facts_of(tx, messages[number], final, now=now)
        for number, final, now in over
        if number in messages
    ]
    if facts:
        await sending_events.add_all(tx, facts)
    return list(messages)


def is_delivered(outcome: Outcome) -> bool:
    return outcome.settled.state == send_queue.DELIVERED


async def facts_of(
    tx: Transaction, message: SentMessage, final: Sequence[Outcome], *, now: int
) -> tuple[About, list[NewEvent]]:
    """The events of recipients whose fate is known; who is not there is suppressed."""
    events = []
    for one in final:
        settled, reply = one.settled, one.reply
        recipient = settled.claim.recipient
        if simulated_recipients.is_one(recipient):
            events += simulated(recipient, now, settled.remote, settled.reply)
            continue
        kind, detail = "delivered", "{}"
        if one.failed:
            detail = json_text({"context": stage_of(one)})
            # What was damaged here says nothing about whoever it was for.
            ours = settled.state == send_queue.QUARANTINED
            hard = not ours and is_hard(reply, expired=one.expired)
            kind = "hard-bounced" if hard else "soft-bounced"
            if hard:
                await suppressions.put(
                    tx,
                    account=message.account,
                    target=recipient,
                    reason=BOUNCE,
                    description=settled.reply[:500],
                    subject=message.subject,
                    now=now,
                    expires_at=now + BOUNCE_LIFE,
                )
        events.append(
            NewEvent(
                kind,
                now,
                recipient,
                host=settled.remote,
                reply=settled.reply[:1_000],
                detail=detail,
            )
        )
    number = message.submission_id
    about = About(message.account, number, message.username, message.sender, message.subject)
    return about, events


def stage_of(outcome: Outcome) -> str:
    """Where in the dialogue a recipient was refused (sending-api §6.3, `context`)."""
    settled, command = outcome.settled, ""
    for line in settled.conversation.splitlines():
        if line.startswith("> "):
            command = line[2:]
        elif line.startswith(f"< {outcome.reply.code}"):
            if command == f"RCPT TO:<{settled.claim.recipient}>":
                return command
            if command == "DATA" or command.startswith("("):  # in place of the content
                return f"DATA: {settled.reply[:1_000]}"
    return UNAVAILABLE


def simulated(recipient: str, now: int, remote: str, reply: str) -> list[NewEvent]:
    """The events of a recipient for tests; nothing else follows from them."""
    return [
        NewEvent(
            kind,
            now,
            recipient,
            host=remote,
            reply=reply[:1_000],
            reason=reply[:1_000] if kind == "rejected" else "",
        )
        for kind in simulated_recipients.fate_of(recipient).events
    ]

"""Claims: lease what is due, and read what is needed to send it, in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import accumulate

from msgspec import Struct

from mailbox_service.services.attempts import is_sound
from mailbox_service.services.sending_api.tracking import MAILBOX_API
from mailbox_service.storage import contents, leases, sending_messages, submissions
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.leases import Claim
from mailbox_service.storage.sending_messages import SentMessage
from mailbox_service.storage.submissions import Submission

log = logging.getLogger("mailbox.delivering")

# Recipients that one claim takes. Two or three claims a second saturate a fast next hop.
BATCH = 100
# A lease outlives the longest attempt (13 minutes, `outbound`), so that it ends only when its
# worker is dead, stopped, or its clock was set.
LEASE_MICROS = 20 * 60_000_000
# Content up to this size is read with the claim, up to so much in all: the event loop may do it.
SMALL_CONTENT = 65_536
CLAIM_OCTETS = 1 << 20
BROKEN_ROW = "The queue row is damaged and was taken out."


class Claimed(Struct):
    """What one claim took: recipients with their submissions and the small contents. `sent`:
    what is known of those that came through the sending API."""

    claims: list[Claim]
    place: str
    submissions: dict[int, Submission] = {}
    contents: dict[int, bytes] = {}
    damaged: set[int] = set()
    sent: dict[int, SentMessage] = {}
    broken: int = 0


async def claim(
    tx: Transaction, *, now: int, holder: str, room: Callable[[str], int], after: str
) -> Claimed:
    """Lease what is due, and read what is needed to send it."""
    claims, place = await leases.claim_due(
        tx,
        now=now,
        lease_until=now + LEASE_MICROS,
        holder=holder,
        limit=BATCH,
        room=room,
        after=after,
    )
    claimed = Claimed(claims, place)
    await read_messages(tx, claimed, small_contents=True)
    await take_out_broken(tx, claimed, holder=holder, now=now)
    return claimed


async def take_out_broken(tx: Transaction, claimed: Claimed, *, holder: str, now: int) -> None:
    """Take rows out of the queue that no submission of ours can have written."""
    broken = [
        one
        for one in claimed.claims
        if one.submission_id not in claimed.submissions or not is_sound(one)
    ]
    for one in broken:
        claimed.claims.remove(one)
        log.error("queue-row-damaged id=%d submission=%d", one.id, one.submission_id)
        await leases.quarantine(tx, one, holder=holder, reply=BROKEN_ROW, now=now)
    claimed.broken = len(broken)


async def claim_expired(
    tx: Transaction, domain: str, *, queued_before: int, now: int, holder: str
) -> Claimed:
    """Lease what has waited too long for a domain."""
    claims = await leases.claim_expired(
        tx,
        domain,
        queued_before=queued_before,
        now=now,
        lease_until=now + LEASE_MICROS,
        holder=holder,
        limit=BATCH,
    )
    claimed = Claimed(claims, "")
    await read_messages(tx, claimed, small_contents=False)
    return claimed


async def read_messages(tx: Transaction, claimed: Claimed, *, small_contents: bool) -> None:
    """Fill in the submissions of what was claimed, and their contents where they are small."""
    numbers = {one.submission_id for one in claimed.claims}
    claimed.submissions = {one.id: one for one in await submissions.by_ids(tx, numbers)}
    if not small_contents:
        return
    through_api = [one.id for one in claimed.submissions.values() if one.door != MAILBOX_API]
    claimed.sent = await sending_messages.by_submissions(tx, through_api)
    small = [one for one in claimed.submissions.values() if one.size <= SMALL_CONTENT]
    octets = accumulate([one.size for one in small])
    small = [one for one, so_far in zip(small, octets, strict=True) if so_far <= CLAIM_OCTETS]
    found = await contents.read_all(tx, {one.content_id for one in small})
    for submission in small:
        content = found[submission.content_id]
        if content is None:
            claimed.damaged.add(submission.id)
        else:
            claimed.contents[submission.id] = content

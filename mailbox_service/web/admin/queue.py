"""The queue: what waits and why, and trying or giving up many at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from mailbox_service.core.errors import BadRequest, NotFound
from mailbox_service.core.queue_desk import DeskRow, QueueFilter
from mailbox_service.core.queue_words import gives_up_at, host_and_address, lines_of
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.queries import Limit
from mailbox_service.web.request import LONGEST_SEARCH, Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import wire_time
from mailbox_service.web.told import ToldRow, told_row

routes = Routes("admin queue")

DEFAULT_PAGE = 50
# Rows that somebody ticked by hand; whoever means more says which by a filter.
MOST_IDS = 1_000

Text = Annotated[str, Meta(max_length=LONGEST_SEARCH)]


class QueueQuery(Struct):
    """Which recipients are wanted."""

    state: Annotated[str, Meta(description="queued, deferred, sending or held; empty: all.")] = ""
    domain: Annotated[str, Meta(description="Exactly this domain of the recipient.")] = ""
    sender: Annotated[str, Meta(description="Part of the sender.")] = ""
    recipient: Annotated[str, Meta(description="Part of the recipient.")] = ""
    reason: Annotated[
        str, Meta(description="Part of the last reply; … in it stands for anything.")
    ] = ""
    limit: Limit = DEFAULT_PAGE
    before_id: Annotated[int | None, Meta(description="Only recipients before this id.")] = None


class WaitingRow(Struct, frozen=True):
    """A recipient that waits: queued, deferred, sending or held. `expires_at` is when it is given
    up; null for what is held."""

    id: int
    queue_id: str
    sender: str
    recipient: str
    subject: str
    state: str
    attempts: int
    next_attempt_at: str | None
    last_reply: str | None
    created_at: str
    expires_at: str | None
    size: int


class ReasonCount(Struct, frozen=True):
    """Recipients whose last reply says this; what differs from mail to mail is an ellipsis."""

    reply: str
    count: int


class DomainCount(Struct, frozen=True):
    """Recipients of a domain."""

    domain: str
    count: int


class QueueList(Struct, frozen=True):
    """A page, newest first; `count`, `reasons` and `domains` are of all that fits, and count
    fifty thousand at most."""

    results: list[WaitingRow]
    count: int
    reasons: list[ReasonCount]
    domains: list[DomainCount]
    next_before_id: int | None


class SaidLine(Struct, frozen=True):
    """A line of a conversation: said by `us` or `them`, or a `note` of what was seen."""

    by: str
    line: str


class AttemptMade(Struct, frozen=True):
    """One attempt at a recipient, and what was said in it. `outcome`: delivered, deferred or
    failed."""

    at: str
    host: str
    address: str
    outcome: str
    reply: str
    conversation: list[SaidLine]


class WaitingStory(WaitingRow, frozen=True):
    """A recipient with why it waits and what happens next, in sentences and as codes of the same
    order, and the newest hundred attempts, oldest first."""

    story: list[str]
    story_told: list[ToldRow]
    attempts_made: list[AttemptMade]


class ActFilter(Struct, frozen=True, forbid_unknown_fields=True):
    """Which recipients; an empty one means all that wait."""

    state: Text = ""
    domain: Text = ""
    sender: Text = ""
    recipient: Text = ""
    reason: Text = ""


class QueueAct(Struct, frozen=True):
    """Either the ids of recipients or a filter."""

    ids: Annotated[list[int], Meta(max_length=MOST_IDS)] | None = None
    filter: ActFilter | None = None


class Changed(Struct, frozen=True):
    """How many recipients were changed."""

    changed: int
    success: bool = True


read_act = msgspec.json.Decoder(QueueAct)


@routes.get("/admin/queue", ADMIN, query=QueueQuery, returns=QueueList)
async def list_queue(call: Call) -> QueueList:
    """What waits to be sent, newest first, with the most frequent reasons and domains."""
    limit = call.limit(DEFAULT_PAGE)
    wanted = filter_of(*(call.search_text(name) for name in ActFilter.__struct_fields__))
    page = await call.services.tending.page(wanted, limit=limit, before_id=call.number("before_id"))
    rows = [waiting_row(row) for row in page.rows]
    return QueueList(
        rows,
        page.count,
        [ReasonCount(*pair) for pair in page.reasons],
        [DomainCount(*pair) for pair in page.domains],
        rows[-1].id if len(rows) == limit else None,
    )


@routes.get("/admin/queue/{id}", ADMIN, returns=WaitingStory)
async def open_queue_row(call: Call) -> WaitingStory:
    """Why one recipient waits, what happens next, and the SMTP conversation of every attempt.
    Also of a recipient that waits no more."""
    recipient_id = call.path_id()
    if recipient_id is None:
        raise NotFound("There is no such recipient in the queue")
    opened = await call.services.tending.open(recipient_id)
    return WaitingStory(
        **msgspec.structs.asdict(waiting_row(opened.row)),
        story=[str(sentence) for sentence in opened.story],
        story_told=[told_row(sentence) for sentence in opened.story],
        attempts_made=[
            AttemptMade(
                wire_time(attempt.started_at),
                *host_and_address(attempt.remote),
                attempt.outcome,
                attempt.reply,
                [SaidLine(by, line) for by, line in lines_of(attempt.conversation)],
            )
            for attempt in opened.attempts
        ],
    )


@routes.post("/admin/queue/retry", ADMIN, body=QueueAct, returns=Changed)
async def retry_queue(call: Call) -> Changed:
    """Make it the turn of recipients that wait for a later one; held mail is let go."""
    tending = call.services.tending
    return await act(call, tending.retry, tending.retry_where)


@routes.post("/admin/queue/drop", ADMIN, body=QueueAct, returns=Changed)
async def drop_queue(call: Call) -> Changed:
    """Give recipients up; each sender here finds a notice of failure in the mailbox. What is
    being sent at this moment is left alone."""
    tending = call.services.tending
    return await act(call, tending.drop, tending.drop_where)


async def act(
    call: Call,
    by_ids: Callable[[Sequence[int]], Awaitable[int]],
    by_filter: Callable[[QueueFilter], Awaitable[int]],
) -> Changed:
    """Do something to recipients that are named in one of the two ways."""
    asked = await call.own_json(read_act)
    if (asked.ids is None) == (asked.filter is None):
        raise BadRequest("Say which by ids or by filter, and not by both")
    if asked.ids is not None:
        return Changed(await by_ids(asked.ids))
    assert asked.filter is not None
    return Changed(await by_filter(filter_of(*msgspec.structs.astuple(asked.filter))))


def filter_of(state: str, domain: str, sender: str, recipient: str, reason: str) -> QueueFilter:
    """A filter as people type it. No mail text has a NUL, and PostgreSQL takes none."""
    words = (state, domain.lower().strip("."), sender, recipient, reason)
    return QueueFilter(*(word.strip().replace("\0", "") for word in words))


def waiting_row(row: DeskRow) -> WaitingRow:
    """The wire form of a recipient."""
    recipient = row.recipient
    due, end = recipient.next_attempt_at, gives_up_at(recipient.state, row.queued_at)
    return WaitingRow(
        id=recipient.id,
        queue_id=row.queue_id,
        sender=row.sender,
        recipient=recipient.recipient,
        subject=row.subject,
        state=recipient.state,
        attempts=recipient.attempts,
        next_attempt_at=None if due is None else wire_time(due),
        last_reply=recipient.last_reply,
        created_at=wire_time(row.created_at),
        expires_at=None if end is None else wire_time(end),
        size=row.size,
    )

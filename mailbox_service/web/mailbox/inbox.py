"""The mailbox as our page and programs read it: light rows, one opened mail, marks, downloads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from mailbox_service.core.errors import BadRequest, NotFound
from mailbox_service.core.html import html_to_text, sanitise
from mailbox_service.core.origin_score import Score, score, with_score
from mailbox_service.core.parsing import ParsedMessage, parse, part_bytes
from mailbox_service.core.stored import Excerpt, StoredMessage
from mailbox_service.core.verdicts import field_value
from mailbox_service.web.answers import SUCCESS, Answer, Success
from mailbox_service.web.downloads import A_MESSAGE, OCTETS, attachment_answer, message_answer
from mailbox_service.web.errors import Uncaught
from mailbox_service.web.glances import Rows, page_answer
from mailbox_service.web.guards import MAILBOX
from mailbox_service.web.mailbox.mails import filters
from mailbox_service.web.queries import InboxQuery, OpenedQuery, WaitQuery
from mailbox_service.web.request import LARGEST_ID, Call, parse_int
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import (
    EMPTY_SUMMARY,
    BriefRow,
    HeaderRow,
    LightRow,
    PartRow,
    VerdictsRow,
    brief_row,
    light_row,
    part_row,
    verdicts_row,
)

routes = Routes("inbox")

DEFAULT_PAGE = 20
DEFAULT_WAIT = 30
LONGEST_WAIT = 60  # seconds; proxies cut silent answers soon after
MOST_MARKED = 1000  # mails marked by one request
LONGEST_FIELD = 2_000  # characters of a header value shown; the raw message has it whole
MOST_FIELDS = 500  # header fields shown


Id = Annotated[int, Meta(ge=1, lt=LARGEST_ID)]


class InboxPage(Struct, frozen=True):
    """A page of light rows. `unread` counts the whole mailbox."""

    results: list[LightRow]
    count: int
    unread: int
    next_before_id: int | None


class BriefPage(Struct, frozen=True):
    """A page of brief rows. `unread` counts the whole mailbox."""

    results: list[BriefRow]
    count: int
    unread: int
    next_before_id: int | None


class CountedInbox(Struct, frozen=True):
    """What stands behind the rows of a page."""

    count: int
    unread: int
    next_before_id: int | None


class OpenedMail(LightRow, frozen=True, kw_only=True):
    """A mail opened for reading: its light row, and everything that is inside.

    `html` is sanitised and belongs into a sandboxed frame; it had `remote_count` references to
    the web, which are gone unless they were asked for.
    """

    text: str
    html: str
    remote_count: int
    headers: list[HeaderRow]
    attachments: list[PartRow]
    reply_to: str
    cc: str
    in_reply_to: str
    references: str


class ScoreSign(Struct, frozen=True):
    """One thing that counts: `dmarc=fail`, `mixed-scripts` …"""

    name: str
    points: int


class Authentication(Struct, frozen=True):
    """Where a mail comes from: the words, and the value of an Authentication-Results field under
    the name of this host (RFC 8601). `score` is the sum of `signs`: the higher, the more speaks
    against the author. All null, and no signs, until it was found out."""

    verdicts: VerdictsRow | None
    authentication_results: str | None
    score: int | None
    signs: list[ScoreSign]


class Waited(Struct, frozen=True):
    """The mail that came; null when the time passed first."""

    mail: LightRow | None


class Marks(Struct, frozen=True):
    """Marks to set or clear; an absent one stays as it is."""

    seen: bool | None = None
    flagged: bool | None = None
    answered: bool | None = None


class MarkMany(Marks, frozen=True):
    """The same marks for several mails."""

    ids: Annotated[list[Id], Meta(max_length=MOST_MARKED)] = []


class Marked(Struct, frozen=True):
    """How many mails changed."""

    success: bool
    changed: int


read_marks = msgspec.json.Decoder(Marks)
read_mark_many = msgspec.json.Decoder(MarkMany)


@routes.get("/api/inbox", MAILBOX, query=InboxQuery, returns=InboxPage)
async def list_inbox(call: Call) -> Answer:
    """A page of light rows, newest first; behind `after_id` oldest first."""
    return await inbox_page(call, "light", lambda message, _: light_row(message))


@routes.get("/api/inbox/brief", MAILBOX, query=InboxQuery, returns=BriefPage)
async def list_inbox_briefly(call: Call) -> Answer:
    """The same page for slow lines and long lists: what a list shows, and nothing that is empty.
    Twenty common mails take some six kilobytes."""
    return await inbox_page(call, "brief", lambda message, _: brief_row(message))


async def inbox_page(
    call: Call, form: str, row: Callable[[StoredMessage, bytes], Struct]
) -> Answer:
    """A page of the mailbox in rows of a form, and where the next one begins."""
    limit = call.limit(DEFAULT_PAGE)
    after_id = call.number("after_id")
    glancing = call.services.glancing
    rows = Rows(glancing.shown, form)
    wanted = Excerpt(
        limit, before_id=call.number("before_id"), after_id=after_id, filters=filters(call)
    )
    glance = await glancing.page(call.address, rows.known, wanted, unread_counted=True)
    full = len(glance.states) == limit and after_id is None
    next_before_id = glance.states[-1][0] if full else None
    rest = CountedInbox(glance.count, glance.unread, next_before_id)
    return page_answer(rows.of(glance, row), rest)


@routes.get("/api/inbox/{id}", MAILBOX, query=OpenedQuery, returns=OpenedMail | None)
async def open_mail(call: Call) -> OpenedMail | None:
    """One mail opened for reading; null when it is not there. With `remote=1` its HTML keeps
    what it would load from the web."""
    return await read_mail(call, call.address)


async def read_mail(call: Call, address: str | None) -> OpenedMail | None:
    """The mail of the path in a mailbox, or in any for None, opened for reading."""
    mail_id = call.path_id()
    found = None if mail_id is None else await call.services.reading.content(address, mail_id)
    if found is None:
        return None
    allow_remote = call.switch("remote")
    return await asyncio.to_thread(lambda: opened_mail(*found, allow_remote=allow_remote))


def opened_mail(message: StoredMessage, raw: bytes, *, allow_remote: bool) -> OpenedMail:
    """Take a mail apart for reading."""
    parsed = parse(raw)
    safe = sanitise(parsed.html, allow_remote=allow_remote)
    light = msgspec.structs.asdict(light_row(message))
    return OpenedMail(
        **light
        | {
            # A mail that is HTML alone has words too: to quote, and for those who want only them.
            "text": parsed.text or html_to_text(safe.html),
            "html": safe.html,
            "remote_count": safe.remote_count,
            "headers": header_rows(parsed),
            "attachments": [part_row(part) for part in parsed.attachments],
            "reply_to": parsed.addresses("reply-to")[:LONGEST_FIELD],
            "cc": parsed.addresses("cc")[:LONGEST_FIELD],
            "in_reply_to": parsed.header("in-reply-to")[:LONGEST_FIELD],
            "references": parsed.header("references")[:LONGEST_FIELD],
        }
    )


def header_rows(parsed: ParsedMessage) -> list[HeaderRow]:
    """The header fields to show, within bounds; the raw message has them all."""
    return [HeaderRow(name, value[:LONGEST_FIELD]) for name, value in parsed.headers[:MOST_FIELDS]]


@routes.get("/api/mails/wait", MAILBOX, query=WaitQuery, returns=Waited)
async def wait_for_mail(call: Call) -> Waited:
    """Wait until a mail comes that fits, at most `timeout` seconds, and answer with it, its text,
    codes and links. Without `after_id` it must come from now on."""
    seconds = parse_int(call.query.get("timeout"), DEFAULT_WAIT)
    if seconds is None or not 0 <= seconds <= LONGEST_WAIT:
        raise BadRequest(f"timeout is not a number of seconds from 0 to {LONGEST_WAIT}")
    after_id, wanted = call.number("after_id"), filters(call)
    with call.streams.one_more(call.address):
        message = await call.streams.unless_closed(
            call.services.following.wait(
                call.address,
                after_id=after_id,
                filters=wanted,
                seconds=seconds,
                registration=call.principal.address_id,
            ),
            call.until_left(),
        )
    if message is None:
        return Waited(None)
    found = await call.services.reading.content(call.address, message.id)
    text = (await asyncio.to_thread(parse, found[1])).text if found else ""
    return Waited(light_row(message, text))


@routes.get("/api/mails/{id}/raw", MAILBOX, **A_MESSAGE)
async def download_mail(call: Call) -> Answer:
    """The message octet for octet as it is stored, as a file; with `score_header`, under fields
    that tell its score and where it comes from."""
    return mail_file(call, *await whole_mail(call, call.address))


def mail_file(call: Call, message: StoredMessage, raw: bytes) -> Answer:
    """A mail as a file."""
    if call.config.score_header:
        own_name = call.config.own_name
        raw = with_score(raw, score_of(call, message), message.verdicts, own_name)
    return message_answer(raw, f"mail-{message.id}.eml")


def score_of(call: Call, message: StoredMessage) -> Score | None:
    """The score of a mail; None until it was found out where it comes from."""
    if message.verdicts is None:
        return None
    summary = message.summary or EMPTY_SUMMARY
    return score(
        message.verdicts, summary.from_name, summary.from_address, call.config.served_domains
    )


@routes.get("/api/mails/{id}/authentication", MAILBOX, returns=Authentication)
async def mail_authentication(call: Call) -> Authentication:
    """Where a mail comes from, by SPF, DKIM, DMARC and ARC, as this host found it out itself."""
    mail_id = call.path_id()
    found = None if mail_id is None else await call.services.reading.one(call.address, mail_id)
    if found is None:
        raise NotFound("There is no such mail")
    scored = score_of(call, found)
    if found.verdicts is None or scored is None:
        return Authentication(None, None, None, [])
    value = field_value(call.config.own_name, found.verdicts.results)
    signs = [ScoreSign(name, points) for name, points in scored.signs]
    return Authentication(verdicts_row(found), value, scored.points, signs)


@routes.get("/api/mails/{id}/attachments/{index}", MAILBOX, **OCTETS)
async def download_attachment(call: Call) -> Answer:
    """One part of a mail, decoded, as a file; `index` is that of its row."""
    _, raw = await whole_mail(call, call.address)
    return await part_answer(call, raw)


async def part_answer(call: Call, raw: bytes) -> Answer:
    """The part of a message that the path names, as a file. Raises NotFound."""
    index = call.path_id("index")
    found = None if index is None else await asyncio.to_thread(find_part, raw, index)
    if found is None:
        raise NotFound("The mail has no such attachment")
    part, content = found
    return attachment_answer(content, part.filename, part.mime_type)


def find_part(raw: bytes, index: int) -> tuple[PartRow, bytes] | None:
    """A part of a message and its bytes."""
    for part in parse(raw).attachments:
        if part.index == index:
            return part_row(part), part_bytes(raw, index)
    return None


async def whole_mail(call: Call, address: str | None) -> tuple[StoredMessage, bytes]:
    """The mail of the path in a mailbox, or in any for None, with the octets that were accepted.
    Raises NotFound, and Uncaught when the disk has damaged them: an empty file would be taken for
    an empty mail."""
    mail_id = call.path_id()
    found = None if mail_id is None else await call.services.reading.content(address, mail_id)
    if found is None:
        raise NotFound("There is no such mail")
    message, raw = found
    if not raw:
        raise Uncaught("DamagedContent", "The stored content of this mail is damaged")
    return message, raw


@routes.patch("/api/mails/{id}", MAILBOX, body=Marks, returns=Success)
async def mark_mail(call: Call) -> Success:
    """Set or clear marks of one mail."""
    marks = await call.own_json(read_marks)
    mail_id = call.path_id()
    if mail_id is not None:
        await mark(call, [mail_id], marks)
    return SUCCESS


@routes.post("/api/mails/mark", MAILBOX, body=MarkMany, returns=Marked)
async def mark_mails(call: Call) -> Marked:
    """Set or clear the same marks of several mails."""
    marks = await call.own_json(read_mark_many)
    return Marked(True, await mark(call, marks.ids, marks))


async def mark(call: Call, ids: list[int], marks: Marks) -> int:
    """Change the marks; those of other mailboxes' mails stay as they are."""
    if not ids:
        return 0
    return await call.services.reading.mark(
        call.address, ids, seen=marks.seen, flagged=marks.flagged, answered=marks.answered
    )

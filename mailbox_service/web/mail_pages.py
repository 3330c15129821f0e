"""Pages of mails with their sources: whole while they are small, else mail by mail.

A hundred of the largest mails would take gigabytes. Of such a page one mail at a time is read,
written as JSON and sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from msgspec import Struct
from starlette.responses import Response

from mailbox_service.core.stored import StoredMessage
from mailbox_service.services.glancing import Glance
from mailbox_service.services.reading import Page, Reading
from mailbox_service.web.answers import JSON, Answer, encode_json
from mailbox_service.web.glances import Rows, page_answer
from mailbox_service.web.request import Call
from mailbox_service.web.slow_answers import Download, whole

# The row of a mail with its source.
MakeRow = Callable[[StoredMessage, bytes], Struct]


class Counted(Struct, frozen=True):
    """What stands behind the rows of a page."""

    count: int


async def mail_page(
    call: Call, page: Page, sources: Sequence[bytes] | None, row: MakeRow, *, reader: str
) -> Answer | Response:
    """A page of mails and their sources, if those could be held. `reader` is whose place among
    the open connections a large page takes."""
    rest = Counted(page.count)
    if sources is None:
        return mail_by_mail(call, page.messages, row, rest, reader=reader)
    both = list(zip(page.messages, sources, strict=True))
    # In a thread: other mail goes on meanwhile.
    rows = await asyncio.to_thread(lambda: [encode_json(row(*one)) for one in both])
    return page_answer(rows, rest)


def glance_page(call: Call, glance: Glance, rows: Rows, row: MakeRow) -> Answer | Response:
    """A page of a mailbox of which some rows were shown before."""
    rest = Counted(glance.count)
    if glance.contents is None:
        parts = [glance.kept.get(state) or glance.fresh[state[0]] for state in glance.states]
        return mail_by_mail(call, parts, row, rest, reader=call.address)
    return page_answer(rows.of(glance, row), rest)


def mail_by_mail(
    call: Call,
    parts: Sequence[bytes | StoredMessage],
    row: MakeRow,
    rest: Struct,
    *,
    reader: str,
) -> Answer | Response:
    """A large page of rows that are made, and of messages whose rows are not. A mail that is
    deleted before its turn is left out."""
    if call.method == "HEAD":
        return Answer(b"", JSON)
    call.streams.check(reader)
    pieces = written(call.services.reading, parts, row, rest)
    return Download(call, whole(call.streams, pieces), JSON.decode("ascii"), reader=reader)


async def written(
    reading: Reading, parts: Sequence[bytes | StoredMessage], row: MakeRow, rest: Struct
) -> AsyncIterator[bytes]:
    """A page as JSON, row by row."""
    before = b'{"results":['
    for part in parts:
        octets = part if isinstance(part, bytes) else await made(reading, part, row)
        if octets is not None:
            yield before + octets
            before = b","
    end = b"]," + encode_json(rest)[1:]
    yield end if before == b"," else before + end


async def made(reading: Reading, message: StoredMessage, row: MakeRow) -> bytes | None:
    """One row as JSON; None when the mail is gone."""
    source = await reading.source(message)
    if source is None:
        return None
    return await asyncio.to_thread(lambda: encode_json(row(message, source)))

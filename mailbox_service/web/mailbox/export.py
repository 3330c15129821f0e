"""A whole mailbox as one file."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from mailbox_service.core.errors import BadRequest, MailError, TemporaryFailure
from mailbox_service.core.filenames import safe_filename
from mailbox_service.services.exporting import EXTENSIONS, FORMATS, MEDIA_TYPES, Format
from mailbox_service.web.answers import Answer
from mailbox_service.web.downloads import SANDBOXED, named
from mailbox_service.web.guards import MAILBOX
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.streams import Streams

routes = Routes("export")
log = logging.getLogger("mailbox.web")

# A reader that takes nothing for this long is gone: one message on the slowest of links.
SEND_SECONDS = 60.0


class ExportQuery(Struct):
    """Which form is wanted."""

    format: Annotated[
        str, Meta(description="mbox (default), jsonl, or eml: single messages in a ZIP.")
    ] = "mbox"


class Download(StreamingResponse):
    """A file that is made while it is read, in one of the places that a mailbox, or whoever else
    reads, has for open connections."""

    def __init__(
        self, call: Call, content: AsyncIterator[bytes], media_type: str, *, reader: str
    ) -> None:
        super().__init__(content, media_type=media_type)
        self._streams, self._reader = call.streams, reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)

        with self._streams.one_more(self._reader):
            try:
                await super().__call__(scope, receive, in_time)
            except (TimeoutError, MailError) as error:
                # Without the end of its body the client knows that the file is not whole.
                log.info("export-ended reason=%s", type(error).__name__)


async def whole(streams: Streams, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """All pieces. Raises TemporaryFailure when the service stops before the last."""
    async for piece in streams.until_closed(pieces):
        yield piece
    if streams.closed:
        raise TemporaryFailure("The service stops.")


@routes.get(
    "/api/mails/export",
    MAILBOX,
    query=ExportQuery,
    returns=bytes,
    media_type=", ".join(MEDIA_TYPES.values()),
)
async def export_mails(call: Call) -> Answer | Response:
    """Every mail of the mailbox as one file, oldest first, while it is read: mbox for any mail
    program; jsonl, one object a line with marks and every octet; eml, a ZIP of the messages as
    they are. `mailbox import` reads each back."""
    wanted = call.query.get("format", "mbox")
    if wanted not in FORMATS:
        raise BadRequest(f"format is one of {', '.join(FORMATS)}")
    form: Format = wanted
    disposition = named(safe_filename(f"{call.address}.{EXTENSIONS[form]}"))
    headers = ((b"cache-control", b"no-store"), disposition, *SANDBOXED)
    if call.method == "HEAD":
        return Answer(b"", MEDIA_TYPES[form].encode("ascii"), headers=headers)
    call.streams.check(call.address)
    pieces = whole(call.streams, call.services.exporting.stream(call.address, form))
    answer = Download(call, pieces, MEDIA_TYPES[form], reader=call.address)
    answer.raw_headers.extend(headers)
    return answer

"""Answers that are made while they are read: nothing holds them whole."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from mailbox_service.core.errors import MailError, TemporaryFailure
from mailbox_service.web.request import Call
from mailbox_service.web.streams import Streams

log = logging.getLogger("mailbox.web")

# A reader that takes nothing for this long is gone: one message on the slowest of links.
SEND_SECONDS = 60.0
# Whose places administrators take, all together; the names of mailboxes have an `@`.
ADMINISTRATORS = "administrators"


class Download(StreamingResponse):
    """An answer that is made while it is read, in one of the places that a mailbox, or whoever
    else reads, has for open connections."""

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
                # Without the end of its body the client knows that it is not whole.
                log.info("download-ended reason=%s", type(error).__name__)


async def whole(streams: Streams, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """All pieces. Raises TemporaryFailure when the service stops before the last."""
    async for piece in streams.until_closed(pieces):
        yield piece
    if streams.closed:
        raise TemporaryFailure("The service stops.")

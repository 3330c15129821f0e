"""What happens to a mailbox, as Server-Sent Events (WHATWG HTML §9.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

from mailbox_service.services.reading import Position, Update
from mailbox_service.web.answers import encode_json
from mailbox_service.web.guards import MAILBOX
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import light_row

routes = Routes("events")

# A reader that takes nothing for this long is gone or stuck; what it has not read is in the
# table, and it comes back with the id of the last event it saw.
SEND_SECONDS = 30.0
# How long a client waits before it comes back after a cut.
RETRY_MS = 3_000


@routes.get("/api/events", MAILBOX, returns=str, media_type="text/event-stream")
async def stream_events(call: Call) -> EventSourceResponse:
    """New mail (`mail`: a light row), the fate of sent mail (`sent`), marks (`flags`) and
    deletions (`deleted`), as they happen. Resumes behind `Last-Event-ID`. The token goes into
    the header, never into the address: read the stream with `fetch`."""
    reading = call.services.reading
    last = (call.header(b"last-event-id") or "")[:64]
    start = Position.read(last) or await reading.position(call.address)
    call.streams.check(call.address)
    return MailboxStream(call, frames(call, reading.updates(call.address, start), start))


class MailboxStream(EventSourceResponse):
    """A stream that holds one of the places of its mailbox for as long as it lasts."""

    def __init__(self, call: Call, content: AsyncIterator[ServerSentEvent]) -> None:
        super().__init__(content, ping=0, send_timeout=SEND_SECONDS)
        self._streams, self._address = call.streams, call.address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.one_more(self._address):
            await super().__call__(scope, receive, send)


async def frames(
    call: Call, updates: AsyncIterator[Update | None], start: Position
) -> AsyncIterator[ServerSentEvent]:
    """One frame an update, pulled only as fast as the client reads."""
    yield ServerSentEvent(comment="open", id=str(start), retry=RETRY_MS)
    async for update in call.streams.until_closed(updates):
        yield frame(update)


def frame(update: Update | None) -> ServerSentEvent:
    """One update as the client reads it; nothing new is a comment, which keeps proxies awake."""
    if update is None:
        return ServerSentEvent(comment="ping")
    kind, data = content_of(update)
    return ServerSentEvent(encode_json(data).decode(), event=kind, id=str(update.position))


def content_of(update: Update) -> tuple[str, Any]:
    """The name and the data of an update."""
    if update.message is not None:
        return "mail", light_row(update.message)
    assert update.event is not None
    return update.event.kind, update.event.detail

"""What happens to a mailbox, as Server-Sent Events (WHATWG HTML §9.2)."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from mailbox_service.core.errors import MailError
from mailbox_service.services.following import Position, Update
from mailbox_service.web.answers import encode_json
from mailbox_service.web.guards import MAILBOX
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import light_row

log = logging.getLogger("mailbox.web")

routes = Routes("events")

# A reader that takes nothing for this long is gone or stuck; what it has not read is in the
# table, and it comes back with the id of the last event it saw.
SEND_SECONDS = 30.0
# How long a client waits before it comes back after a cut.
RETRY_MS = 3_000


@routes.get("/api/events", MAILBOX, returns=str, media_type="text/event-stream")
async def stream_events(call: Call) -> EventSourceResponse:
    """New mail (`mail`: a light row), the fate of sent mail (`sent`), marks (`flags`) and
    deletions (`deleted`), as they happen. Resumes behind `Last-Event-ID`, and ends when the
    address is closed or handed over, or its tokens are revoked. The token goes into
    the header, never into the address: read the stream with `fetch`."""
    following = call.services.following
    last = (call.header(b"last-event-id") or "")[:64]
    start = Position.read(last) or await following.position(call.address)
    call.streams.check(call.address)
    updates = following.updates(call.address, start, registration=call.principal.address_id)
    return MailboxStream(call, frames(call, updates, start))


class MailboxStream(EventSourceResponse):
    """A stream that holds one of the places of its mailbox for as long as it lasts."""

    def __init__(self, call: Call, content: AsyncIterator[ServerSentEvent]) -> None:
        super().__init__(content, ping=0, send_timeout=SEND_SECONDS)
        self._streams, self._address = call.streams, call.address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.one_more(self._address):
            try:
                await super().__call__(scope, receive, send)
            except (SendTimeoutError, MailError) as error:
                # The connection is cut; the client comes back and goes on where it was.
                log.info("stream-ended reason=%s", type(error).__name__)


async def frames(
    call: Call, updates: AsyncIterator[Update | None], start: Position
) -> AsyncIterator[ServerSentEvent]:
    """One frame an update, pulled only as fast as the client reads."""
    yield ServerSentEvent(comment="open", id=str(start), retry=RETRY_MS)
    async for update in call.streams.until_closed(updates):
        if update is None:
            yield ServerSentEvent(comment="ping")  # keeps the proxies in between awake
        elif (told := told_of(update)) is not None:
            kind, data = told
            yield ServerSentEvent(encode_json(data).decode(), event=kind, id=str(update.position))


def told_of(update: Update) -> tuple[str, Any] | None:
    """The name and the data of an update, None when it is not for the owner's eyes.

    Whatever becomes of a recipient is `sent`; its state is in the data.
    """
    if update.message is not None:
        return "mail", light_row(update.message)
    event = update.event
    if event is None:
        return None
    if event.submission_id is None:
        return event.kind, event.detail
    return ("sent", event.detail) if "recipient_state" in event.detail else None

"""One request and its answer on a connection: uvicorn's, less what a small request does not need.

uvicorn's own ties itself to the scope that it hands out, so that each request is a circle which
the collector has to find; makes nine headers into lines one by one; and has a callback of the
loop for the end of its task. Here an exchange lets go of its scope when it ends, an answer that
is whole leaves in one step, and the task takes itself off the list. And what is asked again and
again may go a short way: past scope, task and application, which are half of what such a request
costs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from mailbox_service.web.answers import WHOLE

if TYPE_CHECKING:
    from mailbox_service.web.server import BoundedProtocol

log = logging.getLogger("mailbox.web")


CLOSING = b"connection: close\r\n"


def nothing() -> None:
    """What an answer calls that nobody waits for."""


class Written:
    """The server's own header fields as they leave; it makes them anew every second."""

    fields: ClassVar[list[tuple[bytes, bytes]]] = []
    lines: ClassVar[bytes] = b""


def lines_of(fields: list[tuple[bytes, bytes]]) -> bytes:
    """The server's own header fields as they leave."""
    if Written.fields is not fields:
        Written.lines = b"".join([b"%b: %b\r\n" % field for field in fields])
        Written.fields = fields
    return Written.lines


# Answers a request whose body is here by `send_short`, now or later; False: it did nothing, and
# the application is to answer. What it finds out later that it cannot answer it may still
# `hand_over`.
ShortWay = Callable[["Exchange"], bool]
# Where `hand_over` leaves a note for the application, in the state of the scope.
NOTE = "mailbox.note"


class Exchange(RequestResponseCycle):
    """A request that is being read, and the answer to it."""

    def __init__(
        self,
        connection: BoundedProtocol,
        scope: Any,
        *,
        keep_alive: bool,
        continues: bool,
        head_octets: int = 0,
    ) -> None:
        # uvicorn's, attribute by attribute: its constructor takes eleven arguments by name.
        self.scope = scope
        self.transport = connection.transport
        self.flow = connection.flow
        self.logger = connection.logger
        self.access_log = False
        self.default_headers = connection.server_state.default_headers
        self.on_response = connection.on_response_complete
        self.disconnected = False
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = continues
        self.body = bytearray()
        self.more_body = True
        self.response_started = False
        self.response_complete = False
        self.chunked_encoding: bool | None = None
        self.expected_content_length = 0
        self._tasks = connection.tasks
        self._task: asyncio.Task[None] | None = None
        self._app: ASGIApp | None = None
        self._news: asyncio.Event | None = None
        # What was read until the head was whole; it may be more than the head.
        self.head_octets = head_octets

    @property
    def message_event(self) -> asyncio.Event:  # type: ignore[override]
        """What whoever reads the body waits for; nobody does on a short way."""
        if self._news is None:
            self._news = asyncio.Event()
            if self.body or not self.more_body or self.disconnected:
                self._news.set()
        return self._news

    def tell_receiver(self) -> None:
        """There is more of the body, or its end."""
        if self._news is not None:
            self._news.set()

    def go(self, short: ShortWay, app: ASGIApp, loop: asyncio.AbstractEventLoop) -> None:
        """Answer by a short way, or have the application answer."""
        self._app = app
        try:
            taken = short(self)
        except Exception as error:
            log.error("request-failed on the short way", exc_info=error)
            taken = False
        if not taken:
            self.begin(app, loop)

    def hand_over(self, note: object) -> None:
        """The application shall answer after all, and know this."""
        if not self.disconnected and self._app is not None:
            self.scope["state"][NOTE] = note
            self.begin(self._app, asyncio.get_running_loop())

    def begin(self, app: ASGIApp, loop: asyncio.AbstractEventLoop) -> None:
        """Have the application answer, from the next turn of the loop on."""
        scope: Any = self.scope
        scope["extensions"] = {WHOLE: self.send_whole}
        self._task = loop.create_task(self.run_asgi(app))
        self._tasks.add(self._task)

    async def run_asgi(self, app: Any) -> None:
        """Let the application answer, and answer for it when it fails."""
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            self.transport.close()
            raise
        except Exception as error:
            log.error("request-failed in the application", exc_info=error)
            await self._fail()
        else:
            if not self.response_complete and not self.disconnected:
                log.error("a request was left without an answer")
                await self._fail()
        finally:
            self.on_response = nothing
            self.scope.pop("extensions", None)  # it leads back here
            if self._task is not None:
                self._tasks.discard(self._task)
                self._task = None

    def send_short(self, lines: bytes, body: bytes) -> None:
        """Send 200 with these header fields, as they leave, and this body. Whoever made them
        knows that there is nothing in them that may not be, and that they name the length."""
        if self.disconnected:
            return
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        closing = b"" if self.keep_alive else CLOSING
        written = lines_of(self.default_headers)
        self.transport.write_whole(  # type: ignore[attr-defined]
            b"HTTP/1.1 200 OK\r\n%b%b%b\r\n%b" % (written, closing, lines, body)
        )
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        self.on_response = nothing

    async def _fail(self) -> None:
        if self.response_started:
            self.transport.close()
        else:
            await self.send_500_response()

    def send_whole(
        self, status: int, lines: bytes, headers: Iterable[tuple[bytes, bytes]], body: bytes
    ) -> bool:
        """Send a whole answer in one step: what uvicorn does with the two messages of ASGI, less
        what cannot be. `lines` are header fields as they leave, each with its line end; `headers`
        further ones. One of them names the length. False when it has to go the long way: somebody
        has begun to answer, or the client does not read.
        """
        if self.response_started or self.flow.write_paused:
            return False
        if self.disconnected:
            return True
        pieces = [STATUS_LINE[status]]
        for name, value in self.default_headers:
            pieces += (name, b": ", value, b"\r\n")
        count = len(pieces) // 4 + 1
        closes = False
        for name, value in headers:
            pieces += (name, b": ", value, b"\r\n")
            count += 1
            if name == b"connection" and value == b"close":
                closes = True
        if closes:
            self.keep_alive = False
        elif not self.keep_alive:
            pieces.append(b"connection: close\r\n")
            count += 1
        head = b"".join(pieces)
        if head.count(b"\r") != count or head.count(b"\n") != count or b"\0" in head:
            raise RuntimeError("a header field of an answer holds a control character")
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write_whole(b"%b%b\r\n%b" % (head, lines, body))  # type: ignore[attr-defined]
        self.tell_receiver()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True

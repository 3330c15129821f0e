"""One connection to a next hop: commands out, replies in, within limits of time and memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence

from mailbox_service.core.delivery import Reply
from mailbox_service.outbound.hops import Timeouts
from mailbox_service.outbound.replies import BadReply, ReplyReader

# Content goes out in pieces, so that one large message neither fills memory nor holds the loop.
PIECE = 262_144


class Lost(Exception):
    """The connection ended, or the peer stopped speaking SMTP; the text says how."""


class Session(asyncio.Protocol):
    """A connection that has been greeted, and logged in where that is wanted."""

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        remote: str,
        extensions: Mapping[str, str],
        opening: Sequence[str],
        timeouts: Timeouts,
    ) -> None:
        self.remote = remote
        self.messages = 0
        self._transport = transport
        self._extensions = extensions
        self._opening = list(opening)
        self.timeouts = timeouts
        self._reader = ReplyReader()
        self._replies: deque[Reply] = deque()
        self._owed = 0
        self._waiter: asyncio.Future[None] | None = None
        self._lost: str | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._loop = asyncio.get_running_loop()

    # What the transport tells.

    def data_received(self, data: bytes) -> None:
        try:
            replies = self._reader.feed(data)
        except BadReply as error:
            self._end(f"the server sent {error}")
            return
        self._owed -= len(replies)
        if self._owed < 0:
            # 421 before closing is polite (RFC 5321 §3.8); anything else is out of step.
            last = replies[-1]
            self._end(f"the server said {last}" if last.code == 421 else "out of step")
            return
        self._replies.extend(replies)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def eof_received(self) -> bool:
        self._end("the server closed the connection")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._end("the connection was reset" if error else "the server closed the connection")

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    # The life of the connection.

    @property
    def usable(self) -> bool:
        """Whether another transaction may be tried on this connection."""
        return self._lost is None and self._owed == 0 and not self._transport.is_closing()

    def offers(self, extension: str) -> bool:
        """Whether the server offered an extension, named in lower case."""
        return extension in self._extensions

    @property
    def size_limit(self) -> int | None:
        """The largest message that the server takes, when it says so (RFC 1870)."""
        text = self._extensions.get("size", "")
        return int(text) or None if text.isascii() and text.isdigit() else None

    def quit(self) -> None:
        """Take leave without waiting for an answer."""
        if self.usable:
            self._transport.write(b"QUIT\r\n")
        self._end("we closed the connection")

    def abort(self) -> None:
        """Cut the connection, with whatever is still to be written."""
        self._end("we gave up", cut=True)

    def _end(self, reason: str, *, cut: bool = False) -> None:
        if self._lost is None:
            self._lost = reason
            self._transport.close()
        if cut:
            self._transport.abort()
        self._may_write.set()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # Talking.

    def command(self, *lines: str) -> None:
        """Send commands, each of which will be answered."""
        data = "".join(f"{line}\r\n" for line in lines).encode()
        if data.count(b"\n") != len(lines) or data.count(b"\r") != len(lines):
            raise ValueError("a command with a line end in it")
        self._owed += len(lines)
        self._transport.write(data)

    async def content(self, payload: bytes) -> bool:
        """Send content with its end mark, which will be answered.

        False when the server answered before it had it all; the connection is of no further
        use then. Raises Lost.
        """
        self._owed += 1
        if len(payload) <= PIECE:
            self._transport.write(payload)
            return True
        view = memoryview(payload)
        for start in range(0, len(payload), PIECE):
            if self._lost is not None:
                raise Lost(self._lost)
            if self._replies:
                return False
            self._transport.write(view[start : start + PIECE])
            try:
                async with asyncio.timeout(self.timeouts.block):
                    await self._may_write.wait()
            except TimeoutError:
                self._end("the server stopped reading", cut=True)
        return True

    async def reply(self, seconds: float) -> Reply:
        """The next reply. Raises Lost, also when none comes in time."""
        if self._replies:
            return self._replies.popleft()
        timer = self._loop.call_later(seconds, self._time_out, seconds)
        try:
            while not self._replies:
                if self._lost is not None:
                    raise Lost(self._lost)
                self._waiter = self._loop.create_future()
                await self._waiter
            return self._replies.popleft()
        finally:
            timer.cancel()
            self._waiter = None

    def _time_out(self, seconds: float) -> None:
        self._end(f"no reply within {seconds:g} seconds", cut=True)

    def head(self) -> list[str]:
        """How the conversation began, as far as the next message is concerned."""
        if self.messages == 0:
            return self._opening
        return [self._opening[0], f"* message {self.messages + 1} on this connection"]

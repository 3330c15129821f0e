"""One connection that is spoken to in lines: IMAP and POP3 stand on it.

asyncio's own streams cannot begin TLS without carrying over what a peer sent in the clear before
(hazard 8), and do not tell a line from an endless one. Here what waits to be read is bounded,
every wait has a limit, and STARTTLS forgets whatever came with it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

# What may wait to be read before the peer is held back; a line or a literal may be longer.
UNREAD = 64 * 1024


class Gone(Exception):
    """The peer closed the connection."""


class TooLong(Exception):
    """A line without end."""


class Wire(asyncio.Protocol):
    """Reads lines and counted octets, and writes as fast as the peer reads."""

    def __init__(self, opened: Callable[[Wire], None]) -> None:
        self._opened = opened
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._paused = False
        self._more = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._lost = asyncio.Event()
        self._ended = False
        self.ip = ""
        self.port = 0
        self.tls = False

    # --- what asyncio calls -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is of no class of asyncio's
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.ip, self.port = str(peer[0]), int(peer[1])
        self.tls = transport.get_extra_info("ssl_object") is not None
        self._opened(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._more.set()
        if len(self._buffer) > UNREAD and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._ended = True
        self._more.set()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._ended = True
        self._more.set()
        self._may_write.set()
        self._lost.set()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    # --- reading ----------------------------------------------------------------------------

    async def line(self, longest: int, seconds: float) -> bytes:
        """The next line without its end. Raises TooLong, Gone, or TimeoutError when it is not
        whole within `seconds`."""
        looked_at = 0
        async with asyncio.timeout(seconds):
            while True:
                end = self._buffer.find(b"\n", looked_at)
                if end > longest or (end < 0 and len(self._buffer) > longest):
                    raise TooLong
                if end >= 0:
                    line = bytes(self._buffer[:end])
                    self._take(end + 1)
                    return line.removesuffix(b"\r")
                looked_at = len(self._buffer)
                await self._wait()

    async def octets(self, count: int, seconds: float) -> bytes:
        """The next `count` octets. Raises Gone or TimeoutError."""
        parts: list[bytes] = []
        async with asyncio.timeout(seconds):
            while count:
                part = bytes(self._buffer[:count])
                if not part:
                    await self._wait()
                    continue
                self._take(len(part))
                count -= len(part)
                parts.append(part)
        return b"".join(parts)

    async def skip(self, count: int, seconds: float) -> None:
        """Let `count` octets go by. Raises Gone or TimeoutError."""
        async with asyncio.timeout(seconds):
            while count:
                part = min(count, len(self._buffer))
                if not part:
                    await self._wait()
                    continue
                self._take(part)
                count -= part

    def _take(self, count: int) -> None:
        del self._buffer[:count]
        if self._paused and len(self._buffer) <= UNREAD and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    async def _wait(self) -> None:
        if self._ended:
            raise Gone
        self._more.clear()
        if self._paused and self._transport is not None:  # a line longer than what may wait
            self._paused = False
            self._transport.resume_reading()
        await self._more.wait()

    # --- writing ----------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Write without waiting; follow many octets with `flushed`."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    async def flushed(self, seconds: float) -> None:
        """Wait until the peer has taken nearly all. Raises Gone or TimeoutError."""
        async with asyncio.timeout(seconds):
            await self._may_write.wait()
        if self._lost.is_set():
            raise Gone

    # --- TLS and the end --------------------------------------------------------------------

    async def start_tls(self, context: ssl.SSLContext, seconds: float) -> None:
        """Go on encrypted; what the peer sent before the handshake is forgotten (hazard 8).
        Raises Gone when there was any, or when the handshake fails."""
        assert self._transport is not None
        if self._buffer:
            raise Gone
        loop = asyncio.get_running_loop()
        try:
            transport = await loop.start_tls(
                self._transport,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=seconds,
            )
        except (OSError, ssl.SSLError) as error:
            raise Gone from error
        if transport is None:
            raise Gone
        self._transport = transport
        self.tls = True

    async def close(self, linger: float) -> None:
        """Close once all is written, or after `linger` seconds."""
        if self._transport is None:
            return
        self._transport.close()
        try:
            async with asyncio.timeout(linger):
                await self._lost.wait()
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

"""A load generator for submission, where smtp-source cannot log in.

It speaks as `smtplib` does: one command, one reply, no pipelining. Every server gets the same
dialog, but for AUTH where there is one.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import uvloop

SESSIONS = 20
LIMIT_SECONDS = 120


@dataclass(frozen=True)
class Author:
    """Who sends in one session, and the token to log in with; none: no AUTH."""

    address: str
    token: str = ""


def content(author: str, octets: int) -> bytes:
    """A letter of about so many octets, with the dot that ends it."""
    head = (
        f"From: <{author}>\r\nTo: <you@example.org>\r\nSubject: Figures\r\n"
        "Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <bench@{author.partition('@')[2]}>\r\n\r\n"
    ).encode()
    line = b"x" * 70 + b"\r\n"
    return head + line * ((octets - len(head)) // len(line)) + b".\r\n"


def dialog(author: Author, messages: int, octets: int) -> list[tuple[bytes, bytes]]:
    """What one connection says, each with the reply it must get."""
    said = [(b"EHLO client.example\r\n", b"250")]
    if author.token:
        plain = base64.b64encode(f"\0jwt\0{author.token}".encode())
        said.append((b"AUTH PLAIN " + plain + b"\r\n", b"235"))
    message = [
        (f"MAIL FROM:<{author.address}>\r\n".encode(), b"250"),
        (b"RCPT TO:<you@example.org>\r\n", b"250"),
        (b"DATA\r\n", b"354"),
        (content(author.address, octets), b"250"),
    ]
    return said + message * messages + [(b"QUIT\r\n", b"221")]


class Connections:
    """How many connections are still to be opened."""

    def __init__(self, count: int) -> None:
        self.left = count

    def take(self) -> bool:
        self.left -= 1
        return self.left >= 0


class Session(asyncio.Protocol):
    """One connection, from greeting to QUIT; `ended` has the reply that was wrong, if any."""

    def __init__(self, said: Sequence[tuple[bytes, bytes]]) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._said = iter(said)
        self._expected = b"220"
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop has classes of its own

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if self._heard[-1:] != b"\n":
            return
        last = self._heard[self._heard.rfind(b"\n", 0, -1) + 1 :]
        if last[3:4] == b"-":
            return
        if last[:3] != self._expected:
            self._end(RuntimeError(f"expected {self._expected!r}, got {self._heard!r}"))
            return
        self._heard = b""
        step = next(self._said, None)
        if step is None:
            self._end(None)
            return
        command, self._expected = step
        self._transport.write(command)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or ConnectionError("the server closed the connection"))

    def _end(self, error: Exception | None) -> None:
        self._transport.close()
        if not self.ended.done():
            if error is None:
                self.ended.set_result(None)
            else:
                self.ended.set_exception(error)


async def one_session(port: int, said: Sequence[tuple[bytes, bytes]], work: Connections) -> None:
    """One connection after the other, until none is left."""
    loop = asyncio.get_running_loop()
    while work.take():
        _, session = await loop.create_connection(lambda: Session(said), "127.0.0.1", port)
        await session.ended


def send(
    port: int, authors: Sequence[Author], count: int, *, per_connection: int, octets: int
) -> float:
    """Send messages in as many sessions as there are authors; the seconds it took.

    `count` is a multiple of `per_connection`. Raises RuntimeError for a wrong reply.
    """
    dialogs = [dialog(author, per_connection, octets) for author in authors]
    work = Connections(count // per_connection)

    async def all_sessions() -> None:
        async with asyncio.timeout(LIMIT_SECONDS), asyncio.TaskGroup() as group:
            for said in dialogs:
                group.create_task(one_session(port, said, work))

    started = time.perf_counter()
    uvloop.run(all_sessions())
    return time.perf_counter() - started

"""A sender that never lets go: it sends numbered mails as fast as the door takes them, comes back
when the service was away, and knows for certain what was acknowledged."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field

CONNECTIONS = 6
COMES_BACK_SECONDS = 0.05
# Octets; small ones to be many, some that take several reads and pages.
SIZES = (300, 300, 2_000, 9_000, 70_000)


def letter(number: int) -> bytes:
    """The mail of a number; every octet of it follows from that number."""
    # Words, for a mail full of numbers is looked through for codes at length.
    word = "".join("abcdefghij"[int(digit)] for digit in str(number))
    line = f"{word} ".encode() * 10 + b"\r\n"
    body = line * (SIZES[number % len(SIZES)] // len(line) + 1)
    head = f"From: <flood@sender.example>\r\nSubject: flood-{number}\r\n\r\n"
    return head.encode() + body


@dataclass
class Flood:
    """`boxes` get the mails in turn, every tenth goes to two of them. Runs in a thread from
    `start` until `wanted` mails are acknowledged or `stop` is called."""

    port: int
    boxes: list[str]
    wanted: int
    acknowledged: set[int] = field(default_factory=set)
    tried: set[int] = field(default_factory=set)
    cut_off: int = 0
    _thread: threading.Thread | None = None

    def recipients(self, number: int) -> list[str]:
        """Who gets the mail of a number."""
        first = number % len(self.boxes)
        return [
            self.boxes[first],
            *([self.boxes[(first + 1) % len(self.boxes)]] if number % 10 == 0 else ()),
        ]

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(self._connections())

    async def _connections(self) -> None:
        """One connection after the other."""
        while len(self.acknowledged) < self.wanted:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(COMES_BACK_SECONDS)
                continue
            try:
                await self._transactions(reader, writer)
            except (OSError, EOFError):
                self.cut_off += 1
            finally:
                writer.transport.abort()

    async def _transactions(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Transactions on one connection; a content and the next commands go out together."""
        await reply(reader, 220)
        writer.write(b"EHLO flood.test\r\n")
        await reply(reader, 250)
        waiting: int | None = None
        while waiting is not None or len(self.acknowledged) < self.wanted:
            number = None
            if len(self.acknowledged) < self.wanted:
                number = len(self.tried)
                self.tried.add(number)
                to = "".join(f"RCPT TO:<{box}>\r\n" for box in self.recipients(number))
                writer.write(f"MAIL FROM:<flood@sender.example>\r\n{to}DATA\r\n".encode())
            if waiting is not None:
                await reply(reader, 250)
                self.acknowledged.add(waiting)
            waiting = number
            if number is None:
                return
            for _ in range(1 + len(self.recipients(number))):
                await reply(reader, 250)
            await reply(reader, 354)
            writer.write(letter(number) + b".\r\n")


async def reply(reader: asyncio.StreamReader, expected: int) -> None:
    """Read one reply. Raises EOFError when the service is gone or says that it is going."""
    while True:
        line = await reader.readline()
        if not line.endswith(b"\n") or line.startswith((b"421", b"451")):
            raise EOFError
        if line[3:4] != b"-":
            assert int(line[:3]) == expected, line
            return

"""A client that says exactly what it is told, one octet off or not."""

from __future__ import annotations

import asyncio
import ssl
from types import TracebackType

PATIENCE = 10.0  # seconds until a test is told that a reply did not come


class Wire:
    """A connection to a door. `ask` sends a line and gives the whole reply as text."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(
        cls, address: tuple[str, int], *, tls: ssl.SSLContext | None = None, greet: bool = True
    ) -> Wire:
        wire = cls(*await asyncio.open_connection(*address, ssl=tls))
        if greet:
            greeting = await wire.reply()
            assert greeting.startswith("220 "), greeting
        return wire

    async def __aenter__(self) -> Wire:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.writer.transport.abort()

    def send(self, data: bytes | str) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)

    async def line(self) -> str:
        data = await asyncio.wait_for(self.reader.readline(), PATIENCE)
        assert data == b"" or data.endswith(b"\r\n"), data
        return data.decode("ascii").removesuffix("\r\n")

    async def reply(self) -> str:
        """One reply, its lines joined by newlines; empty when the door has closed."""
        lines = [await self.line()]
        while lines[-1][3:4] == "-":
            lines.append(await self.line())
        return "\n".join(lines)

    async def ask(self, line: str) -> str:
        self.send(line + "\r\n")
        return await self.reply()

    async def closed(self) -> bool:
        """Whether the door closes without another word."""
        try:
            return await asyncio.wait_for(self.reader.read(1), PATIENCE) == b""
        except ConnectionError:
            return True

    async def start_tls(self, context: ssl.SSLContext) -> None:
        await asyncio.wait_for(self.writer.start_tls(context, server_hostname="localhost"), 10)

    async def transaction(
        self, content: bytes, *recipients: str, sender: str = "far@away.test"
    ) -> str:
        """MAIL, RCPT, DATA and the content; the reply to its end."""
        assert (await self.ask(f"MAIL FROM:<{sender}>")).startswith("250")
        for recipient in recipients:
            assert (await self.ask(f"RCPT TO:<{recipient}>")).startswith("250")
        assert (await self.ask("DATA")).startswith("354")
        self.send(content + b".\r\n")
        return await self.reply()

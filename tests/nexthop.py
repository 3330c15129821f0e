"""A next hop for tests: a real SMTP server on loopback that misbehaves by name.

Recipients choose what happens to them by their local part, before the `@`:

    refused        550 at RCPT               deferred       451 at RCPT
    slow           no answer at RCPT until `release` is set
    closing        421 at RCPT, and the connection is closed
    endless        a reply line without end  multiline      a reply with lines without end
    refused-dot    554 after the final dot   deferred-dot   451 after the final dot
    silent         no answer after the dot   dropped        closed without an answer after the dot
    reset          250 after the dot, then the connection is reset

Anybody else is accepted. What the whole server does is told by its settings.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import ssl
import struct
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

EXTENSIONS = ("PIPELINING", "SIZE 10485760", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
AT_RCPT = {
    "refused": "550 5.1.1 No such user",
    "deferred": "451 4.7.1 Greylisted, come back later",
}
AT_DOT = {
    "refused-dot": "554 5.7.1 Looks like spam",
    "deferred-dot": "451 4.3.2 Disk is being changed",
}


@dataclass(frozen=True)
class Taken:
    """A message that the server said 250 to, or was sent whole."""

    reverse_path: str
    recipients: tuple[str, ...]
    content: bytes
    connection: int
    encrypted: bool
    parameters: str


@dataclass
class NextHop:
    """The server. Its settings may be changed between connections."""

    extensions: Sequence[str] = EXTENSIONS
    name: str = "mx.next.test"
    greeting: str = ""
    knows_ehlo: bool = True
    tls: ssl.SSLContext | None = None
    starttls_reply: bytes = b"220 2.0.0 Go ahead\r\n"
    login: tuple[str, str] | None = None
    mail_reply: str = "250 2.1.0 Ok"
    hangs_up_between: bool = False
    # QUIT is answered once `release` is set.
    slow_to_leave: bool = False
    close_after: int = 1_000_000
    taken: list[Taken] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    written: int = 0
    port: int = 0
    release: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    empty: asyncio.Event = field(default_factory=asyncio.Event)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def wait_for(self, count: int) -> list[Taken]:
        """Wait until that many messages came."""
        async with asyncio.timeout(20), self.came:
            await self.came.wait_for(lambda: len(self.taken) >= count)
        return self.taken

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.at_once += 1
        self.empty.clear()
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await Conversation(self, reader, writer, self.connections).run()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self.at_once -= 1
            if not self.at_once:
                self.empty.set()
            writer.close()
            # After a TLS handshake that failed nobody tells the stream that it is closed.
            with contextlib.suppress(Exception):
                async with asyncio.timeout(1.0):
                    await writer.wait_closed()


class Conversation:
    """One connection."""

    def __init__(
        self,
        server: NextHop,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        number: int,
    ) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer
        self.number = number
        self.encrypted = False
        self.messages = 0
        self.reset()

    def reset(self) -> None:
        self.reverse_path: str | None = None
        self.parameters = ""
        self.recipients: list[str] = []

    async def say(self, line: str | bytes) -> None:
        data = line if isinstance(line, bytes) else f"{line}\r\n".encode()
        self.writer.write(data)
        await self.writer.drain()

    async def run(self) -> None:
        server = self.server
        greeting = server.greeting or f"220 {server.name} ESMTP test"
        await self.say(greeting)
        if not greeting.startswith("220"):
            return
        while True:
            raw = await self.reader.readline()
            if not raw:
                return
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            server.commands.append(line)
            verb = line.split(" ", 1)[0].upper()
            if verb == "QUIT":
                if server.slow_to_leave:
                    server.waiting.set()
                    await server.release.wait()
                await self.say("221 2.0.0 Bye")
                return
            if not await self.answer(verb, line):
                return

    async def answer(self, verb: str, line: str) -> bool:
        """Answer a command; False ends the connection."""
        server = self.server
        match verb:
            case "EHLO" if server.knows_ehlo:
                offers = list(server.extensions)
                if server.tls is not None and not self.encrypted:
                    offers.append("STARTTLS")
                if server.login is not None:
                    offers.append("AUTH PLAIN LOGIN")
                lines = [f"{server.name} at your service", *offers]
                text = [f"250-{one}" for one in lines[:-1]] + [f"250 {lines[-1]}"]
                await self.say("\r\n".join(text))
            case "HELO":
                await self.say(f"250 {server.name}")
            case "STARTTLS" if server.tls is not None:
                await self.say(server.starttls_reply)
                await self.writer.start_tls(server.tls)
                self.encrypted = True
                self.reset()
            case "AUTH" if server.login is not None:
                await self.say(await self.check_login(line))
            case "MAIL":
                if self.messages >= server.close_after:
                    await self.say("421 4.7.0 Enough for this connection")
                    return False
                if self.reverse_path is not None:
                    await self.say("503 5.5.1 Nested MAIL command")
                    return True
                await self.say(server.mail_reply)
                if server.mail_reply.startswith("250"):
                    path, _, self.parameters = line[10:].partition(" ")
                    self.reverse_path = path.strip("<>")
            case "RCPT":
                return await self.rcpt(line[8:].strip("<>"))
            case "DATA":
                if not self.recipients:
                    await self.say("554 5.5.1 No valid recipients")
                else:
                    return await self.data()
            case "RSET":
                self.reset()
                await self.say("250 2.0.0 Ok")
            case _:
                await self.say("502 5.5.2 Not here")
        return True

    async def check_login(self, line: str) -> str:
        words = line.split(" ")
        assert self.server.login is not None
        if words[1].upper() != "PLAIN" or len(words) != 3:
            return "504 5.5.4 PLAIN only"
        _, user, password = base64.b64decode(words[2]).decode().split("\0")
        right = (user, password) == self.server.login
        return "235 2.7.0 Welcome" if right else "535 5.7.8 Who are you"

    async def rcpt(self, recipient: str) -> bool:
        server = self.server
        kind = recipient.partition("@")[0]
        if self.reverse_path is None:
            await self.say("503 5.5.1 MAIL first")
            return True
        if kind == "slow":
            server.waiting.set()
            await server.release.wait()
        if kind == "closing":
            await self.say("421 4.3.2 Shutting down")
            return False
        if kind in ("endless", "multiline"):
            await self.flood(b"x" * 65_536 if kind == "endless" else b"250-more\r\n" * 6_000)
            return False
        reply = AT_RCPT.get(kind, "250 2.1.5 Ok")
        if reply.startswith("250"):
            self.recipients.append(recipient)
        await self.say(reply)
        return True

    async def flood(self, piece: bytes) -> None:
        """A gigabyte, or as much of it as the client takes."""
        for _ in range((1 << 30) // len(piece)):
            await self.say(piece)
            self.server.written += len(piece)

    async def data(self) -> bool:
        server = self.server
        await self.say("354 Go on")
        content = await self.content()
        kinds = {recipient.partition("@")[0] for recipient in self.recipients}
        assert self.reverse_path is not None
        taken = Taken(
            self.reverse_path,
            tuple(self.recipients),
            content,
            self.number,
            self.encrypted,
            self.parameters,
        )
        self.messages += 1
        self.reset()
        refusals = [AT_DOT[kind] for kind in kinds if kind in AT_DOT]
        if refusals:
            await self.say(refusals[0])
            return True
        server.taken.append(taken)
        if "silent" in kinds:
            async with server.came:
                server.came.notify_all()
            server.waiting.set()
            await server.release.wait()
            return False
        if "dropped" in kinds:
            return False
        await self.say(f"250 2.0.0 Queued as {len(server.taken)}")
        async with server.came:
            server.came.notify_all()
        if "reset" in kinds:
            socket = self.writer.get_extra_info("socket")
            socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
            return False
        return not server.hangs_up_between

    async def content(self) -> bytes:
        """To the final dot; only CRLF ends a line, and dots are unstuffed."""
        lines: list[bytes] = []
        while True:
            line = await self.reader.readuntil(b"\r\n")
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line[1:] if line.startswith(b".") else line)


@contextlib.asynccontextmanager
async def running(hop: NextHop, host: str = "127.0.0.1") -> AsyncIterator[NextHop]:
    """The server, listening on a port of its own (`hop.port`)."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        with contextlib.suppress(asyncio.CancelledError):  # the end of the test
            await hop.serve(reader, writer)

    server = await asyncio.start_server(serve, host, hop.port, limit=1 << 22)
    hop.port = server.sockets[0].getsockname()[1]
    try:
        yield hop
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate: what a server shows, and what a client must trust."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    file: Path


def certificate(folder: Path, name: str = "localhost", *, ended: bool = False) -> Certificate:
    """Make a certificate for a name; it `ended` yesterday, or ends tomorrow."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=3))
        .not_valid_after(now + datetime.timedelta(days=-1 if ended else 1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    client = ssl.create_default_context(cafile=str(file))
    return Certificate(server, client, file)

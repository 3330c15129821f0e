"""The POP3 door: the inbox of an address, message by message (RFC 1939, RFC 2449).

A session sees the mailbox as it was at login. One session at a time has it (RFC 1939 §4), and
what it deletes is deleted at QUIT.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mailbox_service.core.errors import MailError
from mailbox_service.core.mailboxes import Box, MailRow
from smtp_proxy import authentication
from smtp_proxy.authentication import Credentials, ExchangeFailed
from smtp_proxy.client_door import (
    LOGIN_SECONDS,
    WRITE_SECONDS,
    ClientDoor,
    Refused,
    TooManyFailures,
)
from smtp_proxy.mailboxes import Account, MailboxBackend
from smtp_proxy.wire import TooLong, Wire

# RFC 1939 §3: at least ten minutes between commands.
IDLE_SECONDS = 600.0
# RFC 2449 §4: 255 octets. Tokens are passwords here and have up to 4,096.
COMMAND_LINE = 8_192
# Wrong commands in a row before a peer is sent away.
ERRORS = 20
# Lines of a long answer that are put together before they are written.
LINES_AT_ONCE = 1_000

CAPABILITIES = (
    b"TOP", b"UIDL", b"RESP-CODES", b"AUTH-RESP-CODE", b"PIPELINING", b"EXPIRE NEVER",
    b"IMPLEMENTATION Mailbox-Service",
)  # fmt: skip
# A message above this is made ready in a thread: 50 MB take 0.1 s.
IN_THREAD_OCTETS = 1 << 20
BARE_LF = re.compile(rb"(?<!\r)\n")
LINE_WITH_DOT = re.compile(rb"^\.", re.MULTILINE)


class Pop3Door(ClientDoor):
    """Port 110, and 995 with implicit TLS."""

    name = "pop3"

    def __init__(self, backend: MailboxBackend, **options: Any) -> None:
        super().__init__(backend, **options)
        self._taken: set[str] = set()

    def farewell(self, reason: str) -> bytes:
        return b"-ERR [SYS/TEMP] " + reason.encode("ascii", "replace") + b"\r\n"

    async def talk(self, wire: Wire) -> None:
        await Pop3Session(self, wire).run()

    def take(self, address: str) -> bool:
        """Take a mailbox for one session; False when another has it."""
        if address in self._taken:
            return False
        self._taken.add(address)
        return True

    def give_back(self, address: str) -> None:
        """The session is over."""
        self._taken.discard(address)


class Wrong(Exception):
    """A command that cannot be done; the text is the answer."""


class Pop3Session:
    """One conversation."""

    def __init__(self, door: Pop3Door, wire: Wire) -> None:
        self._door = door
        self._wire = wire
        self._username: str | None = None
        self._account: Account | None = None
        self._rows: Sequence[MailRow] = ()
        self._deleted: set[int] = set()
        self._failures = 0
        self._errors = 0
        self._over = False

    async def run(self) -> None:
        self._say(b"+OK POP3 ready")
        try:
            async with asyncio.timeout(LOGIN_SECONDS):
                await self._commands(lambda: self._account is None)
            await self._commands(lambda: True)
        finally:
            if self._account is not None:
                self._door.give_back(self._account.address)

    async def _commands(self, go_on: Callable[[], bool]) -> None:
        while go_on() and not self._over:
            try:
                line = await self._wire.line(COMMAND_LINE, IDLE_SECONDS)
            except TooLong:
                self._say(b"-ERR [SYS/PERM] Line too long")
                return self._end()
            try:
                await self._command(line)
                self._errors = 0
            except Wrong as wrong:
                self._say(b"-ERR " + str(wrong).encode("ascii", "replace"))
                self._errors += 1
                if self._errors >= ERRORS:
                    return self._end()
            except MailError:
                # Closed meanwhile, or trouble of the store: the client comes back and learns.
                self._say(b"-ERR [SYS/TEMP] The mailbox cannot be read now")
                return self._end()
            await self._wire.flushed(WRITE_SECONDS)
        return None

    def _end(self) -> None:
        self._over = True

    def _say(self, line: bytes) -> None:
        self._wire.write(line + b"\r\n")

    async def _command(self, line: bytes) -> None:
        verb, _, rest = line.partition(b" ")
        name = verb.decode("ascii", "replace").upper()
        argument = rest if name == "PASS" else rest.strip()
        for known in ("any", "known" if self._account else "unknown"):
            method: Callable[[bytes], Awaitable[None]] | None = getattr(
                self, f"_{known}_{name.lower()}", None
            )
            if method is not None and name.isalpha():
                return await method(argument)
        raise Wrong("Unknown command, or not now")

    # --- at any time ------------------------------------------------------------------------

    async def _any_capa(self, _: bytes) -> None:
        lines = list(CAPABILITIES)
        if self._may_log_in:
            lines += [b"USER", b"SASL PLAIN LOGIN"]
        if self._door.tls is not None and not self._wire.tls:
            lines.append(b"STLS")
        self._say(b"+OK Capabilities follow")
        self._wire.write(b"\r\n".join(lines) + b"\r\n.\r\n")

    async def _any_quit(self, _: bytes) -> None:
        self._over = True
        if self._account is not None and self._deleted:
            gone = [self._rows[number - 1].id for number in sorted(self._deleted)]
            await self._account.delete(Box.INBOX, gone)
        self._say(b"+OK Bye")

    # --- before the login -------------------------------------------------------------------

    @property
    def _may_log_in(self) -> bool:
        return self._door.tls is None or self._wire.tls

    async def _unknown_stls(self, _: bytes) -> None:
        if self._door.tls is None or self._wire.tls:
            raise Wrong("TLS is not possible now")
        self._say(b"+OK Begin TLS")
        await self._wire.start_tls(self._door.tls, self._door.limits.tls_handshake)
        self._username = None

    async def _unknown_user(self, argument: bytes) -> None:
        self._check_may_log_in()
        if not argument:
            raise Wrong("Syntax: USER name")
        self._username = argument.decode("utf-8", "replace")
        self._say(b"+OK Send the password")

    async def _unknown_pass(self, argument: bytes) -> None:
        self._check_may_log_in()
        if self._username is None:
            raise Wrong("USER first")
        name, self._username = self._username, None
        await self._log_in(Credentials(name, argument.decode("utf-8", "replace")))

    async def _unknown_auth(self, argument: bytes) -> None:
        if not argument:  # RFC 1734's way to ask, which clients still try
            self._say(b"+OK")
            mechanisms = b"PLAIN\r\nLOGIN\r\n" if self._may_log_in else b""
            self._wire.write(mechanisms + b".\r\n")
            return
        self._check_may_log_in()
        try:
            credentials = await authentication.exchange(argument, self._challenge)
        except ExchangeFailed:
            raise Wrong("The exchange was not understood, or cancelled") from None
        except TooLong:
            raise Wrong("Line too long") from None
        await self._log_in(credentials)

    async def _challenge(self, text: bytes) -> bytes:
        self._say(b"+ " + text)
        return await self._wire.line(self._door.limits.auth_line, IDLE_SECONDS)

    def _check_may_log_in(self) -> None:
        if not self._may_log_in:
            raise Wrong("[AUTH] STLS first")

    async def _log_in(self, credentials: Credentials) -> None:
        try:
            account = await self._door.login(
                self._wire, credentials.username, credentials.password, self._failures
            )
        except Refused as refused:
            self._failures += 1
            raise Wrong(
                "[SYS/TEMP] Try again later" if refused.later else "[AUTH] Invalid credentials"
            ) from None
        except TooManyFailures:
            self._say(b"-ERR [AUTH] Too many failed logins")
            return self._end()
        if not self._door.take(account.address):
            raise Wrong("[IN-USE] Another session has this mailbox")
        self._account = account
        self._rows = (await account.changes(Box.INBOX, None)).rows
        self._say(b"+OK Logged in")
        return None

    # --- after it ---------------------------------------------------------------------------

    def _row(self, argument: bytes) -> tuple[int, MailRow]:
        """The message that an argument names."""
        if argument.isdigit() and len(argument) < 10:
            number = int(argument)
            if 0 < number <= len(self._rows) and number not in self._deleted:
                return number, self._rows[number - 1]
        raise Wrong("No such message")

    def _left(self) -> list[tuple[int, MailRow]]:
        return [
            (number, row) for number, row in enumerate(self._rows, 1) if number not in self._deleted
        ]

    async def _known_stat(self, _: bytes) -> None:
        left = self._left()
        self._say(b"+OK %d %d" % (len(left), sum(row.size for _, row in left)))

    async def _known_list(self, argument: bytes) -> None:
        await self._each(argument, lambda row: row.size)

    async def _known_uidl(self, argument: bytes) -> None:
        await self._each(argument, lambda row: row.id)

    async def _each(self, argument: bytes, value: Callable[[MailRow], int]) -> None:
        if argument:
            number, row = self._row(argument)
            self._say(b"+OK %d %d" % (number, value(row)))
            return
        left = self._left()
        self._say(b"+OK %d messages" % len(left))
        for at in range(0, len(left), LINES_AT_ONCE):
            lines = (b"%d %d\r\n" % (n, value(row)) for n, row in left[at : at + LINES_AT_ONCE])
            self._wire.write(b"".join(lines))
            await self._wire.flushed(WRITE_SECONDS)
        self._wire.write(b".\r\n")

    async def _known_retr(self, argument: bytes) -> None:
        _, row = self._row(argument)
        content = await self._content(row)
        self._say(b"+OK %d octets" % row.size)
        await self._write_lines(content)

    async def _known_top(self, argument: bytes) -> None:
        message, _, count = argument.partition(b" ")
        if not (count.strip().isdigit() and len(count) < 12):
            raise Wrong("Syntax: TOP message lines")
        _, row = self._row(message)
        content = await self._content(row)
        self._say(b"+OK")
        await self._write_lines(top_of(content, int(count)))

    async def _write_lines(self, content: bytes) -> None:
        small = len(content) <= IN_THREAD_OCTETS
        lines = as_lines(content) if small else await asyncio.to_thread(as_lines, content)
        self._wire.write(lines)

    async def _content(self, row: MailRow) -> bytes:
        assert self._account is not None
        found = await self._account.contents(Box.INBOX, [row.id])
        if not found.get(row.id):
            raise Wrong("[SYS/PERM] The message is gone")
        return found[row.id]

    async def _known_dele(self, argument: bytes) -> None:
        assert self._account is not None
        if not self._account.may_delete:
            raise Wrong("[SYS/PERM] Deleting mail is not allowed here")
        number, _ = self._row(argument)
        self._deleted.add(number)
        self._say(b"+OK Deleted at QUIT")

    async def _known_rset(self, _: bytes) -> None:
        self._deleted.clear()
        self._say(b"+OK")

    async def _known_noop(self, _: bytes) -> None:
        self._say(b"+OK")


def as_lines(content: bytes) -> bytes:
    """A message as a long answer: every line ends with CRLF, dots doubled (RFC 1939 §3).

    What came over SMTP goes out octet by octet. A bare LF, which only an import may have left,
    becomes a line end: to many clients it is one, and `LF . LF` would end the answer.
    """
    content = BARE_LF.sub(b"\r\n", content)
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    return LINE_WITH_DOT.sub(b"..", content) + b".\r\n"


def top_of(content: bytes, lines: int) -> bytes:
    """The header section, the empty line, and so many lines of the body."""
    end = content.find(b"\r\n\r\n")
    at = len(content) if end < 0 else end + 4
    for _ in range(min(lines, len(content))):
        following = content.find(b"\n", at)
        if following < 0:
            return content
        at = following + 1
    return content[:at]

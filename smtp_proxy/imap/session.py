"""One IMAP conversation: each command, and what it answers."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pymap.parsing.command import Command, CommandAuth, CommandNonAuth, CommandSelect
from pymap.parsing.command.auth import (
    CreateCommand,
    DeleteCommand,
    ListCommand,
    SelectCommand,
    StatusCommand,
)
from pymap.parsing.command.nonauth import LoginCommand
from pymap.parsing.command.select import (
    ExpungeCommand,
    FetchCommand,
    SearchCommand,
    StoreCommand,
)

from mailbox_service.core.errors import MailError, NotYours, QuotaReached
from mailbox_service.core.mailboxes import Box
from mailbox_service.core.stored import SEEN
from smtp_proxy import authentication, log
from smtp_proxy.authentication import ExchangeFailed
from smtp_proxy.client_door import LOGIN_SECONDS, WRITE_SECONDS, Refused, TooManyFailures
from smtp_proxy.imap.commands import Line, No, NotTaken, Unreadable, read_line, understand
from smtp_proxy.imap.selected import Selected
from smtp_proxy.imap.words import mailbox_name
from smtp_proxy.imap.work import MailboxWork
from smtp_proxy.mailboxes import Account
from smtp_proxy.wire import TooLong, Wire

if TYPE_CHECKING:
    from smtp_proxy.imap.door import ImapDoor

# RFC 9051 §5.4: at least 30 minutes of silence, once somebody has logged in.
IDLE_SECONDS = 1_800.0
# The line that ends IDLE, and room for what was meant as a command.
DONE_OCTETS = 1_024
# Commands in a row that could not be understood, before a peer is sent away.
ERRORS = 10

CAPABILITIES = b"IMAP4rev1 LITERAL- SASL-IR ID IDLE UIDPLUS NAMESPACE UNSELECT CHILDREN"
CANNOT = b"NO [CANNOT] "


class ImapSession:
    """One conversation: not logged in, logged in, or with a mailbox selected (RFC 9051 §3)."""

    def __init__(self, door: ImapDoor, wire: Wire) -> None:
        self._door = door
        self._wire = wire
        self._account: Account | None = None
        self._work: MailboxWork | None = None
        self._failures = 0
        self._errors = 0
        self._over = False

    async def run(self) -> None:
        self._wire.write(b"* OK [CAPABILITY %b] IMAP ready\r\n" % self._capabilities())
        async with asyncio.timeout(LOGIN_SECONDS):
            while self._account is None and not self._over:
                await self._next()
        while not self._over:
            await self._next()

    async def _next(self) -> None:
        """Read one command and answer it."""
        try:
            line = await read_line(self._wire, IDLE_SECONDS)
        except NotTaken as refused:
            self._answer(refused.tag, refused.answer)
            return await self._wire.flushed(WRITE_SECONDS)
        except TooLong:
            self._bye(b"Line too long")
            return None
        try:
            await self._command(line)
            self._errors = 0
        except Unreadable as unreadable:
            self._count_error(line.tag, unreadable.reason)
        except No as no:
            self._answer(line.tag, no.answer)
        except NotYours:
            self._bye(b"[UNAVAILABLE] The mailbox was closed")
        except QuotaReached:
            self._answer(line.tag, b"NO [LIMIT] The mailbox has too many messages")
        except MailError as error:
            log.event("imap_trouble", ip=self._wire.ip, kind=type(error).__name__)
            self._answer(line.tag, b"NO [UNAVAILABLE] Temporary failure, try again later")
        return await self._wire.flushed(WRITE_SECONDS)

    # --- answers ----------------------------------------------------------------------------

    def _answer(self, tag: bytes, text: bytes) -> None:
        self._wire.write(b"%b %b\r\n" % (tag, text))

    def _bye(self, reason: bytes) -> None:
        self._wire.write(b"* BYE %b\r\n" % reason)
        self._over = True

    def _count_error(self, tag: bytes, reason: bytes) -> None:
        self._answer(tag, b"BAD " + reason)
        self._errors += 1
        if self._errors >= ERRORS:
            self._bye(b"Too many commands that cannot be understood")

    async def _done(self, line: Line, text: bytes, *, expunge: bool = True) -> None:
        """End a command: what happened meanwhile, and the answer."""
        if self._work is not None:
            selected = self._work.selected
            await selected.refresh()
            with_uid = line.name == b"UID"
            self._wire.write(selected.report(may_expunge=expunge, with_uid=with_uid))
        self._answer(line.tag, text)

    # --- which command ----------------------------------------------------------------------

    async def _command(self, line: Line) -> None:
        own = OWN.get(line.name)
        if own is not None:
            return await own(self, line)
        command = understand(line)
        if self._account is None:
            if not isinstance(command, LoginCommand):
                raise Unreadable(self._not_now(command))
            return await self._login(line, command)
        if isinstance(command, CommandNonAuth):
            raise Unreadable(b"Logged in already")
        if isinstance(command, CommandSelect) and self._work is None:
            raise Unreadable(b"Select a mailbox first")
        return await self._known(line, command, self._account)

    def _not_now(self, command: Command) -> bytes:
        return b"Log in first" if isinstance(command, CommandAuth) else b"Not now"

    async def _known(self, line: Line, command: Command, account: Account) -> None:
        work = self._work
        match command:
            case SelectCommand():  # and EXAMINE
                await self._select(line, command, account)
            case StatusCommand():
                await self._status(line, command, account)
            case ListCommand():  # and LSUB
                await self._list(line, command, account)
            case CreateCommand() | DeleteCommand():
                known = await account.folder(command.mailbox)
                exists = isinstance(command, CreateCommand) and known is not None
                code = b"NO [ALREADYEXISTS] " if exists else CANNOT
                await self._done(line, code + b"There are INBOX and SENT, and no others")
            case FetchCommand() if work is not None:
                await self._done(line, await work.fetch(command), expunge=command.uid)
            case StoreCommand() if work is not None:
                await self._done(line, await work.store(command), expunge=command.uid)
            case SearchCommand() if work is not None:
                await self._done(line, await work.search(command), expunge=command.uid)
            case ExpungeCommand() if work is not None:
                await self._done(line, await work.expunge(command.uid_set))
            case _:
                await self._done(line, CANNOT + b"Messages stay in the mailbox where they are")

    # --- in any state -----------------------------------------------------------------------

    def _capabilities(self) -> bytes:
        if self._account is not None:
            return CAPABILITIES
        login = b" AUTH=PLAIN AUTH=LOGIN" if self._may_log_in else b" LOGINDISABLED"
        starttls = b" STARTTLS" if self._door.tls is not None and not self._wire.tls else b""
        return CAPABILITIES + starttls + login

    async def _capability(self, line: Line) -> None:
        self._wire.write(b"* CAPABILITY %b\r\n" % self._capabilities())
        self._answer(line.tag, b"OK Done")

    async def _noop(self, line: Line) -> None:
        await self._done(line, b"OK Done")

    async def _id(self, line: Line) -> None:
        """RFC 2971. What clients say of themselves is not kept."""
        self._wire.write(b'* ID ("name" "Mailbox Service")\r\n')
        self._answer(line.tag, b"OK Done")

    async def _logout(self, line: Line) -> None:
        self._bye(b"Logging out")
        self._answer(line.tag, b"OK Bye")

    # --- before the login -------------------------------------------------------------------

    @property
    def _may_log_in(self) -> bool:
        return self._door.tls is None or self._wire.tls

    async def _starttls(self, line: Line) -> None:
        if self._account is not None or self._wire.tls or self._door.tls is None:
            raise Unreadable(b"TLS is not possible now")
        self._answer(line.tag, b"OK Begin TLS")
        await self._wire.start_tls(self._door.tls, self._door.limits.tls_handshake)

    async def _login(self, line: Line, command: LoginCommand) -> None:
        self._check_may_log_in()
        username = command.userid.decode("utf-8", "replace")
        await self._log_in(line, username, command.password.decode("utf-8", "replace"))

    async def _authenticate(self, line: Line) -> None:
        if self._account is not None:
            raise Unreadable(b"Logged in already")
        self._check_may_log_in()
        try:
            credentials = await authentication.exchange(line.arguments, self._challenge)
        except (ExchangeFailed, TooLong):
            raise Unreadable(b"The exchange was not understood, or cancelled") from None
        await self._log_in(line, credentials.username, credentials.password)

    async def _challenge(self, text: bytes) -> bytes:
        self._wire.write(b"+ " + text + b"\r\n")
        return await self._wire.line(self._door.limits.auth_line, LOGIN_SECONDS)

    def _check_may_log_in(self) -> None:
        if not self._may_log_in:
            raise No(b"NO [PRIVACYREQUIRED] STARTTLS first")

    async def _log_in(self, line: Line, username: str, password: str) -> None:
        try:
            self._account = await self._door.login(self._wire, username, password, self._failures)
        except Refused as refused:
            self._failures += 1
            if refused.later:
                raise No(b"NO [UNAVAILABLE] Try again later") from None
            raise No(b"NO [AUTHENTICATIONFAILED] Invalid credentials") from None
        except TooManyFailures:
            self._answer(line.tag, b"NO [AUTHENTICATIONFAILED] Invalid credentials")
            return self._bye(b"Too many failed logins")
        return self._answer(line.tag, b"OK [CAPABILITY %b] Logged in" % self._capabilities())

    # --- with an account --------------------------------------------------------------------

    def _need_account(self) -> Account:
        if self._account is None:
            raise Unreadable(b"Log in first")
        return self._account

    async def _namespace(self, line: Line) -> None:
        self._need_account()
        self._wire.write(b'* NAMESPACE (("" "/")) NIL NIL\r\n')
        await self._done(line, b"OK Done")

    async def _subscribe(self, line: Line) -> None:
        """Both mailboxes are always subscribed, as LSUB says."""
        self._need_account()
        await self._done(line, b"OK Both mailboxes are always subscribed")

    async def _list(self, line: Line, command: ListCommand, account: Account) -> None:
        name = b"LSUB" if command.only_subscribed else b"LIST"
        if not command.filter:
            self._wire.write(b'* %b (\\Noselect) "/" ""\r\n' % name)
        matches = list_pattern(command.ref_name + command.filter)
        folders = await account.folders()
        parents = {folder.rpartition("/")[0] for folder in folders}
        for folder in folders:
            if matches(folder):
                children = b"\\HasChildren" if folder in parents else b"\\HasNoChildren"
                special = b" \\Sent" if folder == Box.SENT.value else b""
                label = mailbox_name(folder)
                self._wire.write(b'* %b (%b%b) "/" %b\r\n' % (name, children, special, label))
        await self._done(line, b"OK Done")

    async def _status(self, line: Line, command: StatusCommand, account: Account) -> None:
        name, mailboxes, box = await folder_or_no(account, command.mailbox)
        numbers = await mailboxes.numbers(box)
        values = {
            b"MESSAGES": numbers.total,
            b"RECENT": 0,
            b"UIDNEXT": numbers.top + 1,
            b"UIDVALIDITY": mailboxes.uid_validity,
            b"UNSEEN": numbers.unseen,
        }
        told = b" ".join(
            b"%b %d" % (item.value, values[item.value])
            for item in command.status_list
            if item.value in values
        )
        self._wire.write(b"* STATUS %b (%b)\r\n" % (mailbox_name(name), told))
        await self._done(line, b"OK Done")

    async def _select(self, line: Line, command: SelectCommand, account: Account) -> None:
        self._work = None
        _, mailboxes, box = await folder_or_no(account, command.mailbox)
        selected = Selected(mailboxes, box, read_only=command.readonly)
        await selected.refresh()
        flags, kept = selected.flags_here()
        answer = [
            b"FLAGS " + flags,
            b"%d EXISTS" % selected.exists,
            b"0 RECENT",
            b"OK [UIDVALIDITY %d] UIDs stay" % mailboxes.uid_validity,
            b"OK [UIDNEXT %d] The next UID is at least this" % (selected.top + 1),
            b"OK [PERMANENTFLAGS %b] Flags that stay" % kept,
        ]
        if unseen := selected.first_unseen(SEEN):
            answer.append(b"OK [UNSEEN %d] The first that is unread" % unseen)
        self._wire.write(b"".join(b"* %b\r\n" % one for one in answer))
        self._work = MailboxWork(self._wire, self._door.library, mailboxes, selected)
        way = b"READ-ONLY" if selected.read_only else b"READ-WRITE"
        self._answer(line.tag, b"OK [%b] Selected" % way)

    # --- with a mailbox selected ------------------------------------------------------------

    async def _unselect(self, line: Line) -> None:
        """RFC 3691: leave without expunging."""
        self._need_work()
        self._work = None
        self._answer(line.tag, b"OK Left")

    async def _close(self, line: Line) -> None:
        await self._need_work().close()
        self._work = None
        self._answer(line.tag, b"OK Closed")

    async def _idle(self, line: Line) -> None:
        """RFC 2177: tell what happens until the client says DONE."""
        work = self._need_work()
        self._wire.write(b"+ Idling\r\n")
        done = asyncio.create_task(self._wire.line(DONE_OCTETS, IDLE_SECONDS))
        try:
            await work.tell_until(done)
            answer = await done
        except TooLong:
            answer = b""
        finally:
            done.cancel()
        if answer.upper() != b"DONE":
            raise Unreadable(b"DONE was expected")
        await self._done(line, b"OK Done")

    def _need_work(self) -> MailboxWork:
        if self._work is None:
            raise Unreadable(b"Select a mailbox first")
        return self._work


# Commands that pymap does not know, that begin a talk of their own, or have nothing to read.
OWN: dict[bytes, Callable[[ImapSession, Line], Awaitable[None]]] = {
    b"CAPABILITY": ImapSession._capability,
    b"NOOP": ImapSession._noop,
    b"CHECK": ImapSession._noop,
    b"ID": ImapSession._id,
    b"LOGOUT": ImapSession._logout,
    b"STARTTLS": ImapSession._starttls,
    b"AUTHENTICATE": ImapSession._authenticate,
    b"NAMESPACE": ImapSession._namespace,
    b"SUBSCRIBE": ImapSession._subscribe,
    b"UNSUBSCRIBE": ImapSession._subscribe,
    b"UNSELECT": ImapSession._unselect,
    b"CLOSE": ImapSession._close,
    b"IDLE": ImapSession._idle,
}


async def folder_or_no(account: Account, name: str) -> tuple[str, Account, Box]:
    """A mailbox by its name."""
    found = await account.folder(name)
    if found is None:
        raise No(b"NO [NONEXISTENT] There is no such mailbox")
    return found


def list_pattern(pattern: str) -> Callable[[str], bool]:
    """LIST wildcards (RFC 3501 §6.3.8): `*` matches anything, `%` anything but a slash.

    A client makes both the pattern and, by its addresses, the names. So all ways of matching go
    through a name together, a bit for each place of the pattern: one step a letter.
    """
    letters: defaultdict[str, int] = defaultdict(int)
    anything = level = 0
    place = 1
    for char in pattern[:255].lower():
        if char == "*":
            anything |= place
        elif char == "%":
            level |= place
        else:
            letters[char] |= place
            place <<= 1

    def matches(name: str) -> bool:
        reached = 1
        for char in name.lower():
            stays = anything if char == "/" else anything | level
            reached = reached & stays | (reached & letters.get(char, 0)) << 1
        return bool(reached & place)

    return matches

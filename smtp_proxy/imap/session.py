"""One IMAP conversation: each command, and what it answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pymap.flags import FlagOp
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
from pymap.parsing.specials import FetchAttribute

from mailbox_service.core.errors import MailError, NotYours, QuotaReached
from mailbox_service.core.mailboxes import Box, MailRow
from mailbox_service.core.stored import ALL_FLAGS, DELETED, SEEN
from smtp_proxy import authentication, log
from smtp_proxy.authentication import ExchangeFailed
from smtp_proxy.client_door import LOGIN_SECONDS, WRITE_SECONDS, Refused, TooManyFailures
from smtp_proxy.imap import fetching, searching
from smtp_proxy.imap.commands import Line, NotTaken, Unreadable, read_line, understand
from smtp_proxy.imap.facts import Facts
from smtp_proxy.imap.searching import Candidate, Test, TooManyKeys
from smtp_proxy.imap.selected import Numbered, Selected, flags_line
from smtp_proxy.imap.structure import Message
from smtp_proxy.imap.words import flag_list, flags_of, string
from smtp_proxy.mailboxes import Account, Watching
from smtp_proxy.wire import TooLong, Wire

if TYPE_CHECKING:
    from smtp_proxy.imap.door import ImapDoor

# RFC 9051 §5.4: at least 30 minutes of silence, once somebody has logged in.
IDLE_SECONDS = 1_800.0
# While a client idles: it learns that we are there, and we that it is not.
STILL_HERE_SECONDS = 120.0
# Without a signal the mailbox is looked at again: one may have been lost.
LOOK_AGAIN_SECONDS = 15.0
# Commands in a row that could not be understood, before a peer is sent away.
ERRORS = 10

CAPABILITIES = b"IMAP4rev1 LITERAL- SASL-IR ID IDLE UIDPLUS NAMESPACE UNSELECT CHILDREN"
KEPT_FLAGS = b"(\\Answered \\Flagged \\Deleted \\Seen \\Draft)"
CANNOT = b"NO [CANNOT] "


class No(Exception):
    """A command that is understood and cannot be done; the text is the answer."""

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self.answer = answer


class ImapSession:
    """One conversation: not logged in, logged in, or with a mailbox selected (RFC 9051 §3)."""

    def __init__(self, door: ImapDoor, wire: Wire) -> None:
        self._door = door
        self._wire = wire
        self._account: Account | None = None
        self._selected: Selected | None = None
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
            self._count_error(unreadable.tag, unreadable.reason)
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
        if self._selected is not None:
            await self._selected.refresh()
            with_uid = line.name == b"UID"
            self._wire.write(self._selected.report(may_expunge=expunge, with_uid=with_uid))
        self._answer(line.tag, text)

    # --- which command ----------------------------------------------------------------------

    async def _command(self, line: Line) -> None:
        own = OWN.get(line.name)
        if own is not None:
            return await own(self, line)
        command = understand(line)
        if self._account is None:
            if not isinstance(command, LoginCommand):
                raise Unreadable(line.tag, self._not_now(command))
            return await self._login(line, command)
        if isinstance(command, CommandNonAuth):
            raise Unreadable(line.tag, b"Logged in already")
        if isinstance(command, CommandSelect) and self._selected is None:
            raise Unreadable(line.tag, b"Select a mailbox first")
        return await self._known(line, command, self._account)

    def _not_now(self, command: Command) -> bytes:
        return b"Log in first" if isinstance(command, CommandAuth) else b"Not now"

    async def _known(self, line: Line, command: Command, account: Account) -> None:
        selected = self._selected
        match command:
            case SelectCommand():  # and EXAMINE
                await self._select(line, command, account)
            case StatusCommand():
                await self._status(line, command, account)
            case ListCommand():  # and LSUB
                await self._list(line, command)
            case CreateCommand() | DeleteCommand():
                exists = isinstance(command, CreateCommand) and box_named(command.mailbox)
                code = b"NO [ALREADYEXISTS] " if exists else CANNOT
                await self._done(line, code + b"There are INBOX and SENT, and no others")
            case FetchCommand() if selected is not None:
                await self._fetch(line, command, account, selected)
            case StoreCommand() if selected is not None:
                await self._store(line, command, account, selected)
            case SearchCommand() if selected is not None:
                await self._search(line, command, account, selected)
            case ExpungeCommand() if selected is not None:
                uids = selected.marked_deleted(command.uid_set)
                await self._expunge(account, selected, uids)
                await self._done(line, b"OK Expunged")
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
            raise Unreadable(line.tag, b"TLS is not possible now")
        self._answer(line.tag, b"OK Begin TLS")
        await self._wire.start_tls(self._door.tls, self._door.limits.tls_handshake)

    async def _login(self, line: Line, command: LoginCommand) -> None:
        self._check_may_log_in()
        username = command.userid.decode("utf-8", "replace")
        await self._log_in(line, username, command.password.decode("utf-8", "replace"))

    async def _authenticate(self, line: Line) -> None:
        if self._account is not None:
            raise Unreadable(line.tag, b"Logged in already")
        self._check_may_log_in()
        try:
            credentials = await authentication.exchange(line.arguments, self._challenge)
        except (ExchangeFailed, TooLong):
            raise Unreadable(line.tag, b"The exchange was not understood, or cancelled") from None
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

    def _need_account(self, line: Line) -> Account:
        if self._account is None:
            raise Unreadable(line.tag, b"Log in first")
        return self._account

    async def _namespace(self, line: Line) -> None:
        self._need_account(line)
        self._wire.write(b'* NAMESPACE (("" "/")) NIL NIL\r\n')
        await self._done(line, b"OK Done")

    async def _subscribe(self, line: Line) -> None:
        """Both mailboxes are always subscribed, as LSUB says."""
        self._need_account(line)
        await self._done(line, b"OK Both mailboxes are always subscribed")

    async def _list(self, line: Line, command: ListCommand) -> None:
        name = b"LSUB" if command.only_subscribed else b"LIST"
        if not command.filter:
            self._wire.write(b'* %b (\\Noselect) "/" ""\r\n' % name)
        matches = list_pattern(command.ref_name + command.filter)
        for box in Box:
            if matches(box.value):
                special = b" \\Sent" if box is Box.SENT else b""
                label = box.value.encode("ascii")
                self._wire.write(b'* %b (\\HasNoChildren%b) "/" %b\r\n' % (name, special, label))
        await self._done(line, b"OK Done")

    async def _status(self, line: Line, command: StatusCommand, account: Account) -> None:
        box = box_or_no(command.mailbox)
        numbers = await account.numbers(box)
        values = {
            b"MESSAGES": numbers.total,
            b"RECENT": 0,
            b"UIDNEXT": numbers.top + 1,
            b"UIDVALIDITY": account.uid_validity,
            b"UNSEEN": numbers.unseen,
        }
        told = b" ".join(
            b"%b %d" % (item.value, values[item.value])
            for item in command.status_list
            if item.value in values
        )
        self._wire.write(b"* STATUS %b (%b)\r\n" % (box.value.encode("ascii"), told))
        await self._done(line, b"OK Done")

    async def _select(self, line: Line, command: SelectCommand, account: Account) -> None:
        self._selected = None
        box = box_or_no(command.mailbox)
        selected = Selected(account, box, read_only=command.readonly)
        await selected.refresh()
        arrived = box is Box.INBOX
        flags = KEPT_FLAGS if arrived else flag_list(SEEN | DELETED)
        kept = KEPT_FLAGS if arrived and not selected.read_only else b"()"
        answer = [
            b"FLAGS " + flags,
            b"%d EXISTS" % selected.exists,
            b"0 RECENT",
            b"OK [UIDVALIDITY %d] UIDs stay" % account.uid_validity,
            b"OK [UIDNEXT %d] The next UID is at least this" % (selected.top + 1),
            b"OK [PERMANENTFLAGS %b] Flags that stay" % kept,
        ]
        if unseen := selected.first_unseen(SEEN):
            answer.append(b"OK [UNSEEN %d] The first that is unread" % unseen)
        self._wire.write(b"".join(b"* %b\r\n" % one for one in answer))
        self._selected = selected
        way = b"READ-ONLY" if selected.read_only else b"READ-WRITE"
        self._answer(line.tag, b"OK [%b] Selected" % way)

    # --- with a mailbox selected ------------------------------------------------------------

    async def _unselect(self, line: Line) -> None:
        """RFC 3691: leave without expunging."""
        self._need_selected(line)
        self._selected = None
        self._answer(line.tag, b"OK Left")

    async def _close(self, line: Line) -> None:
        account, selected = self._need_selected(line)
        uids = [] if selected.read_only else selected.marked_deleted(None)
        if uids:
            await self._expunge(account, selected, uids)
        self._selected = None
        self._answer(line.tag, b"OK Closed")

    def _need_selected(self, line: Line) -> tuple[Account, Selected]:
        account = self._need_account(line)
        if self._selected is None:
            raise Unreadable(line.tag, b"Select a mailbox first")
        return account, self._selected

    async def _expunge(self, account: Account, selected: Selected, uids: Sequence[int]) -> None:
        if selected.read_only:
            raise No(b"NO [READ-ONLY] The mailbox was opened to be read")
        if not account.may_delete:
            raise No(b"NO [NOPERM] Deleting mail is not allowed here")
        await account.delete(selected.box, uids)

    async def _store(
        self, line: Line, command: StoreCommand, account: Account, selected: Selected
    ) -> None:
        if selected.read_only:
            raise No(b"NO [READ-ONLY] The mailbox was opened to be read")
        flags = flags_of(bytes(flag) for flag in command.flag_set)
        if command.mode is FlagOp.ADD:
            with_flags, kept = flags, ALL_FLAGS
        elif command.mode is FlagOp.DELETE:
            with_flags, kept = 0, ALL_FLAGS & ~flags
        else:
            with_flags, kept = flags, 0
        rows, missing = selected.named(command.sequence_set)
        await self._set_flags(account, selected, rows, with_flags=with_flags, kept=kept)
        if not command.silent:
            for at in range(0, len(rows), fetching.ROWS_AT_ONCE):
                self._wire.write(
                    b"".join(
                        flags_line(number, selected.row(row.id), with_uid=command.uid)
                        for number, row in rows[at : at + fetching.ROWS_AT_ONCE]
                    )
                )
                await self._wire.flushed(WRITE_SECONDS)
        await self._done(line, issued(missing, b"Stored"), expunge=command.uid)

    async def _set_flags(
        self,
        account: Account,
        selected: Selected,
        rows: Sequence[Numbered],
        *,
        with_flags: int,
        kept: int,
    ) -> None:
        changed = [row.id for _, row in rows if (row.flags & kept) | with_flags != row.flags]
        await account.mark(selected.box, changed, with_flags=with_flags, kept=kept)
        selected.set_flags(changed, with_flags=with_flags, kept=kept)

    async def _fetch(
        self, line: Line, command: FetchCommand, account: Account, selected: Selected
    ) -> None:
        try:
            attributes = fetching.checked(command.attributes, uid=command.uid)
        except fetching.NotOffered:
            raise Unreadable(line.tag, b"That attribute is not offered") from None
        rows, missing = selected.named(command.sequence_set)
        if any(one.set_seen for one in attributes) and not selected.read_only:
            unseen = [(number, row) for number, row in rows if not row.flags & SEEN]
            await self._set_flags(account, selected, unseen, with_flags=SEEN, kept=ALL_FLAGS)
            if unseen and not any(one.value == b"FLAGS" for one in attributes):
                # In the same answer: some clients take the first FETCH for the whole of it.
                attributes.insert(int(command.uid), FetchAttribute(b"FLAGS"))
            rows = [(number, selected.row(row.id)) for number, row in rows]
        if fetching.from_row(attributes):
            for at in range(0, len(rows), fetching.ROWS_AT_ONCE):
                some = rows[at : at + fetching.ROWS_AT_ONCE]
                self._wire.write(
                    b"".join(fetching.answer(n, row, attributes, None, None) for n, row in some)
                )
                await self._wire.flushed(WRITE_SECONDS)
        else:
            for portion in fetching.portions(rows):
                missing |= await self._fetch_portion(account, selected.box, portion, attributes)
        await self._done(line, issued(missing, b"Fetched"), expunge=command.uid)

    async def _fetch_portion(
        self,
        account: Account,
        box: Box,
        portion: Sequence[Numbered],
        attributes: Sequence[FetchAttribute],
    ) -> bool:
        """Answer for some messages; whether one of them is gone."""
        library = self._door.library
        known = {row.id: library.get(box, row.id) for _, row in portion}
        unread = [
            uid
            for uid, facts in known.items()
            if facts is None or not fetching.from_facts(attributes, facts)
        ]
        contents = await account.contents(box, unread) if unread else {}

        def answers() -> list[bytes]:
            out: list[bytes] = []
            for number, row in portion:
                facts, message = known[row.id], None
                if row.id in contents:
                    message = Message(contents[row.id], row.received_at)
                    facts = facts or Facts.of(message)
                    known[row.id] = facts
                elif row.id in unread:
                    continue
                out.append(fetching.answer(number, row, attributes, facts, message))
            return out

        for answer in await asyncio.to_thread(answers):
            self._wire.write(answer)
            await self._wire.flushed(WRITE_SECONDS)
        for uid, facts in known.items():
            if facts is not None and contents.get(uid):
                library.keep(box, uid, facts)
        return any(uid not in contents for uid in unread)

    async def _search(
        self, line: Line, command: SearchCommand, account: Account, selected: Selected
    ) -> None:
        if command.options:
            raise Unreadable(line.tag, b"Extended search is not offered")
        try:
            test = searching.compiled(command.keys, selected)
        except TooManyKeys:
            raise No(b"NO [LIMIT] Too many search keys") from None
        found = await self._found(test, account, selected)
        numbers = sorted(row.id if command.uid else number for number, row in found)
        self._wire.write(b"* SEARCH%b\r\n" % b"".join(b" %d" % number for number in numbers))
        await self._done(line, b"OK Done", expunge=command.uid)

    async def _found(self, test: Test, account: Account, selected: Selected) -> list[Numbered]:
        """The messages that a test lets through; contents are read only where it needs them."""
        library, box = self._door.library, selected.box
        found: list[Numbered] = []
        undecided: list[Numbered] = []
        for number, row in selected.all():
            verdict = test(Candidate(number, row))
            if verdict is None:
                verdict = test(Candidate(number, row, library.get(box, row.id)))
            if verdict is None:
                undecided.append((number, row))
            elif verdict:
                found.append((number, row))
        for portion in fetching.portions(undecided):
            contents = await account.contents(box, [row.id for _, row in portion])
            for number, row, facts in await asyncio.to_thread(judged, test, portion, contents):
                found.append((number, row))
                library.keep(box, row.id, facts)
        return found

    # --- IDLE -------------------------------------------------------------------------------

    async def _idle(self, line: Line) -> None:
        """RFC 2177: tell what happens until the client says DONE."""
        account, selected = self._need_selected(line)
        self._wire.write(b"+ Idling\r\n")
        done = asyncio.create_task(self._wire.line(64, IDLE_SECONDS))
        try:
            with account.watch() as watching:
                await self._tell(selected, watching, done)
            answer = await done
        except TooLong:
            answer = b""
        finally:
            done.cancel()
        if answer.upper() != b"DONE":
            raise Unreadable(line.tag, b"DONE was expected")
        await self._done(line, b"OK Done")

    async def _tell(
        self, selected: Selected, watching: Watching, done: asyncio.Task[bytes]
    ) -> None:
        loop = asyncio.get_running_loop()
        spoke = loop.time()
        while not done.done():
            await selected.refresh()
            if news := selected.report(may_expunge=True):
                self._wire.write(news)
                spoke = loop.time()
            elif loop.time() - spoke >= STILL_HERE_SECONDS:
                self._wire.write(b"* OK Still here\r\n")
                spoke = loop.time()
            await self._wire.flushed(WRITE_SECONDS)
            signal = asyncio.create_task(watching.wait(LOOK_AGAIN_SECONDS))
            try:
                await asyncio.wait((signal, done), return_when=asyncio.FIRST_COMPLETED)
            finally:
                signal.cancel()


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


def judged(
    test: Test, portion: Sequence[Numbered], contents: Mapping[int, bytes]
) -> list[tuple[int, MailRow, Facts]]:
    """The messages of a portion that a test lets through, with what was read of them."""
    found = []
    for number, row in portion:
        content = contents.get(row.id)
        if content is None:
            continue
        facts = Facts.of(Message(content, row.received_at))
        if test(Candidate(number, row, facts, content)):
            found.append((number, row, facts))
    return found


def issued(missing: bool, text: bytes) -> bytes:
    """OK, with a word on messages that are gone already (RFC 5530)."""
    return b"OK %b%b" % (b"[EXPUNGEISSUED] " if missing else b"", text)


def box_named(name: str) -> Box | None:
    """A mailbox by its name; INBOX and SENT are known in any case."""
    try:
        return Box(name.upper())
    except ValueError:
        return None


def box_or_no(name: str) -> Box:
    """A mailbox by its name."""
    box = box_named(name)
    if box is None:
        raise No(b"NO [NONEXISTENT] There is no mailbox " + string(name[:100]))
    return box


def list_pattern(pattern: str) -> Callable[[str], bool]:
    """LIST wildcards: both match anything here, where no name has a separator."""
    words = re.split(r"[*%]+", pattern[:255])
    expression = re.compile(".*".join(map(re.escape, words)), re.IGNORECASE)
    return lambda name: expression.fullmatch(name) is not None

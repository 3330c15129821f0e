"""What a client does with the mailbox that it has selected: FETCH, STORE, SEARCH, EXPUNGE, IDLE.

Each method returns the words of the tagged answer. Answers are written as they are made, and
never faster than the client takes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from pymap.flags import FlagOp
from pymap.parsing.command.select import FetchCommand, SearchCommand, StoreCommand
from pymap.parsing.specials import FetchAttribute, SequenceSet

from mailbox_service.core.stored import EVERY_FLAG, MOST_KEYWORDS, SEEN
from smtp_proxy.client_door import WRITE_SECONDS
from smtp_proxy.imap import fetching, searching
from smtp_proxy.imap.commands import No, Unreadable
from smtp_proxy.imap.facts import Facts, Library
from smtp_proxy.imap.searching import Candidate, Test, TooManyKeys
from smtp_proxy.imap.selected import Numbered, Selected
from smtp_proxy.imap.structure import Message
from smtp_proxy.imap.words import flags_of
from smtp_proxy.mailboxes import Account
from smtp_proxy.wire import Wire

# While a client idles: it learns that we are there, and we that it is not.
STILL_HERE_SECONDS = 120.0
# Without a signal the mailbox is looked at again: one may have been lost.
LOOK_AGAIN_SECONDS = 15.0

# Every mail program's words are far shorter.
KEYWORD_OCTETS = 64

READ_ONLY = b"NO [READ-ONLY] The mailbox was opened to be read"


class MailboxWork:
    """One selected mailbox at work."""

    def __init__(self, wire: Wire, library: Library, account: Account, selected: Selected) -> None:
        self.selected = selected
        self._wire = wire
        self._library = library
        self._account = account

    async def store(self, command: StoreCommand) -> bytes:
        """Set, add or take away flags."""
        selected = self.selected
        if selected.read_only:
            raise No(READ_ONLY)
        names = [bytes(flag) for flag in command.flag_set]
        if command.mode is not FlagOp.DELETE and selected.takes_keywords:
            await self._learn([name for name in names if not name.startswith(b"\\")])
        flags = flags_of(names, selected.keywords)
        if command.mode is FlagOp.ADD:
            with_flags, kept = flags, EVERY_FLAG
        elif command.mode is FlagOp.DELETE:
            with_flags, kept = 0, EVERY_FLAG & ~flags
        else:
            with_flags, kept = flags, 0
        rows, missing = selected.named(command.sequence_set)
        await self._set_flags(rows, with_flags=with_flags, kept=kept)
        if not command.silent:
            for at in range(0, len(rows), fetching.ROWS_AT_ONCE):
                self._wire.write(
                    b"".join(
                        selected.flags_line(number, selected.row(row.id), with_uid=command.uid)
                        for number, row in rows[at : at + fetching.ROWS_AT_ONCE]
                    )
                )
                await self._wire.flushed(WRITE_SECONDS)
        return issued(missing, b"Stored")

    async def _learn(self, names: Sequence[bytes]) -> None:
        """Make keywords that are new here known to the mailbox. Raises No without room."""
        selected = self.selected
        known = {name.lower() for name in selected.keywords.values()}
        new = [name for name in names if name.lower() not in known]
        if not new:
            return
        if any(len(name) > KEYWORD_OCTETS or not name.isascii() for name in new):
            raise No(b"NO [LIMIT] A keyword has at most %d characters" % KEYWORD_OCTETS)
        selected.know(await self._account.learn_keywords([name.decode("ascii") for name in new]))
        known = {name.lower() for name in selected.keywords.values()}
        if any(name.lower() not in known for name in new):
            raise No(b"NO [LIMIT] A mailbox has at most %d keywords" % MOST_KEYWORDS)
        self._wire.write(selected.report(may_expunge=False))

    async def _set_flags(self, rows: Sequence[Numbered], *, with_flags: int, kept: int) -> None:
        # Also where the list has these flags already: somebody may have changed them since.
        uids = [row.id for _, row in rows]
        await self._account.mark(self.selected.box, uids, with_flags=with_flags, kept=kept)
        self.selected.set_flags(uids, with_flags=with_flags, kept=kept)

    async def fetch(self, command: FetchCommand) -> bytes:
        """Tell what a client wants to know, portion by portion, as fast as it reads."""
        selected = self.selected
        attributes = fetching.checked(command.attributes, uid=command.uid)
        rows, missing = selected.named(command.sequence_set)
        if any(one.set_seen for one in attributes) and not selected.read_only:
            unseen = [(number, row) for number, row in rows if not row.flags & SEEN]
            await self._set_flags(unseen, with_flags=SEEN, kept=EVERY_FLAG)
            if unseen and not any(one.value == b"FLAGS" for one in attributes):
                # In the same answer: some clients take the first FETCH for the whole of it.
                attributes.insert(int(command.uid), FetchAttribute(b"FLAGS"))
            rows = [(number, selected.row(row.id)) for number, row in rows]
        if fetching.from_row(attributes):
            for at in range(0, len(rows), fetching.ROWS_AT_ONCE):
                some = rows[at : at + fetching.ROWS_AT_ONCE]
                self._wire.write(
                    b"".join(
                        fetching.answer(n, row, attributes, None, None, selected.keywords)
                        for n, row in some
                    )
                )
                await self._wire.flushed(WRITE_SECONDS)
        else:
            for portion in fetching.portions(rows):
                missing |= await self._fetch_portion(portion, attributes)
        return issued(missing, b"Fetched")

    async def _fetch_portion(
        self, portion: Sequence[Numbered], attributes: Sequence[FetchAttribute]
    ) -> bool:
        """Answer for some messages; whether one of them is gone."""
        library, box = self._library, self.selected.box
        known = {row.id: library.get(box, row.id) for _, row in portion}
        unread = [
            uid
            for uid, facts in known.items()
            if facts is None or not fetching.from_facts(attributes, facts)
        ]
        contents = await self._account.contents(box, unread) if unread else {}

        def read() -> dict[int, tuple[Facts, Message]]:
            found: dict[int, tuple[Facts, Message]] = {}
            for _, row in portion:
                if row.id in contents:
                    message = Message(contents[row.id], row.received_at)
                    found[row.id] = (known[row.id] or Facts.of(message), message)
            return found

        messages = await asyncio.to_thread(read) if contents else {}
        out = bytearray()
        for number, row in portion:
            if row.id in unread and row.id not in messages:
                continue
            facts, message = messages.get(row.id, (known[row.id], None))
            known[row.id] = facts
            keywords = self.selected.keywords
            for piece in fetching.pieces(number, row, attributes, facts, message, keywords):
                out += piece
                if len(out) >= fetching.WRITTEN_AT_ONCE:
                    self._wire.write(bytes(out))
                    out.clear()
                    await self._wire.flushed(WRITE_SECONDS)
        self._wire.write(bytes(out))
        await self._wire.flushed(WRITE_SECONDS)
        for uid, facts in known.items():
            if facts is not None and contents.get(uid):
                library.keep(box, uid, facts)
        return any(uid not in contents for uid in unread)

    async def search(self, command: SearchCommand) -> bytes:
        """Tell which messages a client looks for."""
        if command.options:
            raise Unreadable(b"Extended search is not offered")
        try:
            test = searching.compiled(command.keys, self.selected)
        except TooManyKeys:
            raise No(b"NO [LIMIT] Too many search keys") from None
        found = await self._found(test)
        numbers = sorted(row.id if command.uid else number for number, row in found)
        self._wire.write(b"* SEARCH%b\r\n" % b"".join(b" %d" % number for number in numbers))
        return b"OK Done"

    async def _found(self, test: Test) -> list[Numbered]:
        """The messages that a test lets through; contents are read only where it needs them."""
        library, box = self._library, self.selected.box
        found: list[Numbered] = []
        undecided: list[Numbered] = []
        for number, row in self.selected.all():
            verdict = test(Candidate(number, row))
            if verdict is None:
                verdict = test(Candidate(number, row, library.get(box, row.id)))
            if verdict is None:
                undecided.append((number, row))
            elif verdict:
                found.append((number, row))
        for portion in fetching.portions(undecided):
            known = {row.id: library.get(box, row.id) for _, row in portion}
            contents = await self._account.contents(box, [row.id for _, row in portion])
            right, read = await asyncio.to_thread(judged, test, portion, known, contents)
            found += right
            for uid, facts in read.items():
                library.keep(box, uid, facts)
        return found

    async def expunge(self, wanted: SequenceSet | None) -> bytes:
        """Delete what is marked as deleted, all or those of a set."""
        # Another client may have taken a mark back, and this is for good.
        await self.selected.refresh()
        self._wire.write(self.selected.report(may_expunge=True, with_uid=wanted is not None))
        await self._delete(self.selected.marked_deleted(wanted))
        return b"OK Expunged"

    async def close(self) -> None:
        """Delete what is marked as deleted; where the mailbox was opened to be read, nothing."""
        if self.selected.read_only:
            return
        await self.selected.refresh()
        if uids := self.selected.marked_deleted(None):
            await self._delete(uids)

    async def _delete(self, uids: Sequence[int]) -> None:
        if self.selected.read_only:
            raise No(READ_ONLY)
        if not self._account.may_delete:
            raise No(b"NO [NOPERM] Deleting mail is not allowed here")
        await self._account.delete(self.selected.box, uids)

    async def tell_until(self, done: asyncio.Task[bytes]) -> None:
        """Tell at once what happens to the mailbox, until `done` is."""
        loop = asyncio.get_running_loop()
        spoke = loop.time()
        with self._account.watch() as watching:
            while not done.done():
                await self.selected.refresh()
                if news := self.selected.report(may_expunge=True):
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


def judged(
    test: Test,
    portion: Sequence[Numbered],
    known: Mapping[int, Facts | None],
    contents: Mapping[int, bytes],
) -> tuple[list[Numbered], dict[int, Facts]]:
    """The messages of a portion that a test lets through, and the facts that had to be read for
    it: what a list shows takes longer to make than most searches take."""
    found: list[Numbered] = []
    read: dict[int, Facts] = {}
    for number, row in portion:
        content = contents.get(row.id)
        if content is None:
            continue
        candidate = Candidate(number, row, known[row.id], content)
        verdict = test(candidate)
        if verdict is None:
            candidate.facts = read[row.id] = Facts.of(Message(content, row.received_at))
            verdict = test(candidate)
        if verdict:
            found.append((number, row))
    return found, read


def issued(missing: bool, text: bytes) -> bytes:
    """OK, with a word on messages that are gone already (RFC 5530)."""
    return b"OK %b%b" % (b"[EXPUNGEISSUED] " if missing else b"", text)

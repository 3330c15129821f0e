"""The mailbox that a client has selected, as the client knows it.

Sequence numbers are places in a list that both sides keep. It changes only where RFC 9051 lets
a server tell so: messages that are gone stay in it until an EXPUNGE may be sent (§7.5.1).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pymap.parsing.specials import SequenceSet
from pymap.parsing.specials.sequenceset import MaxValue

from mailbox_service.core.mailboxes import Box, MailRow, Mark
from mailbox_service.core.stored import ALL_FLAGS, DELETED, KEYWORDS, MOST_KEYWORDS, SEEN
from smtp_proxy.imap.words import NO_KEYWORDS, Keywords, flag_list, parenthesised
from smtp_proxy.mailboxes import Account

Numbered = tuple[int, MailRow]


class Selected:
    """One mailbox in one session."""

    def __init__(self, account: Account, box: Box, *, read_only: bool) -> None:
        self.box = box
        self.read_only = read_only
        self._account = account
        self._uids: list[int] = []
        self._rows: dict[int, MailRow] = {}
        self._mark: Mark | None = None
        self._gone: set[int] = set()
        self._changed: set[int] = set()
        self._grown = False
        # \Deleted in the sent box: there is no flag in the store, so it ends with the session,
        # as flags outside PERMANENTFLAGS do (RFC 9051 §7.1).
        self._deleted_here: set[int] = set()
        self.keywords: Keywords = NO_KEYWORDS
        self._flags_told = b""

    @property
    def takes_keywords(self) -> bool:
        """Whether messages here can be marked with words of the owner's."""
        return self.box is Box.INBOX and self._account.takes_keywords

    @property
    def exists(self) -> int:
        return len(self._uids)

    @property
    def top(self) -> int:
        """The highest UID, 0 when the mailbox is empty."""
        return self._uids[-1] if self._uids else 0

    def all(self) -> list[Numbered]:
        """Every message that is there, with its number."""
        return [(n, self.row(uid)) for n, uid in enumerate(self._uids, 1) if uid not in self._gone]

    def row(self, uid: int) -> MailRow:
        """A message of the list, with the flags that this session sees."""
        row = self._rows[uid]
        if uid in self._deleted_here:
            return replace(row, flags=row.flags | DELETED)
        return row

    def first_unseen(self, seen: int) -> int:
        """The number of the first message without a flag; 0 when there is none."""
        return next((n for n, row in self.all() if not row.flags & seen), 0)

    # --- what clients name ------------------------------------------------------------------

    def named(self, wanted: SequenceSet) -> tuple[list[Numbered], bool]:
        """The messages that a sequence set names, and whether one of them is gone."""
        found: list[Numbered] = []
        missing = False
        for low, high in self.spans(wanted):
            for place in range(low, high):
                uid = self._uids[place]
                if uid in self._gone:
                    missing = True
                else:
                    found.append((place + 1, self.row(uid)))
        return found, missing

    def spans(self, wanted: SequenceSet) -> list[tuple[int, int]]:
        """A sequence set as places from-to of the list, in order and apart from each other:
        however often a set names the same messages, they are looked at once."""
        spans: list[tuple[int, int]] = []
        for element in wanted.value:
            low, high = element if isinstance(element, tuple) else (element, element)
            first, last = sorted((self._number(low, wanted.uid), self._number(high, wanted.uid)))
            if wanted.uid:
                spans.append((bisect_left(self._uids, first), bisect_right(self._uids, last)))
            else:
                # In an empty mailbox `*` is no message at all, and `1:*` names none.
                spans.append((min(max(first, 1) - 1, self.exists), min(last, self.exists)))
        return merged(spans)

    def _number(self, number: int | MaxValue, uid: bool) -> int:
        if isinstance(number, MaxValue):
            return self.top if uid else self.exists
        return number

    # --- what happens -----------------------------------------------------------------------

    async def refresh(self) -> None:
        """Learn what happened to the mailbox; `report` tells it."""
        changes = await self._account.changes(self.box, self._mark)
        first = self._mark is None
        self._mark = changes.mark
        if self.box is Box.INBOX:
            await self._learn_names(changes.rows, always=first)
        if changes.whole:
            there = {row.id for row in changes.rows}
            self._gone.update(uid for uid in self._uids if uid not in there)
        else:
            self._gone.update(uid for uid in changes.gone if uid in self._rows)
        for row in changes.rows:
            known = self._rows.get(row.id)
            if known is None:
                # One that became visible late has no place any more; the next SELECT shows it.
                if row.id > self.top:
                    self._uids.append(row.id)
                    self._rows[row.id] = row
                    self._grown = not first
            elif known.flags != row.flags:
                self._rows[row.id] = row
                self._changed.add(row.id)

    async def _learn_names(self, rows: Iterable[MailRow], *, always: bool) -> None:
        """Ask for the keywords when a row bears one that nobody here has seen."""
        known = sum(self.keywords)
        if always or any(row.flags & KEYWORDS & ~known for row in rows):
            self.know(await self._account.keywords())

    def know(self, keywords: Mapping[int, str]) -> None:
        """Take over the names of the keywords."""
        self.keywords = {flag: name.encode("ascii", "ignore") for flag, name in keywords.items()}

    def flags_here(self) -> tuple[bytes, bytes]:
        """The flags of this mailbox, and those of them that a client may change for good."""
        self._flags_told = self._flags()
        if self.read_only or self.box is not Box.INBOX:
            return self._flags_told, b"()"
        full = not self.takes_keywords or len(self.keywords) >= MOST_KEYWORDS
        more = () if full else (b"\\*",)
        return self._flags_told, parenthesised((self._flags_told[1:-1], *more))

    def _flags(self) -> bytes:
        if self.box is Box.INBOX:
            return flag_list(ALL_FLAGS | KEYWORDS, self.keywords)
        return flag_list(SEEN | DELETED)

    def report(self, *, may_expunge: bool, with_uid: bool = False) -> bytes:
        """What the client does not know yet, as untagged answers."""
        out: list[bytes] = []
        if may_expunge and self._gone:
            out += [b"* %d EXPUNGE\r\n" % number for number in self._expunged()]
        if self._grown:
            out.append(b"* %d EXISTS\r\n" % self.exists)
            self._grown = False
        if self._flags_told and self._flags_told != self._flags():
            # A keyword is told of before a message that bears it (RFC 9051 §7.3.5).
            flags, kept = self.flags_here()
            out.append(b"* FLAGS %b\r\n* OK [PERMANENTFLAGS %b] More\r\n" % (flags, kept))
        for uid in sorted(self._changed - self._gone):
            number = bisect_left(self._uids, uid) + 1
            out.append(self.flags_line(number, self.row(uid), with_uid=with_uid))
        self._changed.clear()
        return b"".join(out)

    def _expunged(self) -> list[int]:
        """Take what is gone out of the list; its numbers, highest first, so that none of them
        changes before it is told."""
        gone, self._gone = self._gone, set()
        numbers = [number for number, uid in enumerate(self._uids, 1) if uid in gone]
        self._uids = [uid for uid in self._uids if uid not in gone]
        self._deleted_here -= gone
        for uid in gone:
            self._rows.pop(uid, None)
        return numbers[::-1]

    def set_flags(self, uids: Iterable[int], *, with_flags: int, kept: int) -> None:
        """Note flags that this session has set itself: they are no news to it."""
        for uid in uids:
            row = self._rows.get(uid)
            if row is None:
                continue
            if self.box is Box.INBOX:
                self._rows[uid] = replace(row, flags=(row.flags & kept) | with_flags)
            elif with_flags & DELETED:
                self._deleted_here.add(uid)
            elif not kept & DELETED:
                self._deleted_here.discard(uid)

    def flags_line(self, number: int, row: MailRow, *, with_uid: bool) -> bytes:
        """An untagged FETCH that tells the flags of a message."""
        uid = b"UID %d " % row.id if with_uid else b""
        flags = flag_list(row.flags, self.keywords)
        return b"* %d FETCH (%bFLAGS %b)\r\n" % (number, uid, flags)

    def marked_deleted(self, wanted: SequenceSet | None) -> list[int]:
        r"""The UIDs with \Deleted, all or those of a set."""
        listed: Sequence[Numbered] = self.all() if wanted is None else self.named(wanted)[0]
        return [row.id for _, row in listed if row.flags & DELETED]


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, with those that touch joined."""
    out: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if low >= high:
            continue
        if out and low <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return out

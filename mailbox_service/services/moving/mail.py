"""Mail and sent mail of an existing deployment, read out of its dump row by row.

Ids are kept where they are above every id that was ever given out here; rows with others come in
a second reading, at the end, under new ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

from mailbox_service.core import deployment
from mailbox_service.core.address import split
from mailbox_service.core.deployment import BIG_TABLES, MAILS, SENDBOX, OldSent
from mailbox_service.core.dump import BadDump, Reader, Row
from mailbox_service.core.packing import pack
from mailbox_service.core.transfer import as_address
from mailbox_service.services.clock import as_datetime, new_id
from mailbox_service.services.importing import BATCH, BATCH_OCTETS
from mailbox_service.services.mail_files import Advance, BadFile, chunks_of, ignored, opened
from mailbox_service.services.moving.move import Move
from mailbox_service.storage import importing, locks
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.importing import NewMail, NewRow, NewSent

Numbered = tuple[int, Row]
Batch = list[tuple[str, Row]]
Chosen = Callable[[str, int], bool]


async def take_mail(move: Move, path: Path, advance: Advance, *, packs: bool) -> None:
    """All mail of a dump. Raises BadFile; what came before is kept."""
    marks = {
        MAILS: await move.database.read(importing.highest, "messages"),
        SENDBOX: await move.database.read(importing.highest, "submissions"),
    }

    def is_free(table: str, old_id: int) -> bool:
        return old_id > marks[table]

    def is_taken(table: str, old_id: int) -> bool:
        return old_id <= marks[table]

    if await read_mail(move, path, advance, is_free, packs=packs, keeps_id=True):
        await read_mail(move, path, ignored, is_taken, packs=packs, keeps_id=False)


async def read_mail(
    move: Move, path: Path, advance: Advance, chosen: Chosen, *, packs: bool, keeps_id: bool
) -> bool:
    """Take over the mails whose ids are chosen; whether there were others that are new."""
    others = False
    batches = big_rows(path, advance)
    while batch := await asyncio.to_thread(next, batches, None):
        for table in (MAILS, SENDBOX):
            rows = [row for name, row in batch if name == table]
            readable = list(move.each(table, rows, numbered)) if rows else []
            if not readable:
                continue
            ids = [old_id for old_id, _ in readable]
            taken = await move.database.read(importing.taken, move.source, table, ids)
            new = [(old_id, row) for old_id, row in readable if old_id not in taken]
            picked = [(old_id, row) for old_id, row in new if chosen(table, old_id)]
            others = others or len(picked) < len(new)
            if keeps_id:  # the second reading meets them all once more
                move.done.known[table] += len(readable) - len(new)
            if picked:
                await keep(move, table, picked, packs=packs, keeps_id=keeps_id)
    return others


async def keep(
    move: Move, table: str, rows: list[Numbered], *, packs: bool, keeps_id: bool
) -> None:
    """Put one batch into mailboxes or sent boxes."""
    if table == MAILS:
        mails = await asyncio.to_thread(new_mails, move, rows, packs, keeps_id)
        await move.database.write(keep_mails, mails, source=move.source)
        move.done.added[table] += len(mails)
    else:
        sent = await asyncio.to_thread(new_sent, move, rows, keeps_id)
        await move.database.write(keep_sent, sent, source=move.source)
        move.done.added[table] += len(sent)


def big_rows(path: Path, advance: Advance) -> Iterator[Batch]:
    """The rows of the big tables of a dump in batches. Raises BadFile behind the last that can
    be read."""
    batch: Batch = []
    octets = 0
    trouble = None
    with opened(path, advance) as stream:
        rows = Reader(BIG_TABLES).rows(chunks_of(stream))
        while True:
            try:
                table, row = next(rows)
            except StopIteration:
                break
            except BadDump as error:
                trouble = BadFile(f"{path}: {error}")
                break
            batch.append((table, row))
            octets += sum(len(value) for value in row.values() if isinstance(value, bytes))
            if len(batch) == BATCH or octets > BATCH_OCTETS:
                yield batch
                batch, octets = [], 0
    if batch:
        yield batch
    if trouble is not None:
        raise trouble


def numbered(row: Row) -> Numbered:
    """A row with its id. Raises BadRow."""
    return deployment.id_of(row), row


def new_mails(move: Move, rows: list[Numbered], packs: bool, keeps_id: bool) -> list[NewMail]:
    """Mails as they are stored here."""
    made = []
    for old_id, mail in move.each(MAILS, rows, lambda pair: (pair[0], deployment.mail_of(pair[1]))):
        if move.is_foreign(MAILS, mail.address):
            continue
        now = move.clock()
        received_at = now if mail.received_at is None else min(mail.received_at, now)
        packed = pack(mail.content) if packs else None
        made.append(NewMail(mail, received_at, packed, old_id, keeps_id))
    return made


def new_sent(move: Move, rows: list[Numbered], keeps_id: bool) -> list[NewSent]:
    """Sent mails as they are stored here."""
    return [
        as_sent(move, sent, keeps_id)
        for sent in move.each(SENDBOX, rows, lambda pair: deployment.sent_of(pair[1]))
        if not move.is_foreign(SENDBOX, sent.address)
    ]


def as_sent(move: Move, sent: OldSent, keeps_id: bool) -> NewSent:
    """One sent mail: its record as it was, and a message made of it for readers of messages."""
    queue_id = new_id()
    at = move.clock() if sent.created_at is None else sent.created_at
    message_id = f"<{queue_id}@{split(sent.address)[1] or 'localhost'}>"
    values = {
        "queue_id": queue_id,
        "address": sent.address,
        "message_id": message_id,
        "subject": sent.draft.subject,
        "record": sent.record,
        "created_at": at,
    }
    recipients = dict.fromkeys(as_address(one.address) for one in sent.draft.to if one.address)
    return NewSent(
        NewRow(sent.id, keeps_id, values),
        deployment.content_of(sent, message_id=message_id, date=as_datetime(at)),
        tuple((one, one.rpartition("@")[2]) for one in recipients),
    )


async def keep_mails(tx: Transaction, mails: list[NewMail], *, source: str) -> None:
    """Put mails into their mailboxes, and write down what became of them."""
    await locks.order_messages(tx)
    pairs = [(new.old_id, await importing.add_mail(tx, new)) for new in mails]
    await importing.note(tx, source, MAILS, pairs)


async def keep_sent(tx: Transaction, sent: list[NewSent], *, source: str) -> None:
    """Put mails into the sent boxes, and write down what became of them."""
    pairs = [(new.row.old_id, await importing.add_sent(tx, new)) for new in sent]
    await importing.note(tx, source, SENDBOX, pairs)

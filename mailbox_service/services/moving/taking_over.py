"""Everything of an existing deployment: the dump of its database, and of its key-value store.

The dump is read twice: first what is small, addresses before what belongs to them, then mail.
What became of each row is written down with it, so that a take-over that was cut off goes on, and
one with a newer dump adds what is new. Nothing that was set or deleted here since comes back.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.deployment import SMALL_TABLES
from mailbox_service.core.dump import BadDump, Reader, Row
from mailbox_service.services.authenticating import Authenticating
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.mail_files import Advance, BadFile, chunks_of, ignored, opened
from mailbox_service.services.moving import addresses, mail, settings
from mailbox_service.services.moving.move import Move, TakenOver
from mailbox_service.services.passwords import Passwords
from mailbox_service.signals import Signals
from mailbox_service.storage.database import Database

# What the first reading holds: addresses, accounts, settings. A million addresses are 200 MB.
MOST_SMALL_ROWS = 5_000_000


class TakingOver:
    """Takes over one deployment; `done` counts on while it goes on."""

    def __init__(
        self,
        database: Database,
        config: Config,
        authenticating: Authenticating,
        signals: Signals,
        *,
        source: str = "deployment",
        joins: bool = False,
        clock: Clock = now_micros,
    ) -> None:
        self._move = Move(database, source, joins, clock)
        self._authenticating = authenticating
        self._signals = signals
        self._packs = config.enable_mail_gzip
        self._served = config.served_domains
        self._passwords = Passwords(config.jwt_secret)

    @property
    def done(self) -> TakenOver:
        """What became of everything so far."""
        return self._move.done

    async def take_dump(self, path: Path, advance: Advance = ignored) -> None:
        """Everything in a dump of the database. Raises BadFile; what came before is kept."""
        move = self._move
        tables = await asyncio.to_thread(small_tables, path, advance)
        if not any(tables.values()):
            raise BadFile(f"{path}: none of the tables of such a deployment")
        keep = self._passwords.keep_moved
        opened_here = await addresses.take_addresses(move, tables["address"], keep, self._served)
        people = await addresses.take_users(move, tables["users"], tables["user_roles"], keep)
        await addresses.take_bindings(move, tables["users_address"], people, opened_here)
        await addresses.take_passkeys(move, tables["user_passkeys"], people)
        await settings.take_settings(move, tables["settings"])
        await settings.take_allowances(move, tables["address_sender"])
        await settings.take_auto_replies(move, tables["auto_reply_mails"])
        del tables
        await mail.take_mail(move, path, advance, packs=self._packs)
        for topic in (topics.MESSAGES, topics.ADDRESSES, topics.SETTINGS):
            self._signals.notify(topic)

    async def take_keys(self, path: Path, advance: Advance = ignored) -> None:
        """Everything in a dump of the key-value store. Raises BadFile."""
        keys = await asyncio.to_thread(settings.read_keys, path, advance)
        await settings.take_keys(self._move, keys, self._authenticating.address_token)
        self._signals.notify(topics.SETTINGS)


def small_tables(path: Path, advance: Advance) -> dict[str, list[Row]]:
    """The rows of the small tables of a dump. Raises BadFile."""
    tables: dict[str, list[Row]] = {name: [] for name in SMALL_TABLES}
    try:
        with opened(path, advance) as stream:
            rows = Reader(SMALL_TABLES).rows(chunks_of(stream))
            for count, (table, row) in enumerate(rows):
                if count == MOST_SMALL_ROWS:
                    raise BadFile(f"{path}: more than {MOST_SMALL_ROWS} addresses and settings")
                tables[table].append(row)
    except BadDump as error:
        raise BadFile(f"{path}: {error}") from None
    return tables

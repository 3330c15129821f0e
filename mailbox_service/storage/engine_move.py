"""Everything of a store in a file, moved into a PostgreSQL database.

All tables go over in one transaction, with their ids: tokens, links and the numbers that clients
remember stay good. Before it is committed every row is read back and compared with what was read
from the file, by a sum that knows no order. The file is only read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from mailbox_service.storage import migrate, postgres
from mailbox_service.storage.postgres_errors import SERVER_ERRORS, one_line

# A table of millions of contents is one statement, and may take its hours.
PATIENCE_SECONDS = 7 * 86_400.0
READ_ROWS = 500  # fetched from the file at a time
READ_BACK_OCTETS = 8 << 20  # fetched from the server at a time, by the largest row of the table
SUMS = 1 << 128

TABLES = """
SELECT name FROM sqlite_master
 WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' AND name <> 'alembic_version'
 ORDER BY name
"""
NUMBERED = """
SELECT table_name, column_name FROM information_schema.columns
 WHERE table_schema = current_schema() AND is_identity = 'YES'
"""


class MoveFailed(Exception):
    """Nothing was moved; the text is one line that says why."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One table that is in both stores now."""

    table: str
    rows: int


class Tally:
    """How many rows there are, and a sum of their hashes that is the same in any order."""

    def __init__(self) -> None:
        self.rows = 0
        self.sum = 0
        self.largest = 1  # octets of the largest row, about

    def add(self, row: Iterable[object]) -> None:
        """Count a row. Raises TypeError for a value that no column of ours holds."""
        digest = blake2b(digest_size=16)
        size = 0
        for value in row:
            if isinstance(value, bytes):
                octets, kind = value, b"b"
            elif isinstance(value, str):
                octets, kind = value.encode("utf-8", "surrogatepass"), b"s"
            elif value is None or isinstance(value, (int, float)):
                octets, kind = repr(value).encode(), b"n"
            else:
                raise TypeError(f"{type(value).__name__} is no value of a store")
            digest.update(b"%s%d:" % (kind, len(octets)))
            digest.update(octets)
            size += len(octets)
        self.rows += 1
        self.sum = (self.sum + int.from_bytes(digest.digest(), "big")) % SUMS
        self.largest = max(self.largest, size)

    def same_as(self, other: Tally) -> bool:
        """Whether both counted the same rows."""
        return (self.rows, self.sum) == (other.rows, other.sum)


async def move(file: Path, url: str, tell: Callable[[Moved], None]) -> list[Moved]:
    """Copy a store that no service uses, and whose schema is this release's, into an empty
    database; each table is told when it is over and compared.

    Raises MoveFailed; then the database is as empty as before.
    """
    try:
        await migrate.upgrade_postgres(lambda: postgres.connect(url, seconds=PATIENCE_SECONDS))
        connection = await postgres.connect(url, seconds=PATIENCE_SECONDS)
    except migrate.SchemaTooNew as error:
        raise MoveFailed(str(error)) from None
    except (*SERVER_ERRORS, ValueError) as error:
        raise MoveFailed(f"the database cannot be reached: {one_line(error)}") from None
    try:
        with closing(opened(file)) as source:
            async with connection.transaction():
                return await move_tables(source, connection, tell)
    except (OSError, sqlite3.Error) as error:
        raise MoveFailed(f"{file}: {error}") from None
    except (*SERVER_ERRORS, TypeError) as error:
        raise MoveFailed(f"the database refused: {one_line(error)}") from None
    finally:
        await connection.close(timeout=postgres.CONNECT_SECONDS)


def opened(file: Path) -> sqlite3.Connection:
    """The store as it is now, whatever else reads and writes; it cannot be written here."""
    source = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    source.execute("BEGIN")
    return source


async def move_tables(
    source: sqlite3.Connection, connection: asyncpg.Connection, tell: Callable[[Moved], None]
) -> list[Moved]:
    """Copy table by table, read back, compare, and set the numbers that come next."""
    tables = [str(name) for (name,) in source.execute(TABLES)]
    # What a migration writes: positions that the file's own take the place of.
    await connection.execute("DELETE FROM cursors")
    for table in tables:
        if await connection.fetchval(f"SELECT EXISTS (SELECT 1 FROM {table})"):
            raise MoveFailed(
                f"the database is not empty: there are rows in {table}; make a new one (createdb)"
            )
    numbered = dict(await connection.fetch(NUMBERED))
    moved = []
    for table in tables:
        columns = [str(row[1]) for row in source.execute(f"PRAGMA table_info({table})")]
        written = Tally()
        await connection.copy_records_to_table(
            table, records=rows_of(source, table, columns, written), columns=columns
        )
        read = await read_back(connection, table, columns, written.largest)
        if not read.same_as(written):
            raise MoveFailed(
                f"{table}: what was read back is not what was written "
                f"({read.rows} rows of {written.rows})"
            )
        if table in numbered:
            await continue_numbers(source, connection, table, str(numbered[table]))
        moved.append(Moved(table, written.rows))
        tell(moved[-1])
    return moved


def rows_of(
    source: sqlite3.Connection, table: str, columns: Sequence[str], tally: Tally
) -> Iterator[tuple[Any, ...]]:
    """The rows of a table as PostgreSQL takes them, counted on their way."""
    names = ", ".join(columns)
    cursor = source.execute(f"SELECT {names} FROM {table}")  # names of our schema
    cursor.arraysize = READ_ROWS
    while rows := cursor.fetchmany():
        for row in rows:
            taken = tuple(map(postgres.argument, row))
            tally.add(taken)
            yield taken


async def read_back(
    connection: asyncpg.Connection, table: str, columns: Sequence[str], largest: int
) -> Tally:
    """Count what a table holds now."""
    tally = Tally()
    names = ", ".join(columns)
    at_a_time = max(1, min(READ_ROWS, READ_BACK_OCTETS // largest))
    async for row in connection.cursor(
        f"SELECT {names} FROM {table}",  # names of our schema
        prefetch=at_a_time,
    ):
        tally.add(row.values())
    return tally


async def continue_numbers(
    source: sqlite3.Connection, connection: asyncpg.Connection, table: str, column: str
) -> None:
    """An id never returns: the next one is behind all that were ever given."""
    (top,) = source.execute(f"SELECT max({column}) FROM {table}").fetchone()
    given = source.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    last = max(top or 0, given[0] if given else 0)
    if last:
        await connection.execute(
            "SELECT setval(pg_get_serial_sequence($1, $2), $3)", table, column, last
        )

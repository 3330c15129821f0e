"""What both engines promise to storage functions, and keep in the same way."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from mailbox_service.core.errors import NotFound, StatementRefused, TemporaryFailure
from mailbox_service.storage.connect import connect
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.dialects import each_integer, each_text, skip_locked
from mailbox_service.storage.locks import order_messages
from mailbox_service.storage.postgres import PostgresDatabase
from tests.databases import AnyDatabase

pytestmark = pytest.mark.anyio

INSERT = """
INSERT INTO messages (address, reverse_path, content_id, size, received_at)
VALUES (:address, '', 1, :size, :now) RETURNING id
"""
NOW = 1_800_000_000_000_000


async def add(tx: Transaction, address: str, size: int = 1) -> int:
    await order_messages(tx)
    row = await tx.fetch_one(INSERT, {"address": address, "size": size, "now": NOW})
    assert row is not None
    return int(row[0])


async def add_then_fail(tx: Transaction, address: str) -> int:
    await add(tx, address)
    raise NotFound(f"no {address}")


async def add_twice_the_same(tx: Transaction, name: str) -> None:
    for _ in range(2):
        await tx.execute(
            "INSERT INTO settings (name, value, updated_at) VALUES (:name, '', 0)", {"name": name}
        )


async def addresses(tx: Transaction) -> list[str]:
    return [row[0] for row in await tx.fetch_all("SELECT address FROM messages ORDER BY id")]


async def count(tx: Transaction) -> int:
    row = await tx.fetch_one("SELECT count(*) FROM messages")
    assert row is not None
    return int(row[0])


async def by_place(tx: Transaction, values: Sequence[object]) -> list[tuple[object, ...]]:
    """The values as the engine gives them back."""
    marks = ("?", "?", "?") if tx.dialect == "sqlite" else ("$1::bigint", "$2::text", "$3::bytea")
    rows = await tx.fetch_values(f"SELECT {', '.join(marks)}", values)
    return [tuple(row) for row in rows]


async def remove_all(tx: Transaction) -> int:
    return await tx.execute("DELETE FROM messages")


async def test_what_was_committed_is_read(database: AnyDatabase) -> None:
    assert await database.write(add, "ann@a.test") == 1
    assert await database.read(addresses) == ["ann@a.test"]
    assert await database.read_quick(addresses) == ["ann@a.test"]


async def test_a_refusal_undoes_its_own_unit_and_no_other_of_the_group(
    database: AnyDatabase,
) -> None:
    units = [database.write(add_then_fail if n % 3 == 0 else add, f"{n}@a.test") for n in range(10)]
    results = await asyncio.gather(*units, return_exceptions=True)
    assert [type(result) for result in results] == [
        NotFound if n % 3 == 0 else int for n in range(10)
    ]
    assert await database.read(addresses) == [f"{n}@a.test" for n in range(10) if n % 3]


async def test_a_unit_that_breaks_a_constraint_fails_alone(database: AnyDatabase) -> None:
    good, bad, also_good = (
        database.write(add, "ann@a.test"),
        database.write(add_twice_the_same, "name"),
        database.write(add, "bob@a.test"),
    )
    await good
    with pytest.raises(Exception, match=r"(?i)unique"):
        await bad
    await also_good
    assert await database.read(addresses) == ["ann@a.test", "bob@a.test"]


async def test_a_refusal_of_a_lone_unit_undoes_it_in_one_run(database: AnyDatabase) -> None:
    runs = 0

    async def refuse(tx: Transaction) -> None:
        nonlocal runs
        runs += 1
        await add_then_fail(tx, "ann@a.test")

    with pytest.raises(NotFound, match="no ann"):
        await database.write(refuse)
    assert runs == 1
    assert await database.read(count) == 0


async def test_a_unit_that_goes_on_after_a_failed_statement_takes_no_other_along(
    database: AnyDatabase,
) -> None:
    """PostgreSQL answers the commit after it with a rollback; that is no success."""

    async def careless(tx: Transaction) -> None:
        with suppress(Exception):
            await add_twice_the_same(tx, "name")

    good = database.write(add, "ann@a.test")
    bad = database.write(careless)
    await good
    if isinstance(database, PostgresDatabase):
        with pytest.raises(Exception, match="aborted"):
            await bad
    else:
        await bad
    assert await database.read(addresses) == ["ann@a.test"]


async def test_a_refusal_of_a_read_reaches_the_caller(database: AnyDatabase) -> None:
    async def refuse(tx: Transaction) -> None:
        raise NotFound("nothing there")

    for read in (database.read, database.read_quick):
        with pytest.raises(NotFound, match="nothing there"):
            await read(refuse)
        assert await read(count) == 0


async def test_a_read_cannot_write(database: AnyDatabase) -> None:
    with pytest.raises(TemporaryFailure) as refused:
        await database.read(add, "ann@a.test")
    assert re.search("(?i)read-?only", str(refused.value.__cause__))
    assert await database.read(count) == 0


WRONG_STATEMENTS = [
    "SELECT nothing FROM addresses",
    "SELECT 1 FROM nowhere",
    "SELECT 1 FROM addresses WHERE AND OR",
    "SELECT no_such_function(id) FROM addresses",
    "SELECT id FROM addresses GROUP BY sum(id)",
]


@pytest.mark.parametrize("sql", WRONG_STATEMENTS)
async def test_a_statement_that_the_engine_does_not_take_is_told_from_trouble(
    database: AnyDatabase, sql: str
) -> None:
    async def ask(tx: Transaction) -> None:
        await tx.fetch_all(sql)

    for run in (database.read, database.read_quick, database.write):
        with pytest.raises(StatementRefused) as refused:
            await run(ask)
        assert refused.value.__cause__ is not None
    assert not database._groups.in_trouble
    await database.write(add, "ann@a.test")  # nothing else suffers
    assert await database.read(count) == 1


async def test_units_run_in_the_order_in_which_they_came(database: AnyDatabase) -> None:
    ids = await asyncio.gather(*[database.write(add, f"{n}@a.test") for n in range(700)])
    assert ids == sorted(ids)
    assert len(set(ids)) == 700


async def test_ids_never_return_after_deletes(database: AnyDatabase) -> None:
    """Clients poll by id, and an IMAP UID is never used again (RFC 9051 §2.3.1.1)."""
    before = [await database.write(add, f"{n}@a.test") for n in range(3)]
    assert await database.write(remove_all) == 3
    assert await database.write(add, "new@a.test") > max(before)


async def test_a_thousand_writes_from_fifty_tasks_are_all_there_once(
    database: AnyDatabase,
) -> None:
    async def write_twenty(task: int) -> None:
        for n in range(20):
            await database.write(add, f"{task}-{n}@a.test")

    await asyncio.gather(*[write_twenty(task) for task in range(50)])
    found = await database.read(addresses)
    assert len(found) == 1000
    assert set(found) == {f"{task}-{n}@a.test" for task in range(50) for n in range(20)}


async def test_a_caller_that_goes_away_undoes_nothing(database: AnyDatabase) -> None:
    async def call() -> None:
        await database.write(add, "gone@a.test")

    caller = asyncio.create_task(call())
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait([caller])
    await database.write(add, "here@a.test")
    assert await database.read(addresses) == ["gone@a.test", "here@a.test"]


async def test_a_reader_that_goes_away_leaves_the_store_usable(database: AnyDatabase) -> None:
    for _ in range(10):
        caller = asyncio.create_task(database.read(addresses))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait([caller])
    assert await asyncio.gather(*[database.read(count) for _ in range(10)]) == [0] * 10


async def test_close_lets_units_end_and_refuses_new_ones(store_url: str, tmp_path: Path) -> None:
    store = connect(store_url, tmp_path)
    await store.open()
    units = [store.write(add, f"{n}@a.test") for n in range(1200)]
    reads = [asyncio.create_task(store.read(count)) for _ in range(20)]
    await asyncio.sleep(0)
    await store.close()
    assert len(await asyncio.gather(*units)) == 1200
    await asyncio.gather(*reads)
    for late in (store.write(add, "late@a.test"), store.read(count), store.read_quick(count)):
        with pytest.raises(TemporaryFailure, match="stopping"):
            await late
    await store.close()
    again = connect(store_url, tmp_path)
    await again.open()
    assert await again.read(count) == 1200
    await again.close()


async def test_a_read_sees_one_state_while_others_write(
    database: AnyDatabase,
) -> None:
    """Lists and their counts agree."""
    if isinstance(database, PostgresDatabase):

        async def count_twice(tx: Transaction) -> tuple[int, int]:
            before = await count(tx)
            await database.write(add, "meanwhile@a.test")
            return before, await count(tx)
    else:

        async def count_twice(tx: Transaction) -> tuple[int, int]:
            before = await count(tx)
            asyncio.run_coroutine_threadsafe(
                written_meanwhile(), loop
            ).result()  # this unit runs in a thread of its own
            return before, await count(tx)

    async def written_meanwhile() -> None:
        await database.write(add, "meanwhile@a.test")

    loop = asyncio.get_running_loop()
    assert await database.read(count_twice) == (0, 0)
    assert await database.read(count) == 1


async def test_a_message_of_thirty_megabytes_comes_back_whole(database: AnyDatabase) -> None:
    content = os.urandom(30_000_000)

    async def store(tx: Transaction) -> None:
        await tx.execute(
            "INSERT INTO contents (uses, checksum, bytes) VALUES (1, 0, :bytes)", {"bytes": content}
        )

    async def fetch(tx: Transaction) -> object:
        row = await tx.fetch_one("SELECT bytes FROM contents")
        assert row is not None
        return row[0]

    await database.write(store)
    assert await database.read(fetch) == content


async def test_values_are_the_same_on_both_engines(database: AnyDatabase) -> None:
    async def values(tx: Transaction) -> object:
        # Without RETURNING, which executemany of newer Pythons refuses on SQLite.
        insert = INSERT.rpartition("RETURNING")[0]
        await tx.execute_many(
            insert, [{"address": "a@a.test", "size": size, "now": NOW} for size in (3, 2**40)]
        )
        (found,) = await tx.fetch_all(
            "SELECT sum(size), avg(CAST(flags AS DOUBLE PRECISION)), count(*), max(metadata), "
            "       CAST(:flag AS BIGINT), CAST(:text AS TEXT) || ':x ''::y', "
            "       EXISTS (SELECT 1 FROM messages) "
            "  FROM messages WHERE size > :least -- :not_a_parameter\n",
            {"least": 1, "flag": True, "text": "é"},
        )
        return found

    found = await database.write(values)
    assert found == (3 + 2**40, 0.0, 2, None, 1, "é:x '::y", 1)
    assert isinstance(found, tuple)
    assert [type(value) for value in found] == [int, float, int, type(None), int, str, int]


async def test_text_of_mail_with_a_nul_can_be_stored(database: AnyDatabase) -> None:
    """PostgreSQL has no NUL in text; hostile mail has it in a subject."""

    async def store(tx: Transaction) -> object:
        await tx.execute(
            "INSERT INTO settings (name, value, updated_at) VALUES ('x', :value, 0)",
            {"value": "a\0b"},
        )
        return await tx.fetch_one("SELECT name FROM settings")

    assert await database.write(store) == ("x",)


async def test_rows_changed_are_counted(database: AnyDatabase) -> None:
    async def change(tx: Transaction) -> list[int]:
        for n in range(3):
            await add(tx, f"{n}@a.test")
        return [
            await tx.execute("UPDATE messages SET flags = 1 WHERE size = :size", {"size": 1}),
            await tx.execute("UPDATE messages SET flags = 1 WHERE size = :size", {"size": 9}),
            await tx.execute("DELETE FROM messages WHERE address = '0@a.test'"),
        ]

    assert await database.write(change) == [3, 0, 1]


async def test_lists_of_values_and_claims_are_said_in_both_dialects(
    database: AnyDatabase,
) -> None:
    async def choose(tx: Transaction) -> list[str]:
        for n in range(1, 6):
            await add(tx, f"{n}@a.test")
        by_id = await tx.fetch_all(
            f"SELECT address FROM messages WHERE id IN ({each_integer(tx.dialect, 'ids')}) "
            f"ORDER BY id {skip_locked(tx.dialect)}",
            {"ids": "[1, 3, 99]"},
        )
        by_address = await tx.fetch_all(
            f"SELECT address FROM messages WHERE address IN ({each_text(tx.dialect, 'names')})",
            {"names": json.dumps(["5@a.test", "nobody", "nul\0"])},
        )
        return [row[0] for row in (*by_id, *by_address)]

    assert await database.write(choose) == ["1@a.test", "3@a.test", "5@a.test"]


async def test_two_stores_of_one_database_make_message_ids_visible_in_order(
    database: AnyDatabase, store_url: str, tmp_path: Path
) -> None:
    """Whoever polls for ids above the last one seen misses none, whichever process wrote it."""
    other = connect(store_url, tmp_path)
    await other.open()
    try:
        writers = asyncio.gather(
            *[store.write(add, f"{n}@a.test") for n in range(300) for store in (database, other)]
        )
        seen: list[int] = []

        async def above(tx: Transaction, last: int) -> list[int]:
            rows = await tx.fetch_all(
                "SELECT id FROM messages WHERE id > :last ORDER BY id", {"last": last}
            )
            return [row[0] for row in rows]

        while not writers.done():
            seen += await database.read(above, seen[-1] if seen else 0)
        ids = await writers
        seen += await database.read(above, seen[-1] if seen else 0)
        assert seen == sorted(ids)
        assert len(seen) == 600
    finally:
        await other.close()


async def test_ping_says_that_the_store_can_be_used(database: AnyDatabase) -> None:
    await database.ping()


async def test_values_are_bound_by_their_place(database: AnyDatabase) -> None:
    values = (7, "é 'quoted' :name ? $1", b"\x00\xff")
    assert await database.read(by_place, values) == [values]
    assert await database.write(by_place, (None, None, None)) == [(None, None, None)]

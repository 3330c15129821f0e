"""Dumps are read, never run: literals, the functions that SQLite writes itself, nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_service.core import dump
from mailbox_service.core.dump import BadDump, Reader, statements

TABLE = 'CREATE TABLE "t" (id INTEGER PRIMARY KEY, a TEXT, "b b" BLOB, CHECK (id > 0));'


def read(text: bytes | str, *, chunk: int = 7) -> list[tuple[str, dict[str, object]]]:
    """The rows of table t, the dump given in small chunks."""
    octets = text.encode() if isinstance(text, str) else text
    chunks = (octets[n : n + chunk] for n in range(0, len(octets), chunk))
    return [(table, dict(row)) for table, row in Reader({"t"}).rows(chunks)]


def dumped(connection: sqlite3.Connection) -> Iterator[bytes]:
    for line in connection.iterdump():
        yield line.encode("utf-8", "surrogateescape") + b"\n"


VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(width=16, allow_nan=False, allow_infinity=False),
    st.binary(max_size=60),
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=60),
)


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.tuples(VALUES, VALUES), max_size=8), chunk=st.integers(1, 400))
def test_what_sqlite_writes_is_read_back(rows: list[tuple[object, object]], chunk: int) -> None:
    """A differential test: SQLite's own dump of random values."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute('CREATE TABLE "t" ("id" INTEGER PRIMARY KEY, "a;--", `b`)')
        connection.executemany('INSERT INTO t ("a;--", b) VALUES (?, ?)', rows)
        found = read(b"".join(dumped(connection)), chunk=chunk)
    expected = [
        {"id": n, "a;--": as_read(a), "b": as_read(b)} for n, (a, b) in enumerate(rows, start=1)
    ]
    assert [row for _, row in found] == expected


def as_read(value: object) -> object:
    return value.encode() if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("1,'it''s',NULL", (1, b"it's", None)),
        ("-2, '', X'00fF'", (-2, b"", b"\x00\xff")),
        ("1.5e3,'a;b','--c/*d*/'", (1500.0, b"a;b", b"--c/*d*/")),
        (r"1,replace(replace('a\r\nb','\r',char(13)),'\n',char(10)),NULL", (1, b"a\r\nb", None)),
        (r"1,unistr('a\u000d\u000ab\\c\U0001f600'),NULL", (1, "a\r\nb\\c😀".encode(), None)),
        ("1,'a' || char(13,10) || 'b',x''", (1, b"a\r\nb", b"")),
        ("1 /* one */, -- two\n 'x' , 3", (1, b"x", 3)),
        ("99999999999999999999,'é',true", (1e20, "é".encode(), 1)),
    ],
)
def test_every_form_of_a_value(values: str, expected: tuple[object, ...]) -> None:
    ((table, row),) = read(f"{TABLE}\nINSERT INTO t VALUES({values});")
    assert (table, tuple(row.values())) == ("t", expected)


def test_columns_are_those_that_the_insert_names_else_those_of_the_table() -> None:
    named = read(f'{TABLE} INSERT OR IGNORE INTO "main"."t" ("b b", `id`) VALUES (X\'01\', 2);')
    assert named == [("t", {"b b": b"\x01", "id": 2})]
    added = read(
        "CREATE TABLE t (id DEFAULT (datetime('now, ()')), a, late); REPLACE INTO t VALUES(1,2,3)"
    )
    assert added == [("t", {"id": 1, "a": 2, "late": 3})]


def test_several_rows_in_one_statement() -> None:
    rows = read(f"{TABLE}INSERT INTO t(id) VALUES (1),(2) , (3);")
    assert [row["id"] for _, row in rows] == [1, 2, 3]


def test_other_tables_and_other_statements_are_passed_over() -> None:
    text = f"""PRAGMA foreign_keys=OFF; BEGIN TRANSACTION; {TABLE}
    INSERT INTO other VALUES(load_extension('x'));
    ATTACH 'file' AS f; DELETE FROM t; DROP TABLE t;
    CREATE TRIGGER tr AFTER INSERT ON t BEGIN
        INSERT INTO t VALUES(666,'from a trigger',NULL);
        UPDATE t SET a = 1;
    END;
    INSERT INTO t VALUES(1,'good',NULL);
    CREATE UNIQUE INDEX i ON t(a); COMMIT;"""
    assert read(text) == [("t", {"id": 1, "a": b"good", "b b": None})]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t VALUES(1,load_extension('/tmp/x'),NULL)",
        "INSERT INTO t VALUES(1,readfile('/etc/passwd'),NULL)",
        "INSERT INTO t VALUES(1,(SELECT 1),NULL)",
        "INSERT INTO t SELECT * FROM t",
        "INSERT INTO t DEFAULT VALUES",
        "INSERT INTO t VALUES(1,2)",
        "INSERT INTO t VALUES(1,2,3) RETURNING id",
        "INSERT INTO t VALUES(1,2,3",
        "INSERT INTO t VALUES(1,'2",
        "INSERT INTO t VALUES(1,x'123',3)",
        "INSERT INTO t VALUES(1,char(0),3)",
        "INSERT INTO t VALUES(1,char(1114112),3)",
        "INSERT INTO t VALUES(1,replace('a','','b'),3)",
        "INSERT INTO t VALUES(1,1 || 2,3)",
        "INSERT INTO t VALUES(1," + "replace(" * 20 + "'a'" + ",'a','b')" * 20 + ",3)",
        "INSERT INTO t VALUES(" + "1," * 5000 + "1)",
    ],
)
def test_anything_else_is_refused_and_not_guessed(statement: str) -> None:
    with pytest.raises(BadDump) as refusal:
        read(f"{TABLE}{statement};")
    assert "passwd" not in str(refusal.value)


def test_an_insert_without_known_columns_is_refused() -> None:
    with pytest.raises(BadDump, match="names no columns"):
        read("INSERT INTO t VALUES(1);")


def test_what_would_grow_beyond_all_bounds_is_refused_hazard_31(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dump, "LARGEST_STATEMENT", 10_000)
    bomb = "replace(replace('" + "a" * 100 + "','a','" + "b" * 90 + "'),'b','" + "c" * 90 + "')"
    with pytest.raises(BadDump, match="makes more"):
        read(f"{TABLE}INSERT INTO t VALUES(1,{bomb},NULL);")
    with pytest.raises(BadDump, match="longer than"):
        list(statements(b"x" * 100 for _ in range(1000)))


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_dump_that_is_cut_off_never_gives_half_a_row(cut: int) -> None:
    whole = f"{TABLE}INSERT INTO t VALUES(1,'one two three; four','five');"
    try:
        found = read(whole[: len(TABLE) + cut])
    except BadDump:
        return
    assert found in ([], [("t", {"id": 1, "a": b"one two three; four", "b b": b"five"})])

"""What is deleted by age, and the statements of administrators (mailbox-api §12)."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_service.core import cleanup, cleanup_statement
from mailbox_service.core.cleanup import DAY, SECOND, automatic, batch_size, before, check_automatic
from mailbox_service.core.cleanup_statement import COLUMNS, TABLES, check_words, read_statement
from mailbox_service.core.errors import BadRequest
from mailbox_service.core.sqlite_time import moment_text

NOON = 1_795_262_400_000_000  # 2026-11-21 12:00:00 UTC


@given(st.integers(0, 10**15), st.floats(0, 1000))
def test_nothing_of_this_second_is_old(now: int, days: float) -> None:
    limit = before(now, days)
    assert limit <= now - now % SECOND
    assert abs((now - limit) - days * DAY) <= SECOND


@pytest.mark.parametrize(
    ("configured", "used"), [(0, 3000), (1, 1), (5000, 5000), (5001, 3000), (-3, 3000)]
)
def test_a_batch_has_a_sensible_size(configured: int, used: int) -> None:
    assert batch_size(configured) == used


def test_the_automatic_cleanup_takes_its_parts_in_the_order_of_the_contract() -> None:
    stored = {
        f"{word}{kind.part}{end}": value
        for kind in reversed(cleanup.KINDS)
        for word, end, value in (("enable", "AutoCleanup", True), ("clean", "Days", 3))
    }
    assert [kind.part for kind, _ in automatic(stored).kinds] == [
        "Mails", "UnknowMails", "SendBox", "InactiveAddress", "Address", "UnboundAddress",
        "EmptyAddress",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "stored",
    [
        None,
        [],
        "x",
        {"enableMailsAutoCleanup": True},
        {"enableMailsAutoCleanup": True, "cleanMailsDays": "3"},
        {"enableMailsAutoCleanup": True, "cleanMailsDays": -1},
        {"enableMailsAutoCleanup": "true", "cleanMailsDays": 3},
        {"enableMailsAutoCleanup": False, "cleanMailsDays": 3},
        {"customSqlCleanupList": "x"},
        {"customSqlCleanupList": [1, {"sql": "DELETE FROM sendbox"}, {"enabled": True}]},
    ],
)
def test_what_makes_no_sense_deletes_nothing(stored: Any) -> None:
    assert automatic(stored) == cleanup.Automatic()


@pytest.mark.parametrize(
    "posted",
    [
        *(None, [], 1, {"customSqlCleanupList": {}}, {"customSqlCleanupList": [1]}),
        {"customSqlCleanupList": [{"sql": "DELETE FROM x"}] * 101},
    ],
)
def test_settings_of_the_wrong_form_are_refused(posted: Any) -> None:
    with pytest.raises(BadRequest) as refusal:
        check_automatic(posted)
    assert refusal.value.message_key == "InvalidInputMsg"


@pytest.mark.parametrize(
    ("sql", "statement"),
    [
        ("  DELETE FROM x ;  ", "DELETE FROM x"),
        ("delete FROM x", "delete FROM x"),
        ("DELETE " + "x" * 993, "DELETE " + "x" * 993),
    ],
)
def test_a_statement_is_trimmed(sql: str, statement: str) -> None:
    assert check_words(sql) == statement


# A statement, and what of it cannot be run here.
REFUSED = [
    ("DELETE x", "expected DELETE FROM"),
    ("DELETE FROM settings", "nothing can be deleted from 'settings'"),
    ("DELETE FROM users", "nothing can be deleted from 'users'"),
    ("DELETE FROM messages", "nothing can be deleted from 'messages'"),
    ("DELETE FROM main.raw_mails", "nothing can be deleted from 'main'"),
    ("DELETE FROM raw_mails LIMIT 1", "expected WHERE"),
    ("DELETE FROM raw_mails WHERE", "expected WHERE"),
    ("DELETE FROM raw_mails WHERE raw LIKE 'x'", "there is no 'raw'"),
    ("DELETE FROM address WHERE password = ''", "there is no 'password'"),
    ("DELETE FROM raw_mails WHERE id IN (SELECT id FROM messages)", "no table 'messages'"),
    ("DELETE FROM raw_mails WHERE id IN (SELECT 1 FROM raw_mails, contents)", "no 'contents'"),
    ("DELETE FROM raw_mails WHERE id IN (SELECT 1 FROM sqlite_master)", "no table 'sqlite_master'"),
    ("DELETE FROM raw_mails WHERE id IN (SELECT 1 FROM ab)", "there is no table 'ab'"),
    ("DELETE FROM raw_mails WHERE load_extension('x')", "there is no function 'load_extension'"),
    ("DELETE FROM raw_mails WHERE pg_sleep(9) = 1", "there is no function 'pg_sleep'"),
    ("DELETE FROM raw_mails WHERE randomblob(9999) = 1", "there is no function 'randomblob'"),
    ("DELETE FROM raw_mails WHERE replace(source, 'a', 'b') = ''", "no function 'replace'"),
    ("DELETE FROM raw_mails WHERE 1) OR (1", "never opened"),
    ("DELETE FROM raw_mails WHERE (1", "not closed"),
    ("DELETE FROM raw_mails WHERE " + "(" * 30 + "1" + ")" * 30, "too many parentheses"),
    ("DELETE FROM raw_mails WHERE id = :id", "cannot be read at ':id'"),
    ("DELETE FROM raw_mails WHERE id = ?", "cannot be read at '?'"),
    ("DELETE FROM raw_mails WHERE source = E'\\' OR 1", "cannot be read"),
    ("DELETE FROM raw_mails WHERE source = $$x$$", "cannot be read"),
    ("DELETE FROM raw_mails WHERE source = 'x", "cannot be read"),
    ("DELETE FROM raw_mails WHERE 1 RETURNING id", "there is no 'returning'"),
    ("DELETE FROM raw_mails WHERE created_at < datetime('soon')", "not known here"),
    ("DELETE FROM raw_mails WHERE created_at < datetime('now', '+1 fortnight')", "not known here"),
    ("DELETE FROM raw_mails WHERE datetime(created_at, '+1 day') < 'x'", "one column here"),
]


@pytest.mark.parametrize(("sql", "problem"), REFUSED)
def test_what_is_not_known_is_refused(sql: str, problem: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        read_statement(sql, now=NOON)
    assert problem in refusal.value.detail


WORDS = [
    *sorted(cleanup_statement.KEYWORDS | cleanup_statement.FUNCTIONS | cleanup_statement.TIMES),
    *sorted(COLUMNS | set(TABLES)),
    *("(", ")", ",", ".", "=", "'x'", "'", '"id"', "1", "-", "x", "zz", "raw", "settings", "\\"),
]


@settings(max_examples=500)
@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_whatever_is_read_reaches_no_table_of_ours(words: list[str]) -> None:
    """An authorizer of SQLite watches: what is compiled reads the tables that we show, calls
    functions that we know, and does nothing else."""
    try:
        selection = read_statement("DELETE FROM raw_mails WHERE " + " ".join(words), now=NOON)
    except BadRequest:
        return
    connection = sqlite3.connect(":memory:")
    for table, columns in TABLES.items():
        connection.execute(f"CREATE TABLE {table} ({', '.join(sorted(columns))})")
    connection.execute("CREATE TABLE settings (name, value)")
    allowed = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION}

    def judge(action: int, first: str | None, *rest: str | None) -> int:
        if action == sqlite3.SQLITE_READ:
            return sqlite3.SQLITE_OK if first in TABLES else sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK if action in allowed else sqlite3.SQLITE_DENY

    connection.set_authorizer(judge)
    trouble = ""
    try:
        connection.execute(
            f"SELECT id FROM raw_mails WHERE ({selection.condition.sqlite})",
            selection.condition.params,
        )
    except sqlite3.DatabaseError as error:
        trouble = str(error)  # not every row of known words is SQL
    connection.close()
    assert "not authorized" not in trouble
    assert "prohibited" not in trouble


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters=";\0"), max_size=40).filter(
    lambda text: "--" not in text and "/*" not in text
)


@given(TEXTS)
def test_a_text_stays_a_text(value: str) -> None:
    quoted = value.replace("'", "''")
    selection = read_statement(f"DELETE FROM raw_mails WHERE source = '{quoted}'", now=NOON)
    assert selection.condition.sqlite == "source = CAST(:text0 AS TEXT)"
    assert selection.condition.params == {"text0": value}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("datetime", ["now"]),
        ("datetime", ["now", "-7 days"]),
        ("datetime", ["now", "-1 month", "start of month"]),
        ("date", ["now", "+3 months"]),
        ("date", ["2026-01-31", "+1 month"]),
        ("date", ["now", "start of year", "-1 day"]),
        ("datetime", ["now", "-1.5 days", "+90 seconds"]),
        ("strftime", ["%Y-%m-%d %H:%M:%S %j %% %s", "now", "-2 years"]),
        ("datetime", ["2026-01-02 03:04:05"]),
        ("datetime", ["2026-01-02"]),
    ],
)
def test_times_are_those_of_sqlite(name: str, arguments: list[str]) -> None:
    moment = datetime.fromtimestamp(NOON / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    given_to_sqlite = [moment if argument == "now" else argument for argument in arguments]
    marks = ", ".join("?" * len(arguments))
    connection = sqlite3.connect(":memory:")
    (expected,) = connection.execute(f"SELECT {name}({marks})", given_to_sqlite).fetchone()
    connection.close()
    assert moment_text(name, arguments, NOON) == expected


def test_numbers_of_days_and_seconds_are_those_of_sqlite() -> None:
    connection = sqlite3.connect(":memory:")
    (days,) = connection.execute("SELECT julianday('2026-11-21 12:00:00')").fetchone()
    connection.close()
    assert moment_text("julianday", ["now"], NOON) == pytest.approx(days, abs=1e-6)
    assert moment_text("unixepoch", ["now"], NOON) == NOON // 1_000_000

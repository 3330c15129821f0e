"""What the engines say differently in queries, one function a difference."""

from __future__ import annotations

from mailbox_service.storage.database import Dialect

_SKIP_LOCKED: dict[Dialect, str] = {
    "sqlite": "",
    "postgresql": "FOR UPDATE SKIP LOCKED",
}
_EACH_INTEGER: dict[Dialect, str] = {
    "sqlite": "SELECT value FROM json_each(:{name})",
    "postgresql": "SELECT CAST(value AS BIGINT) "
    "FROM json_array_elements_text(CAST(:{name} AS JSON)) AS each(value)",
}
# PostgreSQL reads no NUL out of JSON, since its text cannot hold one: it becomes what
# `postgres.argument` makes of it.
_EACH_TEXT: dict[Dialect, str] = {
    "sqlite": "SELECT value FROM json_each(:{name})",
    "postgresql": "SELECT value FROM json_array_elements_text("
    r"CAST(replace(:{name}, '\u0000', '\ufffd') AS JSON)) AS each(value)",
}


def skip_locked(dialect: Dialect) -> str:
    """Ends the `SELECT` that claims rows: pass over those that another process is claiming."""
    return _SKIP_LOCKED[dialect]


def each_integer(dialect: Dialect, name: str) -> str:
    """A subquery of the numbers in a parameter that holds a JSON array: `id IN (...)`."""
    return _EACH_INTEGER[dialect].format(name=name)


def each_text(dialect: Dialect, name: str) -> str:
    """A subquery of the texts in a parameter that holds a JSON array: `address IN (...)`."""
    return _EACH_TEXT[dialect].format(name=name)

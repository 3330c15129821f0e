"""Statements with which administrators delete by rules of their own (mailbox-api §12.3).

They are written for the tables of the mailbox API, `DELETE FROM raw_mails WHERE …`, and never
run. `read_statement` reads one word by word and keeps its condition, when every word of it is
known: names of those tables and their columns, some functions that compute, values. A statement
that names anything else is refused, so none can reach another table, a password or a function
with an effect. What the condition finds is then deleted by the service's own means.

Texts become parameters; `datetime('now', '-7 days')` and its kin become the time that they mean,
so that a condition says the same on both engines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mailbox_service.core.errors import BadRequest
from mailbox_service.core.sqlite_time import moment_text
from mailbox_service.core.texts import text
from mailbox_service.core.told import Words

LONGEST = 1000  # characters (mailbox-api §12.3)
Dialect = Literal["sqlite", "postgresql"]

# The tables that rows may be deleted from, and their columns (mailbox-api §8.1).
TARGETS: Mapping[str, frozenset[str]] = {
    "raw_mails": frozenset(("id", "message_id", "source", "address", "metadata", "created_at")),
    "address": frozenset(("id", "name", "source_meta", "created_at", "updated_at")),
    "sendbox": frozenset(("id", "address", "created_at")),
    "auto_reply_mails": frozenset(
        ("address", "name", "subject", "message", "source_prefix", "enabled", "created_at")
    ),
    "address_sender": frozenset(("id", "address", "balance", "enabled", "created_at")),
}
# And those that a condition may look into besides.
TABLES: Mapping[str, frozenset[str]] = {
    **TARGETS,
    "users_address": frozenset(("id", "user_id", "address_id", "created_at")),
}
COLUMNS = frozenset().union(*TABLES.values())

KEYWORDS = frozenset(
    (
        *("and", "or", "not", "in", "is", "null", "like", "between", "exists", "escape"),
        *("case", "when", "then", "else", "end", "select", "distinct", "from", "where", "as"),
        *("join", "left", "inner", "outer", "cross", "on", "group", "by", "having", "order"),
        *("asc", "desc", "limit", "offset", "union", "all", "except", "intersect"),
    )
)
# Only these compute from their arguments alone, and none makes a long text of a short one.
FUNCTIONS = frozenset(
    (
        *("lower", "upper", "length", "trim", "ltrim", "rtrim", "substr", "instr"),
        *("coalesce", "ifnull", "nullif", "abs", "round", "count", "max", "min", "sum", "avg"),
    )
)
_POSTGRESQL_FUNCTIONS = {"ifnull": "coalesce", "instr": "strpos"}
TIMES = frozenset(("datetime", "date", "strftime", "julianday", "unixepoch"))
# A time function of one column, as the other engine says it.
_TIMES_OF_COLUMNS: Mapping[str, Mapping[Dialect, str]] = {
    "datetime": {"sqlite": "datetime({})", "postgresql": "substr({}, 1, 19)"},
    "date": {"sqlite": "date({})", "postgresql": "substr({}, 1, 10)"},
    "julianday": {
        "sqlite": "julianday({})",
        "postgresql": "(EXTRACT(EPOCH FROM CAST({} AS TIMESTAMP)) / 86400.0 + 2440587.5)",
    },
    "unixepoch": {
        "sqlite": "CAST(strftime('%s', {}) AS INTEGER)",
        "postgresql": "EXTRACT(EPOCH FROM CAST({} AS TIMESTAMP))",
    },
}
_WORDS: Mapping[str, Mapping[Dialect, str]] = {
    # Without case in the one, with case in the other.
    "like": {"sqlite": "LIKE", "postgresql": "ILIKE"},
    "==": {"sqlite": "=", "postgresql": "="},
}

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^']|'')*')
    | (?P<quoted>"[^"]*"|`[^`]*`)
    | (?P<number>[0-9]{1,18}(?:\.[0-9]{1,18})?(?![A-Za-z0-9_.]))
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)(?!')
    | (?P<sign><=|>=|<>|!=|==|\|\||[<>=+*/%(),.-])
    )""",
    re.VERBOSE | re.ASCII,
)
_ALIAS = re.compile(r"[a-z][a-z0-9]?")  # no table of any engine has so short a name
MOST_DEPTH = 20  # of parentheses; SQLite itself gives up at some hundred
LONGEST_WORD = 40  # characters of a word that a refusal repeats

WORDS = Words(
    "statement",
    {
        "delete-from": "expected DELETE FROM and a table",
        "no-target": "nothing can be deleted from '{word}'",
        "where": "expected WHERE, not '{word}'",
        "unreadable": "cannot be read at '{word}'",
        "deep": "too many parentheses",
        "not-closed": "a parenthesis is not closed",
        "not-opened": "a parenthesis was never opened",
        "no-function": "there is no function '{word}'",
        "no-table": "there is no table '{word}'",
        "unknown": "there is no '{word}'",
        "time-arguments": "{word}() has arguments that are not known here",
        "time-column": "{word}() takes one column here, or texts",
        "not-understood": "the store does not understand its condition",
    },
)


class BadStatementWord(BadRequest):
    """A statement within the contract's rules that cannot be run here."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a statement: text, name, number or sign. `value` of a text is what it says."""

    kind: str
    value: str

    def says(self, word: str) -> bool:
        """Whether it is this word or sign."""
        return self.kind in ("name", "sign") and self.value == word


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in the words of each engine, with its parameters."""

    sqlite: str
    postgresql: str
    params: Mapping[str, str]

    def in_words_of(self, dialect: Dialect) -> str:
        """The SQL of the condition."""
        return self.sqlite if dialect == "sqlite" else self.postgresql


@dataclass(frozen=True, slots=True)
class Selection:
    """What a statement deletes: the rows of `table` for which `condition` holds."""

    table: str
    condition: Condition


def check_words(sql: Any) -> str:
    """The statement trimmed, without one semicolon at its end. Raises BadRequest by the rules
    of mailbox-api §12.3, in their order."""
    statement = sql.strip() if isinstance(sql, str) else ""
    statement = statement.removesuffix(";").strip()
    if not statement:
        raise _refusal("SqlEmptyMsg")
    if len(statement) > LONGEST:
        raise _refusal("SqlTooLongMsg")
    if not statement.upper().startswith("DELETE "):
        raise _refusal("SqlOnlyDeleteMsg")
    if ";" in statement:
        raise _refusal("SqlSingleStatementMsg")
    if "--" in statement or "/*" in statement:
        raise _refusal("SqlNoCommentsMsg")
    return statement


def read_statement(sql: Any, *, now: int) -> Selection:
    """What a statement deletes, at a time in microseconds UTC.

    Raises BadRequest by the contract's rules, and BadStatementWord for what is not known here.
    """
    tokens = _tokens(check_words(sql))
    if len(tokens) < 3 or not tokens[1].says("from"):
        raise _bad("delete-from")
    table = tokens[2].value
    if tokens[2].kind != "name" or table not in TARGETS:
        raise _bad("no-target", tokens[2].value)
    rest = tokens[3:]
    if not rest:
        return Selection(table, Condition("1 = 1", "1 = 1", {}))
    if not rest[0].says("where") or len(rest) < 2:
        raise _bad("where", rest[0].value)
    return Selection(table, _Reader(rest[1:], now).read())


def _tokens(statement: str) -> list[Token]:
    tokens: list[Token] = []
    at, end = 0, len(statement)
    while at < end:
        found = _TOKEN.match(statement, at)
        if found is None or found.lastgroup is None:
            raise _bad("unreadable", statement[at:].strip()[:20])
        kind, value = found.lastgroup, found[found.lastgroup]
        if kind == "text":
            value = value[1:-1].replace("''", "'")
        elif kind == "quoted":
            kind, value = "name", value[1:-1].lower()
        elif kind == "name":
            value = value.lower()
        tokens.append(Token(kind, value))
        at = found.end()
        at += len(statement[at:]) - len(statement[at:].lstrip())
    return tokens


class _Reader:
    """Reads a condition: each word is known, or the statement is refused."""

    def __init__(self, tokens: Sequence[Token], now: int) -> None:
        self._tokens = tokens
        self._now = now
        self._params: dict[str, str] = {}

    def read(self) -> Condition:
        sqlite, postgresql = self._span(0, len(self._tokens), depth=0)
        return Condition(sqlite, postgresql, self._params)

    def _span(self, at: int, end: int, *, depth: int) -> tuple[str, str]:
        """The words from `at` to `end`, whose parentheses are balanced."""
        words: list[tuple[str, str]] = []
        while at < end:
            token = self._tokens[at]
            following = self._tokens[at + 1] if at + 1 < end else None
            if token.says("("):
                close = self._closing(at, end, depth)
                inner = self._span(at + 1, close, depth=depth + 1)
                words.append((f"({inner[0]})", f"({inner[1]})"))
                at = close + 1
            elif token.kind == "name" and following is not None and following.says("("):
                if token.value in KEYWORDS:  # IN (…), EXISTS (…), AND (…)
                    words.append(self._word(token, at, end))
                    at += 1
                    continue
                close = self._closing(at + 1, end, depth)
                words.append(self._call(token.value, at + 2, close, depth=depth + 1))
                at = close + 1
            else:
                words.append(self._word(token, at, end))
                at += 1
        return " ".join(word[0] for word in words), " ".join(word[1] for word in words)

    def _closing(self, at: int, end: int, depth: int) -> int:
        """Where the parenthesis that opens at `at` closes."""
        if depth >= MOST_DEPTH:
            raise _bad("deep")
        open_ones = 0
        for place in range(at, end):
            if self._tokens[place].says("("):
                open_ones += 1
            elif self._tokens[place].says(")"):
                open_ones -= 1
                if open_ones == 0:
                    return place
        raise _bad("not-closed")

    def _call(self, name: str, at: int, end: int, *, depth: int) -> tuple[str, str]:
        """A function and its arguments, which lie between `at` and `end`."""
        if name in TIMES:
            return self._time(name, at, end, depth=depth)
        if name not in FUNCTIONS:
            raise _bad("no-function", name)
        inner = self._span(at, end, depth=depth)
        return f"{name}({inner[0]})", f"{_POSTGRESQL_FUNCTIONS.get(name, name)}({inner[1]})"

    def _time(self, name: str, at: int, end: int, *, depth: int) -> tuple[str, str]:
        """A time: worked out here when it is made of texts, else that of one column."""
        given = self._tokens[at:end]
        if given and all(
            token.kind == "text" if index % 2 == 0 else token.says(",")
            for index, token in enumerate(given)
        ):
            value = moment_text(name, [token.value for token in given[::2]], self._now)
            if value is None:
                raise _bad("time-arguments", name)
            if isinstance(value, str):
                return self._parameter(value)
            return repr(value), repr(value)
        if name not in _TIMES_OF_COLUMNS or any(token.says(",") for token in given):
            raise _bad("time-column", name)
        inner = self._span(at, end, depth=depth)
        words = _TIMES_OF_COLUMNS[name]
        return words["sqlite"].format(inner[0]), words["postgresql"].format(inner[1])

    def _word(self, token: Token, at: int, end: int) -> tuple[str, str]:
        if token.kind == "text":
            return self._parameter(token.value)
        if token.kind == "number":
            return token.value, token.value
        if token.says(")"):
            raise _bad("not-opened")
        if token.value in _WORDS:
            words = _WORDS[token.value]
            return words["sqlite"], words["postgresql"]
        if token.kind == "sign":
            return token.value, token.value
        return self._name(token.value, at, end)

    def _name(self, name: str, at: int, end: int) -> tuple[str, str]:
        if name in ("current_timestamp", "current_date"):
            kind = "datetime" if name == "current_timestamp" else "date"
            return self._parameter(str(moment_text(kind, ["now"], self._now)))
        if name in ("true", "false"):
            number = "1" if name == "true" else "0"
            return number, number
        if name in KEYWORDS:
            return name.upper(), name.upper()
        if at and self._tokens[at - 1].value in ("from", "join") and name not in TABLES:
            raise _bad("no-table", name)
        if name in TABLES or name in COLUMNS or _ALIAS.fullmatch(name):
            return name, name
        raise _bad("unknown", name)

    def _parameter(self, value: str) -> tuple[str, str]:
        name = f"text{len(self._params)}"
        self._params[name] = value
        word = f"CAST(:{name} AS TEXT)"
        return word, word


def _bad(name: str, word: str = "") -> BadStatementWord:
    return BadStatementWord(WORDS.say(name, **({"word": word[:LONGEST_WORD]} if word else {})))


def _refusal(key: str) -> BadRequest:
    return BadRequest(text(key), message_key=key)

"""The text of an SQLite dump, read and never run.

A dump is a program, and it comes from somewhere else. Only two kinds of statement are looked at:
CREATE TABLE for the order of its columns, and INSERT for its values. Values are literals, and the
three functions that SQLite itself writes around texts with line ends (`replace`, `char`,
`unistr`); anything else is refused. Both the `.dump` of the SQLite shell and the exports of hosted
SQLite read alike.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

# Texts and blobs are both octets here: what a column holds is for its reader to say.
Value = int | float | bytes | None
Row = Mapping[str, Value]

# A message of 100 MiB as hexadecimal digits, or with every octet of its text escaped.
LARGEST_STATEMENT = 1 << 28
# `replace(replace(…))` is two deep.
DEEPEST = 8
MOST_COLUMNS = 200

_SPECIAL = re.compile(rb"""['"`;]|--|/\*|\[""")
_SPACE = re.compile(rb"(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)
_NAME = rb"""(?:"((?:[^"]|"")*)"|`([^`]*)`|\[([^\]]*)\]|([A-Za-z_][A-Za-z0-9_]*))"""
_A_NAME = re.compile(_NAME)
_INSERT = re.compile(
    rb"\s*(?:INSERT(?:\s+OR\s+[A-Za-z]+)?|REPLACE)\s+INTO\s*(?:\"?main\"?\s*\.\s*)?" + _NAME,
    re.IGNORECASE,
)
_CREATE = re.compile(
    rb"\s*CREATE\s+(?:TEMP(?:ORARY)?\s+)?TABLE\s*(?:IF\s+NOT\s+EXISTS\s*)?(?:\"?main\"?\s*\.\s*)?"
    + _NAME,
    re.IGNORECASE,
)
_TRIGGER = re.compile(rb"\s*CREATE\s+(?:TEMP(?:ORARY)?\s+)?TRIGGER\b", re.IGNORECASE)
_END = re.compile(rb"\s*END\s*\Z", re.IGNORECASE)
_TEXT = re.compile(rb"'((?:[^']++|'')*+)'")
_BLOB = re.compile(rb"[xX]'([0-9A-Fa-f]*+)'")
_NUMBER = re.compile(rb"[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d+)?")
_WORD = re.compile(rb"[A-Za-z_]++")
_VALUES = re.compile(rb"VALUES", re.IGNORECASE)
_CONSTRAINT = re.compile(
    rb"(?:PRIMARY|UNIQUE|CHECK|FOREIGN|CONSTRAINT)\b(?!\s*['\"])", re.IGNORECASE
)
_UNICODE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-9A-Fa-f]{4})|(\\))")
_CLOSING = {b"'": b"'", b'"': b'"', b"`": b"`", b"[": b"]", b"--": b"\n", b"/*": b"*/"}


class BadDump(Exception):
    """This is no dump that can be read; the text says what stands where."""


def statements(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The statements of a dump, given in chunks, without their semicolons. Raises BadDump for one
    that never ends."""
    buffer = bytearray()
    at = 0
    closing = b""
    for chunk in chunks:
        buffer += chunk
        while True:
            if closing:
                found = buffer.find(closing, at)
                if found < 0:
                    at = max(at, len(buffer) - len(closing) + 1)
                    break
                at, closing = found + len(closing), b""
                continue
            # The last octet may be half of `--`; it is looked at again with what follows.
            match = _SPECIAL.search(buffer, at)
            if match is None or (match.end() == len(buffer) and match[0] in (b"-", b"/")):
                at = max(at, len(buffer) - 1)
                break
            if match[0] == b";":
                yield bytes(buffer[: match.start()])
                del buffer[: match.end()]
                at = 0
                continue
            at, closing = match.end(), _CLOSING[bytes(match[0])]
        if len(buffer) > LARGEST_STATEMENT:
            raise BadDump(f"a statement is longer than {LARGEST_STATEMENT} octets")
    if closing not in (b"", b"\n"):
        raise BadDump("the dump ends amid a statement: it is cut off")
    if _SPACE.sub(b"", bytes(buffer)).strip():
        yield bytes(buffer)


@dataclass(slots=True)
class Reader:
    """Reads the rows of some tables. `columns` is the order of columns of each table as its
    CREATE TABLE in the dump says, or else as is usual."""

    wanted: Collection[str]
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def rows(self, chunks: Iterable[bytes]) -> Iterator[tuple[str, Row]]:
        """Every row of the wanted tables with the table's name, in the order of the dump.
        Raises BadDump."""
        in_trigger = False
        for statement in statements(chunks):
            if in_trigger:
                in_trigger = _END.match(statement) is None
            elif _TRIGGER.match(statement):
                in_trigger = True
            else:
                yield from self._read(statement)

    def _read(self, statement: bytes) -> Iterator[tuple[str, Row]]:
        at = skip(statement, 0)
        match = _INSERT.match(statement, at)
        if match is not None:
            table = name_of(match)
            if table in self.wanted:
                for values in inserted(statement, match.end(), self.columns.get(table)):
                    yield table, values
            return
        match = _CREATE.match(statement, at)
        if match is not None and name_of(match) in self.wanted:
            self.columns[name_of(match)] = created(statement, match.end())


def inserted(statement: bytes, at: int, usual: tuple[str, ...] | None) -> Iterator[Row]:
    """The rows of an INSERT, from behind the table's name on."""
    at = skip(statement, at)
    columns = usual
    if statement[at : at + 1] == b"(":
        columns, at = names(statement, at + 1)
    if columns is None:
        raise BadDump("an INSERT names no columns, and its table was not created before")
    match = _VALUES.match(statement, skip(statement, at))
    if match is None:
        raise BadDump(f"expected VALUES: {shown(statement, at)}")
    at = match.end()
    while True:
        at = expect(statement, at, b"(")
        values, at = arguments(statement, at, DEEPEST)
        if len(values) != len(columns):
            raise BadDump(f"{len(values)} values for {len(columns)} columns")
        yield dict(zip(columns, values, strict=True))
        at = skip(statement, at)
        if statement[at : at + 1] != b",":
            break
        at += 1
    if at != len(statement):
        raise BadDump(f"unexpected: {shown(statement, at)}")


def created(statement: bytes, at: int) -> tuple[str, ...]:
    """The columns of a CREATE TABLE, in order."""
    at = expect(statement, at, b"(")
    columns: list[str] = []
    while len(columns) <= MOST_COLUMNS:
        at = skip(statement, at)
        if not _CONSTRAINT.match(statement, at):
            match = _A_NAME.match(statement, at)
            if match is None:
                raise BadDump(f"expected a column: {shown(statement, at)}")
            columns.append(name_of(match))
        at = behind_definition(statement, at)
        if statement[at : at + 1] != b",":
            return tuple(columns)
        at += 1
    raise BadDump(f"more than {MOST_COLUMNS} columns")


def behind_definition(statement: bytes, at: int) -> int:
    """Where the definition of a column ends: at a comma or the last parenthesis."""
    depth = 0
    special = re.compile(rb"""[(),'"`\[]|--|/\*""")
    while (match := special.search(statement, at)) is not None:
        found = match[0]
        if found in _CLOSING:
            end = statement.find(_CLOSING[found], match.end())
            if end < 0:
                break
            at = end + len(_CLOSING[found])
            continue
        if depth == 0 and found in (b",", b")"):
            return match.start()
        depth += {b"(": 1, b")": -1}.get(found, 0)
        at = match.end()
    raise BadDump("a CREATE TABLE does not end")


def names(statement: bytes, at: int) -> tuple[tuple[str, ...], int]:
    """Names between parentheses, of which the first is behind us; where they end."""
    found: list[str] = []
    while len(found) <= MOST_COLUMNS:
        match = _A_NAME.match(statement, skip(statement, at))
        if match is None:
            raise BadDump(f"expected a column: {shown(statement, at)}")
        found.append(name_of(match))
        at = skip(statement, match.end())
        if statement[at : at + 1] == b")":
            return tuple(found), at + 1
        at = expect(statement, at, b",")
    raise BadDump(f"more than {MOST_COLUMNS} columns")


def arguments(statement: bytes, at: int, depth: int) -> tuple[list[Value], int]:
    """Values between parentheses, of which the first is behind us; where they end."""
    values: list[Value] = []
    while len(values) <= MOST_COLUMNS:
        value, at = expression(statement, at, depth)
        values.append(value)
        at = skip(statement, at)
        if statement[at : at + 1] == b")":
            return values, at + 1
        at = expect(statement, at, b",")
    raise BadDump(f"more than {MOST_COLUMNS} values")


def expression(statement: bytes, at: int, depth: int) -> tuple[Value, int]:
    """One value, perhaps several texts joined with `||`; where it ends."""
    value, at = primary(statement, at, depth)
    while True:
        at = skip(statement, at)
        if statement[at : at + 2] != b"||":
            return value, at
        other, at = primary(statement, at + 2, depth)
        if not isinstance(value, bytes) or not isinstance(other, bytes):
            raise BadDump("only texts are joined")
        value = value + other


def primary(statement: bytes, at: int, depth: int) -> tuple[Value, int]:
    """A literal or a call; where it ends."""
    at = skip(statement, at)
    if match := _TEXT.match(statement, at):
        return match[1].replace(b"''", b"'"), match.end()
    if match := _BLOB.match(statement, at):
        if len(match[1]) % 2:
            raise BadDump("a blob with half an octet")
        return bytes.fromhex(match[1].decode("ascii")), match.end()
    if match := _NUMBER.match(statement, at):
        return number(match[0]), match.end()
    word = _WORD.match(statement, at)
    if word is None:
        raise BadDump(f"expected a value: {shown(statement, at)}")
    name, at = word[0].lower(), word.end()
    if name in (b"null", b"true", b"false"):
        return {b"null": None, b"true": 1, b"false": 0}[name], at
    if depth == 0 or name not in (b"replace", b"char", b"unistr"):
        raise BadDump(f"a call in a value: {shown(statement, word.start())}")
    values, at = arguments(statement, expect(statement, at, b"("), depth - 1)
    return called(name, values), at


def called(name: bytes, values: list[Value]) -> bytes:
    """What one of the three functions returns. Raises BadDump."""
    if name == b"char":
        if not all(isinstance(value, int) and 0 < value < 0x110000 for value in values):
            raise BadDump("char() of something else than characters")
        return "".join(chr(int(value or 0)) for value in values).encode("utf-8", "replace")
    texts = [value for value in values if isinstance(value, bytes)]
    if name == b"replace" and len(texts) == len(values) == 3 and texts[1]:
        text, old, new = texts
        if len(text) + text.count(old) * max(len(new) - len(old), 0) > LARGEST_STATEMENT:
            raise BadDump("replace() makes more than it may")
        return text.replace(old, new)
    if name == b"unistr" and len(texts) == len(values) == 1:
        return unescaped(texts[0])
    raise BadDump(f"{name.decode()}() of something else than texts")


def unescaped(text: bytes) -> bytes:
    """What `unistr` makes of its argument: four or eight hexadecimal digits behind a backslash
    are a character."""

    def character(match: re.Match[str]) -> str:
        if match[4]:
            return "\\"
        code = int(match[1] or match[2] or match[3], 16)
        return chr(code) if code < 0x110000 else "�"

    decoded = text.decode("utf-8", "surrogateescape")
    return _UNICODE.sub(character, decoded).encode("utf-8", "surrogateescape")


def number(digits: bytes) -> int | float:
    """A number; a whole one that SQLite holds as such is an int."""
    if digits.lstrip(b"+-").isdigit() and len(digits) <= 20:
        whole = int(digits)
        if -(2**63) <= whole < 2**63:
            return whole
    return float(digits)


def name_of(match: re.Match[bytes]) -> str:
    """The name in the last four groups of a match, without its quotes."""
    quoted, *others = match.groups()[-4:]
    if quoted is not None:
        return str(quoted.replace(b'""', b'"').decode("utf-8", "replace"))
    return next(text for text in others if text is not None).decode("utf-8", "replace")


def skip(statement: bytes, at: int) -> int:
    """Behind white space and comments."""
    match = _SPACE.match(statement, at)
    assert match is not None  # the pattern matches nothing too
    return match.end()


def expect(statement: bytes, at: int, what: bytes) -> int:
    """Behind something that must come next. Raises BadDump."""
    at = skip(statement, at)
    if not statement.startswith(what, at):
        raise BadDump(f"expected {what.decode()}: {shown(statement, at)}")
    return at + len(what)


def shown(statement: bytes, at: int) -> str:
    """Where that is, for whoever must look into the file; never what: it may be a secret."""
    words = b" ".join(statement[:200].split(None, 3)[:3]).decode("utf-8", "replace")
    return f"at octet {at} of a statement that begins {words!r}"

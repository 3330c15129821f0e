"""The small query language of the old e-mail search (sending-api §2.7).

    query   = any ("OR" any)*          any  = every (("AND")? every)*
    every   = "NOT" every | "(" query ")" | [field ":"] text
    text    = word | 'quoted' | "quoted", with * and ? as wildcards; [a TO b] is a range

Every query is bounded in length and depth, and a wildcard costs no more than the text it is
tried on times its own length.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailbox_service.core.sending_api import BadField

LONGEST = 2_000  # characters of a query
DEEPEST = 20  # parentheses within parentheses
FIELDS = frozenset(
    (
        *("sender", "sent_ts", "recipient", "subject", "delivered_ts", "status", "email_id"),
        *("smtpcode", "host", "headers"),
    )
)

_TOKEN = re.compile(
    r"""\s*(?:(?P<paren>[()])
      | (?P<range>(?P<rfield>[A-Za-z_]+):\s*\[\s*(?P<low>\S+)\s+TO\s+(?P<high>[^\]\s]+)\s*\])
      | (?:(?P<field>[A-Za-z_]+):\s*)?(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)")
      | (?P<word>[^\s()'"\[\]]+))""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Term:
    """A text in one field, or in any when `field` is empty; `low` and `high` for a range."""

    field: str
    text: str = ""
    low: str = ""
    high: str = ""


@dataclass(frozen=True, slots=True)
class Every:
    """All of them."""

    parts: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """One of them."""

    parts: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Without:
    """Not this one."""

    part: Query


Query = Term | Every | Any | Without


def parse_query(text: str) -> Query:
    """A query out of its text. Raises BadField."""
    if len(text) > LONGEST:
        raise BadField("filter_query", f"Longer than {LONGEST} characters")
    tokens: list[str | Term] = []
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            raise wrong(text[place : place + 20])
        place = match.end()
        tokens.append(_token(match))
    if not tokens:
        raise wrong(text)
    query, rest = _any(tokens, 0)
    if rest:
        raise wrong(str(rest[0]))
    return query


def _token(match: re.Match[str]) -> str | Term:
    if match["paren"]:
        return match["paren"]
    if match["range"]:
        return Term(_field(match["rfield"]), low=match["low"], high=match["high"])
    quoted = match["single"] if match["single"] is not None else match["double"]
    if quoted is not None:
        return Term(_field(match["field"] or ""), quoted)
    word = match["word"]
    if word in ("AND", "OR", "NOT"):
        return word
    name, colon, rest = word.partition(":")
    if colon and name in FIELDS:
        return Term(name, rest)
    return Term("", word)


def _field(name: str) -> str:
    if name and name not in FIELDS:
        raise BadField("filter_query", f"There is no field {name[:40]!r}")
    return name


def wrong(where: str) -> BadField:
    return BadField("filter_query", f"The query cannot be understood at {where[:40]!r}")


Tokens = Sequence[str | Term]


def _any(tokens: Tokens, depth: int) -> tuple[Query, Tokens]:
    parts = []
    while True:
        part, tokens = _every(tokens, depth)
        parts.append(part)
        if not tokens or tokens[0] != "OR":
            return (parts[0] if len(parts) == 1 else Any(tuple(parts))), tokens
        tokens = tokens[1:]


def _every(tokens: Tokens, depth: int) -> tuple[Query, Tokens]:
    parts = []
    while True:
        part, tokens = _one(tokens, depth)
        parts.append(part)
        if tokens and tokens[0] == "AND":
            tokens = tokens[1:]
        elif not tokens or tokens[0] in ("OR", ")"):
            return (parts[0] if len(parts) == 1 else Every(tuple(parts))), tokens


def _one(tokens: Tokens, depth: int) -> tuple[Query, Tokens]:
    if not tokens or depth > DEEPEST:
        raise wrong("its end" if not tokens else "(")
    first = tokens[0]
    if isinstance(first, Term):
        return first, tokens[1:]
    if first == "NOT":
        part, rest = _one(tokens[1:], depth + 1)
        return Without(part), rest
    if first == "(":
        part, rest = _any(tokens[1:], depth + 1)
        if not rest or rest[0] != ")":
            raise wrong("a missing )")
        return part, rest[1:]
    raise wrong(first)


def matches(query: Query, texts: Mapping[str, Sequence[str]]) -> bool:
    """Whether a query is true of something that is known by the texts of its fields."""
    match query:
        case Every(parts):
            return all(matches(part, texts) for part in parts)
        case Any(parts):
            return any(matches(part, texts) for part in parts)
        case Without(part):
            return not matches(part, texts)
    fields = [query.field] if query.field else list(texts)
    return any(_fits(query, text) for field in fields for text in texts.get(field, ()))


def _fits(term: Term, text: str) -> bool:
    lower = text.lower()
    if term.low or term.high:
        return (term.low == "*" or term.low.lower() <= lower) and (
            term.high == "*" or lower <= term.high.lower()
        )
    wanted = term.text.lower()
    if "*" in wanted or "?" in wanted:
        return wildcard(wanted, lower)
    return wanted in lower


def wildcard(pattern: str, text: str) -> bool:
    """Whether a pattern with `*` and `?` covers a text, without ever going back more than one
    star."""
    p = t = 0
    star, mark = -1, 0
    while t < len(text):
        if p < len(pattern) and pattern[p] in ("?", text[t]) and pattern[p] != "*":
            p, t = p + 1, t + 1
        elif p < len(pattern) and pattern[p] == "*":
            star, mark, p = p, t, p + 1
        elif star >= 0:
            mark += 1
            p, t = star + 1, mark
        else:
            return False
    return pattern[p:].strip("*") == ""

"""Administrators' regular expressions: written for JavaScript, run here within a time limit.

The settings of the contract (`ADDRESS_REGEX`, source patterns, access lists …) hold patterns
of JavaScript (mailbox-api §16.5). `compile_pattern` translates what differs, and each match
has a deadline, since a pattern such as `(a+)+$` would otherwise stop the service (ReDoS).
"""

from __future__ import annotations

import functools
import re

import regex

from mailbox_service.core.errors import BadRequest

MAX_PATTERN = 1000  # characters; the settings pages hold one-line patterns
MAX_SUBJECT = 4096  # characters matched; names, addresses and networks are far shorter
MAX_WILDCARDS = 254  # characters of an address with wildcards (RFC 5321 §4.5.3.1)
TIME_LIMIT = 0.05  # seconds for one match; honest patterns on such subjects need microseconds

# ECMA-262 `\s`: white space and line terminators, wider than Python's ASCII set.
_SPACE = r"\t\n\x0b\x0c\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": _SPACE}
_CONTROLS = {"n": r"\n", "r": r"\r", "t": r"\t", "v": r"\x0b", "f": r"\x0c"}
_GROUP = re.compile(r"\((?:\?(?:[:=!]|<[=!]|<([A-Za-z_]\w*)>))?", re.ASCII)
_QUANTIFIER = re.compile(r"\{\d+(?:,\d*)?\}")
_HEX = re.compile(r"x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})")


class Pattern:
    """A compiled pattern of an administrator. A match that takes too long is no match."""

    __slots__ = ("_regex", "source")

    def __init__(self, source: str, compiled: regex.Pattern[str]) -> None:
        self.source = source
        self._regex = compiled

    def found_in(self, text: str) -> bool:
        """Whether the pattern matches anywhere in the first `MAX_SUBJECT` characters."""
        try:
            return self._regex.search(text[:MAX_SUBJECT], timeout=TIME_LIMIT) is not None
        except TimeoutError:
            return False

    def removed_from(self, text: str) -> str | None:
        """`text` without any match, as `replace(/…/g, "")`; None when it takes too long."""
        try:
            return self._regex.sub("", text[:MAX_SUBJECT], timeout=TIME_LIMIT)
        except TimeoutError:
            return None

    def first_in(self, text: str) -> regex.Match[str] | None:
        """The first match in the first `MAX_SUBJECT` characters. Raises TimeoutError."""
        return self._regex.search(text[:MAX_SUBJECT], timeout=TIME_LIMIT)


@functools.lru_cache(maxsize=256)
def compile_pattern(source: str, *, ignore_case: bool = False) -> Pattern:
    """The pattern `/source/` of JavaScript. Raises BadRequest when it is none we can run."""
    if len(source) > MAX_PATTERN:
        raise BadRequest("regular expression too long")
    flags = regex.VERSION0 | (regex.IGNORECASE if ignore_case else regex.ASCII)
    try:
        return Pattern(source, regex.compile(_translate(source), flags))
    except (regex.error, OverflowError, RecursionError, ValueError):
        raise BadRequest(f"not a regular expression: {source}") from None


def fits_wildcards(entry: str, text: str) -> bool:
    """Whether a text is what an entry says, in which `*` stands for any text and nothing else has
    a meaning. Without a star, with too many characters or when it takes too long: no."""
    if "*" not in entry or len(entry) > MAX_WILDCARDS:
        return False
    try:
        return _wildcards(entry).fullmatch(text[:MAX_SUBJECT], timeout=TIME_LIMIT) is not None
    except TimeoutError:
        return False


@functools.lru_cache(maxsize=256)
def _wildcards(entry: str) -> regex.Pattern[str]:
    return regex.compile(".*".join(regex.escape(part) for part in entry.split("*")), regex.DOTALL)


def _translate(source: str) -> str:
    """Rewrite JavaScript syntax that means something else, or nothing, in Python."""
    out: list[str] = []
    at = 0
    while at < len(source):
        char = source[at]
        if char == "\\":
            piece, at = _escape(source, at, in_class=False)
        elif char == "[":
            piece, at = _class(source, at)
        elif char == "(":
            piece, at = _group(source, at)
        elif char == "{":
            quantifier = _QUANTIFIER.match(source, at)
            piece = quantifier[0] if quantifier else r"\{"  # a lone brace is a character
            at += len(quantifier[0]) if quantifier else 1
            _refuse_possessive(source, at, repeats=quantifier is not None)
        else:
            # `$` is the very end only; `.` stops at all four line terminators.
            piece = {"$": r"\Z", ".": r"[^\n\r\u2028\u2029]", "}": r"\}", "]": r"\]"}.get(
                char, char
            )
            at += 1
            _refuse_possessive(source, at, repeats=char in "*+?")
        out.append(piece)
    return "".join(out)


def _refuse_possessive(source: str, at: int, *, repeats: bool) -> None:
    """`a++` is an error in JavaScript, and something of its own in Python."""
    if repeats and source[at : at + 1] == "+":
        raise ValueError("nothing to repeat")


def _group(source: str, at: int) -> tuple[str, int]:
    """The opening of a group; inline flags, atoms and conditions are not JavaScript."""
    opening = _GROUP.match(source, at)
    if opening is None or (opening[0] == "(" and source[at + 1 : at + 2] == "?"):
        raise ValueError("unknown group")
    piece = f"(?P<{opening[1]}>" if opening[1] else opening[0]
    return piece, opening.end()


def _class(source: str, at: int) -> tuple[str, int]:
    """A character class; set operations and `[:names:]` of the engine are plain characters."""
    at += 1
    negated = source[at : at + 1] == "^"
    at += negated
    members: list[str] = []
    while at < len(source) and source[at] != "]":
        if source[at] == "\\":
            piece, at = _escape(source, at, in_class=True)
        else:
            char = source[at]
            piece, at = (char if char == "-" else re.escape(char)), at + 1
        members.append(piece)
    if at >= len(source):
        raise ValueError("unterminated class")
    if not members:  # `[]` matches nothing, `[^]` anything
        return (r"[\s\S]" if negated else r"(?!)"), at + 1
    return f"[{'^' if negated else ''}{''.join(members)}]", at + 1


def _escape(source: str, at: int, *, in_class: bool) -> tuple[str, int]:
    """One backslash escape; an unknown letter means itself (ECMA-262 Annex B)."""
    if at + 1 >= len(source):
        raise ValueError("backslash at the end")
    char = source[at + 1]
    end = at + 2
    if char.lower() in _CLASSES:
        members = _CLASSES[char.lower()]
        if char.islower():
            return (members if in_class else f"[{members}]"), end
        return (f"\\{char}" if in_class else f"[^{members}]"), end
    if char in _CONTROLS:
        return _CONTROLS[char], end
    if char == "b":
        return (r"\x08" if in_class else r"\b"), end
    if char == "B" and not in_class:
        return r"\B", end
    if char == "0":
        return r"\x00", end
    if char.isdigit() and not in_class:
        return f"\\{char}", end
    if char == "k" and (name := re.compile(r"<([A-Za-z_]\w*)>").match(source, end)):
        return f"(?P={name[1]})", name.end()
    if hexadecimal := _HEX.match(source, at + 1):
        return f"\\u{int(hexadecimal[1] or hexadecimal[2], 16):04x}", hexadecimal.end()
    return (char if char.isalnum() else f"\\{char}"), end

"""Reading what is inside header fields, leniently: encoded words, mailboxes, parameters.

For showing mail to people, whatever its author did. `header_section` is the strict reader, for
signing and submission. Nothing here raises, and the work is linear in a bounded input.
"""

from __future__ import annotations

import binascii
import functools
import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from mailbox_service.core.charsets import decode

MAX_VALUE = 16_384  # characters read of one value: 8 times what any mailer writes
MAX_WORDS = 1_000  # encoded words in one value: a word has 75 characters (RFC 2047 §2)
MAX_PARAMETERS = 100
MAX_NAME = 256  # characters of a display name; more is no name but a text
MAX_ADDRESS = 320  # characters shown of an address: 64 + @ + 255 (RFC 3696 §3)

# A question mark within a word is wrong and not rare: `=?utf-8?Q?Are_you_there??=`.
_ENCODED = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?((?:[^?=]|\?(?!=)|=(?!\?(?!=)))*+)\?=")
_FOLD = re.compile(r"[\r\n]+[ \t]?")
_BAD = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_ENCODED_RUN = re.compile(rf"{_ENCODED.pattern}(?:\s+{_ENCODED.pattern})*+")
# What a name says only in quotes (RFC 5322 §3.2.3); a dot has always been let through.
_SPECIAL = re.compile(r'[()<>\[\]:;@\\,"]')
_QUOTE = re.compile(r'\\.|"', re.DOTALL)
_QUOTE_OR_SLASH = re.compile(r'["\\]')
# One piece of an address field (RFC 5322 §3.4); a quote that nobody closes is a character.
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*+"|<[^<>]*+>|[(),:;]|\\.|[^"<(),:;\\]++|.', re.DOTALL)
_COMMENT_EDGE = re.compile(r"[()]|\\.|[^()\\]++|.", re.DOTALL)
_PARAMETER = re.compile(r';\s*([^\s=;"]{1,80})\s*=\s*(?:"((?:[^"\\]|\\.)*+)"|([^;]*+))', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
# The token of a MIME field, one or two words long (`text / html`); a comment ends it, and so does
# a parameter whose semicolon was forgotten.
_TOKEN = re.compile(r"\s*+([^\s;(]*+(?:\s*+/\s*+[^\s;(]++)?+)")
_QUOTED_OR_SPACE = re.compile(r'("(?:[^"\\]|\\.)*+"|\\.)|\s+')
_COMMENT_BEHIND = re.compile(r"\s\([^()]*+\)$")
_NON_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
)


def unfolded(value: bytes, charset: str | None = None) -> str:
    """A field's value on one line (RFC 5322 §2.2.3), encoded words as they stand.

    Raw 8-bit text is UTF-8 (RFC 6532), or else of the body's `charset`.
    """
    raw = value[: MAX_VALUE * 2]
    if raw.isascii() and b"\0" not in raw and b"\x1b" not in raw:
        text = raw.decode("ascii")
    else:
        text = decode(raw, None if _is_utf8(raw) else charset)
    if "\n" not in text and "\r" not in text:
        return text.strip()
    return _FOLD.sub(lambda fold: " " if fold[0][-1] in " \t" else "", text).strip()


def decoded(value: str) -> str:
    """A value with its encoded words read (RFC 2047), on one line and without controls.

    Space between two encoded words is dropped, and neighbours in one charset are joined before
    they become text: mailers split characters between them.
    """
    value = value[:MAX_VALUE]
    if "=?" not in value:
        return _one_line(value)
    out: list[str] = []
    pending = bytearray()
    pending_charset = ""
    end = 0
    for count, word in enumerate(_ENCODED.finditer(value)):
        if count == MAX_WORDS:
            break
        between = value[end : word.start()]
        charset = word[1].partition("*")[0]  # RFC 2231 §5: a language may follow
        if between.strip() or (end == 0 and between) or charset.lower() != pending_charset:
            out.append(decode(bytes(pending), pending_charset))
            pending.clear()
            if between.strip() or end == 0:
                out.append(between)
        pending_charset = charset.lower()
        pending += _word_bytes(word[2], word[3])
        end = word.end()
    out.append(decode(bytes(pending), pending_charset))
    out.append(value[end:])
    return _one_line("".join(out))


def decoded_addresses(value: str) -> str:
    """An address field with its encoded words read, and its structure as it was: what such words
    say stands in quotes where it would part or name addresses (`"Müller, Jürgen" <jm@x>`)."""
    value = value[:MAX_VALUE]
    if "=?" not in value:
        return _one_line(value)
    out: list[str] = []
    end = 0
    quoted = False
    for count, run in enumerate(_ENCODED_RUN.finditer(value)):
        if count == MAX_WORDS:
            break
        between = value[end : run.start()]
        quoted ^= _QUOTE.findall(between).count('"') % 2 == 1
        text = decoded(run[0])
        if quoted or _SPECIAL.search(text):
            text = _QUOTE_OR_SLASH.sub(r"\\\g<0>", text)
            text = text if quoted else f'"{text}"'
        out += [between, text]
        end = run.end()
    return _one_line("".join([*out, value[end:]]))


def first_mailbox(value: str) -> tuple[str, str]:
    """Display name and address of the first mailbox in a From field; either may be empty.

    Encoded words are read after the structure, so a name cannot pose as an address.
    """
    words: list[str] = []
    comment = ""
    has_at = False
    value = value[:MAX_VALUE]
    at = 0
    while at < len(value):
        piece = _PIECE.match(value, at)
        if piece is None:  # cannot happen: the last alternative takes any character
            break
        text = piece[0]
        at = piece.end()
        if text == "(":
            inner, at = _comment(value, at)
            comment = comment or inner
        elif text[0] == "<" and len(text) > 1:
            return _name(words), _address(text[1:-1])
        elif text[0] == '"' and len(text) > 1 and not value.startswith("@", at):
            words.append(_ESCAPE.sub(r"\1", text[1:-1]))
        elif text == ":" and not has_at:
            words.clear()  # the name of a group
        elif text in ",;" and has_at:
            break
        elif text != ";":
            words.append(text)
            has_at = has_at or ("@" in text and text[0] != '"')
    if has_at:
        return _name([comment]), _address("".join(words))
    return _name(words), ""


def without_space(address: str) -> str:
    """An address without the space between its parts (RFC 5322 §3.4.1); what stands in quotes is
    part of it."""
    return _QUOTED_OR_SPACE.sub(r"\1", address)


@functools.lru_cache(maxsize=256)  # most parts of most mail share a few values
def parameters(value: str) -> tuple[str, Mapping[str, str]]:
    """The token of a MIME field, lower-case, and its parameters (RFC 2045 §5.1, RFC 2231).

    Continuations are joined, extended values decoded, the first of two equal names wins.
    """
    value = value[:MAX_VALUE]
    start = _TOKEN.match(value)
    token = "".join(start[1].split()).lower() if start is not None else ""
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[bool, str]]] = {}
    for count, match in enumerate(_PARAMETER.finditer(value)):
        if count == MAX_PARAMETERS:
            break
        name = match[1].lower()
        text = match[3].strip() if match[2] is None else _ESCAPE.sub(r"\1", match[2])
        base, star, rest = name.partition("*")
        if match[2] is None and base not in ("name", "filename"):  # `us-ascii (Plain text)`
            text = _COMMENT_BEHIND.sub("", text)
        number = rest.removesuffix("*")
        if not star:
            plain.setdefault(name, text if name == "boundary" else decoded(text))
        elif number == "" or (number.isascii() and number.isdigit() and len(number) < 4):
            extended = name.endswith("*")
            sections.setdefault(base, {}).setdefault(int(number or 0), (extended, text))
    for base, parts in sections.items():
        plain[base] = _joined(parts)  # RFC 2231 §4 says more than the plain form beside it
    return token, plain


def word_base64(data: bytes) -> bytes:
    """Base64 as mail has it: strange characters skipped, padding missing, ended early."""
    kept = data.translate(None, _NON_BASE64).partition(b"=")[0]
    kept = kept[: len(kept) - (len(kept) % 4 == 1)]
    return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))


def _word_bytes(encoding: str, payload: str) -> bytes:
    raw = payload.encode("utf-8", "replace")
    if encoding in "bB":
        return word_base64(raw)
    return binascii.a2b_qp(raw.replace(b"_", b" "), header=True)


def _joined(parts: dict[int, tuple[bool, str]]) -> str:
    """The sections of a parameter from 0 on, up to the first that is missing."""
    data = bytearray()
    charset = ""
    for number in range(len(parts)):
        extended, text = parts.get(number, (False, None))
        if text is None:
            break
        if number == 0 and extended:
            charset, quote, rest = text.partition("'")
            text = rest.partition("'")[2] if quote else text
            charset = charset if quote else ""
        data += unquote_to_bytes(text) if extended else text.encode("utf-8", "replace")
    whole = decode(bytes(data), charset or None)
    # Java's mail library cuts a name into sections that was written in encoded words before.
    is_plain = not any(extended for extended, _ in parts.values())
    return decoded(whole) if is_plain else _one_line(whole)


def _comment(value: str, at: int) -> tuple[str, int]:
    """The text of a comment that begins at `at`, and where it ends; they may be nested."""
    depth = 1
    out: list[str] = []
    while depth and at < len(value):
        piece = _COMMENT_EDGE.match(value, at)
        if piece is None:  # cannot happen: the last alternative takes any character
            break
        at = piece.end()
        depth += (piece[0] == "(") - (piece[0] == ")")
        if depth:
            out.append(piece[0])
    return "".join(out), at


def _name(words: list[str]) -> str:
    return " ".join(decoded("".join(words)).split())[:MAX_NAME]


def _address(text: str) -> str:
    return without_space(_one_line(text))[:MAX_ADDRESS]


def _one_line(text: str) -> str:
    if text.isprintable():
        return text.strip()
    return _BAD.sub("", _FOLD.sub(" ", text)).strip()


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True

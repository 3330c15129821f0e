"""The mbox format: many messages in one file (RFC 4155, and its common dialect `mboxrd`).

A line `From <sender> <date>` begins each message. Written here as mboxrd: lines of a message that
begin with `From `, or with that behind any number of `>`, get one more `>`, so that reading gives
back what was written. Lines end as on Unix, which is what other programs read; so of the bytes of
a message only its line ends are lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from mailbox_service.core.mime_parts import read_header
from mailbox_service.core.stored import ANSWERED, FLAGGED, SEEN
from mailbox_service.core.transfer import HEAD_OCTETS, MICROS, MovedMail, as_text

_DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_QUOTED = re.compile(rb"^(>*From )", re.MULTILINE)
_TO_UNQUOTE = re.compile(rb"^>(>*From )", re.MULTILINE)
# `From ann@x.test Sat Nov 21 10:00:00 2026`, with or without zone: the date of C's asctime.
_STRICT = re.compile(
    rb"From (?P<sender>.{0,320}?) *(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) "
    rb"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +(?P<day>\d{1,2}) "
    rb"(?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?: [A-Z+\-0-9]{1,5})?"
    rb" (?P<year>\d{4})"
)
_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:|>?From ")
# One message in a file; beyond this nobody's store took it.
LARGEST = 1 << 28


def written(mail: MovedMail) -> bytes:
    """One message as it stands in an mbox file."""
    moment = datetime.fromtimestamp((mail.received_at or 0) // MICROS, UTC)
    date = (
        f"{_DAYS[moment.weekday()]} {_MONTHS[moment.month - 1]} {moment.day:2d} "
        f"{moment:%H:%M:%S} {moment.year}"
    )
    # A space would end the sender; a null reverse-path is written as everybody writes it.
    sender = "".join(mail.reverse_path.split()) or "MAILER-DAEMON"
    body = _QUOTED.sub(rb">\1", mail.content.replace(b"\r\n", b"\n"))
    end = b"\n" if not body or body.endswith(b"\n") else b"\n\n"
    return f"From {sender} {date}\n".encode() + body + end


def messages(lines: Iterable[bytes]) -> Iterator[MovedMail]:
    """The messages of an mbox file, given line by line with line ends. Raises ValueError when the
    file does not begin with one, or one is larger than any store takes."""
    separator = b""
    body: list[bytes] = []
    size = 0
    held: bytes | None = None  # may begin a message; its next line will tell
    blank = True
    for line in lines:
        if held is not None:
            if _FIELD.match(line):
                if separator:
                    yield message_of(separator, body)
                separator, body, size = held, [], 0
            else:
                body.append(held)
            held = None
        if blank and line.startswith(b"From "):
            if _STRICT.match(line):
                if separator:
                    yield message_of(separator, body)
                separator, body, size = line, [], 0
            else:
                held = line
            blank = False
            continue
        if not separator:
            if line.strip():
                raise ValueError("this is no mbox: it does not begin with a line `From …`")
            continue
        size += len(line)
        if size > LARGEST:
            raise ValueError(f"a message is larger than {LARGEST} octets")
        body.append(line)
        blank = line in (b"\n", b"\r\n")
    if held is not None:
        body.append(held)
    if separator:
        yield message_of(separator, body)


def message_of(separator: bytes, body: list[bytes]) -> MovedMail:
    """A message out of its `From ` line and its lines."""
    if body and body[-1] in (b"\n", b"\r\n"):
        body = body[:-1]  # the blank line belongs to the file
    joined = _TO_UNQUOTE.sub(rb"\1", b"".join(body))
    content = re.sub(rb"\r?\n", b"\r\n", joined)
    match = _STRICT.match(separator)
    sender = match["sender"] if match else [*separator.split(), b""][1]
    text = as_text(sender.strip().decode("utf-8", "replace"))
    return MovedMail(
        content=content,
        reverse_path="" if "@" not in text else text,
        received_at=date_of(match) if match else None,
        flags=flags_of(content),
    )


def date_of(match: re.Match[bytes]) -> int | None:
    """The date of a `From ` line, which is UTC (RFC 4155)."""
    try:
        moment = datetime(
            int(match["year"]),
            _MONTHS.index(match["month"].decode()) + 1,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            int(match["second"] or 0),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    micros = int(moment.timestamp()) * MICROS
    return micros if micros > 0 else None


def flags_of(content: bytes) -> int:
    """What mail programs note in Status and X-Status: R read, A answered, F flagged."""
    header = read_header(content[:HEAD_OCTETS])
    letters = "".join(value[:20] for value in (*header.all("status"), *header.all("x-status")))
    meanings = {"R": SEEN, "A": ANSWERED, "F": FLAGGED}
    return sum(flag for letter, flag in meanings.items() if letter in letters)

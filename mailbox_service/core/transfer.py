"""A mail that moves between stores: what is kept of it beside its bytes, and its JSON form."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from mailbox_service.core.address import canonical
from mailbox_service.core.errors import BadAddress
from mailbox_service.core.mime_parts import read_header
from mailbox_service.core.stored import ANSWERED, FLAGGED, SEEN

MICROS = 1_000_000
# Received fields and the like of an honest mail; what lies behind this tells no date.
HEAD_OCTETS = 65_536
# Dates that both engines and every calendar hold: 1970 to 9999.
LATEST = 253_402_300_799 * MICROS
LONGEST_ADDRESS = 320  # octets of the longest spelling that anybody ever stored (RFC 3696 erratum)

FLAG_NAMES = {"seen": SEEN, "flagged": FLAGGED, "answered": ANSWERED}


class BadMail(Exception):
    """A mail that cannot be read out of a file; the text says why."""


@dataclass(frozen=True, slots=True)
class MovedMail:
    """One mail on its way between stores.

    `received_at` is microseconds UTC, None where the file does not tell; `address` is canonical,
    empty where the file does not tell. `metadata` is the extraction record of mailbox-api §9.9.
    """

    content: bytes
    address: str = ""
    reverse_path: str = ""
    received_at: int | None = None
    flags: int = 0
    metadata: str | None = None


def as_address(text: str) -> str:
    """An address in its canonical form, or as near as it comes: whoever sent to a name that no
    grammar allows still sent, and the mail is kept under it."""
    try:
        return canonical(text.strip())
    except BadAddress:
        return as_text(text.strip().lower())[:LONGEST_ADDRESS]


def as_text(text: str) -> str:
    """Text that both engines store: PostgreSQL knows no NUL and no half of a pair."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def crlf(content: bytes) -> bytes:
    """A message as mail has it, when it was kept with the line ends of Unix: lines end with CRLF
    (RFC 5322 §2.1). One that has a CRLF anywhere is left as it is, octet for octet."""
    return content if b"\r\n" in content else content.replace(b"\n", b"\r\n")


def told_time(content: bytes) -> int | None:
    """When a message came, by its topmost Received field, else by its Date; None by neither."""
    header = read_header(content[:HEAD_OCTETS])
    received = header.all("received")
    dates = [received[0].rpartition(";")[2]] if received else []
    for text in (*dates, *header.all("date")[:1]):
        moment = mail_date(text)
        if moment is not None:
            return moment
    return None


def mail_date(text: str) -> int | None:
    """A date of RFC 5322 in microseconds UTC."""
    try:
        moment = parsedate_to_datetime(text.strip()[:100])
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return in_range(int(moment.timestamp()) * MICROS)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def wire_date(text: object) -> int | None:
    """`YYYY-MM-DD HH:MM:SS`, UTC, in microseconds; ISO 8601 is read too. None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text.strip()[:40])
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return in_range(round(moment.timestamp() * MICROS))
    except (ValueError, OverflowError):
        return None


def in_range(micros: int) -> int | None:
    """A time, when a calendar has it."""
    return micros if 0 <= micros <= LATEST else None


# JSON lines

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def as_json(mail: MovedMail, *, mail_id: int, created_at: str) -> bytes:
    """One line of a JSON export, without its line end: the mail row of mailbox-api §1.6 with
    flags. What is no UTF-8 goes as base64 in `raw_base64`, so that every octet comes back."""
    row: dict[str, Any] = {
        "id": mail_id,
        "source": mail.reverse_path,
        "address": mail.address,
        "created_at": created_at,
        "metadata": mail.metadata,
    }
    row |= {name: bool(mail.flags & flag) for name, flag in FLAG_NAMES.items()}
    try:
        row["raw"] = mail.content.decode("utf-8")
    except UnicodeDecodeError:
        row["raw_base64"] = base64.b64encode(mail.content).decode("ascii")
    return _encode(row)


def from_json(line: bytes) -> MovedMail:
    """A line of a JSON export, or a mail row as the mailbox API lists it. Raises BadMail."""
    try:
        row = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadMail("no JSON object") from None
    source, address = row.get("source") or "", row.get("address") or ""
    metadata = row.get("metadata")
    if not isinstance(source, str) or not isinstance(address, str):
        raise BadMail("source and address are texts")
    return MovedMail(
        content=content_of(row),
        address=as_address(address) if address else "",
        reverse_path=as_text(source),
        received_at=wire_date(row.get("created_at")),
        flags=sum(flag for name, flag in FLAG_NAMES.items() if row.get(name) is True),
        metadata=as_text(metadata) if isinstance(metadata, str) else None,
    )


def content_of(row: dict[str, Any]) -> bytes:
    """The octets of a mail in a JSON row. Raises BadMail."""
    raw, packed = row.get("raw"), row.get("raw_base64")
    if isinstance(packed, str):
        try:
            return base64.b64decode(packed, validate=True)
        except (binascii.Error, ValueError):
            raise BadMail("raw_base64 is no base64") from None
    if isinstance(raw, str):
        return raw.encode("utf-8", "replace")
    raise BadMail("there is neither raw nor raw_base64")

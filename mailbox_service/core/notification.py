"""Notices of failure: writing ours and reading those of others (RFC 3464, RFC 6522, RFC 3461 §6).

A notice goes to the reverse-path of the message and has itself the null reverse-path, so no
notice is ever answered by another (RFC 5321 §4.5.5). What arrives as a notice proves nothing:
anybody can write one. Whoever acts on it must find the message it speaks of in our own records.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mailbox_service.core.address import canonical, canonical_domain
from mailbox_service.core.delivery import Reply
from mailbox_service.core.errors import BadAddress, BadContent
from mailbox_service.core.header_fields import (
    date_text,
    mailbox_field,
    message_ids,
    message_ids_field,
    text_field,
)
from mailbox_service.core.header_section import read_fields, unfolded_value
from mailbox_service.core.mime import encoded_part, multipart, text_part

# Enough of the original's header for its author to know it again and for an expert to trace it.
MAX_ORIGINAL_HEADER = 32_768
# A notice about one submission names at most its recipients; what a person reads stays short.
MAX_NAMED_IN_TEXT = 20
# RFC 3464 §2.3.6: the diagnostic fits a line with its name.
MAX_DIAGNOSTIC = 900

# What is read of a notice: the machine's part comes second, after some words to people.
MAX_READ = 262_144
MAX_PARTS = 10
MAX_RECIPIENTS = 1_000
# RFC 2046 §5.1.1 allows a boundary of 70; the rest of the field is the report's type.
MAX_CONTENT_TYPE = 1_000

_EXPLANATIONS = {
    "1.1": "There is no such address. Please check it for typing errors.",
    "1.2": "There is no such domain, or it has no mail. Please check it for typing errors.",
    "1.10": "That domain takes no mail at all.",
    "1.6": "The mailbox has moved and left no new address.",
    "2.1": "The mailbox is closed.",
    "2.2": "The mailbox is full.",
    "2.3": "The message is too big for that mailbox.",
    "3.4": "The message is too big for that mail system.",
    "4.6": "The message was going round in circles between mail systems.",
    "7.1": "That mail system does not want this message from this sender.",
}
_EXPIRED = "Every attempt to deliver it failed or was put off, until the time for it ran out."
_REFUSED = "That mail system refused the message."

# The stdlib's reader of parameters can raise (octets beyond ASCII), and take quadratic time.
_parameters = re.compile(r';[ \t]*([!-:<>-~]+)[ \t]*=[ \t]*(?:"([^"]*)"|([^\s;"]+))').finditer
_unescape = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}").sub
_is_status = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}").match
_message_id_field = re.compile(
    rb"^message-id[ \t]*:([^\r\n]{0,998}(?:\r\n[ \t][^\r\n]{0,998})?)",
    re.IGNORECASE | re.MULTILINE,
).search
_message_id = re.compile(r"<[!-;=?-~]{1,900}>").search
_ACTIONS = frozenset(("failed", "delayed", "delivered", "relayed", "expanded"))


@dataclass(frozen=True, slots=True)
class FailedRecipient:
    """One forward-path that will not be tried again, and the last answer it got.

    `remote_mta` is the host that answered, if any did; `expired` means that time ran out.
    """

    recipient: str
    reply: Reply
    remote_mta: str = ""
    expired: bool = False

    @property
    def status(self) -> str:
        """RFC 3463 §3.5: X.4.7 when the delivery time expired."""
        return "4.4.7" if self.expired and not self.reply.enhanced else self.reply.status


@dataclass(frozen=True, slots=True)
class RecipientNotice:
    """What a notice says about one recipient (RFC 3464 §2.3)."""

    recipient: str
    action: str
    status: str
    original_recipient: str = ""
    diagnostic: str = ""
    remote_mta: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A delivery status notification as it claims to be.

    Addresses are canonical, or empty when they are none. `message_id` is that of the original
    message, from the headers that came back with the notice.
    """

    reporting_mta: str
    recipients: tuple[RecipientNotice, ...]
    original_envelope_id: str = ""
    message_id: str = ""


def wants_notice(reverse_path: str, content: bytes) -> bool:
    """Whether a failure of this message is reported to its sender.

    Not to the null reverse-path, which asks for silence, and not about a message that is a
    report itself, whatever reverse-path it came with.
    """
    return reverse_path != "" and _report_type(content) is None


def failure_notice(
    *,
    to: str,
    failures: Sequence[FailedRecipient],
    original: bytes,
    reporting_mta: str,
    arrival: datetime,
    message_id: str,
    date: datetime,
) -> bytes:
    """The notice that a message could not be delivered to some of its recipients.

    `to` is the reverse-path of the message, canonical and not null; `original` its content, of
    which only the header section returns; `arrival` when we took it; `date` the last attempt
    and the notice's own date. The caller delivers it with the null reverse-path.
    """
    if not to or not failures:
        raise ValueError("a notice goes to somebody and tells of somebody")
    reporting_mta = canonical_domain(reporting_mta, single_label=True)
    [name] = message_ids(message_id, "Message-ID")
    section = original.partition(b"\r\n\r\n")[0][:MAX_ORIGINAL_HEADER]
    fields = [
        mailbox_field("From", [(f"mailer-daemon@{reporting_mta}", "Mail Delivery System")]),
        mailbox_field("To", [(to, "")]),
        "Subject: Your message could not be delivered\r\n",
        f"Date: {date_text(date)}\r\nMessage-ID: {name}\r\n",
    ]
    answered = _original_message_id(section)
    if answered:
        fields.append(message_ids_field("In-Reply-To", [answered]))
        fields.append(message_ids_field("References", [answered]))
    fields.append("Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n")
    parts = [
        text_part(_words(failures, reporting_mta, arrival), "plain"),
        _delivery_status(failures, reporting_mta, arrival, date),
        encoded_part("text/rfc822-headers", _whole_lines(section)),
    ]
    report = multipart("report", parts, name, " report-type=delivery-status;")
    return "".join(fields).encode() + report


def read_notice(raw: bytes) -> Notice | None:
    """What a delivery status notification says, or None when the message is none.

    Never raises; reads no more than the first 256 KiB and ten parts.
    """
    boundary = _report_type(raw)
    if not boundary:
        return None
    parts = raw[:MAX_READ].split(b"\r\n--" + boundary, MAX_PARTS + 1)[1 : MAX_PARTS + 1]
    status: Notice | None = None
    message_id = ""
    for part in parts:
        try:
            fields, end = read_fields(part.partition(b"\r\n")[2])
        except BadContent:
            continue
        headers = {name: unfolded_value(value).lower() for name, value in fields}
        kind = headers.get(b"content-type", "").partition(";")[0].strip()
        body = part.partition(b"\r\n")[2][end + 2 :]
        body = _decoded(body, headers.get(b"content-transfer-encoding", ""))
        if status is None and kind in ("message/delivery-status", "message/global-delivery-status"):
            status = _read_status(body)
        elif kind in ("text/rfc822-headers", "message/rfc822", "message/global-headers"):
            message_id = message_id or _original_message_id(body.partition(b"\r\n\r\n")[0])
    if status is None:
        return None
    return Notice(status.reporting_mta, status.recipients, status.original_envelope_id, message_id)


def _words(failures: Sequence[FailedRecipient], reporting_mta: str, arrival: datetime) -> str:
    """What happened, for the person who sent the message."""
    lines = [
        f"This is the mail system at {reporting_mta}.",
        "",
        f"Your message of {date_text(arrival)}",
        "could not be delivered to:",
        "",
    ]
    for failure in failures[:MAX_NAMED_IN_TEXT]:
        explained = _EXPLANATIONS.get(failure.status.partition(".")[2], _REFUSED)
        lines += [
            f"  {failure.recipient}",
            f"    {_EXPIRED if failure.expired else explained}",
        ]
        if str(failure.reply):
            speaker = _plain(failure.remote_mta) or "The mail system"
            lines.append(f"    {speaker} said: {failure.reply}")
        lines.append("")
    if len(failures) > MAX_NAMED_IN_TEXT:
        lines += [f"  and {len(failures) - MAX_NAMED_IN_TEXT} more, listed in the report.", ""]
    lines.append("It will not be tried again. The headers of your message are attached.")
    return "\n".join(lines)


def _delivery_status(
    failures: Sequence[FailedRecipient], reporting_mta: str, arrival: datetime, last: datetime
) -> bytes:
    """The part for machines: one group for the message, one for each recipient (RFC 3464 §2)."""
    groups = [
        f"Reporting-MTA: dns; {reporting_mta}\r\nArrival-Date: {date_text(arrival)}\r\n",
    ]
    for failure in failures:
        group = (
            f"Final-Recipient: {_typed_address(failure.recipient)}\r\n"
            f"Action: failed\r\nStatus: {failure.status}\r\n"
        )
        if failure.remote_mta:
            group += text_field("Remote-MTA", f"dns; {_plain(failure.remote_mta)}")
        if failure.reply.code:
            group += text_field("Diagnostic-Code", f"smtp; {_plain(str(failure.reply))}")
        groups.append(f"{group}Last-Attempt-Date: {date_text(last)}\r\n")
    body = "\r\n".join(groups)
    return f"Content-Type: message/delivery-status\r\n\r\n{body}".encode("ascii")


def _typed_address(recipient: str) -> str:
    """`rfc822; address`, or the ASCII form of one that needs SMTPUTF8 (RFC 6533 §3)."""
    if recipient.isascii():
        return f"rfc822; {recipient}"
    escaped = "".join(c if c.isascii() else f"\\x{{{ord(c):X}}}" for c in recipient)
    return f"utf-8; {escaped}"


def _plain(text: str) -> str:
    """Printable ASCII in single spaces: fields of a status part know no encoded words."""
    ascii_only = "".join(c if " " <= c <= "~" else "?" for c in text)
    return " ".join(ascii_only.split())[:MAX_DIAGNOSTIC].replace("=?", "= ?").strip()


def _whole_lines(section: bytes) -> bytes:
    """The section as far as it was taken, in whole lines that end as lines of mail do."""
    if len(section) == MAX_ORIGINAL_HEADER:
        section = section[: max(section.rfind(b"\r\n"), 0)]
    lines = section.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return lines.replace(b"\n", b"\r\n") + b"\r\n"


def _original_message_id(section: bytes) -> str:
    """The Message-ID in a header section that may be cut or broken."""
    field = _message_id_field(section)
    name = _message_id(field[1].decode("ascii", "replace")) if field else None
    return name[0] if name else ""


def _report_type(content: bytes) -> bytes | None:
    """The boundary of a delivery status report, or None when the message is no such report."""
    try:
        fields, _ = read_fields(content)
    except BadContent:
        return None
    for name, raw in fields:
        if name == b"content-type":
            value = unfolded_value(raw)
            if len(value) > MAX_CONTENT_TYPE or not value.lower().startswith("multipart/report"):
                return None
            given = {found[1].lower(): found[2] or found[3] or "" for found in _parameters(value)}
            if given.get("report-type", "").lower() != "delivery-status":
                return None
            return given.get("boundary", "").encode(errors="replace")
    return None


def _decoded(body: bytes, encoding: str) -> bytes:
    encoding = encoding.strip()
    try:
        if encoding == "base64":
            body = binascii.a2b_base64(body)
        elif encoding == "quoted-printable":
            body = binascii.a2b_qp(body)
    except binascii.Error:
        return b""
    return body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _read_status(body: bytes) -> Notice | None:
    """The groups of fields of a status part (RFC 3464 §2.1)."""
    groups: list[dict[bytes, str]] = []
    for text in re.split(rb"(?:\r\n){2,}", body.strip(b"\r\n"), maxsplit=MAX_RECIPIENTS)[
        :MAX_RECIPIENTS
    ]:
        try:
            fields, _ = read_fields(text + b"\r\n")
        except BadContent:
            continue
        groups.append({name: _printable(unfolded_value(raw)) for name, raw in fields})
    if not groups:
        return None
    head = groups[0]
    recipients = tuple(
        RecipientNotice(
            recipient=_address(group[b"final-recipient"]),
            action=action,
            status=_read_code(group.get(b"status", "")),
            original_recipient=_address(group.get(b"original-recipient", "")),
            diagnostic=_after_type(group.get(b"diagnostic-code", "")),
            remote_mta=_after_type(group.get(b"remote-mta", "")),
        )
        for group in groups
        if b"final-recipient" in group and (action := group.get(b"action", "").lower()) in _ACTIONS
    )
    if not recipients:
        return None
    return Notice(
        reporting_mta=_after_type(head.get(b"reporting-mta", "")),
        recipients=recipients,
        original_envelope_id=head.get(b"original-envelope-id", ""),
    )


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text).strip()


def _after_type(value: str) -> str:
    """`dns; mx.example` without its type (RFC 3464 §2.1.2)."""
    return value.partition(";")[2].strip()


def _read_code(value: str) -> str:
    found = _is_status(value)
    return found[0] if found else ""


def _address(value: str) -> str:
    kind, _, text = value.partition(";")
    text = text.strip().removeprefix("<").removesuffix(">")
    if kind.strip().lower() == "utf-8":
        text = _unescape(_character, text)
    try:
        return canonical(text)
    except BadAddress:
        return ""


def _character(escape: re.Match[str]) -> str:
    number = int(escape[1], 16)
    return chr(number) if number <= 0x10FFFF else ""

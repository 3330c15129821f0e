"""Trace fields: who handed us the message, when, and how often it has been passed on.

RFC 5321 §4.4 writes them, §6.3 counts them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from mailbox_service.core.envelope import Peer
from mailbox_service.core.errors import RoutingLoop
from mailbox_service.core.header_fields import date_text

# RFC 5321 §6.3 wants at least 100 allowed; Postfix, chasquid and Stalwart all stop at 50, and no
# honest path comes near either.
MAX_RECEIVED = 50
# Trace fields stand on top. Fifty take some 15 KB; what lies beyond this is not looked at, so a
# message that is all header costs no more than any other.
_TRACE_OCTETS = 262_144

_is_domain = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9])?").fullmatch
_is_literal = re.compile(r"\[(?:[0-9.]{7,15}|IPv6:[0-9A-Fa-f:.]{2,45})\]").fullmatch
_is_ipv4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}").fullmatch
_is_ipv6 = re.compile(r"[0-9A-Fa-f:.]{2,45}").fullmatch
_is_protocol = re.compile(r"[A-Z0-9]{1,20}").fullmatch
_is_path = re.compile(r"[!-;=?-~]{1,254}").fullmatch
_own_field = re.compile(
    rb"Received: (?:from (?P<helo>[!-~]+) \((?:\[(?P<ip>[0-9A-Za-z:.]+)\]|unknown)\)\r\n\t)?"
    rb"by [!-~]+ with [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*"
).match
_comment = re.compile(rb"\([^()]*+\)")
_results_field = re.compile(
    rb"^authentication-results[ \t]*+:([^\r\n]*+(?:\r\n[ \t][^\r\n]*+)*+)(?:\r\n|$)",
    re.IGNORECASE | re.MULTILINE,
)
_RESULTS = b"authentication-results"
_is_word = re.compile(r"[A-Za-z0-9.-]{1,64}").fullmatch


def received_field(
    peer: Peer, by: str, queue_id: str, recipient: str | None, date: datetime
) -> bytes:
    """The Received field that this host puts on top (RFC 5321 §4.4), in ASCII and folded.

    What the peer said of itself is written only where it fits the grammar, and `unknown` stands
    in its place otherwise. A peer without name and address leaves the `from` clause out. With
    more than one recipient pass None: naming them would tell each about the others (§7.2).
    """
    clause = _from_and_by(peer.helo[:300], peer.ip[:60], peer.protocol[:30], by)
    identity = queue_id if _is_word(queue_id) else "unknown"
    return f"{clause} id {identity}{_for_and_date(recipient, date)}".encode()


# Mail for one mailbox comes in bursts.
@lru_cache(maxsize=1_024)
def _for_and_date(recipient: str | None, date: datetime) -> str:
    for_clause = f"\r\n\tfor <{recipient}>" if recipient and _is_path(recipient) else ""
    return f"{for_clause};\r\n\t{date_text(date)}\r\n"


@dataclass(frozen=True, slots=True)
class Traced:
    """What the Received field of this host on top of a message says: the name and the address of
    whoever handed it over, and where the message itself begins. Mail that stayed in the house
    has no address; a name that made no sense is empty."""

    helo: str
    ip: str
    start: int


def traced(content: bytes) -> Traced | None:
    """Read the field that `received_field` wrote; None when there is none on top."""
    found = _own_field(content, 0, 4_096)
    if found is None:
        return None
    name = (found["helo"] or b"").decode("ascii")
    ip = (found["ip"] or b"").decode("ascii").removeprefix("IPv6:")
    return Traced("" if name == "unknown" else name, ip, found.end())


def return_path_field(reverse_path: str) -> bytes:
    """The Return-Path field that final delivery adds: the reverse-path (RFC 5321 §4.4).

    The reverse-path is canonical, or empty for the null reverse-path.
    """
    if not reverse_path.isprintable() or " " in reverse_path or ">" in reverse_path:
        raise ValueError("a reverse-path must be canonical")
    return f"Return-Path: <{reverse_path}>\r\n".encode()


def claims_to_be(value: bytes, authserv_id: str) -> bool:
    """Whether the value of an Authentication-Results field says that this host made it."""
    plain = _comment.sub(b" ", value[:1_024]).partition(b";")[0]
    name = (plain.split(None, 1) or [b""])[0].strip(b'"')
    return name.lower().rstrip(b".") == authserv_id.lower().rstrip(".").encode()


def without_claims(content: bytes, authserv_id: str) -> bytes:
    """The message without Authentication-Results that bear our name and that we did not write
    (RFC 8601 §5): whoever trusts us would trust them. Anything else stays as it is."""
    end = content.find(b"\r\n\r\n", 0, _TRACE_OCTETS) + 2
    if end < 2:
        end = min(len(content), _TRACE_OCTETS)
    section = content[:end]
    if _RESULTS not in section.lower():
        return content
    kept = _results_field.sub(
        lambda field: b"" if claims_to_be(field[1], authserv_id) else field[0], section
    )
    return content if kept == section else kept + content[end:]


def needs_no_look(content: bytes) -> bool:
    """Whether one look at the header tells that `count_received` would let the message pass and
    `without_claims` would leave it as it is: so it is with nearly every message."""
    end = content.find(b"\r\n\r\n", 0, _TRACE_OCTETS)
    section = content[: end + 2 if end >= 0 else _TRACE_OCTETS].lower()
    # More than are counted: other names may begin so, and the first line has no end before it.
    return section.count(b"\nreceived") < MAX_RECEIVED and _RESULTS not in section


def count_received(content: bytes) -> int:
    """How many hosts the message has passed. Raises RoutingLoop when they are too many."""
    end = content.find(b"\r\n\r\n", 0, _TRACE_OCTETS)
    # Without an empty line all of it is header; a first line has no line end before it.
    section = b"\n" + content[: end if end >= 0 else _TRACE_OCTETS].lower()
    count = section.count(b"\nreceived:") + section.count(b"\nreceived ")
    if count > MAX_RECEIVED:
        raise RoutingLoop(f"The message has passed more than {MAX_RECEIVED} hosts")
    return count


# A peer sends many messages on a connection, and its clause is most of the work.
@lru_cache(maxsize=1_024)
def _from_and_by(helo: str, ip: str, protocol: str, by: str) -> str:
    with_word = protocol if _is_protocol(protocol) else "ESMTP"
    host = by if _is_domain(by) or _is_literal(by) else "localhost"
    if not helo and not ip:
        return f"Received: by {host} with {with_word}"
    name = helo if _is_domain(helo) or _is_literal(helo) else "unknown"
    return f"Received: from {name} ({_address_literal(ip)})\r\n\tby {host} with {with_word}"


def _address_literal(ip: str) -> str:
    """RFC 5321 §4.1.3. An IPv4 peer of a dual-stack socket is written as what it is."""
    plain = ip.partition("%")[0].lower().removeprefix("::ffff:")
    if _is_ipv4(plain):
        return f"[{plain}]"
    return f"[IPv6:{plain}]" if _is_ipv6(plain) else "unknown"

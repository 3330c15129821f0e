"""The words that all layers share: envelope, peer, principal, receipt."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import Struct


class Envelope(Struct, frozen=True, gc=False):
    """What travels beside the content and is never read from headers (RFC 5321 §2.3.1).

    `reverse_path` is where failures are reported; the empty string is the null reverse-path,
    which gets no reports (RFC 5321 §4.5.5). `recipients` are forward-paths in the canonical
    form of `core.address`, each once.
    """

    reverse_path: str
    recipients: tuple[str, ...]
    smtputf8: bool = False
    eight_bit: bool = False


@dataclass(frozen=True, slots=True)
class Peer:
    """Who speaks to a door: for limits, trace fields and the log.

    `protocol` is the `with` word of Received (RFC 3848): SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA,
    or HTTP.
    """

    ip: str
    port: int = 0
    helo: str = ""
    protocol: str = "ESMTP"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a credential proved, and what follows from it.

    kind        `address` (a mailbox by its token or password) or `admin`.
    address     the canonical address, lower-case; what From must be. Empty for an admin.
    address_id  the registration; 0 for an admin or an old token without one.
    unlimited   sends without allowance.
    name        the spelling that the address was opened with; empty: as `address`.
    """

    kind: str
    address: str
    address_id: int = 0
    unlimited: bool = False
    name: str = field(default="", compare=False)

    @property
    def key(self) -> str:
        """A stable name for limits, idempotency keys and the log."""
        return f"{self.kind}:{self.address}"


class Receipt(Struct, frozen=True, gc=False):
    """Proof that a message is on disk and ours to deliver or report (RFC 5321 §6.1)."""

    queue_id: str
    message_ids: tuple[int, ...] = ()
    submission_id: int = 0
    message_id: str = ""

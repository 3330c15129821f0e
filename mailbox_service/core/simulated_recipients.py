"""Recipients for tests: whoever writes to them sees an outcome, and nothing leaves this host.

    delivered@simulator.invalid       taken
    bounced@simulator.invalid         refused for good: there is no such user
    soft-bounced@simulator.invalid    refused: the mailbox is full
    complained@simulator.invalid      taken, and reported as spam
    unsubscribed@simulator.invalid    taken, and unsubscribed
    rejected@simulator.invalid        left out, as a suppressed recipient is

`.invalid` is nobody's, for ever (RFC 2606 §2). What stands behind a `+` is the tester's. None of
them is suppressed afterwards: the next test has the same outcome.
"""

from __future__ import annotations

from msgspec import Struct

from mailbox_service.core.address import split
from mailbox_service.core.delivery import Reply

DOMAIN = "simulator.invalid"


class Fate(Struct, frozen=True):
    """What becomes of a message: the reply to it, and the events that follow."""

    reply: Reply
    events: tuple[str, ...]


_TAKEN = Reply(250, "2.0.0", "Simulated: taken")
_FATES = {
    "delivered": Fate(_TAKEN, ("delivered",)),
    "bounced": Fate(Reply(550, "5.1.1", "Simulated: no such user"), ("hard-bounced",)),
    "soft-bounced": Fate(Reply(552, "5.2.2", "Simulated: the mailbox is full"), ("soft-bounced",)),
    "complained": Fate(_TAKEN, ("delivered", "spam")),
    "unsubscribed": Fate(_TAKEN, ("delivered", "unsubscribed")),
    "rejected": Fate(Reply(550, "5.7.1", "Simulated: the recipient is suppressed"), ("rejected",)),
}
_UNKNOWN = Fate(Reply(550, "5.1.1", "Simulated: no such test recipient"), ("hard-bounced",))


def is_one(recipient: str) -> bool:
    """Whether a canonical address is a recipient for tests."""
    return recipient.endswith("@" + DOMAIN)


def fate_of(recipient: str) -> Fate:
    """What becomes of a message to such a recipient."""
    return _FATES.get(split(recipient)[0].partition("+")[0], _UNKNOWN)

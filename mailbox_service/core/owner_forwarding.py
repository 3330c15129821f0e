"""Forwarding that the owner of a mailbox sets up: where to, and how the target is proved."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mailbox_service.core.address import canonical, without_detail
from mailbox_service.core.compose import Draft, NamedAddress
from mailbox_service.core.errors import BadAddress, BadRequest
from mailbox_service.core.policy import check_recipients, contains_any

# Eight digits and five tries: with the few mails an hour that a target gets, who guesses has one
# chance in a million within three days.
CODE_DIGITS = 8
TRIES = 5
CODE_MICROS = 24 * 3_600 * 1_000_000
# Mails with codes, within an hour: to one target from all mailboxes together, so that nobody is
# flooded, and for one mailbox to all targets.
WINDOW_MICROS = 3_600 * 1_000_000
MOST_TO_A_TARGET = 3
MOST_OF_A_MAILBOX = 5


@dataclass(frozen=True, slots=True)
class OwnerForward:
    """What an owner wants. `target` gets the mail since `proved_at`; `asked` was mailed a code
    that ends at `ends_at` and may be tried `tries_left` times. Empty: there is none. Times are
    microseconds UTC."""

    target: str = ""
    proved_at: int = 0
    asked: str = ""
    ends_at: int = 0
    tries_left: int = 0

    def at(self, now: int) -> OwnerForward:
        """The same without a code that has ended."""
        if self.asked and self.ends_at > now and self.tries_left > 0:
            return self
        return OwnerForward(self.target, self.proved_at)


def target_of(written: str, mailbox: str, block_list: Collection[str]) -> str:
    """The canonical target for mail of a mailbox. Raises BadRequest when it is no address or the
    mailbox itself, RecipientBlocked."""
    try:
        target = canonical(written.strip())
    except BadAddress as error:
        raise BadRequest(f"Invalid target address: {error.detail}") from None
    if mailbox in (target, without_detail(target)):
        raise BadRequest("A mailbox cannot be forwarded to itself")
    check_recipients((target,), block_list, written=(written,))
    return target


def may_get(target: str, block_list: Collection[str]) -> bool:
    """Whether a target that was proved may still be sent to."""
    return not contains_any(target, [entry.lower() for entry in block_list])


def letter(sender: str, mailbox: str, target: str, code: str) -> Draft:
    """The mail that carries a code to a target."""
    return Draft(
        sender=NamedAddress(sender, "Mailbox Service"),
        to=(NamedAddress(target),),
        subject=f"Forwarding of mail for {mailbox}",
        text=(
            f"Somebody wants mail for {mailbox} to be forwarded to {target}.\n\n"
            f"If you want that too, the code is {code}\n\n"
            "It is good for a day. If you do not, do nothing: without the code nothing is\n"
            "forwarded. Give the code to nobody.\n"
        ),
        headers=(("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All")),
    )

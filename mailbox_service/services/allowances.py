"""How many messages an address may send: shown, asked for, granted (mailbox API §10.3, §10.4)."""

from __future__ import annotations

from collections.abc import Callable

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import BadRequest, NotFound
from mailbox_service.core.header_fields import date_text
from mailbox_service.core.stored import Allowance
from mailbox_service.core.texts import text
from mailbox_service.services.administering import Administering
from mailbox_service.services.clock import Clock, as_datetime, new_id, now_micros
from mailbox_service.services.receiving import store
from mailbox_service.signals import Signals
from mailbox_service.storage import allowances
from mailbox_service.storage.database import Database, Transaction

# What the contract shows of those who need no allowance.
SHOWN_WHEN_UNLIMITED = 99_999
# The internal sender of the note about a change.
NOTE_SENDER = "admin@internal"


class Allowances:
    """The allowances of all addresses."""

    def __init__(
        self,
        database: Database,
        config: Config,
        administering: Administering,
        signals: Signals,
        *,
        clock: Clock = now_micros,
        new_queue_id: Callable[[], str] = new_id,
    ) -> None:
        self._database = database
        self._administering = administering
        self._signals = signals
        self._clock = clock
        self._new_queue_id = new_queue_id
        self.default = config.default_send_balance

    def unlimited(self, principal: Principal) -> bool:
        """Whether a principal sends without allowance."""
        if principal.unlimited or principal.kind == "admin":
            return True
        return principal.address in self._administering.rules.no_limit_send_address_list

    async def balance(self, principal: Principal) -> int:
        """How many messages a principal may send; 0 when none, or when sending is disabled.

        Looking creates the default allowance, as sending would.
        """
        if self.unlimited(principal):
            return SHOWN_WHEN_UNLIMITED
        found = await self._database.read_quick(allowances.by_address, principal.address)
        if found is None and self.default > 0:
            await self._open_default(principal.address)
            return self.default
        return max(found.balance, 0) if found is not None and found.enabled else 0

    async def _open_default(self, address: str) -> None:
        await self._database.write(
            allowances.open_allowance,
            address,
            balance=self.default,
            enabled=True,
            now=self._clock(),
        )

    async def request(self, principal: Principal) -> None:
        """Ask for an allowance: an administrator sees the request and grants it.

        Where everybody has a default allowance there is nothing to ask for. Raises BadRequest
        when it was asked for before, or the address is not open.
        """
        if not principal.address:
            raise BadRequest(text("AddressNotFoundMsg"), message_key="AddressNotFoundMsg")
        created = await self._database.write(
            allowances.open_allowance,
            principal.address,
            balance=self.default,
            enabled=self.default > 0,
            now=self._clock(),
        )
        if created or (self.default > 0 and await self.balance(principal) > 0):
            return
        raise BadRequest(text("AlreadyRequestedMsg"), message_key="AlreadyRequestedMsg")

    async def list(
        self, *, limit: int, offset: int, address: str | None = None
    ) -> tuple[list[Allowance], int]:
        """A page of allowances for administrators, newest first, and how many there are."""
        return await self._database.read(
            allowances.list_page, limit=limit, offset=offset, address=address
        )

    async def change(
        self, allowance_id: int, *, balance: int, enabled: bool, address: str = ""
    ) -> None:
        """Set an allowance, and put a note about it into the mailbox that it belongs to.

        `address` is where the note goes when the row is gone. Raises NotFound without either.
        """
        now = self._clock()
        note_to = await self._database.write(
            change, allowance_id, balance, enabled, address, self._new_queue_id(), now
        )
        self._signals.notify(topics.mailbox(note_to))
        self._signals.notify(topics.MESSAGES)

    async def remove(self, allowance_id: int) -> None:
        """Forget an allowance."""
        await self._database.write(allowances.remove, allowance_id)


async def change(
    tx: Transaction,
    allowance_id: int,
    balance: int,
    enabled: bool,
    address: str,
    queue_id: str,
    now: int,
) -> str:
    """Change the row and store the note, together; the mailbox that got it."""
    found = await allowances.change(tx, allowance_id, balance=balance, enabled=enabled)
    note_to = found or address
    if not note_to:
        raise NotFound("There is no allowance with that id")
    content = note(note_to, balance, enabled, queue_id, now)
    await store(tx, (note_to,), NOTE_SENDER, content, queue_id, now)
    return note_to


def note(address: str, balance: int, enabled: bool, queue_id: str, now: int) -> bytes:
    """The message that tells an owner about a changed allowance."""
    word = "enabled" if enabled else "disabled"
    return (
        f"From: Admin <{NOTE_SENDER}>\r\n"
        f"To: {address}\r\n"
        "Subject: Account Send Access Updated\r\n"
        f"Date: {date_text(as_datetime(now))}\r\n"
        f"Message-ID: <{queue_id.lower()}@internal>\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Auto-Submitted: auto-generated\r\n"
        "\r\n"
        f"Your send access has been {word}, balance: {balance}\r\n"
    ).encode()


async def may_send(tx: Transaction, address: str, default: int) -> bool:
    """Whether an address has something left, or would be given something."""
    found = await allowances.by_address(tx, address)
    if found is None:
        return default > 0
    return found.enabled and found.balance > 0

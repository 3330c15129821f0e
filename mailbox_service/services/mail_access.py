"""Mailboxes for mail clients: who may open them."""

from __future__ import annotations

from mailbox_service.config import Config
from mailbox_service.core.accounts import Account
from mailbox_service.core.envelope import Peer
from mailbox_service.core.errors import BadCredential
from mailbox_service.services.account_mailboxes import AccountMailboxes
from mailbox_service.services.accounts import Accounts
from mailbox_service.services.authenticating import Authenticating
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.open_mailboxes import OpenMailboxes, validity
from mailbox_service.signals import Signals
from mailbox_service.storage import addresses, mail_access
from mailbox_service.storage.database import Database


class MailAccess:
    """Opens the mailboxes of an address for whoever proves to be its owner."""

    def __init__(
        self,
        database: Database,
        config: Config,
        authenticating: Authenticating,
        signals: Signals,
        *,
        accounts: Accounts | None = None,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._config = config
        self._authenticating = authenticating
        self._signals = signals
        self._accounts = accounts
        self._clock = clock

    async def login(self, username: str, password: str, peer: Peer) -> OpenMailboxes:
        """Prove a login (`Authenticating.login`); its mailboxes. Over IMAP, where the operator
        wants it, also an account by its e-mail and password or by a token of its own. Raises
        BadCredential or TooManyRequests."""
        if self._accounts is not None and peer.protocol == "IMAP":
            account = await self._accounts.mail_login(username, password, peer.ip)
            if account is not None:
                return await self._open_account(account)
        return await self._open_address(username, password, peer)

    async def _open_account(self, account: Account) -> AccountMailboxes:
        standing = await self._database.read_quick(mail_access.standing, account.id, account.email)
        if standing is None:
            raise BadCredential("The account is gone.")
        return AccountMailboxes(
            self._database,
            self._signals,
            account,
            standing,
            may_delete=self._config.enable_user_delete_email,
            clock=self._clock,
        )

    async def _open_address(self, username: str, password: str, peer: Peer) -> OpenMailboxes:
        now = self._clock()
        principal = await self._authenticating.login(username, password, peer)
        row = await self._database.read_quick(addresses.by_address, principal.address)
        if row is None or row.id != principal.address_id:
            raise BadCredential("The address is closed.")
        if row.updated_at < now - addresses.DAY:
            await self._database.write(addresses.touch, row.address, now)
        return OpenMailboxes(
            self._database,
            self._signals,
            principal,
            uid_validity=validity(row.created_at, row.id),
            since=now,
            may_delete=self._config.enable_user_delete_email,
            clock=self._clock,
        )

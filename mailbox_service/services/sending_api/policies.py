"""What an account may do, as one snapshot: lists, domains, senders, the state of the account.

A snapshot lives for some seconds, so that a send asks the store for nothing of this. A change in
this process is seen at once, one of another process within that time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from mailbox_service.config import Config
from mailbox_service.core.address import domain_matches, split
from mailbox_service.core.sending_api import MASTER
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.remembered import Remembered
from mailbox_service.services.sending_api.documents import (
    DOMAINS,
    LISTS,
    SINGLE_SENDERS,
    SUBACCOUNTS,
    Documents,
)
from mailbox_service.storage import sending_records
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.sending_records import StoredRecord

KEPT_SECONDS = 5.0
KEPT_AT_MOST = 1_000

WHITELIST, BLACKLIST, DISABLED = "whitelist", "blacklist", "disabled"


class Entry(Struct, frozen=True, kw_only=True):
    """One line of a list of addresses and domains, with what connectors keep beside it."""

    id: int
    value: str
    name: str = ""
    reply_prompt: str = ""


class AddressList(Struct, frozen=True, kw_only=True):
    """Allowed (or refused) senders or recipients; `mode` says which of these."""

    mode: str = DISABLED
    entries: list[Entry] = []

    def allows(self, address: str) -> bool:
        """Whether an address, canonical, may pass."""
        if self.mode == DISABLED:
            return True
        domain = split(address)[1]
        listed = any(
            address == one.value if "@" in one.value else domain_matches(domain, (one.value,))
            for one in self.entries
        )
        return listed is (self.mode == WHITELIST)


class IpEntry(Struct, frozen=True):
    """An address or a network, and why it is there."""

    ip_address: str
    description: str = ""


class IpList(Struct, frozen=True, kw_only=True):
    """From where a door may be used."""

    enabled: bool = False
    entries: list[IpEntry] = []


class SenderDomain(Struct, frozen=True, kw_only=True):
    """A domain that mail is sent from. Statuses say why something is not verified."""

    dkim_selector: str
    rpath_selector: str
    tracking_subdomain: str
    private_key: str = ""
    dkim_verified: bool = False
    dkim_status: str = ""
    rpath_verified: bool = False
    rpath_status: str = ""
    cname_verified: bool = False
    cname_status: str = ""
    requisition_ssl: bool = True
    subaccounts: list[str] = []
    future_subaccounts: bool = False
    checked_at: int = 0


class SingleSender(Struct, frozen=True, kw_only=True):
    """One address that somebody proved to be theirs."""

    verified: bool = False
    token_digest: str = ""
    asked_at: int = 0


class Subaccount(Struct, frozen=True, kw_only=True):
    """An account of somebody else, with a plan of its own."""

    fullname: str
    email: str = ""
    limit: int = 10_000
    dedicated_ip: bool = False
    archiving: bool = False
    enforce_2fa: bool = False
    sms_enabled: bool = False
    sms_limit: int = 1_000
    state: str = "Active"


SENDERS_LIST, RECIPIENTS_LIST = "allowed_senders", "allowed_recipients"


@dataclass(frozen=True, slots=True)
class Policy:
    """One account at one moment. `limit` is messages a month, None without a limit."""

    account: str
    senders: AddressList
    recipients: AddressList
    domains: frozenset[str]
    addresses: frozenset[str]
    active: bool
    limit: int | None
    ip_lists: dict[str, IpList]
    # Domains whose failures come to a name below them that DNS leads to us, and that name.
    return_hosts: Mapping[str, str] = field(default_factory=dict)

    def return_host(self, domain: str) -> str:
        """Where failures of mail from a domain, or from one below it, are reported to; empty
        when its DNS leads none of them to us."""
        while domain:
            if domain in self.return_hosts:
                return self.return_hosts[domain]
            domain = domain.partition(".")[2]
        return ""

    def verified(self, address: str) -> bool:
        """Whether an address may stand in From (sending-api §8.4)."""
        return address in self.addresses or domain_matches(split(address)[1], self.domains)


class Policies:
    """Knows the policy of each account."""

    def __init__(self, database: Database, config: Config, *, clock: Clock = now_micros) -> None:
        self._database = database
        self._served = frozenset(config.served_domains)
        self._plan = config.sending_plan or None
        self._lists = Documents(database, LISTS, AddressList, clock)
        self._ip_lists = Documents(database, LISTS, IpList, clock)
        self._domains = Documents(database, DOMAINS, SenderDomain, clock)
        self._addresses = Documents(database, SINGLE_SENDERS, SingleSender, clock)
        self._subaccounts = Documents(database, SUBACCOUNTS, Subaccount, clock)
        self._kept = Remembered[str, Policy](KEPT_SECONDS, KEPT_AT_MOST)

    def forget(self) -> None:
        """Something was changed: look again."""
        self._kept.forget()

    def kept(self, account: str, now: float) -> Policy | None:
        """The policy of an account as it was some seconds ago at most; None when it has to be
        read. `now` is the loop's time."""
        return self._kept.get(account, now)

    async def of(self, account: str) -> Policy:
        """The policy of an account."""
        now = asyncio.get_running_loop().time()
        kept = self.kept(account, now)
        if kept is not None:
            return kept
        turn = self._kept.turn
        policy = await self._read(account)
        self._kept.keep(account, policy, now, turn=turn)
        return policy

    async def _read(self, account: str) -> Policy:
        lists, own, addresses, shared, row = await self._database.read(rows_of, account)
        domains: set[str] = set()
        returns: dict[str, str] = {}
        for one in (*shared, *own):
            value = self._domains.read(one).value
            allowed = value.dkim_verified
            if one.account != account:
                given = value.future_subaccounts or account in value.subaccounts
                allowed = given and (allowed or one.name in self._served)
            if allowed:
                domains.add(one.name)
                if value.rpath_verified:
                    returns[one.name] = f"{value.rpath_selector}.{one.name}"
        limit, active = self._plan, True
        if account == MASTER:
            domains |= self._served
        else:
            subaccount = None if row is None else self._subaccounts.read(row).value
            active = subaccount is not None and subaccount.state == "Active"
            limit = 0 if subaccount is None else subaccount.limit
        by_name = {one.name: one for one in lists}

        def listed(name: str) -> AddressList:
            return self._lists.read(by_name[name]).value if name in by_name else AddressList()

        return Policy(
            account=account,
            senders=listed(SENDERS_LIST),
            recipients=listed(RECIPIENTS_LIST),
            domains=frozenset(domains),
            addresses=frozenset(
                one.name for one in addresses if self._addresses.read(one).value.verified
            ),
            active=active,
            limit=limit,
            ip_lists={
                name: self._ip_lists.read(by_name[f"ip_{name}"]).value
                if f"ip_{name}" in by_name
                else IpList()
                for name in ("smtp", "api")
            },
            return_hosts=returns,
        )


async def rows_of(
    tx: Transaction, account: str
) -> tuple[
    list[StoredRecord],
    list[StoredRecord],
    list[StoredRecord],
    list[StoredRecord],
    StoredRecord | None,
]:
    """Everything that a policy is made of, as one state."""
    lists = await sending_records.of_kind(tx, account=account, kind=LISTS)
    own = await sending_records.of_kind(tx, account=account, kind=DOMAINS)
    addresses = await sending_records.of_kind(tx, account=account, kind=SINGLE_SENDERS)
    if account == MASTER:
        return lists, own, addresses, [], None
    shared = await sending_records.of_kind(tx, account=MASTER, kind=DOMAINS)
    row = await sending_records.get(tx, account=MASTER, kind=SUBACCOUNTS, name=account)
    return lists, own, addresses, shared, row

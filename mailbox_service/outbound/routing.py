"""Which hosts take the mail of a domain (RFC 5321 §5.1, RFC 7505)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mailbox_service.core.delivery import Reply
from mailbox_service.core.public_address import is_public
from mailbox_service.outbound.dns import MailExchanger, NoSuchName, NotKnownNow, Resolver

# RFC 5321 §5.1 asks for at least two hosts to be tried; a hundred would be somebody's joke.
MOST_HOSTS = 8

Shuffle = Callable[[list[MailExchanger]], None]


class NoRoute(Exception):
    """Nobody takes mail for the domain: now (code 0) or ever (5xx), as `reply` says."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Host:
    """One address of one mail server."""

    name: str
    address: str


class Router:
    """Finds the hosts of a domain, best first."""

    def __init__(
        self,
        resolver: Resolver,
        own_name: str,
        *,
        private_addresses: bool = False,
        shuffle: Shuffle = random.shuffle,
    ) -> None:
        self._resolver = resolver
        self._own_name = own_name.lower()
        self._private = private_addresses
        self._shuffle = shuffle

    async def hosts(self, domain: str) -> list[Host]:
        """The addresses to try, in order, `MOST_HOSTS` at most. Raises NoRoute."""
        exchangers = await self._exchangers(domain)
        hosts: list[Host] = []
        unknown: str | None = None
        private = False
        for name in exchangers:
            if len(hosts) >= MOST_HOSTS:
                break
            try:
                addresses = await self._resolver.addresses(name)
            except NoSuchName:
                continue
            except NotKnownNow:
                unknown = name
                continue
            for address in addresses:
                if self._private or is_public(address):
                    hosts.append(Host(name, address))
                else:
                    private = True
        if hosts:
            return hosts[:MOST_HOSTS]
        if unknown is not None:
            raise NoRoute(Reply(0, "4.4.3", f"The address of {unknown} cannot be found out now."))
        if private:
            raise NoRoute(
                Reply(550, "5.4.4", f"The mail servers of {domain} have private addresses only.")
            )
        raise NoRoute(Reply(550, "5.4.4", f"No mail server of {domain} has an address."))

    async def _exchangers(self, domain: str) -> Sequence[str]:
        """The names of the hosts, best first; the domain itself when it has no MX record."""
        try:
            records = await self._resolver.mail_exchangers(domain)
        except NoSuchName:
            raise NoRoute(Reply(550, "5.1.2", f"There is no domain {domain}.")) from None
        except NotKnownNow:
            reply = Reply(0, "4.4.3", f"The mail servers of {domain} cannot be found out now.")
            raise NoRoute(reply) from None
        if not records:
            return [domain]
        if all(not record.host for record in records):
            raise NoRoute(Reply(556, "5.1.10", f"{domain} takes no mail (null MX)."))
        named = [record for record in records if record.host]
        named = self._nearer_than_us(named, domain)
        self._shuffle(named)  # equal preferences share the load; the sort keeps their order
        named.sort(key=lambda record: record.preference)
        return [record.host for record in named]

    def _nearer_than_us(self, records: Sequence[MailExchanger], domain: str) -> list[MailExchanger]:
        """Those that are preferred to ourselves, where we are a mail server of the domain too."""
        ours = [record.preference for record in records if record.host == self._own_name]
        if not ours:
            return list(records)
        nearer = [record for record in records if record.preference < min(ours)]
        if not nearer:
            reply = Reply(554, "5.4.6", f"Mail for {domain} would come back to this host.")
            raise NoRoute(reply)
        return nearer

"""The DNS records of our domains: what to publish, and whether it is published."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from mailbox_service.config import Config
from mailbox_service.core import spf
from mailbox_service.core.domain_records import (
    POSTMASTER,
    Facts,
    Judged,
    Record,
    Seen,
    is_private,
    judge,
    records_of,
    say,
)
from mailbox_service.core.errors import Conflict, NotFound
from mailbox_service.core.names import Names, NoSuchName, NotKnownNow
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.signing import Signing

T = TypeVar("T")

# A domain has a dozen questions, asked side by side; name servers that do not answer are given up
# by the resolver before this.
CHECK_SECONDS = 30.0
# Checks at once: each is a burst of questions.
MOST_CHECKS = 4
# Keys of a domain in DNS: two algorithms, a few times within the ten days that a change takes.
MOST_KEYS = 10


@dataclass(frozen=True, slots=True)
class Checked:
    """What DNS says of a domain now (microseconds UTC)."""

    domain: str
    at: int
    records: list[Judged]


class DomainChecking:
    """Tells the records of our domains, and asks DNS for them."""

    def __init__(
        self, config: Config, signing: Signing, names: Names, *, clock: Clock = now_micros
    ) -> None:
        self._config = config
        self._signing = signing
        self._names = names
        self._clock = clock
        self._places = asyncio.Semaphore(MOST_CHECKS)

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains that are served."""
        return tuple(dict.fromkeys(self._config.served_domains))

    async def records(self, domain: str) -> list[Record]:
        """Every record of one of our domains. Makes its keys when it has none yet. Raises
        NotFound."""
        if domain not in self.domains:
            raise NotFound(f"{domain[:253]} is no domain of this service")
        return records_of(domain, await self._facts(domain))

    async def rotate(self, domain: str) -> list[Record]:
        """Make the next DKIM keys of a domain of ours; its records with those of the new keys.
        The new keys begin to sign after three days. Raises NotFound, Conflict."""
        if sum(one.purpose == "dkim" for one in await self.records(domain)) >= MOST_KEYS:
            raise Conflict(
                f"{domain} has {MOST_KEYS} keys in DNS: wait until the old ones are over"
            )
        await self._signing.rotate(domain)
        return await self.records(domain)

    async def check(self, domain: str) -> Checked:
        """Ask DNS for every record of a domain of ours. Raises NotFound."""
        records = await self.records(domain)
        if is_private(domain):
            judged = [Judged(record, (), "unknown", say("private")) for record in records]
            return Checked(domain, self._clock(), judged)
        async with self._places:
            own = await self._own_addresses()
            judged = list(
                await asyncio.gather(*(self._check_one(domain, one, own) for one in records))
            )
        return Checked(domain, self._clock(), judged)

    async def _facts(self, domain: str) -> Facts:
        config = self._config
        relay = config.relay_url if config.outbound == "relay" else ""
        return Facts(
            own_name=config.own_name,
            outbound=config.outbound,
            dkim=await self._signing.records(domain),
            relay_host=(urlsplit(relay).hostname or "") if relay else "",
            bounce_domain=config.bounce_domain.strip().lower(),
            sts_mode=config.mta_sts_mode,
        )

    async def _check_one(self, domain: str, record: Record, own: Seen) -> Judged:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return judge(record, await self._look(domain, record, own))
        except NotKnownNow:
            return judge(record, Seen(trouble=say("silent", name=record.name)))
        except TimeoutError:
            return judge(record, Seen(trouble=say("slow", domain=domain)))

    async def _look(self, domain: str, record: Record, own: Seen) -> Seen:
        match record.type:
            case "MX":
                return Seen(await asked(self._names.mail_hosts, record.name))
            case "A":
                return own
            case "PTR" if own.trouble:
                return own
            case "PTR":
                names: list[str] = []
                for address in own.own_addresses:
                    names += await asked(self._names.names_of, address)
                return Seen([name.rstrip(".") for name in names], own_addresses=own.own_addresses)
            case "CNAME":
                found = await self._addresses(record.name)
                return Seen(found, own_addresses=own.own_addresses)
        texts = await asked(self._names.texts, record.name)
        found = [text.decode("ascii", "replace") for text in texts]
        results: list[tuple[str, str]] = []
        if record.purpose in ("spf", "return_path") and own.own_addresses:
            results = [
                (address, await self._spf(address, record.name)) for address in own.own_addresses
            ]
        return Seen(found, spf=results)

    async def _spf(self, address: str, domain: str) -> str:
        found = await spf.check(
            self._names,
            ip=address,
            helo=self._config.own_name,
            reverse_path=f"{POSTMASTER}@{domain}",
        )
        return found.result

    async def _own_addresses(self) -> Seen:
        """The addresses of this host's name, as DNS has them."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                found = await self._addresses(self._config.own_name)
        except (NotKnownNow, TimeoutError):
            return Seen(trouble=say("silent", name=self._config.own_name))
        return Seen(found, own_addresses=found)

    async def _addresses(self, name: str) -> list[str]:
        found: list[str] = []
        for version in (4, 6):
            try:
                found += await self._names.host_addresses(name, 4 if version == 4 else 6)
            except NoSuchName:
                continue
        return found


async def asked(question: Callable[[str], Awaitable[Sequence[T]]], name: str) -> list[T]:
    """The answer to a question; nothing when there is no such name."""
    try:
        return list(await question(name))
    except NoSuchName:
        return []

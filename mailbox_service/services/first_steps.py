"""What a new administrator does next, from how things stand now."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from mailbox_service.config import Config, ConfigError, parse_listen
from mailbox_service.core.domain_records import is_private
from mailbox_service.core.first_steps import Standing, Step, steps_of
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.counting import Counting
from mailbox_service.services.domain_checking import DomainChecking

# `mailbox backup` writes it into the data folder; its time says when.
LAST_BACKUP = "last-backup"
DAY = 86_400_000_000
# Domains whose records are looked for, how long somebody waits for that, and how long what was
# found is told again: whoever wants to know now asks for a check.
MOST_DOMAINS = 3
DNS_SECONDS = 4.0
DNS_KEPT_SECONDS = 300.0


class FirstSteps:
    """Looks how things stand."""

    def __init__(
        self,
        config: Config,
        counting: Counting,
        domains: DomainChecking,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._config = config
        self._counting = counting
        self._domains = domains
        self._clock = clock
        self._dns: dict[str, tuple[float, int]] = {}

    async def steps(self) -> list[Step]:
        """The steps in the order in which they are best done."""
        config = self._config
        now = await self._counting.now()
        reception, port = listened(config, "reception_listen")
        return steps_of(
            Standing(
                domains=self._domains.domains,
                reception=reception,
                reception_port=port,
                http=listened(config, "http_listen")[0],
                outbound=config.outbound,
                has_certificate=bool(config.tls_cert),
                has_proxy=bool(config.trusted_proxies),
                admin_passwords=config.admin_passwords,
                asks_no_password=config.disable_admin_password_check,
                addresses=now.addresses,
                received=now.mails,
                dns=await self._names(),
                backups=not config.database_url.startswith("postgres"),
                backup_age=await asyncio.to_thread(self._backup_age),
            )
        )

    async def _names(self) -> list[tuple[str, int | None]]:
        """How many needed records each public domain lacks; None when that is not known yet."""
        public = [domain for domain in self._domains.domains if not is_private(domain)]
        return list(
            await asyncio.gather(*(self._lacking(domain) for domain in public[:MOST_DOMAINS]))
        )

    async def _lacking(self, domain: str) -> tuple[str, int | None]:
        until, known = self._dns.get(domain, (0.0, 0))
        if until > time.monotonic():
            return domain, known
        try:
            async with asyncio.timeout(DNS_SECONDS):
                checked = await self._domains.check(domain)
        except TimeoutError:
            return domain, None
        needed = [one for one in checked.records if one.record.required]
        if any(one.state == "unknown" for one in needed if one.record.purpose != "spf"):
            return domain, None
        lacking = sum(one.state in ("missing", "different") for one in needed)
        self._dns[domain] = (time.monotonic() + DNS_KEPT_SECONDS, lacking)
        return domain, lacking

    def _backup_age(self) -> int | None:
        """Days since the last backup that was made by a command of ours."""
        try:
            made = (Path(self._config.data_dir) / LAST_BACKUP).stat().st_mtime
        except OSError:
            return None
        return max(self._clock() - int(made * 1_000_000), 0) // DAY


def listened(config: Config, name: str) -> tuple[str, int]:
    """Where a door listens, empty when it is closed."""
    try:
        return parse_listen(name, getattr(config, name))
    except ConfigError:
        return "", 0

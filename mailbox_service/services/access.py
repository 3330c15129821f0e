"""Whether a request is let in: the stored IP policy, and the count of a client's day."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from mailbox_service.core.access_policy import (
    NO_POLICY,
    Policy,
    compiled,
    judge,
    validated,
)
from mailbox_service.core.cleanup import DAY
from mailbox_service.core.errors import MailError, NotYours, TooManyRequests
from mailbox_service.services.administering import Administering
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.network_database import NetworkOwners
from mailbox_service.storage import daily_requests
from mailbox_service.storage.database import Database

log = logging.getLogger("mailbox.access")

SETTING = "ip_blacklist_settings"


class Access:
    """Judges requests by the policy that an administrator saved (mailbox-api §5.2)."""

    def __init__(
        self,
        database: Database,
        administering: Administering,
        *,
        owners: NetworkOwners | None = None,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._owners = owners
        self._administering = administering
        self._clock = clock
        self._stored: Any = None
        self._policy = NO_POLICY

    async def save(self, posted: Any) -> None:
        """Save a policy. Raises BadPolicy with the contract's words."""
        await self._administering.change({SETTING: validated(posted)})

    async def stored(self) -> Any:
        """The policy as it was saved; None when none ever was."""
        return await self._administering.stored(SETTING)

    @property
    def is_open(self) -> bool:
        """Whether no policy was ever saved, so that everybody is let in."""
        return self._administering.rules.ip_blacklist_settings is None

    async def check(
        self, ip: str, *, client: str, fingerprint: str, organisation: str = ""
    ) -> None:
        """Raises NotYours, or TooManyRequests when the client's day is used up.

        `ip` is empty where there is none; `client` is what counts as one, a network at most;
        `organisation` who a proxy says owns that network, empty where none does; what the
        administrator's own file says about it counts besides.
        """
        stored = self._administering.rules.ip_blacklist_settings
        if stored is None:
            return
        policy = await self._compiled(stored)
        refusal = judge(policy, ip=ip, fingerprint=fingerprint, organisation=organisation)
        if refusal is None and self._owners is not None and policy.organisations:
            owner = self._owners.of(ip)
            refusal = judge(policy, ip=ip, fingerprint=fingerprint, organisation=owner)
        if refusal is not None:
            raise NotYours(refusal.reason)
        if policy.daily_limit is not None and ip:
            await self._count(policy.daily_limit, ip, client)

    async def _compiled(self, stored: Any) -> Policy:
        """The policy, compiled once: thousands of patterns take the best part of a second."""
        if stored != self._stored:
            self._policy = await asyncio.to_thread(compiled, stored)
            self._stored = stored
        return self._policy

    async def _count(self, most: int, ip: str, client: str) -> None:
        now = self._clock()
        day = now // DAY
        try:
            counted = await self._database.write(
                daily_requests.count, day=day, client=client, most=most
            )
        except MailError as error:
            # Our trouble is nobody's quota (mailbox-api §5.2); the route itself will say so.
            log.warning("request-not-counted reason=%s", error.detail)
            return
        if not counted:
            seconds = ((day + 1) * DAY - now) / 1_000_000
            raise TooManyRequests(
                f"IP={ip} Exceeded daily limit of {most} requests", retry_after=seconds
            )

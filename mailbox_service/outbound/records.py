"""What DNS says about the names of a sender domain, as the services ask for it."""

from __future__ import annotations

from mailbox_service.outbound.dns import NoSuchName, NotKnownNow, Resolver


class DomainRecords:
    """Asks a resolver; what nobody can tell now is LookupError."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def texts(self, name: str) -> list[str]:
        """The TXT records of a name; none when there is no such name."""
        try:
            found = await self._resolver.texts(name)
        except NoSuchName:
            return []
        except NotKnownNow:
            raise LookupError("no name server could tell") from None
        return [record.decode("ascii", "replace") for record in found]

    async def alias(self, name: str) -> str:
        """The CNAME of a name, empty without one."""
        try:
            return await self._resolver.alias(name)
        except NoSuchName:
            return ""
        except NotKnownNow:
            raise LookupError("no name server could tell") from None

"""Programs that use mailboxes by tools: who they are, and which mailboxes are theirs.

Whoever shows the token of an address has that one mailbox. A key of the sending API has those
that were opened with it. The operator, at the command line of the machine, has all. What is done
in a mailbox is done as its owner, by the rules that hold for owners.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailbox_service.core.address import canonical
from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import BadAddress, BadRequest, NotYours, UnknownMailbox
from mailbox_service.core.lifetime import has_ended
from mailbox_service.core.sending_api import SANDBOX, Credential
from mailbox_service.core.stored import Address
from mailbox_service.services.authenticating import Authenticating, Opened
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.registering import Registering
from mailbox_service.services.sending_api.api_keys import ApiKeys
from mailbox_service.storage import opened_by_key
from mailbox_service.storage.database import Database

# Addresses that one key may have open: a test suite of some size, and no more than a list shows.
MOST_OPEN = 1_000
KEY_PREFIX = "api-"
# No key has such a name; the index of what keys opened finds it.
OPERATORS_SOURCE = "key:mcp"


@dataclass(frozen=True, slots=True)
class Agent:
    """Who calls tools: an address by its token, a key, or (neither) the operator."""

    mailbox: Principal | None = None
    credential: Credential | None = None

    @property
    def name(self) -> str:
        """A stable name for budgets and the log; no secret."""
        if self.mailbox is not None:
            return self.mailbox.key
        return self.source if self.credential is None else f"key:{self.credential.username}"

    @property
    def source(self) -> str:
        """What addresses that it opens are marked with."""
        if self.credential is None:
            return OPERATORS_SOURCE
        return f"key:{self.credential.username}"

    @property
    def opens(self) -> bool:
        """Whether it may open addresses: the token of one opens no other."""
        return self.mailbox is None

    def may(self, permission: str) -> bool:
        """Whether it may do what a permission such as `/mcp/read_mail` is for."""
        return self.credential is None or self.credential.may(permission)


OPERATOR = Agent()


class Agents:
    """Proves programs, and finds their mailboxes."""

    def __init__(
        self,
        database: Database,
        authenticating: Authenticating,
        registering: Registering,
        keys: ApiKeys,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._authenticating = authenticating
        self._registering = registering
        self._keys = keys
        self._clock = clock

    async def prove(self, shown: str) -> Agent:
        """Who shows a key of the sending API or the token of an address. Raises BadCredential."""
        if shown.startswith(KEY_PREFIX):
            return Agent(credential=await self._keys.prove(shown))
        return Agent(mailbox=await self._authenticating.address_token(shown))

    async def open(
        self, agent: Agent, *, name: str, domain: str | None, lifetime: int | None
    ) -> Opened:
        """Open an address that is the agent's: the name that is wished for, or one of ours.
        `lifetime` is in seconds; None: it stays. Raises NotYours, BadRequest, NameTaken."""
        if not agent.opens:
            raise NotYours("The token of an address opens no other address")
        if agent.credential is not None:
            opened = await self._database.read(opened_by_key.count, source=agent.source)
            if opened >= MOST_OPEN:
                raise BadRequest(f"{MOST_OPEN} addresses of this key are open; close some")
        opened_now = await self._registering.open_for_bot(
            name=name, domain=domain, random_subdomain=False, source=agent.source
        )
        if lifetime is not None:
            await self._registering.set_lifetime(opened_now.address_id, lifetime)
        return opened_now

    async def addresses(self, agent: Agent, *, limit: int) -> list[Address]:
        """The open addresses of an agent, newest first."""
        if agent.mailbox is not None:
            found = await self._registering.find(agent.mailbox.address_id)
            return [] if found is None else [found]
        return [
            row
            for row in await self._database.read(
                opened_by_key.newest, source=agent.source, limit=limit
            )
            if not self._over(row)
        ]

    async def mailbox(self, agent: Agent, address: str) -> Principal:
        """The owner of a mailbox, as which an agent acts in it. Without an address it is the only
        one that the agent has. Raises BadRequest, UnknownMailbox; the same for what is somebody
        else's as for what is not there."""
        if not address:
            return await self._only_mailbox(agent)
        try:
            wanted = canonical(address)
        except BadAddress as error:
            raise BadRequest(error.detail) from None
        if agent.mailbox is not None:
            if wanted != agent.mailbox.address:
                raise unknown(address)
            return agent.mailbox
        row = await self._registering.find_address(wanted)
        if row is None or self._over(row):
            raise unknown(address)
        if agent.credential is not None and row.source_meta != agent.source:
            raise unknown(address)
        return Principal("address", row.address, row.id)

    async def _only_mailbox(self, agent: Agent) -> Principal:
        if agent.mailbox is not None:
            return agent.mailbox
        rows = await self.addresses(agent, limit=2)
        if not rows:
            raise BadRequest("No address is open yet; open one with open_address")
        if len(rows) > 1:
            raise BadRequest("Several addresses are open; say in `address` which one is meant")
        return Principal("address", rows[0].address, rows[0].id)

    def _over(self, row: Address) -> bool:
        return has_ended(row.expires_at, now=self._clock())

    @staticmethod
    def check_may_send(agent: Agent) -> None:
        """Raises NotYours for a key that is there to try things out."""
        if agent.credential is not None and agent.credential.settings.status == SANDBOX:
            raise NotYours("This key is a sandbox: it sends no mail from addresses")


def unknown(address: str) -> UnknownMailbox:
    """Nothing of that name is the agent's."""
    return UnknownMailbox(f"No open address {address[:254]!a} is yours")

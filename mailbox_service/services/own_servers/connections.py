"""Connections to servers, under names: kept with their passwords sealed, and tried."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Protocol

from msgspec import UNSET, Struct, UnsetType

from mailbox_service.config import Config
from mailbox_service.core.address import canonical
from mailbox_service.core.errors import BadAddress, NotFound
from mailbox_service.core.own_server import (
    DEFAULT,
    Connection,
    Reached,
    ServerProblem,
    Taken,
    check_connection,
    check_name,
)
from mailbox_service.core.sealing import NONCE_OCTETS, NotUnsealed, Sealer
from mailbox_service.core.sending_api import BadField, PaymentRequired
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sending_api.documents import Document, Documents
from mailbox_service.storage.database import Database

CONNECTIONS = "smtp_connection"
MOST_CONNECTIONS = 50
NOT_CONFIGURED = "SMTP connection is not configured"


class Session(Protocol):
    """An open session with a server (`outbound.own_servers`)."""

    @property
    def usable(self) -> bool: ...
    @property
    def reached(self) -> Reached: ...
    async def send(self, sender: str, recipients: tuple[str, ...], content: bytes) -> Taken: ...
    async def quit(self) -> None: ...
    def close(self) -> None: ...


class Servers(Protocol):
    """The way out to servers (`outbound.own_servers`)."""

    async def open(self, connection: Connection, password: str) -> Session:
        """A session, logged in. Raises ServerProblem."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """On whose behalf something is asked. `connection` is a name, or for administrators one of
    their own with its password."""

    account: str
    connection: str | tuple[Connection, str] = DEFAULT
    idempotency_key: str | None = None
    fingerprint: str = ""


class StoredConnection(Struct, frozen=True, kw_only=True):
    """A connection as it is kept, with its password sealed; empty without one."""

    connection: Connection
    sealed: str = ""


class ConnectionForm(Struct, kw_only=True):
    """A connection as it is posted. A password that is not said stays as it was."""

    host: str
    port: int = 587
    use_tls: bool = True
    ignore_self_signed: bool = False
    allow_insecure_auth: bool = False
    username: str = ""
    password: str | UnsetType = UNSET
    from_address: str = ""
    from_name: str = ""


@dataclass(frozen=True, slots=True)
class ShownConnection:
    """A connection for its owner's eyes, without the password."""

    name: str
    connection: Connection
    has_password: bool


@dataclass(frozen=True, slots=True)
class Tested:
    """What a test found."""

    connection: Connection
    duration_ms: int
    reached: Reached | None
    problem: ServerProblem | None = None


class Connections:
    """Knows the connections of all accounts."""

    def __init__(
        self, database: Database, config: Config, servers: Servers, *, clock: Clock = now_micros
    ) -> None:
        self.servers = servers
        self._documents = Documents(database, CONNECTIONS, StoredConnection, clock)
        self._sealer = Sealer(config.jwt_secret, "smtp connections")

    async def keep(self, account: str, name: str, form: ConnectionForm) -> ShownConnection:
        """Keep a connection under a name, in place of the one that has it. Raises BadField."""
        check_name(name)
        before = await self._documents.get(account, name)
        sealed = before.value.sealed if before is not None else ""
        connection = Connection(
            host=form.host.strip(),
            port=form.port,
            use_tls=form.use_tls,
            ignore_self_signed=form.ignore_self_signed,
            allow_insecure_auth=form.allow_insecure_auth,
            username=form.username.strip(),
            from_address=canonical_or_field(form.from_address.strip()),
            from_name=form.from_name.strip(),
        )
        check_connection(connection, "" if form.password is UNSET else form.password)
        if before is not None and moved(before.value.connection, connection):
            # A password goes only where it was meant to go.
            sealed = ""
        if form.password is not UNSET:
            sealed = self._seal(account, name, form.password)
        if before is None and await self._documents.count(account) >= MOST_CONNECTIONS:
            raise PaymentRequired(f"There are {MOST_CONNECTIONS} connections already")
        value = StoredConnection(connection=connection, sealed=sealed)
        await self._documents.put(account, name, value)
        return ShownConnection(name, connection, bool(sealed))

    def _seal(self, account: str, name: str, password: str) -> str:
        if not password:
            return ""
        nonce = secrets.token_bytes(NONCE_OCTETS)
        return self._sealer.seal(password, purpose=f"{account} {name}", nonce=nonce)

    async def all(self, account: str) -> list[ShownConnection]:
        """All connections of an account."""
        return [shown(one) for one in await self._documents.all(account)]

    async def forget(self, account: str, name: str) -> None:
        """Forget a connection. Mail that waits for it fails. Raises NotFound."""
        if await self._documents.remove(account, name) is None:
            raise NotFound(f"There is no connection {name[:100]!a}")

    async def of(
        self, account: str, wanted: str | tuple[Connection, str]
    ) -> tuple[Connection, str]:
        """A connection and its password. Raises PaymentRequired, ServerProblem."""
        if not isinstance(wanted, str):
            return wanted
        found = await self._documents.get(account, wanted)
        if found is None:
            raise PaymentRequired(NOT_CONFIGURED)
        if not found.value.sealed:
            return found.value.connection, ""
        try:
            password = self._sealer.unseal(found.value.sealed, purpose=f"{account} {wanted}")
        except NotUnsealed:
            raise ServerProblem("password_lost") from None
        return found.value.connection, password

    async def must_exist(self, account: str, name: str | tuple[Connection, str]) -> Connection:
        """A connection without its password. Raises PaymentRequired."""
        if not isinstance(name, str):
            return name[0]
        found = await self._documents.get(account, name)
        if found is None:
            raise PaymentRequired(NOT_CONFIGURED)
        return found.value.connection

    async def test(self, asked: Asked) -> Tested:
        """Connect, encrypt, log in, leave; no mail is sent. Raises PaymentRequired."""
        started = asyncio.get_running_loop().time()
        connection = await self.must_exist(asked.account, asked.connection)
        reached: Reached | None = None
        trouble: ServerProblem | None = None
        try:
            connection, password = await self.of(asked.account, asked.connection)
            session = await self.servers.open(connection, password)
            reached = session.reached
            await session.quit()
        except ServerProblem as problem:
            trouble = problem
        lasted = round((asyncio.get_running_loop().time() - started) * 1_000)
        return Tested(connection, lasted, reached, trouble)


def moved(before: Connection, after: Connection) -> bool:
    """Whether a connection leads elsewhere now, or less safely there."""
    fields = ("host", "port", "username", "use_tls", "ignore_self_signed", "allow_insecure_auth")
    return any(getattr(before, name) != getattr(after, name) for name in fields)


def shown(found: Document[StoredConnection]) -> ShownConnection:
    return ShownConnection(found.name, found.value.connection, bool(found.value.sealed))


def canonical_or_field(text: str) -> str:
    """An address in canonical form, empty for none. Raises BadField."""
    try:
        return canonical(text) if text else ""
    except BadAddress as error:
        raise BadField("from_address", error.detail) from None

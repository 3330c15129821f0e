"""Mail through servers that users name (sending-api §12): one queued, several at once, a test.

A queued mail is a durable row and goes out by a worker; several at once go over one connection
while the caller waits. Nothing here is our own mail pipeline: no allowance, no suppressions, no
signature of ours, since the server belongs to the caller.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from msgspec import UNSET, Struct, UnsetType

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.address import canonical
from mailbox_service.core.compose import Draft, NamedAddress, compose
from mailbox_service.core.errors import (
    BadAddress,
    Conflict,
    MailError,
    MessageTooBig,
    NotFound,
    TooManyRequests,
)
from mailbox_service.core.own_server import (
    DEFAULT,
    Connection,
    Reached,
    ServerProblem,
    Taken,
    check_connection,
    check_name,
    next_try,
)
from mailbox_service.core.sealing import NONCE_OCTETS, NotUnsealed, Sealer
from mailbox_service.core.sending_api import BadField, PaymentRequired
from mailbox_service.services.clock import Clock, as_datetime, new_id, now_micros
from mailbox_service.services.leased_work import TROUBLE_SECONDS, LeasedWork
from mailbox_service.services.sending import new_message_id
from mailbox_service.services.sending_api.documents import Document, Documents
from mailbox_service.signals import Signals
from mailbox_service.storage import contents, integration_mails
from mailbox_service.storage.database import Database
from mailbox_service.storage.integration_mails import (
    FAILED,
    QUEUED,
    SENT,
    Claim,
    Kept,
    NewMail,
    Settled,
)

log = logging.getLogger("mailbox.integrating")

CONNECTIONS = "smtp_connection"
MOST_CONNECTIONS = 50
MOST_RECIPIENTS = 50
MOST_AT_ONCE = 50
# A client waits for the answer of `/send-emails`, and proxies end requests after some minutes.
BATCH_SECONDS = 120.0
# Mails of one account that wait: what a client sends in an hour while its server is away.
MOST_WAITING = 10_000

MOST_SESSIONS = 20
# Mail servers count connections of one client; two keep a slow mail from holding up the next.
MOST_A_CONNECTION = 2
# Longer than a session with a message of many megabytes takes at most.
LEASE_MICROS = 10 * 60 * 1_000_000
ATTEMPT_SECONDS = 5 * 60.0
RECORD_TRIES = 20
KEPT_MICROS = 7 * 86_400 * 1_000_000

NOT_CONFIGURED = "SMTP connection is not configured"


# A queued mail as it is told of.
QueuedMail = Kept


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
class Mail:
    """A message to be sent, all addresses canonical. `sender` None: that of the connection."""

    draft: Draft
    sender: NamedAddress | None = None

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everybody who gets it."""
        return self.draft.recipients()


@dataclass(frozen=True, slots=True)
class Asked:
    """On whose behalf something is asked. `connection` is a name, or for administrators one of
    their own with its password."""

    account: str
    connection: str | tuple[Connection, str] = DEFAULT
    idempotency_key: str | None = None
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one mail of several."""

    to: tuple[str, ...]
    status: str
    response: str = ""
    rejected: Mapping[str, str] | None = None
    error: str = ""
    error_code: str = ""
    smtp_code: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of several mails; how many connections that took, in milliseconds how long."""

    results: tuple[Result, ...]
    connections: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Tested:
    """What a test found."""

    connection: Connection
    duration_ms: int
    reached: Reached | None
    problem: ServerProblem | None = None


@dataclass(frozen=True, slots=True)
class ShownConnection:
    """A connection for its owner's eyes, without the password."""

    name: str
    connection: Connection
    has_password: bool


class Integrating:
    """Knows the connections of all accounts, and sends through them."""

    def __init__(
        self,
        database: Database,
        config: Config,
        servers: Servers,
        signals: Signals,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self.servers = servers
        self._signals = signals
        self._clock = clock
        self._largest = config.max_message_size
        self._documents = Documents(database, CONNECTIONS, StoredConnection, clock)
        self._sealer = Sealer(config.jwt_secret, "smtp connections")
        self._holder = secrets.token_hex(8)
        self._busy: Counter[str] = Counter()
        self._work = LeasedWork(
            "integrations",
            database,
            signals,
            topic=topics.INTEGRATIONS,
            most=MOST_SESSIONS,
            next_turn=integration_mails.next_turn,
            purge=integration_mails.purge,
            kept_micros=KEPT_MICROS,
            clock=clock,
        )

    # Connections.

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

    async def connections(self, account: str) -> list[ShownConnection]:
        """All connections of an account."""
        return [shown(one) for one in await self._documents.all(account)]

    async def forget(self, account: str, name: str) -> None:
        """Forget a connection. Mail that waits for it fails. Raises NotFound."""
        if await self._documents.remove(account, name) is None:
            raise NotFound(f"There is no connection {name[:100]!a}")

    async def connection_of(
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

    async def _must_exist(self, account: str, name: str | tuple[Connection, str]) -> Connection:
        if not isinstance(name, str):
            return name[0]
        found = await self._documents.get(account, name)
        if found is None:
            raise PaymentRequired(NOT_CONFIGURED)
        return found.value.connection

    # One mail, queued.

    async def send(self, asked: Asked, mail: Mail) -> Kept:
        """Queue a mail; it is on disk when this returns. Raises MailError."""
        if not isinstance(asked.connection, str):
            raise BadField("connection", "A queued mail needs the name of a connection")
        connection = await self._must_exist(asked.account, asked.connection)
        sender, content = self.written(connection, mail)
        new = NewMail(
            public_id=f"msg_{new_id()}",
            account=asked.account,
            connection=asked.connection,
            sender=sender,
            recipients=mail.recipients,
            fingerprint=asked.fingerprint,
            repeat_key=asked.idempotency_key,
        )
        kept = await self._database.write(
            integration_mails.add, new, content, now=self._clock(), most_waiting=MOST_WAITING
        )
        if kept is None:
            raise TooManyRequests(f"{MOST_WAITING} mails wait already", retry_after=60.0)
        if kept.fingerprint != asked.fingerprint:
            raise Conflict("The idempotency key was used for another request")
        self._signals.notify(topics.INTEGRATIONS)
        return kept

    async def state(self, account: str, public_id: str) -> Kept:
        """What became of a queued mail. Raises NotFound."""
        kept = await self._database.read(
            integration_mails.get, account=account, public_id=public_id
        )
        if kept is None:
            raise NotFound("There is no mail with that id")
        return kept

    def written(self, connection: Connection, mail: Mail) -> tuple[str, bytes]:
        """Sender and content of a mail. Raises BadField, MessageTooBig, BadRequest."""
        author = mail.sender
        if author is None:
            if not connection.sender:
                raise BadField("from", "The connection has no sender address; say one")
            author = NamedAddress(canonical_or_field(connection.sender), connection.from_name)
        content = compose(
            replace(mail.draft, sender=author),
            message_id=new_message_id(new_id(), author.address),
            date=as_datetime(self._clock()),
        )
        if len(content) > self._largest:
            raise MessageTooBig(f"The message is larger than {self._largest} octets")
        return author.address, content

    # Several at once.

    async def send_many(self, asked: Asked, mails: Sequence[Mail | MailError]) -> Batch:
        """Send mails over one connection, and say what became of each. A mail that could not be
        read comes as what was wrong with it, and fails alone."""
        started = asyncio.get_running_loop().time()
        await self._must_exist(asked.account, asked.connection)
        run = Run(self, asked, mails)
        try:
            async with asyncio.timeout(BATCH_SECONDS):
                await run.work()
        except TimeoutError:
            run.give_up(ServerProblem("timeout"))
        except ServerProblem as problem:
            run.give_up(problem)
        finally:
            await run.leave()
        lasted = asyncio.get_running_loop().time() - started
        return Batch(run.finished(), run.connections, round(lasted * 1_000))

    # A test.

    async def test(self, asked: Asked) -> Tested:
        """Connect, encrypt, log in, leave; no mail is sent. Raises PaymentRequired."""
        started = asyncio.get_running_loop().time()
        connection = await self._must_exist(asked.account, asked.connection)
        reached: Reached | None = None
        trouble: ServerProblem | None = None
        try:
            connection, password = await self.connection_of(asked.account, asked.connection)
            session = await self.servers.open(connection, password)
            reached = session.reached
            await session.quit()
        except ServerProblem as problem:
            trouble = problem
        lasted = round((asyncio.get_running_loop().time() - started) * 1_000)
        return Tested(connection, lasted, reached, trouble)

    # The worker.

    async def run(self) -> None:
        """Send what is queued until cancelled."""
        await self._work.run(self.start_some)

    async def start_some(self) -> bool:
        """Lease what is due and begin to send it; whether anything was begun."""
        if self._work.free <= 0:
            return False
        now = self._clock()
        claims = await self._database.write(
            integration_mails.claim_due,
            now=now,
            lease_until=now + LEASE_MICROS,
            holder=self._holder,
            limit=self._work.free,
            each=MOST_A_CONNECTION,
            busy=list(self._busy),
        )
        for claim in claims:
            self._busy[lane_of(claim)] += 1
            self._work.begin(self._do(claim))
        return bool(claims)

    async def settled(self) -> None:
        """Send what is due now, and wait until it is over."""
        while await self.start_some() or self._work.busy:
            await self._work.settled()

    async def _do(self, claim: Claim) -> None:
        lane = lane_of(claim)
        try:
            settled = await self._attempt(claim)
            await self._record(claim, settled)
        finally:
            self._busy[lane] -= 1
            if not self._busy[lane]:
                del self._busy[lane]

    async def _attempt(self, claim: Claim) -> Settled:
        """One session and what it came to. Whatever goes wrong here, the lease brings it back."""
        now = self._clock()
        try:
            content = await self._database.read(contents.read, claim.content_id)
        except contents.Damaged:
            return Settled(FAILED, (), None, error="The stored mail is damaged and was not sent.")
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                connection, password = await self.connection_of(claim.account, claim.connection)
                session = await self.servers.open(connection, password)
                try:
                    taken = await session.send(claim.sender, claim.recipients, content)
                except BaseException:
                    session.close()
                    raise
                await session.quit()
        except PaymentRequired as error:
            return self._failed(claim, error.detail, "not_configured", {})
        except TimeoutError:
            return self._judged(claim, ServerProblem("timeout"), now)
        except ServerProblem as problem:
            return self._judged(claim, problem, now)
        rejected = {**claim.rejected, **taken.rejected}
        now = self._clock()
        again = None
        if taken.deferred:
            again = next_try(claim.attempt, created_at=claim.created_at, now=now)
        state = SENT if again is None else QUEUED
        return Settled(
            state, taken.deferred, again, claim.sent_at or now, "", "", taken.response, rejected
        )

    def _judged(self, claim: Claim, problem: ServerProblem, now: int) -> Settled:
        """After trouble: again later, or never."""
        rejected = {**claim.rejected, **problem.rejected}
        open_ones = claim.recipients
        if problem.rejected:
            open_ones = tuple(
                one for one in open_ones if problem.rejected.get(one, "4").startswith("4")
            )
        again = None
        if problem.passes and open_ones:
            again = next_try(claim.attempt, created_at=claim.created_at, now=now)
        if again is None:
            return self._failed(claim, problem.words, problem.code, rejected)
        return Settled(
            QUEUED, open_ones, again, claim.sent_at, problem.words, problem.code, "", rejected
        )

    def _failed(self, claim: Claim, words: str, code: str, rejected: Mapping[str, str]) -> Settled:
        """It is not tried again; what some recipients got before is still sent."""
        state = SENT if claim.sent_at is not None else FAILED
        return Settled(state, (), None, claim.sent_at, words, code, "", rejected)

    async def _record(self, claim: Claim, settled: Settled) -> None:
        """Write it down, through trouble of the store: what is not written is sent again."""
        log.info(
            "integration-mail id=%s attempt=%d state=%s code=%s",
            claim.public_id,
            claim.attempt,
            settled.state,
            settled.error_code,
        )
        for _ in range(RECORD_TRIES):
            try:
                await asyncio.shield(
                    self._database.write(
                        integration_mails.settle,
                        claim,
                        settled,
                        holder=self._holder,
                        now=self._clock(),
                    )
                )
                return
            except MailError as error:
                log.error("integration-not-recorded id=%s reason=%s", claim.public_id, error.detail)
            await asyncio.sleep(TROUBLE_SECONDS)


class Run:
    """Several mails on their way over one connection, and one more when that is dropped."""

    def __init__(
        self, service: Integrating, asked: Asked, mails: Sequence[Mail | MailError]
    ) -> None:
        self._service = service
        self._asked = asked
        self._mails = mails
        self._results: list[Result | None] = [None] * len(mails)
        self._session: Session | None = None
        self.connections = 0

    async def work(self) -> None:
        """Send them one after another. Raises ServerProblem when there is no connection."""
        connection: Connection | None = None
        password = ""
        for index, mail in enumerate(self._mails):
            if isinstance(mail, MailError):
                self._results[index] = Result((), "failed", "", None, mail.detail, code_of(mail))
                continue
            if connection is None:
                connection, password = await self._service.connection_of(
                    self._asked.account, self._asked.connection
                )
            try:
                sender, content = self._service.written(connection, mail)
            except MailError as error:
                self._results[index] = Result(
                    mail.recipients, "failed", "", None, error.detail, code_of(error)
                )
                continue
            self._results[index] = await self._one(connection, password, mail, sender, content)

    async def _one(
        self, connection: Connection, password: str, mail: Mail, sender: str, content: bytes
    ) -> Result:
        while True:
            if self._session is None or not self._session.usable:
                # Twice in all: a server that drops us again does not want this mail.
                if self.connections >= 2:
                    raise ServerProblem("disconnected")
                self.connections += 1
                self._session = await self._service.servers.open(connection, password)
            try:
                taken = await self._session.send(sender, mail.recipients, content)
            except ServerProblem as problem:
                dropped = not self._session.usable and not problem.begun
                if dropped and problem.code != "timeout" and self.connections < 2:
                    continue
                return failed(mail.recipients, problem)
            status = "partial" if taken.rejected else "sent"
            return Result(mail.recipients, status, taken.response, taken.rejected or None)

    def give_up(self, problem: ServerProblem) -> None:
        """What was not tried fails for the same reason."""
        for index, mail in enumerate(self._mails):
            if self._results[index] is None and isinstance(mail, Mail):
                self._results[index] = failed(mail.recipients, problem)
            elif self._results[index] is None and isinstance(mail, MailError):
                self._results[index] = Result((), "failed", "", None, mail.detail, code_of(mail))

    async def leave(self) -> None:
        """Take leave of the server."""
        if self._session is not None and self._session.usable:
            await self._session.quit()

    def finished(self) -> tuple[Result, ...]:
        """What became of each."""
        return tuple(one for one in self._results if one is not None)


def failed(to: tuple[str, ...], problem: ServerProblem) -> Result:
    return Result(
        to,
        "failed",
        error=problem.words,
        error_code=problem.code,
        smtp_code=problem.smtp_code,
        rejected=problem.rejected or None,
    )


def code_of(error: MailError) -> str:
    """A name for programs of what was wrong with a mail."""
    return "message_too_big" if isinstance(error, MessageTooBig) else "invalid_mail"


def moved(before: Connection, after: Connection) -> bool:
    """Whether a connection leads elsewhere now, or less safely there."""
    fields = ("host", "port", "username", "use_tls", "ignore_self_signed", "allow_insecure_auth")
    return any(getattr(before, name) != getattr(after, name) for name in fields)


def shown(found: Document[StoredConnection]) -> ShownConnection:
    return ShownConnection(found.name, found.value.connection, bool(found.value.sealed))


def lane_of(claim: Claim) -> str:
    return f"{claim.account} {claim.connection}"


def canonical_or_field(text: str) -> str:
    """An address in canonical form, empty for none. Raises BadField."""
    try:
        return canonical(text) if text else ""
    except BadAddress as error:
        raise BadField("from_address", error.detail) from None

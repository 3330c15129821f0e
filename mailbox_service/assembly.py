"""The whole service, built from top to bottom: read this to see what holds what.

`build` makes the services on a store, which is all that a command needs. `Service` opens the
doors and runs the workers besides, in one task group: a worker that dies takes the process down
loudly, and the next start goes on from what is on disk.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Collection, Coroutine, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mailbox_service.config import Config, parse_listen
from mailbox_service.core.envelope import Envelope, Peer, Principal, Receipt
from mailbox_service.core.errors import BadAddress, TemporaryFailure
from mailbox_service.core.object_store import Bucket, is_endpoint
from mailbox_service.core.sending_api import SendingPrincipal
from mailbox_service.core.sms import HttpDialect
from mailbox_service.memory import Tidying
from mailbox_service.outbound.dns import Resolver
from mailbox_service.outbound.fetch import FileOut
from mailbox_service.outbound.object_store import ObjectStore
from mailbox_service.outbound.own_addresses import own_addresses
from mailbox_service.outbound.own_servers import OwnServers
from mailbox_service.outbound.records import DomainRecords
from mailbox_service.outbound.sender import Outbound, read_setting
from mailbox_service.outbound.sms_http import HttpGateway
from mailbox_service.outbound.sms_smpp import SmppGateway
from mailbox_service.outbound.telegram import BotApi
from mailbox_service.outbound.webhook import HttpOut
from mailbox_service.services.access import Access
from mailbox_service.services.account_addresses import AccountAddresses
from mailbox_service.services.accounts import Accounts
from mailbox_service.services.administering import Administering
from mailbox_service.services.agents import Agents
from mailbox_service.services.auditing import Auditing
from mailbox_service.services.authenticating import Authenticating
from mailbox_service.services.auto_replying import AutoReplying
from mailbox_service.services.cleaning import Cleaning
from mailbox_service.services.clock import as_datetime, now_micros
from mailbox_service.services.counting import Counting
from mailbox_service.services.delivering import Delivering
from mailbox_service.services.domain_checking import DomainChecking
from mailbox_service.services.exporting import Exporting
from mailbox_service.services.files import Files
from mailbox_service.services.first_steps import FirstSteps
from mailbox_service.services.human_verification import HumanVerification
from mailbox_service.services.integrating import Integrating
from mailbox_service.services.mail_access import MailAccess
from mailbox_service.services.notifying import Notifying
from mailbox_service.services.oauth2 import PROFILE_OCTETS, OAuth2
from mailbox_service.services.overruling import Overruling
from mailbox_service.services.passkeys import Passkeys
from mailbox_service.services.passwords import Passwords
from mailbox_service.services.reacting import Reacting
from mailbox_service.services.reading import Reading
from mailbox_service.services.receiving import Receiving
from mailbox_service.services.registering import Registering
from mailbox_service.services.sending import Sending
from mailbox_service.services.sending_api.api import SendingApi
from mailbox_service.services.sending_api.authenticated_ips import AuthenticatedIps
from mailbox_service.services.sending_api.emails import Emails
from mailbox_service.services.sending_api.sms_by_email import EmailGateway
from mailbox_service.services.sending_api.sms_handing_over import Gateway
from mailbox_service.services.sent import SentMail
from mailbox_service.services.signing import Signing
from mailbox_service.services.summarising import Summarising
from mailbox_service.services.telegram import Telegram
from mailbox_service.services.telegram_bot import TelegramBot
from mailbox_service.services.telegram_pushing import TelegramPushing
from mailbox_service.services.tending import Tending
from mailbox_service.services.throttling import GuessLimits
from mailbox_service.services.verify_codes import VerifyCodes
from mailbox_service.services.verifying_origin import VerifyingOrigin
from mailbox_service.services.webhook_log import WebhookLog
from mailbox_service.services.webhooks import Webhooks
from mailbox_service.signals import Signals
from mailbox_service.storage import (
    accepted_emails,
    integration_mails,
    leases,
    sms,
    telegram_pushes,
    webhooks,
)
from mailbox_service.storage.connect import connect
from mailbox_service.storage.ownership import Ownership
from mailbox_service.storage.sqlite import SqliteDatabase
from mailbox_service.web.app import create_app
from mailbox_service.web.server import HttpServer, http_server
from mailbox_service.web.services import Services
from smtp_proxy.client_door import ClientDoor
from smtp_proxy.door import Door
from smtp_proxy.imap.door import ImapDoor
from smtp_proxy.limits import Limits
from smtp_proxy.pop3 import Pop3Door
from smtp_proxy.reception import ReceptionDoor
from smtp_proxy.submission import SubmissionDoor

if TYPE_CHECKING:
    from mailbox_service.storage.postgres import PostgresDatabase

log = logging.getLogger("mailbox.service")

PAGE = Path(__file__).parent / "page"
ROLES = ("web", "submission", "reception", "imap", "delivery", "housekeeping")
# What a stop gives to running transactions, requests and deliveries. systemd and container
# engines kill after 10 seconds or more; what is cut off then is tried again after the start.
GRACE_SECONDS = 8.0
BACKLOG = 1024
# A call of the Bot API with the files of a mail over a slow line.
BOT_SECONDS = 120.0
BOT_ANSWER_OCTETS = 262_144


@dataclass(frozen=True, slots=True)
class Parts:
    """Every service on one store."""

    config: Config
    database: SqliteDatabase | PostgresDatabase
    signals: Signals
    administering: Administering
    overruling: Overruling
    authenticating: Authenticating
    registering: Registering
    accounts: Accounts
    account_addresses: AccountAddresses
    oauth2: OAuth2
    passkeys: Passkeys
    telegram: Telegram
    telegram_bot: TelegramBot
    telegram_pushing: TelegramPushing
    bot_out: HttpOut
    receiving: Receiving
    reading: Reading
    mail_access: MailAccess
    sending: Sending
    sending_api: SendingApi
    sms_out: HttpOut
    agents: Agents
    integrating: Integrating
    file_out: FileOut
    sent: SentMail
    delivering: Delivering
    outbound: Outbound
    summarising: Summarising
    auto_replying: AutoReplying
    webhooks: Webhooks
    exporting: Exporting
    files: Files
    object_store: ObjectStore | None
    reacting: Reacting
    notifying: Notifying
    http_out: HttpOut
    verifying_origin: VerifyingOrigin
    human_verification: HumanVerification
    humans_out: HttpOut
    access: Access
    cleaning: Cleaning
    counting: Counting
    first_steps: FirstSteps
    webhook_log: WebhookLog
    domain_checking: DomainChecking
    auditing: Auditing
    tending: Tending
    providers_out: HttpOut


def build(config: Config) -> Parts:
    """Make every service; the store is not open yet. Raises ValueError for a wrong store."""
    resolver = read_setting("name_servers", Resolver, config.name_servers)
    database = connect(config.database_url, Path(config.data_dir))
    signals = Signals()
    administering = Administering(database, signals)
    passwords = Passwords(config.jwt_secret)
    guesses = GuessLimits()
    authenticating = Authenticating(database, config, passwords, guesses)
    registering = Registering(database, config, administering, authenticating, passwords, signals)
    receiving = Receiving(database, config, administering, signals)
    sending = Sending(database, config, administering, signals)
    reading = Reading(database, signals)
    codes = VerifyCodes(database, sending, config.jwt_secret)
    accounts = Accounts(database, config, administering, authenticating, passwords, guesses, codes)
    bot_out = HttpOut(
        resolver,
        # Another Bot API than Telegram's own is a server of the operator's.
        private_addresses=config.telegram_api_url != Config().telegram_api_url,
        seconds=BOT_SECONDS,
        answer_octets=BOT_ANSWER_OCTETS,
    )
    bot = BotApi(config.telegram_api_url, config.telegram_bot_token, bot_out)
    people = Telegram(database, config, administering, authenticating, registering, reading)
    providers_out = HttpOut(
        resolver,
        private_addresses=config.oauth2_private_addresses,
        answer_octets=PROFILE_OCTETS,
    )
    outbound = Outbound.of(config)
    signing = Signing(database, config)
    delivering = Delivering(database, config, receiving, signing, outbound, signals)
    file_out = FileOut(resolver, private_hosts=config.fetch_private_hosts)
    sending_api = SendingApi.of(
        database,
        config,
        sending,
        passwords,
        file_out,
        DomainRecords(resolver),
        signals,
        own_addresses,
    )
    authenticating.sending_logins = sending_api.smtp_users
    sms_out = HttpOut(resolver, private_addresses=config.sms_private_addresses)
    sending_api.sms_handing_over.gateway = sms_gateway(config, sms_out, sending)
    receiving.returns = sending_api.returns
    delivering.tracking = sending_api.tracking
    http_out = HttpOut(resolver, private_addresses=config.webhook_private_addresses)
    humans_out = HttpOut(
        resolver,
        # Another verifier than Cloudflare's own is a server of the operator's.
        private_addresses=config.cf_turnstile_url != Config().cf_turnstile_url,
    )
    store = object_store(config, resolver)
    hooks = Webhooks(database, config, administering, http_out)
    counting, auditing = Counting(database, config), Auditing(database)
    domain_checking = DomainChecking(
        config, signing, Resolver(config.name_servers, question_seconds=6.0, remembers=False)
    )
    return Parts(
        config=config,
        database=database,
        signals=signals,
        administering=administering,
        overruling=Overruling(config, administering),
        authenticating=authenticating,
        registering=registering,
        accounts=accounts,
        account_addresses=AccountAddresses(
            database, administering, authenticating, reading, signals
        ),
        oauth2=OAuth2(database, config, administering, accounts, providers_out),
        passkeys=Passkeys(database, config, authenticating, accounts),
        telegram=people,
        telegram_bot=TelegramBot(database, config, people, bot),
        telegram_pushing=TelegramPushing(database, config, administering, reading, bot, signals),
        bot_out=bot_out,
        providers_out=providers_out,
        receiving=receiving,
        reading=reading,
        mail_access=MailAccess(database, config, authenticating, signals),
        sending=sending,
        sending_api=sending_api,
        sms_out=sms_out,
        agents=Agents(database, authenticating, registering, sending_api.api_keys),
        integrating=Integrating(
            database,
            config,
            OwnServers(
                resolver,
                config.own_name,
                private_hosts=config.smtp_private_hosts,
            ),
            signals,
        ),
        file_out=file_out,
        sent=SentMail(database, signals),
        delivering=delivering,
        outbound=outbound,
        summarising=Summarising(
            database,
            config,
            signals,
            looks_through=lambda address: administering.rules.extract_list.allows(address),
        ),
        auto_replying=AutoReplying(database, config),
        webhooks=hooks,
        exporting=Exporting(database),
        files=Files(database, config, store),
        object_store=store,
        reacting=Reacting(database, config, administering, sending, signals),
        notifying=Notifying(database, hooks, http_out, signals, sending_hooks=sending_api.hooks),
        http_out=http_out,
        verifying_origin=VerifyingOrigin(
            database, config, Resolver(config.name_servers, question_seconds=6.0), signals
        ),
        human_verification=HumanVerification(database, config, humans_out),
        humans_out=humans_out,
        access=Access(database, administering),
        cleaning=Cleaning(database, config, administering, authenticating, signals),
        counting=counting,
        first_steps=FirstSteps(config, counting, domain_checking),
        webhook_log=WebhookLog(database, signals),
        domain_checking=domain_checking,
        auditing=auditing,
        tending=Tending(database, config, signals),
    )


def sms_gateway(config: Config, out: HttpOut, sending: Sending) -> Gateway | None:
    """What carries short messages; None when nothing does. Raises ValueError."""
    if not config.sms_gateway:
        return None
    parts = urlsplit(config.sms_url)
    if config.sms_gateway == "email":
        try:
            return EmailGateway(sending, parts.path, config.sms_email_from)
        except BadAddress:
            words = "expected sms_url = mailto:{number}@gateway and an address of ours"
            raise ValueError(f"sms_email_from: {words}") from None
    if config.sms_gateway == "smpp":
        if parts.scheme != "smpp" or not parts.hostname:
            raise ValueError("sms_url: expected smpp://host:port")
        if find_spec("aiosmpplib") is None:
            raise ValueError('sms_gateway: smpp needs: pip install "mailbox-service[sms]"')
        return SmppGateway(
            parts.hostname, parts.port or 2775, config.sms_username, config.sms_password
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("sms_url: expected http[s]://host[:port][/path]")
    dialect = HttpDialect(
        url=config.sms_url,
        preset=config.sms_preset,
        method=config.sms_method,
        format=config.sms_format,
        username=config.sms_username,
        password=config.sms_password,
        basic=config.sms_basic_auth,
        fields=config.sms_fields or None,
        answer_id=config.sms_answer_id,
    )
    return HttpGateway(dialect, out)


def object_store(config: Config, resolver: Resolver) -> ObjectStore | None:
    """The object store of saved attachments, when all of it is configured. Raises ValueError."""
    bucket = Bucket(
        config.s3_endpoint, config.s3_bucket, config.s3_access_key_id, config.s3_secret_access_key
    )
    if not all((bucket.endpoint, bucket.name, bucket.key_id, bucket.secret)):
        return None
    if not is_endpoint(bucket.endpoint):
        raise ValueError("s3_endpoint: expected http[s]://host[:port][/path]")
    return ObjectStore(
        bucket,
        resolver,
        lambda: as_datetime(now_micros()),
        private_addresses=config.s3_private_addresses,
    )


class LocalSubmission:
    """The submission door's backend in the same process."""

    def __init__(
        self,
        authenticating: Authenticating,
        sending: Sending,
        emails: Emails,
        addresses: AuthenticatedIps,
    ) -> None:
        self._authenticating = authenticating
        self._addresses = addresses
        self._sending = sending
        self._emails = emails

    async def authenticate(self, username: str, password: str, peer: Peer) -> Principal:
        """Prove who logs in."""
        return await self._authenticating.login(username, password, peer)

    async def known_by_address(self, peer: Peer) -> Principal | None:
        """Who may submit from an address without a login."""
        return await self._addresses.admitted(peer.ip)

    def submit(
        self, principal: Principal, envelope: Envelope, content: bytes, peer: Peer
    ) -> asyncio.Future[Receipt]:
        """Queue one message."""
        if isinstance(principal, SendingPrincipal):
            return asyncio.ensure_future(
                self._emails.submit_smtp(principal, envelope, content, peer)
            )
        return self._sending.submit(
            principal, envelope, content, door="smtp", lines_checked=True, peer=peer
        )


class Service:
    """The running service. As a context: open doors and working workers inside."""

    def __init__(self, config: Config, *, roles: Collection[str] = ROLES) -> None:
        self.config = config
        self._tls = tls_context(config)
        self.parts = build(config)
        self._roles = frozenset(roles)
        self._ownership = Ownership(Path(config.data_dir))
        self._ready = False
        self._workers = asyncio.TaskGroup()
        self._worker_tasks: list[asyncio.Task[None]] = []
        self._doors: dict[str, Door | ClientDoor] = {}
        self._http: HttpServer | None = None
        self._http_socket: socket.socket | None = None
        self._http_task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where the page and the API are; empty without the role `web`."""
        if self._http_socket is None:
            return ""
        host, port = self._http_socket.getsockname()[:2]
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"

    @property
    def submission_address(self) -> str:
        """host:port of the submission door; empty when it is closed."""
        return self._door_address("submission")

    @property
    def reception_address(self) -> str:
        """host:port of the reception door; empty when it is closed."""
        return self._door_address("reception")

    @property
    def imap_address(self) -> str:
        """host:port of the IMAP door; empty when it is closed."""
        return self._door_address("imap")

    @property
    def pop3_address(self) -> str:
        """host:port of the POP3 door; empty when it is closed."""
        return self._door_address("pop3")

    def _door_address(self, name: str) -> str:
        if name not in self._doors:
            return ""
        host, port = self._doors[name].address
        return f"{host}:{port}"

    async def check(self) -> None:
        """Return when all doors are open and the store answers. Raises TemporaryFailure."""
        if not self._ready:
            raise TemporaryFailure("The doors are not open.")
        await self.parts.database.ping()

    async def __aenter__(self) -> Service:
        if isinstance(self.parts.database, SqliteDatabase) and "delivery" in self._roles:
            self._ownership.take()
        try:
            await self.parts.database.open()
            await self._open()
        except BaseException:
            await self._close_doors(0.0)
            for task in self._worker_tasks:
                task.cancel()
            await asyncio.gather(*self._worker_tasks, return_exceptions=True)
            await self.parts.database.close()
            self._ownership.release()
            raise
        return self

    async def _open(self) -> None:
        parts = self.parts
        await parts.administering.refresh()
        if isinstance(parts.database, SqliteDatabase) and "delivery" in self._roles:
            # There is no other delivering process, so whatever is leased was leased by the dead.
            await parts.database.write(leases.end_leases, now=now_micros())
            await parts.database.write(webhooks.end_leases, now=now_micros())
            await parts.database.write(telegram_pushes.end_leases, now=now_micros())
            await parts.database.write(integration_mails.end_leases, now=now_micros())
            await parts.database.write(sms.end_leases, now=now_micros())
            await parts.database.write(accepted_emails.end_leases, now=now_micros())
        elif not isinstance(parts.database, SqliteDatabase):
            await parts.database.listen(parts.signals.arrived)
            parts.signals.send_abroad(parts.database.notify)
        await self._workers.__aenter__()
        self._work("rules", parts.administering.run())
        self._work("memory", Tidying(self._relax).run())
        if "delivery" in self._roles:
            self._work("delivery", parts.delivering.run())
            self._work("webhooks", parts.notifying.run())
            self._work("sending events", parts.sending_api.reporting.run())
            self._work("accepted e-mails", parts.sending_api.accepting.run())
            self._work("integrations", parts.integrating.queue.run())
            self._work("returned mail", parts.sending_api.returns.run())
            if parts.sending_api.sms_handing_over.gateway is not None:
                self._work("short messages", parts.sending_api.sms_handing_over.run())
            self._work("sender domains", parts.sending_api.domains.run())
            if self.config.telegram_bot_token:
                self._work("telegram", parts.telegram_pushing.run())
        if "housekeeping" in self._roles:
            self._work("summaries", parts.summarising.run())
            self._work("reactions", parts.reacting.run())
            self._work("files", parts.files.run())
            self._work("verdicts", parts.verifying_origin.run())
            self._work("cleanup", parts.cleaning.run())
            self._work("figures", parts.counting.run())
        await self._open_mail_doors()
        if "web" in self._roles and self.config.http_listen:
            await self._open_http()
        self._ready = True
        log.info("started url=%s roles=%s", self.url, ",".join(sorted(self._roles)))

    async def _relax(self) -> None:
        try:
            await self.parts.database.relax()
        except TemporaryFailure as trouble:  # it is no worse than before, and tried again
            log.warning("memory-kept reason=%s", trouble.detail)

    def _work(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._worker_tasks.append(self._workers.create_task(work, name=name))

    async def _open_mail_doors(self) -> None:
        config, parts = self.config, self.parts
        common: Mapping[str, Any] = {
            "hostname": config.own_name,
            "limits": Limits(message_size=config.max_message_size),
            "tls": self._tls,
        }
        if "submission" in self._roles:
            backend = LocalSubmission(
                parts.authenticating,
                parts.sending,
                parts.sending_api.emails,
                parts.sending_api.authenticated_ips,
            )
            door = SubmissionDoor(backend, require_tls_for_auth=self._tls is not None, **common)
            await self._listen("submission", door, "submission_listen", "submissions_listen")
        if "reception" in self._roles:
            await self._listen(
                "reception", ReceptionDoor(parts.receiving, **common), "reception_listen"
            )
        if "imap" in self._roles:
            imap = ImapDoor(parts.mail_access, **common)
            await self._listen("imap", imap, "imap_listen", "imaps_listen")
            pop3 = Pop3Door(parts.mail_access, **common)
            await self._listen("pop3", pop3, "pop3_listen", "pop3s_listen")

    async def _listen(
        self, name: str, door: Door | ClientDoor, plain: str, implicit: str = ""
    ) -> None:
        """Open a door where its settings say; an empty one is off."""
        for setting, implicit_tls in ((plain, False), (implicit, True)):
            listen = getattr(self.config, setting) if setting else ""
            if not listen:
                continue
            host, port = parse_listen(setting, listen)
            try:
                await door.start(host, port, implicit_tls=implicit_tls)
            except OSError as error:
                raise cannot_listen(setting, listen, error) from None
            self._doors[name] = door

    async def _open_http(self) -> None:
        parts = self.parts
        host, port = parse_listen("http_listen", self.config.http_listen)
        try:
            self._http_socket = socket.create_server(
                (host, port),
                family=socket.AF_INET6 if ":" in host else socket.AF_INET,
                backlog=BACKLOG,
            )
        except OSError as error:
            raise cannot_listen("http_listen", self.config.http_listen, error) from None
        services = Services.of(parts, health=self, verifying=parts.human_verification)
        app = create_app(services, self.config, page=PAGE)
        self._http = http_server(app)
        self._http_task = self._workers.create_task(
            self._http.serve(sockets=[self._http_socket]), name="http"
        )
        await self._http.listening.wait()

    async def wait(self, stop: asyncio.Event) -> None:
        """Serve until told to stop, or until a worker dies."""
        await stop.wait()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ready = False
        try:
            await self._close_doors(GRACE_SECONDS)
            if "delivery" in self._roles:
                await self.parts.delivering.drain(GRACE_SECONDS)
                self.parts.outbound.close()
        finally:
            for task in self._worker_tasks:
                task.cancel()
            try:
                await self._workers.__aexit__(kind, error, trace)
                await self.parts.http_out.close()
                if self.parts.object_store is not None:
                    await self.parts.object_store.close()
                await self.parts.file_out.close()
                await self.parts.sms_out.close()
                self.parts.sending_api.templates.close()
                await self.parts.humans_out.close()
                await self.parts.providers_out.close()
                await self.parts.bot_out.close()
            finally:
                await self.parts.database.close()
                self._ownership.release()
                log.info("stopped")

    async def _close_doors(self, grace: float) -> None:
        """Let nobody new in, and give those inside `grace` seconds to end."""
        closing = [door.close(grace) for door in self._doors.values()]
        if self._http is not None:
            self._http.should_exit = True
        await asyncio.gather(*closing)
        if self._http_task is not None:
            await asyncio.wait([self._http_task], timeout=grace + 1.0)


def tls_context(config: Config) -> ssl.SSLContext | None:
    """The certificate of every mail door; None without one. Raises ValueError."""
    if not config.tls_cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.tls_cert, config.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"tls_cert, tls_key: cannot be used ({error})") from None
    return context


def cannot_listen(setting: str, listen: str, error: OSError) -> OSError:
    """The same trouble, named by its setting."""
    return OSError(f"{setting}: cannot listen on {listen} ({error.strerror or error})")

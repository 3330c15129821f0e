"""The running service: doors that are open, workers that work.

All in one task group: a worker that dies takes the process down loudly, and the next start goes
on from what is on disk.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Collection, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from mailbox_service.assembly import PAGE, build
from mailbox_service.config import Config, parse_listen
from mailbox_service.core.envelope import Envelope, Peer, Principal, Receipt
from mailbox_service.core.errors import BadCredential, TemporaryFailure
from mailbox_service.core.sending_api import AUTHENTICATED_IP, SendingPrincipal
from mailbox_service.memory import Tidying
from mailbox_service.services.authenticating import Authenticating
from mailbox_service.services.clock import now_micros
from mailbox_service.services.sending import Sending
from mailbox_service.services.sending_api.authenticated_ips import AuthenticatedIps
from mailbox_service.services.sending_api.emails import Emails
from mailbox_service.storage import (
    accepted_emails,
    integration_mails,
    leases,
    sms,
    telegram_pushes,
    webhooks,
)
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

log = logging.getLogger("mailbox.service")

ROLES = ("web", "submission", "reception", "imap", "delivery", "housekeeping")
# What a stop gives to running transactions, requests and deliveries. systemd and container
# engines kill after 10 seconds or more; what is cut off then is tried again after the start.
GRACE_SECONDS = 8.0
BACKLOG = 1024


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
            return asyncio.ensure_future(self._judge_and_submit(principal, envelope, content, peer))
        if not self._authenticating.stands(principal):
            return asyncio.ensure_future(self._look_and_submit(principal, envelope, content, peer))
        return self._sending.submit(
            principal, envelope, content, door="smtp", lines_checked=True, peer=peer
        )

    async def _judge_and_submit(
        self, principal: SendingPrincipal, envelope: Envelope, content: bytes, peer: Peer
    ) -> Receipt:
        """What may be said of a credential may change during a session too."""
        assert principal.credential is not None
        judged: Principal | None
        if principal.credential.kind == AUTHENTICATED_IP:
            judged = await self._addresses.admitted(peer.ip)
        else:
            judged = await self._authenticating.judged_again(principal, peer)
        if not isinstance(judged, SendingPrincipal):
            raise BadCredential("Authentication required")
        return await self._emails.submit_smtp(judged, envelope, content, peer)

    async def _look_and_submit(
        self, principal: Principal, envelope: Envelope, content: bytes, peer: Peer
    ) -> Receipt:
        """A session is longer than some addresses live."""
        await self._authenticating.look_again(principal)
        return await self._sending.submit(
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
            if self.config.extraction_url:
                self._work("model", parts.asking_model.run())
            self._work("reactions", parts.reacting.run())
            self._work("files", parts.files.run())
            self._work("verdicts", parts.verifying_origin.run())
            self._work("cleanup", parts.cleaning.run())
            self._work("figures", parts.counting.run())
            if self.config.retention_octets:
                self._work("retention", parts.retaining.run())
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
                await self.parts.model_out.close()
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

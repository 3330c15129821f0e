"""A door for mail clients: who may come in, how they prove who they are, how it closes."""

from __future__ import annotations

import asyncio
import ssl
from abc import ABC, abstractmethod
from functools import partial

from mailbox_service.core.envelope import Peer
from mailbox_service.core.errors import BadCredential, MailError, TooManyRequests
from smtp_proxy import log
from smtp_proxy.limits import Limits
from smtp_proxy.listening import Listening
from smtp_proxy.mailboxes import Account, MailboxBackend
from smtp_proxy.peers import LoginGuard, Peers
from smtp_proxy.wire import Gone, Wire

BACKLOG = 1_024
# Connections of mail clients at once: each holds a list of its mailbox.
CONNECTIONS = 2_000
# Seconds for one login to be made, from the greeting on. RFC 9051 §5.4 lets a server be short
# with whom it does not know.
LOGIN_SECONDS = 120.0
# Seconds in which a peer has to take what was written to it.
WRITE_SECONDS = 120.0


class Refused(Exception):
    """A login that did not succeed; `later` when a good one might not have either."""

    def __init__(self, *, later: bool) -> None:
        super().__init__()
        self.later = later


class TooManyFailures(Exception):
    """This connection guessed too often."""


class ClientDoor(Listening, ABC):
    """Listens on one or more addresses. Without TLS nobody logs in where there is a certificate
    (RFC 9051 §11.2, RFC 2595 §2.3)."""

    name: str

    def __init__(
        self,
        backend: MailboxBackend,
        *,
        hostname: str,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        connections: int = CONNECTIONS,
    ) -> None:
        super().__init__()
        self.backend = backend
        self.hostname = hostname
        self.limits = limits or Limits()
        self.tls = tls
        self.logins = LoginGuard(self.limits)
        self._most = connections
        self._peers = Peers(self.limits)
        self._sessions: dict[Wire, asyncio.Task[None]] = {}
        self._closing = False
        self._farewells: set[asyncio.Task[None]] = set()

    @abstractmethod
    async def talk(self, wire: Wire) -> None:
        """Hold one conversation, from the greeting to the end."""

    @abstractmethod
    def farewell(self, reason: str) -> bytes:
        """The line that sends a peer away."""

    async def start(self, host: str, port: int, *, implicit_tls: bool = False) -> None:
        """Listen. Port 0 takes a free one, which `address` then tells. Raises OSError."""
        if implicit_tls and self.tls is None:
            raise ValueError("implicit TLS needs a certificate")
        server = await asyncio.get_running_loop().create_server(
            partial(Wire, self._opened),
            host,
            port,
            backlog=BACKLOG,
            ssl=self.tls if implicit_tls else None,
            ssl_handshake_timeout=self.limits.tls_handshake if implicit_tls else None,
        )
        self._servers.append(server)
        bound, number = self.addresses[-1]
        log.event("listening", door=self.name, host=bound, port=number)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._sessions)

    async def close(self, grace: float) -> None:
        """Stop accepting and send everybody away; the last answers get `grace` seconds."""
        self._closing = True
        self.stop_listening()
        for task in self._sessions.values():
            task.cancel()
        if self._sessions:
            await asyncio.wait(list(self._sessions.values()), timeout=grace + 1.0)
        for wire in tuple(self._sessions):
            wire.abort()
        await self.stopped()

    # --- connections ------------------------------------------------------------------------

    def _opened(self, wire: Wire) -> None:
        if self._closing or len(self._sessions) >= self._most:
            self._send_away(wire, "Too many connections, try again later")
        elif not self._peers.admit(wire.ip):
            self._send_away(wire, "Too many connections from your network")
        else:
            self._sessions[wire] = asyncio.get_running_loop().create_task(self._session(wire))

    def _send_away(self, wire: Wire, reason: str) -> None:
        wire.write(self.farewell(reason))
        task = asyncio.get_running_loop().create_task(wire.close(self.limits.linger))
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)

    async def _session(self, wire: Wire) -> None:
        try:
            await self.talk(wire)
        except Gone:
            pass
        except TimeoutError:
            wire.write(self.farewell("Timeout, closing connection"))
        except asyncio.CancelledError:
            wire.write(self.farewell("Service is shutting down, try again later"))
        except Exception as error:
            log.bug("client_door_failed", error, door=self.name, ip=wire.ip)
            wire.write(self.farewell("Temporary failure, try again later"))
        finally:
            self._peers.release(wire.ip)
            try:
                await wire.close(self.limits.linger)
            finally:
                self._sessions.pop(wire, None)

    # --- logins -----------------------------------------------------------------------------

    async def login(self, wire: Wire, username: str, password: str, failures: int) -> Account:
        """Prove who logs in. Raises Refused, or TooManyFailures after `failures` before it."""
        loop = asyncio.get_running_loop()
        delay = self.logins.delay(wire.ip, loop.time())
        if delay is None:
            log.event("login_refused", ip=wire.ip, reason="too many failures around it")
            raise Refused(later=True)
        if delay:
            log.event("login_delayed", ip=wire.ip, seconds=round(delay, 1))
            await asyncio.sleep(delay)
        peer = Peer(wire.ip, wire.port, protocol=self.name.upper())
        try:
            account = await self.backend.login(username, password, peer)
        except BadCredential:
            self.logins.failed(wire.ip, loop.time())
            log.event("login_failed", door=self.name, ip=wire.ip, failures=failures + 1)
            if failures + 1 >= self.limits.auth_failures_per_connection:
                raise TooManyFailures from None
            raise Refused(later=False) from None
        except TooManyRequests:
            log.event("login_refused", ip=wire.ip, reason="too many failures around it")
            raise Refused(later=True) from None
        except MailError as error:
            log.event("login_impossible", ip=wire.ip, kind=type(error).__name__)
            raise Refused(later=True) from None
        log.event("login", door=self.name, ip=wire.ip, principal=account.key)
        return account

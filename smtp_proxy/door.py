"""A door: where it listens, who may come in, and how it is closed."""

from __future__ import annotations

import asyncio
import resource
import ssl
from collections.abc import Collection
from functools import partial
from ipaddress import ip_network
from typing import Required, TypedDict

from smtp_proxy import log, replies
from smtp_proxy.content import ContentReader, HeldContent
from smtp_proxy.fast_lane import FastLane
from smtp_proxy.limits import Limits
from smtp_proxy.listening import Listening
from smtp_proxy.offer import Offer, Rules
from smtp_proxy.peers import LoginGuard, Peers
from smtp_proxy.server import MailServer, template

# Connections the kernel may hold for us while the loop is busy.
BACKLOG = 1_024


class DoorOptions(TypedDict, total=False):
    """What a door is told besides its rules; each is explained at `Door`."""

    hostname: Required[str]
    limits: Limits | None
    tls: ssl.SSLContext | None
    require_tls_for_auth: bool
    proxy_peers: Collection[str]


class Door(Listening):
    """Listens on one or more addresses and speaks SMTP by `rules`.

    `tls` makes STARTTLS available, and implicit TLS (RFC 8314) on addresses started with
    `implicit_tls`. `proxy_peers` are addresses or networks of proxies that begin every
    connection with a PROXY header; from everybody else such a header is refused.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        name: str,
        hostname: str,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        require_tls_for_auth: bool = False,
        proxy_peers: Collection[str] = (),
    ) -> None:
        super().__init__()
        if require_tls_for_auth and tls is None:
            raise ValueError("TLS cannot be required without a certificate")
        limits = limits or Limits()
        self.rules = rules
        self.name = name
        self.limits = limits
        self.tls = tls
        self.offer = Offer(
            rules,
            limits,
            hostname=hostname,
            starttls=tls is not None,
            require_tls_for_auth=require_tls_for_auth,
        )
        self.held = HeldContent()
        self.logins = LoginGuard(limits)
        self.closing = False
        self._proxies = [ip_network(peer) for peer in proxy_peers]
        self._peers = Peers(limits)
        self._connections: set[MailServer] = set()
        self._most_connections = _most_connections(limits)
        self._watch: asyncio.TimerHandle | None = None
        self._emptied = asyncio.Event()

    async def start(self, host: str, port: int, *, implicit_tls: bool = False) -> None:
        """Listen. Port 0 takes a free one, which `address` then tells. Raises OSError."""
        if implicit_tls and self.tls is None:
            raise ValueError("implicit TLS needs a certificate")
        loop = asyncio.get_running_loop()
        if not self._servers:
            self.template = template(self, loop)
        server = await loop.create_server(
            partial(FastLane, self, implicit_tls=implicit_tls), host, port, backlog=BACKLOG
        )
        self._servers.append(server)
        if self._watch is None:
            self._look()
        bound, number = self.addresses[-1]
        log.event("listening", door=self.name, host=bound, port=number)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    async def close(self, grace: float) -> None:
        """Stop accepting, end idle sessions with 421, give transactions `grace` seconds."""
        self.closing = True
        self.stop_listening()
        for connection in tuple(self._connections):
            connection.shut_down()
        try:
            if self._connections:
                await asyncio.wait_for(self._emptied.wait(), grace)
        except TimeoutError:
            log.event("cut_off", door=self.name, connections=len(self._connections))
            for connection in tuple(self._connections):
                connection.abort()
        finally:
            if self._watch is not None:
                self._watch.cancel()
        await self.stopped()

    # --- what a connection asks -------------------------------------------------------------

    def is_proxy(self, ip: str) -> bool:
        """Whether a connection from there begins with a PROXY header."""
        if not self._proxies or not ip:
            return False
        address = ip_network(ip.partition("%")[0])
        return any(address.version == n.version and address.subnet_of(n) for n in self._proxies)  # type: ignore[arg-type]

    def admit(self, connection: MailServer) -> bytes | None:
        """Let one more connection in, or give the reply that sends it away."""
        self._connections.add(connection)
        if self.closing:
            return replies.SHUTTING_DOWN
        if len(self._connections) > self._most_connections:
            return replies.TOO_BUSY
        return None

    def count(self, connection: MailServer, ip: str) -> bytes | None:
        """Count a connection for its peer, or give the reply when the peer has too many."""
        if not self._peers.admit(ip):
            return replies.TOO_MANY_FROM_YOU
        connection.counted_ip = ip
        return None

    def new_content(self, now: float) -> ContentReader:
        """A reader for the content that a peer was just told to send."""
        return ContentReader(self.limits, self.held, now, repair_lines=self.rules.repairs_lines)

    def forget(self, connection: MailServer) -> None:
        """A connection is gone."""
        self._connections.discard(connection)
        if connection.counted_ip is not None:
            self._peers.release(connection.counted_ip)
            connection.counted_ip = None
        if self.closing and not self._connections:
            self._emptied.set()

    def _look(self) -> None:
        """One watch for all connections: cheaper than a timer each, and never reset by input."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        crowded = len(self._connections) > self.limits.busy_share * self._most_connections
        for connection in tuple(self._connections):
            try:
                connection.check_time(now, crowded=crowded)
            except Exception as error:  # the others have their times too
                connection.our_fault(error)
                connection.abort()
        self._watch = loop.call_later(self.limits.tick, self._look)


def _most_connections(limits: Limits) -> int:
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return limits.connections
    return min(limits.connections, int(descriptors * limits.descriptor_share))

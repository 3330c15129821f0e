"""Handing mail to the world: choose the next hop, find a connection, hold the transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal, Protocol, TypeVar

from mailbox_service.core.delivery import Reply
from mailbox_service.core.policy import domain_of_way_out
from mailbox_service.outbound.connections import Connections
from mailbox_service.outbound.dns import Resolver
from mailbox_service.outbound.hops import Channel, Relay, Timeouts, parse_relay_url, relay_of
from mailbox_service.outbound.opening import NotOpened, Opener, Target, target_of
from mailbox_service.outbound.routing import Host, NoRoute, Router
from mailbox_service.outbound.session import Session
from mailbox_service.outbound.transaction import (
    KEPT_CONVERSATION,
    MOST_RECIPIENTS,
    Attempted,
    Letter,
)
from mailbox_service.outbound.transport_security import (
    MOST_OCTETS,
    NOTHING,
    Demand,
    StsPolicy,
    TransportSecurity,
)
from mailbox_service.outbound.webhook import HttpOut

Mode = Literal["hold", "relay", "direct"]
S = TypeVar("S")
T = TypeVar("T")

# Hosts of one domain that one attempt tries to connect to; the next attempt comes soon enough.
HOSTS_AN_ATTEMPT = 5
# Seconds for which a host that failed at STARTTLS is spoken to in plain text.
PLAIN_SECONDS = 600.0
# Hosts remembered for that.
MOST_PLAIN_HOSTS = 10_000
# Who logs in at Resend's SMTP server; the key is the password.
RESEND_USER = "resend"
# Seconds for one message and one next hop in all, waiting in line included. Leases are longer.
ATTEMPT_SECONDS = 780.0


class SendingSettings(Protocol):
    """What `Outbound.of` reads of the configuration."""

    @property
    def own_name(self) -> str: ...
    @property
    def outbound(self) -> Mode: ...
    @property
    def relay_url(self) -> str: ...
    @property
    def smtp_config(self) -> Mapping[str, Channel]: ...
    @property
    def resend_keys(self) -> Mapping[str, str]: ...
    @property
    def resend_server(self) -> str: ...
    @property
    def domains_to_send_below(self) -> Collection[str]: ...
    @property
    def direct_port(self) -> int: ...
    @property
    def direct_private_addresses(self) -> bool: ...
    @property
    def direct_mta_sts(self) -> bool: ...
    @property
    def direct_dane(self) -> bool: ...
    @property
    def name_servers(self) -> Sequence[str]: ...


class Outbound:
    """Sends by the relay of the sender's domain, else by the relay of all, else directly."""

    def __init__(
        self,
        own_name: str,
        mode: Mode,
        *,
        relay: Relay | None = None,
        relays: Mapping[str, Relay] | None = None,
        router: Router | None = None,
        port: int = 25,
        timeouts: Timeouts | None = None,
        opener: Opener | None = None,
        connections: Connections | None = None,
        attempt_seconds: float = ATTEMPT_SECONDS,
        security: TransportSecurity | None = None,
        below: Collection[str] = (),
    ) -> None:
        """`below`: domains whose relays take the mail of senders below them as well."""
        self._mode = mode
        self._relay = relay
        self._relays = {domain.lower(): one for domain, one in (relays or {}).items()}
        self._below = below
        self._router = router or Router(Resolver(), own_name)
        self._port = port
        self._timeouts = timeouts or Timeouts()
        self._opener = opener or Opener(own_name)
        self._connections = connections or Connections()
        self._attempt_seconds = attempt_seconds
        self._security = security
        self._plain: dict[str, float] = {}

    @classmethod
    def of(cls, settings: SendingSettings) -> Outbound:
        """As the configuration says. Raises ValueError that names the wrong setting."""
        relay = None
        if settings.outbound == "relay":
            relay = read_setting("relay_url", parse_relay_url, settings.relay_url)
        resolver = read_setting("name_servers", Resolver, settings.name_servers)
        return cls(
            settings.own_name,
            settings.outbound,
            relay=relay,
            relays={
                **{domain.lower(): relay_of(one) for domain, one in settings.smtp_config.items()},
                **_resend_relays(settings),
            },
            router=Router(
                resolver,
                settings.own_name,
                private_addresses=settings.direct_private_addresses,
            ),
            port=settings.direct_port,
            security=_security(settings),
            below=settings.domains_to_send_below,
        )

    def next_hop(self, sender_domain: str, recipient_domain: str) -> str | None:
        """The name of the next hop; recipients with the same one can share a transaction.

        None: mail for this domain is held.
        """
        sender_domain = self._way_out(sender_domain)
        if sender_domain in self._relays:
            return f"relay of {sender_domain}"
        if self._mode == "relay":
            return "relay"
        return recipient_domain if self._mode == "direct" else None

    def _way_out(self, sender_domain: str) -> str:
        return domain_of_way_out(sender_domain, self._relays, self._below)

    async def send(
        self,
        sender_domain: str,
        reverse_path: str,
        recipients: Sequence[str],
        content: bytes,
        *,
        smtputf8: bool = False,
        begin: Callable[[], None] = lambda: None,
    ) -> Mapping[str, Attempted]:
        """Hand one message over for recipients that share a next hop; an answer for each.

        Addresses are canonical, `content` is in the form in which it goes out. `smtputf8` is
        what the submitter declared; `begin` is called before the server hears of the message.
        Network trouble is an answer too: nothing is raised for it.
        """
        domain = recipients[0].rpartition("@")[2]
        hop = self.next_hop(sender_domain, domain)
        if hop is None:
            raise ValueError("mail for this recipient is held")
        sender_domain = self._way_out(sender_domain)
        if self._relays and sender_domain in self._relays:
            way = partial(self._open, self._relays[sender_domain])
        elif self._mode == "relay" and self._relay is not None:
            way = partial(self._open, self._relay)
        else:
            way = partial(self._open_direct, domain)
        answers: dict[str, Attempted] = {}
        for start in range(0, len(recipients), MOST_RECIPIENTS):
            loop = asyncio.get_running_loop()
            letter = Letter(
                reverse_path,
                recipients[start : start + MOST_RECIPIENTS],
                content,
                smtputf8=smtputf8,
                begin=begin,
                done=loop.create_future(),
                until=loop.time() + self._attempt_seconds,
            )
            self._connections.hand_over(hop, way, letter)
            answers.update(await answered(letter))
        return answers

    async def _open(self, relay: Relay) -> Session:
        return await self._opener.open(target_of(relay))

    async def _open_direct(self, domain: str) -> Session:
        """A session with the first mail server of a domain that answers. Raises NotOpened."""
        try:
            hosts = await self._router.hosts(domain)
        except NoRoute as error:
            raise NotOpened(error.reply, domain, [f"* {error.reply.text}"]) from None
        lines: list[str] = []
        policy = await self._security.sts_policy(domain) if self._security else None
        for host in hosts[:HOSTS_AN_ATTEMPT]:
            try:
                return await self._open_host(host, await self._demand(domain, host, policy))
            except NotOpened as error:
                lines += error.lines
                last = error
                if error.reply.code // 100 == 5:
                    break
        raise NotOpened(last.reply, last.remote, lines)

    async def _demand(self, domain: str, host: Host, policy: StsPolicy | None) -> Demand:
        if self._security is None:
            return NOTHING
        return await self._security.demand(domain, host.name, policy)

    async def _open_host(self, host: Host, demand: Demand) -> Session:
        """A session with one server: as its domain demands, and without a demand encrypted if it
        can be, in plain text otherwise. Raises NotOpened."""
        target = Target(
            name=host.name,
            host=host.address,
            port=self._port,
            tls="opportunistic",
            verify=False,
            timeouts=self._timeouts,
        )
        if demand.forbidden:
            reply = Reply(0, "4.7.5", f"{demand.forbidden}.")
            raise NotOpened(reply, target.remote, [f"* {reply.text}"])
        if demand.required:
            strict = replace(target, tls="required", verify=demand.verify, tlsa=demand.tlsa)
            return await self._opener.open(strict, refuse_self=True)
        if not self._speaks_plain(host):
            try:
                return await self._opener.open(target, refuse_self=True)
            except NotOpened as error:
                if not error.tls_failed:
                    raise
                self._remember_plain(host)
        # What was offered and does not work protects nobody (RFC 7435 §3).
        return await self._opener.open(replace(target, tls="none"), refuse_self=True)

    def _speaks_plain(self, host: Host) -> bool:
        until = self._plain.get(host.address, 0.0)
        return asyncio.get_running_loop().time() < until

    def _remember_plain(self, host: Host) -> None:
        if len(self._plain) >= MOST_PLAIN_HOSTS:
            del self._plain[next(iter(self._plain))]
        self._plain[host.address] = asyncio.get_running_loop().time() + PLAIN_SECONDS

    def close(self) -> None:
        """End the kept connections."""
        self._connections.close()


async def answered(letter: Letter) -> Mapping[str, Attempted]:
    """An answer for each recipient of a letter that was handed over."""
    try:
        return await letter.done
    except NotOpened as error:
        conversation = "\n".join(error.lines)[:KEPT_CONVERSATION]
        nobody = error.reply.code // 100 != 5
        answer = Attempted(error.reply, error.remote, conversation, unreachable=nobody)
        return dict.fromkeys(letter.recipients, answer)
    except asyncio.CancelledError:
        letter.give_up()
        raise


def _security(settings: SendingSettings) -> TransportSecurity | None:
    """What looks after the demands of domains, where mail goes to them directly."""
    if settings.outbound != "direct" or not (settings.direct_mta_sts or settings.direct_dane):
        return None
    resolver = Resolver(settings.name_servers, dnssec=settings.direct_dane)
    http = HttpOut(
        resolver, private_addresses=settings.direct_private_addresses, answer_octets=MOST_OCTETS
    )
    return TransportSecurity(
        resolver,
        http if settings.direct_mta_sts else None,
        dane=settings.direct_dane,
        port=settings.direct_port,
    )


def _resend_relays(settings: SendingSettings) -> dict[str, Relay]:
    """The way of each domain with a Resend key: their SMTP server, which takes a message whole,
    where their HTTP API would take it apart."""
    keys = settings.resend_keys
    if not keys:
        return {}
    server = read_setting("resend_server", parse_relay_url, settings.resend_server)
    return {
        domain: replace(server, username=server.username or RESEND_USER, password=key)
        for domain, key in keys.items()
    }


def read_setting(setting: str, reader: Callable[[S], T], value: S) -> T:
    """A setting as its reader understands it; its ValueError gets the setting's name."""
    try:
        return reader(value)
    except ValueError as error:
        raise ValueError(f"{setting}: {error}") from None

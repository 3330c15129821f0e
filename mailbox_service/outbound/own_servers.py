"""Sessions with servers that users name: through the address guard, with everything that can go
wrong put into one of the words of `core.own_server` (sending-api §12.5).

aiosmtplib speaks; the socket is ours, connected to an address that was judged.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Collection
from typing import cast

import aiosmtplib

from mailbox_service.core.own_server import (
    FORBIDDEN_PORT,
    IMPLICIT_TLS_PORT,
    Connection,
    Reached,
    ServerProblem,
    Taken,
)
from mailbox_service.core.public_address import is_public
from mailbox_service.outbound.address_guard import MOST_TRIED, addresses_of
from mailbox_service.outbound.dns import Resolver
from mailbox_service.outbound.replies import printable

# One step of a conversation: connecting, a handshake, a reply (sending-api §12.4).
STEP_SECONDS = 10.0
# A message of many megabytes over a slow line, and a server that looks through it for viruses.
CONTENT_SECONDS = 90.0
# What OpenSSL says when the other side answers in clear text.
NO_TLS = frozenset(("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"))
# X509_V_ERR_*: unknown or self-signed issuers, a name that differs, a date that has passed.
SELF_SIGNED = frozenset((2, 18, 19, 20, 21))
OTHER_NAME = frozenset((62, 64))
EXPIRED = frozenset((9, 10))


class OwnServers:
    """Opens sessions. `private_hosts` may be reached at private addresses."""

    def __init__(
        self,
        resolver: Resolver,
        own_name: str,
        *,
        private_hosts: Collection[str] = (),
        step_seconds: float = STEP_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._resolver = resolver
        self._own_name = own_name
        self._private_hosts = frozenset(host.lower().strip("[]") for host in private_hosts)
        self._step = step_seconds
        self._verifying = tls

    async def open(self, connection: Connection, password: str) -> OwnServer:
        """A session that is greeted, encrypted and logged in as the connection says. Raises
        ServerProblem."""
        if connection.port == FORBIDDEN_PORT:
            raise ServerProblem("port_not_allowed")
        here, sock = await self._connect(connection)
        implicit = connection.use_tls and connection.port == IMPLICIT_TLS_PORT
        client = aiosmtplib.SMTP(
            hostname=connection.host.strip("[]"),
            sock=sock,
            local_hostname=self._own_name,
            timeout=self._step,
            use_tls=implicit,
            start_tls=False,
            tls_context=self._tls(connection) if connection.use_tls else None,
        )
        server = OwnServer(client)
        try:
            await client.connect()
            if connection.use_tls and not implicit:
                await client.starttls()
            if connection.username:
                if not connection.use_tls and not (here or connection.allow_insecure_auth):
                    raise ServerProblem("auth_insecure")
                await log_in(client, connection.username, password)
                server.logged_in = True
            server.tls = version_of(client)
        except ServerProblem:
            server.close()
            raise
        except (aiosmtplib.SMTPException, OSError, EOFError, ValueError) as error:
            server.close()
            sock.close()
            raise problem_of(error, connection) from None
        except BaseException:
            server.close()
            sock.close()
            raise
        return server

    def _tls(self, connection: Connection) -> ssl.SSLContext:
        if connection.ignore_self_signed:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        if self._verifying is None:
            self._verifying = ssl.create_default_context()
        return self._verifying

    async def _connect(self, connection: Connection) -> tuple[bool, socket.socket]:
        """A socket to an address that was judged, and whether that is this machine."""
        host = connection.host.lower().rstrip(".").strip("[]")
        addresses = await self._look_up(host)
        if not addresses:
            raise ServerProblem("dns_error")
        allowed = host in self._private_hosts
        if not allowed and not all(is_public(address) for address in addresses):
            raise ServerProblem("host_not_allowed")
        problem = ServerProblem("unreachable")
        for address in addresses[:MOST_TRIED]:
            try:
                sock = await self._connect_to(address, connection.port)
            except ServerProblem as error:
                problem = error
            else:
                return ipaddress.ip_address(address).is_loopback, sock
        raise problem

    async def _look_up(self, host: str) -> list[str]:
        try:
            async with asyncio.timeout(self._step):
                return await addresses_of(host, self._resolver)
        except TimeoutError:
            return []

    async def _connect_to(self, address: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            async with asyncio.timeout(self._step):
                await asyncio.get_running_loop().sock_connect(sock, (address, port))
        except BaseException as error:
            sock.close()
            if isinstance(error, ConnectionRefusedError):
                raise ServerProblem("connection_refused") from None
            if isinstance(error, TimeoutError):
                raise ServerProblem("timeout") from None
            if isinstance(error, OSError):
                raise ServerProblem("unreachable") from None
            raise
        return sock


class OwnServer:
    """A session that is open, for any number of messages."""

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self._client = client
        self.tls = ""
        self.logged_in = False

    @property
    def usable(self) -> bool:
        """Whether another message may be tried on it."""
        return self._client.is_connected

    @property
    def reached(self) -> Reached:
        """What is known of the server."""
        return Reached(self.tls, self.logged_in)

    async def send(self, sender: str, recipients: tuple[str, ...], content: bytes) -> Taken:
        """One message to those whom the server takes. Raises ServerProblem."""
        begun = False
        try:
            options = self._options((sender, *recipients))
            encoding = "utf-8" if options else "ascii"
            await self._client.mail(sender, options=options, encoding=encoding)
            rejected: dict[str, str] = {}
            codes: dict[str, int] = {}
            for recipient in recipients:
                try:
                    await self._client.rcpt(recipient, encoding=encoding)
                except aiosmtplib.SMTPRecipientRefused as refusal:
                    codes[recipient] = refusal.code
                    rejected[recipient] = f"{refusal.code} {printable(refusal.message)}"
                    if refusal.code == 421 or not self._client.is_connected:
                        raise
            if len(rejected) == len(recipients):
                await self._forget()
                raise ServerProblem(
                    "recipient_refused",
                    smtp_code=codes[recipients[0]],
                    said=rejected[recipients[0]],
                    rejected=rejected,
                )
            begun = True
            reply = await self._client.data(content, timeout=CONTENT_SECONDS)
            deferred = tuple(one for one, code in codes.items() if code // 100 == 4)
            return Taken(printable(reply.message), rejected, deferred)
        except (aiosmtplib.SMTPException, OSError, EOFError) as error:
            problem = problem_of(error, None, begun=begun)
            if problem.code in ("disconnected", "timeout", "server_busy"):
                self.close()
            elif self._client.is_connected:
                await self._forget()
            raise problem from None

    def _options(self, addresses: tuple[str, ...]) -> list[str]:
        if all(one.isascii() for one in addresses):
            return []
        if not self._client.supports_extension("smtputf8"):
            raise ServerProblem("smtputf8_unsupported")
        return ["SMTPUTF8"]

    async def _forget(self) -> None:
        """Let the server forget the message that it refused."""
        try:
            await self._client.rset()
        except (aiosmtplib.SMTPException, OSError, EOFError):
            self.close()

    async def quit(self) -> None:
        """Take leave."""
        try:
            async with asyncio.timeout(STEP_SECONDS):
                await self._client.quit()
        except (aiosmtplib.SMTPException, OSError, EOFError, TimeoutError):
            pass
        finally:
            self.close()

    def close(self) -> None:
        """Cut the connection."""
        self._client.close()


async def log_in(client: aiosmtplib.SMTP, username: str, password: str) -> None:
    """Log in by the best way that is offered. Another is tried only when the server does not
    know the one before (504): a wrong password is wrong for all, and tried often it locks the
    account."""
    if client.last_ehlo_response is None:
        await client.ehlo()
    ways = {
        "cram-md5": client.auth_crammd5,
        "plain": client.auth_plain,
        "login": client.auth_login,
    }
    offered = [way for way in ways if way in client.server_auth_methods]
    if not offered:
        raise ServerProblem("auth_unsupported")
    for way in offered:
        try:
            await ways[way](username, password)
            return
        except aiosmtplib.SMTPAuthenticationError as error:
            if error.code != 504 or way == offered[-1]:
                raise


def version_of(client: aiosmtplib.SMTP) -> str:
    """The version of TLS that is spoken; empty for clear text."""
    cipher = client.get_transport_info("cipher")
    found = client.get_transport_info("ssl_object")
    if found is None or cipher is None:
        return ""
    return cast("str", found.version() or cipher[1])


def problem_of(
    error: BaseException, connection: Connection | None, *, begun: bool = False
) -> ServerProblem:
    """The kind of trouble that the library speaks of."""
    chain = causes(error)
    for one in chain:
        if isinstance(one, ssl.SSLCertVerificationError):
            return ServerProblem(certificate_problem(one))
    for one in chain:
        if isinstance(one, ssl.SSLError):
            spoken = (one.reason or "") not in NO_TLS
            return ServerProblem("tls_failed" if spoken else "tls_not_spoken")
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return answered(error, begun)
    text = str(error)
    if isinstance(error, aiosmtplib.SMTPTimeoutError | TimeoutError):
        clear = connection is not None and not connection.use_tls
        if clear and connection is not None and connection.port == IMPLICIT_TLS_PORT:
            return ServerProblem("tls_expected")
        return ServerProblem("timeout", begun=begun)
    if any(isinstance(one, aiosmtplib.SMTPServerDisconnected) for one in chain):
        return ServerProblem("disconnected", begun=begun)
    if "STARTTLS extension" in text:
        return ServerProblem("starttls_unsupported")
    if "AUTH extension" in text or "No suitable authentication method" in text:
        return ServerProblem("auth_unsupported")
    if any(isinstance(one, ConnectionError | EOFError) for one in chain):
        return ServerProblem("disconnected", begun=begun)
    if isinstance(error, aiosmtplib.SMTPConnectError | OSError):
        return ServerProblem("unreachable")
    return ServerProblem("protocol_error", begun=begun)


def causes(error: BaseException) -> list[BaseException]:
    """An error and what it came from; a handful at most."""
    found: list[BaseException] = []
    here: BaseException | None = error
    while here is not None and len(found) < 8 and here not in found:
        found.append(here)
        here = here.__cause__ or here.__context__
    return found


def certificate_problem(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in OTHER_NAME:
        return "cert_hostname"
    if error.verify_code in EXPIRED:
        return "cert_expired"
    return "cert_self_signed"


def answered(error: aiosmtplib.SMTPResponseException, begun: bool) -> ServerProblem:
    """What a reply of the server means where it came."""
    code, said = error.code, printable(error.message)[:500]
    if code <= 0:
        return ServerProblem("protocol_error", begun=begun)
    if code == 421 or isinstance(error, aiosmtplib.SMTPConnectResponseError):
        kind = "server_busy" if code // 100 == 4 else "server_refused"
    elif isinstance(error, aiosmtplib.SMTPAuthenticationError):
        kind = "auth_failed"
    elif isinstance(error, aiosmtplib.SMTPSenderRefused):
        kind = "auth_required" if code == 530 else "sender_refused"
    elif isinstance(error, aiosmtplib.SMTPRecipientRefused):
        kind = "recipient_refused"
    else:
        kind = "message_refused"
        begun = False  # it has answered that it does not have it
    return ServerProblem(kind, smtp_code=code, said=f"{code} {said}", begun=begun and code == 421)

"""Opening a session: connect, greeting, EHLO, STARTTLS, login, by aiosmtplib.

The library speaks until the session is ready and then gives up its connection to `Session`,
whose transactions are pipelined. It bounds replies in memory and in time, and forgets what a
server sent in plain text ahead of the TLS handshake.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import cast

import aiosmtplib

from mailbox_service.core.delivery import Reply
from mailbox_service.outbound.dns import TlsaRecord
from mailbox_service.outbound.hops import Relay, Timeouts, Tls
from mailbox_service.outbound.replies import printable, reply_of
from mailbox_service.outbound.session import Session
from mailbox_service.outbound.transaction import Server
from mailbox_service.outbound.transport_security import matches


class NotOpened(Exception):
    """No session: `reply` says why, `lines` what was said until then.

    `tls_failed`: the server offered STARTTLS and could not do it.
    """

    def __init__(
        self, reply: Reply, remote: str, lines: list[str], *, tls_failed: bool = False
    ) -> None:
        super().__init__(str(reply))
        self.reply = reply
        self.remote = remote
        self.lines = lines
        self.tls_failed = tls_failed

    def again(self) -> NotOpened:
        """The same answer for somebody else."""
        lines = [*self.lines, "* (found out a moment ago, for another message)"]
        return NotOpened(self.reply, self.remote, lines, tls_failed=self.tls_failed)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect and how. `name` is the host's name, `host` what is connected to."""

    name: str
    host: str
    port: int
    tls: Tls
    verify: bool
    timeouts: Timeouts
    username: str = ""
    password: str = ""
    methods: tuple[str, ...] = ()
    # The keys of which the server must show one (DANE); the certificate is then not verified
    # in any other way.
    tlsa: tuple[TlsaRecord, ...] = ()

    @property
    def remote(self) -> str:
        """The host as people see it."""
        shown = self.name if self.name == self.host else f"{self.name} [{self.host}]"
        return f"{shown}:{self.port}"


def target_of(relay: Relay) -> Target:
    """The target that a relay is. One that gets a password must prove its name."""
    return Target(
        name=relay.host,
        host=relay.host,
        port=relay.port,
        tls=relay.tls,
        verify=relay.verify and (relay.tls in ("required", "implicit") or bool(relay.username)),
        timeouts=relay.timeouts,
        username=relay.username,
        password=relay.password,
        methods=relay.methods,
    )


class Opener:
    """Opens sessions under our name."""

    def __init__(self, own_name: str, *, verifying: ssl.SSLContext | None = None) -> None:
        self._own_name = own_name
        self._verifying = verifying
        self._trusting: ssl.SSLContext | None = None

    def tls_context(self, verify: bool) -> ssl.SSLContext:
        if verify:
            if self._verifying is None:
                self._verifying = ssl.create_default_context()
            return self._verifying
        if self._trusting is None:
            # Opportunistic: any certificate is better than none (RFC 7435 §3).
            self._trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._trusting.check_hostname = False
            self._trusting.verify_mode = ssl.CERT_NONE
        return self._trusting

    async def open(self, target: Target, *, refuse_self: bool = False) -> Session:
        """A ready session. `refuse_self`: a server that bears our own name is a loop.

        Raises NotOpened.
        """
        lines = [f"* {target.remote}"]
        client = aiosmtplib.SMTP(
            hostname=target.host,
            port=target.port,
            local_hostname=self._own_name,
            timeout=target.timeouts.command,
            use_tls=target.tls == "implicit",
            start_tls=False,
            tls_context=self.tls_context(target.verify) if target.tls != "none" else None,
        )
        try:
            return await self._speak(client, target, lines, refuse_self)
        except NotOpened:
            client.close()
            raise
        except BaseException as error:
            client.close()
            reply = explain(error, target)
            if reply is None:
                raise
            if reply.code:
                lines.append(f"< {reply}")
            else:
                lines.append(f"* {reply.text}")
            raise NotOpened(reply, target.remote, lines) from error

    async def _speak(
        self, client: aiosmtplib.SMTP, target: Target, lines: list[str], refuse_self: bool
    ) -> Session:
        greeting = await client.connect(timeout=target.timeouts.connect)
        lines.append(f"< {reply_of(greeting.code, greeting.message)}")
        if target.tls == "implicit":
            lines.append(describe_tls(client, target.verify))
        await self._hello(client, lines)
        if target.tls in ("opportunistic", "required"):
            await self._start_tls(client, target, lines)
        if refuse_self and self._is_me(client):
            reply = Reply(554, "5.4.6", f"{target.remote} is this host: the mail would loop.")
            raise NotOpened(reply, target.remote, lines)
        if target.username:
            await self._login(client, target, lines)
        return self._take_over(client, target, lines)

    async def _hello(self, client: aiosmtplib.SMTP, lines: list[str]) -> None:
        lines.append(f"> EHLO {self._own_name}")
        try:
            reply = await client.ehlo()
        except aiosmtplib.SMTPHeloError as error:
            if error.code // 100 != 5 or not client.is_connected:
                raise
            # RFC 5321 §3.2: an old server may know HELO alone.
            lines += [f"< {reply_of(error.code, error.message)}", f"> HELO {self._own_name}"]
            reply = await client.helo()
        lines.append(f"< {reply.code} {printable(reply.message)}")

    async def _start_tls(self, client: aiosmtplib.SMTP, target: Target, lines: list[str]) -> None:
        if not client.supports_extension("starttls"):
            if target.tls == "required":
                reply = Reply(0, "4.7.5", "The next hop offers no STARTTLS, which is required.")
                raise NotOpened(reply, target.remote, lines)
            return
        lines.append("> STARTTLS")
        try:
            ready = await client.starttls(server_hostname=target.name)
            lines.append(f"< {reply_of(ready.code, ready.message)}")
            lines.append(describe_tls(client, target.verify))
            self._check_key(client, target, lines)
            await self._hello(client, lines)
        except (aiosmtplib.SMTPException, OSError) as error:
            reason = reason_of(error)
            lines.append(f"* STARTTLS failed: {reason}")
            failed = Reply(0, "4.7.5", f"STARTTLS failed: {reason}")
            raise NotOpened(failed, target.remote, lines, tls_failed=True) from error

    def _check_key(self, client: aiosmtplib.SMTP, target: Target, lines: list[str]) -> None:
        """Raises NotOpened when the server's key is none that its domain names (RFC 7672)."""
        if not target.tlsa:
            return
        shown = client.get_transport_info("ssl_object").getpeercert(True)
        if shown is None or not matches(shown, target.tlsa):
            reply = Reply(0, "4.7.5", "The key of the server is not one that its domain names.")
            lines.append(f"* {reply.text}")
            raise NotOpened(reply, target.remote, lines)
        lines.append("* key named by the domain (DANE)")

    async def _login(self, client: aiosmtplib.SMTP, target: Target, lines: list[str]) -> None:
        lines.append("> AUTH (credentials not shown)")
        try:
            reply = await authenticate(client, target)
        except aiosmtplib.SMTPResponseException as error:
            # Wrong settings of ours are no reason to return everybody's mail.
            answer = str(reply_of(error.code, error.message))
            lines.append(f"< {answer}")
            refused = Reply(0, "4.7.8", f"The next hop refused our login: {answer}")
            raise NotOpened(refused, target.remote, lines) from None
        except aiosmtplib.SMTPServerDisconnected:
            raise
        except aiosmtplib.SMTPException as error:
            unable = Reply(0, "4.7.0", f"We cannot log in at the next hop: {printable(str(error))}")
            raise NotOpened(unable, target.remote, lines) from None
        lines.append(f"< {reply.code} {printable(reply.message)}")

    def _is_me(self, client: aiosmtplib.SMTP) -> bool:
        hello = client.last_ehlo_response or client.last_helo_response
        words = hello.message.split(None, 1) if hello is not None else []
        return bool(words) and words[0].lower().rstrip(".") == self._own_name.lower()

    def _take_over(self, client: aiosmtplib.SMTP, target: Target, lines: list[str]) -> Session:
        transport = cast("asyncio.Transport | None", client.transport)
        if transport is None or transport.is_closing():
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        server = Server.of(target.remote, lines, client.esmtp_extensions)
        session = Session(transport, server=server, timeouts=target.timeouts)
        transport.set_protocol(session)
        # The client no longer has a connection to close.
        client.protocol = None
        client.transport = None
        return session


async def authenticate(client: aiosmtplib.SMTP, target: Target) -> aiosmtplib.SMTPResponse:
    """Log in by the best mechanism that is offered and allowed.

    Another is tried only when the server does not know the one before (504): a wrong password
    is wrong for all of them, and tried often it locks the account.
    """
    ways = {
        "cram-md5": client.auth_crammd5,
        "plain": client.auth_plain,
        "login": client.auth_login,
    }
    offered = [
        method
        for method in ways
        if method in client.server_auth_methods and method in (target.methods or ways)
    ]
    for method in offered:
        try:
            return await ways[method](target.username, target.password)
        except aiosmtplib.SMTPAuthenticationError as error:
            if error.code != 504 or method == offered[-1]:
                raise
    raise aiosmtplib.SMTPException("it offers no way to log in that we may use")


def describe_tls(client: aiosmtplib.SMTP, verified: bool) -> str:
    cipher = client.get_transport_info("cipher")
    version = cipher[1] if cipher else "TLS"
    return f"* {version}, certificate {'verified' if verified else 'not verified'}"


def reason_of(error: BaseException) -> str:
    """Why something failed, on one line, without what a library adds for programmers."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate does not verify ({printable(error.verify_message)})"
    if isinstance(error, ssl.SSLError):
        return f"TLS error ({printable(error.reason or 'unknown')})"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return str(reply_of(error.code, error.message))
    if isinstance(error, aiosmtplib.SMTPTimeoutError | TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return printable(error.strerror)
    return printable(str(error)) or type(error).__name__


def explain(error: BaseException, target: Target) -> Reply | None:
    """A failure to open as a reply; None when it is not one of SMTP or the network.

    Nothing here is final: another host or another hour may do. That goes for a 5xx greeting too,
    which says something about the host and nothing about our message.
    """
    if isinstance(error, aiosmtplib.SMTPResponseException):
        if error.code // 100 == 4:
            return reply_of(error.code, error.message)
        said = str(reply_of(error.code, error.message)) if error.code > 0 else error.message
        return Reply(0, "4.3.2", f"{target.remote} is not ready: {printable(said)}")
    cause = error.__cause__ if isinstance(error, aiosmtplib.SMTPConnectError) else error
    if isinstance(cause, ssl.SSLError):
        return Reply(0, "4.7.5", f"{target.remote}: {reason_of(cause)}")
    if isinstance(error, aiosmtplib.SMTPException | OSError):
        return Reply(0, "4.4.1", f"{target.remote} cannot be reached: {reason_of(cause or error)}")
    return None

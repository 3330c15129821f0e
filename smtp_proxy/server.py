"""One SMTP connection on aiosmtpd, with the parts replaced that measurement and attack showed
to be unfit.

    construction   aiosmtpd inspects itself for every connection. One template per door is made
                   by its constructor; a connection copies it.
    command loop   `_handle_client` took commands that end in a bare LF, read endless lines,
                   logged before judging, and lived as long as a peer said NOOP. Lines are cut
                   in `fast_lane`, which answers most at once; what needs to wait runs here.
    addresses      the grammar of `core.address` through `Dialog`, in place of `_getaddr`.
    smtp_DATA      `ContentReader`: bounded, byte-exact, ends on CRLF.CRLF alone.
    smtp_AUTH      asynchronous, never logged, one text for all failures.
    exceptions     a bug is `451 4.3.0` and tells nothing.
    timers         one deadline per connection, looked at by the door's one watch.

Kept are its streams for coroutines, its change of transport for STARTTLS and its reader of PROXY
headers.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio.sslproto import SSLProtocol
from collections.abc import Coroutine
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, cast

from aiosmtpd.proxy_protocol import V2_CMD, get_proxy
from aiosmtpd.smtp import SMTP

from mailbox_service.core.errors import BadCredential, MailError, NotYours
from smtp_proxy import authentication, log, replies
from smtp_proxy.authentication import Credentials, ExchangeFailed
from smtp_proxy.dialog import SILENCE, Dialog

if TYPE_CHECKING:
    from smtp_proxy.door import Door

# What a coroutine has to say at its end: a reply, SILENCE to close, or nothing.
Answer = Coroutine[Any, Any, bytes | None]


def template(door: Door, loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
    """The attributes of a connection that nobody has opened yet."""
    model = SMTP(
        object(),
        data_size_limit=door.limits.message_size,
        enable_SMTPUTF8=True,
        hostname=door.offer.hostname,
        ident="ESMTP",
        loop=loop,
        auth_require_tls=door.offer.require_tls_for_auth,
    )
    attributes = dict(vars(model))
    # What belongs to one connection alone: the streams, made when a coroutine needs them.
    for name in vars(asyncio.StreamReaderProtocol(asyncio.StreamReader(loop=loop), loop=loop)):
        del attributes[name]
    attributes["loop"] = attributes["_loop"] = loop
    return attributes


class MailServer(SMTP):
    """The life of one connection: admission, TLS, logins, the end.

    `FastLane` adds how input is read. Time is the loop's monotonic clock, in seconds.
    """

    transport: asyncio.Transport | None
    _original_transport: asyncio.Transport | None
    _dialog: Dialog
    _reader: asyncio.StreamReader

    # The same for every connection until it needs its own; most never do.
    _handler_coroutine: asyncio.Task[None] | None = None
    _skip_reply: bytes | None = None
    _stream_open = False
    _closing = False
    counted_ip: str | None = None

    def __init__(self, door: Door, *, implicit_tls: bool = False) -> None:
        vars(self).update(door.template)
        self._door = door
        self._implicit_tls = implicit_tls

    # --- life -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the peer in, or say why not. Comes a second time when TLS has started."""
        if self._original_transport is not None:
            super().connection_made(transport)
            self._let_us_pace()
            self._dialog.tls_started()
            return
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one by behaviour only
        peername = transport.get_extra_info("peername") or ("", 0)
        ip, port = peername[:2] if isinstance(peername, tuple) else ("", 0)  # "": Unix socket
        self._dialog = Dialog(self._door.offer, ip, port)
        self.opened = self.loop.time()
        self._wait(self._door.limits.idle)
        proxied = self._door.is_proxy(ip)
        refusal = self._door.admit(self) or (None if proxied else self._door.count(self, ip))
        if refusal is not None:
            log.event("connection_refused", ip=ip, reply=refusal[:-2].decode("ascii"))
            if not self._implicit_tls:
                self._write(refusal)
            self._closing = True
            self.transport.close()
            return
        log.event("connected", level=logging.DEBUG, ip=ip, port=port, door=self._door.name)
        if proxied:
            self._run(self._read_proxy_header())
        elif self._implicit_tls:
            self._run(self._start_tls(self._door.offer.greeting))
        else:
            self._write(self._door.offer.greeting)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the connection; what was not handed over in full never existed."""
        self.transport = None
        if self._original_transport is not None:
            self._original_transport.close()
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
        if self._stream_open:
            # An error would stay in a future that nobody asks, and be logged for that.
            asyncio.StreamReaderProtocol.connection_lost(self, None)
        self._door.forget(self)
        log.event("disconnected", level=logging.DEBUG, ip=self._dialog.ip, port=self._dialog.port)

    @property
    def _working(self) -> bool:
        """Whether the next word is ours, or the peer is in the middle of its own."""
        return self._handler_coroutine is not None

    @property
    def _has_input(self) -> bool:
        """Whether the peer has said something that nobody has looked at."""
        return False

    @property
    def busy(self) -> bool:
        """Whether there is something that closing the door should let end."""
        return self._working or self._dialog.in_transaction

    def check_time(self, now: float, *, crowded: bool) -> None:
        """Close what is silent or has been here for too long. The door's watch calls this."""
        limits = self._door.limits
        if now > self.deadline:
            if self._closing:
                self.abort()
            else:
                log.event("timeout", ip=self._dialog.ip, port=self._dialog.port)
                self.say_goodbye(replies.IDLE_TOO_LONG)
        elif self._closing or self._working:
            return
        elif now > self.opened + limits.session and not self._dialog.in_transaction:
            self.say_goodbye(replies.SESSION_TOO_LONG)
        elif crowded and now > self.deadline - limits.idle + limits.idle_when_busy:
            self.say_goodbye(replies.IDLE_TOO_LONG)

    def shut_down(self) -> None:
        """The service stops: an idle session ends now, a transaction first comes to its end."""
        if not self.busy:
            self.say_goodbye(replies.SHUTTING_DOWN)

    def say_goodbye(self, reply: bytes) -> None:
        """Write the last reply and close, in a way that lets the peer read it."""
        if self.transport is None or self._closing:
            return
        self._write(reply)
        self._closing = True
        self._wait(self._door.limits.linger)
        may_linger = self._has_input or not self._door.closing
        if reply[:3] == b"421" and may_linger and self.transport.can_write_eof():
            # Closing with input unread makes TCP reset the connection and drop our last replies,
            # a 250 among them, so the peer has a moment to stop and read.
            self.transport.resume_reading()
            try:
                self.transport.write_eof()
            except OSError:  # the peer has gone, of which nobody has told us yet
                self.transport.abort()
        else:
            self.transport.close()

    def abort(self) -> None:
        """Close at once; what was not written is lost."""
        for transport in (self.transport, self._original_transport):
            if transport is not None:
                transport.abort()

    def _write(self, reply: bytes) -> None:
        transport = self.transport
        if reply and transport is not None and not (self._closing or transport.is_closing()):
            transport.write(reply)

    def _wait(self, seconds: float) -> None:
        """Set how long the peer, or the service, has for the next thing to happen."""
        self.deadline = self.loop.time() + seconds

    def _reset_timeout(self, duration: float | None = None) -> None:
        """aiosmtpd's timer: ours is the door's watch."""
        self._wait(duration or self._door.limits.idle)

    # --- coroutines -------------------------------------------------------------------------

    def _run(self, answer: Answer) -> None:
        """Answer by a coroutine; until it ends, input goes to its stream."""
        if not self._stream_open:
            self._open_stream()
        self._handler_coroutine = self.loop.create_task(self._guarded(answer))

    def _open_stream(self) -> None:
        """aiosmtpd's reader and writer. Most connections never need them."""
        reader = asyncio.StreamReader(limit=self._door.limits.auth_line, loop=self.loop)
        asyncio.StreamReaderProtocol.__init__(
            self, reader, client_connected_cb=self._cb_client_connected, loop=self.loop
        )
        assert self.transport is not None
        asyncio.StreamReaderProtocol.connection_made(self, self.transport)
        self._let_us_pace()
        self._stream_open = True

    def _let_us_pace(self) -> None:
        """The stream knows only its own share of what waits, and so does not pause the reading."""
        self._reader._transport = None  # type: ignore[attr-defined]

    def _unread_by_coroutine(self) -> bytearray:
        """Input that the stream holds; asyncio has no public name for it, aiosmtpd uses it too."""
        unread: bytearray = self._reader._buffer  # type: ignore[attr-defined]
        return unread

    async def _guarded(self, answer: Answer) -> None:
        try:
            reply = await answer
        except MailError as error:
            reply = replies.reply_for(error)
        except (ConnectionError, asyncio.IncompleteReadError):
            reply = SILENCE
        except Exception as error:
            reply = self.our_fault(error)
        self._handler_coroutine = None
        if self.transport is not None:
            self._coroutine_ended(reply)

    def _coroutine_ended(self, reply: bytes | None) -> None:
        if reply == SILENCE or (reply is not None and replies.ends_connection(reply)):
            self.say_goodbye(reply)
        elif reply is not None:
            self._write(reply)
        self._wait(self._door.limits.idle)

    def our_fault(self, error: BaseException) -> bytes:
        """The reply to a bug of ours: temporary, and silent about the cause (hazard 19)."""
        log.bug("exception", error, ip=self._dialog.ip, door=self._door.name)
        return replies.OUR_FAULT

    async def handle_exception(self, error: Exception) -> str:
        """aiosmtpd's name for the same; it would show the error's text to the peer."""
        return self.our_fault(error).decode("ascii").rstrip()

    async def _answer_slowly(self, line: bytes) -> bytes | None:
        """Answer what `Dialog.hear` could not."""
        verb, _, argument = line.partition(b" ")
        self._wait(self._door.limits.answer)
        match verb.upper():
            case b"RCPT":
                return await self._dialog.check_recipient(argument.strip(b" "))
            case b"MAIL":
                return await self._dialog.ask_address(line)
            case b"STARTTLS":
                return await self._starttls(argument)
            case _:
                return await self._auth(argument)

    # --- TLS --------------------------------------------------------------------------------

    async def _starttls(self, argument: bytes) -> bytes | None:
        """RFC 3207. What the peer sent behind the command in clear is thrown away."""
        if argument:
            return self._dialog.count_error(replies.NO_ARGUMENT_HERE)
        if self._dialog.tls:
            return self._dialog.count_error(replies.TLS_ALREADY)
        self._unread_by_coroutine().clear()
        self._write(replies.READY_FOR_TLS)
        return await self._start_tls(None)

    async def _start_tls(self, reply: bytes | None) -> bytes | None:
        """Put TLS between the socket and this connection, as aiosmtpd does; then say `reply`.

        Input that has come already belongs to the handshake.
        """
        if self._closing:  # told to go before this had its turn
            return None
        limits = self._door.limits
        self._wait(limits.tls_handshake)
        early = bytes(self._unread_by_coroutine())
        assert self._door.tls is not None
        assert self.transport is not None
        ended = self.loop.create_future()
        self._tls_protocol = SSLProtocol(
            self.loop,
            self,
            self._door.tls,
            ended,
            server_side=True,
            ssl_handshake_timeout=limits.tls_handshake,  # type: ignore[arg-type]
            ssl_shutdown_timeout=limits.linger,
        )
        self._original_transport = self.transport
        self._original_transport.set_protocol(self._tls_protocol)
        self.transport = self._tls_protocol._app_transport
        self._tls_protocol.connection_made(self._original_transport)
        if early:
            self._tls_protocol.get_buffer(len(early))[: len(early)] = early
            self._tls_protocol.buffer_updated(len(early))
        try:
            await ended
        except OSError as error:  # ssl.SSLError and lost connections
            log.event("tls_failed", ip=self._dialog.ip, error=type(error).__name__)
        if not self._dialog.tls:
            # asyncio tells a protocol of a lost connection only once it was told of a made one.
            self._handler_coroutine = None
            self.connection_lost(None)
        return reply

    # --- AUTH -------------------------------------------------------------------------------

    async def _auth(self, argument: bytes) -> bytes | None:
        """RFC 4954. Neither the exchange nor its result is ever logged with a credential."""
        refusal = self._auth_refusal()
        if refusal is not None:
            return self._dialog.count_error(refusal)
        try:
            credentials = await authentication.exchange(argument, self._challenge)
        except ExchangeFailed as failed:
            if failed.reply == replies.BAD_CREDENTIAL:
                return self._login_failed()
            return self._dialog.count_error(failed.reply)
        except asyncio.LimitOverrunError:
            self._skip_reply = replies.AUTH_LINE_TOO_LONG
            return None
        return await self._log_in(credentials)

    def _auth_refusal(self) -> bytes | None:
        dialog = self._dialog
        if not self._door.offer.auth_allowed(tls=dialog.tls):
            return replies.TLS_NEEDED_FOR_AUTH
        if not dialog.extended:
            return replies.HELLO_FIRST
        if dialog.principal is not None:
            return replies.LOGGED_IN_ALREADY
        return replies.NOT_DURING_MAIL if dialog.in_transaction else None

    async def _challenge(self, text: bytes) -> bytes:
        self._write(b"334 " + text + b"\r\n")
        self._wait(self._door.limits.idle)
        line: bytes = await self._reader.readuntil(b"\n")
        self._wait(self._door.limits.answer)
        if not line.endswith(b"\r\n"):
            raise ExchangeFailed(replies.AUTH_UNREADABLE)
        return line[:-2]

    async def _log_in(self, credentials: Credentials) -> bytes:
        dialog, door = self._dialog, self._door
        delay = door.logins.delay(dialog.ip, self.loop.time())
        if delay is None:
            log.event("login_refused", ip=dialog.ip, reason="too many failures around it")
            return replies.LOGIN_LATER
        if delay:
            log.event("login_delayed", ip=dialog.ip, seconds=round(delay, 1))
            self._wait(delay + door.limits.answer)
            await asyncio.sleep(delay)
        try:
            principal = await door.rules.authenticate(
                credentials.username, credentials.password, dialog.peer
            )
        except BadCredential:
            return self._login_failed()
        except NotYours:
            # For good, and in the words for a wrong password: a place that is not allowed learns
            # nothing about the password.
            log.event("login_not_allowed", ip=dialog.ip)
            return self._login_failed()
        except MailError as error:
            log.event("login_impossible", ip=dialog.ip, kind=type(error).__name__)
            return replies.LOGIN_LATER
        dialog.logged_in(principal)
        log.event("login", ip=dialog.ip, principal=principal.key)
        return replies.LOGGED_IN

    def _login_failed(self) -> bytes:
        dialog, door = self._dialog, self._door
        door.logins.failed(dialog.ip, self.loop.time())
        dialog.failed_logins += 1
        log.event("login_failed", ip=dialog.ip, failures=dialog.failed_logins)
        if dialog.failed_logins >= door.limits.auth_failures_per_connection:
            return replies.TOO_MANY_FAILED_LOGINS
        return dialog.count_error(replies.BAD_CREDENTIAL)

    # --- PROXY ------------------------------------------------------------------------------

    async def _read_proxy_header(self) -> bytes | None:
        """Learn from a listed proxy who the peer is; without a sound header nothing goes on."""
        self._wait(self._door.limits.proxy_header)
        header = await get_proxy(self._reader)
        if not header.valid:
            log.event("proxy_header_refused", ip=self._dialog.ip, error=header.error)
            return SILENCE
        # A proxy's own check (LOCAL), or a peer without an IP address, is the proxy itself.
        if header.command != V2_CMD.LOCAL and isinstance(
            header.src_addr, IPv4Address | IPv6Address
        ):
            self._dialog.proxied_for(str(header.src_addr), header.src_port or 0)
        refusal = self._door.count(self, self._dialog.ip)
        if refusal is not None:
            return SILENCE if self._implicit_tls else refusal
        if self._implicit_tls:
            return await self._start_tls(self._door.offer.greeting)
        return self._door.offer.greeting

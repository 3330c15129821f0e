"""The SMTP dialogue of one connection: what was said so far, and what to answer (RFC 5321 §4.1).

Nothing here reads or writes the network or waits for anything. `hear` takes one line and gives
the whole reply, or None when only a coroutine can answer (a login, TLS, a recipient that needs
storage). What submission and reception do differently is in their `Rules` (`smtp_proxy.offer`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from mailbox_service.core.address import parse_path
from mailbox_service.core.envelope import Envelope, Peer, Principal
from mailbox_service.core.errors import BadAddress, BadRequest, MailError
from smtp_proxy import log, replies
from smtp_proxy.offer import Offer

# A host name, an address literal, or the names that Windows machines give themselves. What
# passes here goes into the trace fields (RFC 5321 §4.4), so nothing else may.
_host_name = re.compile(rb"[A-Za-z0-9._:\[\]-]{1,255}").fullmatch
_control = re.compile(rb"[\x00-\x1f\x7f]").search
_size = re.compile(r"[0-9]{1,20}").fullmatch

# Browsers and web exploits that were pointed at a mail port (ALPACA). PROXY is here for peers
# that are not listed as proxies.
_NOT_SMTP = frozenset(b"GET POST PUT HEAD OPTIONS DELETE PATCH TRACE CONNECT PRI PROXY".split())

_REFUSED = ord("5")  # what a reply of class 5 begins with

# No reply at all: the peer does not speak SMTP, and an answer could be used against others.
SILENCE: Final = b""


class Dialog:
    """One connection's side of the conversation."""

    __slots__ = (
        "_address_asked",
        "_attempts",
        "_eight_bit",
        "_errors",
        "_junk",
        "_messages",
        "_offer",
        "_peer",
        "_recipients",
        "_refused",
        "_reverse_path",
        "_rules",
        "_smtputf8",
        "extended",
        "failed_logins",
        "helo",
        "ip",
        "port",
        "principal",
        "tls",
    )

    def __init__(self, offer: Offer, ip: str, port: int) -> None:
        self._offer = offer
        self._rules = offer.rules
        self.ip = ip
        self.port = port
        self._messages = 0
        self._errors = 0
        self._junk = 0
        self._refused = 0
        self.failed_logins = 0
        self.tls = False
        self._forget_everything()

    def _forget_everything(self) -> None:
        """The state after the greeting, and again after STARTTLS (RFC 3207 §4.2)."""
        self.helo = ""
        self.extended = False
        self.principal: Principal | None = None
        self._address_asked = False
        self._peer: Peer | None = None
        self._recipients: dict[str, None] = {}
        self.reset()

    def reset(self) -> None:
        """End the transaction without a message (RFC 5321 §4.1.1.5)."""
        self._reverse_path: str | None = None
        if self._recipients:
            self._recipients = {}
        self._attempts = 0
        self._smtputf8 = False
        self._eight_bit = False

    @property
    def in_transaction(self) -> bool:
        """Whether MAIL was accepted and its message has not come to an end."""
        return self._reverse_path is not None

    @property
    def peer(self) -> Peer:
        """Who speaks, for limits, trace fields and the log."""
        if self._peer is None:
            protocol = "SMTP"
            if self.extended:
                secure = "S" if self.tls else ""
                proven = "A" if self.principal is not None else ""
                protocol = f"ESMTP{secure}{proven}"  # RFC 3848
            self._peer = Peer(self.ip, self.port, self.helo, protocol)
        return self._peer

    def hear(self, line: bytes) -> bytes | None:
        """Answer one command line without its CRLF; None when a coroutine has to."""
        try:
            command = _taken_apart(line)
        except LookupError:
            verb, _, argument = line.partition(b" ")
            return self._hear_oddity(verb.upper(), argument)
        return self.obey(command)

    def obey(self, command: Command) -> bytes | None:
        """Answer a command; None when a coroutine has to."""
        answer, verb, argument = command
        reply = answer(self, argument)
        if reply is None or reply[0] != _REFUSED:
            return reply
        return self.count_refused(reply) if verb == b"RCPT" else self.count_error(reply)

    def _hear_oddity(self, verb: bytes, argument: bytes) -> bytes | None:
        if verb in _NOT_SMTP or verb[:1] == b"\x16":  # a TLS ClientHello
            log.event("not_smtp", ip=self.ip, verb=verb.decode("ascii", "replace"))
            return SILENCE
        if _control(argument) or not verb.isalnum():
            return self.count_error(replies.BAD_LINE)
        if verb == b"STARTTLS" and self._offer.starttls:
            return None
        if verb == b"AUTH" and self._rules.offers_auth:
            return None
        if verb in _KNOWN_ELSEWHERE:
            return self.count_error(replies.NOT_IMPLEMENTED)
        return self.count_error(replies.UNKNOWN_COMMAND)

    def count_error(self, reply: bytes) -> bytes:
        """Let a peer make so many errors, and no more."""
        self._errors += 1
        if self._errors > self._offer.limits.errors:
            log.event("too_many_errors", ip=self.ip, last=reply[:-2].decode("ascii"))
            return replies.TOO_MANY_ERRORS
        return reply

    def count_refused(self, reply: bytes) -> bytes:
        """Let a peer name so many recipients in vain, and no more."""
        log.event("recipient_refused", ip=self.ip, reply=reply[:-2].decode("ascii"))
        self._refused += 1
        if self._refused > self._offer.limits.refused_recipients:
            return replies.TOO_MANY_ERRORS
        return reply

    def tls_started(self) -> None:
        """Only what was said under TLS counts (RFC 3207 §4.2)."""
        self.tls = True
        self._forget_everything()

    async def ask_address(self, line: bytes) -> bytes | None:
        """Answer a MAIL before any login: perhaps the peer's address is one. Asked for once a
        connection."""
        self._address_asked = True
        try:
            principal = await self._rules.known_by_address(self.peer)
        except MailError as error:
            self._address_asked = False
            return replies.reply_for(error)
        if principal is not None:
            self.logged_in(principal)
            log.event("known_by_address", ip=self.ip, principal=principal.key)
        return self.hear(line)

    def logged_in(self, principal: Principal) -> None:
        """The peer has proven who it is."""
        self.principal = principal
        self._peer = None

    def proxied_for(self, ip: str, port: int) -> None:
        """The peer behind a proxy, as its PROXY header tells."""
        self.ip, self.port = ip, port
        self._peer = None

    def end_of_content(self) -> Envelope:
        """The envelope of the message that has just arrived; the transaction is over."""
        envelope = Envelope(
            self._reverse_path or "", tuple(self._recipients), self._smtputf8, self._eight_bit
        )
        self.reset()
        return envelope

    def accepted(self) -> None:
        """A message was taken: the peer is here for mail, its slips are forgiven."""
        self._messages += 1
        self._errors = self._junk = self._refused = 0

    # --- commands ---------------------------------------------------------------------------

    def _ehlo(self, argument: bytes) -> bytes:
        return self._hello(argument, extended=True)

    def _helo(self, argument: bytes) -> bytes:
        return self._hello(argument, extended=False)

    def _hello(self, argument: bytes, *, extended: bool) -> bytes:
        if not _host_name(argument):
            return replies.HELLO_SYNTAX
        self.reset()
        self.helo = argument.decode("ascii")
        self.extended = extended
        self._peer = None
        reply = self._offer.ehlo(tls=self.tls) if extended else self._offer.helo
        return self._moves_nothing(reply)

    def _mail(self, argument: bytes) -> bytes | None:
        if not self.helo or self.principal is None:
            not_yet = self._not_yet()
            if not_yet is replies.LOGIN_FIRST and not self._address_asked:
                return None
            if not_yet is not None:
                return not_yet
        if argument[:5].upper() != b"FROM:":
            return replies.MAIL_SYNTAX
        if self._reverse_path is not None:
            return replies.NESTED_MAIL
        if self._messages >= self._offer.limits.messages:
            return replies.TOO_MANY_MESSAGES
        try:
            reverse_path, parameters, is_ascii = _sender(argument, self._rules.foreign_senders)
            if parameters:
                refusal = self._mail_parameters(parameters)
                if refusal is not None:
                    self.reset()
                    return refusal
            if not is_ascii and not self._smtputf8:
                self.reset()
                return replies.NEEDS_SMTPUTF8
            self._rules.check_sender(reverse_path, self.principal)
        except (MailError, UnicodeDecodeError) as error:
            self.reset()
            return _syntax_or_policy(error, bad_address=b"553 5.1.7 ")
        self._reverse_path = reverse_path
        return replies.SENDER_OK

    def _mail_parameters(self, text: str) -> bytes | None:
        """SIZE, BODY, SMTPUTF8 and AUTH; None when all are fine."""
        if not self.extended:
            return replies.UNKNOWN_PARAMETER
        seen = set()
        for word in text.split():
            name, has_value, value = word.partition("=")
            name = name.upper()
            if name in seen:
                return replies.BAD_PARAMETER
            seen.add(name)
            if name == "SIZE":
                if not _size(value):
                    return replies.BAD_PARAMETER
                if int(value) > self._offer.limits.message_size:
                    return replies.TOO_BIG
            elif name == "BODY":
                if value.upper() not in ("7BIT", "8BITMIME"):
                    return replies.BAD_PARAMETER
                self._eight_bit = value.upper() == "8BITMIME"
            elif name == "SMTPUTF8" and not has_value:
                self._smtputf8 = True
            elif name == "AUTH" and self._rules.offers_auth:
                # RFC 4954 §5 lets a client say who else vouched for the message. We trust
                # only what was proven here, so the value is read over.
                if not value:
                    return replies.BAD_PARAMETER
            else:
                return replies.UNKNOWN_PARAMETER
        return None

    def _rcpt(self, argument: bytes) -> bytes | None:
        if self._reverse_path is None:
            return self._not_yet() or replies.MAIL_FIRST
        if argument[:3].upper() != b"TO:":
            return replies.RCPT_SYNTAX
        limits = self._offer.limits
        self._attempts += 1
        if self._attempts > limits.recipient_attempts:
            return replies.TOO_MUCH
        if len(self._recipients) >= limits.recipients:
            return replies.TOO_MANY_RECIPIENTS
        try:
            recipient = self._read_recipient(argument)
            if isinstance(recipient, bytes):
                return recipient
            if recipient not in self._recipients:
                if not self._rules.recipient_now(recipient, self._reverse_path):
                    return None
                self._recipients[recipient] = None
        except (MailError, UnicodeDecodeError) as error:
            return _syntax_or_policy(error, bad_address=b"553 5.1.3 ")
        return replies.RECIPIENT_OK

    def _read_recipient(self, argument: bytes) -> str | bytes:
        """The canonical recipient of `TO:<address>`, or the reply that refuses it."""
        recipient, parameters, is_ascii = _recipient(argument, self._offer.hostname)
        if parameters:
            return replies.UNKNOWN_PARAMETER
        if not recipient:
            return replies.RCPT_SYNTAX
        if not is_ascii and not self._smtputf8:
            return replies.NEEDS_SMTPUTF8
        return recipient

    async def check_recipient(self, argument: bytes) -> bytes:
        """Answer RCPT with storage, where `hear` could not from memory."""
        reverse_path = self._reverse_path or ""
        try:
            recipient = self._read_recipient(argument)
            if isinstance(recipient, bytes):
                return recipient
            await self._rules.check_recipient(recipient, reverse_path)
        except (MailError, UnicodeDecodeError) as error:
            reply = _syntax_or_policy(error, bad_address=b"553 5.1.3 ")
            return self.count_refused(reply) if reply[0] == _REFUSED else reply
        self._recipients[recipient] = None
        return replies.RECIPIENT_OK

    def _data(self, argument: bytes) -> bytes:
        if self._reverse_path is None:
            return self._not_yet() or replies.MAIL_FIRST
        if argument:
            return replies.NO_ARGUMENT_HERE
        if not self._recipients:
            return replies.RCPT_FIRST
        return replies.SEND_CONTENT

    def _rset(self, argument: bytes) -> bytes:
        if argument:
            return replies.NO_ARGUMENT_HERE
        self.reset()
        return self._moves_nothing(replies.OK)

    def _noop(self, argument: bytes) -> bytes:
        return self._moves_nothing(replies.OK)

    def _vrfy(self, argument: bytes) -> bytes:
        return self._moves_nothing(replies.CANNOT_VERIFY)

    def _help(self, argument: bytes) -> bytes:
        return self._moves_nothing(replies.HELP)

    def _quit(self, argument: bytes) -> bytes:
        return replies.NO_ARGUMENT_HERE if argument else replies.BYE

    def _moves_nothing(self, reply: bytes) -> bytes:
        self._junk += 1
        if self._junk > self._offer.limits.junk_commands:
            log.event("too_much_junk", ip=self.ip)
            return replies.TOO_MUCH_JUNK
        return reply

    def _not_yet(self) -> bytes | None:
        """What has to come before any mail: EHLO, and on submission TLS and AUTH."""
        if not self.helo:
            return replies.HELLO_FIRST
        if not self._rules.offers_auth or self.principal is not None:
            return None
        return replies.LOGIN_FIRST if self._offer.auth_allowed(tls=self.tls) else replies.TLS_FIRST


# Whoever sends one message from an address or to one, sends more. A line is bounded by
# `Limits.command_line`, and one that is wrong is not remembered.
@lru_cache(maxsize=1_024)
def _sender(argument: bytes, as_written: bool) -> tuple[str, str, bool]:
    """The reverse-path of `FROM:<address>`, its parameters, and whether all is ASCII."""
    text = argument[5:].decode()
    path = parse_path(text, single_label=True, local_as_written=as_written)
    return *path, text.isascii()


@lru_cache(maxsize=1_024)
def _recipient(argument: bytes, hostname: str) -> tuple[str, str, bool]:
    """The canonical recipient of `TO:<address>`, its parameters, and whether all is ASCII."""
    text = argument[3:].decode()
    return *parse_path(text, postmaster_domain=hostname), text.isascii()


def _syntax_or_policy(error: MailError | UnicodeDecodeError, *, bad_address: bytes) -> bytes:
    if isinstance(error, UnicodeDecodeError):
        return replies.BAD_LINE
    reply = replies.reply_for(error)
    if isinstance(error, BadAddress):
        return bad_address + reply.split(b" ", 2)[2]
    if isinstance(error, BadRequest):
        return b"501" + reply[3:]  # the command's syntax, not the content's
    return reply


# What answers a line, its verb, and its argument.
Command = tuple[Callable[[Dialog, bytes], bytes | None], bytes, bytes]

_ANSWERS: dict[bytes, Callable[[Dialog, bytes], bytes | None]] = {
    b"EHLO": Dialog._ehlo,
    b"HELO": Dialog._helo,
    b"MAIL": Dialog._mail,
    b"RCPT": Dialog._rcpt,
    b"DATA": Dialog._data,
    b"RSET": Dialog._rset,
    b"NOOP": Dialog._noop,
    b"VRFY": Dialog._vrfy,
    b"HELP": Dialog._help,
    b"QUIT": Dialog._quit,
}


# Most lines of a connection were said before: DATA to the letter, and often the addresses too.
# What a line means is the same whoever says it; it is bounded by `Limits.command_line`. Odd lines
# are not remembered, and among them AUTH, which may hold a password.
@lru_cache(maxsize=1_024)
def whole_line(data: bytes, longest: int) -> Command:
    """The command in input that is one whole line and nothing else, as a peer sends it that waits
    for each reply. Raises LookupError for all that wants a closer look."""
    last = len(data) - 1
    if last >= longest or data[-2:] != b"\r\n" or data.find(b"\n") != last:
        raise LookupError("not one line")
    return _taken_apart(data[:-2])


@lru_cache(maxsize=1_024)
def _taken_apart(line: bytes) -> Command:
    """What a line means, without its end. Raises LookupError for what is odd."""
    verb, _, argument = line.partition(b" ")
    verb = verb.upper()
    answer = _ANSWERS[verb]
    if _control(argument):
        raise LookupError("a control character")
    return answer, verb, argument.strip(b" ")


_KNOWN_ELSEWHERE = frozenset((b"EXPN", b"TURN", b"ETRN", b"BDAT", b"AUTH", b"STARTTLS", b"SEND"))

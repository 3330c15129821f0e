"""What the doors say: fixed replies, and one table from `MailError` to a reply.

Every reply is whole bytes with its CRLF. A reply of 421 or 221 is the last one of a connection
(RFC 5321 §3.8); the doors close after writing it and need no other sign.
"""

from __future__ import annotations

from mailbox_service.core import errors
from mailbox_service.core.errors import MailError

# A reply line has at most 512 octets (RFC 5321 §4.5.3.1.5), code and CRLF included.
LONGEST_TEXT = 480

OK = b"250 2.0.0 Ok\r\n"
SENDER_OK = b"250 2.1.0 Sender ok\r\n"
RECIPIENT_OK = b"250 2.1.5 Recipient ok\r\n"
SEND_CONTENT = b"354 End data with <CR><LF>.<CR><LF>\r\n"
BYE = b"221 2.0.0 Bye\r\n"
HELP = b"214 2.0.0 https://www.rfc-editor.org/rfc/rfc5321\r\n"
# RFC 5321 §3.5.3 lets a server keep its mailboxes to itself.
CANNOT_VERIFY = b"252 2.5.0 Send some mail, I will try my best\r\n"

LOGGED_IN = b"235 2.7.0 Authentication successful\r\n"
READY_FOR_TLS = b"220 2.0.0 Ready to start TLS\r\n"

TOO_BUSY = b"421 4.3.2 Too many connections, try again later\r\n"
TOO_MANY_FROM_YOU = b"421 4.7.0 Too many connections from your network\r\n"
SHUTTING_DOWN = b"421 4.3.2 Service is shutting down, try again later\r\n"
IDLE_TOO_LONG = b"421 4.4.2 Timeout, closing connection\r\n"
SESSION_TOO_LONG = b"421 4.4.2 Session has been open long enough, connect again\r\n"
TOO_SLOW = b"421 4.4.2 Message arrives too slowly, closing connection\r\n"
TOO_MUCH = b"421 4.7.0 Too much input, closing connection\r\n"
TOO_MANY_ERRORS = b"421 4.7.0 Too many errors, closing connection\r\n"
TOO_MUCH_JUNK = b"421 4.7.0 Too many commands that move no mail, closing connection\r\n"
TOO_MANY_MESSAGES = b"421 4.7.0 Enough messages for one connection, connect again\r\n"
TOO_MANY_FAILED_LOGINS = b"421 4.7.0 Too many failed logins, closing connection\r\n"

LINE_TOO_LONG = b"500 5.5.2 Line too long\r\n"
AUTH_LINE_TOO_LONG = b"500 5.5.6 Authentication exchange line is too long\r\n"
BAD_LINE = b"500 5.5.2 A command is text and ends with CR LF\r\n"
UNKNOWN_COMMAND = b"500 5.5.1 Command not recognised\r\n"
NOT_IMPLEMENTED = b"502 5.5.1 Command not implemented\r\n"
NO_ARGUMENT_HERE = b"501 5.5.4 This command has no argument\r\n"
HELLO_FIRST = b"503 5.5.1 Send EHLO first\r\n"
HELLO_SYNTAX = b"501 5.5.4 Syntax: EHLO host name\r\n"
MAIL_SYNTAX = b"501 5.5.4 Syntax: MAIL FROM:<address> [parameters]\r\n"
RCPT_SYNTAX = b"501 5.5.4 Syntax: RCPT TO:<address>\r\n"
BAD_PARAMETER = b"501 5.5.4 A parameter cannot be understood\r\n"
UNKNOWN_PARAMETER = b"555 5.5.4 Parameter not recognised or not implemented\r\n"
NESTED_MAIL = b"503 5.5.1 A transaction is open already\r\n"
MAIL_FIRST = b"503 5.5.1 Send MAIL first\r\n"
RCPT_FIRST = b"554 5.5.1 No valid recipients\r\n"
NEEDS_SMTPUTF8 = b"553 5.6.7 An address beyond ASCII needs SMTPUTF8\r\n"
TOO_MANY_RECIPIENTS = b"452 4.5.3 Too many recipients, send the rest in another transaction\r\n"
TOO_BIG = b"552 5.3.4 Message too big\r\n"
CONTENT_LINE_TOO_LONG = b"500 5.5.2 Content has an endless line\r\n"
BARE_CR_OR_LF = b"550 5.6.11 Content has a bare CR, a bare LF or a NUL\r\n"
NO_ROOM_NOW = b"452 4.3.1 Too much mail at once, try again later\r\n"

LOGIN_FIRST = b"530 5.7.0 Authentication required\r\n"
TLS_FIRST = b"530 5.7.0 Must issue a STARTTLS command first\r\n"
TLS_NEEDED_FOR_AUTH = b"538 5.7.11 Encryption required for authentication\r\n"
TLS_ALREADY = b"503 5.5.1 TLS is active already\r\n"
LOGGED_IN_ALREADY = b"503 5.5.1 Already authenticated\r\n"
NOT_DURING_MAIL = b"503 5.5.1 Not during a mail transaction\r\n"
AUTH_SYNTAX = b"501 5.5.4 Syntax: AUTH mechanism [initial-response]\r\n"
AUTH_CANCELLED = b"501 5.7.0 Authentication cancelled\r\n"
AUTH_UNREADABLE = b"501 5.5.2 Cannot decode the response\r\n"
UNKNOWN_MECHANISM = b"504 5.5.4 Unrecognised authentication mechanism\r\n"
# One text for an unknown user and a wrong password (hazard 10).
BAD_CREDENTIAL = b"535 5.7.8 Authentication credentials invalid\r\n"
LOGIN_LATER = b"454 4.7.0 Temporary authentication failure\r\n"
NULL_SENDER = b"550 5.7.1 A submission needs a sender that can be answered\r\n"

# A bug of ours: the peer comes back later, and learns nothing (hazard 19).
OUR_FAULT = b"451 4.3.0 Temporary failure, try again later\r\n"

_LAST = (b"421", b"221")

# Kind of refusal → reply code (RFC 5321 §4.2.3, RFC 4954 §6). Subclasses not named here
# speak as their base. The enhanced code comes from the error itself.
CODES: dict[type[MailError], int] = {
    MailError: 554,
    errors.BadRequest: 554,
    errors.BadAddress: 553,
    errors.UnknownMailbox: 550,
    errors.NotOurDomain: 550,
    errors.SenderRefused: 550,
    errors.BadCredential: 535,
    errors.NotYours: 550,
    errors.FromNotYours: 553,
    errors.RecipientBlocked: 550,
    errors.MessageTooBig: 552,
    errors.BadContent: 554,
    errors.RoutingLoop: 554,
    errors.QuotaReached: 550,
    errors.MailboxFull: 452,
    errors.Conflict: 554,
    errors.NameTaken: 550,
    errors.NotFound: 550,
    errors.NoChannel: 554,
    errors.TooManyRequests: 450,
    errors.TemporaryFailure: 451,
    errors.StorageFull: 452,
    errors.StatementRefused: 451,
}


def reply_for(error: MailError) -> bytes:
    """One refusal as one reply line."""
    code = next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)
    return f"{code} {error.enhanced} {_one_line(error.detail)}\r\n".encode("ascii")


def accepted(verb: str, queue_id: str) -> bytes:
    """`250 2.0.0 Queued as <queue id>`: from here the mail is ours (RFC 5321 §6.1)."""
    return f"250 2.0.0 {verb} as {_one_line(queue_id)}\r\n".encode("ascii")


def ends_connection(reply: bytes) -> bool:
    """Whether the connection closes after this reply."""
    return reply[:3] in _LAST


def _one_line(text: str) -> str:
    """Printable ASCII: what quotes a peer's words must not become a second reply."""
    if text.isascii() and text.isprintable():
        return text[:LONGEST_TEXT]
    return "".join(c if " " <= c <= "~" else "?" for c in text[:LONGEST_TEXT])

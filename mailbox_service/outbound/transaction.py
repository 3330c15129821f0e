"""Mail transactions (RFC 5321 §3.3): what is said next, and what a reply means for whom.

The commands of a transaction go out together where the server offers PIPELINING (RFC 2920), so
a message costs two round trips however many recipients it has. What is recorded is what was
said: commands and replies, never content and never credentials. Nothing here touches a
connection; `session` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from mailbox_service.core.delivery import Reply, shown
from mailbox_service.core.safe_lines import SafeLines, with_crlf
from mailbox_service.outbound.hops import Timeouts

# RFC 5321 §4.5.3.1.8: a server takes at least a hundred recipients a transaction.
MOST_RECIPIENTS = 100
# What is kept of a conversation, in characters.
KEPT_CONVERSATION = 8_192

# The final dot.
END = b".\r\n"
DATA, RESET = b"DATA\r\n", b"RSET\r\n"


class Attempted(Struct, frozen=True, gc=False):
    """What a next hop said about one recipient.

    `uncertain`: the content was sent whole and no reply to it came, so the message may have
    arrived (RFC 5321 §4.5.3.2.6, RFC 1047). `unreachable`: nobody was there to ask.
    """

    reply: Reply
    remote: str
    conversation: str
    uncertain: bool = False
    unreachable: bool = False


class Server(Struct, frozen=True):
    """A server as its greeting showed it. `remote` is its name for people, `opening` what was
    said until it was ready; `size_limit` the largest message that it takes, when it says so."""

    remote: str
    opening: tuple[str, ...]
    extensions: frozenset[str]
    size_limit: int | None

    @classmethod
    def of(cls, remote: str, opening: Sequence[str], extensions: Mapping[str, str]) -> Server:
        """Of the extensions that EHLO named, in lower case, with their parameters (RFC 1870)."""
        size = extensions.get("size", "")
        limit = int(size) or None if size.isascii() and size.isdigit() else None
        return cls(remote, tuple(opening), frozenset(extensions), limit)

    def offers(self, extension: str) -> bool:
        """Whether the server offered an extension, named in lower case."""
        return extension in self.extensions


class Carrier(Protocol):
    """What a letter travels on (`session`)."""

    def drop(self, letter: Letter) -> None: ...


class Letter:
    """One message for up to `MOST_RECIPIENTS` canonical addresses that share a next hop.

    `smtputf8` is what its submitter declared; `begin` is called before the first command. `done`
    ends with an answer for each recipient, by `until` (event loop time) at the latest. `tries`
    counts the connections that broke off before anything was answered.
    """

    __slots__ = (
        *("begin", "content", "done", "recipients", "reverse_path", "session", "smtputf8"),
        *("tries", "until"),
    )

    def __init__(
        self,
        reverse_path: str,
        recipients: Sequence[str],
        content: bytes,
        *,
        smtputf8: bool,
        begin: Callable[[], None],
        done: asyncio.Future[Mapping[str, Attempted]],
        until: float,
    ) -> None:
        self.reverse_path = reverse_path
        self.recipients = recipients
        self.content = content
        self.smtputf8 = smtputf8
        self.begin = begin
        self.done = done
        self.until = until
        self.tries = 0
        self.session: Carrier | None = None

    def give_up(self) -> None:
        """Have it sent no more: nobody waits for it."""
        if self.session is not None:
            self.session.drop(self)

    def answer(self, answers: Mapping[str, Attempted]) -> None:
        """Tell whoever waits, if somebody still does."""
        if not self.done.done():
            self.done.set_result(answers)

    def answer_all(self, reply: Reply, remote: str) -> None:
        """One answer for every recipient, from here and not from a server."""
        self.answer(dict.fromkeys(self.recipients, Attempted(reply, remote, f"* {reply.text}")))

    def fail(self, error: BaseException) -> None:
        """Tell whoever waits why there is no answer."""
        if not self.done.done():
            self.done.set_exception(error)


def obstacle(server: Server, content: bytes, *, utf8: bool) -> Reply | None:
    """Why a message cannot go to a server at all; None when it can."""
    limit = server.size_limit
    if limit is not None and len(content) > limit:
        return Reply(552, "5.3.4", f"The next hop takes messages of {limit} octets at most.")
    if utf8 and not server.offers("smtputf8"):
        return Reply(553, "5.6.7", "The next hop does not offer SMTPUTF8, which the message needs.")
    # RFC 6152 §3: convert or return. Converting would break the author's own signatures, so
    # it is returned, with a reason that says what to do.
    if not content.isascii() and not server.offers("8bitmime"):
        return Reply(554, "5.6.3", "The next hop does not offer 8BITMIME: send it as 7-bit text.")
    return None


def header_section(content: bytes) -> bytes:
    return content.partition(b"\r\n\r\n")[0]


class Transaction:
    """One MAIL, RCPT…, DATA and content, with what was said about each recipient.

    `number` counts the transactions of a connection from 1. Each reply goes to `heard`, in the
    order of the commands; it is `over` when no more is to come.
    """

    __slots__ = (
        *("_about", "_accepted", "_answers", "_batched", "_head", "_mail", "_open", "_recipients"),
        *("_replies", "_server", "_step", "_tail", "behind", "broken", "letter", "number"),
        *("over", "sending", "sent"),
    )

    def __init__(self, server: Server, letter: Letter, number: int) -> None:
        """Raises ValueError when an address holds a line end."""
        content = letter.content
        self.letter = letter
        self.number = number
        # The content is on its way, or behind us; all of it was handed to the network.
        self.sending = self.sent = False
        # Its commands went out while another's content was not answered yet.
        self.behind = False
        # The connection is of no further use.
        self.broken = False
        self._server = server
        self._batched = server.offers("pipelining")
        self._step = 0
        self._accepted = False
        # The server took MAIL, and nothing has ended the transaction there since.
        self._open = False
        self._replies: dict[str, Reply] = {}
        self._about: dict[str, str] = {}
        self._tail = ""
        self._answers: dict[str, Attempted] = {}
        opening = server.opening
        head = opening if number == 1 else (opening[0], f"* message {number} on this connection")
        self._head = "\n".join(head)
        ascii_content = content.isascii()
        utf8_content = (
            letter.smtputf8 and not ascii_content and not header_section(content).isascii()
        )
        self._recipients = self._sendable(utf8_content)
        mail = f"MAIL FROM:<{letter.reverse_path}>"
        if server.offers("size"):
            mail += f" SIZE={len(content)}"
        if not ascii_content and server.offers("8bitmime"):
            mail += " BODY=8BITMIME"
        paths = "".join((letter.reverse_path, *self._recipients))
        if utf8_content or not paths.isascii():
            mail += " SMTPUTF8"
        if "\n" in paths or "\r" in paths:
            raise ValueError("a command with a line end in it")
        self._mail = mail
        self.over = not self._recipients

    def _sendable(self, utf8_content: bool) -> Sequence[str]:
        """The recipients whom the server can be asked about; the others are answered."""
        server, letter = self._server, self.letter
        rest = []
        ascii_sender = letter.reverse_path.isascii()
        for recipient in letter.recipients:
            utf8 = utf8_content or not ascii_sender or not recipient.isascii()
            reply = obstacle(server, letter.content, utf8=utf8)
            if reply is None:
                rest.append(recipient)
            else:
                lines = f"{self._head}\n* {reply.text}"
                self._answers[recipient] = Attempted(reply, server.remote, lines)
        return rest

    @property
    def untouched(self) -> bool:
        """Whether nothing was answered yet, so that nothing can have happened."""
        return self._step == 0

    def opening(self) -> tuple[bytes, int]:
        """The first commands, and how many they are."""
        if not self._batched:
            return f"{self._mail}\r\n".encode(), 1
        commands = [self._mail, *map(rcpt, self._recipients), "DATA\r\n"]
        return "\r\n".join(commands).encode(), len(commands)

    def patience(self, timeouts: Timeouts) -> float:
        """Seconds to wait for the reply that comes next."""
        if self._step <= len(self._recipients):
            return timeouts.command
        if self.sending:
            return timeouts.final
        return timeouts.data if self._step == len(self._recipients) + 1 else timeouts.command

    def heard(self, reply: Reply) -> bytes:
        """Take the next reply; what is to be sent on it, nothing for nothing. It is the content
        when `sending` is true then."""
        step = self._step
        self._step = step + 1
        if step == 0:
            return self._heard_mail(reply)
        count = len(self._recipients)
        if step <= count:
            return self._heard_rcpt(step, reply)
        if step == count + 1:
            return self._heard_data(reply)
        if self.sending:
            self._tail += f"\n> ({len(self.letter.content)} octets of content)\n< {shown(reply)}"
            self._answer_rest(reply)
        elif self._open and reply.code // 100 != 2:
            self.broken = True  # it did not forget the transaction
        self.over = True
        return b""

    def _heard_mail(self, reply: Reply) -> bytes:
        self._head += f"\n> {self._mail}\n< {shown(reply)}"
        if reply.code // 100 == 2:
            self._open = True
            return b"" if self._batched else self._command(rcpt(self._recipients[0]))
        self._answer_rest(reply)
        self.over = not self._batched
        return b""

    def _heard_rcpt(self, place: int, reply: Reply) -> bytes:
        recipient = self._recipients[place - 1]
        self._about[recipient] = f"\n> {rcpt(recipient)}\n< {shown(reply)}"
        if reply.code // 100 != 2:
            # A refused MAIL is the reason for all that follows it.
            self._replies.setdefault(recipient, as_final(reply))
        elif recipient not in self._replies:
            self._accepted = True
        if self._batched:
            return b""
        if place < len(self._recipients):
            return self._command(rcpt(self._recipients[place]))
        if self._accepted:
            return DATA
        self._step += 1  # no DATA
        return RESET

    def _heard_data(self, reply: Reply) -> bytes:
        self._tail = f"\n> DATA\n< {shown(reply)}"
        if reply.code == 354:
            if self._accepted:
                self.sending = True
                return stuffed(self.letter.content)
            # RFC 2920 §3.1: the server waits for content that nobody gets; it gets none.
            self._open = False
            return END
        if reply.code // 100 not in (4, 5):
            # Nothing was sent, so no yes can be meant for it.
            reply = Reply(0, "4.5.0", f"An unexpected reply to DATA: {reply}")
            self.broken = True
        self._answer_rest(reply)
        if self._open and not self.broken:
            return RESET  # RFC 5321 §4.1.4: another MAIL would be refused within this one
        self.over = True
        return b""

    def _command(self, line: str) -> bytes:
        return f"{line}\r\n".encode()

    def _answer_rest(self, reply: Reply) -> None:
        """The answer for every recipient that has none yet."""
        for recipient in self._recipients:
            self._replies.setdefault(recipient, as_final(reply))

    def answers(self, lost: str | None = None) -> Mapping[str, Attempted]:
        """What was said about each recipient; `lost` says how the conversation broke off."""
        answers = self._answers
        tail = self._tail if lost is None else f"{self._tail}\n* {lost}"
        for recipient in self._recipients:
            reply = self._replies.get(recipient)
            uncertain = reply is None and self.sent
            if reply is None:
                reply = Reply(0, "4.4.2", lost or "The conversation broke off.")
            told = f"{self._head}{self._about.get(recipient, '')}{tail}"
            answers[recipient] = Attempted(
                reply, self._server.remote, told[:KEPT_CONVERSATION], uncertain
            )
        return answers


def rcpt(recipient: str) -> str:
    return f"RCPT TO:<{recipient}>"


def as_final(reply: Reply) -> Reply:
    """A reply that ends a transaction. An intermediate one (3xx) in its place is out of step:
    come back later rather than count it as a success or a refusal."""
    if reply.code // 100 == 3:
        return Reply(0, "4.5.0", f"An unexpected reply: {reply}")
    return reply


def stuffed(content: bytes) -> bytes:
    """Content as it goes over the wire: CRLF alone ends lines, dots doubled, the end marked.

    A bare CR or LF never leaves: some servers take it for a line end, and would find commands
    of somebody else's behind it (CVE-2023-51764 and its kin, "SMTP smuggling").
    """
    if type(content) is not SafeLines:
        content = with_crlf(content)
    content = content.replace(b"\r\n.", b"\r\n..")
    if content.startswith(b"."):
        content = b"." + content
    if content and not content.endswith(b"\r\n"):
        content += b"\r\n"
    return content + END

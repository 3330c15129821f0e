"""Mail transactions on a session (RFC 5321 §3.3).

The commands of a transaction go out together where the server offers PIPELINING (RFC 2920), so
a message costs two round trips however many recipients it has. What is recorded is what was
said: commands and replies, never content and never credentials.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mailbox_service.core.delivery import Reply
from mailbox_service.outbound.session import Lost, Session

# RFC 5321 §4.5.3.1.8: a server takes at least a hundred recipients a transaction.
MOST_RECIPIENTS = 100
# What is kept of a conversation, in characters.
KEPT_CONVERSATION = 8_192

# The final dot.
END = b".\r\n"

_line_end = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to every recipient of one submission.

    `smtputf8` is what its submitter declared; `begin` is called before the first command.
    """

    reverse_path: str
    content: bytes = field(repr=False)
    smtputf8: bool
    begin: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Attempted:
    """What a next hop said about one recipient.

    `uncertain`: the content was sent whole and no reply to it came, so the message may have
    arrived (RFC 5321 §4.5.3.2.6, RFC 1047). `unreachable`: nobody was there to ask.
    """

    reply: Reply
    remote: str
    conversation: str
    uncertain: bool = False
    unreachable: bool = False


async def transact(
    session: Session, message: Message, recipients: Sequence[str]
) -> Mapping[str, Attempted]:
    """Hand one message over for up to `MOST_RECIPIENTS` canonical addresses.

    Each recipient has its own answer, whatever the server does. Raises Lost only when a kept
    connection turned out to be gone before anything was answered, so that nothing can have
    happened.
    """
    utf8_content = message.smtputf8 and not header_section(message.content).isascii()
    answers: dict[str, Attempted] = {}
    for recipient in recipients:
        paths_ascii = recipient.isascii() and message.reverse_path.isascii()
        reply = obstacle(session, message.content, utf8=utf8_content or not paths_ascii)
        if reply is not None:
            lines = [*session.head(), f"* {reply.text}"]
            answers[recipient] = Attempted(reply, session.remote, "\n".join(lines))
    rest = [recipient for recipient in recipients if recipient not in answers]
    if rest:
        utf8 = utf8_content or not "".join((message.reverse_path, *rest)).isascii()
        answers |= await Transaction(session, message, rest, utf8=utf8).run()
    return answers


def obstacle(session: Session, content: bytes, *, utf8: bool) -> Reply | None:
    """Why a message cannot go through a session at all; None when it can."""
    limit = session.size_limit
    if limit is not None and len(content) > limit:
        return Reply(552, "5.3.4", f"The next hop takes messages of {limit} octets at most.")
    if utf8 and not session.offers("smtputf8"):
        return Reply(553, "5.6.7", "The next hop does not offer SMTPUTF8, which the message needs.")
    # RFC 6152 §3: convert or return. Converting would break the author's own signatures, so
    # it is returned, with a reason that says what to do.
    if not content.isascii() and not session.offers("8bitmime"):
        return Reply(554, "5.6.3", "The next hop does not offer 8BITMIME: send it as 7-bit text.")
    return None


def header_section(content: bytes) -> bytes:
    return content.partition(b"\r\n\r\n")[0]


class Transaction:
    """One MAIL, RCPT…, DATA and content, with what was said about each recipient."""

    def __init__(
        self,
        session: Session,
        message: Message,
        recipients: Sequence[str],
        *,
        utf8: bool,
    ) -> None:
        content = message.content
        self._session = session
        self._recipients = recipients
        self._content = content
        self._head = session.head()
        self._about: dict[str, list[str]] = {recipient: [] for recipient in recipients}
        self._tail: list[str] = []
        self._replies: dict[str, Reply] = {}
        self._heard = False
        self._sent = False
        mail = f"MAIL FROM:<{message.reverse_path}>"
        if session.offers("size"):
            mail += f" SIZE={len(content)}"
        if session.offers("8bitmime") and not content.isascii():
            mail += " BODY=8BITMIME"
        if utf8:
            mail += " SMTPUTF8"
        self._mail = mail

    async def run(self) -> Mapping[str, Attempted]:
        session = self._session
        lost: str | None = None
        try:
            if session.offers("pipelining"):
                await self._pipelined()
            else:
                await self._step_by_step()
        except Lost as error:
            if session.messages > 0 and not self._heard:
                raise
            lost = str(error)
        except BaseException:
            session.abort()
            raise
        session.messages += 1
        return self._attempts(lost)

    async def _pipelined(self) -> None:
        session = self._session
        session.command(self._mail, *map(rcpt, self._recipients), "DATA")
        accepted_mail = await self._mail_reply()
        accepted = False
        for recipient in self._recipients:
            accepted |= await self._rcpt_reply(recipient)
        go = await self._data_reply()
        if go.code != 354:
            self._refused_data(go)
        elif accepted_mail and accepted:
            await self._send_content()
        else:
            # RFC 2920 §3.1: the server waits for content that nobody gets; it gets none.
            await session.content(END)
            await session.reply(session.timeouts.command)

    async def _step_by_step(self) -> None:
        session = self._session
        session.command(self._mail)
        if not await self._mail_reply():
            return
        accepted = False
        for recipient in self._recipients:
            session.command(rcpt(recipient))
            accepted |= await self._rcpt_reply(recipient)
        if not accepted:
            session.command("RSET")
            await session.reply(session.timeouts.command)
            return
        session.command("DATA")
        go = await self._data_reply()
        if go.code == 354:
            await self._send_content()
        else:
            self._refused_data(go)

    async def _mail_reply(self) -> bool:
        session = self._session
        reply = await session.reply(session.timeouts.command)
        if reply.code == 421 and session.messages > 0:
            raise Lost(f"the server said {reply}")  # a kept connection has had its time
        self._heard = True
        self._head = [*self._head, f"> {self._mail}", f"< {reply}"]
        if reply.code // 100 == 2:
            return True
        self._answer_rest(reply)
        return False

    async def _rcpt_reply(self, recipient: str) -> bool:
        reply = await self._session.reply(self._session.timeouts.command)
        self._about[recipient] += [f"> {rcpt(recipient)}", f"< {reply}"]
        if reply.code // 100 == 2:
            return recipient not in self._replies
        # A refused MAIL is the reason for all that follows it.
        self._replies.setdefault(recipient, as_final(reply))
        return False

    async def _data_reply(self) -> Reply:
        reply = await self._session.reply(self._session.timeouts.data)
        self._tail += ["> DATA", f"< {reply}"]
        return reply

    async def _send_content(self) -> None:
        session = self._session
        self._sent = await session.content(stuffed(self._content))
        self._tail.append(f"> ({len(self._content)} octets of content)")
        reply = await session.reply(session.timeouts.final)
        self._tail.append(f"< {reply}")
        self._answer_rest(reply)
        if not self._sent:
            session.abort()

    def _refused_data(self, reply: Reply) -> None:
        if reply.code // 100 not in (4, 5):
            # Nothing was sent, so no yes can be meant for it.
            reply = Reply(0, "4.5.0", f"An unexpected reply to DATA: {reply}")
            self._session.abort()
        self._answer_rest(reply)

    def _answer_rest(self, reply: Reply) -> None:
        """The answer for every recipient that has none yet."""
        for recipient in self._recipients:
            self._replies.setdefault(recipient, as_final(reply))

    def _attempts(self, lost: str | None) -> Mapping[str, Attempted]:
        attempts = {}
        tail = self._tail if lost is None else [*self._tail, f"* {lost}"]
        for recipient in self._recipients:
            reply = self._replies.get(recipient)
            uncertain = reply is None and self._sent
            if reply is None:
                reply = Reply(0, "4.4.2", lost or "The conversation broke off.")
            lines = [*self._head, *self._about[recipient], *tail]
            attempts[recipient] = Attempted(
                reply,
                self._session.remote,
                "\n".join(lines)[:KEPT_CONVERSATION],
                uncertain=uncertain,
            )
        return attempts


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
    ends = content.count(b"\r\n")
    if content.count(b"\n") != ends or content.count(b"\r") != ends:
        content = _line_end.sub(b"\r\n", content)
    content = content.replace(b"\r\n.", b"\r\n..")
    if content.startswith(b"."):
        content = b"." + content
    if content and not content.endswith(b"\r\n"):
        content += b"\r\n"
    return content + END

"""One connection to a next hop, and the mail transactions on it (RFC 5321 §3.3).

The commands of a transaction go out together where the server offers PIPELINING (RFC 2920), so
a message costs two round trips however many recipients it has. What is recorded is what was
said: commands and replies, never content and never credentials.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailbox_service.core.delivery import Reply
from mailbox_service.outbound.hops import Timeouts
from mailbox_service.outbound.replies import BadReply, ReplyReader

# RFC 5321 §4.5.3.1.8: a server takes at least a hundred recipients a transaction.
MOST_RECIPIENTS = 100
# Content goes out in pieces, so that one large message neither fills memory nor holds the loop.
PIECE = 262_144
# What is kept of a conversation, in characters.
KEPT_CONVERSATION = 8_192

# The final dot.
END = b".\r\n"

_line_end = re.compile(rb"\r\n|\r|\n")


class Lost(Exception):
    """The connection ended, or the peer stopped speaking SMTP; the text says how."""


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


class Session(asyncio.Protocol):
    """A connection that has been greeted, and logged in where that is wanted."""

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        remote: str,
        extensions: Mapping[str, str],
        opening: Sequence[str],
        timeouts: Timeouts,
    ) -> None:
        self.remote = remote
        self.messages = 0
        self._transport = transport
        self._extensions = extensions
        self._opening = list(opening)
        self.timeouts = timeouts
        self._reader = ReplyReader()
        self._replies: deque[Reply] = deque()
        self._owed = 0
        self._waiter: asyncio.Future[None] | None = None
        self._lost: str | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._loop = asyncio.get_running_loop()

    # What the transport tells.

    def data_received(self, data: bytes) -> None:
        try:
            replies = self._reader.feed(data)
        except BadReply as error:
            self._end(f"the server sent {error}")
            return
        self._owed -= len(replies)
        if self._owed < 0:
            # 421 before closing is polite (RFC 5321 §3.8); anything else is out of step.
            last = replies[-1]
            self._end(f"the server said {last}" if last.code == 421 else "out of step")
            return
        self._replies.extend(replies)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def eof_received(self) -> bool:
        self._end("the server closed the connection")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._end("the connection was reset" if error else "the server closed the connection")

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    # The life of the connection.

    @property
    def usable(self) -> bool:
        """Whether another transaction may be tried on this connection."""
        return self._lost is None and self._owed == 0 and not self._transport.is_closing()

    def offers(self, extension: str) -> bool:
        """Whether the server offered an extension, named in lower case."""
        return extension in self._extensions

    @property
    def size_limit(self) -> int | None:
        """The largest message that the server takes, when it says so (RFC 1870)."""
        text = self._extensions.get("size", "")
        return int(text) or None if text.isascii() and text.isdigit() else None

    def quit(self) -> None:
        """Take leave without waiting for an answer."""
        if self.usable:
            self._transport.write(b"QUIT\r\n")
        self._end("we closed the connection")

    def abort(self) -> None:
        """Cut the connection, with whatever is still to be written."""
        self._end("we gave up", cut=True)

    def _end(self, reason: str, *, cut: bool = False) -> None:
        if self._lost is None:
            self._lost = reason
            self._transport.close()
        if cut:
            self._transport.abort()
        self._may_write.set()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # Talking.

    def command(self, *lines: str) -> None:
        """Send commands, each of which will be answered."""
        data = "".join(f"{line}\r\n" for line in lines).encode()
        if data.count(b"\n") != len(lines) or data.count(b"\r") != len(lines):
            raise ValueError("a command with a line end in it")
        self._owed += len(lines)
        self._transport.write(data)

    async def content(self, payload: bytes) -> bool:
        """Send content with its end mark, which will be answered.

        False when the server answered before it had it all; the connection is of no further
        use then. Raises Lost.
        """
        self._owed += 1
        if len(payload) <= PIECE:
            self._transport.write(payload)
            return True
        view = memoryview(payload)
        for start in range(0, len(payload), PIECE):
            if self._lost is not None:
                raise Lost(self._lost)
            if self._replies:
                return False
            self._transport.write(view[start : start + PIECE])
            try:
                async with asyncio.timeout(self.timeouts.block):
                    await self._may_write.wait()
            except TimeoutError:
                self._end("the server stopped reading", cut=True)
        return True

    async def reply(self, seconds: float) -> Reply:
        """The next reply. Raises Lost, also when none comes in time."""
        if self._replies:
            return self._replies.popleft()
        timer = self._loop.call_later(seconds, self._time_out, seconds)
        try:
            while not self._replies:
                if self._lost is not None:
                    raise Lost(self._lost)
                self._waiter = self._loop.create_future()
                await self._waiter
            return self._replies.popleft()
        finally:
            timer.cancel()
            self._waiter = None

    def _time_out(self, seconds: float) -> None:
        self._end(f"no reply within {seconds:g} seconds", cut=True)

    async def transact(
        self, reverse_path: str, recipients: Sequence[str], content: bytes, *, utf8: bool
    ) -> Mapping[str, Attempted]:
        """Hand over one message for up to `MOST_RECIPIENTS` canonical addresses.

        `utf8`: the message needs SMTPUTF8 (RFC 6531). Each recipient has its own answer, whatever
        the server does. Raises Lost only when a kept connection turned out to be gone before
        anything was answered, so that nothing can have happened.
        """
        return await Transaction(self, reverse_path, recipients, content, utf8=utf8).run()

    def head(self) -> list[str]:
        """How the conversation began, as far as the next message is concerned."""
        if self.messages == 0:
            return self._opening
        return [self._opening[0], f"* message {self.messages + 1} on this connection"]


class Transaction:
    """One MAIL, RCPT…, DATA and content, with what was said about each recipient."""

    def __init__(
        self,
        session: Session,
        reverse_path: str,
        recipients: Sequence[str],
        content: bytes,
        *,
        utf8: bool,
    ) -> None:
        self._session = session
        self._recipients = recipients
        self._content = content
        self._utf8 = utf8
        self._head = session.head()
        self._about: dict[str, list[str]] = {recipient: [] for recipient in recipients}
        self._tail: list[str] = []
        self._replies: dict[str, Reply] = {}
        self._heard = False
        self._sent = False
        mail = f"MAIL FROM:<{reverse_path}>"
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

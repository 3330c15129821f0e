"""One connection to a next hop: commands out, replies in, within limits of time and memory.

Where the server offers PIPELINING, the commands of the next message go out behind the content of
the one before (RFC 2920 §3.1 allows content as the first of a group): one packet and one round
trip a message. A reply belongs to the command that it stands in line for, so what becomes of one
message says nothing about the next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from mailbox_service.outbound.hops import Timeouts
from mailbox_service.outbound.replies import BadReply, ReplyReader
from mailbox_service.outbound.transaction import Letter, Server, Transaction

# Content goes out in pieces, so that one large message neither fills memory nor holds the loop.
PIECE = 262_144
TOO_LONG = "The attempt took too long."


class Line(Protocol):
    """Where a session gets its letters from (`connections`)."""

    def next(self, session: Session, *, behind: bool) -> Letter | None:
        """The next letter, `behind` one that is not answered yet; None for none."""
        ...

    def again(self, letter: Letter, why: str, *, behind: bool) -> None:
        """Take a letter back of which the server said nothing before the connection ended."""
        ...

    def free(self, session: Session) -> None:
        """Hear that a session has nothing to do."""
        ...

    def gone(self, session: Session) -> None:
        """Hear that a session has ended."""
        ...


class Session(asyncio.Protocol):
    """A connection that has been greeted, and logged in where that is wanted."""

    def __init__(self, transport: asyncio.Transport, *, server: Server, timeouts: Timeouts) -> None:
        self.server = server
        self.begun = 0
        """Messages that were begun on this connection."""
        self.line: Line | None = None
        self._transport = transport
        self._timeouts = timeouts
        self._pipelining = server.offers("pipelining")
        self._reader = ReplyReader()
        self._under_way: deque[Transaction] = deque()
        self._owed = 0
        self._lost: str | None = None
        self._last = False
        # What of a large content is still to be written.
        self._rest = memoryview(b"")
        self._may_write = True
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._deadline = 0.0

    # What the transport tells.

    def data_received(self, data: bytes) -> None:
        if self._lost is not None:
            return
        # Why the conversation ends here; what was answered before that stays answered.
        ends = ""
        try:
            replies = self._reader.feed(data)
        except BadReply as error:
            replies, ends = error.before, f"the server sent {error}"
        self._owed -= len(replies)
        if self._owed < 0:
            # 421 before closing is polite (RFC 5321 §3.8); anything else is out of step.
            last = replies.pop()
            if self._owed < -1 or last.code != 421:
                self._end("out of step")
                return
            ends = f"the server said {last}"
        under_way = self._under_way
        for reply in replies:
            one = under_way[0]
            if reply.code == 421 and one.number > 1 and one.untouched:
                # A kept connection has had its time.
                self._end(f"the server said {reply}")
                return
            out = one.heard(reply)
            if one.over:
                self._finish(one)
                if self._lost is not None:
                    return
            elif out and not ends:
                self._send(one, out)
        if ends:
            self._end(ends)
        elif under_way:
            self._wait_for(under_way[0])
        else:
            self._go_on()

    def eof_received(self) -> bool:
        self._end("the server closed the connection")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._end("the connection was reset" if error else "the server closed the connection")

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        if self._under_way and self._lost is None:
            self._write_rest()
            self._wait_for(self._under_way[0])

    # The life of the connection.

    @property
    def usable(self) -> bool:
        """Whether another transaction may be begun on this connection."""
        return self._lost is None and not self._under_way and not self._transport.is_closing()

    @property
    def over(self) -> bool:
        """Whether the connection has ended."""
        return self._lost is not None

    def quit(self) -> None:
        """Take leave without waiting for an answer."""
        if self.usable:
            self._transport.write(b"QUIT\r\n")
        self._end("we closed the connection")

    def abort(self) -> None:
        """Cut the connection, with whatever is still to be written."""
        self._end("we gave up", cut=True)

    def rest(self, seconds: float) -> None:
        """Take leave when nobody needs the connection for that long."""
        self._wait_until(self._loop.time() + seconds)

    def _end(self, reason: str, *, cut: bool = False) -> None:
        first = self._lost is None
        if first:
            self._lost = reason
            self._transport.close()
        if cut:
            self._transport.abort()
        if not first:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._rest = memoryview(b"")
        line = self.line
        while self._under_way:
            one = self._under_way.pop()
            if one.untouched and one.number > 1 and line is not None:
                line.again(one.letter, reason, behind=one.behind)
            else:
                one.letter.answer(one.answers(reason))
        if line is not None:
            line.gone(self)

    # Talking.

    def take(self, letter: Letter) -> None:
        """Begin a letter on a connection that has nothing to do."""
        opening = self._begin(letter)
        if opening:
            self._transport.write(opening)
            self._wait_for(self._under_way[0])
        else:
            self._go_on()

    def drop(self, letter: Letter) -> None:
        """Give up a letter that nobody waits for any more, and the connection with it: once what
        is before the letter was answered."""
        if self._under_way and self._under_way[0].letter is letter:
            self.abort()
        elif any(one.letter is letter for one in self._under_way):
            self._last = True

    def _go_on(self) -> None:
        """Begin the next letter, if there is one."""
        line = self.line
        if line is None:
            return
        while letter := line.next(self, behind=False):
            opening = self._begin(letter)
            if opening:
                self._transport.write(opening)
                self._wait_for(self._under_way[0])
                return
        line.free(self)

    def _begin(self, letter: Letter) -> bytes:
        """The first commands of a letter; none when the server need not hear of it."""
        try:
            one = Transaction(self.server, letter, self.begun + 1)
        except ValueError as error:
            letter.fail(error)
            return b""
        if one.over:
            letter.answer(one.answers())
            return b""
        opening, commands = one.opening()
        letter.begin()
        self.begun += 1
        letter.session = self
        one.behind = bool(self._under_way)
        self._owed += commands
        self._under_way.append(one)
        return opening

    def _finish(self, one: Transaction) -> None:
        self._under_way.popleft()
        one.letter.answer(one.answers())
        # A server that answers before it has all of the content is out of step.
        if one.broken or self._rest or self._last:
            self.abort()

    def _send(self, one: Transaction, out: bytes) -> None:
        """Send a command or content, which will be answered."""
        self._owed += 1
        if not one.sending:
            self._transport.write(out)
        elif len(out) > PIECE:
            self._rest = memoryview(out)
            self._write_rest()
        else:
            one.sent = True
            self._transport.write(out + self._behind() if self._pipelining else out)

    def _behind(self) -> bytes:
        """The commands of the next letter, which need not wait for this one's answer."""
        line = self.line
        if line is not None:
            while letter := line.next(self, behind=True):
                opening = self._begin(letter)
                if opening:
                    return opening
        return b""

    def _write_rest(self) -> None:
        while self._rest and self._may_write:
            piece, self._rest = self._rest[:PIECE], self._rest[PIECE:]
            if not self._rest:
                self._under_way[0].sent = True
            self._transport.write(piece)

    # Waiting.

    def _wait_for(self, one: Transaction) -> None:
        """Wait for the next reply to a letter, or for the network to take more of it."""
        stopped = one.sending and not self._may_write
        seconds = self._timeouts.block if stopped else one.patience(self._timeouts)
        self._wait_until(min(self._loop.time() + seconds, one.letter.until))

    def _wait_until(self, deadline: float) -> None:
        """Look at the time then. One timer serves a connection, and is moved as seldom as can
        be: it looks too early now and then, never too late."""
        self._deadline = deadline
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_at(deadline, self._look_at_time)

    def _look_at_time(self) -> None:
        self._timer = None
        if self._loop.time() < self._deadline:
            self._wait_until(self._deadline)
        elif not self._under_way:
            self.quit()
        else:
            self._end(self._reason(self._under_way[0]), cut=True)

    def _reason(self, one: Transaction) -> str:
        """Why nobody waits any longer."""
        if self._loop.time() >= one.letter.until:
            return TOO_LONG
        if one.sending and not self._may_write:
            return "the server stopped reading"
        return f"no reply within {one.patience(self._timeouts):g} seconds"

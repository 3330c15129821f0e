"""Kept connections: several a next hop, each used for many messages, and who waits for them.

A next hop that could not be reached is not tried again for a few seconds, so that what waits
for it does not wait for a timeout each.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from mailbox_service.core.delivery import Reply
from mailbox_service.outbound.opening import NotOpened
from mailbox_service.outbound.session import TOO_LONG, Session
from mailbox_service.outbound.transaction import Letter

# Connections to one next hop. Large receivers take 10 to 20 from one address before they slow
# a sender down.
CONNECTIONS_A_HOP = 10
# Messages over one connection before a new one is made; receivers often stop at 100 or at 1,000.
MESSAGES_A_CONNECTION = 100
# Connections that one message takes when kept ones turn out to be gone.
CONNECTIONS_A_MESSAGE = 3
# Seconds that an unused connection is kept. Servers close theirs after a minute or more.
IDLE_SECONDS = 20.0
# Seconds for which a failure to connect is the answer for everybody.
UNREACHABLE_SECONDS = 10.0
# Failures remembered, the oldest forgotten first.
MOST_FAILURES = 10_000
# Seconds for all hosts of a next hop together. The waits on the way have limits of their own.
OPENING_SECONDS = 780.0

Open = Callable[[], Awaitable[Session]]


class Connections:
    """The connections to all next hops, by their names."""

    def __init__(
        self,
        *,
        a_hop: int = CONNECTIONS_A_HOP,
        messages: int = MESSAGES_A_CONNECTION,
        idle_seconds: float = IDLE_SECONDS,
        unreachable_seconds: float = UNREACHABLE_SECONDS,
    ) -> None:
        self.a_hop = a_hop
        self.messages = messages
        self.idle_seconds = idle_seconds
        self._unreachable_seconds = unreachable_seconds
        self._lanes: dict[str, Lane] = {}
        self._failures: dict[str, tuple[float, NotOpened]] = {}

    def hand_over(self, hop: str, open_session: Open, letter: Letter) -> None:
        """Send a letter to `hop` on a connection, kept or new, once there is one for it.

        `letter.done` ends with the answers, or with NotOpened.
        """
        lane = self._lanes.get(hop)
        if lane is None:
            lane = self._lanes[hop] = Lane(self, hop)
        lane.add(open_session, letter)

    def failure(self, hop: str) -> NotOpened | None:
        """Why a hop could not be reached a moment ago."""
        found = self._failures.get(hop)
        if found is None:
            return None
        if asyncio.get_running_loop().time() < found[0]:
            return found[1].again()
        del self._failures[hop]
        return None

    def failed(self, hop: str, error: NotOpened) -> None:
        """Remember that a hop could not be reached."""
        if len(self._failures) >= MOST_FAILURES:
            del self._failures[next(iter(self._failures))]
        until = asyncio.get_running_loop().time() + self._unreachable_seconds
        self._failures[hop] = (until, error)

    def forget(self, hop: str, lane: Lane) -> None:
        """Hear that nothing is kept for a hop any more."""
        if self._lanes.get(hop) is lane:
            del self._lanes[hop]

    def close(self) -> None:
        """Take leave on every unused connection."""
        for lane in list(self._lanes.values()):
            lane.close()


class Lane:
    """The connections to one next hop, and the letters that wait for one."""

    def __init__(self, connections: Connections, hop: str) -> None:
        self._connections = connections
        self._hop = hop
        self._open = 0
        """Connections there are, those being made included."""
        self._open_session: Open
        self._waiting: deque[Letter] = deque()
        self._idle: list[Session] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        # Whether commands may go out behind the content of the message before.
        self._ahead = True

    def add(self, open_session: Open, letter: Letter) -> None:
        """Send a letter as soon as a connection is free."""
        self._open_session = open_session
        self._waiting.append(letter)
        self._move()

    def close(self) -> None:
        """End unused connections, and make no more."""
        for session in list(self._idle):
            session.quit()
        for task in self._opening:
            task.cancel()

    # What sessions ask and tell.

    def next(self, session: Session, *, behind: bool) -> Letter | None:
        """The letter that has waited longest. What was lost once goes out alone."""
        while self._waiting and session.begun < self._connections.messages:
            letter = self._waiting[0]
            if behind and (letter.tries or not self._ahead):
                return None
            self._waiting.popleft()
            if not letter.done.done():
                return letter
        return None

    def again(self, letter: Letter, why: str, *, behind: bool) -> None:
        """Find another connection for a letter of which nobody heard."""
        if behind:
            self._ahead = False  # a server that hangs up between messages
        letter.tries += 1
        letter.session = None
        if self._loop.time() >= letter.until:
            letter.answer_all(Reply(0, "4.4.2", TOO_LONG), self._hop)
        elif letter.tries >= CONNECTIONS_A_MESSAGE:
            reply = Reply(0, "4.4.2", f"Connections to {self._hop} break off: {why}")
            letter.answer_all(reply, self._hop)
        elif not letter.done.done():
            self._waiting.appendleft(letter)

    def free(self, session: Session) -> None:
        """Keep a connection for the next letter if it can be."""
        if session.usable and session.begun < self._connections.messages:
            self._idle.append(session)
            session.rest(self._connections.idle_seconds)
        else:
            session.quit()

    def gone(self, session: Session) -> None:
        """Make room for another connection."""
        self._open -= 1
        if session in self._idle:
            self._idle.remove(session)
        self._loop.call_soon(self._move)

    # Connections.

    def _move(self) -> None:
        """Give what waits to unused connections, and make more while there may be more."""
        while self._waiting and self._idle:
            session = self._idle.pop()
            if not session.usable:
                continue  # it tells in a moment
            letter = self.next(session, behind=False)
            if letter is not None:
                session.take(letter)
            else:
                self.free(session)
        while len(self._opening) < len(self._waiting) and self._open < self._connections.a_hop:
            self._open += 1
            task = self._loop.create_task(self._make())
            self._opening.add(task)
            task.add_done_callback(self._made)
        if self._waiting:
            self._watch(self._waiting[0].until)
        elif not self._open and not self._waiting:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._connections.forget(self._hop, self)

    async def _make(self) -> None:
        """Make a connection, while somebody waits for one."""
        session = None
        try:
            while self._waiting and session is None:
                failure = self._connections.failure(self._hop)
                if failure is None:
                    session = await self._try()
                else:
                    self._refuse(failure)
        finally:
            if session is None or session.over:
                self._open -= 1
        if session is not None and not session.over:
            session.line = self
            self.free(session)

    async def _try(self) -> Session | None:
        try:
            async with asyncio.timeout(OPENING_SECONDS):
                return await self._open_session()
        except NotOpened as error:
            self._connections.failed(self._hop, error)
            self._refuse(error)
        except TimeoutError:
            pass  # whoever waited for it has been answered
        except Exception as error:
            self._refuse(error)
        return None

    def _refuse(self, error: Exception) -> None:
        """Tell the first in line that there is no connection."""
        while self._waiting:
            letter = self._waiting.popleft()
            if not letter.done.done():
                letter.fail(error)
                return

    def _made(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        if not task.cancelled():
            self._move()

    def _watch(self, until: float) -> None:
        """Look at the time then; it may be looked at too early, never too late."""
        if self._timer is not None:
            if self._timer.when() <= until:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(until, self._look_at_time)

    def _look_at_time(self) -> None:
        """Answer those who have waited for too long."""
        self._timer = None
        now = self._loop.time()
        while self._waiting and now >= self._waiting[0].until:
            letter = self._waiting.popleft()
            letter.answer_all(Reply(0, "4.4.2", TOO_LONG), self._hop)
        self._move()

"""Kept connections: several a next hop, each used for many messages.

A next hop that could not be reached is not tried again for a few seconds, so that what waits
for it does not wait for a timeout each.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from mailbox_service.outbound.opening import NotOpened
from mailbox_service.outbound.session import Session

# Connections to one next hop. Large receivers take 10 to 20 from one address before they slow
# a sender down.
CONNECTIONS_A_HOP = 10
# Messages over one connection before a new one is made; receivers often stop at 100 or at 1,000.
MESSAGES_A_CONNECTION = 100
# Seconds that an unused connection is kept. Servers close theirs after a minute or more.
IDLE_SECONDS = 20.0
# Seconds for which a failure to connect is the answer for everybody.
UNREACHABLE_SECONDS = 10.0
# Failures remembered, the oldest forgotten first.
MOST_FAILURES = 10_000

Open = Callable[[], Awaitable[Session]]


@dataclass(slots=True)
class Kept:
    """An unused connection and the timer that ends it."""

    session: Session
    timer: asyncio.TimerHandle


@dataclass(slots=True)
class Lane:
    """The connections to one next hop; `open` counts those in use and those being made."""

    open: int = 0
    idle: list[Kept] = field(default_factory=list)
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


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
        self._a_hop = a_hop
        self._messages = messages
        self._idle_seconds = idle_seconds
        self._unreachable_seconds = unreachable_seconds
        self._lanes: dict[str, Lane] = {}
        self._failures: dict[str, tuple[float, NotOpened]] = {}

    async def take(self, hop: str, open_session: Open) -> Session:
        """A connection to `hop`, kept or new, once one of its places is free.

        Give it back with `give_back`, whatever happened. Raises NotOpened.
        """
        lane = self._lanes.setdefault(hop, Lane())
        if lane.open < self._a_hop:
            lane.open += 1
        else:
            await self._turn(hop, lane)
        try:
            while lane.idle:
                kept = lane.idle.pop()
                kept.timer.cancel()
                if kept.session.usable:
                    return kept.session
            return await self._open(hop, open_session)
        except BaseException:
            self._leave(hop, lane)
            raise

    async def _turn(self, hop: str, lane: Lane) -> None:
        """Wait in line until somebody hands over a place."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(hop, lane)
            raise

    async def _open(self, hop: str, open_session: Open) -> Session:
        loop = asyncio.get_running_loop()
        failure = self._failures.get(hop)
        if failure is not None:
            if loop.time() < failure[0]:
                raise failure[1].again()
            del self._failures[hop]
        try:
            return await open_session()
        except NotOpened as error:
            if len(self._failures) >= MOST_FAILURES:
                del self._failures[next(iter(self._failures))]
            self._failures[hop] = (loop.time() + self._unreachable_seconds, error)
            raise

    def give_back(self, hop: str, session: Session) -> None:
        """Return a connection; it is kept for the next message if it can be."""
        lane = self._lanes[hop]
        if session.usable and session.messages < self._messages:
            timer = asyncio.get_running_loop().call_later(
                self._idle_seconds, self._drop, hop, session
            )
            lane.idle.append(Kept(session, timer))
        else:
            session.quit()
        self._leave(hop, lane)

    def _drop(self, hop: str, session: Session) -> None:
        """End a connection that nobody used for a while."""
        lane = self._lanes.get(hop)
        if lane is not None:
            lane.idle = [kept for kept in lane.idle if kept.session is not session]
            self._forget_empty(hop, lane)
        session.quit()

    def _leave(self, hop: str, lane: Lane) -> None:
        """Hand a place over to the next in line, or free it."""
        while lane.waiting:
            turn = lane.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        lane.open -= 1
        self._forget_empty(hop, lane)

    def _forget_empty(self, hop: str, lane: Lane) -> None:
        if not lane.open and not lane.idle:
            self._lanes.pop(hop, None)

    def close(self) -> None:
        """Take leave on every unused connection."""
        for lane in self._lanes.values():
            for kept in lane.idle:
                kept.timer.cancel()
                kept.session.quit()
            lane.idle.clear()

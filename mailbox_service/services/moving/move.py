"""What all parts of a take-over share: where to, from where, and what became of everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mailbox_service.core.deployment import BadRow
from mailbox_service.services.clock import Clock
from mailbox_service.storage.database import Database

T = TypeVar("T")
R = TypeVar("R")

# Problems that are told one by one; of the others only how many there were.
TOLD = 20


@dataclass(slots=True)
class TakenOver:
    """What became of everything, counted by kind, and why some things stayed behind."""

    added: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def leave_out(self, kind: str, problem: str) -> None:
        """Count something that stays behind, and say why."""
        self.left_out[kind] += 1
        if len(self.problems) < TOLD:
            self.problems.append(f"{kind}: {problem}")


@dataclass(slots=True)
class Move:
    """One take-over. `source` names the deployment, for where there are several; `joins`: an
    address or account that is here already is taken for the same one."""

    database: Database
    source: str
    joins: bool
    clock: Clock
    done: TakenOver = field(default_factory=TakenOver)
    # Addresses that belong to somebody else here: what is theirs there stays behind.
    foreign: set[str] = field(default_factory=set)

    def each(self, kind: str, rows: Iterable[R], read: Callable[[R], T]) -> Iterator[T]:
        """What rows say, in order; those that say nothing are counted."""
        for row in rows:
            try:
                yield read(row)
            except BadRow as problem:
                self.done.leave_out(kind, str(problem))

    async def keep(self, kind: str, unit: Callable[..., Any], **values: object) -> None:
        """Write something that is kept when it is new here, and count it."""
        written = await self.database.write(unit, **values)
        (self.done.added if written else self.done.known)[kind] += 1

    def is_foreign(self, kind: str, address: str) -> bool:
        """Whether something belongs to an address that is somebody else's here; then it is
        counted as left behind."""
        if address not in self.foreign:
            return False
        self.done.leave_out(kind, f"{address} belongs to somebody else here")
        return True

"""What a program was asked for and what it found: medians, ratios, goals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Options:
    """How long to measure. Short rounds, often: a neighbour's burst then spoils one, not all."""

    rounds: int = 5
    seconds: float = 1.5
    quick: bool = False
    big: bool = False


@dataclass
class Series:
    """The rounds of one target under one load."""

    rates: list[float] = field(default_factory=list)
    cpu_micros: list[float] = field(default_factory=list)

    def add(self, count: int, seconds: float, cpu_seconds: float) -> None:
        """One round: so many messages or requests, in that time, at that cost of the server."""
        self.rates.append(count / seconds)
        self.cpu_micros.append(cpu_seconds / count * 1e6)

    @property
    def rate(self) -> float:
        return median(self.rates)

    @property
    def cpu(self) -> float:
        return median(self.cpu_micros)

    @property
    def spread(self) -> str:
        return f"{min(self.rates):,.0f}–{max(self.rates):,.0f}"


@dataclass(frozen=True)
class Goal:
    """A figure beside what `docs` promise: the least first, the aim later."""

    what: str
    figure: float
    first: float
    aim: float | None = None
    unit: str = "×"
    at_most: bool = False

    def reached(self, bound: float) -> bool:
        return self.figure <= bound if self.at_most else self.figure >= bound

    def shown(self, bound: float | None) -> str:
        """A bound, with a mark when it is kept."""
        if bound is None:
            return ""
        sign = "≤" if self.at_most else "≥"
        return f"{sign} {number(bound)} {self.unit} {'✓' if self.reached(bound) else '–'}"


@dataclass(frozen=True)
class Report:
    """One program's result: a table of everything measured, and the goals."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    goals: Sequence[Goal] = ()
    versions: Sequence[str] = ()
    notes: Sequence[str] = ()
    raw: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """A benchmark. Its module's docstring says what is compared, and why that is fair."""

    name: str
    run: Callable[[Options], Report]
    about: str
    title: str
    only_when_asked: bool = False


def number(value: float) -> str:
    """A figure with as many digits as it deserves."""
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"


def times(value: float) -> str:
    """A ratio."""
    return f"{number(value)}×"

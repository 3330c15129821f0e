"""Rounds that alternate between targets: A B C, A B C, …

What disturbs the machine then disturbs all of them alike. Each target has the machine to itself
in its turn: the others are stopped, so that none works off a backlog on another's time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.figures import Options, Series
from benchmarks.processes import Tree

# The first round is thrown away: it fills caches, starts processes, and tells how many fit.
FIRST = 200


@dataclass(frozen=True)
class Target:
    """A server under a load: `send` sends so many messages or requests, and gives the seconds."""

    tree: Tree
    send: Callable[[int], float]
    at_least: int = FIRST


def measure(targets: Mapping[str, Target], options: Options) -> dict[str, Series]:
    """Measure all targets in turns, with as many messages a round as fit into its time."""
    for target in targets.values():
        target.tree.put_aside()
    counts = {name: _warm_up(target, options.seconds) for name, target in targets.items()}
    series = {name: Series() for name in targets}
    for _ in range(options.rounds):
        for name, target in targets.items():
            target.tree.bring_back()
            before = target.tree.cpu_seconds()
            seconds = target.send(counts[name])
            spent = target.tree.cpu_seconds() - before
            target.tree.put_aside()
            series[name].add(counts[name], seconds, spent)
    for target in targets.values():
        target.tree.bring_back()
    return series


def _warm_up(target: Target, seconds: float) -> int:
    """The number of messages that takes about so long."""
    target.tree.bring_back()
    target.send(target.at_least)
    guess = max(
        target.at_least, int(target.at_least * 0.3 * seconds / target.send(target.at_least))
    )
    count = int(guess * seconds / target.send(guess))
    target.tree.put_aside()
    return max(target.at_least, count)

"""Durable accept: our reception door against Postfix that only queues, and against smtp-sink.

smtp-source sends the same load to each: 20 sessions, messages of 4 KiB and 100 KiB. Ours is the
whole service with all workers on, its summaries included; a 250 means the message is committed
to SQLite with a synced log. Postfix puts each message on hold: accepted, written, synced, nothing
more is done with it. smtp-sink keeps nothing, and is the ceiling of any such comparison. All
write ordinary logs, to files. At the end both stores are counted: nothing may be missing.
"""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path

from benchmarks import postfix as postfix_peer
from benchmarks import smtp_source
from benchmarks.figures import Goal, Options, Program, Report, Series, number, times
from benchmarks.interleaving import Target, measure
from benchmarks.postfix import postfix
from benchmarks.processes import work_folder
from benchmarks.service import service, versions
from benchmarks.sink import sink
from benchmarks.smtp_source import Load

# A load with the least and the aim: against Postfix, and the aim against the sink.
LOADS = (
    (Load("4 KiB, many per connection", 4_096, True), 5.0, 12.0, 0.85),
    (Load("4 KiB, one per connection", 4_096, False), 2.0, 4.5, 0.80),
    (Load("100 KiB, many per connection", 102_400, True), 1.0, 2.2, 0.75),
)
OURS, HOLD, SINK = "ours", "Postfix HOLD", "smtp-sink"


def run(options: Options) -> Report:
    """Measure every load, each on fresh stores."""
    rows, goals, raw = [], [], {}
    with work_folder() as folder:
        for place, (load, least, aim, of_sink) in enumerate(LOADS):
            series = one_load(folder / str(place), load, options)
            ours, hold, ceiling = (series[name] for name in (OURS, HOLD, SINK))
            rows += [row(load, name, series) for name in (OURS, HOLD, SINK)]
            goals += [
                Goal(f"{load.name}: ours / HOLD", ours.rate / hold.rate, least, aim),
                Goal(f"{load.name}: ours / sink", ours.rate / ceiling.rate, 0.0, of_sink),
            ]
            raw[load.name] = {name: vars(one) for name, one in series.items()}
    header = ("load", "server", "messages/s", "rounds", "of HOLD", "of sink", "server CPU, µs each")
    peers = [postfix_peer.version(), *versions("aiosmtpd", "uvloop")]
    return Report(header, rows, goals, peers, raw=dict(raw))


def one_load(folder: Path, load: Load, options: Options) -> dict[str, Series]:
    """Start the three, load them in turns, and count what they have kept."""
    folder.mkdir(mode=0o755)
    sent = {OURS: 0, HOLD: 0, SINK: 0}

    def send(name: str, port: int, count: int) -> float:
        sent[name] += count
        return smtp_source.send(load, port, count)

    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(service(folder / "ours"))
        hold = stack.enter_context(postfix(folder / "postfix"))
        sink_port, sink_tree = stack.enter_context(sink(folder))
        targets = {
            OURS: Target(ours.tree, partial(send, OURS, ours.reception_port)),
            HOLD: Target(hold.tree, partial(send, HOLD, hold.port)),
            SINK: Target(sink_tree, partial(send, SINK, sink_port)),
        }
        series = measure(targets, options)
        kept = {OURS: ours.stored_messages(), HOLD: hold.held()}
        for name, count in kept.items():
            if count != sent[name]:
                raise RuntimeError(f"{name} keeps {count} of {sent[name]} messages")
    return series


def row(load: Load, name: str, series: dict[str, Series]) -> list[str]:
    """A line of the table."""
    one = series[name]
    return [
        load.name,
        name,
        number(one.rate),
        one.spread,
        times(one.rate / series[HOLD].rate),
        times(one.rate / series[SINK].rate),
        number(one.cpu),
    ]


PROGRAM = Program("accept", run, __doc__, "Durable accept")

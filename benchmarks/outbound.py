"""Sending a full queue to smtp-sink, signed with DKIM, against Postfix relaying to the same sink.

Both have the same number of 4 KiB messages waiting on disk, each for one foreign recipient: ours
queued by a service without the delivery role, Postfix's on hold. Then ours starts delivering
(`outbound = relay`), Postfix releases its queue, and the sink counts, from the first message that
comes to the last. Ours reads from the store, adds its trace field, signs, sends over kept
connections, and records attempt, reply and event durably: once with an RSA-2048 and an Ed25519 key
(what the service does for every domain unless told otherwise), once with Ed25519 alone
(`dkim_algorithms`). Postfix relays with its shipped settings and does not sign.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import postfix as postfix_peer
from benchmarks import smtp_client, smtp_source
from benchmarks.figures import Goal, Options, Program, Report, Series, number, times
from benchmarks.postfix import Postfix, postfix
from benchmarks.processes import work_folder
from benchmarks.service import BALANCE, BenchedService, versions
from benchmarks.sink import CountingSink, counting_sink
from benchmarks.smtp_client import SESSIONS, Author
from benchmarks.smtp_source import Load

MESSAGES = 3_000
LETTER = Load("letter", 4_096, many_per_connection=True)
LIMIT_SECONDS = 180.0
OURS, QUICK = "ours, signed with RSA and Ed25519", "ours, signed with Ed25519"
PEER = "Postfix relay, unsigned"


@dataclass
class Queue:
    """Our service on one store: now taking messages, now delivering them."""

    folder: Path
    sink_port: int
    algorithms: list[str]
    authors: list[Author] = field(default_factory=list)
    service: BenchedService = field(init=False)

    def __post_init__(self) -> None:
        relay = {"outbound": "relay", "relay_url": f"smtp://127.0.0.1:{self.sink_port}"}
        chosen = {**relay, "dkim_algorithms": self.algorithms}
        self.service = BenchedService(self.folder, {"default_send_balance": BALANCE, **chosen})

    def fill(self, count: int) -> None:
        """Queue messages, with nobody to deliver them."""
        self.service.roles = "web,submission"
        self.service.start()
        if not self.authors:
            self.authors = [
                Author(*self.service.open_address(f"author{n}")) for n in range(SESSIONS)
            ]
        smtp_client.send(
            self.service.submission_port, self.authors, count, per_connection=20, octets=4_096
        )
        self.service.stop()

    def deliver(self, sink: CountingSink, count: int) -> tuple[int, float, float]:
        """Deliver what waits: messages after the first, their seconds, CPU seconds."""
        before = sink.count
        self.service.roles = "delivery"
        self.service.start(wait=False)
        tree = self.service.tree
        sink.wait_for(before + 1, LIMIT_SECONDS)
        cpu = tree.cpu_seconds()
        sink.wait_for(before + count, LIMIT_SECONDS)
        cpu = tree.cpu_seconds() - cpu
        tree.wait_until_idle()
        self.service.stop()
        return (*sink.pace(before, before + count), cpu)


def release(peer: Postfix, sink: CountingSink, count: int) -> tuple[int, float, float]:
    """Put messages on hold, then let them go: the same three figures."""
    peer.tree.bring_back()
    smtp_source.send(LETTER, peer.port, count, "you@example.org")
    time.sleep(1.0)
    before = sink.count
    peer.release()
    sink.wait_for(before + 1, LIMIT_SECONDS)
    cpu = peer.tree.cpu_seconds()
    sink.wait_for(before + count, LIMIT_SECONDS)
    cpu = peer.tree.cpu_seconds() - cpu
    peer.tree.wait_until_idle()
    peer.tree.put_aside()
    return (*sink.pace(before, before + count), cpu)


def run(options: Options) -> Report:
    """Fill and empty both queues, in turns; the first turn is thrown away."""
    count = 400 if options.quick else MESSAGES
    series = {OURS: Series(), QUICK: Series(), PEER: Series()}
    with work_folder() as folder, contextlib.ExitStack() as stack:
        sink = stack.enter_context(counting_sink(folder))
        peer = stack.enter_context(postfix(folder / "postfix", relay_port=sink.port))
        queues = {
            OURS: Queue(folder / "ours", sink.port, ["rsa", "ed25519"]),
            QUICK: Queue(folder / "quick", sink.port, ["ed25519"]),
        }
        try:
            for place in range(options.rounds + 1):
                turns = {}
                for name, queue in queues.items():
                    queue.fill(count)
                    turns[name] = queue.deliver(sink, count)
                turns[PEER] = release(peer, sink, count)
                for name, (came, seconds, cpu) in turns.items():
                    if place:
                        series[name].add(came, seconds, cpu)
        finally:
            for queue in queues.values():
                queue.service.end()
    base = series[PEER].rate
    rows = [
        [name, number(one.rate), one.spread, times(one.rate / base), number(median(one.cpu_micros))]
        for name, one in series.items()
    ]
    header = ("sender", "messages/s", "rounds", "of Postfix", "sender CPU, µs each")
    goals = [
        Goal(f"{name} / Postfix relay", series[name].rate / base, 3.0, 10.0)
        for name in (OURS, QUICK)
    ]
    peers = [postfix_peer.version(), *versions("aiosmtplib", "cryptography", "uvloop")]
    raw: dict[str, object] = {name: vars(one) for name, one in series.items()}
    return Report(header, rows, goals, peers, [f"{count:,} messages a round."], raw)


PROGRAM = Program("outbound", run, __doc__, "Outbound")

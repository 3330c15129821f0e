"""Submission on 8025 with AUTH PLAIN, queued durably, against Postfix HOLD in the same shape.

Our own load generator speaks the same dialog to both: 20 sessions, 4 KiB, one command and one
reply at a time as `smtplib` does, one message or 20 on a connection. Ours proves who is there
first, checks that From is theirs, takes the price of the message from their balance, and commits
message, sent box, queue and events together; the mail is for a foreign domain and outbound is
`hold`, so nothing leaves. Postfix here asks for no login, and has none of this to do. The load
generator is Python and takes a core: the CPU time of the server is the steadier figure.
"""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path

from benchmarks import postfix as postfix_peer
from benchmarks import smtp_client
from benchmarks.figures import Goal, Options, Program, Report, Series, number, times
from benchmarks.interleaving import Target, measure
from benchmarks.postfix import postfix
from benchmarks.processes import work_folder
from benchmarks.service import BenchedService, service, versions
from benchmarks.smtp_client import SESSIONS, Author

OCTETS = 4_096
# Messages on a connection, with the least and the aim against Postfix.
SHAPES = ((1, "one per connection", 0.7, 2.0), (20, "20 per connection", 1.5, 4.0))
OURS, HOLD = "ours, with AUTH", "Postfix HOLD, without"


def run(options: Options) -> Report:
    """Measure both shapes, each on fresh stores."""
    rows, goals, raw = [], [], {}
    with work_folder() as folder:
        for per_connection, name, least, aim in SHAPES:
            series = one_shape(folder / str(per_connection), per_connection, options)
            ours, hold = series[OURS], series[HOLD]
            for server, one in series.items():
                ratio = times(one.rate / hold.rate)
                rows.append([name, server, number(one.rate), one.spread, ratio, number(one.cpu)])
            goals.append(Goal(f"{name}: ours / HOLD", ours.rate / hold.rate, least, aim))
            raw[name] = {server: vars(one) for server, one in series.items()}
    header = ("shape", "server", "messages/s", "rounds", "of HOLD", "server CPU, µs each")
    peers = [postfix_peer.version(), *versions("aiosmtpd", "uvloop")]
    return Report(header, rows, goals, peers, raw=dict(raw))


def one_shape(folder: Path, per_connection: int, options: Options) -> dict[str, Series]:
    """Start both, load them in turns, and count what they have kept."""
    folder.mkdir(mode=0o755)
    sent = {OURS: 0, HOLD: 0}

    def send(name: str, port: int, authors: list[Author], count: int) -> float:
        whole = max(1, count // per_connection) * per_connection
        sent[name] += whole
        seconds = smtp_client.send(
            port, authors, whole, per_connection=per_connection, octets=OCTETS
        )
        return seconds * count / whole

    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(service(folder / "ours"))
        hold = stack.enter_context(postfix(folder / "postfix"))
        known = authors_of(ours)
        strangers = [Author(author.address) for author in known]
        targets = {
            OURS: Target(ours.tree, partial(send, OURS, ours.submission_port, known)),
            HOLD: Target(hold.tree, partial(send, HOLD, hold.port, strangers)),
        }
        series = measure(targets, options)
        kept = {OURS: ours.sent_messages(), HOLD: hold.held()}
        for name, count in kept.items():
            if count != sent[name]:
                raise RuntimeError(f"{name} keeps {count} of {sent[name]} messages")
    return series


def authors_of(ours: BenchedService) -> list[Author]:
    """An address for every session."""
    return [Author(*ours.open_address(f"author{place}")) for place in range(SESSIONS)]


PROGRAM = Program("submission", run, __doc__, "Submission with AUTH")

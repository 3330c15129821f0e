"""The sending API: one e-mail a request, a thousand a request, templates, statistics.

`/v3/email/send` with a text mail of 4 KiB on 32 connections, against a bare Starlette hello: the
key is proved, sender and recipient are judged, the mail is composed and queued with its events,
and on disk before the answer. `/v3/email/batch` with a thousand such mails a request, against
Postfix that takes as many over SMTP in 20 sessions and only queues them (HOLD). Mail stays in the
queue on both sides. Then a template against handlebars.js under node (`rendering.py`), and sums
over a month of a million events while batches of twenty are sent without a pause
(`sent_events.py`).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks import http_doors, http_load, rendering, sent_events, smtp_source
from benchmarks import postfix as postfix_peer
from benchmarks.figures import Goal, Options, Program, Report, Series, number, times
from benchmarks.hello import hello
from benchmarks.http_load import Request
from benchmarks.interleaving import Target, measure
from benchmarks.listing import percentile
from benchmarks.postfix import postfix
from benchmarks.processes import Unavailable, work_folder
from benchmarks.service import BenchedService, service, versions
from benchmarks.smtp_source import Load

IN_BATCH = 1_000
EVENTS, QUESTIONS = 1_000_000, 300
LETTER = Load("letter", 4_096, many_per_connection=True)
HELLO, SEND = "GET / (hello)", "POST /v3/email/send"
BATCH, HOLD = "POST /v3/email/batch, 1,000 each", "Postfix HOLD over SMTP"
MAIL = {
    "sender": "News <news@x.test>",
    "to": ["You <you@example.org>"],
    "subject": "Figures",
    "text_body": "It is all in here.\n" * 215,
}
# No key of these runs is slowed down.
SETTINGS = {"sending_rate": 0}


def run(options: Options) -> Report:
    """Measure one thing after the other, each beside its peer."""
    with work_folder() as folder:
        single = singles(folder / "singles", options)
        batch = batches(folder / "batches", options)
        ours, node = templates(options)
        total = 20_000 if options.quick else EVENTS
        waits = statistics(folder / "statistics", total, 30 if options.quick else QUESTIONS)
    late = percentile(waits, 0.99)
    share, pace = single[SEND].rate / single[HELLO].rate, batch[BATCH].rate / batch[HOLD].rate
    rows = [
        row(HELLO, single[HELLO], "", "requests/s"),
        row(SEND, single[SEND], f"{share:.2f}× of hello", "requests/s"),
        row(BATCH, batch[BATCH], f"{times(pace)} of HOLD", "mails/s"),
        row(HOLD, batch[HOLD], "", "mails/s"),
        template_row("a template: three parts", ours, node),
    ]
    if node:
        rows.append(["handlebars.js under node", f"{number(median(node))} µs", "", "1.00×", ""])
    what = f"statistics over {total:,} events"
    rows.append([what, f"{median(waits):.1f} ms", f"p99 {late:.1f} ms", "while sending", ""])
    goals = [
        Goal("/v3/email/send / hello", share, 0.25),
        Goal("batch of 1,000", batch[BATCH].rate, 5_000, unit="mails/s"),
        Goal("a template", median(one for one, _ in ours), 150, unit="µs", at_most=True),
        Goal(f"{what}, p99", late, 100, unit="ms", at_most=True),
    ]
    header = ("what", "measured", "rounds", "beside", "CPU, µs each")
    libraries = versions("starlette", "uvicorn", "uvloop", "msgspec", "quickjs-ng")
    raw: dict[str, object] = {name: vars(one) for name, one in (single | batch).items()}
    raw |= {"templates": {"ours": ours, "node": node}, "statistics": waits}
    peers = [postfix_peer.version(), *libraries, http_load.generator()]
    return Report(header, rows, goals, peers, raw=raw)


def row(name: str, series: Series, beside: str, unit: str) -> list[str]:
    figure = f"{number(series.rate)} {unit}"
    return [name, figure, series.spread, beside, number(series.cpu)]


def template_row(name: str, ours: list[tuple[float, float]], node: list[float]) -> list[str]:
    taken = [one for one, _ in ours]
    ratio = f"{times(median(taken) / median(node))} of node" if node else "node is not here"
    spread = f"{min(taken):.0f}-{max(taken):.0f}"
    spent = number(median(cpu for _, cpu in ours))
    return [name, f"{number(median(taken))} µs", spread, ratio, spent]


def new_key(ours: BenchedService) -> str:
    """A key of the sending API. Raises RuntimeError."""
    done = ours.command("apikey", "new")
    if done.returncode:
        raise RuntimeError(f"apikey new: {done.stderr[-400:]}")
    return str(json.loads(done.stdout)["api_key"])


def headers_of(key: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "X-Smtp2go-Api-Key": key}


def singles(folder: Path, options: Options) -> dict[str, Series]:
    """One mail a request, and hello."""
    folder.mkdir(mode=0o755)
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(service(folder / "ours", **SETTINGS))
        port, tree = stack.enter_context(hello(folder))
        body = json.dumps(MAIL).encode()
        request = Request("POST", "/v3/email/send", body, headers_of(new_key(ours)))
        targets = {
            HELLO: (tree, port, Request("GET", "/")),
            SEND: (ours.tree, ours.http_port, request),
        }
        ours.tree.wait_until_idle()
        return http_doors.measure(targets, options, folder)


def batches(folder: Path, options: Options) -> dict[str, Series]:
    """A thousand mails a request, and as many over SMTP into a queue on hold."""
    folder.mkdir(mode=0o755)
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(service(folder / "ours", **SETTINGS))
        hold = stack.enter_context(postfix(folder / "postfix"))
        send = partial(send_batches, ours.http_port, new_key(ours))
        targets = {
            BATCH: Target(ours.tree, send, at_least=IN_BATCH),
            HOLD: Target(hold.tree, partial(smtp_source.send, LETTER, hold.port)),
        }
        return measure(targets, options)


def send_batches(port: int, key: str, count: int) -> float:
    """Send about so many mails, a thousand at a time; the seconds for exactly as many."""
    emails = [dict(MAIL, to=[f"You <you{place}@example.org>"]) for place in range(IN_BATCH)]
    body = json.dumps({"emails": emails}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    rounds = max(1, round(count / IN_BATCH))
    began = time.perf_counter()
    for _ in range(rounds):
        connection.request("POST", "/v3/email/batch", body=body, headers=headers_of(key))
        answer = connection.getresponse()
        results = json.loads(answer.read())["data"]
        if answer.status != 200 or sum("email_id" in one for one in results) != IN_BATCH:
            raise RuntimeError(f"answered {answer.status}: {results[:1]}")
    seconds = time.perf_counter() - began
    connection.close()
    return seconds * count / (rounds * IN_BATCH)


def templates(options: Options) -> tuple[list[tuple[float, float]], list[float]]:
    """Microseconds a message in turns: ours with those of the processor, and node's."""
    ours, node = [], []
    for _ in range(options.rounds):
        ours.append(rendering.ours())
        with contextlib.suppress(Unavailable):
            node.append(rendering.node())
    return ours, node


def statistics(folder: Path, total: int, questions: int) -> list[float]:
    """The milliseconds of each question while mail is sent."""
    with service(folder, **SETTINGS) as ours:
        key = new_key(ours)
        ours.stop()
        sent_events.fill(folder / "data" / "mailbox.db", total)
        ours.start()
        ours.tree.wait_until_idle()
        asked = threading.Event()
        sending = threading.Thread(target=keep_sending, args=(ours.http_port, key, asked))
        sending.start()
        try:
            sent_events.ask(ours.http_port, key, 20)
            return sent_events.ask(ours.http_port, key, questions)
        finally:
            asked.set()
            sending.join()


def keep_sending(port: int, key: str, asked: threading.Event) -> None:
    """Send small batches until everything was asked."""
    body = json.dumps({"emails": [MAIL] * 20}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while not asked.is_set():
        connection.request("POST", "/v3/email/batch", body=body, headers=headers_of(key))
        connection.getresponse().read()
    connection.close()


PROGRAM = Program("sending", run, __doc__, "Sending API")

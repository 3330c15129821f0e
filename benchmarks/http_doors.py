"""The mailbox API against a bare Starlette hello on one uvicorn worker, with uvloop and httptools.

wrk asks each in turn on 32 kept connections. Ours is the whole service with its store on disk:
a token is verified on every request, `new_address`, `send_mail` and the hook that receives a mail
are committed with a synced log before they answer (mail to foreign domains stays in the queue:
outbound is `hold`), and the lists hold mails of 4 KiB, whole in `/api/mails`, as light rows in
`/api/inbox`. Hello does nothing at all, so a ratio says how much of one worker's speed is left
when there is work.
"""

from __future__ import annotations

import contextlib
import json
from functools import partial
from pathlib import Path

from benchmarks import http_load, smtp_source
from benchmarks.figures import Goal, Options, Program, Report, Series, number
from benchmarks.hello import hello
from benchmarks.http_load import Request
from benchmarks.processes import Tree, work_folder
from benchmarks.service import BenchedService, service, versions
from benchmarks.smtp_source import Load
from tests.journeys.running import ADMIN_PASSWORD

# Mails in the mailbox that is listed: ten pages.
MAILS = 200
LETTER = Load("letter", 4_096, many_per_connection=True)
HELLO = "GET / (hello)"
# What the test hook hands to the whole of reception: 4 KiB that arrive in another mailbox.
RAW = "From: ann@sender.example\r\nSubject: Figures\r\n\r\n" + ("x" * 70 + "\r\n") * 56
# Each route with the least and the aim against hello.
GOALS: dict[str, tuple[float, float | None]] = {
    "POST /api/new_address": (0.30, 0.90),
    "POST /api/send_mail": (0.20, 0.50),
    "GET /api/mails?limit=20&offset=0": (0.10, 0.25),
    "GET /api/mail/:id": (0.30, 0.60),
    "POST /admin/test/receive_mail": (0.20, None),
    "GET /api/inbox?limit=20": (0.0, None),
}


def run(options: Options) -> Report:
    """Measure hello and every route, in turns."""
    with work_folder() as folder, contextlib.ExitStack() as stack:
        ours = stack.enter_context(service(folder / "ours", e2e_test_mode=True))
        hello_port, hello_tree = stack.enter_context(hello(folder))
        targets = {HELLO: (hello_tree, hello_port, Request("GET", "/"))} | {
            name: (ours.tree, ours.http_port, request) for name, request in requests(ours).items()
        }
        ours.tree.wait_until_idle()
        series = measure(targets, options, folder)
    base = series[HELLO].rate
    rows = [
        [name, number(one.rate), one.spread, f"{one.rate / base:.2f}×", number(one.cpu)]
        for name, one in series.items()
    ]
    goals = [
        Goal(f"{name} / hello", series[name].rate / base, least, aim)
        for name, (least, aim) in GOALS.items()
    ]
    header = ("route", "requests/s", "rounds", "of hello", "server CPU, µs each")
    libraries = versions("starlette", "uvicorn", "uvloop", "httptools")
    raw: dict[str, object] = {name: vars(one) for name, one in series.items()}
    return Report(header, rows, goals, [*libraries, http_load.generator()], raw=raw)


def requests(ours: BenchedService) -> dict[str, Request]:
    """Fill a mailbox, and give a request for every route."""
    address, token = ours.open_address("box")
    smtp_source.send(LETTER, ours.reception_port, MAILS, address)
    mails = ours.get("/api/mails?limit=1&offset=0", token=token).json()
    if mails["count"] != MAILS:
        raise RuntimeError(f"{mails['count']} of {MAILS} mails are there")
    mail_id = mails["results"][0]["id"]
    bearer = {"Authorization": f"Bearer {token}"}
    as_json = {"Content-Type": "application/json"}
    letter = {
        "to_mail": "you@example.org",
        "to_name": "You",
        "subject": "Figures",
        "content": "It is all in here.\n" * 50,
        "is_html": False,
    }
    body = json.dumps(letter).encode()
    arrival = {"from": "ann@sender.example", "to": f"other@{address.partition('@')[2]}", "raw": RAW}
    as_admin = {"x-admin-auth": ADMIN_PASSWORD}
    return {
        "POST /api/new_address": Request("POST", "/api/new_address", b"{}", as_json),
        "POST /api/send_mail": Request("POST", "/api/send_mail", body, as_json | bearer),
        "GET /api/mails?limit=20&offset=0": Request(
            "GET", "/api/mails?limit=20&offset=0", headers=bearer
        ),
        "GET /api/mail/:id": Request("GET", f"/api/mail/{mail_id}", headers=bearer),
        "POST /admin/test/receive_mail": Request(
            "POST", "/admin/test/receive_mail", json.dumps(arrival).encode(), as_json | as_admin
        ),
        "GET /api/inbox?limit=20": Request("GET", "/api/inbox?limit=20", headers=bearer),
    }


def measure(
    targets: dict[str, tuple[Tree, int, Request]], options: Options, folder: Path
) -> dict[str, Series]:
    """Rounds over all routes; the first round only warms up."""
    series = {name: Series() for name in targets}
    for tree, _, _ in targets.values():
        tree.put_aside()
    for place in range(options.rounds + 1):
        for name, (tree, port, request) in targets.items():
            ask = partial(http_load.load, port, request, folder=folder)
            tree.bring_back()
            # What follows from the requests before (summaries, deliveries) is not this one's.
            tree.wait_until_idle()
            if place == 0:
                ask(0.5)
            else:
                before = tree.cpu_seconds()
                answers, seconds = ask(options.seconds)
                series[name].add(answers, seconds, tree.cpu_seconds() - before)
            tree.put_aside()
    for tree, _, _ in targets.values():
        tree.bring_back()
    return series


PROGRAM = Program("http", run, __doc__, "HTTP")

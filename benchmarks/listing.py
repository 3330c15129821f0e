"""`GET /api/mails?limit=20` with five million mails in the store, against one million, and with one
million against ten thousand.

Three services, the same but for their stores, are asked in turns for a page of a mailbox chosen at
random, one request at a time over a kept connection; the 99th percentile counts. The rows are
written straight into the stores before, spread over the mailboxes at random as mail arrives in
life; what is listed is real mail of 4 KiB, what lies below the first page shares one content, so
that the stores differ by their rows and indexes and not by what they read.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import sqlite3
import time
import zlib
from itertools import pairwise
from pathlib import Path

from benchmarks.figures import Goal, Options, Program, Report, number, times
from benchmarks.processes import work_folder
from benchmarks.service import BALANCE, BenchedService, versions

SIZES = (10_000, 1_000_000, 5_000_000)
# The p99 of a size against the one before it: the least and the aim.
LIMITS = {1_000_000: (2.0, None), 5_000_000: (2.0, 1.5)}
MAILS_A_BOX = 1_000
OPENED = 100  # mailboxes whose pages are asked for
PAGE = 20
REQUESTS = 400  # a round
BATCH = 50_000
LETTER = b"From: ann@sender.example\r\nSubject: Figures\r\n\r\n" + (b"x" * 70 + b"\r\n") * 56
ROW = """
INSERT INTO messages (address, reverse_path, content_id, size, received_at)
VALUES (?, 'ann@sender.example', ?, ?, ?)
"""
SUMMARY = """
INSERT INTO summaries (id, message_id, from_name, from_address, to_text, subject, preview,
                       search_text, attachment_count, codes, links)
VALUES (?, NULL, '', 'ann@sender.example', '', 'Figures', 'xxx', 'figures', 0, '[]', '[]')
"""
CONTENT = "INSERT INTO contents (uses, checksum, bytes) VALUES (?, ?, ?)"


def fill(database: Path, total: int) -> None:
    """Put mails into a store that no service has open."""
    boxes = total // MAILS_A_BOX
    chance = random.Random(total)
    now = time.time_ns() // 1_000
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -1000000")
    with contextlib.closing(connection):
        shared = connection.execute(CONTENT, (total, zlib.crc32(LETTER), LETTER)).lastrowid
        newest = OPENED * PAGE
        for begin in range(0, total - newest, BATCH):
            size = min(BATCH, total - newest - begin)
            boxes_of = [f"box{chance.randrange(boxes)}@x.test" for _ in range(size)]
            connection.executemany(ROW, [(box, shared, len(LETTER), now) for box in boxes_of])
            connection.commit()
        for place in range(newest):
            own = connection.execute(CONTENT, (1, zlib.crc32(LETTER), LETTER)).lastrowid
            box = f"box{place % OPENED}@x.test"
            connection.execute(ROW, (box, own, len(LETTER), now))
        connection.commit()
        first, last = connection.execute("SELECT min(id), max(id) FROM messages").fetchone()
        for begin in range(first, last + 1, BATCH):
            ids = range(begin, min(begin + BATCH, last + 1))
            connection.executemany(SUMMARY, [(number,) for number in ids])
            connection.commit()
        connection.execute(
            "INSERT INTO cursors (name, position) VALUES ('summaries', ?)"
            " ON CONFLICT (name) DO UPDATE SET position = excluded.position",
            (last,),
        )
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def ready_service(folder: Path, total: int) -> tuple[BenchedService, list[str]]:
    """A service on a filled store, and the tokens of the mailboxes to ask for."""
    running = BenchedService(folder, {"default_send_balance": BALANCE})
    running.start()
    tokens = [running.open_address(f"box{place}")[1] for place in range(OPENED)]
    running.stop()
    database = folder / "data" / "mailbox.db"
    fill(database, total)
    running.start()
    running.tree.wait_until_idle()
    return running, tokens


def ask(running: BenchedService, tokens: list[str], count: int) -> list[float]:
    """The milliseconds that pages of mailboxes at random took."""
    connection = http.client.HTTPConnection("127.0.0.1", running.http_port, timeout=30)
    taken = []
    for _ in range(count):
        headers = {"Authorization": f"Bearer {random.choice(tokens)}"}
        began = time.perf_counter()
        connection.request("GET", f"/api/mails?limit={PAGE}&offset=0", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        taken.append((time.perf_counter() - began) * 1e3)
        if answer.status != 200 or len(body) < PAGE * len(LETTER):
            raise RuntimeError(f"answered {answer.status} with {len(body)} octets")
    connection.close()
    return taken


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of all values lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def run(options: Options) -> Report:
    """Fill the stores, then ask all of them in turns."""
    sizes = {size: max(OPENED * PAGE, size // (50 if options.quick else 1)) for size in SIZES}
    taken: dict[int, list[float]] = {size: [] for size in sizes}
    with work_folder() as folder, contextlib.ExitStack() as stack:
        services = {}
        for size, total in sizes.items():
            running, tokens = ready_service(folder / str(size), total)
            stack.callback(running.end)
            services[size] = running, tokens
            ask(running, tokens, REQUESTS)  # fills the caches
        for _ in range(options.rounds):
            for size, (running, tokens) in services.items():
                taken[size] += ask(running, tokens, REQUESTS)
    p99 = {size: percentile(values, 0.99) for size, values in taken.items()}
    rows = [
        [number(sizes[size]), f"{percentile(values, 0.5):.2f}", f"{p99[size]:.2f}"]
        for size, values in taken.items()
    ]
    goals, notes = [], []
    for small, large in pairwise(sizes):
        words = f"p99 with {number(large)} mails, of that with {number(small)}"
        goals.append(Goal(words, p99[large] / p99[small], *LIMITS[large], at_most=True))
        medians = percentile(taken[large], 0.5) / percentile(taken[small], 0.5)
        notes.append(f"Ratio of the medians, {number(large)} mails: {times(medians)}")
    raw: dict[str, object] = {str(size): values for size, values in taken.items()}
    header = ("mails in the store", "p50, ms", "p99, ms")
    return Report(header, rows, goals, versions("aiosqlite"), notes, raw)


PROGRAM = Program("listing", run, __doc__, "Lists over large stores", only_when_asked=True)

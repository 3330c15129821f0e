"""smtp-source, Postfix's own load generator: the same load for every server that needs no AUTH."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass

from benchmarks.processes import find

SESSIONS = 20
LIMIT_SECONDS = 120


@dataclass(frozen=True)
class Load:
    """A shape of traffic."""

    name: str
    octets: int
    many_per_connection: bool


def send(load: Load, port: int, count: int, recipient: str = "box@x.test") -> float:
    """Send so many messages in 20 sessions; the seconds it took. Raises RuntimeError."""
    command = [find("smtp-source"), "-s", str(SESSIONS), "-l", str(load.octets), "-m", str(count)]
    if load.many_per_connection:
        command.append("-d")
    command += ["-f", "ann@sender.example", "-t", recipient, f"127.0.0.1:{port}"]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    seconds = time.perf_counter() - started
    if done.returncode or done.stderr:
        raise RuntimeError(f"smtp-source: {done.stderr[-400:]}")
    return seconds

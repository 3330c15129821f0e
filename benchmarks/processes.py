"""Processes that a benchmark starts: what they cost, putting them aside, ending them.

Only what was started here is ever signalled, by process id, and its children with it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

START_SECONDS = 30.0
STOP_SECONDS = 10.0
# More than the 1,000 connections of the memory program, on both sides.
DESCRIPTORS = 20_000
# A process counts as idle below this share of a core, measured over so many seconds: longer than
# a worker with a backlog rests between two steps.
IDLE_SHARE = 0.05
IDLE_WINDOW = 2.0


class Unavailable(Exception):
    """Something this program compares with is not on this machine."""


def find(program: str) -> str:
    """The path of a program; the folders of servers' tools included. Raises Unavailable."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"))
    found = shutil.which(program, path=path)
    if found is None:
        raise Unavailable(f"{program} is not on this machine")
    return found


def raise_descriptor_limit() -> None:
    """As many file descriptors as we may have, for us and what we start."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextlib.contextmanager
def work_folder() -> Iterator[Path]:
    """A folder for stores and queues. Others may enter it: Postfix has users of its own."""
    with tempfile.TemporaryDirectory(prefix="mailbox-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


class Tree:
    """A process that was started here, with its children."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._root = psutil.Process(pid)

    def members(self) -> list[psutil.Process]:
        """The process first, then its children of every depth."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [self._root, *self._root.children(recursive=True)]
        return []

    def cpu_seconds(self) -> float:
        """CPU time of everything that lives, and of the children they have buried."""
        total = 0.0
        for process in self.members():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
                total += times.children_user + times.children_system
        return total

    def resident_octets(self) -> int:
        """Memory that all of them hold."""
        total = 0
        for process in self.members():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def send(self, number: int) -> None:
        """Signal all of them, the parent first."""
        for process in self.members():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def put_aside(self) -> None:
        """Stop it, so that it works off nothing while another is measured."""
        self.send(signal.SIGSTOP)

    def bring_back(self) -> None:
        """Let it run on."""
        self.send(signal.SIGCONT)

    def wait_until_idle(self, seconds: float = 60.0) -> None:
        """Wait until it has nothing to do, at most so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            before = self.cpu_seconds()
            time.sleep(IDLE_WINDOW)
            if self.cpu_seconds() - before < IDLE_SHARE * IDLE_WINDOW:
                return

    def end(self) -> None:
        """Ask it to end, and make it end."""
        members = self.members()
        self.bring_back()
        for process in members[:1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, left = psutil.wait_procs(members, timeout=STOP_SECONDS)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=STOP_SECONDS)


@contextlib.contextmanager
def started(
    command: Sequence[str | Path],
    log: Path,
    *,
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Tree]:
    """Run a server while the block runs; with a port, from when it listens there."""
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=None if environment is None else dict(environment),
        )
    tree = Tree(process.pid)
    try:
        if port is not None:
            wait_for_port(port, process, log)
        yield tree
    finally:
        tree.end()
        process.wait()


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until somebody listens on a port of loopback."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} does not listen:\n{log.read_text(errors='replace')}")

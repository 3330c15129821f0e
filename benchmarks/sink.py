"""smtp-sink: takes mail and forgets it. The ceiling of accepting, and the far end of sending."""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.processes import Tree, find, started, wait_for_port
from tests.journeys.running import free_ports

# smtp-sink's backlog of connections; more than the 20 sessions of any load.
BACKLOG = "1000"
_counters = re.compile(rb"mesg=(\d+)")


@contextlib.contextmanager
def sink(folder: Path) -> Iterator[tuple[int, Tree]]:
    """Run a sink; its port and process."""
    (port,) = free_ports(1)
    command = [find("smtp-sink"), "-u", "nobody", f"127.0.0.1:{port}", BACKLOG]
    with started(command, folder / "sink.log", port=port) as tree:
        yield port, tree


class CountingSink:
    """A sink that tells when it had how many messages."""

    def __init__(self, folder: Path) -> None:
        (self.port,) = free_ports(1)
        command = [find("smtp-sink"), "-u", "nobody", "-c", f"127.0.0.1:{self.port}", BACKLOG]
        log = folder / "sink.log"
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stream
            )
        self.tree = Tree(self._process.pid)
        self._changed = threading.Condition()
        self._moments: list[tuple[float, int]] = [(time.monotonic(), 0)]
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_for_port(self.port, self._process, log)

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while chunk := stream.read1(65_536):  # type: ignore[attr-defined]
            found = _counters.findall(chunk)
            # The end of a session is told with the same count once more.
            if found and int(found[-1]) > self.count:
                with self._changed:
                    self._moments.append((time.monotonic(), int(found[-1])))
                    self._changed.notify_all()

    @property
    def count(self) -> int:
        """Messages taken so far."""
        return self._moments[-1][1]

    def wait_for(self, count: int, seconds: float) -> None:
        """Wait until so many messages have come. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.count >= count, seconds):
                raise TimeoutError(f"the sink has {self.count} messages, not {count}")

    def pace(self, before: int, after: int) -> tuple[int, float]:
        """Of the messages between two counts: how many came, and in how many seconds.

        Counted from the first that came, so that neither side's start is measured.
        """
        within = [(at, count) for at, count in self._moments if before < count <= after]
        (first_at, first), (last_at, last) = within[0], within[-1]
        return last - first, last_at - first_at

    def end(self) -> None:
        self.tree.end()
        self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextlib.contextmanager
def counting_sink(folder: Path) -> Iterator[CountingSink]:
    """Run a sink that counts."""
    running = CountingSink(folder)
    try:
        yield running
    finally:
        running.end()

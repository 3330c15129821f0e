"""Starts without imports, for tests that kill a service a hundred times: a process that has read
all of its modules, and from which each start is a fork that goes on as `mailbox serve` does."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from tests.journeys.running import RunningService

# Reads what to run, forks, tells the number of the process, and then how it ended.
PROGRAM = """
import json, os, sys
from mailbox_service.__main__ import main
main.get_command(None, "serve")
print("ready", flush=True)
for line in sys.stdin:
    arguments, log = json.loads(line)
    number = os.fork()
    if number == 0:
        for source, target in (
            (os.open(os.devnull, os.O_RDONLY), 0),
            (os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), 1),
        ):
            os.dup2(source, target)
            os.close(source)
        os.dup2(1, 2)
        main(arguments, prog_name="mailbox")
    print(number, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]), flush=True)
"""


class Forked:
    """A started service, with what `RunningService` asks of a process."""

    def __init__(self, parent: subprocess.Popen[bytes], arguments: list[str], log: str) -> None:
        assert parent.stdin is not None
        assert parent.stdout is not None
        self._told: IO[bytes] = parent.stdout
        parent.stdin.write(json.dumps([arguments, log]).encode() + b"\n")
        parent.stdin.flush()
        self.pid = int(self._told.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self.returncode = int(self._told.readline())
        return self.returncode

    def wait(self, timeout: float = 60.0) -> int:
        until = time.monotonic() + timeout
        while self.poll() is None:
            left = until - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired("mailbox serve", timeout)
            select.select([self._told], [], [], left)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@contextmanager
def forking(service: RunningService) -> Iterator[None]:
    """Every start of a service is a fork, one at a time, until this ends."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=service.environment(),
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        arguments = ["serve", "--config", str(service.config_file)]

        def begin(_: IO[bytes]) -> subprocess.Popen[bytes]:
            return cast("subprocess.Popen[bytes]", Forked(parent, arguments, str(service.log_file)))

        usual = service.begin
        service.begin = begin  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            service.kill()
            service.begin = usual  # type: ignore[method-assign]
            assert parent.stdin is not None
            parent.stdin.close()

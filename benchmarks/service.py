"""Our service as its users run it: `mailbox serve` with a store on disk and all workers on."""

from __future__ import annotations

import contextlib
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.processes import Tree
from tests.journeys.running import RunningService

# No run spends this, and no check of the balance is left out for it.
BALANCE = 1_000_000_000


@dataclass
class BenchedService(RunningService):
    """A service, or some roles of one."""

    roles: str = ""

    def start(self, *, wait: bool = True) -> None:
        command = [sys.executable, "-m", "mailbox_service", "serve"]
        command += ["--config", str(self.config_file)]
        if self.roles:
            command += ["--roles", self.roles]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=self.environment(),
            )
        if wait:
            self.wait_until_ready()

    @property
    def tree(self) -> Tree:
        assert self.process is not None
        return Tree(self.process.pid)

    def stored_messages(self) -> int:
        """How many messages are in its mailboxes."""
        return int(self.get("/admin/statistics", admin=True).json()["mailCount"])

    def sent_messages(self) -> int:
        """How many messages are in its sent boxes."""
        return int(self.get("/admin/statistics", admin=True).json()["sendMailCount"])

    def end(self) -> None:
        """End it whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            self.tree.bring_back()
            self.stop()


@contextlib.contextmanager
def service(folder: Path, **settings: Any) -> Iterator[BenchedService]:
    """Run the whole service while the block runs."""
    chosen = {"default_send_balance": BALANCE, **settings}
    running = BenchedService(folder, chosen)
    running.start()
    try:
        yield running
    finally:
        running.end()


def versions(*libraries: str) -> list[str]:
    """Python and the libraries that carry the load."""
    return [
        f"Python {platform.python_version()}",
        *(f"{name} {version(name)}" for name in libraries),
    ]

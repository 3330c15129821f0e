"""Hazard 20: a service that is killed again and again under load loses and doubles nothing.

`MAILBOX_TEST_KILLS` says how often (100 by default; `make crash` says 1,000).
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.crash.killing import kill_many_times

KILLS = int(os.environ.get("MAILBOX_TEST_KILLS", "100"))
# Two experiments, so that two test workers share the time.
HALVES = 2


def run_half(folder: Path) -> None:
    load = kill_many_times(folder, KILLS // HALVES)
    # The experiment has to have bitten: mail was stored in most rounds, some of it cut off.
    assert len(load.received.acknowledged) > KILLS // HALVES
    assert len(load.submitted.acknowledged) > KILLS // HALVES // 2
    assert len(load.lettered.acknowledged) > KILLS // HALVES // 2
    assert load.received.tried - load.received.acknowledged, "no kill hit a message under way"


def test_a_service_killed_under_load_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    """Hazard 20, first half."""
    run_half(tmp_path)


def test_a_service_killed_under_load_doubles_nothing_either(tmp_path: Path) -> None:
    """Hazard 20, second half: the same experiment on another store."""
    run_half(tmp_path)

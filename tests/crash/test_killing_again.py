"""Hazard 20: the other half of the kills of `test_killing.py`, on another store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.killing import run_half


@pytest.mark.timeout(1_200)
def test_a_service_killed_under_load_doubles_nothing_either(tmp_path: Path) -> None:
    """Hazard 20, second half."""
    run_half(tmp_path)

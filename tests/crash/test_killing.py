"""Hazard 20: a service that is killed again and again under load loses nothing. The other half of
the kills is in `test_killing_again.py`, so that two test workers share the time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.killing import run_half


@pytest.mark.timeout(1_200)  # fifty kills with something else running beside them
def test_a_service_killed_under_load_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    """Hazard 20, first half."""
    run_half(tmp_path)

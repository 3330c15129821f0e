"""Fixtures that every test may use."""

from __future__ import annotations

import pytest

pytest_plugins = ["tests.databases"]


@pytest.fixture
def anyio_backend() -> str:
    """The service runs on asyncio alone, so its tests do."""
    return "asyncio"

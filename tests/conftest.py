"""Fixtures that every test may use, and the order in which files of tests are given out."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.programs import ROOT

pytest_plugins = ["tests.databases"]

# How long an example took says how busy the machine is, and nothing of what is tested.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# Files are run beside each other in this order, each by one worker; these take longest. Begun at
# the end, one of them would keep a single worker busy after all others are done.
LONGEST = (
    "tests/crash/test_killing.py",
    "tests/crash/test_killing_again.py",
    "tests/test_packaging.py",
    "tests/journeys/test_page_hostile.py",
    "tests/journeys/test_page_admin_watch.py",
    "tests/journeys/test_page_admin_trouble.py",
    "tests/journeys/test_page_account.py",
    "tests/journeys/test_page_admin.py",
    "tests/journeys/test_page_admin_settings.py",
    "tests/journeys/test_page_mail.py",
    "tests/journeys/test_page_choices.py",
    "tests/journeys/test_page_compose.py",
    "tests/journeys/test_page_settings.py",
    "tests/journeys/test_agents.py",
    "tests/journeys/test_stopping.py",
    "tests/journeys/test_real_clients.py",
    "tests/journeys/test_moving_in.py",
    "tests/journeys/test_flood.py",
    "tests/journeys/test_trouble.py",
    "tests/journeys/test_new_user.py",
    "tests/journeys/test_memory_returns.py",
    "tests/crash/test_power_cut.py",
    "tests/crash/test_reactions.py",
    "tests/crash/test_cleanup.py",
    "tests/test_everyday_commands.py",
    "tests/web/test_schema.py",
)


def pytest_collection() -> None:
    """Looking for garbage among ten thousand tests that are all kept takes as long as finding
    them; and what is there when the first one begins stays until the end."""
    gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = [name for name in LONGEST if not (ROOT / name).is_file()]
    assert not missing, f"named in tests/conftest.py and not there: {missing}"
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.nodeid.partition("::")[0], len(place)))


def pytest_collection_finish() -> None:
    gc.enable()
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def leaks_show_where_they_are_made() -> Iterator[None]:
    """What a module left open and forgot is an error of its last test, not of whoever happens to
    run when it is found."""
    yield
    gc.collect()


@pytest.fixture
def anyio_backend() -> str:
    """The service runs on asyncio alone, so its tests do."""
    return "asyncio"

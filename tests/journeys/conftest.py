"""The service that journeys travel through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journeys.running import RunningService, running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The whole service in a process of its own, one a module; settings as for a laptop, with
    mail for foreign domains held."""
    yield from running(tmp_path_factory.mktemp("service"))

"""Fixtures for journeys with a bot: `pytest_plugins = ["tests.journeys.with_bot"]` brings them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bot_api_simulator import BotApiSimulator, bot_api
from tests.journeys.mini_app import TOKEN
from tests.journeys.running import RunningService, running


@pytest.fixture(scope="module")
def api() -> Iterator[BotApiSimulator]:
    with bot_api() as server:
        yield server


@pytest.fixture(scope="module")
def with_bot(
    tmp_path_factory: pytest.TempPathFactory, api: BotApiSimulator
) -> Iterator[RunningService]:
    """A service with a bot, whose people want English."""
    yield from running(
        tmp_path_factory.mktemp("telegram"),
        telegram_bot_token=TOKEN,
        telegram_api_url=api.url,
        default_lang="en",
        tg_max_address=50,
    )

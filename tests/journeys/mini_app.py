"""The mini app as Telegram opens it."""

from __future__ import annotations

from urllib.parse import quote

from tests.journeys.running import RunningService
from tests.web.telegram_people import init_data

TOKEN = "123456:of-the-journeys"


def launched(path: str = "/telegram_mail", person: int = 42) -> str:
    """The address as Telegram opens it."""
    data = quote(init_data(person, TOKEN), safe="")
    return f"{path}#tgWebAppData={data}&tgWebAppVersion=8.0&tgWebAppPlatform=android"


def made(service: RunningService, person: int = 42) -> tuple[str, str]:
    """An address of the person, and its token."""
    wish = {"initData": init_data(person, TOKEN), "address": ""}
    answer = service.post("/telegram/new_address", wish).json()
    return answer["address"], answer["jwt"]

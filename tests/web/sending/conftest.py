"""A site with the sending API, and a key for all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mailbox_service.core.stored import Excerpt
from tests.web.site import Site, running_site
from tests.webhook_receiver import Receiver, receiving

Fields = dict[str, Any]
LETTER: Fields = {
    "sender": "Ann <ann@inbox.test>",
    "to": ["Bob <bob@inbox.test>"],
    "subject": "Hello",
    "text_body": "How are you?",
}


class Api:
    """Calls `/v3` with one key."""

    def __init__(self, site: Site, key: str) -> None:
        self.site = site
        self.key = key

    async def post(
        self, path: str, fields: Fields | None = None, *, verb: str = "POST", **headers: str
    ) -> httpx2.Response:
        return await self.site.http.request(
            verb,
            f"/v3/{path}",
            json={} if fields is None else fields,
            headers={"X-Smtp2go-Api-Key": self.key, **headers},
        )

    async def data(self, path: str, fields: Fields | None = None, *, verb: str = "POST") -> Any:
        """The data of a call that is expected to be done."""
        answer = await self.post(path, fields, verb=verb)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()["data"]

    async def refused(
        self, path: str, fields: Fields | None = None, *, verb: str = "POST"
    ) -> tuple[int, str, str]:
        """Status, code without its prefix, and the field of a refusal."""
        answer = await self.post(path, fields, verb=verb)
        data = answer.json()["data"]
        assert isinstance(data, dict), data
        assert data["error"], data
        field = data.get("field_validation_errors", {}).get("fieldname", "")
        return answer.status_code, data["error_code"].removeprefix("E_ApiResponseCodes."), field

    async def send(self, **changes: Any) -> str:
        """Send a letter; its e-mail id."""
        sent = await self.data("email/send", {**LETTER, **changes})
        return str(sent["email_id"])

    async def deliver(self) -> None:
        """Let what is due go out."""
        await self.site.parts.delivering.deliver_due()

    async def events(self, **fields: Any) -> list[tuple[str, str]]:
        """What happened, oldest first: kind and recipient."""
        found = await self.data("activity/search", {"limit": 1000, **fields})
        return [(one["event"], one["recipient"]) for one in reversed(found["events"])]

    async def received(self, address: str = "bob@inbox.test") -> list[bytes]:
        """The mails of a mailbox, oldest first."""
        _, contents = await self.site.parts.reading.page_with_contents(
            address, Excerpt(100), counted=False
        )
        assert contents is not None
        return list(reversed(contents))


@asynccontextmanager
async def serving_api(folder: Path, **settings: Any) -> AsyncIterator[Api]:
    """A site with these settings, and a key with all permissions."""
    async with running_site(folder, **settings) as site:
        made = await site.parts.sending_api.api_keys.make(description="tests")
        yield Api(site, made.api_key)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """The API without rates for sending."""
    async with serving_api(tmp_path, sending_rate=0) as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver of webhooks on loopback."""
    async with receiving() as opened:
        yield opened

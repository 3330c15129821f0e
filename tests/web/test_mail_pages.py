"""Pages of mails that are too large to be held: read, written and sent mail by mail."""

from __future__ import annotations

from typing import Any

import pytest

from mailbox_service.core.stored import StoredMessage
from mailbox_service.services import reading
from mailbox_service.services.reading import Reading
from mailbox_service.services.shown import Shown
from tests.web.people import sign_up
from tests.web.site import ADMIN, LETTER, Site

pytestmark = pytest.mark.anyio

LISTS = [
    "/api/mails",
    "/api/parsed_mails",
    "/user_api/mails",
    "/admin/mails",
    "/admin/mails_unknow",
]
PAGES = ["limit=20&offset=0", "limit=2&offset=1", "limit=20&offset=5"]


@pytest.fixture
async def headers(site: Site) -> dict[str, str]:
    """Five mails of one mailbox and two of nobody's, and what proves each of their readers."""
    box, person = await site.open(), await sign_up(site)
    await site.http.post("/user_api/bind_address", headers=person.both(box))
    for number in range(5):
        await site.arrive(raw=LETTER + b"\xff %d\r\n" % number)
    for _ in range(2):
        await site.arrive("nobody@inbox.test")
    return {**ADMIN, **person.both(box)}


@pytest.mark.parametrize("path", LISTS)
async def test_a_page_is_the_same_whole_and_mail_by_mail(
    site: Site, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    whole = [await site.http.get(f"{path}?{page}", headers=headers) for page in PAGES]
    assert [len(answer.json()["results"]) for answer in whole] in ([5, 2, 0], [7, 2, 2], [2, 1, 0])
    monkeypatch.setattr(site.services.glancing, "shown", Shown())
    monkeypatch.setattr(reading, "LARGE_OCTETS", 1)
    for page, before in zip(PAGES, whole, strict=True):
        answer = await site.http.get(f"{path}?{page}", headers=headers)
        assert (answer.status_code, answer.content) == (200, before.content)
        assert answer.headers["content-type"] == "application/json"
        assert ("content-length" in answer.headers) == (not before.json()["results"])


async def test_a_mail_that_was_shown_before_is_not_read_again(
    site: Site, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await site.http.get("/api/mails?limit=20&offset=0", headers=headers)
    newest = await site.arrive(raw=LETTER)
    monkeypatch.setattr(reading, "LARGE_OCTETS", 1)
    read = monitored(monkeypatch)
    after = await site.http.get("/api/mails?limit=20&offset=0", headers=headers)
    assert read == [newest]
    assert after.json()["results"][1:] == before.json()["results"]
    assert after.json()["results"][0]["id"] == newest


async def test_a_mail_that_is_deleted_before_its_turn_is_left_out(
    site: Site, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LARGE_OCTETS", 1)
    whole_source = Reading.source

    async def source(self: Reading, message: StoredMessage) -> bytes | None:
        if message.id % 2:
            await self.delete(None, [message.id - 1])
        return await whole_source(self, message)

    monkeypatch.setattr(Reading, "source", source)
    answer = await site.http.get("/api/mails?limit=20&offset=0", headers=headers)
    found = answer.json()
    assert [row["id"] for row in found["results"]] == [5, 3, 1]
    assert found["count"] == 5


async def test_head_of_a_large_page_reads_no_mail(
    site: Site, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LARGE_OCTETS", 1)
    read = monitored(monkeypatch)
    answer = await site.http.head("/api/mails?limit=20&offset=0", headers=headers)
    assert (answer.status_code, answer.content, read) == (200, b"", [])
    assert answer.headers["content-type"] == "application/json"


async def test_a_mailbox_reads_only_so_many_large_pages_at_once(
    site: Site, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LARGE_OCTETS", 1)
    monkeypatch.setattr("mailbox_service.web.streams.MOST_OF_ONE_MAILBOX", 0)
    answer = await site.http.get("/api/parsed_mails?limit=20&offset=0", headers=headers)
    assert answer.status_code == 429


def monitored(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of mails whose sources are read one by one from now on."""
    read: list[int] = []
    source: Any = Reading.source

    async def noted(self: Reading, message: StoredMessage) -> bytes | None:
        read.append(message.id)
        found: bytes | None = await source(self, message)
        return found

    monkeypatch.setattr(Reading, "source", noted)
    return read

"""POST /admin/send_mail_by_binding: mailbox-api §3.6 as a table of cases."""

from __future__ import annotations

from typing import Any

import pytest

from mailbox_service.storage.database import Transaction
from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, Site

pytestmark = pytest.mark.anyio

PATH = "/admin/send_mail_by_binding"
MAIL: dict[str, Any] = {
    "from": "info@inbox.test",
    "to": "bob@far.example",
    "subject": "Hello",
    "text": "Good morning",
}
INVALID = "Invalid input"
FILE = {"content": "aGVsbG8=", "filename": "a.txt", "type": "text/plain"}
# What is changed (None: left out), status, text
CASES: list[tuple[dict[str, Any], int, str]] = [
    ({}, 200, ""),
    ({"from": {"email": "info@inbox.test", "name": "Info"}}, 200, ""),
    ({"from": "Info <info@inbox.test>"}, 200, ""),
    ({"to": ["bob@far.example", "cat@far.example"], "cc": "d@far.example", "bcc": []}, 200, ""),
    ({"replyTo": {"email": "me@inbox.test"}, "headers": {"X-Mine": "1"}}, 200, ""),
    ({"text": None, "html": "<p>x</p>"}, 200, ""),
    ({"attachments": [{**FILE, "disposition": "inline", "contentId": "a"}]}, 200, ""),
    ({"from": None}, 400, INVALID),
    ({"from": "info"}, 400, INVALID),
    ({"from": "info@"}, 400, INVALID),
    ({"to": None}, 400, INVALID),
    ({"to": []}, 400, INVALID),
    ({"to": ""}, 400, INVALID),
    ({"to": 1}, 400, INVALID),
    ({"subject": ""}, 400, INVALID),
    ({"text": None}, 400, INVALID),
    ({"attachments": [{**FILE, "content": "not base64"}]}, 400, INVALID),
    ({"from": "info@second.test"}, 400, "Please enable SEND_MAIL for this domain first"),
    ({"to": "root@blocked.example"}, 400, "Address is blocked"),
    ({"headers": {"X-Mine": "a\r\nBcc: x@y.example"}}, 400, "Operation failed"),
]


async def count(site: Site, what: str) -> int:
    async def unit(tx: Transaction) -> int:
        row = await tx.fetch_one(f"SELECT count(*) FROM {what}")
        assert row is not None
        return int(row[0])

    return await site.parts.database.read(unit)


@pytest.mark.parametrize(("changed", "status", "words"), CASES)
async def test_a_mail_in_the_words_of_the_platform(
    site_with: SiteWith, changed: dict[str, Any], status: int, words: str
) -> None:
    settings = {"outbound": "direct", "send_mail_domains": ["inbox.test"]}
    async with site_with(**settings) as site:
        lists = {"blockList": [], "sendBlockList": ["root@"], "verifiedAddressList": []}
        await site.http.post("/admin/account_settings", json=lists, headers=ADMIN)
        body = {key: value for key, value in {**MAIL, **changed}.items() if value is not None}
        answer = await site.http.post(PATH, json=body, headers=ADMIN)
        assert answer.status_code == status, answer.text
        if words:
            assert answer.text == words
            assert await count(site, "submissions") == 0
            return
        assert answer.json() == {"status": "ok"}
        recipients = 3 if isinstance(body["to"], list) else 1
        assert await count(site, "recipients") == recipients
        box = await site.http.get("/admin/sendbox?limit=9&offset=0", headers=ADMIN)
        assert box.json() == {"results": [], "count": 0}


async def test_without_a_channel_or_with_nonsense_nothing_is_sent(site_with: SiteWith) -> None:
    async with site_with(outbound="hold") as site:
        answer = await site.http.post(PATH, json=MAIL, headers=ADMIN)
        assert (answer.status_code, answer.text) == (400, "Please enable SEND_MAIL first")
        answer = await site.http.post(PATH, content=b"{", headers=ADMIN)
        assert (answer.status_code, answer.text) == (400, "Please enable SEND_MAIL first")
    async with site_with(outbound="direct") as site:
        for content in (b"", b"{", b"[]"):
            answer = await site.http.post(PATH, content=content, headers=ADMIN)
            assert (answer.status_code, answer.text) == (400, INVALID)

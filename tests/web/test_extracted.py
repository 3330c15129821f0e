"""`GET /api/mails/{id}/extracted`: codes and links of one mail, how sure, and by which rule."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailbox_service.storage.database import Transaction
from tests.web.conftest import SiteWith
from tests.web.site import LETTER, Site
from tests.webhook_receiver import answer, receiving

pytestmark = pytest.mark.anyio

LINK = "https://ferry.example/verify?token=0123456789abcdef"
FOUND: dict[str, Any] = {
    "code": "482913",
    "codes": [{"code": "482913", "confidence": 0.87, "rule": "named"}],
    "link": LINK,
    "links": [
        {
            "url": LINK,
            "text": "Confirm your address",
            "host": "ferry.example",
            "confidence": 0.75,
            "rule": "both",
        }
    ],
}
BOTH = LETTER + b"Confirm your address: " + LINK.encode() + b"\r\n"


@pytest.mark.parametrize("is_read", [False, True])
async def test_what_was_found_is_told_with_its_rule(site: Site, is_read: bool) -> None:
    ann = await site.open()
    mail = await site.arrive(raw=BOTH)
    if is_read:
        await site.parts.summarising.read_some()
    answered = await site.http.get(f"/api/mails/{mail}/extracted", headers=ann.auth)
    assert (answered.status_code, answered.json()) == (200, FOUND)


async def test_light_rows_tell_how_sure_it_is_and_brief_ones_do_not(site: Site) -> None:
    ann = await site.open()
    mail = await site.arrive(raw=BOTH)
    page = (await site.http.get("/api/inbox", headers=ann.auth)).json()
    opened = (await site.http.get(f"/api/inbox/{mail}", headers=ann.auth)).json()
    wait = "/api/mails/wait?after_id=0&timeout=0"
    waited = (await site.http.get(wait, headers=ann.auth)).json()
    for row in (page["results"][0], opened, waited["mail"]):
        assert (row["codes"], row["code_confidences"]) == (["482913"], [0.87])
        assert [link["confidence"] for link in row["links"]] == [0.75]
    brief = (await site.http.get("/api/inbox/brief", headers=ann.auth)).json()
    assert set(brief["results"][0]["link"]) == {"url", "text", "host"}


async def test_mail_from_before_confidence_was_kept_has_it_in_its_own_answer(site: Site) -> None:
    ann = await site.open()
    mail = await site.arrive(raw=BOTH)
    await site.parts.summarising.read_some()

    async def before(tx: Transaction) -> None:
        links = json.dumps([{"url": LINK, "text": "Confirm", "host": "ferry.example"}])
        sql = "UPDATE summaries SET code_marks = '[]', links = :links"
        await tx.execute(sql, {"links": links})

    await site.parts.database.write(before)
    [row] = (await site.http.get("/api/inbox", headers=ann.auth)).json()["results"]
    assert row["codes"] == ["482913"]
    assert "code_confidences" not in row
    assert "confidence" not in row["links"][0]
    answered = await site.http.get(f"/api/mails/{mail}/extracted", headers=ann.auth)
    assert answered.json() == FOUND


async def test_only_the_owner_is_told(site: Site) -> None:
    await site.open()
    other = await site.open("bob")
    mail = await site.arrive(raw=BOTH)
    for path in (
        f"/api/mails/{mail}/extracted",
        "/api/mails/999/extracted",
        "/api/mails/x/extracted",
    ):
        answered = await site.http.get(path, headers=other.auth)
        assert (answered.status_code, answered.text) == (404, "There is no such mail")
    assert (await site.http.get(f"/api/mails/{mail}/extracted")).status_code == 401


async def test_mail_without_codes_has_none(site: Site) -> None:
    ann = await site.open()
    mail = await site.arrive(raw=b"From: a@b.example\r\nSubject: Hello\r\n\r\nHow are you?\r\n")
    answered = await site.http.get(f"/api/mails/{mail}/extracted", headers=ann.auth)
    assert answered.json() == {"code": None, "codes": [], "link": None, "links": []}


async def test_what_a_model_says_is_shown_everywhere(site_with: SiteWith) -> None:
    async with receiving() as model:
        settings = {"extraction_url": model.url, "extraction_private_addresses": True}
        async with site_with(**settings) as site:
            ann = await site.open()
            mail = await site.arrive(raw=BOTH)
            await site.parts.summarising.read_some()
            [row] = (await site.http.get("/api/inbox", headers=ann.auth)).json()["results"]
            assert row["code"] == "482913"
            model.answers = [answer(200, "OK", b'{"code": "verification", "confidence": 0.95}')]
            assert await site.parts.asking_model.ask_some()
            [row] = (await site.http.get("/api/inbox", headers=ann.auth)).json()["results"]
            assert row["codes"] == ["verification", "482913"]
            assert row["code_confidences"] == [0.95, 0.87]
            answered = await site.http.get(f"/api/mails/{mail}/extracted", headers=ann.auth)
            assert answered.json()["codes"] == [
                {"code": "verification", "confidence": 0.95, "rule": "model"},
                *FOUND["codes"],
            ]
            await site.parts.model_out.close()


async def test_the_list_of_the_administrator_holds_for_the_model(site_with: SiteWith) -> None:
    async with receiving() as model:
        settings = {"extraction_url": model.url, "extraction_private_addresses": True}
        async with site_with(**settings) as site:
            rules = {"enableAllowList": True, "allowList": ["bob@inbox.test"]}
            await site.http.post(
                "/admin/ai_extract/settings", json=rules, headers={"x-admin-auth": "open-sesame"}
            )
            for name in ("ann", "bob"):
                await site.arrive(f"{name}@inbox.test", raw=BOTH)
            await site.parts.summarising.read_some()
            while await site.parts.asking_model.ask_some():
                pass
            assert len(model.got) == 1
            await site.parts.model_out.close()

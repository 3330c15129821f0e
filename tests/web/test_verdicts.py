"""What the API tells about where a mail comes from."""

from __future__ import annotations

import pytest

from mailbox_service.services.verifying_origin import VerifyingOrigin
from tests.web.site import Site
from tests.zones import Zone

pytestmark = pytest.mark.anyio

ZONE = Zone(
    {
        ("ferry.example", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
        ("_dmarc.ferry.example", "TXT"): ["v=DMARC1; p=reject"],
    }
)
FOUND = {"spf": "pass", "dkim": "none", "dmarc": "pass", "arc": "none"}


async def judge(site: Site) -> None:
    parts = site.parts
    await VerifyingOrigin(parts.database, site.config, ZONE, parts.signals).judge_some()


async def test_rows_and_the_reader_show_the_verdicts_once_they_are_known(site: Site) -> None:
    owner = await site.open()
    mail = await site.arrive()
    for expected in (None, FOUND):
        listed = await site.http.get("/api/inbox", headers=owner.auth)
        assert listed.json()["results"][0]["verdicts"] == expected
        opened = await site.http.get(f"/api/inbox/{mail}", headers=owner.auth)
        assert opened.json()["verdicts"] == expected
        waited = await site.http.get("/api/mails/wait?after_id=0", headers=owner.auth)
        assert waited.json()["mail"]["verdicts"] == expected
        await judge(site)


async def test_the_rows_of_the_contract_stay_as_they_are(site: Site) -> None:
    owner = await site.open()
    await site.arrive()
    before = await site.http.get("/api/mails?limit=1&offset=0", headers=owner.auth)
    await judge(site)
    after = await site.http.get("/api/mails?limit=1&offset=0", headers=owner.auth)
    assert before.json() == after.json()


async def test_all_results_are_told_in_the_form_of_the_header_field(site: Site) -> None:
    owner = await site.open()
    mail = await site.arrive()
    path = f"/api/mails/{mail}/authentication"
    answer = await site.http.get(path, headers=owner.auth)
    assert answer.json() == {"verdicts": None, "authentication_results": None}
    await judge(site)
    answer = await site.http.get(path, headers=owner.auth)
    assert answer.json() == {
        "verdicts": FOUND,
        "authentication_results": (
            "inbox.test; spf=pass smtp.mailfrom=a@ferry.example; dkim=none; "
            "dmarc=pass header.from=ferry.example policy.dmarc=reject; arc=none"
        ),
    }


@pytest.mark.parametrize("which", ["other", "missing", "none"])
async def test_the_results_of_others_are_not_told(site: Site, which: str) -> None:
    await site.open()
    other = await site.open("bob")
    mail: object = await site.arrive() if which == "other" else 4711 if which == "missing" else "x"
    answer = await site.http.get(f"/api/mails/{mail}/authentication", headers=other.auth)
    assert answer.status_code == 404

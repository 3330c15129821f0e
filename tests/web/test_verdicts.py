"""What the API tells about where a mail comes from."""

from __future__ import annotations

import pytest

from mailbox_service.services.verifying_origin import VerifyingOrigin
from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, Site
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
    nothing = {"verdicts": None, "authentication_results": None, "score": None}
    assert answer.json() == {**nothing, "signs": []}
    await judge(site)
    answer = await site.http.get(path, headers=owner.auth)
    assert answer.json() == {
        "verdicts": FOUND,
        "authentication_results": (
            "inbox.test; spf=pass smtp.mailfrom=a@ferry.example; dkim=none; "
            "dmarc=pass header.from=ferry.example policy.dmarc=reject; arc=none"
        ),
        "score": -3,
        "signs": [{"name": "spf=pass", "points": -1}, {"name": "dmarc=pass", "points": -2}],
    }


@pytest.mark.parametrize("which", ["other", "missing", "none"])
async def test_the_results_of_others_are_not_told(site: Site, which: str) -> None:
    await site.open()
    other = await site.open("bob")
    mail: object = await site.arrive() if which == "other" else 4711 if which == "missing" else "x"
    answer = await site.http.get(f"/api/mails/{mail}/authentication", headers=other.auth)
    assert answer.status_code == 404


LETTER = b"From: Ann <ann@inb0x.test>\r\nX-Mailbox-Score: -9\r\nSubject: x\r\n\r\nHello\r\n"


@pytest.mark.parametrize("wanted", [False, True])
async def test_downloads_have_the_score_on_top_where_that_is_wanted(
    site_with: SiteWith, wanted: bool
) -> None:
    """What is stored is kept as it came: by default it is given so, and `raw` always is."""
    async with site_with(score_header=wanted) as site:
        owner = await site.open()
        mail = await site.arrive(raw=LETTER)
        before = await site.http.get(f"/api/mail/{mail}", headers=owner.auth)
        await judge(site)
        got = await site.http.get(f"/api/mails/{mail}/raw", headers=owner.auth)
        anybodys = await site.http.get(f"/admin/mails/{mail}/raw", headers=ADMIN)
        after = await site.http.get(f"/api/mail/{mail}", headers=owner.auth)
    assert anybodys.content == got.content
    assert after.json() == before.json()
    stored = after.json()["raw"].encode()
    if not wanted:
        assert got.content == stored
        return
    first, results, rest = got.content.split(b"\r\n", 2)
    assert first == b"X-Mailbox-Score: 3 (spf=pass -1, looks-like-ours +4)"
    assert results.startswith(b"Authentication-Results: inbox.test; spf=pass ")
    plain = stored.replace(b"X-Mailbox-Score: -9\r\n", b"")
    assert rest.endswith(plain)


async def test_before_anything_is_known_a_download_has_no_score(site_with: SiteWith) -> None:
    async with site_with(score_header=True) as site:
        owner = await site.open()
        mail = await site.arrive(raw=LETTER)
        got = await site.http.get(f"/api/mails/{mail}/raw", headers=owner.auth)
    assert b"X-Mailbox-Score" not in got.content
    assert got.content.startswith(b"Received: ")

"""Settings of the configuration that an administrator overrules while the service runs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, Site

pytestmark = pytest.mark.anyio

CONFIGURED = {
    "prefix": "Tmp",
    "minAddressLen": 1,
    "maxAddressLen": 30,
    "randomSubdomainDomains": ["second.test"],
    "randomSubdomainLength": 8,
    "enableCheckJunkMail": False,
    "junkMailCheckList": [],
    "junkMailForcePassList": [],
}
JUNK = "Received-SPF: fail (nobody)\r\nFrom: a@b.example\r\nSubject: x\r\n\r\nHello\r\n"


async def overrule(site: Site, **wish: Any) -> Any:
    return await site.http.post("/admin/overrides", json=wish, headers=ADMIN)


async def state(site: Site) -> Any:
    return (await site.http.get("/admin/overrides", headers=ADMIN)).json()


async def opened(site: Site, **wish: Any) -> Any:
    return await site.http.post("/api/new_address", json={"name": "anna", **wish})


async def test_what_is_stored_holds_instead_of_the_configuration_until_it_is_given_back(
    site_with: SiteWith,
) -> None:
    async with site_with(prefix="Tmp", random_subdomain_domains=["second.test"]) as site:
        assert await state(site) == {
            "stored": {}, "configured": CONFIGURED, "effective": CONFIGURED
        }  # fmt: skip
        assert (await overrule(site, prefix=" Box. ", enableCheckJunkMail=False)).json() == {
            "success": True
        }
        shown = await state(site)
        assert shown["stored"] == {"prefix": "box.", "enableCheckJunkMail": False}
        assert shown["configured"] == CONFIGURED
        assert shown["effective"] == {**CONFIGURED, "prefix": "box."}
        # What is absent stays; null gives back.
        await overrule(site, randomSubdomainLength=3)
        await overrule(site, prefix=None)
        shown = await state(site)
        assert shown["stored"] == {"enableCheckJunkMail": False, "randomSubdomainLength": 3}
        assert shown["effective"]["prefix"] == "Tmp"


async def test_an_empty_prefix_is_one_that_was_chosen(site_with: SiteWith) -> None:
    async with site_with(prefix="tmp") as site:
        await overrule(site, prefix="")
        assert (await opened(site)).json()["address"].startswith("anna@")
        assert (await state(site))["stored"] == {"prefix": ""}


async def test_the_rules_of_opening_follow_at_once(site_with: SiteWith) -> None:
    async with site_with(prefix="tmp") as site:
        wish = {"domain": "inbox.test", "enableRandomSubdomain": True}
        assert (await opened(site, **wish)).status_code == 400
        await overrule(
            site,
            prefix="box.",
            minAddressLen=4,
            maxAddressLen=5,
            randomSubdomainDomains=["inbox.test"],
            randomSubdomainLength=3,
        )
        got = (await opened(site, **wish)).json()["address"]
        local, _, domain = got.partition("@")
        assert local == "box.anna"
        assert domain.endswith(".inbox.test")
        assert len(domain) == len("abc.inbox.test")
        for name, reason in (("eva", "too short"), ("johanna", "too long")):
            refused = await opened(site, name=name)
            assert refused.status_code == 400
            assert reason in refused.text.lower()


async def test_the_page_and_the_open_settings_tell_what_holds_now(site_with: SiteWith) -> None:
    async with site_with(prefix="tmp") as site:
        await overrule(site, prefix="box", randomSubdomainDomains=["inbox.test"], maxAddressLen=9)
        told = (await site.http.get("/open_api/settings")).json()
        assert (told["prefix"], told["maxAddressLen"]) == ("box", 9)
        assert told["randomSubdomainDomains"] == ["inbox.test"]
        told = (await site.http.get("/admin/worker/configs", headers=ADMIN)).json()
        assert (told["PREFIX"], told["MAX_ADDRESS_LEN"]) == ("box", 9)
        assert told["RANDOM_SUBDOMAIN_DOMAINS"] == ["inbox.test"]


async def test_junk_is_judged_by_what_holds_now(site_with: SiteWith) -> None:
    async with site_with(e2e_test_mode=True) as site:
        mail = {"from": "a@b.example", "to": "anna@inbox.test", "raw": JUNK}

        async def refused() -> bool:
            answer = await site.http.post("/admin/test/receive_mail", json=mail, headers=ADMIN)
            return "rejected" in answer.json()

        assert not await refused()
        await overrule(site, enableCheckJunkMail=True, junkMailCheckList=[" SPF "])
        assert (await state(site))["stored"]["junkMailCheckList"] == ["spf"]
        assert await refused()
        await overrule(site, enableCheckJunkMail=None)
        assert not await refused()


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"prefix": 5}, "prefix must be a string"),
        ({"prefix": "a b"}, "prefix cannot begin an address: a b"),
        ({"prefix": "x@y."}, "prefix cannot begin an address"),
        ({"prefix": "\0"}, "prefix cannot begin an address"),
        ({"prefix": "x" * 33}, "prefix must have 32 characters or fewer"),
        ({"minAddressLen": 0}, "minAddressLen must be a whole number from 1 to 64"),
        ({"minAddressLen": True}, "minAddressLen must be a whole number from 1 to 64"),
        ({"maxAddressLen": 65}, "maxAddressLen must be a whole number from 1 to 64"),
        ({"maxAddressLen": "9"}, "maxAddressLen must be a whole number from 1 to 64"),
        ({"minAddressLen": 9, "maxAddressLen": 8}, "minAddressLen is larger than maxAddressLen"),
        ({"minAddressLen": 31}, "minAddressLen is larger than maxAddressLen"),
        (
            {"randomSubdomainLength": 64},
            "randomSubdomainLength must be a whole number from 1 to 63",
        ),
        ({"randomSubdomainDomains": "inbox.test"}, "must be a list of strings"),
        ({"randomSubdomainDomains": ["other.test"]}, "other.test is no domain of this service"),
        ({"randomSubdomainDomains": ["inbox.test"] * 1001}, "may hold 1000 entries"),
        ({"enableCheckJunkMail": "true"}, "enableCheckJunkMail must be true or false"),
        ({"junkMailCheckList": ["arc"]}, "junkMailCheckList may hold spf, dkim, dmarc"),
        ({"junkMailForcePassList": [1]}, "junkMailForcePassList must be a list of strings"),
        ({"adminPasswords": ["x"]}, "adminPasswords is no setting that can be overruled here"),
        ([], "An object of settings is needed"),
    ],
)
async def test_a_wish_that_is_wrong_changes_nothing(site: Site, wish: Any, words: str) -> None:
    before = await state(site)
    body = {**wish, "junkMailCheckList": ["spf"], **wish} if isinstance(wish, dict) else wish
    answer = await site.http.post("/admin/overrides", json=body, headers=ADMIN)
    assert answer.status_code == 400
    assert words in answer.text
    assert await state(site) == before


async def test_it_is_written_into_the_audit_log(site: Site) -> None:
    await overrule(site, prefix="box")
    found = (await site.http.get("/admin/audit", headers=ADMIN)).json()["results"][0]
    assert found["action"] == "settings.overrule"
    assert found["detail"] == {"prefix": "box"}


async def test_nobody_else_may(site: Site) -> None:
    assert (await site.http.get("/admin/overrides")).status_code == 401
    assert (await site.http.post("/admin/overrides", json={"prefix": "x"})).status_code == 401

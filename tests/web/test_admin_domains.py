"""The routes of DNS records, and the policy that senders fetch."""

from __future__ import annotations

from typing import Any

import pytest

from mailbox_service.core.domain_records import sts_policy
from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, Site

pytestmark = pytest.mark.anyio

RECORD = {"purpose", "type", "name", "value", "required", "why", "why_told"}


async def post(site: Site, path: str, body: Any) -> Any:
    return await site.http.post(f"/admin/domains{path}", json=body, headers=ADMIN)


async def test_the_records_of_every_domain_can_be_copied(site: Site) -> None:
    body = (await site.http.get("/admin/domains", headers=ADMIN)).json()
    assert [one["domain"] for one in body["results"]] == ["inbox.test", "second.test"]
    records = body["results"][0]["records"]
    assert set(records[0]) == RECORD
    assert (records[0]["purpose"], records[0]["value"]) == ("mx", "10 inbox.test.")
    keys = [one for one in records if one["purpose"] == "dkim"]
    assert len(keys) == 2
    assert all(one["name"].endswith("._domainkey.inbox.test") for one in keys)
    assert "PRIVATE" not in str(body)


async def test_a_check_says_of_each_record_how_it_stands(site: Site) -> None:
    answer = await post(site, "/check", {"domain": "Inbox.test."})
    body = answer.json()
    assert (body["domain"], set(body)) == ("inbox.test", {"domain", "checked_at", "records"})
    assert set(body["records"][0]) == {*RECORD, "found", "state", "message", "message_told"}
    assert {one["state"] for one in body["records"]} == {"unknown"}  # private names


async def test_the_next_keys_and_the_line_about_them(site: Site) -> None:
    answer = await post(site, "/rotate_dkim", {"domain": "inbox.test"})
    body = answer.json()
    assert set(body) == {"domain", "records"}
    assert len([one for one in body["records"] if one["purpose"] == "dkim"]) == 4
    rows = (await site.http.get("/admin/audit", headers=ADMIN)).json()["results"]
    assert [(row["action"], row["subject"]) for row in rows] == [
        ("domain.rotate_dkim", "inbox.test")]  # fmt: skip


@pytest.mark.parametrize("path", ["/check", "/rotate_dkim"])
async def test_other_domains_and_nonsense_are_refused(site: Site, path: str) -> None:
    assert (await post(site, path, {"domain": "elsewhere.test"})).status_code == 404
    nonsense: list[Any] = [{}, {"domain": 1}, []]
    for body in nonsense:
        assert (await post(site, path, body)).status_code == 400


async def test_records_are_for_administrators(site: Site) -> None:
    assert (await site.http.get("/admin/domains")).status_code == 401
    for path in ("/check", "/rotate_dkim"):
        answer = await site.http.post(f"/admin/domains{path}", json={"domain": "inbox.test"})
        assert answer.status_code == 401


POLICY = "/.well-known/mta-sts.txt"


async def test_senders_find_the_policy_under_its_own_name(site_with: SiteWith) -> None:
    async with site_with(passwords=["knock"], mta_sts_mode="enforce") as site:
        answer = await site.http.get(POLICY, headers={"host": "MTA-STS.inbox.test:443"})
        assert answer.status_code == 200
        assert answer.text == sts_policy("inbox.test", "enforce")
        assert answer.headers["content-type"].startswith("text/plain")
        for host in ("inbox.test", "mta-sts.elsewhere.test", "mta-sts.", ""):
            answer = await site.http.get(POLICY, headers={"host": host})
            assert answer.status_code == 404, host
    async with site_with(mta_sts_mode="none") as site:
        answer = await site.http.get(POLICY, headers={"host": "mta-sts.inbox.test"})
        assert answer.status_code == 404

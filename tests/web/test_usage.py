"""How full a mailbox is, as its owner is told."""

from __future__ import annotations

import pytest

from mailbox_service.core.mailbox_limits import Fill, MailboxLimits
from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, LETTER, Site

pytestmark = pytest.mark.anyio


async def test_an_owner_is_told_how_full_the_mailbox_is(site_with: SiteWith) -> None:
    async with site_with(mailbox_max_mails=2, mailbox_mails_per_hour=9) as site:
        told = (await site.http.get("/open_api/settings")).json()
        assert told["mailboxLimits"] == {"mails": 2, "octets": 0, "perMinute": 0, "perHour": 9}
        ann, bob = await site.open(), await site.open("bob")
        await site.arrive()
        one = (await site.http.get("/api/usage", headers=ann.auth)).json()
        # The minute or the hour may have ended since the mail came.
        assert one.pop("in_minute") in (0, 1)
        assert one.pop("in_hour") in (0, 1)
        assert one == {
            "mails": 1, "octets": one["octets"], "max_mails": 2, "max_octets": 0,
            "mails_per_minute": 0, "mails_per_hour": 9, "full": False,
        }  # fmt: skip
        assert one["octets"] >= len(LETTER)
        await site.arrive()
        assert (await site.http.get("/api/usage", headers=ann.auth)).json()["full"] is True
        other = (await site.http.get("/api/usage", headers=bob.auth)).json()
        assert (other["mails"], other["octets"], other["full"]) == (0, 0, False)


async def test_without_limits_nothing_is_full(site: Site) -> None:
    told = (await site.http.get("/open_api/settings")).json()
    assert "mailboxLimits" not in told
    ann = await site.open()
    await site.arrive()
    usage = (await site.http.get("/api/usage", headers=ann.auth)).json()
    assert (usage["mails"], usage["max_mails"], usage["full"]) == (1, 0, False)


async def test_octets_are_a_limit_of_their_own(site_with: SiteWith) -> None:
    assert MailboxLimits(octets=10).is_full(Fill(mails=1, octets=10))
    assert not MailboxLimits(octets=10, mails=2).is_full(Fill(mails=1, octets=9))
    async with site_with(mailbox_max_octets=5_000) as site:
        ann = await site.open()
        usage = (await site.http.get("/api/usage", headers=ann.auth)).json()
        assert (usage["octets"], usage["max_octets"], usage["full"]) == (0, 5_000, False)


async def test_a_page_is_told_what_owners_may_only_where_they_may(site_with: SiteWith) -> None:
    async with site_with(imap_account_login=True) as site:
        told = (await site.http.get("/open_api/settings")).json()
        assert (told["enableOwnerForwarding"], told["imapAccountLogin"]) == (True, True)
    async with site_with(enable_owner_forwarding=False, imap_account_login=False) as site:
        told = (await site.http.get("/open_api/settings")).json()
        assert not {"enableOwnerForwarding", "imapAccountLogin", "mailboxLimits"} & set(told)
    async with site_with(imap_account_login=True, imap_listen="", imaps_listen="") as site:
        assert "imapAccountLogin" not in (await site.http.get("/open_api/settings")).json()


async def test_an_administrator_sees_what_the_file_decides_and_no_secret(
    site_with: SiteWith,
) -> None:
    async with site_with(
        mailbox_max_mails=7,
        retention_octets=9,
        score_header=True,
        enable_send_from_subdomains=True,
        extraction_url="https://me:pw-of-mine@models.example/extract?key=k-of-mine",
        extraction_secret="s-of-the-model",
    ) as site:
        answer = await site.http.get("/admin/file_settings", headers=ADMIN)
        told = answer.json()
        assert (told["mailbox_max_mails"], told["retention_octets"]) == (7, 9)
        assert (told["score_header"], told["enable_send_from_subdomains"]) == (True, True)
        assert told["extraction_url"] == "https://models.example/extract"
        assert (told["has_extraction_secret"], told["asn_database"]) == (True, "")
        for secret in ("pw-of-mine", "k-of-mine", "s-of-the-model"):
            assert secret not in answer.text
        assert (await site.http.get("/admin/file_settings")).status_code == 401

"""The IP policy and the extraction list: mailbox-api §3.6, §5.2, §5.3 as tables of cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mailbox_service.services.summarising import summary_of
from tests.services.test_network_owners import write
from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, Site

pytestmark = pytest.mark.anyio

PATH = "/admin/ip_blacklist/settings"
UNSET = {
    "enabled": False,
    "blacklist": [],
    "asnBlacklist": [],
    "fingerprintBlacklist": [],
    "enableWhitelist": False,
    "whitelist": [],
    "enableDailyLimit": False,
    "dailyRequestLimit": 1000,
}
INVALID = "Invalid IP blacklist setting: "
TOO_MANY = "Blacklist exceeds maximum size: "
# What is posted over the defaults, and the text of the refusal.
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"enabled": 1}, INVALID + "enabled"),
    ({"enabled": None, "blacklist": None}, INVALID + "enabled"),
    ({"blacklist": "x"}, INVALID + "blacklist"),
    ({"asnBlacklist": {}}, INVALID + "asnBlacklist"),
    ({"fingerprintBlacklist": None}, INVALID + "fingerprintBlacklist"),
    ({"enableWhitelist": "true"}, INVALID + "enableWhitelist"),
    ({"whitelist": "127.0.0.1"}, INVALID + "whitelist"),
    ({"enableDailyLimit": 0}, INVALID + "enableDailyLimit"),
    ({"dailyRequestLimit": 0}, INVALID + "dailyRequestLimit (1-1000000)"),
    ({"dailyRequestLimit": 1_000_001}, INVALID + "dailyRequestLimit (1-1000000)"),
    ({"dailyRequestLimit": "5"}, INVALID + "dailyRequestLimit (1-1000000)"),
    ({"dailyRequestLimit": True}, INVALID + "dailyRequestLimit (1-1000000)"),
    ({"blacklist": ["x"] * 1001}, TOO_MANY + "blacklist (1000)"),
    ({"asnBlacklist": ["x"] * 1001}, TOO_MANY + "asnBlacklist (1000)"),
    ({"fingerprintBlacklist": ["x"] * 1001}, TOO_MANY + "fingerprintBlacklist (1000)"),
    ({"whitelist": ["x"] * 1003}, TOO_MANY + "whitelist (1003/1000)"),
    ({"whitelist": [1]}, INVALID + "whitelist element must be a string"),
    ({"whitelist": ["10.0.0.1", "(x"]}, INVALID + "whitelist invalid regex: (x"),
    ({"blacklist": [1]}, INVALID + "blacklist element must be a string"),
    ({"blacklist": ["x" * 1001]}, INVALID + "blacklist element is too long"),
]


async def save(site: Site, **changed: Any) -> None:
    answer = await site.http.post(PATH, json={**UNSET, **changed}, headers=ADMIN)
    assert (answer.status_code, answer.json()) == (200, {"success": True}), answer.text


async def test_a_policy_that_was_never_saved_has_the_defaults_of_the_contract(site: Site) -> None:
    assert (await site.http.get(PATH, headers=ADMIN)).json() == UNSET


@pytest.mark.parametrize(("changed", "words"), REFUSED)
async def test_a_wrong_policy_is_refused_in_the_words_of_the_contract(
    site: Site, changed: dict[str, Any], words: str
) -> None:
    answer = await site.http.post(PATH, json={**UNSET, **changed}, headers=ADMIN)
    assert (answer.status_code, answer.text) == (400, words)
    assert (await site.http.get(PATH, headers=ADMIN)).json() == UNSET


async def test_a_refusal_has_the_language_that_was_asked_for(site: Site) -> None:
    answer = await site.http.post(PATH, json={}, headers={**ADMIN, "x-lang": "zh"})
    assert answer.text == "无效的 IP 黑名单设置: enabled"
    bodies: list[Any] = [[], "x", 1]
    for body in bodies:
        answer = await site.http.post(PATH, json=body, headers=ADMIN)
        assert (answer.status_code, answer.text) == (400, INVALID + "enabled")


async def test_entries_are_trimmed_and_empty_ones_dropped(site: Site) -> None:
    await save(site, blacklist=[" 10.0.0.1 ", "", "  "], whitelist=[" a "], enabled=True)
    stored = (await site.http.get(PATH, headers=ADMIN)).json()
    assert (stored["blacklist"], stored["whitelist"]) == (["10.0.0.1"], ["a"])


async def test_a_front_end_from_before_the_whitelist_may_save(site: Site) -> None:
    older = {name: value for name, value in UNSET.items() if "hitelist" not in name}
    answer = await site.http.post(PATH, json=older, headers=ADMIN)
    assert answer.json() == {"success": True}
    assert (await site.http.get(PATH, headers=ADMIN)).json() == UNSET


# policy, client, fingerprint, status, text (of a refusal)
JUDGED: list[tuple[dict[str, Any], str, str, int, str]] = [
    ({}, "192.0.2.1", "", 200, ""),
    ({"enabled": True}, "192.0.2.1", "", 200, ""),
    # Step 1: the whitelist
    ({"enableWhitelist": True}, "192.0.2.1", "", 200, ""),
    (
        {"enableWhitelist": True, "whitelist": ["192.0.2.2"]},
        "192.0.2.1",
        "",
        403,
        "Access denied: IP 192.0.2.1 is not whitelisted",
    ),
    ({"enableWhitelist": True, "whitelist": ["192.0.2.1"]}, "192.0.2.1", "", 200, ""),
    ({"enableWhitelist": True, "whitelist": ["192.0.2.0/24"]}, "192.0.2.1", "", 200, ""),
    ({"enableWhitelist": True, "whitelist": [r"^192\.0\.2\."]}, "192.0.2.1", "", 200, ""),
    ({"enableWhitelist": True, "whitelist": ["2001:DB8::1"]}, "2001:db8::1", "", 200, ""),
    ({"whitelist": ["192.0.2.2"]}, "192.0.2.1", "", 200, ""),
    # Who is whitelisted is trusted
    (
        {
            "enabled": True,
            "blacklist": ["192"],
            "enableWhitelist": True,
            "whitelist": ["192.0.2.1"],
        },
        "192.0.2.1",
        "",
        200,
        "",
    ),
    # Step 2: the fingerprint, before the address
    (
        {"enabled": True, "fingerprintBlacklist": ["abc"], "blacklist": ["192"]},
        "192.0.2.1",
        "xxabcxx",
        403,
        "Access denied: Browser fingerprint is blacklisted",
    ),
    ({"enabled": True, "fingerprintBlacklist": ["abc"]}, "192.0.2.1", "ABC", 200, ""),
    ({"enabled": False, "fingerprintBlacklist": ["abc"]}, "192.0.2.1", "abc", 200, ""),
    # Step 3: the address
    (
        {"enabled": True, "blacklist": ["192.0.2.1"]},
        "192.0.2.1",
        "",
        403,
        "Access denied: IP 192.0.2.1 is blacklisted",
    ),
    # A pattern, unanchored, in which a dot is any character
    (
        {"enabled": True, "blacklist": ["192.0.2.1"]},
        "192.0.2.10",
        "",
        403,
        "Access denied: IP 192.0.2.10 is blacklisted",
    ),
    ({"enabled": True, "blacklist": ["192.0.2.0/30"]}, "192.0.2.4", "", 200, ""),
    (
        {"enabled": True, "blacklist": ["192.0.2.0/30"]},
        "192.0.2.3",
        "",
        403,
        "Access denied: IP 192.0.2.3 is blacklisted",
    ),
    (
        {"enabled": True, "blacklist": ["(0.2"]},  # no pattern, and no part either
        "192.0.2.3",
        "",
        200,
        "",
    ),
    ({"enabled": False, "blacklist": ["192"]}, "192.0.2.1", "", 200, ""),
]


@pytest.mark.parametrize(("policy", "ip", "fingerprint", "status", "words"), JUDGED)
async def test_a_request_is_judged_by_the_policy(
    site: Site, policy: dict[str, Any], ip: str, fingerprint: str, status: int, words: str
) -> None:
    await save(site, **policy)
    async with site.client(ip) as client:
        headers = {"x-fingerprint": fingerprint} if fingerprint else {}
        answer = await client.post("/api/new_address", json={}, headers=headers)
    assert answer.status_code == status, answer.text
    if words:
        assert answer.text == words


async def test_only_what_costs_most_is_judged_and_before_any_credential(site: Site) -> None:
    """§1.4, step 5 and its five prefixes."""
    ann = await site.open()
    await save(site, enabled=True, blacklist=["192.0.2.1"])
    denied = (403, "Access denied: IP 192.0.2.1 is blacklisted")
    async with site.client("192.0.2.1") as client:
        for path in (
            "/api/new_address",
            "/api/send_mail",
            "/external/api/send_mail",
            "/user_api/register",
            "/user_api/verify_code",
        ):
            answer = await client.post(path, json={})
            assert (answer.status_code, answer.text) == denied, path
        assert (await client.get("/api/settings", headers=ann.auth)).status_code == 200
        assert (await client.get("/open_api/settings")).status_code == 200
        # The administrator always finds the way back.
        assert (await client.get(PATH, headers=ADMIN)).status_code == 200
        preflight = await client.options("/api/new_address")
        assert preflight.status_code == 204
    await save(site)
    async with site.client("192.0.2.1") as client:
        assert (await client.post("/api/new_address", json={})).status_code == 200


async def test_a_day_has_so_many_requests_also_for_the_trusted(site: Site) -> None:
    await save(
        site,
        enableDailyLimit=True,
        dailyRequestLimit=2,
        enableWhitelist=True,
        whitelist=["192.0.2.0/24", "2001:db8::/32"],
    )
    async with site.client("192.0.2.1") as client:
        for _ in range(2):
            assert (await client.post("/api/new_address", json={})).status_code == 200
        answer = await client.post("/api/send_mail", json={})
        assert (answer.status_code, answer.text) == (
            429,
            "IP=192.0.2.1 Exceeded daily limit of 2 requests",
        )
        assert 0 < int(answer.headers["retry-after"]) <= 86_400
    async with site.client("192.0.2.2") as client:
        assert (await client.post("/api/new_address", json={})).status_code == 200
    # One customer's IPv6 network is one client, whatever address of it is used.
    for last in ("1", "2"):
        async with site.client(f"2001:db8::{last}") as client:
            assert (await client.post("/api/new_address", json={})).status_code == 200
    async with site.client("2001:db8::3") as client:
        answer = await client.post("/api/new_address", json={})
        assert answer.text == "IP=2001:db8::3 Exceeded daily limit of 2 requests"


async def test_hazard_46_a_pattern_that_explodes_refuses_who_makes_it(site: Site) -> None:
    await save(site, enabled=True, fingerprintBlacklist=["^(a|aa)+$", "^(.*a){12}$"])
    for fingerprint, status in (("a" * 200 + "!", 403), ("honest", 200)):
        headers = {"x-fingerprint": fingerprint}
        answer = await site.http.post("/api/new_address", json={}, headers=headers)
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("proxies", "owner", "status"),
    [
        (["127.0.0.1"], "Example Hosting LLC", 403),
        (["127.0.0.1"], "EXAMPLE hosting", 403),
        (["127.0.0.1"], "Honest Telecom", 200),
        (["127.0.0.1"], "", 200),
        # Anybody may send the header: it counts only from a proxy of ours (hazard 47).
        ([], "Example Hosting LLC", 200),
    ],
)
async def test_owners_of_networks_are_told_by_a_trusted_proxy(
    site_with: SiteWith, proxies: list[str], owner: str, status: int
) -> None:
    async with site_with(trusted_proxies=proxies) as site:
        await save(site, enabled=True, asnBlacklist=["example hosting"])
        headers = {"x-forwarded-for": "203.0.113.9", "x-as-organization": owner}
        answer = await site.http.post("/api/new_address", json={}, headers=headers)
        assert answer.status_code == status, answer.text
        if status == 403:
            assert answer.text == "Access denied: ASN organization is blacklisted"


@pytest.mark.parametrize(
    ("ip", "told", "policy", "status"),
    [
        ("203.0.113.9", "", {}, 403),
        ("2001:db8::9", "", {}, 403),
        ("198.51.100.9", "", {}, 200),
        # What the file says counts beside what the proxy says, and the other way round.
        ("203.0.113.9", "Honest Telecom", {}, 403),
        ("198.51.100.9", "Example Hosting LLC", {}, 403),
        ("203.0.113.9", "", {"enabled": False}, 200),
        ("203.0.113.9", "", {"asnBlacklist": []}, 200),
        ("203.0.113.9", "", {"enableWhitelist": True, "whitelist": ["203.0.113.9"]}, 200),
    ],
)
async def test_owners_of_networks_are_found_in_a_file(
    tmp_path: Path, site_with: SiteWith, ip: str, told: str, policy: dict[str, Any], status: int
) -> None:
    file = tmp_path / "asn.mmdb"
    hosting = {"autonomous_system_organization": "Example Hosting LLC"}
    write(file, {"203.0.113.0/24": hosting, "2001:db8::/32": hosting})
    async with site_with(trusted_proxies=["127.0.0.1"], asn_database=str(file)) as site:
        await save(site, **{"enabled": True, "asnBlacklist": ["example hosting"], **policy})
        headers = {"x-forwarded-for": ip} | ({"x-as-organization": told} if told else {})
        answer = await site.http.post("/api/new_address", json={}, headers=headers)
        assert answer.status_code == status, answer.text
        if status == 403:
            assert answer.text == "Access denied: ASN organization is blacklisted"


async def test_the_extraction_list_is_kept_as_it_was_posted(site: Site) -> None:
    path = "/admin/ai_extract/settings"
    unset = {"enableAllowList": False, "allowList": []}
    assert (await site.http.get(path, headers=ADMIN)).json() == unset
    posted = {"enableAllowList": True, "allowList": ["ann@inbox.test", "*@second.test"]}
    assert (await site.http.post(path, json=posted, headers=ADMIN)).json() == {"success": True}
    assert (await site.http.get(path, headers=ADMIN)).json() == posted


# list, recipient, whether its code is written down
EXTRACTED: list[tuple[dict[str, Any], str, bool]] = [
    ({"enableAllowList": False, "allowList": ["bob@inbox.test"]}, "ann@inbox.test", True),
    ({"enableAllowList": True, "allowList": []}, "ann@inbox.test", True),
    ({"enableAllowList": True, "allowList": ["bob@inbox.test"]}, "ann@inbox.test", False),
    ({"enableAllowList": True, "allowList": ["Ann@inbox.test"]}, "ann@inbox.test", True),
    ({"enableAllowList": True, "allowList": ["a*@inbox.test"]}, "ann@inbox.test", True),
    ({"enableAllowList": True, "allowList": ["*@inbox"]}, "ann@inbox.test", False),
    ({"enableAllowList": True, "allowList": ["ann@inboxxtest"]}, "ann@inbox.test", False),
]


@pytest.mark.parametrize(("settings", "recipient", "written"), EXTRACTED)
async def test_only_mail_of_listed_mailboxes_is_looked_through(
    site_with: SiteWith, settings: dict[str, Any], recipient: str, written: bool
) -> None:
    """§9.9."""
    async with site_with(enable_ai_email_extract=True) as site:
        await site.http.post("/admin/ai_extract/settings", json=settings, headers=ADMIN)
        mail_id = await site.arrive(recipient)
        await site.parts.summarising.read_some()
        row = (await site.http.get(f"/admin/mails/{mail_id}", headers=ADMIN)).json()
        assert (row["metadata"] is not None) == written
        assert summary_of(row["raw"].encode()).codes == ("482913",)

"""What is beside the mailbox API when addresses open: lifetimes, revoked tokens, many at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, Site

pytestmark = pytest.mark.anyio

FAILED = "Failed to create address: "
RANGE = "expires_in must be a whole number of seconds from 1 to 315360000"
# expires_in, status
LIFETIMES: list[tuple[Any, int]] = [
    (None, 200),
    (1, 200),
    (3600, 200),
    (315_360_000, 200),
    (0, 400),
    (-1, 400),
    (315_360_001, 400),
    (1.5, 400),
    (True, 400),
    ("60", 400),
    ([], 400),
]


@pytest.mark.parametrize("path", ["/api/new_address", "/admin/new_address"])
@pytest.mark.parametrize(("expires_in", "status"), LIFETIMES)
async def test_a_lifetime_is_a_number_of_seconds(
    site: Site, path: str, expires_in: Any, status: int
) -> None:
    body = {"name": "ann", "expires_in": expires_in}
    answer = await site.http.post(path, json=body, headers=ADMIN)
    assert answer.status_code == status, answer.text
    if status == 400:
        assert answer.text == FAILED + RANGE
        return
    told = answer.json()
    assert ("expires_at" in told) == (expires_in is not None)
    headers = {"Authorization": f"Bearer {told['jwt']}"}
    settings = (await site.http.get("/api/settings", headers=headers)).json()
    assert settings.get("expires_at") == told.get("expires_at")
    rows = await site.http.get("/admin/address?limit=1&offset=0", headers=ADMIN)
    assert rows.json()["results"][0].get("expires_at") == told.get("expires_at")
    if expires_in is not None:
        datetime.strptime(told["expires_at"], "%Y-%m-%d %H:%M:%S")


async def test_an_administrator_changes_a_lifetime(site: Site) -> None:
    ann = await site.open()
    path = f"/admin/address/{ann.address_id}/lifetime"
    told = (await site.http.post(path, json={"expires_in": 60}, headers=ADMIN)).json()
    settings = (await site.http.get("/api/settings", headers=ann.auth)).json()
    assert told["expires_at"] == settings["expires_at"] is not None
    told = (await site.http.post(path, json={"expires_in": None}, headers=ADMIN)).json()
    assert told == {"success": True, "expires_at": None}
    assert "expires_at" not in (await site.http.get("/api/settings", headers=ann.auth)).json()
    bodies: list[Any] = [{}, {"expires_in": 0}, {"expires_in": "x"}, []]
    for body in bodies:
        assert (await site.http.post(path, json=body, headers=ADMIN)).status_code == 400
    for unknown in ("999", "x"):
        path = f"/admin/address/{unknown}/lifetime"
        answer = await site.http.post(path, json={"expires_in": 60}, headers=ADMIN)
        assert (answer.status_code, answer.text) == (404, "Address not found")


async def test_an_owner_ends_all_tokens_and_gets_a_new_one(site: Site) -> None:
    ann, bob = await site.open("ann"), await site.open("bob")
    answer = await site.http.post("/api/revoke_tokens", headers=ann.auth)
    assert set(answer.json()) == {"jwt", "address"}
    assert answer.json()["address"] == ann.address
    for path in ("/api/mails?limit=1&offset=0", "/api/inbox"):
        assert (await site.http.get(path, headers=ann.auth)).status_code == 401
    assert (await site.http.get("/api/settings", headers=ann.auth)).status_code == 400
    fresh = {"Authorization": f"Bearer {answer.json()['jwt']}"}
    assert (await site.http.get("/api/inbox", headers=fresh)).status_code == 200
    assert (await site.http.get("/api/inbox", headers=bob.auth)).status_code == 200
    assert (await site.http.post("/api/revoke_tokens", headers=ann.auth)).status_code == 401


async def test_an_administrator_ends_all_tokens(site: Site) -> None:
    ann = await site.open()
    path = f"/admin/address/{ann.address_id}/revoke_tokens"
    answer = await site.http.post(path, headers=ADMIN)
    assert set(answer.json()) == {"jwt"}
    assert (await site.http.get("/api/inbox", headers=ann.auth)).status_code == 401
    shown = await site.http.get(f"/admin/show_password/{ann.address_id}", headers=ADMIN)
    for token in (answer.json()["jwt"], shown.json()["jwt"]):
        headers = {"Authorization": f"Bearer {token}"}
        assert (await site.http.get("/api/inbox", headers=headers)).status_code == 200
    answer = await site.http.post("/admin/address/999/revoke_tokens", headers=ADMIN)
    assert (answer.status_code, answer.text) == (404, "Address not found")


# body, status, addresses or text
MANY: list[tuple[dict[str, Any], int, Any]] = [
    ({"names": ["ann", "bob"]}, 200, ["ann@inbox.test", "bob@inbox.test"]),
    (
        {"names": ["ann"], "domain": "second.test", "enablePrefix": True},
        200,
        ["tmpann@second.test"],
    ),
    ({"names": ["ann", "x" * 31]}, 400, FAILED + "Name is too long (max 30)"),
    ({"names": ["ann"], "domain": "no.test"}, 400, FAILED + "Invalid domain"),
    ({"names": ["ann", "root"]}, 400, FAILED + "Address already exists (root@inbox.test)"),
    ({"names": ["ann"], "expires_in": 0}, 400, FAILED + RANGE),
    ({}, 400, FAILED + "either names or a count is needed, 1 to 500"),
    ({"count": 501}, 400, FAILED + "either names or a count is needed, 1 to 500"),
]


@pytest.mark.parametrize(("body", "status", "result"), MANY)
async def test_many_addresses_at_once(
    site_with: SiteWith, body: dict[str, Any], status: int, result: Any
) -> None:
    async with site_with(prefix="tmp") as site:
        opened = await site.http.post("/admin/new_address", json={"name": "root"}, headers=ADMIN)
        assert opened.status_code == 200
        answer = await site.http.post("/admin/new_addresses", json=body, headers=ADMIN)
        assert answer.status_code == status, answer.text
        if status == 200:
            assert [one["address"] for one in answer.json()["results"]] == result
        else:
            assert answer.text == result
            page = await site.http.get("/admin/address?limit=9&offset=0", headers=ADMIN)
            assert page.json()["count"] == 1


async def test_hazard_42_a_key_opens_the_same_addresses_again(site: Site) -> None:
    headers = {**ADMIN, "Idempotency-Key": "one"}
    body = {"count": 3, "expires_in": 600}
    first = await site.http.post("/admin/new_addresses", json=body, headers=headers)
    again = await site.http.post("/admin/new_addresses", json=body, headers=headers)
    assert first.json() == again.json()
    other = await site.http.post("/admin/new_addresses", json={"count": 2}, headers=headers)
    assert other.status_code == 409
    fresh = await site.http.post("/admin/new_addresses", json=body, headers=ADMIN)
    assert fresh.json() != first.json()


async def test_what_is_wrong_with_a_name_is_told_before_what_is_wrong_with_the_domain(
    site_with: SiteWith,
) -> None:
    """§4.1 comes before §4.2."""
    async with site_with(min_address_len=3) as site:
        for path, name, words in (
            ("/api/new_address", "ab", "Name is too short (min 3)"),
            ("/admin/new_address", "x" * 31, "Name is too long (max 30)"),
        ):
            body = {"name": name, "domain": "no.test"}
            answer = await site.http.post(path, json=body, headers=ADMIN)
            assert (answer.status_code, answer.text) == (400, FAILED + words)


async def test_a_made_up_name_that_is_blocked_by_chance_is_made_up_again(site: Site) -> None:
    lists = {"blockList": ["q"], "sendBlockList": [], "verifiedAddressList": []}
    await site.http.post("/admin/account_settings", json=lists, headers=ADMIN)
    # A name of 13 letters has a q in three of ten: ten names without one would be luck.
    for _ in range(10):
        answer = await site.http.post("/api/new_address", json={})
        assert answer.status_code in (200, 400)
        if answer.status_code == 200:
            assert "q" not in answer.json()["address"].partition("@")[0]

"""The addresses of accounts and their mail, row by row of mailbox-api §3.3 and §3.5."""

from __future__ import annotations

from typing import Any

import pytest

from mailbox_service.config import Role
from tests.web.conftest import SiteWith
from tests.web.people import Person, access_token, digest, rules, sign_up
from tests.web.site import ADMIN, Mailbox, Site

pytestmark = pytest.mark.anyio

BIND = "/user_api/bind_address"
FULL = (400, "Max address count reached")
TAKEN = (400, "Address is already binded, please unbind first")
MARK = "/user_api/mails/mark"


async def bind(site: Site, person: Person, mailbox: Mailbox, **headers: str) -> tuple[int, str]:
    got = await site.http.post(BIND, headers={**person.both(mailbox), **headers})
    return got.status_code, got.text


async def bound(site: Site, person: Person) -> list[str]:
    got = await site.http.get(BIND, headers=person.auth)
    assert got.status_code == 200
    return [row["name"] for row in got.json()["results"]]


async def test_binding_an_address(site: Site) -> None:
    ann, box = await sign_up(site), await site.open("ann")
    assert await bind(site, ann, box) == (200, '{"success":true}')
    assert await bind(site, ann, box) == (200, '{"success":true}')
    got = await site.http.get(BIND, headers=ann.auth)
    (row,) = got.json()["results"]
    assert row == {
        "id": box.address_id,
        "name": box.address,
        "source_meta": "127.0.0.1",
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "mail_count": 0,
        "send_count": 0,
    }
    assert got.json()["count"] == 1
    bob = await sign_up(site, "bob@home.example")
    assert await bind(site, bob, box) == TAKEN
    got = await site.http.post(BIND, headers={**bob.both(box), "x-lang": "zh"})
    assert got.text == "邮箱地址已被绑定，请先解绑"


async def test_addresses_are_found_by_a_part_of_them(site: Site) -> None:
    ann = await sign_up(site)
    await rules(site, maxAddressCount=0)
    for name in ("alpha", "beta", "alice", "alxice"):
        await bind(site, ann, await site.open(name))
    for query, offset, names, count in (
        ("", 0, ["alxice", "alice", "beta", "alpha"], 4),
        ("AL", 0, ["alxice", "alice", "alpha"], 3),
        ("AL", 1, ["alice", "alpha"], 0),
        ("al_", 0, [], 0),
        ("%", 0, [], 0),
        ("beta@", 0, ["beta"], 1),
    ):
        found = {"query": query, "offset": str(offset)}
        got = (await site.http.get(BIND, params=found, headers=ann.auth)).json()
        assert [row["name"].split("@")[0].removeprefix("tmp") for row in got["results"]] == names
        assert got["count"] == count, query
    got = await site.http.get(BIND, params={"query": "a" * 1001}, headers=ann.auth)
    assert got.status_code == 400


# what stands in Authorization, and the uncaught failure that it is
BAD_TOKENS = [
    (None, "Error no authorization included in request"),
    ("", "Error no authorization included in request"),
    ("{jwt}", "Error invalid credentials structure"),
    ("Bearer", "Error invalid credentials structure"),
    ("Bearer {jwt} x", "Error invalid credentials structure"),
    ("Basic {jwt}", "Error invalid credentials structure"),
    ("Bearer nonsense", "Error Unauthorized"),
    ("Bearer {jwt}x", "Error Unauthorized"),
]


@pytest.mark.parametrize(("shown", "words"), BAD_TOKENS)
async def test_binding_without_a_good_address_token_is_an_uncaught_failure(
    site: Site, shown: str | None, words: str
) -> None:
    ann, box = await sign_up(site), await site.open("ann")
    headers = dict(ann.auth)
    if shown is not None:
        headers["Authorization"] = shown.format(jwt=box.jwt)
    got = await site.http.post(BIND, headers=headers)
    assert (got.status_code, got.text) == (500, words)
    got = await site.http.post(BIND + "/nope", headers=headers)
    assert (got.status_code, got.text) == (500, words)
    # The user token comes first; and nothing but a post wants the other.
    headers["x-user-token"] = "x"
    assert (await site.http.post(BIND, headers=headers)).status_code == 401
    headers |= ann.auth
    assert (await site.http.get(BIND, headers=headers)).status_code == 200


async def test_binding_is_refused_in_the_order_of_the_contract(site: Site) -> None:
    ann, box = await sign_up(site), await site.open("ann")
    sign = site.parts.authenticating.sign
    for claims, words in (
        ({"address": box.address}, "No address or user token"),
        ({"address": box.address, "address_id": 0}, "No address or user token"),
        ({"address": box.address, "address_id": 999}, "Address not found"),
        ({"address": "bob@inbox.test", "address_id": box.address_id}, "Address not found"),
    ):
        headers = {**ann.auth, "Authorization": f"Bearer {sign(claims)}"}
        got = await site.http.post(BIND, headers=headers)
        assert (got.status_code, got.text) == (400, words)
    text = sign({"address": box.address, "address_id": str(box.address_id)})
    await site.http.delete(f"/admin/users/{ann.id}", headers=ADMIN)
    got = await site.http.post(BIND, headers={**ann.auth, "Authorization": f"Bearer {text}"})
    assert (got.status_code, got.text) == (400, "User not found")


async def test_an_account_holds_so_many_addresses(site_with: SiteWith) -> None:
    """§3.5: the general limit; a role's own number comes first, 0 is any number."""
    async with site_with(user_roles=[Role(role="vip"), Role(role="free")]) as site:
        await rules(site, maxAddressCount=1)
        ann = await sign_up(site, role="vip")
        one, two, three, four = [await site.open(name) for name in ("a1", "a2", "a3", "a4")]
        assert (await bind(site, ann, one))[0] == 200
        assert await bind(site, ann, two) == FULL
        assert (await bind(site, ann, one))[0] == 200  # is its own already
        configs = {"vip": {"maxAddressCount": 2}, "free": {"maxAddressCount": 0}}
        await site.http.post("/admin/role_address_config", json={"configs": configs}, headers=ADMIN)
        assert await bind(site, ann, two) == FULL  # the role is told by the access token alone
        token = await access_token(site, ann) or ""
        assert (await bind(site, ann, two, **{"x-user-access-token": token}))[0] == 200
        assert await bind(site, ann, three, **{"x-user-access-token": token}) == FULL
        await site.http.post(
            "/admin/user_roles", json={"user_id": ann.id, "role_text": "free"}, headers=ADMIN
        )
        # The old role is over, so the general limit holds.
        assert await bind(site, ann, three, **{"x-user-access-token": token}) == FULL
        token = await access_token(site, ann) or ""
        assert (await bind(site, ann, three, **{"x-user-access-token": token}))[0] == 200
        await rules(site, maxAddressCount=0)
        assert (await bind(site, ann, four))[0] == 200


async def test_a_full_account_hears_of_it_before_it_hears_of_the_owner(site: Site) -> None:
    await rules(site, maxAddressCount=1)
    ann, bob = await sign_up(site), await sign_up(site, "bob@home.example")
    one, two = await site.open("a1"), await site.open("a2")
    assert (await bind(site, ann, one))[0] == 200
    assert (await bind(site, bob, two))[0] == 200
    assert await bind(site, ann, two) == FULL


PAGES = [
    ("", 200, ["a3", "a2", "a1"], 3),
    ("?limit=2", 200, ["a3", "a2"], 3),
    ("?limit=2&offset=2", 200, ["a1"], 0),
    ("?offset=1", 200, ["a2", "a1"], 0),
    ("?limit=0", 400, "Invalid limit", 0),
    ("?limit=101", 400, "Invalid limit", 0),
    ("?limit=x", 400, "Invalid limit", 0),
    ("?offset=-1", 400, "Invalid offset", 0),
]


@pytest.mark.parametrize(("query", "status", "shown", "count"), PAGES)
async def test_addresses_are_listed_newest_first(
    site: Site, query: str, status: int, shown: Any, count: int
) -> None:
    ann = await sign_up(site)
    for name in ("a1", "a2", "a3"):
        await bind(site, ann, await site.open(name))
    got = await site.http.get(BIND + query, headers=ann.auth)
    assert got.status_code == status
    if status != 200:
        assert got.text == shown
        return
    assert [row["name"].split("@")[0] for row in got.json()["results"]] == shown
    assert got.json()["count"] == count


async def test_the_token_of_a_bound_address(site: Site) -> None:
    ann, bob = await sign_up(site), await sign_up(site, "bob@home.example")
    box = await site.open("ann")
    await bind(site, ann, box)
    got = await site.http.get(f"{BIND}_jwt/{box.address_id}", headers=ann.auth)
    assert got.status_code == 200
    token = {"Authorization": f"Bearer {got.json()['jwt']}"}
    got = await site.http.get("/api/settings", headers=token)
    assert got.json()["address"] == box.address
    for person, number, words in (
        (bob, box.address_id, "Address is not binded"),
        (ann, 999, "Address is not binded"),
        (ann, "x", "Address is not binded"),
        (ann, 0, "Invalid address or user token"),
    ):
        got = await site.http.get(f"{BIND}_jwt/{number}", headers=person.auth)
        assert (got.status_code, got.text) == (400, words)


async def test_letting_an_address_go(site: Site) -> None:
    ann, bob = await sign_up(site), await sign_up(site, "bob@home.example")
    box = await site.open("ann")
    await bind(site, ann, box)
    for person, body, status, words in (
        (ann, {}, 400, "Invalid address or user token"),
        (ann, {"address_id": 0}, 400, "Invalid address or user token"),
        (ann, {"address_id": ""}, 400, "Invalid address or user token"),
        (ann, {"address_id": 999}, 400, "Address not found"),
        (ann, {"address_id": "x"}, 400, "Address not found"),
        (bob, {"address_id": box.address_id}, 200, '{"success":true}'),
    ):
        got = await site.http.post("/user_api/unbind_address", json=body, headers=person.auth)
        assert (got.status_code, got.text) == (status, words)
    assert await bound(site, ann) == [box.address]  # bob's attempt changed nothing
    for _ in range(2):
        got = await site.http.post(
            "/user_api/unbind_address", json={"address_id": str(box.address_id)}, headers=ann.auth
        )
        assert (got.status_code, got.json()) == (200, {"success": True})
        assert await bound(site, ann) == []
    assert (await bind(site, bob, box))[0] == 200
    await site.http.delete(f"/admin/users/{ann.id}", headers=ADMIN)
    got = await site.http.post(
        "/user_api/unbind_address", json={"address_id": box.address_id}, headers=ann.auth
    )
    assert (got.status_code, got.text) == (400, "User not found")


async def hand_over(site: Site, person: Person, address_id: Any, email: Any) -> tuple[int, str]:
    got = await site.http.post(
        "/user_api/transfer_address",
        json={"address_id": address_id, "target_user_email": email},
        headers=person.auth,
    )
    return got.status_code, got.text


async def test_handing_over_is_refused_in_the_order_of_the_contract(site: Site) -> None:
    await rules(site, maxAddressCount=1)
    ann, bob = await sign_up(site), await sign_up(site, "bob@home.example")
    full, gone = await sign_up(site, "full@home.example"), await sign_up(site, "gone@home.example")
    box, other = await site.open("ann"), await site.open("other")
    await bind(site, ann, box)
    await bind(site, full, other)
    await site.http.delete(f"/admin/users/{gone.id}", headers=ADMIN)
    for person, number, email, status, words in (
        (gone, 999, "x", 400, "Address not found"),
        (ann, None, "x", 400, "Address not found"),
        (gone, box.address_id, "x", 400, "User not found"),
        (ann, box.address_id, "nobody@home.example", 400, "Target user not found"),
        (ann, box.address_id, "Bob@home.example", 400, "Target user not found"),
        (ann, box.address_id, None, 400, "Target user not found"),
        (ann, box.address_id, "a\0b", 400, "Target user not found"),
        (bob, box.address_id, full.email, 400, "Max address count reached"),
        (bob, box.address_id, bob.email, 400, "Address is not binded"),
        (ann, box.address_id, bob.email, 200, '{"success":true}'),
        (ann, box.address_id, bob.email, 400, "Address not found"),
    ):
        assert await hand_over(site, person, number, email) == (status, words), (email, words)
    assert await bound(site, ann) == []
    assert await bound(site, bob) == [box.address]


async def test_an_address_that_is_handed_over_is_the_new_owners_alone(site: Site) -> None:
    """§3.5: a new id, no password, no origin; the mail stays; no old token opens it again. What
    its former owner set up tells that owner nothing any more."""
    ann, bob = await sign_up(site), await sign_up(site, "bob@home.example")
    box = await site.open("ann")
    await bind(site, ann, box)
    await site.arrive(box.address)
    hook = {"enabled": True, "url": "http://h.test/", "method": "POST", "headers": "{}"}
    await site.http.post("/api/webhook/settings", json=hook, headers=box.auth)
    assert (await site.http.get("/api/inbox", headers=box.auth)).status_code == 200
    assert await hand_over(site, ann, box.address_id, bob.email) == (200, '{"success":true}')
    assert (await site.http.get("/api/inbox", headers=box.auth)).status_code == 401
    await site.http.delete("/api/delete_address", headers=box.auth)
    got = await site.http.get(f"{BIND}_jwt/{box.address_id}", headers=ann.auth)
    assert got.status_code == 400
    login = {"email": box.address, "password": digest(box.password or "")}
    assert (await site.http.post("/api/address_login", json=login)).status_code == 401
    (row,) = (await site.http.get(BIND, headers=bob.auth)).json()["results"]
    assert row["id"] > box.address_id
    assert (row["name"], row["source_meta"], row["mail_count"]) == (box.address, None, 1)
    got = await site.http.get(f"{BIND}_jwt/{row['id']}", headers=bob.auth)
    token = {"Authorization": f"Bearer {got.json()['jwt']}"}
    assert (await site.http.get("/api/inbox", headers=token)).json()["count"] == 1
    assert (await site.http.get("/api/webhook/settings", headers=token)).json()["url"] == ""


async def test_the_role_of_the_target_counts_when_handing_over(site_with: SiteWith) -> None:
    async with site_with(user_roles=[Role(role="vip")]) as site:
        await rules(site, maxAddressCount=1)
        ann = await sign_up(site)
        bob = await sign_up(site, "bob@home.example", role="vip")
        box = await site.open("ann")
        await bind(site, ann, box)
        await bind(site, bob, await site.open("bob"))
        assert await hand_over(site, ann, box.address_id, bob.email) == FULL
        configs = {"vip": {"maxAddressCount": 2}}
        await site.http.post("/admin/role_address_config", json={"configs": configs}, headers=ADMIN)
        assert (await hand_over(site, ann, box.address_id, bob.email))[0] == 200


async def test_a_closed_address_is_nobodys(site: Site) -> None:
    await rules(site, maxAddressCount=1)
    ann, box = await sign_up(site), await site.open("ann")
    await bind(site, ann, box)
    await site.http.delete("/api/delete_address", headers=box.auth)
    assert await bound(site, ann) == []
    new = await site.open("ann")
    assert await bound(site, ann) == []
    assert (await bind(site, ann, new))[0] == 200


# The mail of all addresses.


async def test_one_inbox_for_all_addresses(site: Site) -> None:
    ann, bob = await sign_up(site), await sign_up(site, "bob@home.example")
    one, two, other = [await site.open(name) for name in ("a1", "a2", "b1")]
    await bind(site, ann, one)
    await bind(site, ann, two)
    await bind(site, bob, other)
    ids = [await site.arrive(box.address) for box in (one, other, two, one)]
    mine = [ids[3], ids[2], ids[0]]
    for query, status, shown, count in (
        ("limit=20&offset=0", 200, mine, 3),
        ("limit=2&offset=0", 200, mine[:2], 3),
        ("limit=2&offset=2", 200, mine[2:], 0),
        (f"limit=20&offset=0&address={one.address}", 200, [ids[3], ids[0]], 2),
        (f"limit=20&offset=0&address={one.address.upper()}", 200, [ids[3], ids[0]], 2),
        (f"limit=20&offset=0&address={other.address}", 200, [], 0),
        ("limit=20&offset=0&address=nonsense", 200, [], 0),
        ("offset=0", 400, "Invalid limit", 0),
        ("limit=20", 400, "Invalid offset", 0),
    ):
        got = await site.http.get(f"/user_api/mails?{query}", headers=ann.auth)
        assert got.status_code == status, query
        if status == 200:
            assert [row["id"] for row in got.json()["results"]] == shown, query
            assert got.json()["count"] == count, query
        else:
            assert got.text == shown
    got = await site.http.get("/user_api/mails?limit=1&offset=0", headers=ann.auth)
    (row,) = got.json()["results"]
    assert row == (await site.http.get(f"/api/mail/{ids[3]}", headers=one.auth)).json()


async def test_one_inbox_of_light_rows(site: Site) -> None:
    ann, bob = await sign_up(site), await sign_up(site, "bob@home.example")
    one, two, other = [await site.open(name) for name in ("a1", "a2", "b1")]
    await bind(site, ann, one)
    await bind(site, ann, two)
    await bind(site, bob, other)
    plain = b"From: x@y.example\r\nSubject: plain\r\n\r\nHello\r\n"
    first = await site.arrive(one.address)
    await site.arrive(other.address)
    second = await site.arrive(two.address, raw=plain)
    third = await site.arrive(one.address, raw=plain)
    await site.http.patch(f"/api/mails/{third}", json={"seen": True}, headers=one.auth)
    for query, shown, count, following in (
        ("", [third, second, first], 3, None),
        ("limit=2", [third, second], 3, second),
        (f"limit=2&before_id={second}", [first], 3, None),
        (f"after_id={first}", [second, third], 3, None),
        ("q=482913", [first], 1, None),
        ("subject=PLAIN", [third, second], 2, None),
        ("from=ferrybank", [first], 1, None),
        ("codes=1", [first], 1, None),
        ("unread=1", [second, first], 2, None),
        (f"address={two.address}", [second], 1, None),
        (f"address={other.address}", [], 0, None),
    ):
        got = await site.http.get(f"/user_api/inbox?{query}", headers=ann.auth)
        page = got.json()
        assert [row["id"] for row in page["results"]] == shown, query
        assert (page["count"], page["next_before_id"]) == (count, following), query
    got = await site.http.get("/user_api/inbox?limit=1", headers=ann.auth)
    theirs = await site.http.get("/api/inbox?limit=1", headers=one.auth)
    assert got.json()["results"] == theirs.json()["results"]
    assert got.json()["unread"] == 2
    for query in ("limit=0", "before_id=x", "after_id=x"):
        got = await site.http.get(f"/user_api/inbox?{query}", headers=ann.auth)
        assert got.status_code == 400


async def test_a_mail_of_an_account_is_downloaded_as_it_is_stored(site: Site) -> None:
    ann, bob = await sign_up(site), await sign_up(site, "bob@home.example")
    one, two, free = await site.open("one"), await site.open("two"), await site.open("free")
    await bind(site, ann, one)
    await bind(site, ann, two)
    plain = b"From: x@y.example\r\nSubject: plain\r\n\r\nHello\r\n"
    first, second = await site.arrive(one.address), await site.arrive(two.address, raw=plain)
    strange = await site.arrive(free.address)
    for mail_id, mailbox in ((first, one), (second, two)):
        got = await site.http.get(f"/user_api/mails/{mail_id}/raw", headers=ann.auth)
        theirs = await site.http.get(f"/api/mails/{mail_id}/raw", headers=mailbox.auth)
        assert (got.status_code, got.content) == (200, theirs.content)
        assert got.headers["content-type"] == "message/rfc822"
        assert "sandbox" in got.headers["content-security-policy"]
    for person, number in ((bob, first), (ann, strange), (ann, 999), (ann, "x")):
        got = await site.http.get(f"/user_api/mails/{number}/raw", headers=person.auth)
        assert (got.status_code, got.text) == (404, "There is no such mail")


async def test_mails_of_several_addresses_are_marked_at_once(site: Site) -> None:
    ann, bob = await sign_up(site), await sign_up(site, "bob@home.example")
    one, two, other = [await site.open(name) for name in ("a1", "a2", "b1")]
    await bind(site, ann, one)
    await bind(site, ann, two)
    await bind(site, bob, other)
    first, second, theirs = [await site.arrive(box.address) for box in (one, two, other)]
    read, star = {"seen": True}, {"flagged": True}
    for ids, marks, changed, unread, flagged in (
        ([first, second, theirs, 999], read, 2, [], []),
        ([first], {"seen": False, "flagged": True, "answered": True}, 1, [first], [first]),
        ([second, second], star, 1, [first], [second, first]),
        ([first, second], star, 0, [first], [second, first]),
        ([first, second], {}, 0, [first], [second, first]),
        ([], read, 0, [first], [second, first]),
        ([first], {"seen": True, "flagged": False}, 1, [], [second]),
    ):
        got = await site.http.post(MARK, json={"ids": ids, **marks}, headers=ann.auth)
        assert (got.status_code, got.json()) == (200, {"success": True, "changed": changed}), marks
        rows = (await site.http.get("/user_api/inbox", headers=ann.auth)).json()["results"]
        assert [row["id"] for row in rows if not row["seen"]] == unread, marks
        assert [row["id"] for row in rows if row["flagged"]] == flagged, marks
    left = (await site.http.get("/api/inbox", headers=other.auth)).json()["results"]
    assert [(row["seen"], row["flagged"]) for row in left] == [(False, False)]
    for bad in ({"ids": "x"}, {"ids": [0]}, {"ids": [1], "seen": 1}, {"ids": [1] * 1001}):
        got = await site.http.post(MARK, json=bad, headers=ann.auth)
        assert got.status_code == 400, bad


async def test_deleting_a_mail_of_an_account(site_with: SiteWith) -> None:
    async with site_with() as site:
        ann, bob = await sign_up(site), await sign_up(site, "bob@home.example")
        box = await site.open("ann")
        await bind(site, ann, box)
        mail_id = await site.arrive(box.address)
        for person, number, left in (
            (bob, mail_id, 1),
            (ann, 999, 1),
            (ann, "x", 1),
            (ann, mail_id, 0),
            (ann, mail_id, 0),
        ):
            got = await site.http.delete(f"/user_api/mails/{number}", headers=person.auth)
            assert (got.status_code, got.json()) == (200, {"success": True})
            assert (await site.http.get("/api/inbox", headers=box.auth)).json()["count"] == left


async def test_deleting_may_be_off(site_with: SiteWith) -> None:
    async with site_with(enable_user_delete_email=False) as site:
        ann = await sign_up(site)
        got = await site.http.delete("/user_api/mails/1", headers=ann.auth)
        assert (got.status_code, got.text) == (
            403, "User delete address/email is disabled, please contact the administrator"
        )  # fmt: skip


# Opening addresses as an account (§3.3, §4).

VIP = Role(role="vip", domains=["second.test"], prefix="vip")
TEXT = Role(role="text", domains="second.test, inbox.test", prefix="")
PLAIN = Role(role="plain")


@pytest.mark.parametrize(
    ("role", "domain", "status", "shown"),
    [
        ("", "", 200, "tmpbox@inbox.test"),
        ("vip", "", 200, "vipbox@second.test"),
        ("vip", "inbox.test", 400, "Failed to create address: Invalid domain"),
        ("text", "inbox.test", 200, "box@inbox.test"),
        ("text", "", 200, "box@second.test"),
        ("plain", "", 200, "tmpbox@inbox.test"),
        ("plain", "second.test", 400, "Failed to create address: Invalid domain"),
    ],
)
async def test_a_role_has_its_domains_and_its_prefix(
    site_with: SiteWith, role: str, domain: str, status: int, shown: str
) -> None:
    settings = {"user_roles": [VIP, TEXT, PLAIN], "default_domains": ["inbox.test"]}
    async with site_with(**settings, prefix="TMP") as site:
        ann = await sign_up(site, role=role)
        wish = {"name": "box", "domain": domain}
        got = await site.http.post("/api/new_address", json=wish, headers=ann.auth)
        assert (got.status_code, got.json()["address"] if status == 200 else got.text) == (
            status, shown
        )  # fmt: skip
        if status == 200:
            assert await bound(site, ann) == []  # binding is a call of its own


async def test_opening_may_need_an_account(site_with: SiteWith) -> None:
    nameless = "New address for anonymous user is disabled, please contact the administrator"
    async with site_with(disable_anonymous_user_create_email=True) as site:
        assert (await site.http.get("/open_api/settings")).json()[
            "disableAnonymousUserCreateEmail"
        ] is True
        ann, gone = await sign_up(site), await sign_up(site, "gone@home.example")
        await site.http.delete(f"/admin/users/{gone.id}", headers=ADMIN)
        for headers in ({}, {"x-user-token": "x"}, {"x-user-token": ""}, gone.auth):
            got = await site.http.post("/api/new_address", json={"name": "a"}, headers=headers)
            assert (got.status_code, got.text) == (403, nameless)
        got = await site.http.post("/api/new_address", json={"name": "a1"}, headers=ann.auth)
        assert got.status_code == 200
        await rules(site, maxAddressCount=1)
        await bind(site, ann, Mailbox(**got.json()))
        got = await site.http.post("/api/new_address", json={"name": "a2"}, headers=ann.auth)
        assert (got.status_code, got.text) == FULL
    async with site_with(
        disable_anonymous_user_create_email=True, enable_user_create_email=False
    ) as site:
        got = await site.http.post("/api/new_address", json={"name": "a"})
        assert got.text == nameless
        got = await site.http.post("/api/new_address", json={"name": "a"}, headers=ann.auth)
        assert (got.status_code, got.text) == (
            403, "New address is disabled, please contact the administrator"
        )  # fmt: skip


async def test_where_anybody_may_open_a_full_account_still_may(site: Site) -> None:
    await rules(site, maxAddressCount=1)
    ann = await sign_up(site)
    await bind(site, ann, await site.open("a1"))
    got = await site.http.post("/api/new_address", json={"name": "a2"}, headers=ann.auth)
    assert got.status_code == 200


async def test_a_role_may_send_without_an_allowance(site_with: SiteWith) -> None:
    """§10.3: told by the access token, on the routes that read it."""
    settings = {"user_roles": [Role(role="vip")], "no_limit_send_role": "x, vip"}
    async with site_with(**settings, default_send_balance=0) as site:
        ann = await sign_up(site, role="vip")
        box = await site.open("ann")
        letter = {"to_mail": "x@far.example", "subject": "s", "content": "c"}
        for headers, balance, status in (
            ({}, 0, 400),
            ({"x-user-access-token": "x"}, 0, 400),
            ({"x-user-access-token": ann.token}, 0, 400),
            ({"x-user-access-token": await access_token(site, ann) or ""}, 99999, 200),
        ):
            got = await site.http.get("/api/settings", headers={**box.auth, **headers})
            assert got.json()["send_balance"] == balance
            got = await site.http.post(
                "/api/send_mail", json=letter, headers={**box.auth, **headers}
            )
            assert got.status_code == status, got.text

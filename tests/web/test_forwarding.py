"""Where an owner has mail forwarded, as clients ask for it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mailbox_service.storage import contents, submissions
from mailbox_service.storage.database import Transaction
from tests.web.conftest import SiteWith
from tests.web.people import sign_up
from tests.web.site import Mailbox, Site

pytestmark = pytest.mark.anyio

FAR = "me@home.example"
OFF = {
    "state": "off", "target": None, "since": None,
    "asked": None, "code_ends_at": None, "tries_left": 0,
}  # fmt: skip
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


async def ask(site: Site, owner: Mailbox, method: str, body: Any = None, path: str = "") -> Any:
    return await site.http.request(method, f"/api/forwarding{path}", json=body, headers=owner.auth)


async def mailed_code(site: Site) -> str:
    """The code of the newest mail with one."""

    async def unit(tx: Transaction) -> bytes:
        row = await tx.fetch_one("SELECT max(id) FROM submissions WHERE door = 'verify'")
        assert row is not None
        submission = await submissions.by_id(tx, row[0])
        assert submission is not None
        return await contents.read(tx, submission.content_id)

    found = re.search(rb"the code is (\d{8})", await site.parts.database.read(unit))
    assert found is not None
    return found[1].decode()


async def set_up(site: Site, owner: Mailbox, target: str = FAR) -> None:
    assert (await ask(site, owner, "POST", {"target": target})).status_code == 200
    code = await mailed_code(site)
    assert (await ask(site, owner, "POST", {"code": code}, "/code")).status_code == 200


async def test_where_owners_may_not_forward_that_is_said(site_with: SiteWith) -> None:
    async with site_with(enable_owner_forwarding=False) as site:
        ann = await site.open()
        for method, path, body in (
            ("GET", "", None),
            ("POST", "", {"target": FAR}),
            ("POST", "/code", {"code": "1"}),
            ("DELETE", "", None),
        ):
            got = await ask(site, ann, method, body, path)
            assert (got.status_code, got.text) == (403, "Forwarding by owners is disabled")


async def test_from_a_wish_to_its_end(site: Site) -> None:
    ann = await site.open()
    assert (await ask(site, ann, "GET")).json() == OFF
    asked = (await ask(site, ann, "POST", {"target": FAR})).json()
    assert re.fullmatch(TIME, asked.pop("code_ends_at"))
    assert asked == {
        "state": "asked", "target": None, "since": None, "asked": FAR, "tries_left": 5,
    }  # fmt: skip
    wrong = await ask(site, ann, "POST", {"code": "1"}, "/code")
    assert (wrong.status_code, wrong.text) == (400, "The code is wrong, was used, or has ended")
    assert (await ask(site, ann, "GET")).json()["tries_left"] == 4
    proved = await ask(site, ann, "POST", {"code": await mailed_code(site)}, "/code")
    state = proved.json()
    assert re.fullmatch(TIME, state.pop("since"))
    assert state == {**{key: OFF[key] for key in OFF if key != "since"}, "state": "on",
                     "target": FAR}  # fmt: skip
    fate = await site.parts.reacting.react_to(await site.arrive(ann.address))
    assert fate.forwarded_to == [FAR]
    assert (await ask(site, ann, "DELETE")).json() == {"success": True}
    assert (await ask(site, ann, "GET")).json() == OFF
    fate = await site.parts.reacting.react_to(await site.arrive(ann.address))
    assert fate.forwarded_to == []


async def test_no_client_sees_the_code(site: Site) -> None:
    """Neither the owner, nor whoever opened the name that it was sent from."""
    ann, post = await site.open(), await site.open("postmaster")
    await ask(site, ann, "POST", {"target": FAR})
    code = await mailed_code(site)
    for owner in (ann, post):
        for path in ("/api/sent", "/api/sendbox?limit=20&offset=0", "/api/inbox", "/api/sent/1"):
            got = await site.http.get(path, headers=owner.auth)
            assert code not in got.text, path
            assert FAR not in got.text, path


@pytest.mark.parametrize(
    "body", [None, {}, [], "x", {"target": 5}, {"target": None}, {"target": ""}, {"target": "x"}]
)
async def test_what_is_no_target_is_refused(site: Site, body: Any) -> None:
    assert (await ask(site, await site.open(), "POST", body)).status_code == 400


@pytest.mark.parametrize("body", [None, {}, {"code": 5}, {"code": ""}, {"code": "\0" * 5000}])
async def test_what_is_no_code_is_refused(site: Site, body: Any) -> None:
    assert (await ask(site, await site.open(), "POST", body, "/code")).status_code == 400


async def test_too_many_codes_are_told_so(site: Site) -> None:
    ann = await site.open()
    for _ in range(3):
        assert (await ask(site, ann, "POST", {"target": FAR})).status_code == 200
    got = await ask(site, ann, "POST", {"target": FAR})
    assert got.status_code == 429
    assert got.headers["retry-after"] == "3600"


async def test_it_ends_when_the_address_is_deleted(site: Site) -> None:
    ann = await site.open()
    await set_up(site, ann)
    await site.http.delete("/api/delete_address", headers=ann.auth)
    assert (await ask(site, ann, "GET")).status_code == 401
    again = await site.open()
    assert (await ask(site, again, "GET")).json() == OFF
    fate = await site.parts.reacting.react_to(await site.arrive(again.address))
    assert fate.forwarded_to == []


async def test_it_ends_when_the_address_is_handed_over(site: Site) -> None:
    ann, bob = await sign_up(site), await sign_up(site, "bob@home.example")
    box = await site.open()
    await site.http.post("/user_api/bind_address", headers=ann.both(box))
    await set_up(site, box)
    body = {"address_id": box.address_id, "target_user_email": bob.email}
    got = await site.http.post("/user_api/transfer_address", headers=ann.auth, json=body)
    assert got.status_code == 200, got.text
    fate = await site.parts.reacting.react_to(await site.arrive(box.address))
    assert fate.forwarded_to == []


async def test_one_owner_neither_sees_nor_ends_what_another_set_up(site: Site) -> None:
    ann, bob = await site.open("ann"), await site.open("bob")
    await set_up(site, ann)
    assert (await ask(site, bob, "GET")).json() == OFF
    await ask(site, bob, "DELETE")
    assert (await ask(site, ann, "GET")).json()["target"] == FAR

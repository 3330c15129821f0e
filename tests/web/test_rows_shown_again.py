"""Lists whose rows were shown before say what a list says that is made anew."""

from __future__ import annotations

from typing import Any

import pytest

from mailbox_service.services.shown import EACH_OCTETS, LARGEST_OCTETS, Shown
from mailbox_service.storage import summaries
from mailbox_service.storage.database import Transaction
from tests.web.site import LETTER, Mailbox, Site

pytestmark = pytest.mark.anyio

LISTS = ("/api/mails?limit=20&offset=0", "/api/inbox?limit=20", "/api/inbox/brief?limit=20")


async def lists(site: Site, box: Mailbox) -> list[Any]:
    """What every list says, after it was asked twice and said the same."""
    said = []
    for path in LISTS:
        first, again = [await site.http.get(path, headers=box.auth) for _ in range(2)]
        assert first.status_code == 200, first.text
        assert first.content == again.content
        assert first.headers["content-type"] == "application/json"
        said.append(first.json())
    site.services.glancing.shown = Shown()
    anew = [(await site.http.get(path, headers=box.auth)).json() for path in LISTS]
    assert said == anew
    return said


async def test_a_row_shows_what_was_marked_found_out_or_deleted_since(site: Site) -> None:
    box = await site.open()
    await site.arrive(box.address, LETTER)
    await site.arrive(box.address, LETTER.replace(b"Your code", b"Another"))
    mails, inbox, brief = await lists(site, box)
    newest, oldest = (row["id"] for row in mails["results"])
    assert (mails["count"], inbox["count"], inbox["unread"]) == (2, 2, 2)
    assert [row["subject"] for row in inbox["results"]] == ["Another", "Your code"]
    assert brief["next_before_id"] is None

    marks = {"seen": True, "flagged": True}
    await site.http.patch(f"/api/mails/{newest}", json=marks, headers=box.auth)
    _, inbox, brief = await lists(site, box)
    assert inbox["unread"] == 1
    assert [row["seen"] for row in inbox["results"]] == [True, False]
    assert brief["results"][0]["flagged"] is True

    async def find_out(tx: Transaction) -> None:
        await summaries.set_metadata(tx, oldest, '{"type":"auth_code"}')

    await site.parts.database.write(find_out)
    mails, _, _ = await lists(site, box)
    assert [row["metadata"] for row in mails["results"]] == [None, '{"type":"auth_code"}']

    await site.http.delete(f"/api/mails/{newest}", headers=box.auth)
    mails, inbox, _ = await lists(site, box)
    assert [row["id"] for row in mails["results"]] == [oldest]
    assert (inbox["count"], inbox["unread"]) == (1, 1)


async def test_a_row_is_the_same_before_and_after_the_worker_read_the_mail(site: Site) -> None:
    box = await site.open()
    await site.arrive(box.address, LETTER)
    before = await lists(site, box)
    await site.parts.summarising.read_some()
    assert await lists(site, box) == before
    assert before[1]["results"][0]["code"] == "482913"


async def test_pages_of_one_mailbox_share_their_rows(site: Site) -> None:
    box = await site.open()
    for number in range(5):
        await site.arrive(box.address, LETTER.replace(b"Your code", b"Number %d" % number))
    whole = (await site.http.get("/api/inbox?limit=5", headers=box.auth)).json()
    page = (await site.http.get("/api/inbox?limit=2", headers=box.auth)).json()
    assert page["results"] == whole["results"][:2]
    assert page["next_before_id"] == whole["results"][1]["id"]
    path = f"/api/inbox?limit=3&before_id={page['next_before_id']}"
    assert (await site.http.get(path, headers=box.auth)).json()["results"] == whole["results"][2:]
    path = f"/api/inbox?limit=3&after_id={whole['results'][-1]['id']}"
    after = (await site.http.get(path, headers=box.auth)).json()
    assert after["results"] == whole["results"][3:0:-1]
    assert after["next_before_id"] is None


async def test_nobody_is_shown_the_rows_of_another_mailbox(site: Site) -> None:
    ann, bob = await site.open(), await site.open("bob")
    await site.arrive(ann.address, LETTER)
    await lists(site, ann)
    for said in await lists(site, bob):
        assert (said["results"], said["count"]) == ([], 0)


def test_what_is_kept_has_a_bound_and_the_oldest_goes_first() -> None:
    shown = Shown(most=10 * (100 + EACH_OCTETS))
    for number in range(30):
        shown.keep(number, b"x" * 100)
    assert [number for number in range(30) if shown.get(number)] == list(range(20, 30))
    shown.keep("large", b"x" * (LARGEST_OCTETS + 1))
    assert shown.get("large") is None
    shown.keep(29, b"another")
    assert shown.get(29) == b"x" * 100

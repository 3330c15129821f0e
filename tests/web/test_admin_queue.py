"""The routes of the queue."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.site import ADMIN, Mailbox, Site

pytestmark = pytest.mark.anyio

ROW = {
    *("id", "queue_id", "sender", "recipient", "subject", "state", "attempts", "next_attempt_at"),
    *("last_reply", "created_at", "expires_at", "size"),
}


async def send(site: Site, ann: Mailbox, *to: str) -> None:
    draft = {"to_mail": list(to), "subject": "Hello", "text": "Hi"}
    answer = await site.http.post("/api/send_mail", json=draft, headers=ann.auth)
    assert answer.status_code == 200, answer.text


async def queue(site: Site, query: str = "") -> Any:
    answer = await site.http.get(f"/admin/queue{query}", headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_queue_as_a_page(site: Site) -> None:
    ann = await site.open()
    await send(site, ann, "bob@far.example", "cat@near.example")
    body = await queue(site)
    assert set(body) == {"results", "count", "reasons", "domains", "next_before_id"}
    assert (body["count"], body["reasons"], body["next_before_id"]) == (2, [], None)
    assert {one["domain"]: one["count"] for one in body["domains"]} == {
        "far.example": 1, "near.example": 1}  # fmt: skip
    row = body["results"][0]
    assert set(row) == ROW
    assert (row["sender"], row["subject"], row["state"]) == ("ann@inbox.test", "Hello", "held")
    first = await queue(site, "?limit=1")
    assert first["next_before_id"] == first["results"][0]["id"]
    second = await queue(site, f"?limit=1&before_id={first['next_before_id']}")
    assert {first["results"][0]["recipient"], second["results"][0]["recipient"]} == {
        "bob@far.example", "cat@near.example"}  # fmt: skip
    only = await queue(site, "?domain=FAR.example.&state=held&sender=ann&recipient=bob")
    assert [one["recipient"] for one in only["results"]] == ["bob@far.example"]
    assert (await site.http.get("/admin/queue?state=lost", headers=ADMIN)).status_code == 400


async def test_one_row_with_its_story(site: Site) -> None:
    ann = await site.open()
    await send(site, ann, "bob@far.example")
    await site.parts.delivering.deliver_due()
    (row,) = (await queue(site))["results"]
    assert (row["state"], row["next_attempt_at"], row["expires_at"]) == ("held", None, None)
    answer = await site.http.get(f"/admin/queue/{row['id']}", headers=ADMIN)
    body = answer.json()
    assert set(body) == {*ROW, "story", "story_told", "attempts_made"}
    assert [one["code"] for one in body["story_told"]] == [
        "queue.held-by-setting", "queue.stays-by-setting",
    ]  # fmt: skip
    assert "outbound is hold" in body["story"][0]
    assert body["attempts_made"] == []
    for path in ("/admin/queue/999", "/admin/queue/x"):
        assert (await site.http.get(path, headers=ADMIN)).status_code == 404


async def test_an_attempt_with_its_conversation(site: Site) -> None:
    ann = await site.open()
    await send(site, ann, "nobody@second.test")
    await site.parts.delivering.deliver_due()
    body = (await site.http.get("/admin/queue/1", headers=ADMIN)).json()
    assert body["state"] == "delivered"
    (attempt,) = body["attempts_made"]
    assert set(attempt) == {"at", "host", "address", "outcome", "reply", "conversation"}
    assert attempt["outcome"] == "delivered"
    assert {"by": "us", "line": "RCPT TO:<nobody@second.test>"} in attempt["conversation"]
    assert attempt["conversation"][-1]["by"] == "them"


@pytest.mark.parametrize("verb", ["retry", "drop"])
async def test_acting_by_ids_and_by_filter(site: Site, verb: str) -> None:
    ann = await site.open()
    await send(site, ann, "bob@far.example", "cat@far.example", "dan@near.example")
    await site.parts.delivering.deliver_due()
    ids = [one["id"] for one in (await queue(site, "?recipient=bob"))["results"]]
    url = f"/admin/queue/{verb}"
    answer = await site.http.post(url, json={"ids": ids}, headers=ADMIN)
    assert answer.json() == {"success": True, "changed": 1}
    body = {"filter": {"domain": "far.example", "state": "held"}}
    assert (await site.http.post(url, json=body, headers=ADMIN)).json()["changed"] == 1
    assert (await site.http.post(url, json={"filter": {}}, headers=ADMIN)).json()["changed"] == 1
    left = await queue(site)
    assert all(row["next_attempt_at"] < row["expires_at"] for row in left["results"])
    assert [row["state"] for row in left["results"]] == (["queued"] * 3 if verb == "retry" else [])


REFUSED: list[Any] = [
    {},
    {"ids": [1], "filter": {}},
    {"ids": ["x"]},
    {"ids": list(range(1, 1_003))},
    {"filter": {"state": "lost"}},
    {"filter": {"colour": "red"}},
    {"filter": {"reason": "x" * 1_001}},
    [],
]


@pytest.mark.parametrize("verb", ["retry", "drop"])
@pytest.mark.parametrize("body", REFUSED)
async def test_what_makes_no_sense_changes_nothing(site: Site, verb: str, body: Any) -> None:
    ann = await site.open()
    await send(site, ann, "bob@far.example")
    await site.parts.delivering.deliver_due()
    answer = await site.http.post(f"/admin/queue/{verb}", json=body, headers=ADMIN)
    assert answer.status_code == 400, answer.text
    assert (await queue(site))["results"][0]["state"] == "held"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/1"), ("POST", "/retry"), ("POST", "/drop")],
)
async def test_the_queue_is_for_administrators(site: Site, method: str, path: str) -> None:
    ann = await site.open()
    for headers in ({}, ann.auth):
        answer = await site.http.request(method, f"/admin/queue{path}", headers=headers)
        assert answer.status_code == 401

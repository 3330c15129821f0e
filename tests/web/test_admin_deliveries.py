"""The routes of the log of webhooks."""

from __future__ import annotations

from typing import Any

import pytest

from mailbox_service.core.audit import HIDDEN
from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, Site
from tests.webhook_receiver import answer, receiving

pytestmark = pytest.mark.anyio

ROW = {
    *("id", "webhook_id", "kind", "owner", "url", "event", "recipient", "state", "attempts"),
    *(
        "last_status",
        "last_error",
        "last_error_told",
        "created_at",
        "next_attempt_at",
        "replayable",
    ),
}


async def posted(site: Site, url: str) -> None:
    """Have a mail arrive at a mailbox with a webhook, and be told of."""
    ann = await site.open()
    hook = {"enabled": True, "url": url + "?key=s3cret", "method": "POST", "body": "${subject}",
            "headers": '{"Authorization":"Bearer s3cret","Content-Type":"text/plain"}'}  # fmt: skip
    saved = await site.http.post("/api/webhook/settings", json=hook, headers=ann.auth)
    assert saved.status_code == 200, saved.text
    await site.parts.reacting.react_to(await site.arrive())
    await site.parts.notifying.start_some()
    await site.parts.notifying.settled()


async def get(site: Site, path: str = "") -> Any:
    answer = await site.http.get(f"/admin/webhook_deliveries{path}", headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_log_and_one_delivery(site: Site) -> None:
    async with receiving() as receiver:
        receiver.answers = [answer(500, "Oops", b"broken")]
        await posted(site, receiver.url)
    body = await get(site)
    assert set(body) == {"results", "count", "next_before_id"}
    (row,) = body["results"]
    assert set(row) == ROW
    assert (row["kind"], row["owner"], row["event"]) == ("mailbox", "ann@inbox.test", "mail")
    assert (row["state"], row["last_status"], row["last_error"]) == ("waiting", 500, "Oops")
    assert row["url"].endswith(f"?{HIDDEN}")
    assert row["next_attempt_at"] is not None
    opened = await get(site, f"/{row['id']}")
    assert set(opened) == {*ROW, "method", "request_body", "request_headers", "attempts_made"}
    assert opened["request_body"] == "Your code"
    assert opened["request_headers"]["Authorization"] == HIDDEN
    assert opened["request_headers"]["Content-Type"] == "text/plain"
    (attempt,) = opened["attempts_made"]
    assert set(attempt) == {"at", "status", "error", "error_told", "duration_ms", "answer"}
    assert (attempt["status"], attempt["error"], attempt["answer"]) == (500, "Oops", "broken")
    assert (row["last_error_told"], attempt["error_told"]) == (None, None)  # its own words
    assert "s3cret" not in str(opened)
    for query, count in (("?state=failed", 0), ("?kind=mailbox", 1), ("?kind=sending", 0),
                         ("?url=127.0.0.1", 1), (f"?before_id={row['id']}", 1)):  # fmt: skip
        found = await get(site, query)
        assert found["count"] == count
        assert len(found["results"]) == (0 if "before_id" in query else count)


async def test_a_delivery_is_made_again_and_that_is_in_the_audit_log(site: Site) -> None:
    async with receiving() as receiver:
        await posted(site, receiver.url)
        (row,) = (await get(site))["results"]
        assert (row["state"], row["last_error"], row["replayable"]) == ("delivered", None, True)
        url = f"/admin/webhook_deliveries/{row['id']}"
        answered = await site.http.post(f"{url}/replay", headers=ADMIN)
        assert answered.json() == {"success": True, "id": row["id"]}
        await site.parts.notifying.start_some()
        await site.parts.notifying.settled()
        assert len(receiver.got) == 2
        assert (await site.http.post(f"{url}/cancel", headers=ADMIN)).status_code == 409
    actions = (await site.http.get("/admin/audit", headers=ADMIN)).json()["results"]
    assert [(one["action"], one["subject"]) for one in actions] == [
        ("webhook.replay", str(row["id"]))]  # fmt: skip


async def test_what_is_not_there_and_what_makes_no_sense(site: Site) -> None:
    for path in ("999", "x", "-1", "99999999999999999999"):
        url = f"/admin/webhook_deliveries/{path}"
        assert (await site.http.get(url, headers=ADMIN)).status_code == 404
        for verb in ("replay", "cancel"):
            assert (await site.http.post(f"{url}/{verb}", headers=ADMIN)).status_code == 404
    for query in ("state=lost", "kind=telegram", "limit=0", "before_id=x"):
        url = f"/admin/webhook_deliveries?{query}"
        assert (await site.http.get(url, headers=ADMIN)).status_code == 400


async def test_the_log_is_there_without_webhooks_of_mailboxes(site_with: SiteWith) -> None:
    """The sending API has webhooks whatever `enable_webhook` says."""
    async with site_with(enable_webhook=False) as site:
        assert (await get(site))["results"] == []
        answer = await site.http.get("/admin/webhook/settings", headers=ADMIN)
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("GET", "/1"), ("POST", "/1/replay"), ("POST", "/1/cancel")]
)
async def test_the_log_is_for_administrators(site: Site, method: str, path: str) -> None:
    answer = await site.http.request(method, f"/admin/webhook_deliveries{path}")
    assert answer.status_code == 401

"""GET /admin/figures."""

from __future__ import annotations

import re

import pytest

from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, Site

pytestmark = pytest.mark.anyio


async def test_figures_of_a_range(site: Site) -> None:
    ann = await site.open()
    await site.arrive()
    draft = {"from_name": "", "to_mail": "bob@far.example", "subject": "x", "content": "y"}
    answer = await site.http.post("/api/send_mail", json=draft, headers=ann.auth)
    assert answer.status_code == 200, answer.text
    body = (await site.http.get("/admin/figures?range=24h", headers=ADMIN)).json()
    assert set(body) == {"range", "step_seconds", "points", "totals", "now"}
    assert (body["range"], body["step_seconds"], len(body["points"])) == ("24h", 3600, 24)
    assert body["totals"] == {
        "received": 1, "sent": 0, "deferred": 0, "bounced": 0, "addresses": 1}  # fmt: skip
    assert set(body["points"][0]) == {*body["totals"], "at"}
    assert body["points"][0]["at"].endswith(":00:00")
    assert sum(point["received"] for point in body["points"]) == 1
    now = body["now"]
    assert (now["addresses"], now["mails"], now["queue"], now["deferred"]) == (1, 1, 1, 0)
    assert now["oldest_queued_at"] is not None
    assert now["store_bytes"] > 0
    assert 0 < now["disk_free_bytes"] <= now["disk_total_bytes"]
    assert (now["mail_bytes"], now["retention_bytes"]) == (None, None)


async def test_how_full_it_is_where_mail_is_kept_by_size(site_with: SiteWith) -> None:
    async with site_with(retention_octets=1_000_000) as site:
        await site.arrive()
        await site.parts.retaining.look()
        now = (await site.http.get("/admin/figures", headers=ADMIN)).json()["now"]
        assert 100 < now["mail_bytes"] < now["retention_bytes"] == 1_000_000
        lines = (await site.http.get("/admin/metrics", headers=ADMIN)).text.splitlines()
        assert f"mailbox_mail_bytes {now['mail_bytes']}" in lines
        assert "mailbox_retention_bytes 1000000" in lines


async def test_an_unknown_range_is_refused_with_the_known_ones(site: Site) -> None:
    answer = await site.http.get("/admin/figures?range=1y", headers=ADMIN)
    assert answer.status_code == 400
    assert "24h, 7d, 30d, 90d" in answer.text


async def test_what_there_is_as_prometheus_reads_it(site: Site) -> None:
    """mailbox-api §15, 19: lines of comment, and one `name number` for each of them."""
    await site.open()
    await site.arrive()
    answer = await site.http.get("/admin/metrics", headers=ADMIN)
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    names = [line.split()[2] for line in lines if line.startswith("# TYPE ")]
    found = dict(line.split() for line in lines if not line.startswith("#"))
    assert list(found) == names
    assert all(re.fullmatch(r"mailbox_[a-z0-9_]+", name) for name in names)
    assert (found["mailbox_addresses"], found["mailbox_mails"]) == ("1", "1")
    assert found["mailbox_received_24h"] == "1"
    assert float(found["mailbox_queue_oldest_age_seconds"]) == 0.0
    assert int(found["mailbox_disk_total_bytes"]) > 0
    assert (await site.http.get("/admin/metrics")).status_code == 401


async def test_figures_are_for_administrators(site: Site) -> None:
    assert (await site.http.get("/admin/figures")).status_code == 401

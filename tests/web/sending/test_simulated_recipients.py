"""Recipients for tests: an outcome for each name, whatever the way out is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.nexthop import NextHop, running
from tests.web.sending.conftest import Api, serving_api

pytestmark = pytest.mark.anyio

FATES = [
    ("delivered", ["delivered"]),
    ("bounced", ["hard-bounced"]),
    ("soft-bounced", ["soft-bounced"]),
    ("complained", ["delivered", "spam"]),
    ("unsubscribed", ["delivered", "unsubscribed"]),
    ("rejected", ["rejected"]),
    ("nonsense", ["hard-bounced"]),
    ("bounced+17", ["hard-bounced"]),
]


@pytest.mark.parametrize(("name", "kinds"), FATES)
async def test_each_has_its_outcome_and_is_suppressed_by_none(
    api: Api, name: str, kinds: list[str]
) -> None:
    """Mail is held here (`outbound = hold`), and of these it is not."""
    recipient = f"{name}@simulator.invalid"
    for _ in range(2):
        email_id = await api.send(to=[recipient])
        await api.deliver()
        events = await api.events(search_email_id=email_id)
        assert events == [(kind, recipient) for kind in ("processed", *kinds)]
    assert (await api.data("suppression/view"))["results"] == []


async def test_nothing_of_them_reaches_a_next_hop_and_the_others_do(tmp_path: Path) -> None:
    async with (
        running(NextHop()) as hop,
        serving_api(
            tmp_path,
            sending_rate=0,
            outbound="relay",
            relay_url=f"smtp://127.0.0.1:{hop.port}",
        ) as api,
    ):
        await api.send(to=["bob@far.test", "bounced@simulator.invalid"])
        await api.deliver()
        (taken,) = hop.taken
        assert taken.recipients == ("bob@far.test",)
        found = await api.data("activity/search", {"event_types": ["hard-bounced"]})
        (bounced,) = found["events"]
        assert (bounced["host"], bounced["smtp_response"]) == (
            "simulator",
            "550 5.1.1 Simulated: no such user",
        )
        numbers = await api.data("stats/email_summary")
        assert (numbers["email_count"], numbers["hardbounces"]) == (1, 1)

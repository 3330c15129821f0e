"""GET /admin/first_steps."""

from __future__ import annotations

import pytest

from tests.web.site import ADMIN, Site

pytestmark = pytest.mark.anyio


async def test_the_steps_of_a_service(site: Site) -> None:
    steps = (await site.http.get("/admin/first_steps", headers=ADMIN)).json()["steps"]
    assert [set(one) for one in steps] == [
        {"key", "done", "title", "message", "title_told", "message_told"}
    ] * len(steps)
    done = {one["key"]: one["done"] for one in steps}
    assert done == {
        "password": False, "domain": False, "reception": False, "outbound": False, "tls": False,
        "backup": False, "address": False,
    }  # fmt: skip
    await site.open()
    await site.arrive()
    assert (await site.http.get("/admin/first_steps")).status_code == 401

"""The log of an account's webhooks, and posting again (sending-api §6.5)."""

from __future__ import annotations

from typing import Any

import pytest

from mailbox_service.core.audit import HIDDEN
from tests.web.sending.conftest import Api
from tests.webhook_receiver import Receiver, answer

pytestmark = pytest.mark.anyio


async def told(api: Api, receiver: Receiver) -> int:
    """A webhook that was told of an event; its id."""
    hook = await api.data("webhook/add", {"url": receiver.url + "?key=s3cret", "events":
        ["processed"], "auth_header_type": "bearer", "auth_header_value": "s3cret"})  # fmt: skip
    await api.send()
    await post_all(api)
    return int(hook["id"])


async def post_all(api: Api) -> None:
    while await api.site.parts.sending_api.reporting.report():
        pass
    await api.site.parts.notifying.start_some()
    await api.site.parts.notifying.settled()


async def test_what_was_posted_is_in_the_log(api: Api, receiver: Receiver) -> None:
    receiver.answers = [answer(500, "Oops", b"broken")]
    hook = await told(api, receiver)
    page = await api.data("webhook/log")
    assert (page["total"], page["continue_token"]) == (1, None)
    (one,) = page["deliveries"]
    assert (one["webhook_id"], one["event"], one["rcpt"]) == (hook, "processed", "bob@inbox.test")
    assert (one["state"], one["status"], one["reason"], one["attempts"]) == (
        "waiting", 500, "Oops", 1)  # fmt: skip
    opened = await api.data("webhook/delivery", {"delivery_id": one["delivery_id"]})
    assert "event=processed" in opened["body"]
    assert opened["headers"]["Authorization"] == HIDDEN
    assert [made["answer"] for made in opened["attempts_made"]] == ["broken"]
    assert "s3cret" not in str(opened)
    assert (await api.data("webhook/log", {"id": hook, "state": "failed"}))["deliveries"] == []


async def test_a_delivery_is_made_again_or_given_up(api: Api, receiver: Receiver) -> None:
    receiver.answers = [answer(500, "Oops")]
    await told(api, receiver)
    (one,) = (await api.data("webhook/log"))["deliveries"]
    which = {"delivery_id": one["delivery_id"]}
    assert await api.data("webhook/cancel", which) == which
    assert (await api.data("webhook/delivery", which))["state"] == "failed"
    assert await api.refused("webhook/cancel", which) == (400, "API_EXCEPTION", "")
    assert await api.data("webhook/replay", which) == which
    await post_all(api)
    assert (await api.data("webhook/delivery", which))["state"] == "delivered"
    assert len(receiver.got) == 2
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert receiver.got[0].body == receiver.got[1].body


async def test_the_log_goes_on_by_its_token(api: Api, receiver: Receiver) -> None:
    await told(api, receiver)
    for _ in range(2):
        await api.send()
    await post_all(api)
    seen, token = [], ""
    for _ in range(2):
        page = await api.data("webhook/log", {"limit": 2, "continue_token": token})
        seen += [one["delivery_id"] for one in page["deliveries"]]
        token = page["continue_token"] or ""
    assert seen == sorted(set(seen), reverse=True)
    assert (len(seen), page["total"], token) == (3, 3, "")


# path, fields, status, code, field
REFUSED: list[tuple[str, dict[str, Any], tuple[int, str, str]]] = [
    ("webhook/log", {"state": "lost"}, (400, "NON_VALIDATING_IN_PAYLOAD", "state")),
    ("webhook/log", {"limit": 0}, (400, "NON_VALIDATING_IN_PAYLOAD", "limit")),
    ("webhook/log", {"limit": 101}, (400, "NON_VALIDATING_IN_PAYLOAD", "limit")),
    ("webhook/log", {"continue_token": "x"},
     (400, "NON_VALIDATING_IN_PAYLOAD", "continue_token")),
    ("webhook/log", {"id": 999}, (400, "API_EXCEPTION", "")),
    *(
        (f"webhook/{verb}", fields, refusal)
        for verb in ("delivery", "replay", "cancel")
        for fields, refusal in (
            ({"delivery_id": 999}, (400, "API_EXCEPTION", "")),
            ({"delivery_id": -1}, (400, "API_EXCEPTION", "")),
            ({"delivery_id": "x"}, (400, "NON_VALIDATING_IN_PAYLOAD", "delivery_id")),
            ({}, (400, "NON_VALIDATING_IN_PAYLOAD", "delivery_id")),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(("path", "fields", "refusal"), REFUSED)
async def test_what_makes_no_sense_is_refused(
    api: Api, path: str, fields: dict[str, Any], refusal: tuple[int, str, str]
) -> None:
    assert await api.refused(path, fields) == refusal


async def test_another_account_sees_and_does_nothing(api: Api, receiver: Receiver) -> None:
    await told(api, receiver)
    (one,) = (await api.data("webhook/log"))["deliveries"]
    sub = await api.data("subaccount/add", {"fullname": "Sub"})
    (key,) = await api.data("api_keys/add", {"endpoints": ["*"], "subaccount_id": sub["id"]})
    theirs = Api(api.site, key["api_key"])
    assert (await theirs.data("webhook/log"))["deliveries"] == []
    for verb in ("delivery", "replay", "cancel"):
        which = {"delivery_id": one["delivery_id"]}
        assert await theirs.refused(f"webhook/{verb}", which) == (400, "API_EXCEPTION", "")

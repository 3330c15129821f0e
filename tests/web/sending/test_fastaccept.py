"""`fastaccept`: accepted at once, files from the web afterwards (sending-api §2.2)."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from mailbox_service.services.clock import now_micros
from mailbox_service.services.sending_api import accepting
from mailbox_service.storage import accepted_emails
from tests.web.sending.conftest import LETTER, Api, Fields, serving_api
from tests.webhook_receiver import Receiver, answer

pytestmark = pytest.mark.anyio

FILE = answer(200, "OK", b"from the web")


def with_file(receiver: Receiver, **changes: Any) -> Fields:
    file = {"filename": "web.txt", "url": receiver.url}
    return {**LETTER, "attachments": [file], "fastaccept": True, **changes}


async def finish(api: Api) -> None:
    """Let the worker queue what was accepted, and have it delivered."""
    await api.site.parts.sending_api.accepting.settled()
    await api.deliver()


def opened(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


async def test_a_file_is_fetched_after_the_answer(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answers = [FILE]
    async with serving_api(tmp_path, fetch_private_hosts=["127.0.0.1"]) as api:
        data = await api.data("email/send", with_file(receiver))
        assert set(data) == {"email_id"}
        assert receiver.got == []
        assert await api.events() == []
        await finish(api)
        (content,) = await api.received()
        (part,) = opened(content).iter_attachments()
        assert part.get_payload(decode=True) == b"from the web"
        found = await api.data("activity/search", {"search_email_id": data["email_id"]})
        assert [one["event"] for one in found["events"]] == ["delivered", "processed"]
        await finish(api)
        assert len(receiver.got) == 1


@pytest.mark.parametrize(
    ("answers", "private_hosts", "why"),
    [
        ([answer(404, "Not Found")], ["127.0.0.1"], "the server answered 404"),
        ([], [], "no public address"),
    ],
)
async def test_a_file_that_does_not_come_is_a_reject_event(
    tmp_path: Path,
    receiver: Receiver,
    answers: list[bytes],
    private_hosts: list[str],
    why: str,
) -> None:
    """Also hazard 40: a private address is refused, whenever it is asked for."""
    receiver.answers = list(answers)
    async with serving_api(tmp_path, fetch_private_hosts=private_hosts) as api:
        people = ["bob@inbox.test", "cy@inbox.test"]
        email_id = (await api.data("email/send", with_file(receiver, to=people)))["email_id"]
        await finish(api)
        found = await api.data("activity/search", {"event_types": ["rejected"]})
        assert sorted(one["recipient"] for one in found["events"]) == people
        for event in found["events"]:
            assert event["email_id"] == email_id
            assert why in event["reason"]
        assert await api.received() == []
        assert len(receiver.got) == len(answers)


WRONG: list[tuple[Fields, str]] = [
    ({"to": ["nobody"]}, "to"),
    ({"subject": None}, "subject"),
    ({"custom_headers": {"Content-Type": "x"}}, "custom_headers"),
    ({"schedule": "2001-01-01"}, "schedule"),
    ({"sender": "eve@else.example"}, ""),
    ({"template_id": "none-there"}, ""),
]


@pytest.mark.parametrize(("changes", "field"), WRONG)
async def test_what_can_be_seen_without_the_file_is_refused_at_once(
    api: Api, receiver: Receiver, changes: Fields, field: str
) -> None:
    status, _, named = await api.refused("email/send", with_file(receiver, **changes))
    assert (status, named) == (400, field)
    await finish(api)
    assert await api.events() == []


async def test_an_accepted_email_outlives_the_process(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answers = [FILE]
    settings: dict[str, Any] = {"fetch_private_hosts": ["127.0.0.1"]}
    async with serving_api(tmp_path, **settings) as api:
        await api.data("email/send", with_file(receiver))
    async with serving_api(tmp_path, **settings) as api:
        await finish(api)
        assert len(await api.received()) == 1


async def test_a_message_that_was_queued_before_a_crash_is_not_queued_again(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row outlives the message for a moment; whoever finds it sees that it is done."""

    async def crash(*_: object) -> None:
        raise RuntimeError("the process dies here")

    receiver.answers = [FILE, FILE]
    async with serving_api(tmp_path, fetch_private_hosts=["127.0.0.1"]) as api:
        await api.data("email/send", with_file(receiver))
        with monkeypatch.context() as patched:
            patched.setattr(accepted_emails, "remove", crash)
            await finish(api)
        store = api.site.parts.database
        await store.write(accepted_emails.end_leases, now=now_micros())
        await finish(api)
        assert len(await api.received()) == 1
        assert await store.read(accepted_emails.next_turn, now=0) is None


async def test_scheduled_and_repeated_as_any_other(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answers = [FILE]
    async with serving_api(tmp_path, fetch_private_hosts=["127.0.0.1"]) as api:
        due = now_micros() // 1_000_000 + 3_600
        fields = with_file(receiver, schedule=due)
        answers = [await api.post("email/send", fields, **{"Idempotency-Key": "k"}) for _ in "ab"]
        first, second = (one.json()["data"] for one in answers)
        assert set(first) == {"schedule_id"}
        assert second == first
        await finish(api)
        (waiting,) = await api.data("email/scheduled/search")
        assert waiting["schedule_id"] == first["schedule_id"]
        other = await api.post("email/send", LETTER, **{"Idempotency-Key": "k"})
        assert other.status_code == 409


async def test_one_account_may_have_only_so_many_waiting(
    api: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "MOST_WAITING", 1)
    await api.data("email/send", with_file(receiver))
    status, code, _ = await api.refused("email/send", with_file(receiver))
    assert (status, code) == (429, "REQ_LIMIT_EXCEEDED")

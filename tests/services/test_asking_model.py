"""Asking a model about arrived mail: after the rules, once, and whatever it says or does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailbox_service.core.stored import Excerpt, Filters, StoredMessage
from mailbox_service.outbound.dns import Resolver
from mailbox_service.outbound.webhook import HttpOut
from mailbox_service.services import asking_model
from mailbox_service.services.asking_model import OLDEST_MICROS, PLACES, AskingModel
from mailbox_service.services.summarising import Summarising
from tests.databases import AnyDatabase
from tests.services.parts import Mailboxes
from tests.webhook_receiver import Receiver, answer, receiving

pytestmark = pytest.mark.anyio

LINK = "https://ferry.example/go?x=1"
LETTER = (
    b"From: Ferrybank <no-reply@ferry.example>\r\nSubject: Hello\r\n\r\n"
    b"Say sail-green-otter at the door.\r\nGo: " + LINK.encode() + b"\r\n"
)
CODE = b"From: a@ferry.example\r\nSubject: Your code\r\n\r\nYour code is 482913.\r\n"


@pytest.fixture
async def model() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def says(**said: Any) -> bytes:
    return answer(200, "OK", json.dumps(said).encode())


class Site:
    """A store whose mail is read by rule, and then shown to a model."""

    def __init__(
        self,
        database: AnyDatabase,
        url: str,
        *,
        private: bool = True,
        seconds: float = 20.0,
        allowed: str = "",
        **settings: Any,
    ) -> None:
        self.mailboxes = Mailboxes(database, extraction_url=url, **settings)
        parts = self.mailboxes
        self.out = HttpOut(
            Resolver([]),
            private_addresses=private,
            seconds=seconds,
            answer_octets=asking_model.ANSWER_OCTETS,
        )
        self.reader = Summarising(database, parts.config, parts.signals, clock=parts.clock)
        self.worker = AskingModel(
            database,
            parts.config,
            self.out,
            parts.signals,
            clock=parts.clock,
            looks_through=lambda address: address.startswith(allowed),
        )

    async def arrive(self, content: bytes = LETTER, address: str = "a@x.test") -> int:
        return (await self.mailboxes.receive(address, content=content))[0]

    async def work(self) -> None:
        """Both workers, until there is nothing to do."""
        while await self.reader.read_some():
            pass
        while await self.worker.ask_some():
            pass
        await self.out.close()

    async def only(self, address: str = "a@x.test") -> StoredMessage:
        page = await self.mailboxes.reading.page(address, Excerpt(10))
        [message] = page.messages
        return message


async def test_what_a_model_says_is_joined_to_what_rules_found(
    database: AnyDatabase, model: Receiver
) -> None:
    site = Site(database, model.url, extraction_secret="open sesame", enable_ai_email_extract=True)
    model.answers = [says(code="sail-green-otter", links=[LINK], confidence=0.9)]
    await site.arrive()
    await site.work()
    [asked] = model.got
    assert (asked.method, asked.path) == ("POST", "/hook")
    assert asked.headers["authorization"] == "Bearer open sesame"
    assert asked.headers["content-type"] == "application/json"
    assert json.loads(asked.body) == {
        "from": "Ferrybank <no-reply@ferry.example>",
        "subject": "Hello",
        "text": f"Say sail-green-otter at the door.\nGo: {LINK}\n",
    }
    message = await site.only()
    assert message.summary is not None
    assert message.summary.codes == ("sail-green-otter",)
    assert message.summary.code_marks == ({"confidence": 0.9, "rule": "model"},)
    assert [(link["url"], link["rule"]) for link in message.summary.links] == [(LINK, "model")]
    assert message.metadata is not None
    assert json.loads(message.metadata)["ai_extract"]["result"] == "sail-green-otter"


async def test_the_record_of_the_contract_is_kept_only_where_it_is_wanted(
    database: AnyDatabase, model: Receiver
) -> None:
    site = Site(database, model.url)
    model.answers = [says(code="sail-green-otter")]
    await site.arrive()
    await site.work()
    message = await site.only()
    assert message.summary is not None
    assert (message.summary.codes, message.metadata) == (("sail-green-otter",), None)


NO_USE = {
    "an error": answer(500, "Out of order"),
    "a redirect": answer(302, "Found", more="Location: http://127.0.0.1/\r\n"),
    "no JSON": answer(200, "OK", b"sail-green-otter"),
    "too much": answer(200, "OK", b'{"code": "7731", "more": "' + b"x" * 40_000 + b'"}'),
    "a code that the mail has not": says(code="111111", confidence=1),
    "a link that the mail has not": says(links=["https://evil.example/"], confidence=1),
    "nothing": says(code=None, links=[], confidence=1),
    "no HTTP": b"\x16\x03\x01",
}


@pytest.mark.parametrize("said", NO_USE.values(), ids=list(NO_USE))
async def test_an_answer_of_no_use_leaves_what_the_rules_found(
    database: AnyDatabase, model: Receiver, said: bytes
) -> None:
    site = Site(database, model.url, enable_ai_email_extract=True)
    model.answers = [said]
    await site.arrive(CODE)
    await site.work()
    message = await site.only()
    assert message.summary is not None
    assert message.summary.codes == ("482913",)
    assert message.summary.code_marks[0]["rule"] == "named"
    assert message.metadata is not None
    assert json.loads(message.metadata)["ai_extract"]["result"] == "482913"
    await site.work()
    assert len(model.got) == 1


async def test_a_model_that_says_nothing_is_left_after_its_time(
    database: AnyDatabase, model: Receiver
) -> None:
    model.hangs = True
    site = Site(database, model.url, seconds=2.0)
    await site.arrive(CODE)
    await site.work()
    assert (await site.only()).summary is not None
    assert len(model.got) == 1


async def test_private_addresses_need_their_setting(database: AnyDatabase, model: Receiver) -> None:
    """Hazard 40."""
    site = Site(database, model.url, private=False)
    await site.arrive(CODE)
    await site.work()
    assert model.connections == 0


async def test_the_list_of_the_administrator_says_whose_mail_leaves_the_house(
    database: AnyDatabase, model: Receiver
) -> None:
    site = Site(database, model.url, allowed="a@")
    await site.arrive(address="b@x.test")
    await site.arrive(address="a@x.test")
    await site.work()
    assert len(model.got) == 1


async def test_old_mail_large_mail_and_our_own_notices_are_not_asked_about(
    database: AnyDatabase, model: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking_model, "LARGEST_MAIL", 10_000)
    site = Site(database, model.url)
    await site.arrive()
    site.mailboxes.clock.now += OLDEST_MICROS + 1
    await site.arrive(LETTER + b"x" * 10_000)
    await site.mailboxes.receiving.store_notice("a@x.test", "", LETTER)
    await site.arrive(b"From: a@b.example\r\n\r\n")  # there is nothing to ask about
    await site.work()
    assert model.got == []


async def test_every_mail_is_asked_about_once_and_a_new_worker_goes_on(
    database: AnyDatabase, model: Receiver
) -> None:
    site = Site(database, model.url)
    for _ in range(PLACES + 3):
        await site.arrive()
    while await site.reader.read_some():
        pass
    await site.worker.ask_some()
    assert len(model.got) == PLACES
    await Site(database, model.url).work()  # after a crash
    assert len(model.got) == PLACES + 3


async def test_a_mail_is_asked_about_only_when_the_rules_were_there(
    database: AnyDatabase, model: Receiver
) -> None:
    site = Site(database, model.url)
    await site.arrive()
    assert not await site.worker.ask_some()
    assert model.got == []


async def test_a_mail_that_is_deleted_meanwhile_is_no_trouble(
    database: AnyDatabase, model: Receiver
) -> None:
    site = Site(database, model.url)
    model.hangs, model.answers = True, [says(code="sail-green-otter")]
    gone = await site.arrive()
    await site.reader.read_some()
    asking = asyncio.create_task(site.worker.ask_some())
    await model.wait(1)
    await site.mailboxes.reading.delete("a@x.test", [gone])
    model.released.set()
    assert await asking
    assert (await site.mailboxes.reading.page("a@x.test", Excerpt(10))).messages == []


async def test_who_waits_for_a_code_gets_that_of_the_model(
    database: AnyDatabase, model: Receiver
) -> None:
    site = Site(database, model.url)
    model.answers = [says(code="sail-green-otter")]
    workers = [asyncio.create_task(each.run()) for each in (site.reader, site.worker)]
    try:
        waiting = site.mailboxes.following.wait(
            "a@x.test", after_id=0, filters=Filters(codes=True), seconds=60
        )
        waiter = asyncio.create_task(waiting)
        await site.arrive()
        message = await waiter
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await site.out.close()
    assert message is not None
    assert message.summary is not None
    assert message.summary.codes == ("sail-green-otter",)


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("ftp://model.example/", ""),
        ("model.example", ""),
        ("http://model.example/", "a\nb"),
        ("http://model.example/", "schlüssel"),
    ],
)
async def test_settings_that_cannot_work_are_refused(
    database: AnyDatabase, url: str, secret: str
) -> None:
    with pytest.raises(ValueError, match=r"extraction_(url|secret): expected"):
        Site(database, url, extraction_secret=secret)

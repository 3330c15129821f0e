"""Mail that is handed in together is queued together, and each is answered for itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from mailbox_service.core.compose import NamedAddress
from mailbox_service.core.envelope import Principal, Receipt
from mailbox_service.core.errors import QuotaReached, TemporaryFailure
from mailbox_service.services.gathering import Gathering
from mailbox_service.services.queueing import enqueue_all
from mailbox_service.storage import allowances, many_rows
from mailbox_service.storage.database import Transaction
from tests.databases import AnyDatabase
from tests.services.posting import Post, draft

pytestmark = pytest.mark.anyio


async def test_an_allowance_is_neither_overdrawn_nor_lost_among_many(database: AnyDatabase) -> None:
    """Hazard 47: what comes at once is one group, and refusals in it touch nobody else."""
    post = Post(database, default_send_balance=10)
    answers = await asyncio.gather(
        *(post.post(f"p{n}@next.test") for n in range(40)), return_exceptions=True
    )
    receipts = [one for one in answers if isinstance(one, Receipt)]
    refusals = [one for one in answers if isinstance(one, QuotaReached)]
    assert (len(receipts), len(refusals)) == (10, 30)
    assert len({one.queue_id for one in receipts}) == len({one.submission_id for one in receipts})
    allowance = await database.read(allowances.by_address, "ann@x.test")
    assert allowance is not None
    assert allowance.balance == 0
    page = await post.sent.page("ann@x.test", limit=100)
    assert {one.submission.queue_id for one in page.messages} == {one.queue_id for one in receipts}


async def test_what_is_paid_together_costs_what_it_costs_alone(database: AnyDatabase) -> None:
    """Hazard 47: a group takes the price of all its messages at once, where that is enough."""
    post = Post(database, default_send_balance=100)
    await post.post("first@next.test")
    both: list[Any] = [post.post(f"p{n}@next.test") for n in range(20)]
    other = Principal("address", "bob@x.test", 2)
    for n in range(7):
        letter = replace(draft(f"p{n}@next.test"), sender=NamedAddress("bob@x.test"))
        both.append(post.sending.submit_draft(other, letter))
    receipts = await asyncio.gather(*both)
    assert len({one.submission_id for one in receipts}) == 27
    left = [await database.read(allowances.by_address, f"{name}@x.test") for name in ("ann", "bob")]
    assert [one and one.balance for one in left] == [79, 93]


async def test_a_disabled_allowance_pays_for_none_of_many(database: AnyDatabase) -> None:
    post = Post(database)
    await post.post("first@next.test")
    allowance = await database.read(allowances.by_address, "ann@x.test")
    assert allowance is not None
    await database.write(allowances.change, allowance.id, balance=50, enabled=False)
    answers = await asyncio.gather(
        *(post.post(f"p{n}@next.test") for n in range(5)), return_exceptions=True
    )
    assert [type(one) for one in answers] == [QuotaReached] * 5
    allowance = await database.read(allowances.by_address, "ann@x.test")
    assert allowance is not None
    assert allowance.balance == 50


async def test_each_of_many_keeps_its_recipients_and_its_content(database: AnyDatabase) -> None:
    post = Post(database)
    receipts = await asyncio.gather(
        *(post.post(f"p{n}@next.test", f"q{n}@far.test", subject=f"Number {n}") for n in range(90))
    )
    for n, receipt in enumerate(receipts):
        message = await post.only(receipt.queue_id)
        assert message.submission.subject == f"Number {n}"
        assert [one.recipient for one in message.recipients] == [
            f"p{n}@next.test", f"q{n}@far.test"]  # fmt: skip


async def test_one_that_cannot_be_written_does_not_fail_the_others(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = Post(database)

    def spoiling(name: str) -> None:
        write = getattr(database, name)

        async def unit(tx: Transaction, orders: Any) -> Any:
            if any(order.submission.subject == "Spoiled" for order in orders):
                raise TemporaryFailure("The store does not take this one.")
            return await enqueue_all(tx, orders)

        def attempt(work: Any, *args: Any, **options: Any) -> asyncio.Future[Any]:
            written: asyncio.Future[Any] = write(
                unit if work is enqueue_all else work, *args, **options
            )
            return written

        monkeypatch.setattr(database, name, attempt)

    spoiling("write")
    spoiling("write_quick")
    subjects = ["One", "Spoiled", "Two"]
    answers = await asyncio.gather(
        *(post.post("bob@next.test", subject=subject) for subject in subjects),
        return_exceptions=True,
    )
    assert [type(one) for one in answers] == [Receipt, TemporaryFailure, Receipt]
    page = await post.sent.page("ann@x.test", limit=10)
    assert sorted(one.submission.subject for one in page.messages) == ["One", "Two"]


async def test_groups_have_bounds_and_answers_their_order() -> None:
    groups: list[list[int]] = []

    def write(items: Any) -> asyncio.Future[Any]:
        groups.append(list(items))
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, [item * 2 for item in items])
        return future

    line: Gathering[int, int] = Gathering(write, lambda item: item, most=4, most_octets=20)
    answers = await asyncio.gather(*(line.add(n) for n in [1, 2, 3, 4, 5, 30, 6, 7, 8]))
    assert answers == [2, 4, 6, 8, 10, 60, 12, 14, 16]
    assert groups == [[1, 2, 3, 4], [5], [30], [6, 7], [8]]


async def test_a_patient_line_waits_while_others_come_and_for_nobody_else() -> None:
    groups: list[list[int]] = []

    def write(items: Any) -> asyncio.Future[Any]:
        groups.append(list(items))
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.set_result(list(items))
        return future

    line: Gathering[int, int] = Gathering(write, int, most=8, most_octets=1_000, patient=True)
    answers = []
    for n in range(5):  # one in each turn of the loop
        answers.append(line.add(n))
        await asyncio.sleep(0)
    assert await asyncio.gather(*answers) == [0, 1, 2, 3, 4]
    assert await line.add(5) == 5
    assert groups == [[0, 1, 2, 3, 4], [5]]
    answers = []
    for n in range(40):  # a flood never ends, and is written all the same
        answers.append(line.add(n))
        await asyncio.sleep(0)
    assert await asyncio.gather(*answers) == list(range(40))
    assert max(map(len, groups)) <= 8


@pytest.mark.parametrize("count", [*range(66), 200])
def test_rows_go_in_few_portions_of_few_sizes(count: int) -> None:
    parts = [list(part) for part in many_rows.portions(range(count))]
    assert [row for part in parts for row in part] == list(range(count))
    assert all(len(part) in many_rows.SIZES for part in parts)
    assert len(parts) <= count // 64 + 3


async def test_the_first_of_a_group_waits_for_others_and_a_full_group_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    groups: list[list[int]] = []
    waits: list[float] = []

    def call_later(seconds: float, call: Any, *arguments: Any) -> Any:
        waits.append(seconds)
        return loop.call_soon(loop.call_soon, call, *arguments)

    def write(items: Any) -> asyncio.Future[Any]:
        groups.append(list(items))
        future: asyncio.Future[Any] = loop.create_future()
        loop.call_soon(future.set_result, list(items))
        return future

    line: Gathering[int, int] = Gathering(
        write, lambda item: item, most=2, most_octets=100, linger=0.5
    )
    with monkeypatch.context() as patched:
        patched.setattr(loop, "call_later", call_later)
        first = line.add(1)
        await asyncio.sleep(0)
        assert groups == [], "it waits"
        answers = await asyncio.gather(first, *(line.add(n) for n in (2, 3, 4, 5)))
    assert answers == [1, 2, 3, 4, 5]
    assert groups == [[1, 2], [3, 4], [5]]
    assert waits == [0.5, 0.5], "at first, and for the last, which is no full group"

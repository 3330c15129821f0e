"""Forwarding that owners set up: proved first, then done as the administrator's rules are."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mailbox_service.core import owner_forwarding as rules
from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import (
    BadCredential,
    BadRequest,
    NoChannel,
    NotYours,
    QuotaReached,
    RecipientBlocked,
    TooManyRequests,
)
from mailbox_service.services.owner_forwarding import OwnerForwarding
from tests.databases import AnyDatabase
from tests.nexthop import NextHop, running
from tests.services.reactions import LETTER, Reactions, read

pytestmark = pytest.mark.anyio

HERE, FAR = "127.0.0.1", "me@home.example"
DAY, HOUR = 24 * 60, 60  # minutes


class Forwards(Reactions):
    """Mailboxes whose owners may forward. Codes come in order from 00000001."""

    def __init__(self, database: AnyDatabase, hop: NextHop | None = None, **settings: Any) -> None:
        super().__init__(database, hop, **{"enable_owner_forwarding": True, **settings})
        self.codes = 0
        self.forwarding = OwnerForwarding(
            database, self.config, self.administering, self.sending, self.signals,
            clock=self.clock, new_code=self.new_code,
        )  # fmt: skip

    def new_code(self) -> str:
        self.codes += 1
        return f"{self.codes:08}"

    async def owner(self, name: str = "bob", domain: str = "x.test") -> Principal:
        made = await self.registering.open_by_admin(
            name=name, domain=domain, with_prefix=False, random_subdomain=False
        )
        return Principal("address", made.address, made.address_id)

    async def set_up(self, owner: Principal, target: str = FAR) -> None:
        """Forward a mailbox, with the code that was mailed."""
        await self.forwarding.ask(owner, target, ip=HERE)
        await self.forwarding.prove(owner.address, f"{self.codes:08}")

    async def forwards(self) -> list[tuple[str, tuple[str, ...], bytes]]:
        """What was forwarded: reverse-path, recipients, content."""
        return [
            (submission.reverse_path, names, content)
            for submission, names, content in await self.queued()
            if submission.door == "forward"
        ]


async def test_a_code_is_mailed_and_nothing_is_forwarded_before_it_is_shown(
    database: AnyDatabase,
) -> None:
    post = Forwards(database)
    bob = await post.owner()
    asked = await post.forwarding.ask(bob, " Me@Home.example ", ip=HERE)
    assert (asked.target, asked.asked, asked.tries_left) == ("", "me@home.example", rules.TRIES)
    ((submission, names, content),) = await post.queued()
    assert (names, submission.reverse_path, submission.listed) == ((FAR,), "", 0)
    message = read(content)
    assert message["From"] == "Mailbox Service <postmaster@x.test>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "00000001" in message.get_content()
    assert "bob@x.test" in message.get_content()
    assert (await post.mail()).forwarded_to == []
    # The code is not among what its owner can look at.
    for address in (bob.address, "postmaster@x.test"):
        assert (await post.sent.page(address, limit=10)).messages == []


async def test_from_then_on_every_mail_goes_on_as_it_came(database: AnyDatabase) -> None:
    post = Forwards(database)
    await post.set_up(await post.owner())
    proved = await post.forwarding.get("bob@x.test")
    assert (proved.target, proved.proved_at, proved.asked) == (FAR, post.clock.now, "")
    assert (await post.mail()).forwarded_to == [FAR]
    (stored,) = await post.inbox("bob@x.test")
    assert await post.forwards() == [("bob@x.test", (FAR,), b"X-Loop: bob@x.test\r\n" + stored)]
    assert (await post.mail("carol@x.test")).forwarded_to == []


async def test_what_is_forwarded_leaves_by_the_queue(database: AnyDatabase) -> None:
    async with running(NextHop()) as hop:
        post = Forwards(database, hop)
        await post.set_up(await post.owner())
        await post.mail()
        await post.delivering.deliver_due()
        taken = await hop.wait_for(2)
        post.outbound.close()
    assert sorted(one.reverse_path for one in taken) == ["", "bob@x.test"]
    assert {one.recipients for one in taken} == {(FAR,)}


async def test_a_worker_that_starts_anew_goes_on_forwarding(database: AnyDatabase) -> None:
    post = Forwards(database)
    await post.set_up(await post.owner())
    await post.receive("bob@x.test")
    worker = post.another_worker()
    while await worker.react_to_some():
        pass
    while await post.another_worker().react_to_some():
        pass
    assert len(await post.forwards()) == 1


async def test_a_circle_of_owners_ends(database: AnyDatabase) -> None:
    post = Forwards(database)
    await post.set_up(await post.owner("bob"), "carol@y.test")
    await post.set_up(await post.owner("carol", "y.test"), "bob@x.test")
    await post.mail()
    for _ in range(5):
        await post.delivering.deliver_due()
        while await post.reacting.react_to_some():
            pass
    # Beside the letter each of them had the code of the other.
    for address in ("bob@x.test", "carol@y.test"):
        letters = [one for one in await post.inbox(address) if b"How are you?" in one]
        assert len(letters) == 1, address


async def test_what_came_back_from_the_target_is_not_forwarded_again(
    database: AnyDatabase,
) -> None:
    post = Forwards(database)
    await post.set_up(await post.owner())
    again = b"X-Loop: bob@x.test\r\n" + LETTER
    assert (await post.mail(content=again)).forwarded_to == []


async def test_a_bounce_goes_on_with_the_null_reverse_path(database: AnyDatabase) -> None:
    """Hazard 53: a bounce of a bounce is not possible."""
    post = Forwards(database)
    await post.set_up(await post.owner())
    await post.mail(sender="")
    ((reverse_path, _, _),) = await post.forwards()
    assert reverse_path == ""


async def test_who_gets_a_copy_by_the_rules_gets_no_second(database: AnyDatabase) -> None:
    post = Forwards(database, forward_address_list=["Me@home.example", "all@far.test"])
    await post.set_up(await post.owner())
    assert (await post.mail()).forwarded_to == ["Me@home.example", "all@far.test"]


@pytest.mark.parametrize(
    "target",
    ["", "nonsense", "a@b@c.test", "bob@x.test", "BOB@X.test", "bob+a@x.test", "a\r\n@b.c"],
)
async def test_some_targets_are_none(database: AnyDatabase, target: str) -> None:
    post = Forwards(database)
    bob = await post.owner()
    with pytest.raises(BadRequest):
        await post.forwarding.ask(bob, target, ip=HERE)
    assert await post.queued() == []


async def test_the_block_list_holds_for_targets_also_later(database: AnyDatabase) -> None:
    post = Forwards(database)
    bob = await post.owner()
    await post.set_up(bob)
    await post.administering.change({"send_block_list": ["HOME.example"]})
    assert (await post.mail()).forwarded_to == []
    with pytest.raises(RecipientBlocked):
        await post.forwarding.ask(bob, "you@HOME.example", ip=HERE)


async def test_a_code_works_once_and_for_its_mailbox_alone(database: AnyDatabase) -> None:
    post = Forwards(database)
    bob, carol = await post.owner("bob"), await post.owner("carol")
    await post.forwarding.ask(bob, FAR, ip=HERE)
    await post.forwarding.ask(carol, "else@home.example", ip=HERE)
    for address, code in ((carol.address, "00000001"), (bob.address, "00000002")):
        with pytest.raises(BadRequest):
            await post.forwarding.prove(address, code)
    await post.forwarding.prove(bob.address, " 00000001 ")
    with pytest.raises(BadRequest):
        await post.forwarding.prove(bob.address, "00000001")
    assert (await post.forwarding.get(bob.address)).target == FAR
    assert (await post.forwarding.get(carol.address)).target == ""


async def test_guesses_use_a_code_up(database: AnyDatabase) -> None:
    post = Forwards(database)
    bob = await post.owner()
    await post.forwarding.ask(bob, FAR, ip=HERE)
    for left in range(rules.TRIES - 1, -1, -1):
        with pytest.raises(BadRequest):
            await post.forwarding.prove(bob.address, "99999999")
        assert (await post.forwarding.get(bob.address)).tries_left == left
    with pytest.raises(BadRequest):
        await post.forwarding.prove(bob.address, "00000001")


async def test_a_code_ends_after_a_day(database: AnyDatabase) -> None:
    post = Forwards(database)
    bob, carol = await post.owner("bob"), await post.owner("carol")
    await post.forwarding.ask(bob, FAR, ip=HERE)
    await post.forwarding.ask(carol, FAR, ip=HERE)
    post.wait(DAY - 1)
    await post.forwarding.prove(bob.address, "00000001")
    post.wait(1)
    assert (await post.forwarding.get(carol.address)).asked == ""
    with pytest.raises(BadRequest):
        await post.forwarding.prove(carol.address, "00000002")


async def test_a_newer_code_ends_the_one_before(database: AnyDatabase) -> None:
    post = Forwards(database)
    bob = await post.owner()
    await post.forwarding.ask(bob, FAR, ip=HERE)
    await post.forwarding.ask(bob, "other@home.example", ip=HERE)
    with pytest.raises(BadRequest):
        await post.forwarding.prove(bob.address, "00000001")
    await post.forwarding.prove(bob.address, "00000002")
    assert (await post.forwarding.get(bob.address)).target == "other@home.example"


async def test_one_target_takes_the_place_of_another_when_it_is_proved(
    database: AnyDatabase,
) -> None:
    post = Forwards(database)
    bob = await post.owner()
    await post.set_up(bob)
    between = await post.forwarding.ask(bob, "new@home.example", ip=HERE)
    assert (between.target, between.asked) == (FAR, "new@home.example")
    assert (await post.mail()).forwarded_to == [FAR]
    await post.forwarding.prove(bob.address, "00000002")
    assert (await post.mail()).forwarded_to == ["new@home.example"]


async def test_a_target_that_is_proved_is_mailed_no_code(database: AnyDatabase) -> None:
    post = Forwards(database)
    bob = await post.owner()
    await post.set_up(bob)
    assert (await post.forwarding.ask(bob, FAR, ip=HERE)).target == FAR
    assert post.codes == 1


async def test_nobody_is_flooded_with_codes(database: AnyDatabase) -> None:
    post = Forwards(database)
    owners = [await post.owner(name) for name in ("a", "b", "c", "d")]
    for owner in owners[: rules.MOST_TO_A_TARGET]:
        await post.forwarding.ask(owner, FAR, ip=HERE)
    with pytest.raises(TooManyRequests):
        await post.forwarding.ask(owners[3], FAR, ip=HERE)
    assert (await post.forwarding.get(owners[3].address)).asked == ""
    assert len(await post.queued()) == rules.MOST_TO_A_TARGET
    post.wait(HOUR)
    await post.forwarding.ask(owners[3], FAR, ip=HERE)


async def test_one_mailbox_has_few_codes_mailed(database: AnyDatabase) -> None:
    post = Forwards(database)
    bob = await post.owner()
    for number in range(rules.MOST_OF_A_MAILBOX):
        await post.forwarding.ask(bob, f"n{number}@home.example", ip=HERE)
    with pytest.raises(TooManyRequests):
        await post.forwarding.ask(bob, FAR, ip=HERE)
    # Ending it and beginning anew gains nothing.
    await post.forwarding.end(bob.address)
    with pytest.raises(TooManyRequests):
        await post.forwarding.ask(bob, FAR, ip=HERE)


async def test_codes_count_against_the_limits_of_the_server(database: AnyDatabase) -> None:
    post = Forwards(database)
    bob = await post.owner()
    limit = {"dailyEnabled": True, "dailyLimit": 1, "monthlyEnabled": False, "monthlyLimit": None}
    await post.administering.change({"send_mail_limit_config": limit})
    await post.forwarding.ask(bob, FAR, ip=HERE)
    with pytest.raises(QuotaReached):
        await post.forwarding.ask(bob, "other@home.example", ip=HERE)
    assert (await post.forwarding.get(bob.address)).asked == FAR


async def test_without_a_way_out_no_code_is_awaited(database: AnyDatabase) -> None:
    post = Forwards(database, send_mail_domains=["y.test"])
    bob = await post.owner()
    with pytest.raises(NoChannel):
        await post.forwarding.ask(bob, FAR, ip=HERE)
    assert (await post.forwarding.get(bob.address)).asked == ""


async def test_it_ends_when_its_owner_says_so(database: AnyDatabase) -> None:
    post = Forwards(database)
    bob = await post.owner()
    await post.set_up(bob)
    await post.forwarding.ask(bob, "new@home.example", ip=HERE)
    await post.forwarding.end(bob.address)
    assert (await post.mail()).forwarded_to == []
    with pytest.raises(BadRequest):
        await post.forwarding.prove(bob.address, "00000002")


async def test_it_ends_with_its_address_and_no_later_owner_has_it(database: AnyDatabase) -> None:
    post = Forwards(database)
    bob = await post.owner()
    await post.set_up(bob)
    await post.registering.close(bob.address_id, bob.address)
    assert await post.count("owner_forwards") == 0
    assert (await post.mail()).forwarded_to == []
    with pytest.raises(BadCredential):
        await post.forwarding.ask(bob, FAR, ip=HERE)
    await post.owner()
    with pytest.raises(BadCredential):  # a token of the owner before
        await post.forwarding.ask(bob, FAR, ip=HERE)
    assert (await post.mail()).forwarded_to == []


async def test_the_operator_turns_it_off_for_all(database: AnyDatabase) -> None:
    post = Forwards(database)
    await post.set_up(await post.owner())
    off = Forwards(database, enable_owner_forwarding=False)
    assert (await off.mail()).forwarded_to == []
    with pytest.raises(NotYours):
        off.forwarding.check_enabled()


async def test_a_mailbox_below_a_domain_forwards_too(database: AnyDatabase) -> None:
    """Its code comes from the domain itself: addresses below it may not be allowed to send."""
    post = Forwards(database, random_subdomain_domains=["x.test"])
    bob = await post.owner("bob", "x.test")
    below = Principal("address", "bob@a.x.test", bob.address_id)
    with pytest.raises(BadCredential):
        await post.forwarding.ask(below, FAR, ip=HERE)
    made = await post.registering.open_by_admin(
        name="eve", domain="x.test", with_prefix=False, random_subdomain=True
    )
    await post.set_up(Principal("address", made.address, made.address_id))
    ((_, _, content),) = await post.queued()
    assert read(content)["From"].endswith("<postmaster@x.test>")
    assert (await post.mail(made.address)).forwarded_to == [FAR]
    ((reverse_path, names, _),) = await post.forwards()
    assert (reverse_path, names) == (made.address, (FAR,))


async def test_no_code_lies_in_the_store(database: AnyDatabase) -> None:
    post = Forwards(database)
    await post.forwarding.ask(await post.owner(), FAR, ip=HERE)

    async def kept(tx: Any) -> list[Any]:
        return list(await tx.fetch_all("SELECT * FROM owner_forwards"))

    ((*_, mac, _, _),) = await database.read(kept)
    assert re.fullmatch(r"[0-9a-f]{64}", mac)

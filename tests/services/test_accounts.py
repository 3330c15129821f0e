"""Accounts on both stores: what must be true when several come at once, or one dies midway."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mailbox_service import signals as topics
from mailbox_service.config import Role
from mailbox_service.core.accounts import Account, signed_in
from mailbox_service.core.errors import (
    BadCredential,
    BadRequest,
    MailError,
    QuotaReached,
    TemporaryFailure,
    TooManyRequests,
)
from mailbox_service.core.parsing import parse
from mailbox_service.core.stored import Excerpt
from mailbox_service.services.account_addresses import AccountAddresses
from mailbox_service.services.accounts import Accounts, ExpiredAccess, UnknownDefaultRole
from mailbox_service.services.authenticating import Opened
from mailbox_service.services.passwords import Passwords, digest_of
from mailbox_service.services.sending import Sending
from mailbox_service.services.throttling import GuessLimits
from mailbox_service.services.verify_codes import A_DAY, CODE_SECONDS, NotSent, VerifyCodes
from mailbox_service.storage import (
    addresses,
    contents,
    mail_access,
    owner_forwards,
    user_addresses,
    users,
    webhooks,
)
from mailbox_service.storage.database import Transaction
from tests.databases import AnyDatabase
from tests.services.parts import NOON, SECRET, Mailboxes

pytestmark = pytest.mark.anyio

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
ANN, BOB = "ann@home.example", "bob@home.example"
SENDER = "noreply@x.test"
MAILED = {"enable": True, "enableMailVerify": True, "verifyMailSender": SENDER}


class People(Mailboxes):
    """Everything about accounts, on one store."""

    def __init__(self, database: AnyDatabase, **settings: Any) -> None:
        super().__init__(database, **settings)
        self.sending = Sending(
            database, self.config, self.administering, self.signals, clock=self.clock
        )
        self.codes = VerifyCodes(database, self.sending, SECRET, clock=self.clock)
        self.accounts = Accounts(
            database,
            self.config,
            self.administering,
            self.authenticating,
            Passwords(SECRET),
            GuessLimits(),
            self.codes,
            clock=self.clock,
        )
        self.theirs = AccountAddresses(
            database,
            self.administering,
            self.authenticating,
            self.reading,
            self.signals,
            clock=self.clock,
        )

    async def account(self, email: str = ANN) -> Account:
        return await self.accounts.ensure(email, source="test")

    async def open(self, name: str) -> Opened:
        return await self.registering.open_by_admin(
            name=name, domain="x.test", with_prefix=False, random_subdomain=False
        )

    async def bind(self, account: Account, opened: Opened) -> None:
        claims = self.authenticating.claims(opened.jwt)
        await self.theirs.bind_by_token(account.id, claims, role=None)

    async def names(self, account: Account) -> list[str]:
        rows, _ = await self.theirs.page(account.id, limit=100, offset=0)
        return [row.name.split("@")[0] for row in rows]

    async def mailed_code(self) -> str:
        """The code in the message that was queued last."""

        async def newest(tx: Transaction) -> bytes:
            row = await tx.fetch_one("SELECT content_id FROM submissions ORDER BY id DESC LIMIT 1")
            assert row is not None
            return await contents.read(tx, row[0])

        parsed = parse(await self.database.read(newest))
        assert parsed.sender == f"Temp Mail Verify <{SENDER}>"
        assert parsed.subject == "Temp Mail Verify code"
        words, _, code = parsed.text.strip().rpartition(" ")
        assert words == "Your verify code is"
        assert len(code) == 6
        return code


@pytest.fixture
def people(database: AnyDatabase) -> People:
    return People(database)


async def outcomes(*works: Any) -> list[str]:
    """What became of several at once: `done`, or the refusal's words."""
    ended = await asyncio.gather(*works, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException) and not isinstance(one, MailError):
            raise one
    return sorted(one.detail if isinstance(one, MailError) else "done" for one in ended)


# Opening and proving.


async def test_an_account_is_opened_once_however_many_ask(people: People) -> None:
    found = await asyncio.gather(*(people.account() for _ in range(10)))
    assert len({account.id for account in found}) == 1
    assert (await people.accounts.list_accounts(limit=10, offset=0, query=""))[1] == 1


async def test_of_several_registrations_one_wins(people: People) -> None:
    await people.administering.change({"user_settings": {"enable": True}})
    said = await outcomes(
        *(people.accounts.register(ANN, digest_of(str(n)), "", ip="") for n in range(5))
    )
    assert said == ["User already exists, please login"] * 4 + ["done"]


async def test_a_provider_finds_the_account_and_leaves_its_password(people: People) -> None:
    await people.accounts.create(ANN, digest_of("secret"), ip="192.0.2.1")
    known = await people.accounts.find_by_email(ANN)
    assert known is not None
    account = await people.accounts.ensure(ANN, source="hub", user_info='{"id": 1}')
    assert account.id == known.id
    assert account.password_hash == known.password_hash
    assert await people.accounts.login(ANN, digest_of("secret"), ip="192.0.2.1")


async def test_a_proved_account_gets_the_default_role_unless_it_has_one(
    database: AnyDatabase,
) -> None:
    roles = [Role(role="vip"), Role(role="plain")]
    people = People(database, user_roles=roles, user_default_role="plain")
    account = await people.account()
    assert account.role == "plain"
    await people.accounts.set_role(account.id, "vip")
    assert (await people.account()).role == "vip"
    lost = People(database, user_roles=roles, user_default_role="gone")
    with pytest.raises(UnknownDefaultRole):
        await lost.account(BOB)


async def test_a_provider_may_not_name_what_is_no_email(people: People) -> None:
    for email in ("", "a\0b", "x" * 257, "a\nb@c"):
        with pytest.raises(BadRequest):
            await people.accounts.ensure(email, source="hub")


async def test_passwords_are_kept_as_slow_salted_hashes(people: People) -> None:
    for email in (ANN, BOB):
        await people.accounts.create(email, digest_of("secret"), ip="")
    ann, bob = [await people.accounts.find_by_email(email) for email in (ANN, BOB)]
    assert ann is not None
    assert bob is not None
    assert (ann.password_hash or "").startswith("$argon2id$")
    assert ann.password_hash != bob.password_hash
    with pytest.raises(BadRequest):  # who has the store still has no password
        await people.accounts.login(ANN, ann.password_hash or "", ip="")


async def test_a_user_token_lives_for_thirty_days(people: People) -> None:
    account = await people.account()
    token = people.accounts.token_for(account)
    proved = await people.accounts.principal_of(token)
    assert (proved.user_id, proved.email) == (account.id, ANN)
    assert proved.expires_at - proved.issued_at == 30 * 86_400
    people.clock.now += 30 * DAY - SECOND
    assert await people.accounts.principal_of(token) == proved
    people.clock.now += SECOND
    with pytest.raises(BadCredential):
        await people.accounts.principal_of(token)


CLAIMS: dict[str, Any] = {"user_email": ANN, "user_id": 1, "exp": NOON // SECOND + 60}


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": NOON // SECOND},
        {"exp": 1e300},
        {"iat": NOON // SECOND + 10},
        {"nbf": NOON // SECOND + 10},
        {"iat": "x"},
        {"user_id": None},
        {"user_id": "1"},
        {"user_id": True},
        {"user_id": 0},
        {"user_id": 1 << 63},
        {"user_id": 1.5},
        {"user_email": None},
        {"user_email": 5},
    ],
)
def test_claims_that_prove_nobody(claims: dict[str, Any]) -> None:
    """Hazard 38."""
    assert signed_in(CLAIMS, NOON // SECOND) is not None
    assert signed_in({**CLAIMS, **claims}, NOON // SECOND) is None


async def test_a_role_ends_with_its_token_its_change_and_its_account(
    database: AnyDatabase,
) -> None:
    people = People(database, user_roles=[Role(role="chief"), Role(role="vip")])
    accounts = people.accounts
    account = await people.account()

    async def access() -> str:
        await accounts.set_role(account.id, "chief")
        proved = await accounts.principal_of(accounts.token_for(account))
        token = (await accounts.standing(proved)).access_token
        assert token is not None
        assert await accounts.access_role(token) == "chief"
        return token

    token = await access()
    people.clock.now += HOUR
    assert await accounts.access_role(token) is None
    with pytest.raises(ExpiredAccess):
        await accounts.proved_role(token)
    token = await access()
    await accounts.set_role(account.id, "vip")
    assert await accounts.access_role(token) is None
    token = await access()
    await accounts.remove(account.id)
    assert await accounts.access_role(token) is None
    await people.account()  # the same e-mail again is somebody else
    assert await accounts.access_role(token) is None


async def test_looking_at_an_account_touches_its_addresses_once_a_day(people: People) -> None:
    account, box, other = await people.account(), await people.open("a"), await people.open("b")
    await people.bind(account, box)
    proved = await people.accounts.principal_of(people.accounts.token_for(account))

    async def touched(opened: Opened) -> int:
        row = await people.registering.find(opened.address_id)
        assert row is not None
        return row.updated_at

    people.clock.now += HOUR
    await people.accounts.standing(proved)
    assert await touched(box) == NOON
    people.clock.now += DAY
    await people.accounts.standing(proved)
    assert await touched(box) == NOON + HOUR + DAY
    assert await touched(other) == NOON


# Codes.


async def code_for(people: People, email: str = ANN) -> str:
    await people.accounts.send_code(email, ip="")
    return await people.mailed_code()


async def test_a_code_works_once_also_for_many_at_once(people: People) -> None:
    await people.administering.change({"user_settings": MAILED})
    code = await code_for(people)
    said = await outcomes(
        *(people.accounts.register(ANN, digest_of(str(n)), code, ip="") for n in range(4))
    )
    assert said == ["Invalid verify code"] * 3 + ["done"]


async def test_parallel_guesses_are_five_at_most(people: People) -> None:
    """Each guess is counted before it is compared, so that a hundred at once are no hundred."""
    await people.administering.change({"user_settings": MAILED})
    code = await code_for(people)
    wrong = [f"{(int(code) + n) % 1_000_000:06}" for n in range(1, 51)]
    await outcomes(*(people.accounts.register(ANN, digest_of("x"), one, ip="") for one in wrong))
    with pytest.raises(BadRequest, match="Invalid verify code"):
        await people.accounts.register(ANN, digest_of("x"), code, ip="")


async def test_a_code_lives_for_five_minutes(people: People) -> None:
    await people.administering.change({"user_settings": MAILED})
    code = await code_for(people)
    people.clock.now += CODE_SECONDS * SECOND - 1
    with pytest.raises(BadRequest, match="Code already sent"):
        await people.accounts.send_code(ANN, ip="")
    people.clock.now += 1
    with pytest.raises(BadRequest, match="Invalid verify code"):
        await people.accounts.register(ANN, digest_of("x"), code, ip="")
    new = await code_for(people)
    await people.accounts.register(ANN, digest_of("x"), new, ip="")


async def test_a_code_is_for_its_email_alone(people: People) -> None:
    await people.administering.change({"user_settings": MAILED})
    code = await code_for(people)
    await people.accounts.send_code(BOB, ip="")
    with pytest.raises(BadRequest, match="Invalid verify code"):
        await people.accounts.register(BOB, digest_of("x"), code, ip="")


async def test_few_codes_are_sent_to_one_email_in_a_day(people: People) -> None:
    await people.administering.change({"user_settings": MAILED})
    for _ in range(A_DAY):
        await people.accounts.send_code(ANN, ip="")
        people.clock.now += CODE_SECONDS * SECOND
    with pytest.raises(BadRequest, match="Code already sent"):
        await people.accounts.send_code(ANN, ip="")
    await people.accounts.send_code(BOB, ip="")
    people.clock.now += DAY
    await people.accounts.send_code(ANN, ip="")


async def test_one_network_has_so_many_codes_mailed(people: People) -> None:
    await people.administering.change({"user_settings": MAILED})
    for number in range(60):
        await people.accounts.send_code(f"a{number}@home.example", ip=f"192.0.2.{number}")
    with pytest.raises(TooManyRequests):
        await people.accounts.send_code(BOB, ip="192.0.2.99")
    await people.accounts.send_code(BOB, ip="198.51.100.1")
    await people.accounts.send_code("c@home.example", ip="127.0.0.1")


async def test_a_code_that_could_not_be_mailed_does_not_count(people: People) -> None:
    limit = {"dailyEnabled": True, "monthlyEnabled": False, "dailyLimit": 0}
    await people.administering.change({"user_settings": MAILED, "send_mail_limit_config": limit})
    for _ in range(A_DAY + 1):
        with pytest.raises(NotSent) as refused:
            await people.accounts.send_code(ANN, ip="")
        assert isinstance(refused.value.reason, QuotaReached)
    await people.administering.change({"send_mail_limit_config": None})
    await people.accounts.send_code(ANN, ip="")


async def test_a_store_in_trouble_is_told_as_such(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    await people.administering.change({"user_settings": MAILED})

    async def full(*_: Any, **__: Any) -> None:
        raise TemporaryFailure("no room")

    with monkeypatch.context() as patch:
        patch.setattr(people.sending, "submit_draft", full)
        with pytest.raises(TemporaryFailure):
            await people.accounts.send_code(ANN, ip="")
    await people.accounts.send_code(ANN, ip="")


async def test_the_store_knows_no_code(people: People) -> None:
    """Who reads the table cannot use it: a million digests are quickly made, keyed ones not."""
    await people.administering.change({"user_settings": MAILED})
    code = await code_for(people)

    async def rows(tx: Transaction) -> Any:
        return await tx.fetch_all("SELECT email, code_mac FROM verify_codes")

    ((email, mac),) = await people.database.read(rows)
    assert email == ANN
    assert code not in mac
    assert len(mac) == 64


# Addresses.


async def test_the_limit_holds_for_many_at_once(people: People) -> None:
    await people.administering.change({"user_settings": {"maxAddressCount": 3}})
    account = await people.account()
    opened = [await people.open(f"a{n}") for n in range(8)]
    said = await outcomes(*(people.bind(account, one) for one in opened))
    assert said == ["Max address count reached"] * 5 + ["done"] * 3
    assert len(await people.names(account)) == 3


async def test_an_address_has_one_owner_however_many_bind_it(people: People) -> None:
    accounts = [await people.account(f"a{n}@home.example") for n in range(6)]
    box = await people.open("box")
    said = await outcomes(*(people.bind(account, box) for account in accounts))
    assert said == ["Address is already binded, please unbind first"] * 5 + ["done"]
    assert sum([await people.names(account) == ["box"] for account in accounts]) == 1


async def test_an_address_is_handed_over_once(people: People) -> None:
    ann = await people.account()
    targets = [await people.account(f"b{n}@home.example") for n in range(4)]
    box = await people.open("box")
    await people.bind(ann, box)
    said = await outcomes(
        *(people.theirs.transfer(ann.id, box.address_id, one.email) for one in targets)
    )
    assert said == ["Address not found"] * 3 + ["done"]
    owners = [one.email for one in targets if await people.names(one)]
    assert len(owners) == 1
    assert await people.names(ann) == []


STEPS = [
    (user_addresses, "release"),
    (addresses, "remove"),
    (addresses, "open_again"),
    (user_addresses, "bind"),
    (webhooks, "remove_of"),
    (owner_forwards, "remove_of"),
]


@pytest.mark.parametrize(("module", "name"), STEPS, ids=[name for _, name in STEPS])
@pytest.mark.parametrize("after", [False, True])
async def test_handing_over_happens_whole_or_not_at_all(
    people: People, module: Any, name: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies before or after any step has handed nothing over: its steps are one
    transaction, and what is not committed is gone."""
    ann, bob = await people.account(), await people.account(BOB)
    box = await people.open("box")
    await people.bind(ann, box)
    await people.receive("box@x.test")
    step = getattr(module, name)

    class Died(MailError):
        pass

    async def die(*args: Any, **kwargs: Any) -> Any:
        if after:
            await step(*args, **kwargs)
        raise Died("midway")

    with monkeypatch.context() as patch:
        patch.setattr(module, name, die)
        with pytest.raises(Died):
            await people.theirs.transfer(ann.id, box.address_id, BOB)
    assert (await people.names(ann), await people.names(bob)) == (["box"], [])
    assert (await people.authenticating.address_token(box.jwt)).address == "box@x.test"
    await people.theirs.transfer(ann.id, box.address_id, BOB)
    assert (await people.names(ann), await people.names(bob)) == ([], ["box"])
    with pytest.raises(BadCredential):
        await people.authenticating.address_token(box.jwt)
    page, sources = await people.theirs.mails(bob.id, address="", limit=10, offset=0)
    assert sources is not None
    assert (len(page.messages), len(sources), page.count) == (1, 1, 1)


async def test_an_address_that_was_to_end_still_ends_after_it_was_handed_over(
    people: People,
) -> None:
    ann, bob = await people.account(), await people.account(BOB)
    box = await people.open("box")
    await people.bind(ann, box)

    async def end(tx: Transaction) -> None:
        await tx.execute("UPDATE addresses SET expires_at = :at", {"at": NOON + DAY})

    await people.database.write(end)
    await people.theirs.transfer(ann.id, box.address_id, BOB)
    (row,) = (await people.theirs.page(bob.id, limit=10, offset=0))[0]
    found = await people.registering.find(row.id)
    assert found is not None
    assert (found.expires_at, found.password_hash, found.source_meta) == (NOON + DAY, None, None)
    assert found.id > box.address_id


async def test_closing_and_binding_at_once_leave_no_binding_behind(people: People) -> None:
    account = await people.account()
    for number in range(5):
        box = await people.open(f"a{number}")
        await outcomes(
            people.bind(account, box), people.registering.close(box.address_id, box.address)
        )
        assert await people.names(account) == []
        assert await people.database.read(user_addresses.count, account.id) == 0


async def test_deleting_and_binding_at_once_leave_no_binding_behind(people: People) -> None:
    box = await people.open("box")
    for number in range(5):
        account = await people.account(f"a{number}@home.example")
        await outcomes(people.bind(account, box), people.accounts.remove(account.id))
        assert await people.database.read(user_addresses.owner, box.address_id) is None


async def test_a_revoked_address_token_binds_nothing(people: People) -> None:
    account, box = await people.account(), await people.open("box")

    async def revoke(tx: Transaction) -> None:
        await tx.execute("UPDATE addresses SET tokens_from = :now", {"now": NOON})

    await people.database.write(revoke)
    with pytest.raises(BadRequest, match="Address not found"):
        await people.bind(account, box)


async def test_a_deleted_account_is_remembered_while_its_tokens_live(people: People) -> None:
    account = await people.account()
    await people.accounts.remove(account.id)
    people.clock.now += 30 * DAY
    await people.accounts.remove((await people.account()).id)
    assert await people.database.read(users.has_ended, account.id)
    people.clock.now += 1
    await people.accounts.remove((await people.account()).id)
    assert not await people.database.read(users.has_ended, account.id)


async def test_codes_that_count_no_longer_are_forgotten(people: People) -> None:
    await people.administering.change({"user_settings": MAILED})
    await people.accounts.send_code(ANN, ip="")
    people.clock.now += DAY + HOUR
    await people.accounts.send_code(BOB, ip="")

    async def emails(tx: Transaction) -> list[str]:
        return [row[0] for row in await tx.fetch_all("SELECT email FROM verify_codes")]

    assert await people.database.read(emails) == [BOB]


# The mail of all addresses.


async def test_marks_of_several_addresses_are_set_together_and_each_mailbox_hears(
    people: People,
) -> None:
    ann = await people.account()
    one, two, free = [await people.open(name) for name in ("one", "two", "free")]
    await people.bind(ann, one)
    await people.bind(ann, two)
    ids = [(await people.receive(box.address))[0] for box in (one, two, one, free)]
    with (
        people.signals.watch(topics.mailbox(one.address)) as first,
        people.signals.watch(topics.mailbox(free.address)) as strange,
    ):
        changed = await people.theirs.mark(ann.id, ids, seen=True, flagged=None, answered=None)
        assert changed == 3
        assert await first.wait(0.0)
        assert not await strange.wait(0.0)
    page = await people.theirs.inbox(ann.id, Excerpt(10), address="")
    assert (page.count, page.unread) == (3, 0)
    heard = {
        box.address: [
            fact.detail
            for fact in await people.database.read(
                mail_access.happened, mail_access.of_address(box.address), after_id=0, limit=10
            )
            if fact.kind == "flags"
        ]
        for box in (one, two, free)
    }
    assert heard == {
        one.address: [{"ids": [ids[0], ids[2]], "seen": True}],
        two.address: [{"ids": [ids[1]], "seen": True}],
        free.address: [],
    }
    again = await asyncio.gather(
        people.theirs.mark(ann.id, ids, seen=False, flagged=None, answered=None),
        people.theirs.mark(ann.id, ids[::-1], seen=False, flagged=None, answered=None),
    )
    assert sorted(again) == [0, 3]

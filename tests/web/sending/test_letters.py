"""The short way of plain letters makes what the general way makes, to the octet and the row."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailbox_service.config import Config
from mailbox_service.core.envelope import Receipt
from mailbox_service.core.errors import MailError
from mailbox_service.core.sending_api import Caller, Credential, CredentialSettings, UserLimits
from mailbox_service.core.settings import Rules
from mailbox_service.services.queueing import Order
from mailbox_service.services.sending import Sending
from mailbox_service.services.sending_api.emails import Emails, no_file
from mailbox_service.services.sending_api.letters import Letters, read_letter
from mailbox_service.services.sending_api.policies import AddressList, Entry, IpList, Policy
from mailbox_service.signals import Signals
from mailbox_service.web.sending.emails import ROWS
from mailbox_service.web.sending.rows import read_form

NOON = 1_795_262_400_000_000
QUEUE_ID = "01M7ZVQ2E9D1TCG9Q0YEN54GM9"
ROW = next(row for row in ROWS if row.path == "email/send")
KEY = Credential("api_key", "", "api-abcdefghijkl", CredentialSettings(), ("*",))
POLICY = Policy(
    account="",
    senders=AddressList(),
    recipients=AddressList(),
    domains=frozenset(["x.test"]),
    addresses=frozenset(["one@else.example"]),
    active=True,
    limit=None,
    ip_lists={"api": IpList(), "smtp": IpList()},
)


class KnownPolicy:
    """In place of the store: an account has this policy."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    async def of(self, account: str) -> Policy:
        return self.policy


class KnownRules:
    """In place of the store: these are the administrator's rules."""

    rules = Rules()


class Bench:
    """Both ways, up to the order for the queue."""

    def __init__(self, policy: Policy = POLICY, **settings: Any) -> None:
        self.policy = policy
        self.orders: list[Order] = []
        config = Config(domains=["x.test"], jwt_secret="s" * 40, **settings)
        nowhere: Any = SimpleNamespace(file=no_file)
        self.rules = KnownRules()
        known_rules: Any = self.rules
        known_policy: Any = KnownPolicy(policy)
        sending = Sending(nowhere, config, known_rules, Signals(), clock=lambda: NOON)
        sending._departures.add = self._note  # type: ignore[method-assign]
        fixed: dict[str, Callable[[], Any]] = {
            "clock": lambda: NOON,
            "new_queue_id": lambda: QUEUE_ID,
        }
        self.letters = Letters(config, sending, **fixed)
        self.emails = Emails(config, sending, known_policy, nowhere, nowhere, **fixed)

    def _note(self, order: Order) -> asyncio.Future[Receipt]:
        self.orders.append(order)
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        future.set_result(Receipt(order.submission.queue_id))
        return future

    async def short(self, body: bytes, credential: Credential) -> Order | None:
        """What the short way makes of a request; None when it leaves it to the general way."""
        form = read_letter(body)
        if form is None:
            return None
        begun = self.letters.begin(credential, self.policy, form, "192.0.2.1")
        if begun is None:
            return None
        await begun
        return self.orders.pop()

    async def general(self, body: bytes, credential: Credential) -> Order:
        """What the general way makes of it. Raises MailError."""
        fields = msgspec.json.decode(body)
        caller = Caller(credential, credential.account, "192.0.2.1")
        await self.emails.send(caller, read_form(ROW, fields))
        return self.orders.pop()


async def both(bench: Bench, fields: Any, credential: Credential = KEY) -> bool:
    """Compare both ways; whether the short one was taken."""
    body = json.dumps(fields).encode()
    order = await bench.short(body, credential)
    if order is None:
        return False
    assert same(order, await bench.general(body, credential))
    return True


def run(work: Coroutine[Any, Any, bool]) -> bool:
    return asyncio.run(work)


controls = st.sampled_from([*"\r\n\0\x7f\x85\u2028\xa0", '"', "\\", "<", "@"])
words = st.text("Ab ü,.;:()漢=?") | st.text(
    st.characters(exclude_categories=["Cs"]) | controls, max_size=90
)
good = ["ann@x.test", "Ann@X.test", "one@else.example", "d@xn--exmple-cua.com", "o'x+y@x.test"]
addresses = st.sampled_from(good * 4) | st.sampled_from(
    ["eve@far.example", "jörg@x.test", "a@b", "", "b" * 64 + "@x.test", "b" * 65 + "@x.test",
     "bob@münchen.example", "<ann@x.test>", " ann@x.test "]
)  # fmt: skip
mailboxes = st.one_of(
    addresses,
    st.builds("{} <{}>".format, words, addresses),
    st.builds('"{}" <{}>'.format, words, addresses),
)
texts = st.one_of(
    words,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    st.text("a =.\r\n", max_size=300),
    st.just("x" * 999),
    st.none(),
)
lists: st.SearchStrategy[Any] = st.lists(mailboxes, max_size=2) | st.sampled_from(
    [None, "", "ann@x.test", {}, 0]
)
odd_fields: st.SearchStrategy[Any] = st.dictionaries(
    st.sampled_from(
        ["reply_to", "custom_headers", "attachments", "inlines", "template_id", "template_data",
         "schedule", "fastaccept", "nobody_knows"]
    ),
    st.sampled_from([None, None, None, "", "", [], [], {}, 0, False, "ann@x.test"]),
    max_size=2,
) | st.builds(lambda one: {"version": one}, st.sampled_from([1, 2, 3, None, "", 1.0]))  # fmt: skip
requests = st.builds(
    lambda fields, odd: {**fields, **odd},
    st.fixed_dictionaries(
        {
            "sender": st.sampled_from(["Ann <ann@x.test>", "one@else.example"]) | mailboxes,
            "to": st.lists(mailboxes, min_size=1, max_size=3) | lists,
            "subject": words,
            "text_body": texts,
        },
        optional={"html_body": texts, "cc": lists, "bcc": lists},
    ),
    odd_fields,
)
SHARED = Bench()


@settings(max_examples=400)
@given(fields=requests)
@example({"sender": "a@x.test", "to": ["b@y.example"], "subject": "", "text_body": "x\ry"})
def test_both_ways_make_the_same_order(fields: dict[str, Any]) -> None:
    try:
        run(both(SHARED, fields))
    except MailError as refusal:  # the general way refuses what the short one took
        raise AssertionError(fields) from refusal


plain_words = st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=120)


@given(
    subject=plain_words,
    text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=500),
    html=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=500),
    names=st.lists(plain_words.filter(lambda name: name.isprintable()), min_size=1, max_size=4),
    copies=st.integers(0, 2),
)  # fmt: skip
def test_plain_letters_take_the_short_way(
    subject: str, text: str, html: str | None, names: list[str], copies: int
) -> None:
    people = [f"{name.replace('<', '').replace('>', '')} <p{n}@next.example>"
              for n, name in enumerate(names)]  # fmt: skip
    fields = {
        "sender": "Ann <ann@x.test>",
        "to": people,
        "cc": people[:copies],
        "bcc": ["dora@y.example"],
        "subject": subject,
        "text_body": text,
        "html_body": html,
        "attachments": [],
        "custom_headers": None,
    }
    taken = run(both(SHARED, fields))
    simple = all(one.strip('"').isprintable() and '"' not in one for one in people)
    assert taken or not (subject.isprintable() and simple)


LETTER = {"sender": "Ann <ann@x.test>", "to": ["b@y.example"], "subject": "S", "text_body": "T"}


@pytest.mark.parametrize(
    "chosen",
    [
        {"archive_enabled": True},
        {"open_tracking_enabled": True},
        {"feedback_enabled": True, "feedback_text": "bye"},
        {"bounce_notifications": "none"},
    ],
)
@pytest.mark.anyio
async def test_what_a_credential_asks_for_goes_with_its_letters(chosen: dict[str, Any]) -> None:
    credential = replace(KEY, settings=CredentialSettings(**chosen))
    assert await both(Bench(), LETTER, credential)


@pytest.mark.parametrize(
    "credential",
    [
        replace(KEY, settings=CredentialSettings(status="sandbox")),
        replace(KEY, settings=CredentialSettings(audit_email="audit@x.test")),
        replace(KEY, settings=CredentialSettings(custom_ratelimit=True, custom_ratelimit_value=1)),
        replace(KEY, limits=UserLimits(allow_senders=["eve@x.test"])),
        replace(KEY, limits=UserLimits(disable_senders=["x.test"])),
        replace(KEY, limits=UserLimits(sender_domain="y.test")),
    ],
)
@pytest.mark.anyio
async def test_a_credential_that_is_not_plain_is_judged_the_general_way(
    credential: Credential,
) -> None:
    assert not await both(Bench(), LETTER, credential)


ANYBODY_ELSE = AddressList(mode="whitelist", entries=[Entry(id=1, value="eve@far.example")])


@pytest.mark.parametrize(
    "policy",
    [
        replace(POLICY, limit=10),
        replace(POLICY, recipients=ANYBODY_ELSE),
        replace(POLICY, senders=ANYBODY_ELSE),
        replace(POLICY, domains=frozenset()),
    ],
)
@pytest.mark.anyio
async def test_a_policy_that_is_not_plain_is_judged_the_general_way(policy: Policy) -> None:
    assert not await both(Bench(policy), LETTER)


@pytest.mark.anyio
async def test_a_new_policy_or_credential_is_seen_at_the_next_letter() -> None:
    bench = Bench()
    body = json.dumps(LETTER).encode()
    assert await bench.short(body, KEY)
    assert (
        await bench.short(body, replace(KEY, settings=CredentialSettings(status="sandbox"))) is None
    )
    assert await bench.short(body, KEY)
    bench.policy = replace(POLICY, domains=frozenset())
    assert await bench.short(body, KEY) is None


@pytest.mark.parametrize("chosen", [{"outbound": "hold"}, {"smtp_config": {"x.test": {}}},
                                      {"max_message_size": 4096}])  # fmt: skip
@pytest.mark.anyio
async def test_the_settings_of_the_server_hold_for_both_ways(chosen: dict[str, Any]) -> None:
    bench = Bench(**chosen)
    for text in ("short", "long " * 2_000):
        body = json.dumps({**LETTER, "text_body": text}).encode()
        try:
            general: Order | None = await bench.general(body, KEY)
        except MailError:
            general = None
        assert same(await bench.short(body, KEY), general)


@pytest.mark.anyio
async def test_a_way_out_that_only_some_have_is_looked_at_the_general_way() -> None:
    assert not await both(Bench(send_mail_domains=["y.test"]), LETTER)
    assert await both(Bench(send_mail_domains=["x.test"]), LETTER)


@pytest.mark.anyio
async def test_rules_that_a_letter_has_to_pass_are_seen_at_once() -> None:
    bench = Bench()
    body = json.dumps(LETTER).encode()
    assert await bench.short(body, KEY)
    blocking = Rules(send_block_list=("y.example",))
    for rules in (blocking, Rules(send_mail_limit_config={"daily": 5})):
        bench.rules.rules = rules
        assert await bench.short(body, KEY) is None
    bench.rules.rules = Rules()
    assert await bench.short(body, KEY)


def same(one: Order | None, other: Order | None) -> bool:
    """Equal but for the refusal, of which each has its own."""
    if one is None or other is None:
        return one is other
    kinds = [str(each.obstacle) for each in (one, other)]
    return kinds[0] == kinds[1] and msgspec.structs.replace(
        one, obstacle=None
    ) == msgspec.structs.replace(other, obstacle=None)

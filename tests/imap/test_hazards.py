"""What must not hurt: hostile clients, hostile mail, silence, crowds."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import cast

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymap.parsing.command import auth
from pymap.parsing.specials import mailbox

from smtp_proxy.imap.commands import Line, Unreadable, understand
from smtp_proxy.imap.envelope import mailboxes
from smtp_proxy.imap.facts import Facts
from smtp_proxy.imap.names import decoded_name, encoded_name
from smtp_proxy.imap.structure import Message
from smtp_proxy.imap.words import string
from tests.imap.conftest import Site
from tests.imap.house import ANN, Talk

pytestmark = pytest.mark.anyio

WORDS = [
    b"FETCH", b"UID", b"SEARCH", b"STORE", b"1", b"1:*", b"*", b"4294967296", b"9" * 5000, b"(",
    b")", b"BODY", b"BODY[]", b"BODY.PEEK[1.2.3]<0.1>", b"BODY[HEADER.FIELDS (A B)]", b"FLAGS",
    b"+FLAGS", b"\\Seen", b"\\", b"\"", b"\"x", b"{3+}\r\nabc", b"{5}", b"OR", b"NOT", b"ALL",
    b"SINCE", b"1-Jan-2020", b"32-Foo-0000", b"CHARSET", b"UTF-8", b"idna", b"undefined",
    b"\xff\xfe", b"\0", b"SELECT", b"INBOX", b"&AAA-", b"&x", b"LIST", b"%" * 300, b"STATUS", b"ID",
    b"NIL", b"ENVELOPE", b"MACRO", b"BINARY[1]", b"RETURN", b"LARGER", b"HEADER", b"KEYWORD",
    b"EXPUNGE", b"APPEND", b"COPY", b"LOGIN", b"AUTHENTICATE", b"STARTTLS", b"LSUB", b"~{3}",
    b"TEXT", b"BODYSTRUCTURE", b"<0.99999999999>", b"a", b"RENAME", b"DELETE", b"CLOSE", b"IDLE",
]  # fmt: skip


async def test_any_words_in_any_order_are_answered(site: Site) -> None:
    """A little fuzzing, the same at each run: whatever comes, the connection goes on or is sent
    away with BYE, and the door has no bug to report."""
    await site.house.deliver("One", "Two")
    dice = random.Random(3)
    talk = await site.talk(select="INBOX")
    for _ in range(1_500):
        words = [dice.choice(WORDS) for _ in range(dice.randint(1, 7))]
        if words[-1] in (b"{5}", b"~{3}"):
            words.append(b"\r\nxxxxx")
        talk.send(b"a " + b" ".join(words) + b"\r\n")
        talk.send(b"DONE\r\nz NOOP\r\n")
        lines: list[bytes] = []
        while lines[-1:] != [b"z OK Done"]:
            lines.append(await talk.line())
            assert b"Temporary failure, try again later" not in lines[-1]
            if not lines[-1] and talk.reader.at_eof():
                talk = await site.talk(select="INBOX")
                break
    await talk.close()


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(WORDS) | st.binary(max_size=20), max_size=8))
def test_the_grammar_understands_or_refuses(words: list[bytes]) -> None:
    with contextlib.suppress(Unreadable):
        understand(Line(b"a " + b" ".join(words) + b"\r\n"))


NAMES = (
    "SELECT {}",
    "STATUS {} (MESSAGES)",
    "LIST {} *",
    'LIST "" {}',
    "LSUB {0} {0}",
    "COPY 1 {}",
)


@pytest.mark.parametrize("command", NAMES)
@pytest.mark.parametrize("name", ["&x", '"&x y"', "&", "&AOk", "&!-", "&2D3-", "&-&"])
def test_a_name_that_does_not_end_is_refused_at_once(command: str, name: str) -> None:
    """pymap's own reader looked for its end for ever, also before a login."""
    for module in (auth, mailbox):
        assert vars(module)["modutf7_decode"] is decoded_name
    with pytest.raises(Unreadable):
        understand(Line(f"a {command.format(name)}\r\n".encode()))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_name_is_read_as_it_was_written(name: str) -> None:
    """RFC 3501 §5.1.3"""
    encoded = encoded_name(name)
    assert all(32 <= octet <= 126 for octet in encoded)
    assert decoded_name(encoded) == name


@given(st.binary(max_size=40) | st.text("&-AO2D3,k+x", max_size=20).map(str.encode))
def test_any_octets_are_a_name_or_none(octets: bytes) -> None:
    with contextlib.suppress(ValueError):
        decoded_name(octets).encode()


def test_the_standard_spells_names_so() -> None:
    name, octets = "~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"
    assert (encoded_name(name), decoded_name(octets)) == (octets, name)
    assert encoded_name("é&x") == b"&AOk-&-x"


@pytest.mark.parametrize(
    "command",
    [
        b"SEARCH " + b"(" * 30_000,
        b"SEARCH " + b"NOT " * 10_000 + b"ALL",
        b"SEARCH " + b"OR " * 10_000 + b"ALL ALL",
        b"SEARCH " + b"ALL " * 10_000 + b"ALL",
        b"FETCH " + b"1:*," * 15_000 + b"1 FLAGS",
        b"FETCH 1 (" + b"FLAGS " * 8_000 + b"FLAGS)",
        b"FETCH 1 BODY[" + b"1." * 20_000 + b"1]",
        b'LIST "" ' + b"%*" * 20_000,
        b"STORE 1 FLAGS (" + b"x " * 20_000 + b"x)",
        b"UID SEARCH UID " + b"4294967295:1," * 4_000 + b"*",
    ],
    ids=lambda command: command[:12].decode(),
)
async def test_long_commands_cost_little_and_are_answered(site: Site, command: bytes) -> None:
    await site.house.deliver("One")
    talk = await site.talk(select="INBOX")
    assert (await talk.command(command))[-1][:5] in (b"a OK ", b"a NO ", b"a BAD")
    assert await talk.command("NOOP", tag=b"b") == [b"b OK Done"]
    await talk.close()


async def test_an_endless_line_or_literal_is_cut_off(site: Site) -> None:
    """Hazard 2."""
    talk = await Talk.begin(site.port)
    talk.send(b"a LOGIN " + b"x" * 100_000)
    assert (await talk.rest()).endswith(b"* BYE Line too long\r\n")
    await talk.close()
    talk = await Talk.begin(site.port)
    await talk.line()
    assert await talk.command("LOGIN {9999999999}") == [b"a BAD [TOOBIG] Literal too long"]
    assert await talk.command("LOGIN {5000+}\r\n" + "x" * 5000 + " y") == [
        b"a BAD [TOOBIG] Literal too long"
    ]
    assert await talk.command("NOOP") == [b"a OK Done"]
    await talk.close()


async def test_commands_that_nobody_understands_end_the_connection(site: Site) -> None:
    """Hazards 4 and 14."""
    talk = await Talk.begin(site.port)
    talk.send(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"\r\n" * 50)
    assert (await talk.rest()).endswith(b"* BYE Too many commands that cannot be understood\r\n")
    await talk.close()


async def test_who_is_silent_is_sent_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hazard 3: before the login soon, after it in half an hour, octets without a line or not."""
    monkeypatch.setattr("smtp_proxy.imap.session.LOGIN_SECONDS", 0.2)
    talk = await Talk.begin(site.port)
    talk.send(b"a")
    assert (await talk.rest()).endswith(b"* BYE Timeout, closing connection\r\n")
    await talk.close()
    monkeypatch.setattr("smtp_proxy.imap.session.LOGIN_SECONDS", 20.0)
    monkeypatch.setattr("smtp_proxy.imap.session.IDLE_SECONDS", 0.2)
    talk = await site.talk(select="INBOX")
    talk.send(b"a IDLE\r\n")
    assert (await talk.rest()).endswith(b"* BYE Timeout, closing connection\r\n")
    await talk.close()


async def test_who_takes_nothing_is_not_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that asks for much and reads nothing: little waits in memory, and not for ever."""
    monkeypatch.setattr("smtp_proxy.imap.work.WRITE_SECONDS", 0.3)
    content = b"Subject: big\r\n\r\n" + b"x" * 78 * 50_000 + b"\r\n"
    for _ in range(3):
        await site.house.receive(ANN, content=content)
    talk = await site.talk(select="INBOX")
    cast(asyncio.ReadTransport, talk.writer.transport).pause_reading()
    talk.send(b"a FETCH 1:* BODY[]\r\n" * 20)
    async with asyncio.timeout(15):
        while site.door.connections:  # noqa: ASYNC110 - a door has no event for this
            await asyncio.sleep(0.01)
    await talk.close()


async def test_a_message_asked_for_in_many_ways_is_sent_one_way_after_the_other(
    site: Site,
) -> None:
    """200 times the message, and not 200 times its memory."""
    content = b"Subject: big\r\n\r\n" + b"x" * 78 * 10_000 + b"\r\n"
    await site.house.receive(ANN, content=content)
    (stored,) = await site.house.inbox(ANN)
    talk = await site.talk(select="INBOX")
    ways = b" ".join(b"BODY.PEEK[]<%d.99999999999>" % start for start in range(150))
    process = psutil.Process()
    before, most, received = process.memory_info().rss, 0, 0
    talk.send(b"a FETCH 1 (" + ways + b")\r\n")
    async with asyncio.timeout(20):
        while received < len(stored) * 149:
            received += len(await talk.reader.read(1 << 20))
            most = max(most, process.memory_info().rss)
    assert most - before < 60 << 20
    await talk.close()


async def test_a_stopping_service_says_bye(site: Site) -> None:
    talk = await site.talk(select="INBOX")
    talk.send(b"a IDLE\r\n")
    await talk.line()
    await site.door.close(1.0)
    assert await talk.rest() == b"* BYE Service is shutting down, try again later\r\n"
    await talk.close()


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_address_field_has_mailboxes(value: str) -> None:
    for name, local, domain in mailboxes(value):
        assert name is None or name
        assert domain is None or local is not None


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=60))
def test_any_string_is_quoted_or_counted(value: str | bytes) -> None:
    octets = string(value)
    if octets.startswith(b'"'):
        assert b"\r" not in octets
        assert b"\n" not in octets
        assert octets.isascii()
    else:
        size, _, rest = octets.partition(b"}\r\n")
        assert int(size[1:]) == len(rest)
        assert b"\0" not in rest


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_octets_have_facts_and_sections(raw: bytes) -> None:
    message = Message(raw, 1)
    facts = Facts.of(message)
    assert facts.cost > 0
    for numbers in ((), (1,), (2,), (1, 1), (1, 2, 3)):
        for specifier in (None, b"TEXT", b"HEADER", b"MIME"):
            found = message.section(numbers, specifier, None)
            assert found is None or found in raw

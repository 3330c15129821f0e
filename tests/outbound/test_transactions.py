"""Mail transactions with servers that behave, and with servers that do not."""

from __future__ import annotations

import asyncio
import gc
import os
import tracemalloc
from collections.abc import AsyncIterator, Iterator

import pytest

from mailbox_service.outbound.hops import Timeouts
from mailbox_service.outbound.session import PIECE
from mailbox_service.outbound.transaction import KEPT_CONVERSATION, stuffed
from tests.nexthop import EXTENSIONS, NextHop, running
from tests.outbound.wires import LETTER, SHORT, Wire, relay_to

pytestmark = pytest.mark.anyio

NO_PIPELINING = tuple(one for one in EXTENSIONS if one != "PIPELINING")
BOTH_WAYS = pytest.mark.parametrize("extensions", [EXTENSIONS, NO_PIPELINING])


@pytest.fixture
async def hop() -> AsyncIterator[NextHop]:
    async with running(NextHop()) as server:
        yield server
        server.release.set()


@pytest.fixture
async def wire(hop: NextHop) -> AsyncIterator[Wire]:
    wire = Wire(relay_to(hop))
    yield wire
    wire.outbound.close()


def with_final(seconds: float) -> Timeouts:
    return Timeouts(connect=5.0, command=5.0, data=5.0, block=5.0, final=seconds)


@BOTH_WAYS
async def test_each_recipient_has_its_own_answer(
    hop: NextHop, wire: Wire, extensions: tuple[str, ...]
) -> None:
    """Hazard 52: mixed RCPT results."""
    hop.extensions = extensions
    answers = await wire.send("bob@n.test", "refused@n.test", "deferred@n.test", "eve@n.test")
    assert {name: answer.reply.code for name, answer in answers.items()} == {
        "bob@n.test": 250,
        "refused@n.test": 550,
        "deferred@n.test": 451,
        "eve@n.test": 250,
    }
    (taken,) = hop.taken
    assert taken.recipients == ("bob@n.test", "eve@n.test")
    told = answers["refused@n.test"].conversation
    assert "< 550 5.1.1 No such user" in told
    assert "eve@n.test" not in told, "a recipient's history names nobody else"


@BOTH_WAYS
async def test_nobody_accepted_sends_no_content(
    hop: NextHop, wire: Wire, extensions: tuple[str, ...]
) -> None:
    hop.extensions = extensions
    assert await wire.codes("refused@n.test", "deferred@n.test") == ["550 5.1.1", "451 4.7.1"]
    assert hop.taken == []
    assert await wire.codes("bob@n.test") == ["250 2.0.0"]
    assert hop.connections == 1, "the connection is still good"


@BOTH_WAYS
async def test_a_refused_sender_is_everybodys_answer(
    hop: NextHop, wire: Wire, extensions: tuple[str, ...]
) -> None:
    hop.extensions = extensions
    hop.mail_reply = "550 5.7.1 Not you"
    assert await wire.codes("bob@n.test", "eve@n.test") == ["550 5.7.1", "550 5.7.1"]


@BOTH_WAYS
async def test_no_answer_after_the_dot_is_never_a_failure(
    hop: NextHop, extensions: tuple[str, ...]
) -> None:
    """Hazard 52: the message may have arrived, so it is deferred, with a note."""
    hop.extensions = extensions
    wire = Wire(relay_to(hop, timeouts=with_final(0.2)))
    answer = (await wire.send("silent@n.test"))["silent@n.test"]
    assert answer.reply.code == 0
    assert answer.uncertain
    assert "no reply within 0.2 seconds" in answer.conversation
    answer = (await wire.send("dropped@n.test"))["dropped@n.test"]
    assert answer.reply.code == 0
    assert answer.uncertain
    refused = await wire.send("silent@n.test", "refused@n.test")
    assert refused["refused@n.test"].reply.code == 550
    assert not refused["refused@n.test"].uncertain


@BOTH_WAYS
async def test_a_server_that_closes_in_the_middle_is_come_back_to(
    hop: NextHop, wire: Wire, extensions: tuple[str, ...]
) -> None:
    """Hazard 51: 421 among pipelined replies."""
    hop.extensions = extensions
    answers = await wire.send("refused@n.test", "closing@n.test", "bob@n.test")
    assert answers["refused@n.test"].reply.code == 550
    assert answers["closing@n.test"].reply.code == 421
    assert answers["bob@n.test"].reply.code == 0
    assert not answers["bob@n.test"].uncertain
    assert await wire.codes("bob@n.test") == ["250 2.0.0"]


async def test_refusals_after_the_dot_are_answers(hop: NextHop, wire: Wire) -> None:
    """Hazard 51: 4xx at the dot."""
    assert await wire.codes("deferred-dot@n.test") == ["451 4.3.2"]
    assert await wire.codes("refused-dot@n.test") == ["554 5.7.1"]
    assert await wire.codes("reset@n.test") == ["250 2.0.0"], "accepted is accepted"
    assert await wire.codes("bob@n.test") == ["250 2.0.0"]
    assert hop.connections == 2


@pytest.fixture
def memory() -> Iterator[None]:
    gc.collect()
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize("kind", ["endless", "multiline"])
async def test_replies_without_end_cost_no_memory(
    hop: NextHop, wire: Wire, kind: str, memory: None
) -> None:
    """Hazard 51: a reply line that never ends, a gigabyte of reply lines."""
    tracemalloc.reset_peak()
    answer = (await wire.send(f"{kind}@n.test"))[f"{kind}@n.test"]
    assert answer.reply.code == 0
    assert "without end" in answer.conversation
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    assert hop.written < 64 << 20, "nobody read on"


async def test_a_reply_that_drips_is_given_up(hop: NextHop) -> None:
    short = Timeouts(connect=5.0, command=0.2, data=5.0, block=5.0, final=5.0)
    wire = Wire(relay_to(hop, timeouts=short))
    answer = (await wire.send("slow@n.test"))["slow@n.test"]
    assert answer.reply.code == 0
    assert "no reply within" in answer.conversation


async def test_dots_and_line_ends_leave_as_they_must(hop: NextHop, wire: Wire) -> None:
    """Hazard 1, outbound: no bare CR or LF ever leaves, and no line ends the message early."""
    body = b".\r\n..\r\n.hidden\r\na\n.\nb\r.\rc\n.\r\nd\r\n\x00.\r\nend"
    await wire.codes("bob@n.test", content=LETTER + body)
    (taken,) = hop.taken
    expected = b".\r\n..\r\n.hidden\r\na\r\n.\r\nb\r\n.\r\nc\r\n.\r\nd\r\n\x00.\r\nend\r\n"
    assert taken.content == LETTER + expected
    payload = stuffed(LETTER + body)
    assert payload.count(b"\r\n") == payload.count(b"\n") == payload.count(b"\r")
    assert payload.count(b"\r\n.\r\n") == 1
    assert payload.endswith(b"\r\n.\r\n")


async def test_large_content_goes_out_in_pieces(hop: NextHop, wire: Wire) -> None:
    line = b"." + b"x" * 70 + b"\r\n"
    content = LETTER + line * (3 * PIECE // len(line))
    assert await wire.codes("bob@n.test", content=content) == ["250 2.0.0"]
    assert hop.taken[0].content == content


async def test_connections_are_kept_and_counted(hop: NextHop) -> None:
    wire = Wire(relay_to(hop), a_hop=3, messages=5)
    for _ in range(12):
        assert await wire.codes("bob@n.test") == ["250 2.0.0"]
    assert hop.connections == 3
    hop.connections = 0
    await asyncio.gather(*(wire.send("bob@n.test") for _ in range(30)))
    assert hop.most_at_once <= 4, "three at work, and one that is saying goodbye"
    assert len(hop.taken) == 42
    wire.outbound.close()


async def test_a_kept_connection_that_is_gone_is_replaced_unseen(hop: NextHop) -> None:
    wire = Wire(relay_to(hop))
    hop.hangs_up_between = True
    for _ in range(5):
        assert await wire.codes("bob@n.test") == ["250 2.0.0"]
    assert hop.connections == 5
    hop.hangs_up_between = False
    hop.close_after = 2
    for _ in range(6):
        assert await wire.codes("bob@n.test") == ["250 2.0.0"], "421 between messages"


async def test_an_unused_connection_is_ended(hop: NextHop) -> None:
    wire = Wire(relay_to(hop), idle_seconds=0.01)
    await wire.send("bob@n.test")
    await hop.empty.wait()
    assert hop.commands[-1] == "QUIT"


async def test_more_than_a_hundred_recipients_share_several_transactions(
    hop: NextHop, wire: Wire
) -> None:
    people = [f"bob{number}@n.test" for number in range(250)]
    answers = await wire.send(*people)
    assert {answer.reply.code for answer in answers.values()} == {250}
    assert [len(taken.recipients) for taken in hop.taken] == [100, 100, 50]


async def test_conversations_are_kept_short(hop: NextHop, wire: Wire) -> None:
    hop.extensions = (*EXTENSIONS, *(f"X-{number}-{'y' * 60}" for number in range(300)))
    answer = (await wire.send("bob@n.test"))["bob@n.test"]
    assert answer.reply.code == 250
    assert len(answer.conversation) <= KEPT_CONVERSATION


async def test_what_the_server_lacks_is_said_before_anything_is_sent(
    hop: NextHop, wire: Wire
) -> None:
    hop.extensions = ("SIZE 1000",)
    big = LETTER + b"x" * 70 + b"\r\n" + b"y" * 1000 + b"\r\n"
    assert await wire.codes("bob@n.test", content=big) == ["552 5.3.4"]
    assert await wire.codes("bob@n.test", content=LETTER + "grüße\r\n".encode()) == ["554 5.6.3"]
    assert await wire.codes("bob@n.test", "böb@n.test") == ["250 2.0.0", "553 5.6.7"]
    (taken,) = hop.taken
    assert taken.recipients == ("bob@n.test",)


async def test_parameters_say_what_is_sent(hop: NextHop, wire: Wire) -> None:
    await wire.send("bob@n.test")
    eight = LETTER + "grüße\r\n".encode()
    await wire.send("bob@n.test", content=eight)
    utf8 = b"Subject: " + "grüße\r\n\r\n".encode()
    await wire.send("bob@n.test", content=utf8, smtputf8=True)
    await wire.send("böb@n.test")
    assert [taken.parameters for taken in hop.taken] == [
        f"SIZE={len(LETTER)}",
        f"SIZE={len(eight)} BODY=8BITMIME",
        f"SIZE={len(utf8)} BODY=8BITMIME SMTPUTF8",
        f"SIZE={len(LETTER)} SMTPUTF8",
    ]


async def test_a_command_with_a_line_end_is_never_written(hop: NextHop, wire: Wire) -> None:
    with pytest.raises(ValueError, match="line end"):
        await wire.send("bob@n.test>\r\nRCPT TO:<eve@n.test")
    assert not any("eve" in command for command in hop.commands)


async def test_a_server_out_of_step_is_left(hop: NextHop, wire: Wire) -> None:
    hop.mail_reply = "250 2.1.0 Ok\r\n250 2.1.0 And another\r\n250 2\r\n250 3\r\n250 4"
    answer = (await wire.send("bob@n.test"))["bob@n.test"]
    assert answer.reply.code == 0, "a yes before the content is no yes"
    assert hop.taken == []
    hop.mail_reply = "hello?"
    answer = (await wire.send("bob@n.test"))["bob@n.test"]
    assert answer.reply.code == 0
    hop.mail_reply = "354 what"
    answer = (await wire.send("bob@n.test"))["bob@n.test"]
    assert answer.reply.code // 100 != 2


async def test_a_cut_attempt_cuts_its_connection(hop: NextHop, wire: Wire) -> None:
    task = asyncio.ensure_future(wire.send("slow@n.test"))
    await hop.waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    hop.release.set()
    assert await wire.codes("bob@n.test") == ["250 2.0.0"]
    assert hop.connections == 2


async def test_many_sizes_arrive_as_they_were(hop: NextHop, wire: Wire) -> None:
    for size in (0, 1, 997, 998, PIECE - 40, PIECE, PIECE + 1):
        body = os.urandom(size).hex().encode()[:size]
        lines = b"".join(body[at : at + 76] + b"\r\n" for at in range(0, len(body), 76))
        await wire.send("bob@n.test", content=LETTER + lines)
        assert hop.taken[-1].content == LETTER + lines
    assert SHORT.final == 5.0

"""Commands behind the content of the message before: whose reply is whose, whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from mailbox_service.outbound.hops import Timeouts
from mailbox_service.outbound.transaction import Attempted
from tests.nexthop import NextHop, running
from tests.outbound.wires import LETTER, Wire, relay_to

pytestmark = pytest.mark.anyio

OK, GO = b"250 2.0.0 Ok\r\n", b"354 Go on\r\n"
TAKEN = (OK, OK, GO, OK)
"""What MAIL, RCPT, DATA and content of a message are answered, which is all well."""
CLOSE = b""


@dataclass
class Script:
    """A server that reads one reply after the other from a script a connection, and closes where
    there is none. A reply may be held until somebody sets `release`."""

    scripts: list[Sequence[bytes]]
    pipelining: bool = True
    byte_by_byte: bool = False
    held: bytes = b"nothing"
    port: int = 0
    heard: list[list[str]] = field(default_factory=list)
    """What each connection heard: commands, and `.` for content."""
    contents: list[bytes] = field(default_factory=list)
    holding: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = list(self.scripts.pop(0)) if self.scripts else []
        heard: list[str] = []
        self.heard.append(heard)
        try:
            await self.say(writer, b"220 mx.test\r\n")
            await reader.readline()
            offers = b"250-PIPELINING\r\n" if self.pipelining else b""
            await self.say(writer, b"250-mx.test\r\n" + offers + b"250 8BITMIME\r\n")
            await self.talk(script, heard, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def talk(
        self,
        script: list[bytes],
        heard: list[str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        content = False
        while True:
            if content:
                self.contents.append(await reader.readuntil(b"\r\n.\r\n"))
                heard.append(".")
            else:
                line = (await reader.readuntil(b"\n")).decode().rstrip()
                heard.append(line)
                if line == "QUIT":
                    return
            reply = script.pop(0) if script else CLOSE
            if reply == CLOSE:
                return
            if reply == self.held:
                self.holding.set()
                await self.release.wait()
            await self.say(writer, reply)
            content = reply.startswith(b"354")

    async def say(self, writer: asyncio.StreamWriter, reply: bytes) -> None:
        step = 1 if self.byte_by_byte else len(reply)
        for start in range(0, len(reply), step):
            writer.write(reply[start : start + step])
            await writer.drain()
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def scripted(*scripts: Sequence[bytes], **options: bool | bytes) -> AsyncIterator[Script]:
    """Run a server by a script."""
    script = Script(list(scripts), **options)  # type: ignore[arg-type]
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        script.release.set()
        server.close()


async def sent(
    script: Script, *letters: str, timeouts: Timeouts | None = None
) -> list[Mapping[str, Attempted]]:
    """Send letters over one connection at a time; recipients of one are parted by spaces."""
    waits = timeouts or Timeouts(connect=5.0, command=5.0, data=5.0, block=5.0, final=5.0)
    wire = Wire(relay_to(NextHop(port=script.port), timeouts=waits), a_hop=1)
    try:
        return await asyncio.gather(*(wire.send(*people.split()) for people in letters))
    finally:
        wire.outbound.close()


def codes(answers: Sequence[Mapping[str, Attempted]]) -> list[int]:
    return [answer.reply.code for one in answers for answer in one.values()]


async def test_three_letters_take_one_connection_and_each_has_its_own_answer() -> None:
    """Hazard 51: 4xx and 5xx at the dot, the commands of the next letter behind it."""
    replies = (b"250 first\r\n", b"554 5.7.1 second\r\n", b"451 4.3.0 third\r\n")
    dialog = [part for reply in replies for part in (OK, OK, GO, reply)]
    async with scripted(dialog) as script:
        answers = await sent(script, "ann@n.test", "bob@n.test", "eve@n.test")
        assert codes(answers) == [250, 554, 451]
        names = ("ann", "bob", "eve")
        for name, one, reply in zip(names, answers, replies, strict=True):
            (told,) = [answer.conversation for answer in one.values()]
            assert f"> RCPT TO:<{name}@n.test>" in told
            assert f"< {reply.decode().strip()}" in told
            assert not any(f"<{other}@n.test>" in told for other in names if other != name)
        assert len(script.contents) == 3
        assert len(script.heard) == 1


async def test_the_next_commands_do_not_wait_for_the_answer_to_content() -> None:
    first = (OK, OK, GO, b"250 held\r\n")
    async with scripted([*first, *TAKEN], held=b"250 held\r\n") as script:
        sending = asyncio.ensure_future(sent(script, "ann@n.test", "bob@n.test"))
        await script.holding.wait()
        assert not sending.done()
        script.release.set()
        assert codes(await sending) == [250, 250]


async def test_without_pipelining_every_command_waits_for_its_reply() -> None:
    async with scripted([*TAKEN, *TAKEN], pipelining=False) as script:
        assert codes(await sent(script, "ann@n.test", "bob@n.test")) == [250, 250]
        heard = [line.split(" ")[0] for line in script.heard[0]]
        assert heard[:8] == ["MAIL", "RCPT", "DATA", "."] * 2


async def test_replies_may_come_byte_by_byte() -> None:
    dialog = (*TAKEN, OK, OK, GO, b"554-5.7.1 No\r\n554 5.7.1 Really\r\n", *TAKEN)
    async with scripted(dialog, byte_by_byte=True) as script:
        answers = await sent(script, "ann@n.test", "bob@n.test", "eve@n.test")
        assert codes(answers) == [250, 554, 250]
        assert answers[1]["bob@n.test"].reply.text == "No Really"


async def test_recipients_of_the_next_letter_are_refused_alone() -> None:
    second = (OK, b"550 5.1.1 Nobody\r\n", OK, GO, OK)
    async with scripted([*TAKEN, *second, *TAKEN]) as script:
        answers = await sent(script, "ann@n.test", "nobody@n.test bob@n.test", "eve@n.test")
        assert codes(answers) == [250, 550, 250, 250]


async def test_a_letter_without_recipients_left_sends_no_content_and_the_next_goes_on() -> None:
    second = (OK, b"550 5.1.1 Nobody\r\n", b"503 5.5.1 No recipients\r\n")
    async with scripted([*TAKEN, *second, OK, *TAKEN]) as script:
        answers = await sent(script, "ann@n.test", "nobody@n.test", "eve@n.test")
        assert codes(answers) == [250, 550, 250]
        assert len(script.contents) == 2
        assert "RSET" in script.heard[0], "RFC 5321 §4.1.4: its transaction was still open"


@pytest.mark.parametrize("pipelining", [True, False])
async def test_a_letter_refused_at_data_leaves_no_transaction_to_the_next(pipelining: bool) -> None:
    """The next MAIL would be refused for good, as one within a transaction."""
    refused = (OK, OK, b"451 4.3.0 Not now\r\n")
    async with scripted([*refused, OK, *TAKEN], pipelining=pipelining) as script:
        answers = await sent(script, "ann@n.test", "bob@n.test")
        assert codes(answers) == [451, 250]
        assert script.heard[0].index("RSET") == len(refused)


@pytest.mark.parametrize("pipelining", [True, False])
async def test_a_server_that_refuses_rset_gets_the_next_letter_on_another_connection(
    pipelining: bool,
) -> None:
    refused = [OK, b"550 5.1.1 Nobody\r\n"]
    if pipelining:
        refused.append(b"503 5.5.1 No recipients\r\n")
    rset = b"502 5.5.1 What is that?\r\n"
    async with scripted([*refused, rset], TAKEN, pipelining=pipelining) as script:
        answers = await sent(script, "nobody@n.test", "bob@n.test")
        assert codes(answers) == [550, 250]
        assert len(script.heard) == 2


async def test_a_server_that_waits_for_content_of_nobody_gets_none() -> None:
    """RFC 2920 §3.1: 354 although every recipient was refused."""
    refusal = (b"550 5.7.1 Not you\r\n", b"503 5.5.1 MAIL first\r\n", GO)
    async with scripted([*TAKEN, *refusal]) as script:
        answers = await sent(script, "ann@n.test", "bob@n.test")
        assert codes(answers) == [250, 550]
        assert len(script.contents) == 1


@pytest.mark.parametrize("goodbye", [(), (b"421 4.7.0 Enough\r\n",)])
async def test_a_server_that_ends_after_a_letter_gets_the_next_on_another_connection(
    goodbye: Sequence[bytes],
) -> None:
    """Hazard 51: 421 between, or no word at all; nothing is lost and nothing sent twice."""
    scripts = [(*TAKEN, *goodbye)] * 4
    async with scripted(*scripts) as script:
        people = ("ann@n.test", "bob@n.test", "eve@n.test", "joe@n.test")
        answers = await sent(script, *people)
        assert codes(answers) == [250] * 4
        assert len(script.contents) == 4
        assert len(script.heard) == 4


async def test_a_connection_that_breaks_at_the_dot_leaves_one_letter_uncertain() -> None:
    """Hazard 52: the letter behind it has not been sent, and goes out once."""
    async with scripted((OK, OK, GO, CLOSE), TAKEN) as script:
        answers = await sent(script, "ann@n.test", "bob@n.test")
        assert answers[0]["ann@n.test"].uncertain
        assert answers[0]["ann@n.test"].reply.code == 0
        assert codes(answers[1:]) == [250]
        assert len(script.contents) == 2


async def test_a_connection_that_breaks_in_the_middle_of_a_letter_is_an_answer() -> None:
    async with scripted((*TAKEN, OK), TAKEN) as script:
        answers = await sent(script, "ann@n.test", "bob@n.test", "eve@n.test")
        assert codes(answers) == [250, 0, 250]
        assert not answers[1]["bob@n.test"].uncertain
        assert "closed the connection" in answers[1]["bob@n.test"].reply.text


async def test_connections_that_always_break_off_are_given_up() -> None:
    keeps_nothing = [(*TAKEN, b"421 4.7.0 Enough\r\n")]
    async with scripted(*keeps_nothing) as script:
        wire = Wire(relay_to(NextHop(port=script.port)), a_hop=1)
        assert await wire.codes("ann@n.test") == ["250 2.0.0"]
        script.scripts = [()] * 5
        answer = (await wire.send("bob@n.test"))["bob@n.test"]
        assert answer.reply.code == 0
        assert not answer.uncertain
        wire.outbound.close()


async def test_more_replies_than_commands_are_believed_by_nobody() -> None:
    """A yes that was said before the content is no yes for it."""
    dialog = (OK, OK, GO, OK + OK + OK + GO + OK)
    async with scripted(dialog, TAKEN, TAKEN) as script:
        answers = await sent(script, "ann@n.test", "bob@n.test")
        assert answers[0]["ann@n.test"].reply.code == 0
        assert answers[0]["ann@n.test"].uncertain
        assert codes(answers[1:]) == [250]


@pytest.mark.parametrize("behind", [b"421 4.3.2 Shutting down\r\n", b"\r\n", b"Bye!\r\n"])
@pytest.mark.parametrize("pipelining", [True, False])
async def test_what_comes_behind_an_answer_takes_nothing_back(
    behind: bytes, pipelining: bool
) -> None:
    """A farewell, or a line that is no reply, in one packet with the answer to content: who has
    said yes has the message, and would get it again at every attempt."""
    first = (OK, OK, GO, OK + behind)
    async with scripted(first, TAKEN, pipelining=pipelining) as script:
        assert codes(await sent(script, "ann@n.test")) == [250]
        assert codes(await sent(script, "bob@n.test")) == [250]
        assert len(script.contents) == 2


@pytest.mark.parametrize("behind", [b"421 4.3.2 Shutting down\r\n", b"\r\n"])
async def test_content_is_not_sent_to_a_server_that_has_ended_the_conversation(
    behind: bytes,
) -> None:
    async with scripted((OK, OK, GO + behind)) as script:
        (answer,) = (await sent(script, "ann@n.test"))[0].values()
        assert (answer.reply.code, answer.uncertain) == (0, False)
        assert script.contents == []


async def test_who_is_given_up_behind_another_takes_nothing_from_it() -> None:
    held = b"250 2.0.0 held\r\n"
    async with scripted((OK, OK, GO, held, *TAKEN), TAKEN, held=held) as script:
        relay = relay_to(NextHop(port=script.port))
        wire = Wire(relay, a_hop=1)
        first, second, third = (
            asyncio.ensure_future(wire.send(f"{name}@n.test")) for name in ("ann", "bob", "eve")
        )
        await script.holding.wait()
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        script.release.set()
        assert codes([await first, await third]) == [250, 250]
        assert len(script.contents) == 2
        assert LETTER in script.contents[-1]
        wire.outbound.close()


async def test_waiting_behind_another_is_no_silence_of_the_server() -> None:
    """The time for a command begins when its turn to be answered comes."""
    held = b"250 2.0.0 held\r\n"
    waits = Timeouts(connect=5.0, command=1.0, data=1.0, block=5.0, final=20.0)
    async with scripted((OK, OK, GO, held, *TAKEN), held=held) as script:
        sending = asyncio.ensure_future(sent(script, "ann@n.test", "bob@n.test", timeouts=waits))
        await script.holding.wait()
        asyncio.get_running_loop().call_later(1.2, script.release.set)
        assert codes(await sending) == [250, 250]
        assert len(script.heard) == 1


async def test_a_server_that_takes_pieces_apart_by_name_still_works() -> None:
    async with running(NextHop()) as hop:
        wire = Wire(relay_to(hop), a_hop=1)
        people = ["bob", "refused", "deferred-dot", "eve", "refused-dot", "joe", "reset", "zoe"]
        found = await asyncio.gather(*(wire.send(f"{name}@n.test") for name in people))
        assert codes(found) == [250, 550, 451, 250, 554, 250, 250, 250]
        assert [one.recipients[0].partition("@")[0] for one in hop.taken] == [
            *("bob", "eve", "joe", "reset", "zoe"),
        ]
        wire.outbound.close()

"""Opening sessions: greeting, EHLO, STARTTLS, login."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest

from mailbox_service.outbound.hops import Relay
from mailbox_service.outbound.opening import Opener
from tests.nexthop import Certificate, NextHop, certificate, running
from tests.outbound.wires import Wire, relay_to

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="session")
def localhost(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def hop() -> AsyncIterator[NextHop]:
    async with running(NextHop()) as server:
        yield server


def trusting(localhost: Certificate) -> Opener:
    return Opener("mail.x.test", verifying=localhost.client)


async def answer_of(wire: Wire) -> tuple[int, str, str]:
    answer = (await wire.send("bob@n.test"))["bob@n.test"]
    wire.outbound.close()
    return answer.reply.code, answer.reply.enhanced, answer.conversation


async def test_an_old_server_is_greeted_in_its_own_way(hop: NextHop) -> None:
    hop.knows_ehlo = False
    code, _, conversation = await answer_of(Wire(relay_to(hop)))
    assert code == 250
    assert "> HELO mail.x.test" in conversation


@pytest.mark.parametrize(
    ("greeting", "code", "status"),
    [
        ("554 5.3.2 No SMTP here", 0, "4.3.2"),
        ("421 4.3.2 Too busy", 421, "4.3.2"),
        ("HTTP/1.1 400 Bad Request", 0, "4.3.2"),
        ("220" + "x" * 100_000, 0, "4.3.2"),
    ],
)
async def test_a_server_that_does_not_greet_is_come_back_to(
    hop: NextHop, greeting: str, code: int, status: str
) -> None:
    """Hazard 51: whatever a host says of itself, our message is not refused by it."""
    hop.greeting = greeting
    answered = await answer_of(Wire(relay_to(hop)))
    assert answered[:2] == (code, status)


async def test_nobody_at_home_is_found_out_once(hop: NextHop) -> None:
    port = hop.port
    async with running(NextHop()) as gone:
        port = gone.port
    wire = Wire(Relay("127.0.0.1", port))
    first = (await wire.send("bob@n.test"))["bob@n.test"]
    assert (first.reply.code, first.reply.enhanced) == (0, "4.4.1")
    assert first.unreachable
    again = (await wire.send("eve@n.test"))["eve@n.test"]
    assert "found out a moment ago" in again.conversation


async def test_starttls_is_used_when_offered(hop: NextHop, localhost: Certificate) -> None:
    hop.tls = localhost.server
    code, _, conversation = await answer_of(Wire(relay_to(hop)))
    assert code == 250
    assert hop.taken[0].encrypted
    assert "certificate not verified" in conversation
    assert hop.commands.count("EHLO mail.x.test") == 2, "the first EHLO's answer is forgotten"


async def test_required_tls_insists_on_a_certificate_that_verifies(
    hop: NextHop, localhost: Certificate
) -> None:
    """Hazard 51: an invalid certificate."""
    hop.tls = localhost.server
    insisting = relay_to(hop, "required", host="localhost")
    code, status, conversation = await answer_of(Wire(insisting))
    assert (code, status) == (0, "4.7.5")
    assert "certificate does not verify" in conversation
    assert hop.taken == []
    code, _, conversation = await answer_of(Wire(insisting, trusting(localhost)))
    assert code == 250
    assert "certificate verified" in conversation
    wrong_name = relay_to(hop, "required")
    assert (await answer_of(Wire(wrong_name, trusting(localhost))))[1] == "4.7.5"


async def test_required_tls_sends_nothing_in_plain_text(hop: NextHop) -> None:
    assert (await answer_of(Wire(relay_to(hop, "required"))))[:2] == (0, "4.7.5")
    assert not any(command.startswith("MAIL") for command in hop.commands)


async def test_implicit_tls(localhost: Certificate) -> None:
    hop = NextHop()
    server = await asyncio.start_server(hop.serve, "127.0.0.1", 0, ssl=localhost.server)
    hop.port = server.sockets[0].getsockname()[1]
    try:
        relay = relay_to(hop, "implicit", host="localhost")
        code, _, conversation = await answer_of(Wire(relay, trusting(localhost)))
        assert code == 250
        assert "certificate verified" in conversation
        assert (await answer_of(Wire(relay)))[1] == "4.7.5"
    finally:
        server.close()
        await server.wait_closed()


async def test_what_comes_before_the_handshake_is_forgotten(
    hop: NextHop, localhost: Certificate
) -> None:
    """Hazard 51: replies that somebody slipped in ahead of TLS (CVE-2026-55558 and its kin)."""
    hop.tls = localhost.server
    hop.extensions = ("8BITMIME",)
    hop.starttls_reply = (
        b"220 2.0.0 Go ahead\r\n250-mx.evil.test\r\n250-PIPELINING\r\n250 SMTPUTF8\r\n"
    )
    code, _, _ = await answer_of(Wire(relay_to(hop)))
    assert code == 250
    assert hop.taken[0].parameters == "", "nothing that was slipped in is believed"


async def test_login_and_its_secrets(hop: NextHop, localhost: Certificate) -> None:
    """Hazard 50: the conversation shows that there was a login, and no more."""
    hop.tls = localhost.server
    hop.login = ("ann", "s3cret-pass")
    relay = relay_to(hop, host="localhost", username="ann", password="s3cret-pass")
    code, _, conversation = await answer_of(Wire(relay, trusting(localhost)))
    assert code == 250
    assert "> AUTH (credentials not shown)" in conversation
    assert "s3cret" not in conversation + repr(relay)
    assert "czNjcmV0" not in conversation
    hop.login = ("ann", "another")
    code, status, conversation = await answer_of(Wire(relay, trusting(localhost)))
    assert (code, status) == (0, "4.7.8"), "wrong settings of ours return nobody's mail"
    assert "535 5.7.8" in conversation
    unable = relay_to(hop, "none", username="ann", password="x", methods=("cram-md5",))
    assert (await answer_of(Wire(unable)))[:2] == (0, "4.7.0")


async def test_a_password_is_not_shown_to_a_server_that_cannot_prove_its_name(
    hop: NextHop, localhost: Certificate
) -> None:
    hop.tls = localhost.server
    hop.login = ("ann", "s3cret-pass")
    relay = relay_to(hop, host="localhost", username="ann", password="s3cret-pass")
    code, status, _ = await answer_of(Wire(relay))
    assert (code, status) == (0, "4.7.5")
    assert not any(command.startswith("AUTH") for command in hop.commands)


def test_contexts_speak_tls_1_2_and_later() -> None:
    opener = Opener("mail.x.test")
    for verify in (True, False):
        assert opener.tls_context(verify).minimum_version >= ssl.TLSVersion.TLSv1_2

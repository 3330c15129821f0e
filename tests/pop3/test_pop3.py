"""POP3 as clients use it (RFC 1939, 2449, 2595, 5034)."""

from __future__ import annotations

import asyncio
import base64
import logging
import poplib
import ssl
import subprocess
from pathlib import Path

import pytest

from mailbox_service.storage import messages
from mailbox_service.storage.sqlite import SqliteDatabase
from smtp_proxy.limits import Limits
from smtp_proxy.pop3 import Pop3Door, as_lines, top_of
from tests.imap.house import ANN, Talk, letter, listening
from tests.pop3.conftest import Site, site_on
from tests.programs import need

pytestmark = pytest.mark.anyio

DOTS = letter("Dots", ".\r\n..\r\n.dot\r\na.b\r\n.")


async def test_poplib_reads_lists_and_deletes(any_site: Site) -> None:
    site = any_site
    ids = await site.house.deliver("One", "Two")
    (last,) = await site.house.receive(ANN, content=DOTS)
    stored = await site.house.inbox(ANN)

    def client() -> None:
        pop = poplib.POP3("127.0.0.1", site.port, timeout=10)
        assert {"UIDL", "TOP", "USER", "SASL"} <= set(pop.capa())
        pop.user("whoever")
        pop.pass_(site.ann.jwt)
        assert pop.stat() == (3, sum(map(len, stored)))
        assert pop.list()[1] == [b"%d %d" % (n, len(raw)) for n, raw in enumerate(stored, 1)]
        assert pop.uidl()[1] == [b"1 %d" % ids[0], b"2 %d" % ids[1], b"3 %d" % last]
        assert pop.uidl(2) == b"+OK 2 %d" % ids[1]
        for number, raw in enumerate(stored, 1):
            assert b"\r\n".join(pop.retr(number)[1]) + b"\r\n" == raw
        head = b"\r\n".join(pop.top(3, 2)[1])
        assert head.endswith(b"\r\n\r\n.\r\n..")
        pop.dele(1)
        assert pop.stat()[0] == 2
        with pytest.raises(poplib.error_proto):
            pop.retr(1)
        pop.rset()
        assert pop.stat()[0] == 3
        pop.dele(2)
        pop.noop()
        pop.quit()

    await asyncio.to_thread(client)
    assert await site.house.inbox(ANN) == [stored[0], stored[2]]


async def test_without_quit_nothing_is_deleted(site: Site) -> None:
    await site.house.deliver("One")
    talk = await site.talk()
    talk.send(b"DELE 1\r\n")
    assert (await talk.line()).startswith(b"+OK")
    await talk.close()
    again = await eventually_logged_in(site)
    again.send(b"STAT\r\n")
    assert (await again.line()).startswith(b"+OK 1 ")
    await again.close()


async def eventually_logged_in(site: Site) -> Talk:
    """The session before gives the mailbox back when its connection has ended."""
    async with asyncio.timeout(10):
        while site.door.connections:  # noqa: ASYNC110 - a door has no event for this
            await asyncio.sleep(0.001)
    return await site.talk()


async def test_a_session_sees_the_mailbox_as_it_was_and_has_it_alone(site: Site) -> None:
    await site.house.deliver("One")
    talk = await site.talk()
    await site.house.deliver("Two")
    talk.send(b"STAT\r\n")
    assert (await talk.line()).startswith(b"+OK 1 ")
    other = await Talk.begin(site.port)
    other.send(f"USER ann\r\nPASS {site.ann.jwt}\r\n".encode())
    assert [await other.line() for _ in range(3)][-1].startswith(b"-ERR [IN-USE]")
    talk.send(b"QUIT\r\n")
    assert await talk.line() == b"+OK Bye"
    other.send(f"USER ann\r\nPASS {site.ann.jwt}\r\nSTAT\r\n".encode())
    answers = [await other.line() for _ in range(3)]
    if answers[1].startswith(b"+OK"):
        assert answers[2].startswith(b"+OK 2 ")
    await other.close()
    await talk.close()


async def test_where_owners_may_not_delete_dele_is_refused(quick_database: SqliteDatabase) -> None:
    async for site in site_on(quick_database, enable_user_delete_email=False):
        await site.house.deliver("One")
        talk = await site.talk()
        talk.send(b"DELE 1\r\nQUIT\r\n")
        assert await talk.line() == b"-ERR [SYS/PERM] Deleting mail is not allowed here"
        assert await talk.line() == b"+OK Bye"
        assert len(await site.house.inbox(ANN)) == 1
        await talk.close()


async def test_auth_plain_and_login_carry_a_password_or_a_token(site: Site) -> None:
    password = site.ann.password
    for secret in (password, site.ann.jwt):
        talk = await Talk.begin(site.port)
        await talk.line()
        plain = base64.b64encode(f"\0{ANN}\0{secret}".encode())
        talk.send(b"AUTH PLAIN\r\n")
        assert await talk.line() == b"+ "
        talk.send(plain + b"\r\nQUIT\r\n")
        assert await talk.line() == b"+OK Logged in"
        assert await talk.line() == b"+OK Bye"
        assert await talk.rest() == b""
        await talk.close()


async def test_a_wrong_login_is_refused_and_the_fifth_is_the_last(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """Hazards 10 and 50."""
    caplog.set_level(logging.DEBUG)
    talk = await Talk.begin(site.port)
    await talk.line()
    for name in (ANN, "nobody@x.test", ANN, ANN):
        talk.send(f"USER {name}\r\nPASS wrong-secret\r\n".encode())
        assert (await talk.line()).startswith(b"+OK")
        assert await talk.line() == b"-ERR [AUTH] Invalid credentials"
    talk.send(f"USER {ANN}\r\nPASS wrong-secret\r\n".encode())
    assert (await talk.rest()).endswith(b"-ERR [AUTH] Too many failed logins\r\n")
    assert "wrong-secret" not in caplog.text
    await talk.close()


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True}), "asyncio"])
async def test_stls_comes_before_the_login_where_there_is_a_certificate(
    site: Site, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    await site.house.deliver("One")
    door = Pop3Door(site.house.mail_access, hostname="x.test", tls=server_tls)
    async with listening(door) as port:
        talk = await Talk.begin(port)
        await talk.line()
        for command in (b"USER ann", b"AUTH PLAIN AGEAYg=="):
            talk.send(command + b"\r\n")
            assert await talk.line() == b"-ERR [AUTH] STLS first"
        talk.send(b"STLS\r\nNOOP\r\n")  # hazard 8
        assert await talk.rest() == b"+OK Begin TLS\r\n"
        await talk.close()

        def client() -> None:
            pop = poplib.POP3("localhost", port, timeout=10)
            assert "STLS" in pop.capa()
            assert "USER" not in pop.capa()
            pop.stls(client_tls)
            assert "STLS" not in pop.capa()
            pop.user("ann")
            pop.pass_(site.ann.jwt)
            assert pop.stat()[0] == 1
            pop.quit()

        await asyncio.to_thread(client)


async def test_tls_from_the_first_octet(
    site: Site, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    door = Pop3Door(site.house.mail_access, hostname="x.test", tls=server_tls)
    async with listening(door, implicit_tls=True) as port:

        def client() -> None:
            pop = poplib.POP3_SSL("localhost", port, context=client_tls, timeout=10)
            pop.user("ann")
            pop.pass_(site.ann.jwt)
            pop.quit()

        await asyncio.to_thread(client)


async def test_curl_fetches_a_message(site: Site, tmp_path: Path) -> None:
    await site.house.receive(ANN, content=DOTS)
    (stored,) = await site.house.inbox(ANN)
    user = tmp_path / "curlrc"
    user.write_text(f'user = "ann:{site.ann.jwt}"\n')
    command = [need("curl"), "-sS", "-K", str(user), f"pop3://127.0.0.1:{site.port}/1"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=20)
    assert done.stderr == b""
    assert done.stdout == stored


@pytest.mark.parametrize(
    "line",
    [
        b"", b"\0\0\0", b"\xff\xfe", b"GET / HTTP/1.1", b"RETR", b"RETR 0", b"RETR -1",
        b"RETR 99999999999999999999", b"RETR 1 2", b"RETR \xd9\xa1", b"TOP 1", b"TOP 1 -1",
        b"TOP 1 x", b"LIST x", b"UIDL 7", b"DELE", b"USER", b"PASS", b"AUTH FOO", b"AUTH PLAIN =",
        b"__class__", b"TALK", b"LOG_IN", b"STLS", b"APOP a b",
    ],
)  # fmt: skip
async def test_what_is_no_command_is_an_error_and_nothing_more(site: Site, line: bytes) -> None:
    await site.house.deliver("One")
    talk = await site.talk()
    talk.send(line + b"\r\nNOOP\r\n")
    assert (await talk.line()).startswith(b"-ERR ")
    assert await talk.line() == b"+OK"
    await talk.close()


async def test_an_endless_line_and_endless_errors_end_the_connection(site: Site) -> None:
    """Hazards 2 and 4."""
    talk = await Talk.begin(site.port)
    talk.send(b"x" * 20_000)
    assert (await talk.rest()).endswith(b"-ERR [SYS/PERM] Line too long\r\n")
    await talk.close()
    talk = await Talk.begin(site.port)
    talk.send(b"FOO\r\n" * 100)
    assert (await talk.rest()).count(b"-ERR") == 20
    await talk.close()


async def test_who_is_silent_is_sent_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hazard 3: a byte now and then is silence too."""
    monkeypatch.setattr("smtp_proxy.pop3.LOGIN_SECONDS", 0.2)
    talk = await Talk.begin(site.port)
    talk.send(b"N")
    assert (await talk.rest()).endswith(b"-ERR [SYS/TEMP] Timeout, closing connection\r\n")
    await talk.close()


async def test_connections_of_one_network_are_counted(site: Site) -> None:
    limits = Limits(connections_loopback=1)
    door = Pop3Door(site.house.mail_access, hostname="x.test", limits=limits)
    async with listening(door) as port:
        first, second = await Talk.begin(port), await Talk.begin(port)
        assert (await first.line()).startswith(b"+OK")
        assert (await second.rest()).startswith(b"-ERR [SYS/TEMP] Too many connections")
        await first.close()
        await second.close()


async def test_a_message_that_is_gone_is_an_error(site: Site) -> None:
    await site.house.deliver("One", "Two")
    talk = await site.talk()
    await site.house.database.write(messages.remove_oldest, ANN, limit=1)
    talk.send(b"RETR 1\r\nRETR 2\r\n")
    assert await talk.line() == b"-ERR [SYS/PERM] The message is gone"
    assert (await talk.line()).startswith(b"+OK")
    await talk.close()


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a\r\n\r\n.\r\n", b"a\r\n\r\n..\r\n.\r\n"),
        (b".a\r\n", b"..a\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\n.\nb\n", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r\n.", b"a\r\n..\r\n.\r\n"),
        (b"", b"\r\n.\r\n"),
        (b"a\rb\r\n", b"a\rb\r\n.\r\n"),
    ],
)
def test_no_line_of_a_message_ends_the_answer(content: bytes, lines: bytes) -> None:
    """Hazard 1, on the way out."""
    assert as_lines(content) == lines


def test_top_gives_so_many_lines() -> None:
    message = b"A: b\r\n\r\n1\r\n2\r\n3\r\n"
    assert top_of(message, 0) == b"A: b\r\n\r\n"
    assert top_of(message, 2) == b"A: b\r\n\r\n1\r\n2\r\n"
    assert top_of(message, 10**9) == message
    assert top_of(b"A: b\r\n", 5) == b"A: b\r\n"

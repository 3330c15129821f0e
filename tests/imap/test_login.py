"""Who may come in: tokens, passwords, TLS first, guessing slowed (hazards 8, 9, 10, 50)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import imaplib
import logging
import ssl

import pytest

from smtp_proxy.imap.door import ImapDoor
from smtp_proxy.limits import Limits
from tests.imap.conftest import Site
from tests.imap.house import ANN, Talk, listening

pytestmark = pytest.mark.anyio


async def test_a_token_or_the_address_password_opens_the_mailbox(site: Site) -> None:
    password = site.ann.password
    assert password is not None
    hashed = hashlib.sha256(password.encode()).hexdigest()
    plain = base64.b64encode(f"\0{ANN}\0{password}".encode()).decode()
    for login in (
        f"LOGIN x {site.ann.jwt}",
        f'LOGIN "Ann@X.test" "{password}"',
        f"LOGIN {ANN} {hashed}",
        f"AUTHENTICATE PLAIN {plain}",
    ):
        talk = await Talk.begin(site.port)
        assert (await talk.line()).startswith(b"* OK [CAPABILITY IMAP4rev1 ")
        answer = await talk.command(login)
        assert answer[-1].startswith(b"a OK [CAPABILITY "), login
        assert b"AUTH=" not in answer[-1]
        await talk.close()


async def test_literals_and_challenges_carry_a_login_too(site: Site) -> None:
    token = site.ann.jwt.encode()
    talk = await Talk.begin(site.port)
    await talk.line()
    talk.send(b"a LOGIN {3}\r\n")
    assert (await talk.line()).startswith(b"+ ")
    talk.send(b"ann {%d}\r\n" % len(token))
    assert (await talk.line()).startswith(b"+ ")
    talk.send(token + b"\r\n")
    assert (await talk.line()).startswith(b"a OK ")
    await talk.close()
    talk = await Talk.begin(site.port)
    await talk.line()
    talk.send(b"a LOGIN {3+}\r\nann {%d+}\r\n%b\r\n" % (len(token), token))
    assert (await talk.line()).startswith(b"a OK ")
    await talk.close()
    talk = await Talk.begin(site.port)
    await talk.line()
    talk.send(b"a AUTHENTICATE LOGIN\r\n")
    assert await talk.line() == b"+ VXNlcm5hbWU6"
    talk.send(base64.b64encode(b"ann") + b"\r\n")
    assert await talk.line() == b"+ UGFzc3dvcmQ6"
    talk.send(base64.b64encode(token) + b"\r\n")
    assert (await talk.line()).startswith(b"a OK ")
    await talk.close()


async def test_a_wrong_login_is_no_and_the_fifth_is_the_last(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """Hazards 10 and 50: the same words for whoever does not exist, and no word in the log."""
    caplog.set_level(logging.DEBUG)
    talk = await Talk.begin(site.port)
    await talk.line()
    answers = [
        (await talk.command(login))[0]
        for login in (
            f"LOGIN {ANN} wrong-secret",
            "LOGIN nobody@x.test wrong-secret",
            f"LOGIN {ANN} {site.ann.jwt[:-2]}xx",
            "AUTHENTICATE PLAIN " + base64.b64encode(b"\0ann\0wrong-secret").decode(),
        )
    ]
    assert set(answers) == {b"a NO [AUTHENTICATIONFAILED] Invalid credentials"}
    talk.send(f"a LOGIN {ANN} wrong-secret\r\n".encode())
    assert b"* BYE Too many failed logins" in await talk.rest()
    assert "wrong-secret" not in caplog.text
    assert site.ann.jwt[:30] not in caplog.text
    await talk.close()


async def test_before_the_login_only_the_login_is_possible(site: Site) -> None:
    talk = await Talk.begin(site.port)
    await talk.line()
    for command in ("SELECT INBOX", 'LIST "" *', "FETCH 1 FLAGS", "IDLE", "NAMESPACE", "CLOSE"):
        assert (await talk.command(command))[-1].startswith(b"a BAD "), command
    assert (await talk.command("NOOP")) == [b"a OK Done"]
    assert (await talk.command("LOGOUT"))[-1] == b"a OK Bye"
    await talk.close()


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True}), "asyncio"])
async def test_with_a_certificate_nobody_logs_in_before_tls(
    site: Site, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    door = ImapDoor(site.house.mail_access, hostname="x.test", tls=server_tls)
    async with listening(door) as port:
        talk = await Talk.begin(port)
        greeting = await talk.line()
        assert b" STARTTLS LOGINDISABLED]" in greeting
        assert b"AUTH=" not in greeting
        refused = b"a NO [PRIVACYREQUIRED] STARTTLS first"
        assert await talk.command(f"LOGIN ann {site.ann.jwt}") == [refused]
        assert await talk.command("AUTHENTICATE PLAIN") == [refused]
        await talk.close()

        def client() -> None:
            with imaplib.IMAP4("localhost", port) as imap:
                imap.starttls(client_tls)
                assert "LOGINDISABLED" not in imap.capabilities
                assert "STARTTLS" not in imap.capabilities
                assert imap.login("ann", site.ann.jwt)[0] == "OK"
                assert imap.select()[0] == "OK"

        await asyncio.to_thread(client)


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True}), "asyncio"])
async def test_tls_from_the_first_octet(
    site: Site, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    door = ImapDoor(site.house.mail_access, hostname="x.test", tls=server_tls)
    async with listening(door, implicit_tls=True) as port:

        def client() -> None:
            with imaplib.IMAP4_SSL("localhost", port, ssl_context=client_tls) as imap:
                assert imap.login("ann", site.ann.jwt)[0] == "OK"

        await asyncio.to_thread(client)


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True}), "asyncio"])
async def test_a_handshake_that_does_not_come_is_ended(
    site: Site, server_tls: ssl.SSLContext
) -> None:
    """Hazards 3 and 14: silence, and octets that are no handshake."""
    limits = Limits(tls_handshake=0.2)
    door = ImapDoor(site.house.mail_access, hostname="x.test", tls=server_tls, limits=limits)
    async with listening(door, implicit_tls=True) as port:
        silent, plain = await Talk.begin(port), await Talk.begin(port)
        plain.send(b"a NOOP\r\n")
        for talk in (silent, plain):
            with contextlib.suppress(ConnectionError):
                assert b"IMAP" not in await talk.rest()
            await talk.close()
        assert door.connections == 0


async def test_what_was_sent_in_the_clear_behind_starttls_is_never_a_command(
    site: Site, server_tls: ssl.SSLContext
) -> None:
    """Hazard 8."""
    door = ImapDoor(site.house.mail_access, hostname="x.test", tls=server_tls)
    async with listening(door) as port:
        talk = await Talk.begin(port)
        await talk.line()
        talk.send(b"a STARTTLS\r\nb NOOP\r\n")
        assert await talk.rest() == b"a OK Begin TLS\r\n"
        await talk.close()


async def test_connections_of_one_network_and_of_all_are_counted(site: Site) -> None:
    """Hazard 5."""
    limits = Limits(connections_loopback=2)
    door = ImapDoor(site.house.mail_access, hostname="x.test", limits=limits)
    async with listening(door) as port:
        talks = [await Talk.begin(port) for _ in range(3)]
        assert (await talks[0].line()).startswith(b"* OK ")
        assert (await talks[1].line()).startswith(b"* OK ")
        assert await talks[2].rest() == b"* BYE Too many connections from your network\r\n"
        assert (await talks[0].command("LOGOUT"))[-1] == b"a OK Bye"
        assert await talks[0].rest() == b""
        talks.append(await Talk.begin(port))
        assert (await talks[3].line()).startswith(b"* OK ")
        for talk in talks:
            await talk.close()


async def test_a_closed_or_reopened_address_ends_the_sessions_of_its_old_owner(
    any_site: Site,
) -> None:
    """Whoever opens the address next is somebody else, and has another UIDVALIDITY."""
    site = any_site
    await site.house.deliver("One")
    talk = await site.talk()
    before = await talk.command("STATUS INBOX (UIDVALIDITY)")
    await talk.command("SELECT INBOX")
    await site.house.registering.close(site.ann.address_id, ANN)
    new = await site.house.open()
    await site.house.deliver("Private")
    answer = await talk.command("FETCH 1:* BODY[]")
    assert answer == [b"* BYE [UNAVAILABLE] The mailbox was closed", b""]
    await talk.close()
    site.ann = new
    talk = await site.talk()
    after = await talk.command("STATUS INBOX (UIDVALIDITY)")
    assert before[0] != after[0]
    await talk.close()

"""The lines of Python that people know, against an open door."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from typing import TypeVar

import pytest

from mailbox_service.core.errors import TemporaryFailure
from tests.smtp.conftest import OpenDoor
from tests.smtp.post_office import PASSWORD, TOKEN, PostOffice

pytestmark = pytest.mark.anyio

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    return await asyncio.wait_for(asyncio.to_thread(work), 20)


def letter() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Ann <ann@example.test>"
    message["To"] = "Bob <bob@far.test>, carol@far.test"
    message["Cc"] = "dave@far.test"
    message["Bcc"] = "eve@far.test"
    message["Subject"] = "Zwölf Boxkämpfer"
    message.set_content("jagen Viktor\n.\n..quer\n")
    message.add_attachment(b"\x00\xff" * 5_000, maintype="image", subtype="png", filename="a.png")
    return message


async def test_login_and_send_message_as_the_readme_shows(
    office: PostOffice, open_door: OpenDoor
) -> None:
    door = await open_door("submission")

    def send() -> None:
        with smtplib.SMTP(*door.address, timeout=10) as smtp:
            smtp.login("jwt", TOKEN)
            smtp.send_message(letter())
            smtp.send_message(letter())

    await in_thread(send)
    assert len(office.kept) == 2
    kept = office.kept[0]
    assert {address[:-9] for address in kept.envelope.recipients} == {"bob", "carol", "dave", "eve"}
    assert kept.envelope.reverse_path == "ann@example.test"
    assert kept.peer.protocol == "ESMTPA"
    assert kept.principal is not None
    assert b"eve" not in kept.content
    lines = kept.content.split(b"\r\n")
    assert b"jagen Viktor" in lines
    assert b"." in lines
    assert b"..quer" in lines


@pytest.mark.parametrize("mechanism", ["auth_plain", "auth_login"])
async def test_an_address_and_its_password_log_in_over_starttls(
    mechanism: str, office: PostOffice, open_door: OpenDoor, client_tls: ssl.SSLContext
) -> None:
    door = await open_door("submission", options={"require_tls_for_auth": True})

    def send() -> None:
        with smtplib.SMTP("localhost", door.address[1], timeout=10) as smtp:
            smtp.starttls(context=client_tls)
            smtp.ehlo()
            smtp.user, smtp.password = "ann@example.test", PASSWORD
            smtp.auth(mechanism.removeprefix("auth_").upper(), getattr(smtp, mechanism))
            smtp.send_message(letter())

    await in_thread(send)
    assert office.kept[0].peer.protocol == "ESMTPSA"
    assert office.attempts == [("ann@example.test", PASSWORD)]


async def test_tls_from_the_first_octet(
    office: PostOffice, open_door: OpenDoor, client_tls: ssl.SSLContext
) -> None:
    """RFC 8314, with a message of several reads."""
    door = await open_door("submission", implicit_tls=True)
    big = letter()
    big.add_attachment(bytes(3_000_000), maintype="application", subtype="zip", filename="b.zip")

    def send() -> None:
        with smtplib.SMTP_SSL("localhost", door.address[1], timeout=10, context=client_tls) as smtp:
            assert not smtp.has_extn("starttls")
            smtp.login("jwt", TOKEN)
            smtp.send_message(big)

    await in_thread(send)
    assert len(office.kept[0].content) > 4_000_000
    assert office.kept[0].content.endswith(b"--\r\n")


async def test_sendmail_takes_bytes_with_bare_line_feeds(
    office: PostOffice, open_door: OpenDoor
) -> None:
    """smtplib corrects line ends in text and not in bytes; `as_bytes()` has bare LFs."""
    door = await open_door("submission")

    def send() -> None:
        with smtplib.SMTP(*door.address, timeout=10) as smtp:
            smtp.login("jwt", TOKEN)
            smtp.sendmail("ann@example.test", ["bob@far.test"], letter().as_bytes())

    await in_thread(send)
    content = office.kept[0].content
    assert content.count(b"\n") == content.count(b"\r\n") == content.count(b"\r")
    assert b"\r\n.\r\n..quer\r\n" in content


async def test_a_wrong_token_fails_at_login(open_door: OpenDoor) -> None:
    door = await open_door("submission")

    def send() -> None:
        with smtplib.SMTP(*door.address, timeout=10) as smtp:
            smtp.login("jwt", "wrong")

    with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        await in_thread(send)
    assert refused.value.smtp_code == 535


async def test_the_from_of_somebody_else_is_553(office: PostOffice, open_door: OpenDoor) -> None:
    door = await open_door("submission")
    forged = letter()
    forged.replace_header("From", "bob@example.test")

    def send() -> None:
        with smtplib.SMTP(*door.address, timeout=10) as smtp:
            smtp.login("jwt", TOKEN)
            smtp.sendmail("ann@example.test", ["bob@far.test"], forged.as_bytes())

    with pytest.raises(smtplib.SMTPDataError) as refused:
        await in_thread(send)
    assert refused.value.smtp_code == 553
    assert office.kept == []


async def test_a_utf8_address_and_content_arrive(office: PostOffice, open_door: OpenDoor) -> None:
    office.mailboxes.add("änn@example.test")
    door = await open_door("reception")

    def send() -> None:
        with smtplib.SMTP(*door.address, timeout=10) as smtp:
            message = EmailMessage()
            message["From"] = "jürgen@away.test"
            message["To"] = "änn@example.test"
            message.set_content("grüße", cte="8bit")
            smtp.send_message(message)

    await in_thread(send)
    envelope = office.kept[0].envelope
    assert envelope.recipients == ("änn@example.test",)
    assert (envelope.smtputf8, envelope.eight_bit) == (True, True)
    assert "grüße".encode() in office.kept[0].content
    assert office.kept[0].peer.protocol == "ESMTP"


async def test_some_recipients_are_refused_and_the_rest_get_the_message(
    office: PostOffice, open_door: OpenDoor
) -> None:
    door = await open_door("reception")

    def send() -> dict[str, tuple[int, bytes]]:
        with smtplib.SMTP(*door.address, timeout=10) as smtp:
            to = ["ann@example.test", "ghost@example.test", "x@foreign.test", "bob@example.test"]
            return smtp.sendmail("far@away.test", to, b"Subject: x\r\n\r\nhello\r\n")

    refused = await in_thread(send)
    assert {address: code for address, (code, _) in refused.items()} == {
        "ghost@example.test": 550,
        "x@foreign.test": 550,
    }
    assert office.kept[0].envelope.recipients == ("ann@example.test", "bob@example.test")


async def test_two_doors_in_one_loop_do_not_share_anything(
    office: PostOffice, open_door: OpenDoor
) -> None:
    """aiosmtpd kept command sizes in its class, for all servers at once."""
    small = await open_door("reception", message_size=2_000)
    big = await open_door("reception")

    def sizes() -> list[str]:
        found = []
        for door in (small, big):
            with smtplib.SMTP(*door.address, timeout=10) as smtp:
                smtp.ehlo()
                found.append(smtp.esmtp_features["size"])
        return found

    assert await in_thread(sizes) == ["2000", str(50 * 1024 * 1024)]


async def test_an_address_that_is_trusted_needs_no_login(
    office: PostOffice, open_door: OpenDoor
) -> None:
    """sending-api §9.4: authenticated addresses. The reverse-path is judged as after a login."""
    door = await open_door("submission")
    office.trusted.add("127.0.0.1")

    def send() -> None:
        with smtplib.SMTP(*door.address, timeout=10) as smtp:
            smtp.send_message(letter())
            smtp.send_message(letter())
            with pytest.raises(smtplib.SMTPSenderRefused):
                smtp.sendmail("bob@example.test", ["far@away.test"], b"Subject: x\r\n\r\ny")

    await in_thread(send)
    assert len(office.kept) == 2
    assert office.kept[0].principal is not None
    assert office.asked == ["127.0.0.1"], "once a connection"


async def test_any_other_address_logs_in_first(office: PostOffice, open_door: OpenDoor) -> None:
    door = await open_door("submission")

    def send() -> list[int]:
        with smtplib.SMTP(*door.address, timeout=10) as smtp:
            codes = [smtp.docmd("MAIL", "FROM:<ann@example.test>")[0]]
            smtp.ehlo()
            codes += [smtp.docmd("MAIL", "FROM:<ann@example.test>")[0] for _ in range(2)]
            smtp.login("jwt", TOKEN)
            codes.append(smtp.docmd("MAIL", "FROM:<ann@example.test>")[0])
            return codes

    assert await in_thread(send) == [503, 530, 530, 250]
    assert office.asked == ["127.0.0.1"]


async def test_trouble_of_the_store_is_no_refusal_for_good(
    office: PostOffice, open_door: OpenDoor
) -> None:
    door = await open_door("submission")
    office.trusted.add("127.0.0.1")

    def send() -> list[int]:
        with smtplib.SMTP(*door.address, timeout=10) as smtp:
            smtp.ehlo()
            office.trouble = TemporaryFailure("not now")
            codes = [smtp.docmd("MAIL", "FROM:<ann@example.test>")[0]]
            office.trouble = None
            codes.append(smtp.docmd("MAIL", "FROM:<ann@example.test>")[0])
            return codes

    codes = await in_thread(send)
    assert codes[0] // 100 == 4
    assert codes[1] == 250

"""The SMTP/IMAP proxy program of an existing deployment in front of this service (mailbox-api
§11, duty a). The program itself is a simulator here: see `existing_proxy.py`."""

from __future__ import annotations

import hashlib
import json
import re
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.existing_proxy import ImapHalf, LoginRefused, SmtpHalf
from tests.journeys.running import Answer, RunningService

SITE_PASSWORD = "the word at the gate"


@pytest.fixture(scope="module")
def port(service: RunningService) -> Iterator[int]:
    """The port of the simulated program's SMTP half."""
    half = SmtpHalf(service.url)
    yield half.start()
    half.stop()


class PrivateSite(RunningService):
    """A running service whose every path asks for the password of the site."""

    def call(self, method: str, path: str, body: object = None, **options: Any) -> Answer:
        options["headers"] = {"x-custom-auth": SITE_PASSWORD, **(options.get("headers") or {})}
        return super().call(method, path, body, **options)


def logged_in(port: int, user: str, password: str) -> smtplib.SMTP:
    client = smtplib.SMTP("127.0.0.1", port, "client.test", timeout=60)
    client.login(user, password)
    return client


def letter(sender: str, recipient: str, subject: str = "Grüße 你好") -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"Ann Müller <{sender}>"
    message["To"] = f"Bob Özil <{recipient}>"
    message["Subject"] = subject
    message.set_content("The plain words.")
    return message


def refusal(error: smtplib.SMTPException) -> tuple[int, str]:
    assert isinstance(error, smtplib.SMTPResponseException)
    said = error.smtp_error
    return error.smtp_code, said.decode() if isinstance(said, bytes) else said


@pytest.mark.parametrize("user", ["jwt", "anything at all"])
@pytest.mark.parametrize("html", [False, True])
def test_a_mail_goes_through_its_smtp_half(
    service: RunningService, port: int, user: str, html: bool
) -> None:
    address, token = service.open_address()
    other, other_token = service.open_address()
    message = letter(address, other)
    if html:
        message.add_alternative("<p>The <b>rich</b> words.</p>", subtype="html")
    with logged_in(port, user, token) as client:
        assert client.send_message(message) == {}
    mail = service.wait_for_mail(other_token)
    assert (mail["subject"], mail["from_address"]) == ("Grüße 你好", address)
    assert mail["from_name"] == "Ann Müller"
    parsed = service.get(f"/api/parsed_mail/{mail['id']}", token=other_token).json()
    assert ("rich" in parsed["html"]) is html
    if not html:
        assert parsed["text"].strip() == "The plain words."


def test_what_it_sent_is_in_its_sent_mailbox(service: RunningService, port: int) -> None:
    address, token = service.open_address()
    with logged_in(port, "jwt", token) as client:
        client.send_message(letter(address, "bob@far.example", "One"))
        client.send_message(letter(address, "bob@far.example", "Two"))
    session = ImapHalf(service.url)
    session.login(address, token)
    sent = session.select("SENT")
    assert [message.message["Subject"] for message in sent] == ["One", "Two"]
    assert sent[0].uid < sent[1].uid
    assert sent[0].message["To"] == "Bob Özil <bob@far.example>"
    assert sent[0].message["From"] == f"Ann Müller <{address}>"
    assert sent[0].message.get_content().strip() == "The plain words."
    rows = service.get("/api/sendbox?limit=10&offset=0", token=token).json()
    record = json.loads(rows["results"][0]["raw"])
    assert record["version"] == "v2"
    assert record["is_html"] is False
    assert "token" not in record
    assert token not in rows["results"][0]["raw"]


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("no token", r"code=\[400\] text=\[Failed to send mail .+\]"),
        ("eyJhbGciOiJIUzI1NiJ9.e30.AAAA", r"code=\[400\] text=\[Failed to send mail .+\]"),
    ],
)
def test_a_wrong_login_is_found_out_when_the_mail_is_posted(
    service: RunningService, port: int, password: str, expected: str
) -> None:
    with logged_in(port, "jwt", password) as client:
        with pytest.raises(smtplib.SMTPDataError) as error:
            client.send_message(letter("ann@x.test", "bob@x.test"))
        code, said = refusal(error.value)
        assert code == 500
        assert re.search(expected, said)
        assert password not in said


def test_refusals_of_the_service_arrive_as_they_are_worded(
    service: RunningService, port: int
) -> None:
    address, token = service.open_address()
    with logged_in(port, "jwt", token) as client:
        with pytest.raises(smtplib.SMTPDataError) as error:
            client.send_message(letter(address, address, subject=""))
        assert refusal(error.value) == (
            500,
            "Internal server error code=[400] text=[Failed to send mail Subject is empty]",
        )


def test_an_inbox_of_many_pages_is_seen_whole(service: RunningService) -> None:
    address, token = service.open_address()
    with service.smtp() as client:
        for number in range(205):
            client.sendmail(
                "ann@sender.example",
                [address],
                f"From: Ann <ann@sender.example>\r\nSubject: Mail {number}\r\n"
                f"Message-ID: <{number}@sender.example>\r\n\r\nText {number}.\r\n",
            )
    session = ImapHalf(service.url)
    session.login(address, token)
    inbox = session.select("INBOX")
    assert [mail.message["Subject"] for mail in inbox] == [f"Mail {n}" for n in range(205)]
    uids = [mail.uid for mail in inbox]
    assert uids == sorted(set(uids))
    assert session.uid_next(inbox) == uids[-1] + 1
    assert [asked.partition("offset=")[2] for asked in session.asked] == ["0", "100", "200"]
    for mail in (inbox[0], inbox[-1]):
        raw = service.raw(token, mail.uid)
        assert mail.source.encode() == raw
        assert mail.size == len(raw)
    again = ImapHalf(service.url)
    again.login(address, token)
    assert [mail.uid for mail in again.select("INBOX")] == uids, "a UID stays what it was"


def test_an_empty_mailbox_is_empty(service: RunningService) -> None:
    address, token = service.open_address()
    session = ImapHalf(service.url)
    session.login(address, token)
    for mailbox in ("INBOX", "SENT"):
        listed = session.select(mailbox)
        assert listed == []
        assert session.uid_next(listed) == 1


def test_its_password_login_takes_the_digest_and_no_other_word(service: RunningService) -> None:
    opened = service.post("/api/new_address", {}).json()
    session = ImapHalf(service.url)
    session.login(opened["address"], hashlib.sha256(opened["password"].encode()).hexdigest())
    assert session.select("INBOX") == []
    plain = ImapHalf(service.url)
    with pytest.raises(LoginRefused) as refused:
        plain.login(opened["address"], opened["password"])
    assert refused.value.args[0] == 401
    with pytest.raises(LoginRefused) as unknown:
        plain.login("nobody@x.test", "0" * 64)
    assert unknown.value.args[0] == 404


def test_a_token_of_no_worth_is_noticed_when_a_mailbox_opens(service: RunningService) -> None:
    session = ImapHalf(service.url)
    session.login("ann@x.test", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA")
    with pytest.raises(LoginRefused) as refused:
        session.select("INBOX")
    assert refused.value.args[0] == 401


def test_on_a_private_site_its_imap_half_gets_in_by_the_password(tmp_path: Path) -> None:
    """Its SMTP half never sends the password, and so stays outside, as it did before."""
    site = PrivateSite(tmp_path, {"passwords": [SITE_PASSWORD]})
    half = SmtpHalf(site.url)
    try:
        site.start()
        half.start()
        opened = site.post("/api/new_address").json()
        session = ImapHalf(site.url, basic_password=SITE_PASSWORD)
        session.login(opened["address"], opened["jwt"])
        assert session.select("INBOX") == []
        outside = ImapHalf(site.url)
        outside.login(opened["address"], opened["jwt"])
        with pytest.raises(LoginRefused) as refused:
            outside.select("INBOX")
        assert refused.value.args[0] == 401
        with (
            logged_in(half.port, "jwt", opened["jwt"]) as client,
            pytest.raises(smtplib.SMTPDataError) as error,
        ):
            client.send_message(letter(opened["address"], opened["address"]))
        assert "code=[401]" in refusal(error.value)[1]
    finally:
        half.stop()
        if site.process is not None:
            site.stop()

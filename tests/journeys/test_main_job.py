"""The main job through every door, as the README shows it, against the service that
`mailbox serve` starts."""

from __future__ import annotations

import email
import email.policy
import smtplib
import subprocess
from email.message import EmailMessage
from pathlib import Path

import pytest
import requests

from tests.journeys.running import RunningService
from tests.programs import need

LETTER = "Subject: Hello\n\nIt works."


def test_the_lines_of_smtplib_that_everybody_knows_send_a_mail(service: RunningService) -> None:
    address, token = service.open_address()
    other, other_token = service.open_address()
    with smtplib.SMTP("localhost", service.submission_port) as smtp:
        smtp.login("jwt", token)
        smtp.sendmail(address, [other], LETTER)
    mail = service.wait_for_mail(other_token)
    assert (mail["subject"], mail["source"]) == ("Hello", address)
    raw = service.raw(other_token, mail["id"])
    assert raw.endswith(b"\r\n\r\nIt works.\r\n")
    assert b"\r\nFrom: " in b"\r\n" + raw, "a submission without From gets its sender's"


def test_a_message_stays_whole_through_the_submission_door(service: RunningService) -> None:
    """Attachment, Bcc by the envelope alone, threading headers, both bodies, every recipient."""
    address, token = service.open_address()
    recipients = [service.open_address() for _ in range(3)]
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = f"Ann <{address}>"
    message["To"], message["Cc"] = recipients[0][0], recipients[1][0]
    message["Subject"] = "Grüße an alle 你好"
    message["In-Reply-To"] = message["References"] = "<first@elsewhere.example>"
    message["X-Custom"] = "kept"
    message.set_content("Plain text\n.\n..dots\n")
    message.add_alternative("<p>Text in <b>HTML</b></p>", subtype="html")
    picture = bytes(range(256)) * 40
    message.add_attachment(picture, maintype="image", subtype="png", filename="Bild 1.png")
    sent = message.as_bytes()
    with service.submission(token) as smtp:
        smtp.sendmail(address, [one for one, _ in recipients], sent)
    for _, recipient_token in recipients:
        mail = service.wait_for_mail(recipient_token)
        raw = service.raw(recipient_token, mail["id"])
        assert raw.endswith(sent.partition(b"\r\n\r\n")[2]), "the body came through as it was"
        read = email.message_from_bytes(raw, policy=email.policy.default)
        assert read["Subject"] == "Grüße an alle 你好"
        assert read["X-Custom"] == "kept"
        assert read["In-Reply-To"] == "<first@elsewhere.example>"
        assert read["Bcc"] is None
        attachment = next(iter(read.iter_attachments()))
        assert attachment.get_filename() == "Bild 1.png"
        assert attachment.get_content() == picture


def test_the_two_requests_of_the_readme_send_a_mail_each(service: RunningService) -> None:
    _, token = service.open_address()
    other, other_token = service.open_address()
    draft: dict[str, str | bool] = {
        "from_name": "Ann",
        "to_name": "Bob",
        "to_mail": other,
        "subject": "Hello",
        "content": "It works.",
        "is_html": False,
    }
    first = requests.post(
        f"{service.url}/api/send_mail",
        headers={"Authorization": f"Bearer {token}"},
        json=draft,
        timeout=60,
    )
    assert (first.status_code, first.json()["status"]) == (200, "ok")
    second = requests.post(
        f"{service.url}/external/api/send_mail",
        json={"token": token, **draft, "content": "<b>It works.</b>", "is_html": True},
        timeout=60,
    )
    assert (second.status_code, second.json()["status"]) == (200, "ok")
    one = service.wait_for_mail(other_token)
    two = service.wait_for_mail(other_token, after_id=one["id"])
    assert [one["from_name"], two["from_name"]] == ["Ann", "Ann"]
    sent = service.get("/api/sendbox?limit=10&offset=0", token=token).json()
    assert sent["count"] == 2
    assert token not in sent["results"][0]["raw"], "a token is never stored"


def test_swaks_sends_an_attachment(service: RunningService, tmp_path: Path) -> None:
    swaks = need("swaks")
    address, token = service.open_address()
    other, other_token = service.open_address()
    attached = tmp_path / "notes.txt"
    attached.write_bytes(b"line one\nline two\n" * 100)
    result = subprocess.run(
        [
            *(swaks, "--server", f"127.0.0.1:{service.submission_port}"),
            *("--auth-user", "jwt", "--auth-password", token),
            *("--from", address, "--to", other, "--h-Subject", "From swaks"),
            *("--attach", f"@{attached}"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    mail = service.wait_for_mail(other_token)
    assert (mail["subject"], mail["attachment_count"]) == ("From swaks", 1)
    got = service.get(f"/api/mails/{mail['id']}/attachments/0", token=other_token)
    assert got.body == attached.read_bytes()


def test_curl_sends_a_file(service: RunningService, tmp_path: Path) -> None:
    curl = need("curl")
    address, token = service.open_address()
    other, other_token = service.open_address()
    letter = tmp_path / "letter.eml"
    letter.write_bytes(f"From: <{address}>\r\nSubject: From curl\r\n\r\nA letter.\r\n".encode())
    result = subprocess.run(
        [
            *(curl, "-sS", "--url", f"smtp://127.0.0.1:{service.submission_port}"),
            *("--user", f"jwt:{token}", "--mail-from", address, "--mail-rcpt", other),
            *("--upload-file", letter),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert service.wait_for_mail(other_token)["subject"] == "From curl"


def test_mail_for_a_foreign_domain_is_held_and_shown(service: RunningService) -> None:
    address, token = service.open_address()
    with service.submission(token) as smtp:
        smtp.sendmail(address, ["bob@elsewhere.example"], LETTER)
    row = service.get("/api/sent", token=token).json()["results"][0]
    assert row["state"] == "held"
    assert row["recipients"][0]["address"] == "bob@elsewhere.example"
    listed = service.command("queue", "list")
    assert "bob@elsewhere.example" in listed.stdout
    assert row["queue_id"] in listed.stdout
    dropped = service.command("queue", "drop", row["queue_id"])
    assert dropped.returncode == 0, dropped.stderr
    row = service.get("/api/sent", token=token).json()["results"][0]
    assert row["state"] == "failed"


def test_a_wrong_token_is_refused_at_login_on_every_door(service: RunningService) -> None:
    address, token = service.open_address()
    wrong = token[:-4] + "AAAA"
    with (
        smtplib.SMTP("localhost", service.submission_port) as smtp,
        pytest.raises(smtplib.SMTPAuthenticationError) as refused,
    ):
        smtp.login("jwt", wrong)
    assert refused.value.smtp_code == 535
    draft = {"to_mail": address, "subject": "s", "content": "c"}
    assert service.post("/api/send_mail", draft, token=wrong).status == 401
    answer = service.post("/external/api/send_mail", {"token": wrong, **draft})
    assert answer.status == 400
    assert answer.text.startswith("Failed to send mail ")
    assert wrong not in answer.text


@pytest.mark.parametrize(
    ("recipient", "code", "enhanced"),
    [
        ("bob@elsewhere.example", 550, b"5.7.1"),
        ("bob%elsewhere.example@another.example", 550, b"5.7.1"),
        ("bob", 501, b"5.1.3"),
    ],
)
def test_the_reception_door_relays_for_nobody(
    service: RunningService, recipient: str, code: int, enhanced: bytes
) -> None:
    with service.smtp() as smtp:
        smtp.ehlo()
        smtp.mail("ann@sender.example")
        assert smtp.docmd(f"RCPT TO:<{recipient}>")[0] in (code, 553)
        reply = smtp.docmd(f"RCPT TO:<{recipient}>")
    assert reply[1].startswith(enhanced), reply


def test_nobody_writes_in_the_name_of_another(service: RunningService) -> None:
    address, token = service.open_address()
    other, _ = service.open_address()
    with service.submission(token) as smtp:
        assert smtp.mail(other)[0] == 553
        smtp.rset()
        with pytest.raises(smtplib.SMTPDataError) as refused:
            smtp.sendmail(address, [other], f"From: <{other}>\r\n{LETTER}")
    assert refused.value.smtp_code == 553
    assert b"5.7.1" in refused.value.smtp_error


def test_a_mail_that_cannot_be_parsed_is_stored_and_listed(service: RunningService) -> None:
    address, token = service.open_address()
    broken = b"\xff\xfe no header at all \x80\r\nContent-Type: multipart/mixed\r\n\r\n--\x00?"
    broken = broken.replace(b"\x00", b"\x01") + b"\r\n"
    service.deliver(address, broken)
    mail = service.wait_for_mail(token)
    raw = service.raw(token, mail["id"])
    assert raw.endswith(broken)
    listed = service.get("/api/mails?limit=10&offset=0", token=token).json()
    assert listed["count"] == 1
    assert service.get(f"/api/inbox/{mail['id']}", token=token).status == 200


def test_codes_are_there_for_whoever_waits(service: RunningService) -> None:
    address, token = service.open_address()
    service.deliver(
        address,
        b"From: Ferrybank <no-reply@ferry.example>\r\nSubject: Your sign-in code\r\n\r\n"
        b"Your code is 482 913. It is good for ten minutes.\r\n",
    )
    mail = service.wait_for_mail(token)
    assert mail["code"] == "482913"
    assert mail["from_name"] == "Ferrybank"


def test_everything_accepted_is_there_after_a_restart(tmp_path: Path) -> None:
    """Hazard 56: SIGTERM ends the service cleanly; what was said to be stored is stored."""
    service = RunningService(tmp_path)
    service.start()
    try:
        address, token = service.open_address("ann")
        service.deliver(address, LETTER.replace("\n", "\r\n").encode())
        mail = service.wait_for_mail(token)
        before = service.raw(token, mail["id"])
        assert service.stop() == 0
        service.start()
        assert service.raw(token, mail["id"]) == before
        service.kill()
        service.start()
        assert service.raw(token, mail["id"]) == before
        assert service.get("/api/settings", token=token).json()["address"] == address
    finally:
        service.kill()

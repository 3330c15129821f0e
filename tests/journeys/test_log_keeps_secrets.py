"""What the log of a service says after an eventful hour. Hazard 50."""

from __future__ import annotations

import base64
import contextlib
import re
import smtplib
import socket
from pathlib import Path

import pytest

from tests.journeys.running import ADMIN_PASSWORD, RunningService, running

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) [a-z_.]+ \S")
BODY = "the words of a private letter"
HOSTILE = "\x1b[31mred\x07 \x9b2J \u2028 \u202e \x7f"


def an_eventful_hour(service: RunningService) -> list[str]:
    """Everything that handles a secret; the secrets."""
    address, token = service.open_address("ann")
    opened = service.post("/api/new_address", {"name": "bob"}).json()
    password = str(opened["password"])
    wrong = "wrong-password-of-a-person"
    for name, secret in (("jwt", token[:-3] + "xyz"), (address, wrong), ("jwt", wrong)):
        with (
            (
                service.smtp()
                if name == "nobody"
                else smtplib.SMTP("127.0.0.1", service.submission_port)
            ) as smtp,
            contextlib.suppress(smtplib.SMTPException),
        ):
            smtp.login(name, secret)
    with smtplib.SMTP("127.0.0.1", service.submission_port) as smtp:
        smtp.login(opened["address"], password)
    with service.submission(token) as smtp:
        letter = f"Subject: {HOSTILE} secret subject\r\nX: {HOSTILE}\r\n\r\n{BODY}\r\n".encode()
        smtp.sendmail(address, ["held@elsewhere.example", opened["address"]], letter)
        with contextlib.suppress(smtplib.SMTPException):
            smtp.sendmail("foreign@y.test", ["bob@x.test"], letter)
    with socket.create_connection(("127.0.0.1", service.reception_port), 10) as raw:
        for line in (
            b"EHLO \x1b[2J\r\n",
            b"MAIL FROM:<a\x1b[31m@b>\r\n",
            f"{HOSTILE}\r\n".encode(),
            b"AUTH PLAIN " + base64.b64encode(f"\0ann\0{wrong}".encode()) + b"\r\n",
            b"MAIL FROM:<x@y.example>\r\nRCPT TO:<bob@x.test>\r\nDATA\r\n",
            letter + b".\r\nQUIT\r\n",
        ):
            raw.sendall(line)
        while raw.recv(65536):
            pass
    service.get(f"/?jwt={token}")
    service.get(f"/api/mails?limit=1&offset=0&token={token}", token=token)
    service.get("/api/mails?limit=1&offset=0", token=token[:-3] + "xyz")
    service.post("/api/address_login", {"email": address, "password": wrong})
    service.get("/admin/statistics", headers={"x-admin-auth": wrong})
    service.get("/admin/statistics", admin=True)
    draft = {"to_mail": "a@elsewhere.example", "subject": "secret subject", "content": BODY}
    service.post("/api/send_mail", draft, token=token)
    service.post("/external/api/send_mail", {"token": token, **draft})
    service.post("/external/api/send_mail", {"token": f"{token}\x1b[31m\r\nforged line", **draft})
    service.post("/api/send_mail", b'{"to_mail": "' + BODY.encode(), token=token)
    service.get("/%1b[31m%0d%0aforged", token=token)
    service.wait_for_mail(opened["jwt"])
    secrets = [token, str(opened["jwt"]), password, wrong, ADMIN_PASSWORD, BODY, "secret subject"]
    secrets += [base64.b64encode(secret.encode()).decode().rstrip("=") for secret in secrets]
    secrets += [base64.b64encode(f"\0jwt\0{token}".encode()).decode().rstrip("=")]
    return [*secrets, str(service.settings["jwt_secret"])]


@pytest.mark.parametrize("level", ["info", "debug"])
def test_no_secret_no_body_and_no_control_character_reaches_the_log(
    tmp_path: Path, level: str
) -> None:
    """Hazard 50."""
    secret = "the secret of the secrets in this test"
    for service in running(tmp_path, log_level=level, jwt_secret=secret):
        secrets = an_eventful_hour(service)
        assert service.stop() == 0
        text = service.log_file.read_bytes().decode("utf-8")
        for told in secrets:
            assert told not in text, f"the log tells {told[:20]!r}…"
        acting = {char for char in text if not char.isprintable()} - {"\n"}
        assert not acting
        lines = text.splitlines()
        assert len(lines) > 10
        assert "forged" not in {line.split()[0] for line in lines}
        strange = [
            line for line in lines if not LINE.match(line) and not line.startswith("Mailbox Serv")
        ]
        assert not strange
        assert "Traceback" not in text

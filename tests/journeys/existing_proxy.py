"""A SIMULATOR of the SMTP/IMAP proxy program of an existing deployment (mailbox-api §11.1-11.3).

Not that program: a small re-creation of what it calls over HTTP and how it reads the answers,
faults included, so that a journey can tell whether it would work in front of this service. Its
SMTP half speaks real SMTP (smtplib can log in and send); of its IMAP half only the view that it
builds of a mailbox is here, without the protocol.
"""

from __future__ import annotations

import email
import email.policy
import email.utils
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from typing import Any

import httpx2
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.journeys.running import free_ports

PAGE = 100
HTTP_SECONDS = 30.0


class SmtpHalf:
    """Takes a message by SMTP and posts it as JSON. Any login is taken for good; the password
    is the token, and shows what it is worth when the message is posted."""

    def __init__(self, proxy_url: str) -> None:
        self._url = proxy_url
        self.port = free_ports(1)[0]
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            authenticator=self._anybody,
            auth_required=False,
            auth_require_tls=False,
        )

    def start(self) -> int:
        """Listen; the port."""
        self._controller.start()
        return self.port

    def stop(self) -> None:
        self._controller.stop()

    @staticmethod
    def _anybody(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        return AuthResult(success=True, auth_data=data)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        login = session.auth_data
        if not isinstance(login, LoginPassword):
            return "530 Authentication required"
        if len(envelope.rcpt_tos) != 1:
            return "500 Only one recipient allowed"
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content)
        content, is_html = best_body(message)
        if not content:
            return "500 Invalid content"
        recipient = envelope.rcpt_tos[0]
        post = {
            "token": login.password.decode(),
            "from_name": email.utils.parseaddr(shown(message["From"]))[0],
            "to_name": display_name_of(recipient, message),
            "to_mail": recipient,
            "subject": shown(message["Subject"]),
            "content": content,
            "is_html": is_html,
        }
        # No x-custom-auth here: that program never sends it by this half.
        answer = httpx2.post(f"{self._url}/external/api/send_mail", json=post, timeout=HTTP_SECONDS)
        if answer.status_code != 200:
            text = answer.text.replace("\n", " ")
            return f"500 Internal server error code=[{answer.status_code}] text=[{text}]"
        return "250 OK"


def shown(value: str | None) -> str:
    """A header field in Unicode."""
    assert value is not None, "that program fails without the field"
    return str(make_header(decode_header(value)))


def display_name_of(recipient: str, message: Message) -> str:
    """What the To field calls the recipient."""
    for name, address in email.utils.getaddresses([shown(message["To"])]):
        if address == recipient:
            return name
    return ""


def best_body(message: Message) -> tuple[str, bool]:
    """The longest HTML part, or else the longest text."""
    found: dict[str, str] = {"text/html": "", "text/plain": ""}
    for part in message.walk():
        kind = part.get_content_type()
        payload = part.get_payload(decode=True)
        if kind not in found or not isinstance(payload, bytes):
            continue
        text = payload.decode(part.get_content_charset() or "utf-8", "replace")
        if len(text) > len(found[kind]):
            found[kind] = text
    if found["text/html"]:
        return found["text/html"], True
    return found["text/plain"], False


@dataclass(frozen=True)
class ViewedMessage:
    """A message as an IMAP client of that program would see it."""

    uid: int
    internal_date: datetime
    source: str

    @property
    def size(self) -> int:
        return len(self.source.encode())

    @property
    def message(self) -> EmailMessage:
        parsed = email.message_from_string(self.source, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


class LoginRefused(Exception):
    """NO to LOGIN."""


@dataclass
class ImapHalf:
    """One IMAP session. `basic_password` goes along as x-custom-auth."""

    proxy_url: str
    basic_password: str = ""
    token: str = field(default="", repr=False)
    asked: list[str] = field(default_factory=list)

    def login(self, username: str, password: str) -> None:
        """A password that looks like a token is one, and is not tried until a mailbox opens;
        any other goes to the service exactly as it was typed."""
        if password.count(".") == 2 and password.startswith("eyJ"):
            self.token = password
            return
        answer = httpx2.post(
            f"{self.proxy_url}/api/address_login",
            json={"email": username, "password": password},
            headers=self._headers(),
            timeout=HTTP_SECONDS,
        )
        if answer.status_code != 200:
            raise LoginRefused(answer.status_code, answer.text)
        self.token = answer.json()["jwt"]

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.basic_password:
            headers["x-custom-auth"] = self.basic_password
        return headers

    def _page(self, path: str, offset: int) -> dict[str, Any]:
        self.asked.append(f"{path}?limit={PAGE}&offset={offset}")
        answer = httpx2.get(
            f"{self.proxy_url}{path}",
            params={"limit": PAGE, "offset": offset},
            headers=self._headers(),
            timeout=HTTP_SECONDS,
        )
        if answer.status_code != 200:
            raise LoginRefused(answer.status_code, answer.text)
        page = answer.json()
        assert isinstance(page, dict)
        return page

    def _rows(self, path: str) -> Iterator[dict[str, Any]]:
        """Every row, newest first. The total is believed of the first page alone."""
        first = self._page(path, 0)
        total, seen = first["count"], len(first["results"])
        yield from first["results"]
        while seen < total:
            rows = self._page(path, seen)["results"]
            if not rows:
                return
            seen += len(rows)
            yield from rows

    def select(self, mailbox: str) -> list[ViewedMessage]:
        """INBOX or SENT, oldest first: the position in the list is the sequence number."""
        if mailbox == "INBOX":
            found = [viewed(row, row["raw"]) for row in self._rows("/api/mails")]
        else:
            found = [viewed(row, synthesised(row)) for row in self._rows("/api/sendbox")]
        return sorted(found, key=lambda message: message.uid)

    def uid_next(self, listed: list[ViewedMessage]) -> int:
        return listed[-1].uid + 1 if listed else 1


def viewed(row: dict[str, Any], source: str) -> ViewedMessage:
    created = datetime.strptime(row["created_at"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return ViewedMessage(row["id"], created, source)


def synthesised(row: dict[str, Any]) -> str:
    """A message of one text part, made of a sendbox record."""
    record = json.loads(row["raw"])
    if record.get("version") == "v2":
        recipient = email.utils.formataddr((record["to_name"], record["to_mail"]))
        sender = email.utils.formataddr((record["from_name"], row["address"]))
        subject, body = record["subject"], record["content"]
        subtype = "html" if record["is_html"] else "plain"
    else:
        to = record["personalizations"][0]["to"][0]
        recipient = email.utils.formataddr((to.get("name", ""), to["email"]))
        sender = email.utils.formataddr(
            (record["from"].get("name", ""), record["from"].get("email", ""))
        )
        subject, body = record["subject"], record["content"][0]["value"]
        subtype = record["content"][0]["type"].removeprefix("text/")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, subject
    created = viewed(row, "").internal_date
    message["Date"] = email.utils.format_datetime(created)
    message.set_content(body, subtype=subtype)
    return message.as_string()

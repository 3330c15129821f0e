"""The words of both clients: mails and receipts as values, refusals, and every request of the API
as data."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# The server answers a wait within a minute; longer ones are asked for piece by piece.
WAIT_PIECE = 45.0
# Seconds beyond a wait until a request is given up; and of a request that does not wait.
ROOM = 20.0
FIRST_WAIT = 30.0
LARGEST_PAGE = 100

Person = str
People = str | Sequence[str]


class Refused(Exception):
    """The service refused a request. `code` is its name for programs (`X-Error-Code`)."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(f"{status} {code}: {text}")
        self.status = status
        self.code = code
        self.text = text


class NoMail(TimeoutError):
    """No mail that fits came in time."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link that a mail asks to follow."""

    url: str
    text: str
    host: str


@dataclass(frozen=True, slots=True)
class File:
    """A file to send."""

    filename: str
    content: bytes
    type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mail is queued: its row in the sent box, and its names."""

    id: int
    queue_id: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail. `code` and `link` are the best of `codes` and `links`; `row` is the answer of the
    API with everything else. `text` and `html` are there when the mail was waited for or opened."""

    id: int
    from_name: str
    from_address: str
    to: str
    subject: str
    preview: str
    created_at: str
    seen: bool
    code: str | None
    codes: tuple[str, ...]
    links: tuple[Link, ...]
    text: str = ""
    html: str = ""
    row: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def link(self) -> str | None:
        """The address of the best link."""
        return self.links[0].url if self.links else None


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = ROOM


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which mails; texts are found anywhere, in any case."""

    subject: str = ""
    sender: str = ""
    contains: str = ""
    with_code: bool = False
    unread: bool = False

    def query(self) -> dict[str, str]:
        told = {"subject": self.subject, "from": self.sender, "q": self.contains}
        switches = {"codes": self.with_code, "unread": self.unread}
        return {key: value for key, value in told.items() if value} | {
            key: "1" for key, value in switches.items() if value
        }


def open_address(name: str | None, domain: str | None, expires_in: int | None) -> Ask:
    told = {"name": name, "domain": domain, "expires_in": expires_in}
    body = {key: value for key, value in told.items() if value is not None}
    return Ask("POST", "/api/new_address", body=body)


def settings() -> Ask:
    """What a token is good for."""
    return Ask("GET", "/api/settings")


def wait(wanted: Wanted, seconds: float) -> Ask:
    """The oldest mail that fits, also one that is there already."""
    query = {**wanted.query(), "after_id": "0", "timeout": str(max(0, round(seconds)))}
    return Ask("GET", "/api/mails/wait", query, seconds=seconds + ROOM)


def inbox(wanted: Wanted, limit: int, before_id: int | None) -> Ask:
    page = {"limit": str(limit)} | ({} if before_id is None else {"before_id": str(before_id)})
    return Ask("GET", "/api/inbox", {**wanted.query(), **page})


def open_mail(mail_id: int) -> Ask:
    return Ask("GET", f"/api/inbox/{int(mail_id)}")


def raw(mail_id: int) -> Ask:
    return Ask("GET", f"/api/mails/{int(mail_id)}/raw")


def attachment(mail_id: int, index: int) -> Ask:
    return Ask("GET", f"/api/mails/{int(mail_id)}/attachments/{int(index)}")


def mark(mail_id: int, *, seen: bool) -> Ask:
    return Ask("PATCH", f"/api/mails/{int(mail_id)}", body={"seen": seen})


def delete_mail(mail_id: int) -> Ask:
    return Ask("DELETE", f"/api/mails/{int(mail_id)}")


def close() -> Ask:
    return Ask("DELETE", "/api/delete_address")


def send(
    to: People,
    subject: str,
    text: str,
    html: str,
    cc: People,
    bcc: People,
    files: Iterable[File],
    answers: Mail | None,
    idempotency_key: str,
) -> Ask:
    """A mail from the mailbox, in the thread of one that it answers."""
    body: dict[str, Any] = {"to_mail": listed(to), "subject": subject}
    for key, value in (("text", text), ("html", html), ("cc", listed(cc)), ("bcc", listed(bcc))):
        if value:
            body[key] = value
    body["attachments"] = [
        {
            "filename": one.filename,
            "content": base64.b64encode(one.content).decode(),
            "type": one.type,
        }
        for one in files
    ]
    if answers is not None and answers.row.get("message_id"):
        body["in_reply_to"] = answers.row["message_id"]
        body["references"] = str(answers.row.get("references") or "").split()
    keys = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    return Ask("POST", "/api/send_mail", body=body, headers=keys, seconds=3 * ROOM)


def listed(people: People) -> list[str]:
    return [people] if isinstance(people, str) and people else list(people)


def mail_of(row: Mapping[str, Any]) -> Mail:
    """A mail out of a light or an opened row."""
    return Mail(
        id=row["id"],
        from_name=row["from_name"],
        from_address=row["from_address"],
        to=row["to"],
        subject=row["subject"],
        preview=row["preview"],
        created_at=row["created_at"],
        seen=row["seen"],
        code=row["code"],
        codes=tuple(row["codes"]),
        links=tuple(Link(one["url"], one["text"], one["host"]) for one in row["links"]),
        text=row.get("text", ""),
        html=row.get("html", ""),
        row=row,
    )


def receipt_of(answer: Mapping[str, Any]) -> Receipt:
    return Receipt(answer["id"], answer["queue_id"], answer["message_id"])


def subject_of_answer(subject: str) -> str:
    return subject if subject.lower().startswith("re:") else f"Re: {subject}"


def writer_of(mail: Mail) -> str:
    """Whom an answer goes to."""
    return str(mail.row.get("reply_to") or mail.from_address)


def no_mail(address: str, wanted: Wanted, seconds: float) -> NoMail:
    told = ", ".join(f"{key}={value}" for key, value in wanted.query().items() if key != "unread")
    return NoMail(
        f"no mail{f' with {told}' if told else ''} came to {address} within {seconds:g} s"
    )

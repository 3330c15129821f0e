"""What both clients say to the service, each operation as a talk: it yields requests, is sent
their answers, and returns what came of it. A client only carries requests and waits."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2

from mailbox_service.client import words
from mailbox_service.client.words import Ask, File, Mail, People, Receipt, Refused, Wanted

T = TypeVar("T")
Talk = Generator[Ask, httpx2.Response, T]


@dataclass(frozen=True, slots=True)
class Opened:
    """An address that is open, and what opens it elsewhere."""

    address: str
    token: str
    password: str | None


class Service:
    """Where the service is, and how requests to it are written and answers judged."""

    def __init__(self, url: str, site_password: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"x-custom-auth": site_password} if site_password else {}

    def request(self, ask: Ask, token: str) -> dict[str, Any]:
        """A request as the HTTP library takes it."""
        proof = {"Authorization": f"Bearer {token}"} if token else {}
        return {
            "method": ask.method,
            "url": self._url + ask.path,
            "params": dict(ask.query),
            "json": ask.body,
            "headers": {**self._headers, **ask.headers, **proof},
            "timeout": ask.seconds,
        }

    def checked(self, answer: httpx2.Response) -> httpx2.Response:
        """An answer that is no refusal. Raises Refused."""
        if not answer.is_success:
            code = answer.headers.get("x-error-code", "")
            raise Refused(answer.status_code, code, answer.text)
        return answer


def open_address(name: str | None, domain: str | None, expires_in: int | None) -> Talk[Opened]:
    opened = (yield words.open_address(name, domain, expires_in)).json()
    return Opened(opened["address"], opened["jwt"], opened.get("password"))


def known(token: str) -> Talk[Opened]:
    """An address by its token, which the client shows."""
    state = (yield words.settings()).json()
    return Opened(state["address"], token, None)


def wait(address: str, wanted: Wanted, seconds: float) -> Talk[Mail]:
    """The oldest mail that fits, marked as read. Raises NoMail."""
    end = time.monotonic() + seconds
    while True:
        left = max(0.0, end - time.monotonic())
        row = (yield words.wait(wanted, min(left, words.WAIT_PIECE))).json()["mail"]
        if row is not None:
            yield words.mark(row["id"], seen=True)
            return words.mail_of(row)
        if left <= words.WAIT_PIECE:
            raise words.no_mail(address, wanted, seconds)


def mails(wanted: Wanted, limit: int, before_id: int | None) -> Talk[list[Mail]]:
    page = (yield words.inbox(wanted, limit, before_id)).json()
    return [words.mail_of(row) for row in page["results"]]


def open_mail(mail_id: int) -> Talk[Mail]:
    """Raises LookupError when it is not there."""
    row = (yield words.open_mail(mail_id)).json()
    if row is None:
        raise LookupError(f"no mail {mail_id}")
    return words.mail_of(row)


def content(ask: Ask) -> Talk[bytes]:
    """What a request is answered with, octet for octet."""
    return (yield ask).content


def said(ask: Ask) -> Talk[None]:
    """A request whose answer tells nothing but that it is done."""
    yield ask


def send(
    to: People,
    subject: str,
    text: str,
    html: str,
    cc: People,
    bcc: People,
    files: Iterable[File],
    idempotency_key: str,
) -> Talk[Receipt]:
    ask = words.send(to, subject, text, html, cc, bcc, files, None, idempotency_key)
    return words.receipt_of((yield ask).json())


def reply(mail: Mail, text: str, html: str) -> Talk[Receipt]:
    """An answer in the thread of a mail, which is opened first for what its list does not say."""
    mail = yield from open_mail(mail.id)
    subject = words.subject_of_answer(mail.subject)
    ask = words.send(words.writer_of(mail), subject, text, html, (), (), (), mail, "")
    return words.receipt_of((yield ask).json())

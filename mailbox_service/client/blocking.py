"""The client that blocks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import httpx2

from mailbox_service.client import words
from mailbox_service.client.words import Ask, File, Mail, People, Receipt, Refused, Wanted


class Client:
    """A service at a URL. `site_password` is needed where the site has one."""

    def __init__(
        self, url: str, *, site_password: str = "", http: httpx2.Client | None = None
    ) -> None:
        headers = {"x-custom-auth": site_password} if site_password else {}
        self._url = url.rstrip("/")
        self._headers = headers
        self._http = http or httpx2.Client()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connections. Addresses stay open."""
        self._http.close()

    def open_address(
        self, name: str | None = None, *, domain: str | None = None, expires_in: int | None = None
    ) -> Mailbox:
        """Open an address: the name that is wished for or a random one; it ends after
        `expires_in` seconds when they are given. Raises Refused."""
        opened = self.json(words.open_address(name, domain, expires_in))
        return Mailbox(self, opened["address"], opened["jwt"], opened.get("password"))

    def mailbox(self, token: str) -> Mailbox:
        """An address that is open, by its token. Raises Refused."""
        state = self.json(Ask("GET", "/api/settings"), token)
        return Mailbox(self, state["address"], token, None)

    def json(self, ask: Ask, token: str = "") -> Any:
        """The JSON that answers a request. Raises Refused."""
        return (self.answer(ask, token)).json()

    def answer(self, ask: Ask, token: str = "") -> httpx2.Response:
        """The answer to a request. Raises Refused."""
        proof = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self._http.request(
            ask.method,
            self._url + ask.path,
            params=dict(ask.query),
            json=ask.body,
            headers={**self._headers, **ask.headers, **proof},
            timeout=ask.seconds,
        )
        if not answer.is_success:
            code = answer.headers.get("x-error-code", "")
            raise Refused(answer.status_code, code, answer.text)
        return answer


class Mailbox:
    """One open address. As a context it is closed at the end, with its mail, where that is
    allowed. `token` opens it elsewhere; `password` is there when it was opened here."""

    def __init__(self, client: Client, address: str, token: str, password: str | None) -> None:
        self._client = client
        self.address = address
        self.token = token
        self.password = password

    def __repr__(self) -> str:
        return f"<mailbox {self.address}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(Refused):  # owners may not delete there, or it is closed already
            self.close()

    def wait(
        self,
        seconds: float = words.FIRST_WAIT,
        *,
        subject: str = "",
        sender: str = "",
        contains: str = "",
        with_code: bool = False,
    ) -> Mail:
        """The oldest unread mail that fits, with its text, waiting up to so many `seconds` for
        it; it is marked as read, so that the next call gives the next one. Raises NoMail."""
        wanted = Wanted(subject, sender, contains, with_code, unread=True)
        end = time.monotonic() + seconds
        while True:
            left = max(0.0, end - time.monotonic())
            row = (self._json(words.wait(wanted, min(left, words.WAIT_PIECE))))["mail"]
            if row is not None:
                self._json(words.mark(row["id"], seen=True))
                return words.mail_of(row)
            if left <= words.WAIT_PIECE:
                raise words.no_mail(self.address, wanted, seconds)

    def mails(
        self,
        limit: int = words.LARGEST_PAGE,
        *,
        before_id: int | None = None,
        subject: str = "",
        sender: str = "",
        contains: str = "",
    ) -> list[Mail]:
        """A page of the mailbox, newest first, without texts."""
        wanted = Wanted(subject, sender, contains)
        page = self._json(words.inbox(wanted, limit, before_id))
        return [words.mail_of(row) for row in page["results"]]

    def open(self, mail_id: int) -> Mail:
        """One mail with text and sanitised HTML. Raises LookupError when it is not there."""
        row = self._json(words.open_mail(mail_id))
        if row is None:
            raise LookupError(f"no mail {mail_id}")
        return words.mail_of(row)

    def raw(self, mail_id: int) -> bytes:
        """The message octet for octet."""
        return (self._client.answer(words.raw(mail_id), self.token)).content

    def attachment(self, mail_id: int, index: int) -> bytes:
        """One attachment, decoded; its index stands in `row["attachments"]` of an opened mail."""
        return (self._client.answer(words.attachment(mail_id, index), self.token)).content

    def send(
        self,
        to: People,
        subject: str,
        text: str = "",
        *,
        html: str = "",
        cc: People = (),
        bcc: People = (),
        files: Iterable[File] = (),
        idempotency_key: str = "",
    ) -> Receipt:
        """Send a mail from the address; it is queued when this returns. Raises Refused."""
        return words.receipt_of(
            self._json(words.send(to, subject, text, html, cc, bcc, files, None, idempotency_key))
        )

    def reply(self, mail: Mail, text: str = "", *, html: str = "") -> Receipt:
        """Answer a mail in its thread. Raises Refused."""
        mail = self.open(mail.id)
        subject = words.subject_of_answer(mail.subject)
        ask = words.send(words.writer_of(mail), subject, text, html, (), (), (), mail, "")
        return words.receipt_of(self._json(ask))

    def delete(self, mail_id: int) -> None:
        """Delete a mail. Raises Refused."""
        self._json(words.delete_mail(mail_id))

    def close(self) -> None:
        """Give the address up, with its mail. Raises Refused."""
        self._json(words.close())

    def _json(self, ask: Ask) -> Any:
        return self._client.json(ask, self.token)

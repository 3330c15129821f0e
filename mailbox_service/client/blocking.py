"""The client that blocks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from types import TracebackType
from typing import Self, TypeVar

import httpx2

from mailbox_service.client import talks, words
from mailbox_service.client.talks import Opened, Service, Talk
from mailbox_service.client.words import Ask, File, Mail, People, Receipt, Refused, Wanted

T = TypeVar("T")


class Client:
    """A service at a URL. `site_password` is needed where the site has one."""

    def __init__(
        self, url: str, *, site_password: str = "", http: httpx2.Client | None = None
    ) -> None:
        self._service = Service(url, site_password)
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
        return Mailbox(self, self.carry(talks.open_address(name, domain, expires_in)))

    def mailbox(self, token: str) -> Mailbox:
        """An address that is open, by its token. Raises Refused."""
        return Mailbox(self, self.carry(talks.known(token), token))

    def answer(self, ask: Ask, token: str = "") -> httpx2.Response:
        """The answer to a request. Raises Refused."""
        answer = self._http.request(**self._service.request(ask, token))
        return self._service.checked(answer)

    def carry(self, talk: Talk[T], token: str = "") -> T:
        """Carry a talk to its end; what came of it."""
        try:
            ask = next(talk)
            while True:
                ask = talk.send(self.answer(ask, token))
        except StopIteration as end:
            value: T = end.value
            return value


class Mailbox:
    """One open address. As a context it is closed at the end, with its mail, where that is
    allowed. `token` opens it elsewhere; `password` is there when it was opened here."""

    def __init__(self, client: Client, opened: Opened) -> None:
        self._client = client
        self.address = opened.address
        self.token = opened.token
        self.password = opened.password

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
        return self._carry(talks.wait(self.address, wanted, seconds))

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
        return self._carry(talks.mails(Wanted(subject, sender, contains), limit, before_id))

    def open(self, mail_id: int) -> Mail:
        """One mail with text and sanitised HTML. Raises LookupError when it is not there."""
        return self._carry(talks.open_mail(mail_id))

    def raw(self, mail_id: int) -> bytes:
        """The message octet for octet."""
        return self._carry(talks.content(words.raw(mail_id)))

    def attachment(self, mail_id: int, index: int) -> bytes:
        """One attachment, decoded; its index stands in `row["attachments"]` of an opened mail."""
        return self._carry(talks.content(words.attachment(mail_id, index)))

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
        return self._carry(talks.send(to, subject, text, html, cc, bcc, files, idempotency_key))

    def reply(self, mail: Mail, text: str = "", *, html: str = "") -> Receipt:
        """Answer a mail in its thread. Raises Refused."""
        return self._carry(talks.reply(mail, text, html))

    def delete(self, mail_id: int) -> None:
        """Delete a mail. Raises Refused."""
        self._carry(talks.said(words.delete_mail(mail_id)))

    def close(self) -> None:
        """Give the address up, with its mail. Raises Refused."""
        self._carry(talks.said(words.close()))

    def _carry(self, talk: Talk[T]) -> T:
        return self._client.carry(talk, self.token)

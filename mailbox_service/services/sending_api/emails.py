"""Sending e-mail: one, a message that is written already, a batch, or through the mail door.

Each way makes or reads a message (`messages.py`), and `ordering.py` judges it and hands it over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from msgspec import Struct

from mailbox_service.config import Config
from mailbox_service.core.api_values import DAY, MICROS, read_date, shown_mailbox
from mailbox_service.core.email_id import email_id_of, schedule_id_of
from mailbox_service.core.envelope import Envelope, Peer, Receipt
from mailbox_service.core.errors import (
    BadAddress,
    BadContent,
    BadRequest,
    MailError,
    SenderRefused,
)
from mailbox_service.core.sending_api import BadField, Caller, Refusal, SendingPrincipal
from mailbox_service.services.clock import Clock, new_id, now_micros
from mailbox_service.services.kept_requests import new_message_id
from mailbox_service.services.sending import Sending
from mailbox_service.services.sending_api.composing import (
    EmailForm,
    Fetch,
    draft_of,
    files,
    person,
    with_own_files,
)
from mailbox_service.services.sending_api.fetching import Fetching
from mailbox_service.services.sending_api.messages import (
    Message,
    composed,
    read_message,
    shown_fields,
    written,
)
from mailbox_service.services.sending_api.ordering import Ordering, judge, too_big
from mailbox_service.services.sending_api.policies import Policies
from mailbox_service.services.sending_api.templates import Templates

FARTHEST = 3 * DAY
# A clock of a client that is a little fast must not make its "now" a time in the past.
GRACE = 60 * MICROS
MOST_IN_BATCH = 1_000
# Messages of a batch under way at once: they share the group commit.
AT_ONCE = 250
# Between two breaths of the event loop: some milliseconds of composing.
BREATH = 16
LARGEST_DATA_TEXT = 1 << 20
# Octets of files from which on a message is composed in a thread.
LARGE_FILES = 1 << 20


class MimeForm(Struct, kw_only=True):
    """A message that is written already: base64 of it, or itself."""

    mime_email: str
    schedule: str | int | float | None = None
    fastaccept: bool = False


@dataclass(frozen=True, slots=True)
class BatchForm:
    """Several e-mails, or why one of them could not be read."""

    emails: list[EmailForm | MailError]


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that is ours to send now. `fast`: only its id is wanted."""

    email_id: str
    schedule_id: str | None = None
    fast: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """A message on its way into the queue; `due` is when it goes out, 0 for now."""

    receipt: asyncio.Future[Receipt]
    due: int

    def sent(self, receipt: Receipt, *, fast: bool) -> Sent:
        """It is ours to send."""
        schedule_id = schedule_id_of(receipt.queue_id) if self.due else None
        return Sent(email_id_of(receipt.queue_id), schedule_id, fast)


# Stands where the answer to an item of a batch will be.
NOT_YET = Sent("")


class Emails:
    """Takes e-mail of credentials."""

    def __init__(
        self,
        config: Config,
        sending: Sending,
        policies: Policies,
        templates: Templates,
        fetching: Fetching,
        *,
        clock: Clock = now_micros,
        new_queue_id: Callable[[], str] = new_id,
    ) -> None:
        self._ordering = Ordering(config, sending, clock=clock, new_queue_id=new_queue_id)
        self._policies = policies
        self._templates = templates
        self._fetching = fetching
        self._clock = clock
        self._largest = config.max_message_size

    async def send(self, caller: Caller, form: EmailForm) -> Sent:
        """One e-mail out of its parts or out of a template. Raises MailError."""
        due = self._due(form.schedule)
        begun = await self._begin(caller, await self._composed(caller, form, due), due)
        return begun.sent(await begun.receipt, fast=form.fastaccept)

    async def check(self, caller: Caller, form: EmailForm) -> int:
        """Judge an e-mail whose files are still in the web; when it is to go out, 0 for now.
        Raises MailError."""
        due = self._due(form.schedule)
        message = await self._composed(caller, with_own_files(form), due, no_file)
        judge(await self._policies.of(caller.account), caller.credential, message)
        return due

    async def send_checked(
        self, caller: Caller, form: EmailForm, *, queue_id: str, due: int, refused: str = ""
    ) -> None:
        """Send what was checked, under the id that was promised; or with `refused` let it be
        known that it is not sent, and why. Raises MailError."""
        fetch = no_file if refused else self._fetching.file
        message = await self._composed(caller, with_own_files(form), due, fetch)
        policy = await self._policies.of(caller.account)
        order = await self._ordering.order(
            caller, policy, message, due, door="http", queue_id=queue_id, refused=refused
        )
        await order

    async def mime(self, caller: Caller, form: MimeForm) -> Sent:
        """One message as somebody wrote it; who gets it stands in its header."""
        content = await asyncio.to_thread(written, form.mime_email)
        if len(content) > self._largest:
            raise too_big(self._largest)
        due = self._due(form.schedule)
        begun = await self._begin(caller, read_message(content), due)
        return begun.sent(await begun.receipt, fast=form.fastaccept)

    async def batch(self, caller: Caller, form: BatchForm) -> list[Sent | MailError]:
        """Several e-mails; each is sent or refused alone, in the order of the request."""
        if not 1 <= len(form.emails) <= MOST_IN_BATCH:
            raise BadField("emails", f"1 to {MOST_IN_BATCH} emails")
        places = asyncio.Semaphore(AT_ONCE)
        results: list[Sent | MailError] = [NOT_YET] * len(form.emails)
        begun: deque[tuple[int, Begun]] = deque()

        async def whole(index: int, here: Caller, item: EmailForm) -> None:
            async with places:
                try:
                    results[index] = replace(await self.send(here, item), fast=True)
                except MailError as refusal:
                    results[index] = refusal

        async def end(index: int, one: Begun) -> None:
            try:
                results[index] = one.sent(await one.receipt, fast=True)
            except MailError as refusal:
                results[index] = refusal

        # A task each would cost a letter a tenth; only what has to wait for something has one.
        async with asyncio.TaskGroup() as waiting:
            for index, item in enumerate(form.emails):
                if isinstance(item, MailError):
                    results[index] = item
                    continue
                here = caller
                if caller.idempotency_key:
                    here = replace(caller, idempotency_key=f"{caller.idempotency_key}:{index}")
                if item.template_id or item.attachments or item.inlines:
                    waiting.create_task(whole(index, here, item))
                    continue
                try:
                    due = self._due(item.schedule)
                    message = await self._composed(here, item, due)
                    begun.append((index, await self._begin(here, message, due)))
                except MailError as refusal:
                    results[index] = refusal
                if len(begun) >= AT_ONCE:
                    await end(*begun.popleft())
                if index % BREATH == 0:
                    await asyncio.sleep(0)
            for index, one in begun:
                await end(index, one)
        return results

    async def submit_smtp(
        self, principal: SendingPrincipal, envelope: Envelope, content: bytes, peer: Peer
    ) -> Receipt:
        """A message through the mail door: its envelope says who gets it."""
        credential = principal.credential
        assert credential is not None
        caller = Caller(credential, credential.account, peer.ip)
        try:
            message = read_message(content, recipients=envelope.recipients)
        except BadField as error:
            raise BadContent(error.detail) from None
        policy = await self._policies.of(credential.account)
        try:
            order = await self._ordering.order(
                caller, policy, message, 0, door=peer.protocol.lower(), smtputf8=envelope.smtputf8
            )
            return await order
        except Refusal as error:
            raise SenderRefused(error.detail) from None

    async def _composed(
        self, caller: Caller, form: EmailForm, due: int, fetch: Fetch | None = None
    ) -> Message:
        sender = person("sender", form.sender)
        if not form.to:
            raise BadField("to", "At least one address")
        subject, html, text = await self._words(caller, form)
        attachments = await files(form.attachments, form.inlines, fetch or self._fetching.file)
        draft, message_id = draft_of(
            form,
            sender=sender,
            subject=subject,
            html=html,
            text=text,
            attachments=attachments,
        )
        try:
            recipients = draft.recipients()
        except BadAddress as error:
            raise BadField("to", error.detail) from None
        now = self._clock()

        def named(queue_id: str) -> str:
            return message_id or new_message_id(queue_id, sender.address)

        def content(queue_id: str) -> bytes:
            whole = draft
            if due:
                schedule = ("X-Smtp2go-Schedule-Id", schedule_id_of(queue_id))
                whole = replace(draft, headers=(*draft.headers, schedule))
            return composed(whole, named(queue_id), now)

        return Message(
            sender=sender.address,
            sender_text=shown_mailbox(sender),
            authors=(sender.address,),
            recipients=recipients,
            content=content,
            subject=subject,
            fields=shown_fields(draft, message_id),
            large=sum(len(one.content) for one in attachments) > LARGE_FILES,
            message_id=named,
        )

    async def _words(self, caller: Caller, form: EmailForm) -> tuple[str, str | None, str | None]:
        """Subject, HTML and text, from the form or by its template. Raises BadField."""
        subject, html, text = form.subject, form.html_body, form.text_body
        if form.version not in (1, 2):
            raise BadField("version", "1 or 2")
        if form.template_id:
            rendered = await self._templates.render(
                caller.account, form.template_id, template_data(form.template_data), subject
            )
            subject, html, text = rendered.subject, rendered.html, rendered.text
        elif subject is None:
            raise BadField("subject", "Required unless there is a template_id")
        if html is None and text is None:
            raise BadField("text_body", "One of html_body and text_body is required")
        return subject or "", html, text

    async def _begin(self, caller: Caller, message: Message, due: int) -> Begun:
        """Have a message queued. Raises MailError for what is seen before that."""
        policy = await self._policies.of(caller.account)
        return Begun(await self._ordering.order(caller, policy, message, due, door="http"), due)

    def _due(self, schedule: str | int | float | None) -> int:
        """When a message is to go out; 0 for now. Raises BadField."""
        if schedule is None or schedule == "":
            return 0
        try:
            due = read_date(schedule)
        except BadRequest as error:
            raise BadField("schedule", error.detail) from None
        now = self._clock()
        if due < now - GRACE:
            raise BadField("schedule", "The time is in the past")
        if due > now + FARTHEST:
            raise BadField("schedule", "The time is more than 3 days ahead")
        return max(due, now + 1)


async def no_file(_: str) -> tuple[str, bytes]:
    """In place of a file that is not fetched now."""
    return "", b""


def template_data(value: Any) -> dict[str, Any]:
    """The values of a template: an object, or the text of one. Raises BadField."""
    if value is None:
        return {}
    if isinstance(value, str) and len(value) <= LARGEST_DATA_TEXT:
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            value = None
    if not isinstance(value, dict):
        raise BadField("template_data", "Must be an object")
    return value

"""E-mails that are accepted at once although files of theirs are still in the web (`fastaccept`,
sending-api §2.2).

Everything that can be judged without the files is judged before the answer, and the request is
on disk when it is given. A worker fetches the files and queues the message under the id that was
promised; what goes wrong then is told as a `reject` event of each recipient.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

import msgspec
from msgspec import Struct

from mailbox_service import signals as topics
from mailbox_service.core.email_id import email_id_of, schedule_id_of
from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import Conflict, MailError, TemporaryFailure, TooManyRequests
from mailbox_service.core.sending_api import Caller
from mailbox_service.services.clock import Clock, new_id, now_micros
from mailbox_service.services.kept_requests import key_of
from mailbox_service.services.leased_work import LeasedWork
from mailbox_service.services.queueing import KEY_LIFE
from mailbox_service.services.sending_api.composing import EmailForm
from mailbox_service.services.sending_api.emails import Emails, Sent
from mailbox_service.signals import Signals
from mailbox_service.storage import accepted_emails, idempotency, sending_messages
from mailbox_service.storage.accepted_emails import Accepted, NewAccepted
from mailbox_service.storage.database import Database, Transaction

log = logging.getLogger("mailbox.accepting")

# What one account may have waiting: each may be a request of many megabytes.
MOST_WAITING = 1_000
# Composed at once; each is in memory with all its files.
MOST_AT_ONCE = 2
# Longer than a hundred files of thirty seconds each, one after the other, and the writing.
LEASE_MICROS = 60 * 60 * 1_000_000
AGAIN_MICROS = 60 * 1_000_000
# Trouble of our own passes; what fails this often never will be composed.
MOST_TRIES = 10
NOT_COMPOSED = "The message could not be composed"


class KeptRequest(Struct, frozen=True):
    """Who asked for what."""

    caller: Caller
    form: EmailForm


read_request = msgspec.json.Decoder(KeptRequest)


class Accepting:
    """Takes e-mails whose files are fetched later, and the others at once."""

    def __init__(
        self,
        database: Database,
        emails: Emails,
        signals: Signals,
        *,
        clock: Clock = now_micros,
        new_queue_id: Callable[[], str] = new_id,
    ) -> None:
        self._database = database
        self._emails = emails
        self._signals = signals
        self._clock = clock
        self._new_queue_id = new_queue_id
        self._work = LeasedWork(
            "accepting",
            database,
            signals,
            topic=topics.ACCEPTED,
            most=MOST_AT_ONCE,
            next_turn=accepted_emails.next_turn,
            purge=nothing_is_over,
            kept_micros=0,
            clock=clock,
        )

    async def send(self, caller: Caller, form: EmailForm) -> Sent:
        """One e-mail. Raises MailError."""
        if not form.fastaccept or not from_the_web(form):
            return await self._emails.send(caller, form)
        due = await self._emails.check(caller, form)
        # The key is taken here and now; the message comes without one.
        request = KeptRequest(replace(caller, idempotency_key=None), form)
        new = NewAccepted(self._new_queue_id(), caller.account, msgspec.json.encode(request), due)
        queue_id = await self._database.write(accept, new, caller, now=self._clock())
        self._signals.notify(topics.ACCEPTED)
        schedule_id = schedule_id_of(queue_id) if due else None
        return Sent(email_id_of(queue_id), schedule_id, fast=True)

    # The worker.

    async def run(self) -> None:
        """Finish what was accepted, until cancelled."""
        await self._work.run(self.start_some)

    async def start_some(self) -> bool:
        """Lease what is due and begin with it; whether anything was begun."""
        return await self._work.begin_due(
            accepted_emails.claim_due, self._finish, lease_micros=LEASE_MICROS
        )

    async def settled(self) -> None:
        """Finish what is due now, and wait until it is over."""
        while await self.start_some() or self._work.busy:
            await self._work.settled()

    async def _finish(self, claim: Accepted) -> None:
        """Queue one, or tell why not; then it is done."""
        try:
            if not await self._is_queued(claim):
                await self._queue(claim)
            await asyncio.shield(self._database.write(accepted_emails.remove, claim.id))
        except TemporaryFailure as trouble:
            log.warning("accepted-waits queue_id=%s reason=%s", claim.queue_id, trouble.detail)
            at = self._clock() + AGAIN_MICROS
            await self._database.write(accepted_emails.again, claim.id, at=at)

    async def _is_queued(self, claim: Accepted) -> bool:
        """Whether a process that died had come this far."""
        found = await self._database.read(
            sending_messages.by_queue_id, claim.account, claim.queue_id
        )
        return found is not None

    async def _queue(self, claim: Accepted) -> None:
        request = read_request.decode(claim.request)
        refused = NOT_COMPOSED if claim.attempt > MOST_TRIES else ""
        while True:
            try:
                await self._emails.send_checked(
                    request.caller,
                    request.form,
                    queue_id=claim.queue_id,
                    due=claim.due_at,
                    refused=refused,
                )
                return
            except TemporaryFailure:
                raise
            except MailError as error:
                log.info("accepted-refused queue_id=%s reason=%s", claim.queue_id, error.detail)
                if refused:  # not even this can be told, as when a template is gone
                    return
                refused = error.detail


def from_the_web(form: EmailForm) -> bool:
    """Whether a file of an e-mail is to be fetched."""
    return any(file.get("url") for file in (*form.attachments, *form.inlines))


async def accept(tx: Transaction, new: NewAccepted, caller: Caller, *, now: int) -> str:
    """Keep an e-mail, or find the one that its key had kept; its queue id. Raises Conflict,
    TooManyRequests."""
    owner = Principal("credential", f"{caller.account}/{caller.credential.username}")
    key = key_of(owner, caller.idempotency_key, caller.fingerprint)
    if key is not None:
        kept = await idempotency.take(
            tx,
            principal=key.principal,
            key=key.text,
            fingerprint=key.fingerprint,
            queue_id=new.queue_id,
            message_id="",
            now=now,
            too_old=now - KEY_LIFE,
        )
        if kept is not None:
            if kept.fingerprint != key.fingerprint:
                raise Conflict("The idempotency key was used for another request")
            return kept.queue_id
    if not await accepted_emails.add(tx, new, now=now, most=MOST_WAITING):
        words = f"{MOST_WAITING} emails wait for their files already"
        raise TooManyRequests(words, retry_after=60.0)
    return new.queue_id


async def nothing_is_over(tx: Transaction, *, before: int, limit: int) -> None:
    """Rows go when they are done, so there is nothing old to remove."""

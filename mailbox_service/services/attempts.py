"""One attempt: who is asked, what they answered, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from mailbox_service.core.address import canonical, split, without_detail
from mailbox_service.core.delivery import Delivered, Failed, Reply, after_attempt, shown
from mailbox_service.core.envelope import Peer
from mailbox_service.core.errors import BadAddress, MailboxFull, MailError, TemporaryFailure
from mailbox_service.core.notification import FailedRecipient, failure_notice, wants_notice
from mailbox_service.core.trace_fields import count_received, received_field
from mailbox_service.services.clock import as_datetime
from mailbox_service.services.limiting import Taken
from mailbox_service.services.receiving import Receiving
from mailbox_service.services.sending_api.tracking import ApiMessage
from mailbox_service.services.signing import protocol_of
from mailbox_service.storage import send_queue
from mailbox_service.storage.leases import Claim, Settled
from mailbox_service.storage.submissions import Submission

INTERRUPTED = (
    "* The attempt before this one was cut off before its outcome was written down:"
    " the message may arrive twice."
)
UNCERTAIN = "* The message was sent whole and not answered: it may have arrived."


class Answer(Protocol):
    """What was said about one recipient.

    `uncertain`: the message was sent whole and no answer came. `unreachable`: nobody was there
    to ask. `conversation` is commands and replies, without content and credentials.
    """

    @property
    def reply(self) -> Reply: ...
    @property
    def remote(self) -> str: ...
    @property
    def conversation(self) -> str: ...
    @property
    def uncertain(self) -> bool: ...
    @property
    def unreachable(self) -> bool: ...


class Network(Protocol):
    """The way to foreign domains (`outbound`)."""

    def next_hop(self, sender_domain: str, recipient_domain: str) -> str | None:
        """The name of the next hop; None when mail for the domain is held."""
        ...

    async def send(
        self,
        sender_domain: str,
        reverse_path: str,
        recipients: Sequence[str],
        content: bytes,
        *,
        smtputf8: bool,
        begin: Callable[[], None],
    ) -> Mapping[str, Answer]:
        """An answer for each recipient. `begin` is called before the first command that names
        the message: until then a cut changes nothing."""
        ...


class LocalAnswer(Struct, frozen=True, gc=False):
    """What this host said about a recipient of its own, or about a message it cannot send."""

    reply: Reply
    remote: str
    conversation: str
    uncertain: bool = False
    unreachable: bool = False


class Job(Struct):
    """Leased recipients that share a message and a next hop (empty: our own mailboxes; None:
    held). `content` is None when it is yet to be read."""

    submission: Submission
    claims: tuple[Claim, ...]
    hop: str | None
    content: bytes | None
    damaged: bool
    lease_until: int
    begun: bool = False
    # Too little is left of the lease to begin.
    late: bool = False
    # What the sending API wants of the message, when it came from there.
    message: ApiMessage | None = None

    def begin(self) -> None:
        """From here on a cut leaves it open whether the message went out."""
        self.begun = True


class Outcome(Struct, frozen=True, gc=False):
    """What is written down about a recipient; `expired` when it failed because time ran out."""

    settled: Settled
    reply: Reply
    expired: bool = False

    @property
    def failed(self) -> bool:
        """Whether the recipient will not be tried again, and has not got the message."""
        state = self.settled.state
        return state in (send_queue.FAILED, send_queue.QUARANTINED)


def judge(
    claim: Claim,
    answer: Answer,
    *,
    started: int,
    now: int,
    jitter: float,
    damaged: bool = False,
) -> Outcome:
    """Decide what an answer means for a recipient (RFC 5321 §4.2.1, §4.5.4.1)."""
    verdict = after_attempt(
        answer.reply, attempt=claim.attempt, queued_at=claim.queued_at, now=now, jitter=jitter
    )
    next_attempt: int | None = None
    match verdict:
        case Delivered():
            state = send_queue.DELIVERED
        case Failed():
            state = send_queue.QUARANTINED if damaged else send_queue.FAILED
        case _:
            state, next_attempt = send_queue.DEFERRED, verdict.next_attempt
    told, reply = answer.conversation, shown(answer.reply)
    if claim.interrupted:
        told = f"{INTERRUPTED}\n{told}"
    if answer.uncertain:
        told, reply = f"{told}\n{UNCERTAIN}", f"{reply} (it may have arrived)"
    settled = Settled(
        claim=claim,
        state=state,
        next_attempt_at=next_attempt,
        started_at=started,
        ended_at=now,
        remote=answer.remote,
        reply=reply,
        conversation=told,
    )
    return Outcome(settled, answer.reply, isinstance(verdict, Failed) and verdict.expired)


def is_sound(claim: Claim) -> bool:
    """Whether a queue row is one that we wrote: its address and domain are canonical."""
    try:
        return (
            canonical(claim.recipient, single_label=True) == claim.recipient
            and split(claim.recipient)[1] == claim.domain
        )
    except BadAddress:
        return False


async def local_answers(
    receiving: Receiving, job: Job, content: bytes, *, by: str, now: int, rooms: list[Taken]
) -> tuple[bytes, Mapping[str, LocalAnswer]]:
    """Ask ourselves about recipients of our own: the trace field, and an answer for each. The
    caller gives back the `rooms` that the message has in mailboxes when it is there, or not."""
    submission = job.submission
    answers = {}
    for one in job.claims:
        try:
            count_received(content)
            room = await receiving.check_delivery(
                one.recipient, submission.reverse_path, len(content)
            )
            if room is not None:
                rooms.append(room)
            reply = Reply(250, "2.1.5", f"Accepted as {submission.queue_id}")
        except TemporaryFailure:
            raise  # nobody has been asked yet: the whole attempt is for later
        except MailError as refusal:
            code = 550 if refusal.enhanced.startswith("5") else 450
            code = 452 if isinstance(refusal, MailboxFull) else code
            reply = Reply(code, refusal.enhanced, refusal.detail)
        conversation = f"* {by}, without network\n> RCPT TO:<{one.recipient}>\n< {reply}"
        answers[one.recipient] = LocalAnswer(reply, by, conversation)
    only = job.claims[0].recipient if len(job.claims) == 1 else None
    trace = received_field(
        Peer("", protocol=protocol_of(submission.door)),
        by,
        submission.queue_id,
        only,
        as_datetime(now),
    )
    return trace, answers


def notice_of(
    submission: Submission,
    outcomes: Sequence[Outcome],
    content: bytes,
    *,
    reporting_mta: str,
    notice_id: str,
    now: int,
) -> bytes | None:
    """The notice of failure for the sender; None when nobody failed for good, or when the
    message is a report itself or asked for silence (RFC 5321 §4.5.5). It goes into a mailbox of
    ours and never out, so no forged reverse-path makes us write to a stranger."""
    failed = [one for one in outcomes if one.failed]
    sender = submission.reverse_path
    if not failed or submission.address not in (sender, without_detail(sender)):
        return None
    if not wants_notice(submission.reverse_path, content):
        return None
    return failure_notice(
        to=submission.reverse_path,
        failures=[
            FailedRecipient(
                one.settled.claim.recipient,
                one.reply,
                remote_mta=host_of(one.settled.remote) if one.reply.code else "",
                expired=one.expired,
            )
            for one in failed
        ],
        original=content,
        reporting_mta=reporting_mta,
        arrival=as_datetime(submission.created_at),
        message_id=f"<{notice_id.lower()}@{reporting_mta}>",
        date=as_datetime(now),
    )


def host_of(remote: str) -> str:
    """The name in `mx.example [192.0.2.1]:25`."""
    name = remote.partition(" ")[0]
    return name.rpartition(":")[0] if name.count(":") == 1 else name

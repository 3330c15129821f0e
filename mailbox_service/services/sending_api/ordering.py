"""A message is judged by the policy of its account and its credential, and handed over to
`sending.submit`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec

from mailbox_service.config import Config
from mailbox_service.core.address import canonical, domain_matches, split
from mailbox_service.core.api_values import MICROS, period_seconds
from mailbox_service.core.envelope import Envelope, Receipt
from mailbox_service.core.errors import MailError, MessageTooBig
from mailbox_service.core.sending_api import (
    SANDBOX,
    Caller,
    Credential,
    CredentialSettings,
    PaymentRequired,
    RateReached,
    Refusal,
    SendingPrincipal,
)
from mailbox_service.core.tracking import Traits
from mailbox_service.services.clock import Clock, as_datetime
from mailbox_service.services.kept_requests import json_text
from mailbox_service.services.queueing import SentBy
from mailbox_service.services.sending import Sending
from mailbox_service.services.sending_api.messages import LONGEST_SHOWN, Message
from mailbox_service.services.sending_api.policies import DISABLED, Policy
from mailbox_service.storage.sending_events import About
from mailbox_service.storage.sending_messages import NewMessage

UNVERIFIED = "From header sender domain not verified"
NOT_ALLOWED = "The sender is not among the allowed senders"
NO_TRAITS = Traits()
# What the text about a used-up rate calls a credential (sending-api §1.5).
RATED = {"api_key": "API key", "ip": "IP address"}


class Ordering:
    """Takes messages of credentials for the queue, or says why not."""

    def __init__(
        self,
        config: Config,
        sending: Sending,
        *,
        clock: Clock,
        new_queue_id: Callable[[], str],
    ) -> None:
        self._sending = sending
        self._clock = clock
        self._new_queue_id = new_queue_id
        self._largest = config.max_message_size
        self._most_scheduled = config.sending_scheduled

    async def order(
        self,
        caller: Caller,
        policy: Policy,
        message: Message,
        due: int,
        *,
        door: str,
        smtputf8: bool | None = None,
        queue_id: str = "",
        refused: str = "",
    ) -> asyncio.Future[Receipt]:
        """Judge by the policy of the account and the credential, and hand over. `queue_id`: it
        was promised before. `refused`: what was accepted is not sent, for this reason."""
        credential, settings = caller.credential, caller.credential.settings
        rejected = left_out(policy, credential, message, refused)
        recipients, auditor = message.recipients, ""
        if settings.audit_email and not refused:
            auditor = canonical(settings.audit_email)
            recipients = tuple(dict.fromkeys((*recipients, auditor)))
            rejected.pop(auditor, None)
        queue_id = queue_id or self._new_queue_id()
        content = await self._content(message, queue_id)
        subject = message.subject.replace("\0", "")[:LONGEST_SHOWN]
        sent_by = SentBy(
            queue_id=queue_id,
            credential=f"{caller.account}/{credential.username}",
            fingerprint=caller.fingerprint,
            rejected=rejected,
            due_at=due,
            message=NewMessage(
                queue_id=queue_id,
                account=caller.account,
                username=credential.username,
                sender=message.sender,
                subject=subject,
                fields=json_text({**message.fields, "from": message.sender_text}),
                size=len(content),
                client_ip=caller.ip,
                scheduled_at=due or None,
                archived=settings.archive_enabled,
                traits=traits_of(settings),
            ),
            about=About(
                caller.account,
                0,
                credential.username,
                message.sender,
                subject,
                client_ip=caller.ip,
            ),
            rates=() if refused else tuple(rates(caller, policy, self._clock())),
            most_scheduled=self._most_scheduled,
            message_id="" if message.message_id is None else message.message_id(queue_id),
            always=None if settings.status == SANDBOX or refused else auditor,
        )
        if smtputf8 is None:
            smtputf8 = needs_smtputf8((message.sender, *recipients), content)
        return self._sending.submit(
            SendingPrincipal("credential", message.sender, unlimited=True, credential=credential),
            Envelope(message.sender, recipients, smtputf8=smtputf8),
            content,
            door=door,
            idempotency_key=caller.idempotency_key,
            sent_by=sent_by,
        )

    async def _content(self, message: Message, queue_id: str) -> bytes:
        """The octets of a message. Raises MessageTooBig."""
        if message.large:
            content = await asyncio.to_thread(message.content, queue_id)
        else:
            content = message.content(queue_id)
        if len(content) > self._largest:
            raise too_big(self._largest)
        return content


def left_out(
    policy: Policy, credential: Credential, message: Message, refused: str
) -> dict[str, str]:
    """The recipients who do not get a message, each with the reason. Raises what `judge` does."""
    if refused:
        rejected = dict.fromkeys(message.recipients, refused)
    else:
        rejected = judge(policy, credential, message)
    if credential.settings.status == SANDBOX:
        rejected.update(dict.fromkeys(message.recipients, "The credential is a sandbox"))
    return rejected


def needs_smtputf8(addresses: Iterable[str], content: bytes) -> bool:
    """Whether only a server with SMTPUTF8 can take a message (RFC 6531 §3.4)."""
    return not all(one.isascii() for one in addresses) or not header_is_ascii(content)


def traits_of(settings: CredentialSettings) -> str | None:
    """What a credential asks for about its mail, as it is kept with a message; None for nothing."""
    if settings.bounce_notifications == NO_TRAITS.bounces_to and not (
        settings.open_tracking_enabled
        or settings.click_tracking_enabled
        or settings.feedback_enabled
    ):
        return None
    traits = Traits(
        opens=settings.open_tracking_enabled,
        clicks=settings.click_tracking_enabled,
        footer=settings.feedback_enabled,
        footer_html=settings.feedback_html if settings.feedback_enabled else "",
        footer_text=settings.feedback_text if settings.feedback_enabled else "",
        bounces_to=settings.bounce_notifications,
    )
    return msgspec.json.encode(traits).decode()


def judge(policy: Policy, credential: Credential, message: Message) -> dict[str, str]:
    """The recipients that are not sent to, each with the reason. Raises Refusal for a sender that
    may not send, and when nobody would be left."""
    for author in message.authors:
        if not policy.verified(author):
            raise Refusal(UNVERIFIED)
    check_sender(policy, credential, message.sender)
    if policy.recipients.mode == DISABLED:
        return {}
    rejected = {
        one: "The recipient is not among the allowed recipients"
        for one in message.recipients
        if not policy.recipients.allows(one)
    }
    if rejected and len(rejected) == len(message.recipients):
        raise Refusal("No recipient is among the allowed recipients")
    return rejected


def check_sender(policy: Policy, credential: Credential, sender: str) -> None:
    """Refuse a sender that the lists of the account or the credential do not let pass."""
    if not policy.senders.allows(sender):
        raise Refusal(NOT_ALLOWED)
    limits = credential.limits
    named = (sender, split(sender)[1])
    if limits.allow_senders and not set(limits.allow_senders).intersection(named):
        raise Refusal(NOT_ALLOWED)
    if set(limits.disable_senders).intersection(named):
        raise Refusal(NOT_ALLOWED)
    if limits.sender_domain and not domain_matches(split(sender)[1], (limits.sender_domain,)):
        raise Refusal(NOT_ALLOWED)


def rates(caller: Caller, policy: Policy, now: int) -> list[tuple[str, int, MailError]]:
    """The counters that one message passes: the credential's own rate, the plan of the month.
    Their names sort by age, so that old ones are found."""
    found: list[tuple[str, int, MailError]] = []
    settings = caller.credential.settings
    if settings.custom_ratelimit:
        window = period_seconds(settings.custom_ratelimit_period)
        second = now // MICROS
        begins = second - second % window
        word = RATED.get(caller.credential.kind, "SMTP user")
        limited = RateReached(
            f"{word} ratelimit exceeded: {settings.custom_ratelimit_value} in "
            f"{settings.custom_ratelimit_period}",
            retry_after=begins + window - second,
        )
        name = f"sending:{begins + window:012}:{caller.credential.username}"
        found.append((name, settings.custom_ratelimit_value, limited))
    if policy.limit is not None:
        used_up = PaymentRequired(f"The plan of {policy.limit} emails a month is used up")
        found.append((plan_period(policy.account, now), policy.limit, used_up))
    return found


def plan_period(account: str, now: int) -> str:
    """The counter of an account's month."""
    return as_datetime(now).strftime(f"sending-plan:%Y-%m:{account}")


def header_is_ascii(content: bytes) -> bool:
    """Whether a header section needs no SMTPUTF8 (RFC 6531 §3.1)."""
    return content[: content.find(b"\r\n\r\n")].isascii()


def too_big(most: int) -> MessageTooBig:
    return MessageTooBig(f"The message is larger than {most} octets")

"""Copies of messages for one recipient each: made when they leave, and what they tell later.

Whoever opens, clicks or unsubscribes proves a signed link and nothing else. What follows is an
event, and for unsubscribing a suppression, in one transaction.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core import user_agent
from mailbox_service.core.address import split
from mailbox_service.core.policy import served_by
from mailbox_service.core.return_path import UNSUBSCRIBE as BY_MAIL
from mailbox_service.core.return_path import ReturnPaths
from mailbox_service.core.tracking import (
    CLICK,
    OPEN,
    UNSUBSCRIBE,
    Copy,
    Mark,
    Marks,
    Traits,
    links_of,
    personalised,
)
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sending_api.places import Places
from mailbox_service.services.sending_api.policies import Policies
from mailbox_service.signals import Signals
from mailbox_service.storage import sending_events, sending_messages, suppressions, tracked
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.sending_events import About, NewEvent
from mailbox_service.storage.sending_messages import SentMessage
from mailbox_service.storage.submissions import Submission
from mailbox_service.storage.tracked import TrackedCopy

T = TypeVar("T")

# Where nothing comes from the sending API, so that nobody looks it up.
MAILBOX_API = "api"
REASON = "unsubscribe"
# What one copy may tell of openings and clicks: a scanner that looks all day tells nothing new.
MOST_TOLD = 1_000
REMEMBERED = 2_000
LONGEST_AGENT = 500
# Parsing more than this holds the event loop; a thread does it.
SMALL = 16_384

read_traits = msgspec.json.Decoder(Traits)


@dataclass(frozen=True, slots=True)
class ApiMessage:
    """A message of the sending API as delivery needs it."""

    account: str
    traits: Traits


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who followed a link."""

    ip: str = ""
    agent: str = ""
    link: str = ""


class Tracking:
    """Makes copies, and hears what they tell."""

    def __init__(
        self,
        database: Database,
        config: Config,
        policies: Policies,
        signals: Signals,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._policies = policies
        self._signals = signals
        self._clock = clock
        self._marks = Marks(config.jwt_secret)
        self._paths = ReturnPaths(config.jwt_secret)
        self._bounce_domain = config.bounce_domain.lower()
        self._served = frozenset(config.served_domains)
        self._own = next(iter(config.served_domains), "")
        url = config.tracking_url or config.frontend_url or f"http://{config.http_listen}"
        self._url = url.rstrip("/")
        self._places = Places(config.geoip_database)
        self._known: OrderedDict[int, ApiMessage | None] = OrderedDict()

    # When a message leaves.

    async def message(self, submission: Submission) -> ApiMessage | None:
        """What the sending API wants of a message; None for one that came another way."""
        if submission.door == MAILBOX_API:
            return None
        known = self._known.get(submission.id)
        if known is not None or submission.id in self._known:
            return known
        kept = await self._database.read_quick(sending_messages.by_submission, submission.id)
        return self.know(submission.id, kept)

    def know(self, submission_id: int, kept: SentMessage | None) -> ApiMessage | None:
        """Remember what the store has about a message, None for nothing."""
        known = None
        if kept is not None:
            traits = Traits() if kept.traits is None else read_traits.decode(kept.traits)
            known = ApiMessage(kept.account, traits)
        self._known[submission_id] = known
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return known

    async def return_path(
        self, submission: Submission, message: ApiMessage, recipients: Sequence[str]
    ) -> str:
        """The return-path of a copy, one of its own where bounces reach us: below the sender's
        domain where its DNS says so (sending-api §7.4), else at a domain of ours."""
        domain = await self._returns_to(submission.reverse_path, message.account)
        if not domain:
            return submission.reverse_path
        domains = {split(one)[1] for one in recipients}
        return f"{self._paths.local_part(submission.queue_id, domains)}@{domain}"

    async def _returns_to(self, sender: str, account: str) -> str:
        domain = split(sender)[1] if sender else ""
        if not domain:
            return ""
        policy = await self._policies.of(account)
        # Mail of a foreign sender fails its SPF with their domain, and their bounces are lost.
        return policy.return_host(domain) or self._domain_of(sender) or self._own

    def _domain_of(self, sender: str) -> str:
        domain = split(sender)[1] if sender else ""
        if self._bounce_domain or not domain:
            return self._bounce_domain if domain else ""
        return domain if served_by(domain, self._served) is not None else ""

    async def personal(
        self, submission: Submission, message: ApiMessage, recipient: str, content: bytes
    ) -> bytes:
        """The copy of one recipient."""
        links: list[str] = []
        if message.traits.clicks:
            links = await in_thread(len(content), links_of, content)
        copy_id = await self._database.write(
            tracked.keep,
            submission_id=submission.id,
            account=message.account,
            recipient=recipient,
            links=links,
            now=self._clock(),
        )
        places = {url: place for place, url in enumerate(links)}

        def link_to(url: str) -> str | None:
            place = places.get(url)
            return None if place is None else self._link(Mark(CLICK, copy_id, place))

        token = self._marks.token(Mark(UNSUBSCRIBE, copy_id))
        domain = await self._returns_to(submission.reverse_path, message.account)
        copy = Copy(
            traits=message.traits,
            recipient=recipient,
            picture=self._link(Mark(OPEN, copy_id)),
            unsubscribe=self._link(Mark(UNSUBSCRIBE, copy_id)),
            unsubscribe_by_mail=f"{BY_MAIL}{token}@{domain}" if domain else "",
            link_to=link_to,
        )
        return await in_thread(len(content), personalised, content, copy)

    def _link(self, mark: Mark) -> str:
        return f"{self._url}/t/{mark.kind}/{self._marks.token(mark)}"

    # When somebody follows a link.

    def _told_of(self, visitor: Visitor) -> dict[str, str]:
        return {**told_of(visitor), **self._places.of(visitor.ip)}

    async def opened(self, token: str, visitor: Visitor) -> None:
        """Write down that a copy was opened, when the link is one of ours."""
        mark = self._marks.read(OPEN, token)
        if mark is None:
            return
        detail = self._told_of(visitor)
        if await self._database.write(
            tell, mark.copy_id, "opened", json.dumps(detail), self._clock()
        ):
            self._signals.notify(topics.SENDING_EVENTS)

    async def clicked(self, token: str, visitor: Visitor | None) -> str | None:
        """Where a link leads, written down as a click, unless nobody follows it; None when it is
        none of ours."""
        mark = self._marks.read(CLICK, token)
        if mark is None:
            return None
        url = await self._database.read(target_of, mark.copy_id, mark.place)
        if url is None or visitor is None:
            return url
        link = f"{self._url}/t/{CLICK}/{token}"
        detail = {**self._told_of(visitor), "click_url": url, "url": url, "link": link}
        if await self._database.write(
            tell, mark.copy_id, "clicked", json.dumps(detail), self._clock()
        ):
            self._signals.notify(topics.SENDING_EVENTS)
        return url

    async def subscriber(self, token: str) -> str | None:
        """The address that a link to unsubscribe is about; None when it is none of ours."""
        found = await self._subscriber(token)
        return None if found is None else found.recipient

    async def _subscriber(self, token: str) -> TrackedCopy | None:
        mark = self._marks.read(UNSUBSCRIBE, token)
        if mark is None:
            return None
        return await self._database.read(tracked.get, mark.copy_id)

    async def unsubscribe(self, token: str, visitor: Visitor) -> str | None:
        """Send no more to whom a link is about; the address, None for no link of ours."""
        return await self._change(token, visitor, wanted=False)

    async def resubscribe(self, token: str, visitor: Visitor) -> str | None:
        """Send to them again."""
        return await self._change(token, visitor, wanted=True)

    async def _change(self, token: str, visitor: Visitor, *, wanted: bool) -> str | None:
        found = await self._subscriber(token)
        if found is None:
            return None
        detail = json.dumps(self._told_of(visitor))
        await self._database.write(change, found, wanted, detail, self._clock())
        self._signals.notify(topics.SENDING_EVENTS)
        return found.recipient

    def unsubscribes(self, address: str) -> bool:
        """Whether mail to an address unsubscribes somebody."""
        return self._token_of(address) is not None

    def _token_of(self, address: str) -> str | None:
        local = split(address)[0].lower()
        token = local.removeprefix(BY_MAIL)
        if token == local or self._marks.read(UNSUBSCRIBE, token) is None:
            return None
        return token

    async def unsubscribe_by_mail(self, address: str) -> None:
        """Unsubscribe whom an address is about."""
        token = self._token_of(address)
        if token is not None:
            await self.unsubscribe(token, Visitor())

    async def purge(self, before: int) -> None:
        """Forget what is old: its links lead nowhere from then on."""
        await self._database.write(tracked.purge, before=before, limit=500)


async def in_thread(size: int, work: Callable[..., T], *arguments: object) -> T:
    """Work that takes a while for a large message."""
    if size <= SMALL:
        return work(*arguments)
    return await asyncio.to_thread(work, *arguments)


def told_of(visitor: Visitor) -> dict[str, str]:
    """What webhooks are told of somebody who followed a link (sending-api §6.3)."""
    program = user_agent.read(visitor.agent)
    told = {
        "user-agent": visitor.agent[:LONGEST_AGENT],
        "client": program.client,
        "client-device": program.device,
        "client-os": program.os,
        "srchost": visitor.ip,
    }
    return {key: text for key, text in told.items() if text}


async def about(tx: Transaction, copy: TrackedCopy) -> About:
    """The message of a copy, as far as it is still known."""
    message = await sending_messages.by_submission(tx, copy.submission_id)
    if message is None:
        return About(copy.account, copy.submission_id, "", "", "")
    return About(
        message.account, copy.submission_id, message.username, message.sender, message.subject
    )


async def tell(tx: Transaction, copy_id: int, kind: str, detail: str, now: int) -> bool:
    """Write down what a copy tells; False when there is none, or it told enough."""
    copy = await tracked.get(tx, copy_id)
    if copy is None or not await tracked.tell(tx, copy_id, most=MOST_TOLD):
        return False
    event = NewEvent(kind, now, copy.recipient, detail=detail)
    await sending_events.add(tx, await about(tx, copy), [event])
    return True


async def target_of(tx: Transaction, copy_id: int, place: int) -> str | None:
    """Where a link of a copy leads."""
    copy = await tracked.get(tx, copy_id)
    return None if copy is None else await tracked.link(tx, copy.submission_id, place)


async def change(tx: Transaction, copy: TrackedCopy, wanted: bool, detail: str, now: int) -> None:
    """Suppress the recipient of a copy, or take that back; told once."""
    if wanted:
        removed = await suppressions.remove(
            tx, account=copy.account, target=copy.recipient, reason=REASON
        )
        if not removed:
            return
        kind = "resubscribed"
    else:
        there = await suppressions.among(
            tx, account=copy.account, targets=[copy.recipient], now=now
        )
        if there.get(copy.recipient) == REASON:
            return
        message = await sending_messages.by_submission(tx, copy.submission_id)
        await suppressions.put(
            tx,
            account=copy.account,
            target=copy.recipient,
            reason=REASON,
            subject="" if message is None else message.subject,
            now=now,
        )
        kind = "unsubscribed"
    event = NewEvent(kind, now, copy.recipient, detail=detail)
    await sending_events.add(tx, await about(tx, copy), [event])

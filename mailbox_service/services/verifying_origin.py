"""Where does a mail come from? SPF, DKIM, DMARC and ARC of arrived mail, found out after it was
accepted.

The worker reads messages behind its own cursor and asks the name system about many at a time,
with a limit for each. Its verdicts and the cursor are written in one transaction, so that none
is lost or made twice when the process is killed. Nothing here holds up or refuses a mail, and
the worker rests while mail arrives.
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core import arc, dkim_verification, dmarc, spf
from mailbox_service.core.arc import ArcResult
from mailbox_service.core.dkim_verification import DkimResult
from mailbox_service.core.dmarc import DmarcResult
from mailbox_service.core.errors import BadContent, MailError
from mailbox_service.core.names import Names, NoSuchName, NotKnownNow
from mailbox_service.core.signatures import SignedMessage
from mailbox_service.core.spf import SpfResult
from mailbox_service.core.stored import StoredVerdicts
from mailbox_service.core.trace_fields import traced
from mailbox_service.core.verdicts import Findings, author_domains
from mailbox_service.services.consequences import Fate
from mailbox_service.services.judged_webhooks import JudgedWebhooks
from mailbox_service.signals import Signals
from mailbox_service.storage import contents, cursors, verdicts
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.verdicts import Arrived

log = logging.getLogger("mailbox.verdicts")

CURSOR = "verdicts"
# Messages judged at a time, and their octets: most of the time of one is waiting for names.
BATCH = 50
BATCH_OCTETS = 16 << 20
# Seconds that the names of one message may take in all (RFC 7208 §4.6.4 advises 20 at least for
# SPF, which a worker that gives a verdict and refuses nothing need not wait for).
NAMES_SECONDS = 15.0
# Questions that wait for an answer at once, for all messages together.
MOST_QUESTIONS = 100
LOOK_AGAIN_SECONDS = 5.0
TROUBLE_SECONDS = 2.0
# Accepting comes first: begin when no mail came for a while, and rest for so many times as long
# as the last look took while more keeps coming.
QUIET_SECONDS = 0.05
MOST_PAUSES = 40
REST_IN_FLOOD = 10.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages behind the cursor: where it stood, where the batch ends, how many there are, and
    those that came from somebody, with their bytes, each content once."""

    seen: int
    last: int
    count: int
    mails: tuple[tuple[tuple[Arrived, ...], bytes], ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdicts of one content and the messages that have it."""

    ids: tuple[int, ...]
    found: StoredVerdicts


class PoliteNames:
    """The name system with a bound on how many questions wait at once."""

    def __init__(self, names: Names, most: int = MOST_QUESTIONS) -> None:
        self._names = names
        self._places = asyncio.Semaphore(most)

    async def texts(self, name: str) -> list[bytes]:
        async with self._places:
            return await self._names.texts(name)

    async def host_addresses(self, name: str, version: spf.Version) -> list[str]:
        async with self._places:
            return await self._names.host_addresses(name, version)

    async def mail_hosts(self, name: str) -> list[str]:
        async with self._places:
            return await self._names.mail_hosts(name)

    async def names_of(self, address: str) -> list[str]:
        async with self._places:
            return await self._names.names_of(address)


class VerifyingOrigin:
    """The worker that judges where mail comes from."""

    def __init__(
        self,
        database: Database,
        config: Config,
        names: Names,
        signals: Signals,
        *,
        webhooks: JudgedWebhooks | None = None,
        names_seconds: float = NAMES_SECONDS,
    ) -> None:
        self._database = database
        self._names: Names = PoliteNames(names)
        self._signals = signals
        self._webhooks = webhooks
        self._seconds = names_seconds
        self.enabled = config.verify_origin
        self._own_name = config.own_name
        # Where attachments are taken out at acceptance, a signature over the body cannot hold.
        self._changes_bodies = config.remove_all_attachment or config.remove_exceed_size_attachment

    @property
    def authserv_id(self) -> str:
        """Our name in Authentication-Results (RFC 8601 §2.5)."""
        return self._own_name

    async def run(self) -> None:
        """Judge until cancelled; at once done where it is switched off."""
        if not self.enabled:
            return
        with self._signals.watch(topics.MESSAGES) as watch:
            while True:
                started = time.monotonic()
                try:
                    count = await self.judge_some()
                except MailError as error:
                    log.warning("verdicts-wait reason=%s", error.detail)
                    await asyncio.sleep(TROUBLE_SECONDS)
                    continue
                if count:
                    if await watch.wait(0.0):
                        await asyncio.sleep((time.monotonic() - started) * REST_IN_FLOOD)
                    continue
                await watch.wait(LOOK_AGAIN_SECONDS)
                await watch.settle(QUIET_SECONDS, MOST_PAUSES)

    async def judge_some(self) -> int:
        """Judge the next messages; how many were looked at."""
        waiting = await self._database.read(next_messages)
        if not waiting.count:
            return 0
        judged = await asyncio.gather(*[self._judge(*mail) for mail in waiting.mails])
        fates: Sequence[Fate] = ()
        if self._webhooks is not None:
            mails = zip(waiting.mails, judged, strict=True)
            fates = await self._webhooks.fates(
                self._database,
                [(arrived, content, one.found) for (arrived, content), one in mails],
            )
        await asyncio.shield(self._database.write(self._keep, judged, fates, waiting))
        if any(fate.posts for fate in fates):
            self._signals.notify(topics.WEBHOOKS)
        return waiting.count

    async def _keep(
        self,
        tx: Transaction,
        judged: Sequence[Judged],
        fates: Sequence[Fate],
        waiting: Waiting,
    ) -> None:
        """Write down what was found out, and what follows from it."""
        if (
            await keep_verdicts(tx, judged, seen=waiting.seen, last=waiting.last)
            and self._webhooks is not None
        ):
            await self._webhooks.keep(tx, fates)

    async def _judge(self, arrived: Sequence[Arrived], content: bytes) -> Judged:
        one = arrived[0]
        ids = tuple(message.id for message in arrived)
        try:
            findings = await self._findings(one, content)
        except Exception:
            # One message that breaks a rule of ours must not stop those behind it.
            log.exception("verdict-failed message=%d", one.id)
            findings = unknown(one.reverse_path, "the check failed")
        return Judged(ids, findings.verdicts)

    async def _findings(self, one: Arrived, content: bytes) -> Findings:
        trace = traced(content)
        if trace is not None:
            content = content[trace.start :]
        peer = ("", "") if trace is None else (trace.ip, trace.helo)
        deadline = asyncio.get_running_loop().time() + self._seconds
        sender, (signatures, chain) = await asyncio.gather(
            self._spf(*peer, one.reverse_path, deadline),
            self._signatures(content, one.received_at // 1_000_000, deadline),
        )
        policy = await self._dmarc(one, content, sender, signatures, deadline)
        if not peer[0] and policy.result == "fail":
            # It came from this house, where senders prove themselves otherwise.
            policy = DmarcResult("none", policy.domain)
        return Findings(sender, signatures, policy, chain)

    async def _spf(self, ip: str, helo: str, reverse_path: str, deadline: float) -> SpfResult:
        try:
            async with asyncio.timeout_at(deadline):
                return await spf.check(self._names, ip=ip, helo=helo, reverse_path=reverse_path)
        except TimeoutError:
            return late(helo, reverse_path)

    async def _signatures(
        self, content: bytes, now_seconds: int, deadline: float
    ) -> tuple[list[DkimResult], ArcResult]:
        """What the signatures of a message prove. Keys are fetched first, so that the thread
        that computes never waits for the network."""
        if b"\n" not in content or not has_signatures(content):
            return [], ArcResult("none")
        try:
            message = await asyncio.to_thread(SignedMessage.read, content)
        except BadContent:
            reason = "the header section cannot be read"
            return [DkimResult("permerror", reason=reason)], ArcResult("fail", reason=reason)
        names = [*dkim_verification.key_names(message), *arc.key_names(message)]
        keys = await self._keys(list(dict.fromkeys(names)), deadline)
        signatures = await asyncio.to_thread(
            dkim_verification.verify, message, keys, now_seconds=now_seconds
        )
        chain = await asyncio.to_thread(arc.verify, message, keys)
        if self._changes_bodies:
            signatures = [neutral(one) for one in signatures]
            chain = chain if chain.result != "fail" else ArcResult("none")
        return signatures, chain

    async def _keys(
        self, names: Iterable[str], deadline: float
    ) -> dict[str, Sequence[bytes] | None]:
        async def key(name: str) -> tuple[str, Sequence[bytes] | None]:
            try:
                async with asyncio.timeout_at(deadline):
                    return name, await self._names.texts(name)
            except NoSuchName:
                return name, ()
            except (NotKnownNow, TimeoutError):
                return name, None

        return dict(await asyncio.gather(*[key(name) for name in names]))

    async def _dmarc(
        self,
        one: Arrived,
        content: bytes,
        sender: SpfResult,
        signatures: Sequence[DkimResult],
        deadline: float,
    ) -> DmarcResult:
        authors = await asyncio.to_thread(author_domains, content)
        doubtful = [sender.result, *(signature.result for signature in signatures)]
        try:
            async with asyncio.timeout_at(deadline):
                return await dmarc.check(
                    self._names,
                    author_domains=authors,
                    spf_domain=sender.domain if sender.result == "pass" else None,
                    dkim_domains=[
                        signature.domain for signature in signatures if signature.result == "pass"
                    ],
                    uncertain="temperror" in doubtful or "neutral" in doubtful[1:],
                    # The same for one content whenever it is judged.
                    sample=zlib.crc32(content[:4_096]) % 100,
                )
        except TimeoutError:
            return DmarcResult("temperror", authors[0] if authors else "", reason="no answer")


def has_signatures(content: bytes) -> bool:
    """Whether there may be a DKIM or ARC field; bodies that quote one cost a closer look."""
    lowered = content[:262_144].lower()
    return b"dkim-signature" in lowered or b"arc-seal" in lowered


def neutral(signature: DkimResult) -> DkimResult:
    """A signature over a body that this service changed says nothing when it does not hold."""
    if signature.result != "fail":
        return signature
    return DkimResult(
        "neutral",
        signature.domain,
        signature.selector,
        signature.algorithm,
        signature.start,
        "attachments were taken out here",
    )


def late(helo: str, reverse_path: str) -> SpfResult:
    """SPF that took too long."""
    domain = (reverse_path or helo).rpartition("@")[2]
    identity = spf.identity_of(reverse_path)
    return SpfResult("temperror", identity, reverse_path or helo, domain, "no answer in time")


def unknown(reverse_path: str, reason: str) -> Findings:
    """What is said of a message that could not be judged."""
    return Findings(
        SpfResult("temperror", spf.identity_of(reverse_path), reverse_path, "", reason),
        (),
        DmarcResult("temperror", "", reason=reason),
        ArcResult("none"),
    )


async def next_messages(tx: Transaction) -> Waiting:
    """What comes behind the cursor; each content is read once, however many mailboxes have it."""
    seen = await cursors.get(tx, CURSOR)
    found = await verdicts.arrived(tx, after=seen, limit=BATCH)
    groups: dict[int, list[Arrived]] = {}
    octets = count = 0
    last = seen
    for one in found:
        if not one.quiet:
            if one.content_id not in groups:
                if groups and octets + one.size > BATCH_OCTETS:
                    break
                octets += one.size
            groups.setdefault(one.content_id, []).append(one)
        last = one.id
        count += 1
    mails = []
    for content_id, arrived in groups.items():
        try:
            mails.append((tuple(arrived), await contents.read(tx, content_id)))
        except contents.Damaged as damage:
            log.error("content-damaged message=%d reason=%s", arrived[0].id, damage)
    return Waiting(seen, last, count, tuple(mails))


async def keep_verdicts(tx: Transaction, judged: Sequence[Judged], *, seen: int, last: int) -> bool:
    """Write verdicts down, and how far the worker came; False, and nothing written, when another
    process came first."""
    if not await cursors.move(tx, CURSOR, before=seen, position=last):
        return False
    for one in judged:
        await verdicts.add(tx, one.ids, one.found)
    return True

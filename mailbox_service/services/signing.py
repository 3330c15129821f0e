"""What a message gets when it leaves this host: safe lines, a trace field, DKIM signatures.

The stored message stays as its author made it. Every sending domain has keys of its own, made
when its first message leaves; the public halves belong into DNS (`records`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from mailbox_service.config import Config
from mailbox_service.core.address import split
from mailbox_service.core.dkim import (
    Signer,
    Unsigned,
    dns_record,
    generate_key,
    unsigned_fields,
)
from mailbox_service.core.envelope import Peer
from mailbox_service.core.errors import BadContent
from mailbox_service.core.policy import served_by
from mailbox_service.core.safe_lines import SafeLines, safe_lines
from mailbox_service.core.trace_fields import received_field
from mailbox_service.services.clock import Clock, now_micros, second_of
from mailbox_service.services.slow_signatures import SlowSignatures
from mailbox_service.storage import dkim_keys
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.dkim_keys import DkimKey
from mailbox_service.storage.submissions import Submission

log = logging.getLogger("mailbox.signing")

Algorithm = Literal["rsa", "ed25519"]

# RSA for every verifier there is, Ed25519 for those that can be quick (RFC 8463).
ALGORITHMS: tuple[Algorithm, ...] = ("rsa", "ed25519")
# Keys are looked up anew after this time, so that another process's rotation is noticed.
KEYS_SECONDS = 300.0
# Domains of senders whose keys are at hand.
MOST_READY = 10_000
# A new key of a rotation signs only after its DNS record had time to be published and seen.
PUBLISH_MICROS = 3 * 24 * 3_600 * 1_000_000
# Mail that an old key signed may be on the way for this long after the next began to sign.
LAST_MAIL_MICROS = 7 * 24 * 3_600 * 1_000_000
# Signing more than this holds the event loop noticeably; a thread does it.
SMALL_CONTENT = 65_536


@dataclass(frozen=True, slots=True)
class Keys:
    """The signers of one domain, and when they are looked up again (event loop time)."""

    signers: tuple[Signer, ...]
    slow: bool
    until: float


class Signing:
    """Prepares messages for leaving; holds the signers of our domains."""

    def __init__(
        self,
        database: Database,
        config: Config,
        *,
        clock: Clock = now_micros,
        algorithms: Sequence[Algorithm] = (),
    ) -> None:
        """`algorithms` in place of those that the configuration names."""
        self._database = database
        self._domains = frozenset(config.served_domains)
        self._own_name = config.own_name
        self._clock = clock
        chosen = algorithms or config.dkim_algorithms
        self._algorithms = tuple(name for name in ALGORITHMS if name in chosen)
        self._keys: dict[str, Keys] = {}
        # The same by the domains of senders, which may be below those that sign for them.
        self._ready: dict[str, Keys] = {}
        self._making = asyncio.Lock()
        self._slow = SlowSignatures()

    async def departing(self, submission: Submission, content: bytes) -> bytes:
        """The message as it goes to the next hop (RFC 5321 §4.4, RFC 6376 §5)."""
        domain = split(submission.address)[1]
        keys = self._ready.get(domain)
        if keys is None or keys.until < asyncio.get_running_loop().time():
            keys = await self._keys_of(domain)
            if len(self._ready) >= MOST_READY:
                self._ready.clear()
            self._ready[domain] = keys
        now = self._clock()
        trace = received_field(
            peer_of(submission.door),
            self._own_name,
            submission.queue_id,
            None,  # a name here would tell each recipient about another
            second_of(submission.created_at // 1_000_000),
        )
        queue_id = submission.queue_id
        if len(content) > SMALL_CONTENT:
            return await asyncio.to_thread(finished, content, trace, keys.signers, now, queue_id)
        if not keys.slow:
            return finished(content, trace, keys.signers, now, queue_id)
        content = safe_lines(content)
        unsigned = prepared(trace + content, keys.signers, now, queue_id)
        slow = [self._slow.sign(one.signer, one.data) for one in unsigned if one.signer.slow]
        made = iter([await signature for signature in slow])
        fields = [
            one.signed(next(made) if one.signer.slow else one.signer.signature(one.data))
            for one in unsigned
        ]
        return SafeLines(b"".join((*fields, trace, content)))

    async def records(self, domain: str) -> list[tuple[str, str]]:
        """The TXT records that DNS must have for the keys of a domain: name and text. A key whose
        successor has signed for a week needs none."""
        await self._keys_of(domain)
        signing = served_by(domain, self._domains) or domain
        kept = await self._database.read(dkim_keys.of_domain, signing)
        return [
            (
                Signer(key.domain, key.selector, key.private_key).dns_name,
                dns_record(key.private_key),
            )
            for key in keys_in_dns(kept, self._clock())
        ]

    async def rotate(self, domain: str) -> list[tuple[str, str]]:
        """Make the next keys of a domain; the TXT records of all its keys.

        Publish the new records within three days: then the new keys begin to sign. Keep the old
        ones for a week after that, for mail that is still on the way.
        """
        await self._keys_of(domain)
        made = {algorithm: await new_key(algorithm) for algorithm in self._algorithms}
        await self._database.write(add_next, domain, made, self._clock())
        self._keys.pop(domain, None)
        self._ready.clear()
        return await self.records(domain)

    async def _keys_of(self, sender_domain: str) -> Keys:
        domain = served_by(sender_domain, self._domains) or sender_domain
        keys = self._keys.get(domain)
        now = asyncio.get_running_loop().time()
        if keys is not None and keys.until > now:
            return keys
        async with self._making:
            keys = self._keys.get(domain)
            if keys is not None and keys.until > now:
                return keys  # somebody else made them ready while we waited
            kept = await self._database.read(dkim_keys.of_domain, domain)
            algorithms = self._algorithms
            lacking = [name for name in algorithms if name not in {k.algorithm for k in kept}]
            if domain not in self._domains:
                # A sender domain elsewhere: its one key was published when it was verified, and
                # signs for the names below it, whatever is chosen for domains of ours.
                kept = kept or await self._database.read(keys_above, domain)
                algorithms, lacking = ALGORITHMS, []
            if lacking:
                made = {algorithm: await new_key(algorithm) for algorithm in lacking}
                kept = await self._database.write(add_first, domain, made, self._clock())
                log.info("dkim-keys-made domain=%s algorithms=%s", domain, ",".join(lacking))
            chosen = keys_in_use(kept, algorithms, self._clock())
            signers = tuple(Signer(key.domain, key.selector, key.private_key) for key in chosen)
            slow = any(signer.slow for signer in signers)
            keys = Keys(signers, slow, now + KEYS_SECONDS)
            self._keys[domain] = keys
            return keys


async def keys_above(tx: Transaction, domain: str) -> list[DkimKey]:
    """The keys of the nearest domain above one that has some (RFC 6376 §3.10)."""
    while domain.count(".") > 1:
        domain = domain.partition(".")[2]
        if kept := await dkim_keys.of_domain(tx, domain):
            return kept
    return []


async def new_key(algorithm: Algorithm) -> str:
    """A private key as PEM; for RSA that takes a good part of a second of computing."""
    return await asyncio.to_thread(generate_key, algorithm)


async def add_first(
    tx: Transaction, domain: str, made: dict[Algorithm, str], now: int
) -> list[DkimKey]:
    """Keep the first keys of a domain; all it has now. Another process may have been first."""
    for algorithm, private_key in made.items():
        await dkim_keys.add(
            tx,
            domain=domain,
            selector=selector(algorithm, 1),
            algorithm=algorithm,
            private_key=private_key,
            now=now,
        )
    return await dkim_keys.of_domain(tx, domain)


async def add_next(tx: Transaction, domain: str, made: dict[Algorithm, str], now: int) -> None:
    """Keep further keys of a domain under the next free selectors."""
    kept = await dkim_keys.of_domain(tx, domain)
    for algorithm, private_key in made.items():
        number = 1 + sum(key.algorithm == algorithm for key in kept)
        while not await dkim_keys.add(
            tx,
            domain=domain,
            selector=selector(algorithm, number),
            algorithm=algorithm,
            private_key=private_key,
            now=now,
        ):
            number += 1


def selector(algorithm: Algorithm, number: int) -> str:
    """The name of a key in DNS."""
    return f"mailbox-{algorithm}-{number}"


def keys_in_use(
    kept: Sequence[DkimKey], algorithms: Sequence[Algorithm], now: int
) -> list[DkimKey]:
    """One key an algorithm: the newest whose record had time to be published, or the first."""
    chosen = []
    for algorithm in algorithms:
        keys = [key for key in kept if key.algorithm == algorithm]
        published = [key for key in keys if key.created_at <= now - PUBLISH_MICROS]
        if keys:
            chosen.append(published[-1] if published else keys[0])
    return chosen


def keys_in_dns(kept: Sequence[DkimKey], now: int) -> list[DkimKey]:
    """The keys that are in use, were until a week ago, or will be."""
    over: set[tuple[str, str]] = set()
    for key in reversed(kept):
        if key.created_at <= now - PUBLISH_MICROS - LAST_MAIL_MICROS:
            over |= {
                (other.selector, other.algorithm)
                for other in kept[: kept.index(key)]
                if other.algorithm == key.algorithm
            }
    return [key for key in kept if (key.selector, key.algorithm) not in over]


def finished(
    content: bytes, trace: bytes, signers: Sequence[Signer], now: int, queue_id: str
) -> SafeLines:
    """Safe lines, the trace field, the signatures. Without a clear From there is no signature."""
    content = safe_lines(content)
    unsigned = prepared(trace + content, signers, now, queue_id)
    fields = [one.signed(one.signer.signature(one.data)) for one in unsigned]
    return SafeLines(b"".join((*fields, trace, content)))


def prepared(
    content: bytes, signers: Sequence[Signer], now: int, queue_id: str
) -> Sequence[Unsigned]:
    """The signatures that a message is to get. Without a clear From there is none."""
    try:
        return unsigned_fields(content, signers, now // 1_000_000) if signers else ()
    except BadContent as error:
        log.warning("not-signed queue_id=%s reason=%s", queue_id, error.detail)
        return ()


@lru_cache(maxsize=64)
def peer_of(door: str) -> Peer:
    """The trace of a way in: whoever came that way is not named."""
    return Peer("", protocol=protocol_of(door))


def protocol_of(door: str) -> str:
    """The `with` word of Received (RFC 3848) for the way a message came in."""
    if door == "smtp":
        return "ESMTPA"  # nobody submits here without a login
    return door.upper() if door.startswith(("esmtp", "smtp", "utf8smtp")) else "HTTP"

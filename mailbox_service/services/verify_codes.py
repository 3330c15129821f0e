"""Codes of six digits that prove an e-mail: mailed, tried a few times, used once.

A code can be guessed in a million tries. So each takes a few tries only, is counted before it is
compared, and few are sent to one e-mail in a day: whoever guesses has one chance in 20,000 a day.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets

from mailbox_service.core.accounts import SECOND, refusal
from mailbox_service.core.address import canonical
from mailbox_service.core.compose import Draft, NamedAddress
from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import BadAddress, MailError, TemporaryFailure
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sending import Sending
from mailbox_service.services.throttling import CodeLimits
from mailbox_service.storage import verify_codes
from mailbox_service.storage.database import Database, Transaction

CODE_SECONDS = 300  # mailbox-api §3.5
TRIES = 5
A_DAY = 10
# The sender is ours, whoever holds its mailbox: nobody pays for a code, and no sent box shows it.
SENDER = Principal("admin", "", unlimited=True)
DOOR = "verify"


class NotSent(Exception):
    """The mail with the code was refused; `reason` says why."""

    def __init__(self, reason: MailError) -> None:
        super().__init__(reason.detail)
        self.reason = reason


class VerifyCodes:
    """Mails codes and proves them. `secret` is the service's own."""

    def __init__(
        self,
        database: Database,
        sending: Sending,
        secret: str,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._sending = sending
        self._key = hashlib.sha256(b"mailbox verify code key\0" + secret.encode()).digest()
        self._clock = clock
        self._limits = CodeLimits()

    async def send(self, email: str, *, sender: str, ip: str) -> None:
        """Mail a new code. Raises BadRequest while the last one is alive or when there were too
        many today, TooManyRequests, NotSent, TemporaryFailure.

        The code is on disk before its mail is: a process that dies between leaves a code that
        nobody knows, for five minutes, and never two that are good.
        """
        try:
            canonical(email)
        except BadAddress:
            raise NotSent(refusal("InvalidToMailMsg")) from None
        if not ip or not ipaddress.ip_address(ip).is_loopback:
            await self._limits.take(ip)
        code = f"{secrets.randbelow(1_000_000):06}"
        code_mac = self._mac(email, code)
        now = self._clock()
        if not await self._database.write(begin, email, code_mac, now):
            raise refusal("CodeAlreadySentMsg")
        try:
            await self._sending.submit_draft(
                SENDER, letter(sender, email, code), door=DOOR, charge=False, listed=False
            )
        except MailError as error:
            await self._database.write(verify_codes.give_back, email, code_mac=code_mac)
            if isinstance(error, TemporaryFailure):
                raise
            raise NotSent(error) from None

    async def try_code(self, email: str, code: str) -> str:
        """Compare a code, and count the try; what `storage.verify_codes.use` wants to end it.

        Raises BadRequest when it is wrong, or no code is alive.
        """
        shown = self._mac(email, code.strip())
        kept = await self._database.write(verify_codes.try_once, email, now=self._clock())
        if kept is None or not hmac.compare_digest(kept, shown):
            raise refusal("InvalidVerifyCodeMsg")
        return shown

    def _mac(self, email: str, code: str) -> str:
        words = f"{email}\0{code}".encode(errors="replace")
        return hmac.new(self._key, words, hashlib.sha256).hexdigest()


async def begin(tx: Transaction, email: str, code_mac: str, now: int) -> bool:
    """Begin a code, and forget what counts no longer of all others."""
    await verify_codes.remove_before(tx, before=now - verify_codes.DAY)
    return await verify_codes.take(
        tx,
        email,
        code_mac=code_mac,
        tries=TRIES,
        most=A_DAY,
        ends_at=now + CODE_SECONDS * SECOND,
        now=now,
    )


def letter(sender: str, email: str, code: str) -> Draft:
    """The mail that carries a code (mailbox-api §3.5)."""
    return Draft(
        sender=NamedAddress(sender, "Temp Mail Verify"),
        to=(NamedAddress(email),),
        subject="Temp Mail Verify code",
        text=f"Your verify code is {code}",
    )

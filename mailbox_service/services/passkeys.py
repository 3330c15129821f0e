"""Passkeys of accounts: made, used, named and forgotten (mailbox-api §3.5)."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from mailbox_service.config import Config
from mailbox_service.core import passkeys as rules
from mailbox_service.core.accounts import SECOND, Account
from mailbox_service.core.errors import BadCredential, BadRequest, NotFound
from mailbox_service.core.passkeys import NotVerified, Passkey
from mailbox_service.core.texts import text
from mailbox_service.services.accounts import Accounts
from mailbox_service.services.authenticating import Authenticating
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.storage import passkeys, sign_in_marks
from mailbox_service.storage.database import Database, Transaction

if TYPE_CHECKING:
    from webauthn.registration.verify_registration_response import VerifiedRegistration

T = TypeVar("T")

# Challenges that were answered are remembered until they end: logins of five minutes.
MOST_ANSWERED = 100_000
# Signatures proved at once. Each takes about a millisecond in a thread.
MOST_AT_ONCE = 4


class BadSignature(BadCredential):
    """The answer is well made, and not signed by the passkey that it names."""


class Passkeys:
    """Makes passkeys for accounts and proves their owners by them."""

    def __init__(
        self,
        database: Database,
        config: Config,
        authenticating: Authenticating,
        accounts: Accounts,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._title = config.title
        self._origins = rules.allowed_origins(config.passkey_origins, config.frontend_url)
        self._authenticating = authenticating
        self._accounts = accounts
        self._clock = clock
        self._room = asyncio.Semaphore(MOST_AT_ONCE)

    async def list_of(self, user_id: int) -> list[Passkey]:
        """The passkeys of an account, newest first."""
        return await self._database.read(passkeys.list_of, user_id)

    async def rename(self, user_id: int, passkey_id: str, name: Any) -> None:
        """Give a passkey another name; nothing happens when it is not there. Raises BadRequest
        for a name that is none."""
        checked = rules.check_name(name)
        await self._database.write(
            passkeys.rename,
            user_id=user_id,
            passkey_id=passkey_id[: rules.LONGEST_PASSKEY_ID],
            name=checked,
            now=self._clock(),
        )

    async def remove(self, user_id: int, passkey_id: str) -> None:
        """Forget a passkey."""
        await self._database.write(passkeys.remove, user_id=user_id, passkey_id=passkey_id)

    # Making one

    async def creation_options(self, user_id: int, email: str, domain: str) -> dict[str, Any]:
        """What a browser is asked for to make a passkey. Raises BadRequest."""
        domain = rules.check_domain(domain)
        challenge = self._challenge(
            rules.REGISTER, user_email=email, user_id=user_id, domain=domain
        )
        return rules.creation_options(
            challenge,
            domain=domain,
            title=self._title,
            user_id=user_id,
            email=email,
            kept=await self.list_of(user_id),
        )

    async def register(
        self, user_id: int, credential: dict[str, Any], *, origin: str, name: str
    ) -> None:
        """Keep a passkey that an authenticator made.

        Raises BadRequest (also NotVerified) as the contract words it, and ValueError for what
        is no credential.
        """
        if len(name) > rules.LONGEST_NAME:
            raise BadRequest(text("InvalidPasskeyNameMsg"), message_key="InvalidPasskeyNameMsg")
        claims, octets, mark = self._answered(credential, rules.REGISTER)
        domain = str(claims.get("domain"))
        if claims.get("user_id") != user_id:
            raise NotVerified("The challenge is somebody else's")
        rules.check_origin(origin, domain, self._origins)
        made = await self._in_thread(verified_registration, credential, octets, domain, origin)
        kept: dict[str, Any] = {
            "id": rules.base64url(made.credential_id),
            "publicKey": rules.base64url(made.credential_public_key),
            "counter": made.sign_count,
            "deviceType": CAMEL[made.credential_device_type.value],
            "backedUp": made.credential_backed_up,
        }
        transports = rules.transports_of(credential)
        if transports:
            kept["transports"] = transports
        added = await self._database.write(
            keep_registration, mark, user_id, name.replace("\0", ""), domain, kept, self._clock()
        )
        if not added:
            raise NotVerified("The passkey is there already, or there are too many")

    # Using one

    async def request_options(self, domain: str) -> dict[str, Any]:
        """What a browser is asked for to sign in. Raises BadRequest."""
        domain = rules.check_domain(domain)
        challenge = self._challenge(rules.LOG_IN, domain=domain)
        return rules.request_options(challenge, domain=domain)

    async def login(self, credential: dict[str, Any], *, domain: str, origin: str) -> str:
        """A user token for whoever holds the passkey.

        Raises NotFound for an unknown passkey or a deleted account, BadSignature, NotVerified
        for a wrong challenge, page or counter, and ValueError for what is no credential.
        """
        passkey_id = credential.get("id")
        if not isinstance(passkey_id, str) or not passkey_id:
            raise BadRequest(text("InvalidInputMsg"), message_key="InvalidInputMsg")
        known = await self._find(passkey_id)
        if known is None:
            raise NotFound(text("PasskeyNotFoundMsg"), message_key="PasskeyNotFoundMsg")
        domain = rules.check_domain(domain)
        claims, octets, mark = self._answered(credential, rules.LOG_IN)
        if claims.get("domain") != domain or known.domain not in ("", domain):
            raise NotVerified("The passkey belongs to another domain")
        rules.check_origin(origin, domain, self._origins)
        counter = await self._in_thread(verified_counter, credential, octets, domain, origin, known)
        used = await self._database.write(keep_login, mark, known, counter, self._clock())
        if not used:
            raise NotVerified("The challenge was answered before")
        account = await self._accounts.by_id(known.user_id)
        if account is None:
            raise NotFound(text("UserNotFoundMsg"), message_key="UserNotFoundMsg")
        return self._accounts.token_for(account)

    async def _find(self, passkey_id: str) -> Passkey | None:
        if len(passkey_id) > rules.LONGEST_PASSKEY_ID or "\0" in passkey_id:
            return None
        return await self._database.read_quick(passkeys.by_passkey_id, passkey_id)

    async def account_of(self, user_id: int) -> Account:
        """The account that a user token names. Raises BadRequest when it is gone."""
        account = await self._accounts.by_id(user_id)
        if account is None:
            raise BadRequest(text("UserNotFoundMsg"), message_key="UserNotFoundMsg")
        return account

    # Challenges

    def _challenge(self, use: str, **claims: object) -> str:
        issued = self._clock() // SECOND
        random = secrets.token_urlsafe(16)
        return self._authenticating.sign({**claims, "iat": issued, "use": use, "jti": random})

    def _answered(self, credential: dict[str, Any], use: str) -> tuple[dict[str, Any], bytes, str]:
        """The challenge that is answered: its claims, its octets, and by what it is known once
        it was used. Raises NotVerified."""
        token, octets = rules.challenge_in(credential)
        try:
            claims = self._authenticating.signed_claims(token)
        except BadCredential:
            raise NotVerified("The challenge is none of ours") from None
        mark = rules.check_challenge(claims, use, self._clock() // SECOND)
        return claims, octets, hashlib.sha256(f"{use} {mark}".encode()).hexdigest()

    async def _in_thread(self, verify: Callable[..., T], *values: object) -> T:
        async with self._room:
            return await asyncio.to_thread(verify, *values)


CAMEL = {"single_device": "singleDevice", "multi_device": "multiDevice"}


def verified_registration(
    credential: dict[str, Any], challenge: bytes, domain: str, origin: str
) -> VerifiedRegistration:
    """What an authenticator made, proved. Raises NotVerified; ValueError when it is malformed.

    The library is imported here: most services never need its megabytes.
    """
    from webauthn import verify_registration_response
    from webauthn.helpers.cose import COSEAlgorithmIdentifier
    from webauthn.helpers.exceptions import InvalidJSONStructure, WebAuthnException

    try:
        return verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=domain,
            expected_origin=origin,
            require_user_verification=False,
            supported_pub_key_algs=[COSEAlgorithmIdentifier(one) for one in rules.ALGORITHMS],
        )
    except InvalidJSONStructure as error:
        raise ValueError(str(error)) from None
    except WebAuthnException as error:
        raise NotVerified(str(error)) from None
    except Exception as error:
        # Whatever else a hostile answer brings its readers to (CBOR, ASN.1, keys).
        raise ValueError("The credential cannot be read") from error


def verified_counter(
    credential: dict[str, Any], challenge: bytes, domain: str, origin: str, known: Passkey
) -> int:
    """The counter of an authenticator whose answer is proved. Raises NotVerified, BadSignature;
    ValueError when it is malformed."""
    from cryptography.exceptions import InvalidSignature
    from webauthn import verify_authentication_response
    from webauthn.helpers.exceptions import InvalidJSONStructure, WebAuthnException

    try:
        proved = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=domain,
            expected_origin=origin,
            credential_public_key=rules.from_base64url(str(known.credential["publicKey"])),
            credential_current_sign_count=known.counter,
            require_user_verification=False,
        )
    except InvalidJSONStructure as error:
        raise ValueError(str(error)) from None
    except WebAuthnException as error:
        if isinstance(error.__context__, InvalidSignature):
            key = "AuthenticationFailedMsg"
            raise BadSignature(text(key), message_key=key) from None
        raise NotVerified(str(error)) from None
    except Exception as error:
        raise ValueError("The credential cannot be read") from error
    return proved.new_sign_count


async def keep_registration(
    tx: Transaction,
    mark: str,
    user_id: int,
    name: str,
    domain: str,
    kept: dict[str, Any],
    now: int,
) -> bool:
    """Use a challenge up and keep the passkey; False when either was there before."""
    if not await use_up(tx, mark, now):
        return False
    return await passkeys.add(
        tx,
        user_id=user_id,
        passkey_id=kept["id"],
        name=name,
        domain=domain,
        credential=kept,
        counter=kept["counter"],
        now=now,
        most=rules.MOST_PASSKEYS,
    )


async def keep_login(tx: Transaction, mark: str, known: Passkey, counter: int, now: int) -> bool:
    """Use a challenge up and note the counter; False when another answer came first."""
    if not await use_up(tx, mark, now):
        return False
    return await passkeys.count_up(tx, known.id, before=known.counter, counter=counter, now=now)


async def use_up(tx: Transaction, mark: str, now: int) -> bool:
    ends_at = now + (rules.CHALLENGE_SECONDS + rules.AHEAD_SECONDS) * SECOND
    return await sign_in_marks.put(tx, mark, ends_at=ends_at, now=now, most=MOST_ANSWERED)

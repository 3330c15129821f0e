"""Who shows this credential? Tokens, address passwords, site and admin passwords."""

from __future__ import annotations

import asyncio
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jwt
import msgspec
from jwt.algorithms import HMACAlgorithm
from jwt.types import Options

from mailbox_service.config import Config
from mailbox_service.core.address import canonical
from mailbox_service.core.envelope import Peer, Principal
from mailbox_service.core.errors import BadAddress, BadCredential, UnknownMailbox
from mailbox_service.core.lifetime import has_ended
from mailbox_service.core.sending_api import Credential, SendingPrincipal
from mailbox_service.core.stored import Address
from mailbox_service.core.texts import text
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.passwords import Passwords, digest_of, is_digest
from mailbox_service.services.remembered import Remembered
from mailbox_service.services.throttling import GuessLimits
from mailbox_service.storage import addresses, importing
from mailbox_service.storage.database import Database, Transaction

# RFC 8725 §3.1: the algorithm is ours to say, never the token's.
ALGORITHM = "HS256"
# A token of ours has 200 characters. Longer ones are refused before anything decodes them.
LONGEST_TOKEN = 4096
# A token proved once is taken for as long as this without looking at its row again. An address
# closed in this process is forgotten at once; one closed by another process within this time.
PROVED_SECONDS = 5.0
PROVED_AT_MOST = 10_000
# A session of a mail door is shorter than this, and whoever comes later logs in anew.
SESSION_SECONDS = 12 * 3_600
# What a token says that lets a mail door submit for a credential of the sending API.
SUBMITS = "submits"


class AnyLengthHmac(HMACAlgorithm):
    """HS256 without a word about short keys: a deployment that moves here keeps its secret,
    however short, since its tokens need it (mailbox-api §2.1). Our own have 256 bits."""

    def check_key_length(self, key: bytes) -> str | None:
        return None


jwt.unregister_algorithm(ALGORITHM)
jwt.register_algorithm(ALGORITHM, AnyLengthHmac(HMACAlgorithm.SHA256))


class SendingLogins(Protocol):
    """Who else may log in at the mail door: the credentials of the sending API."""

    async def knows(self, username: str, password: str) -> bool:
        """Whether this login is theirs to judge."""
        ...

    async def login(self, username: str, password: str, peer: Peer) -> Principal:
        """Prove it. Raises BadCredential, NotYours."""
        ...

    async def claims_of(self, credential: Credential) -> dict[str, object]:
        """What a token for one who has just logged in says."""
        ...

    async def again(self, claims: Mapping[str, object], peer: Peer) -> Principal:
        """Who shows such a token. Raises BadCredential, NotYours."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """An address that somebody may use now: its spelling, id and a token for it."""

    address: str
    address_id: int
    jwt: str
    password: str | None = None
    expires_at: int | None = None


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def base64_part(data: bytes) -> bytes:
    """A part of a token: base64url without padding (RFC 7515 §2)."""
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE).rstrip(b"=")


HEADER = base64_part(b'{"alg":"HS256","typ":"JWT"}')


def bad_token() -> BadCredential:
    key = "InvalidAddressCredentialMsg"
    return BadCredential(text(key), message_key=key)


class Authenticating:
    """Proves who shows a credential. Refusals are BadCredential, and say nothing more."""

    def __init__(
        self,
        database: Database,
        config: Config,
        passwords: Passwords,
        guesses: GuessLimits,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._config = config
        self.sending_logins: SendingLogins | None = None
        self._passwords = passwords
        self._guesses = guesses
        self._clock = clock
        self._secret = config.jwt_secret
        self._key = config.jwt_secret.encode()
        self._proved = Remembered[str, Principal](PROVED_SECONDS, PROVED_AT_MOST)
        # Until when a registration need not be looked at again, by its id.
        self._standing = Remembered[int, bool](PROVED_SECONDS, PROVED_AT_MOST)

    def token_of(self, row: Address) -> str:
        """The token of an address as it is stored. Where tokens were revoked once, it says when
        it was issued (`iat`, RFC 7519 §4.1.6), to the microsecond: those before count no more."""
        if not row.tokens_from:
            return self.token_for(row.name, row.id)
        return self._dated_token(row.name, row.id, max(self._clock(), row.tokens_from))

    def token_now(self, name: str, address_id: int) -> str:
        """A token that says that it was issued now, for a caller who has proved the address and
        has not its row."""
        return self._dated_token(name, address_id, self._clock())

    def _dated_token(self, name: str, address_id: int, issued: int) -> str:
        return self.sign({"address": name, "address_id": address_id, "iat": issued / 1_000_000})

    def token_for(self, name: str, address_id: int) -> str:
        """The token of an opened address (mailbox-api §2.1). It does not expire; closing the
        address ends it.

        A JWS is two pieces of base64 and an HMAC over them (RFC 7515 §3.1, §5.1). PyJWT, which
        judges every token that is shown, takes four times as long to write one, and one is
        written for every address opened.
        """
        return self.sign({"address": name, "address_id": address_id})

    def sign(self, claims: Mapping[str, object]) -> str:
        """A token that says so, of an address, an account or a challenge."""
        signed = HEADER + b"." + base64_part(msgspec.json.encode(claims))
        signature = hmac.digest(self._key, signed, "sha256")
        return (signed + b"." + base64_part(signature)).decode("ascii")

    def claims(self, token: str) -> dict[str, Any]:
        """What a token says, once its signature is proved. Raises BadCredential."""
        claims = self._decode(token, {"verify_aud": False})
        if not isinstance(claims.get("address"), str | None):
            raise bad_token()
        return claims

    def signed_claims(self, token: str) -> dict[str, Any]:
        """What a token of ours says, whatever its time: whoever reads it judges that. Raises
        BadCredential when it is not signed by us."""
        return self._decode(
            token,
            {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )

    def _decode(self, token: str, options: Options) -> dict[str, Any]:
        if not token or len(token) > LONGEST_TOKEN:
            raise bad_token()
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._secret, algorithms=[ALGORITHM], options=options
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise bad_token() from None
        return claims

    async def address_token(self, token: str) -> Principal:
        """The owner of a mailbox, by its token; the address must still be open."""
        now = asyncio.get_running_loop().time()
        proved = self._proved.get(token, now)
        if proved is not None:
            return proved
        claims = self.claims(token)
        turn = self._proved.turn
        row = await self._database.read_quick(
            find_claimed, claims.get("address"), address_id_of(claims)
        )
        if row is None or not still_counts(row, claims) or has_ended_at(row, self._clock()):
            raise bad_token()
        principal = Principal("address", row.address, row.id, name=row.name)
        self._proved.keep(token, principal, now, turn=turn)
        self._standing.keep(row.id, True, now, turn=turn)
        return principal

    def stands(self, principal: Principal) -> bool:
        """Whether the registration of an address that has logged in was there a moment ago."""
        now = asyncio.get_running_loop().time()
        if principal.kind != "address":
            return True
        return self._standing.get(principal.address_id, now) is not None

    async def look_again(self, principal: Principal) -> None:
        """Whether it is still there: the address may be closed by now, and be somebody else's.
        Raises BadCredential."""
        turn = self._standing.turn
        row = await self._database.read_quick(addresses.by_id, principal.address_id)
        if row is None or row.address != principal.address or has_ended_at(row, self._clock()):
            raise bad_token()
        self._standing.keep(row.id, True, asyncio.get_running_loop().time(), turn=turn)

    def forget(self) -> None:
        """Look at the rows again: an address was closed, or its tokens were revoked."""
        self._proved.forget()
        self._standing.forget()

    async def login(self, username: str, password: str, peer: Peer) -> Principal:
        """Prove a login of a mail program: a token as password with any user name, or an
        address with its password, typed or hashed (mailbox-api §11.4); or a credential of the
        sending API."""
        if self.sending_logins is not None and await self.sending_logins.knows(username, password):
            await self._guesses.check(peer.ip)
            try:
                return await self.sending_logins.login(username, password, peer)
            except BadCredential:
                await self._guesses.wrong(peer.ip)
                raise
        if looks_like_token(password):
            await self._guesses.check(peer.ip)
            try:
                return await self.address_token(password)
            except BadCredential:
                await self._guesses.wrong(peer.ip)
                raise
        digest = password if is_digest(password) else digest_of(password)
        row = await self._check_password(username, digest, peer.ip)
        return Principal("address", row.address, row.id, name=row.name)

    async def submission_token(self, principal: Principal) -> str:
        """A bearer token by which a mail door elsewhere submits for whom it has just proved: that
        of the address, or for a credential of the sending API one that ends soon."""
        if not isinstance(principal, SendingPrincipal):
            return self.token_now(principal.address, principal.address_id)
        assert principal.credential is not None
        assert self.sending_logins is not None
        said = await self.sending_logins.claims_of(principal.credential)
        ends = self._clock() // 1_000_000 + SESSION_SECONDS
        return self.sign({SUBMITS: said, "exp": ends})

    async def submitter(self, token: str, peer: Peer) -> Principal:
        """Whom such a token stands for, judged anew. Raises BadCredential, NotYours."""
        claims = self._decode(token, {"verify_aud": False})
        said = claims.get(SUBMITS)
        if isinstance(said, dict) and self.sending_logins is not None:
            return await self.sending_logins.again(said, peer)
        return await self.address_token(token)

    async def judged_again(self, principal: SendingPrincipal, peer: Peer) -> Principal:
        """Who has logged in by a credential of the sending API, judged as if they did now: it may
        be blocked by now, or gone. Raises BadCredential, NotYours."""
        assert principal.credential is not None
        assert self.sending_logins is not None
        claims = await self.sending_logins.claims_of(principal.credential)
        return await self.sending_logins.again(claims, peer)

    async def password_login(self, email: str, digest: str, ip: str) -> Opened:
        """Open a mailbox by its address and the hash of its password.

        Raises UnknownMailbox, BadCredential or TooManyRequests.
        """
        row = await self._check_password(email, digest, ip, tell_unknown=True)
        return Opened(row.name, row.id, self.token_of(row))

    async def _check_password(
        self, username: str, digest: str, ip: str, *, tell_unknown: bool = False
    ) -> Address:
        """The address behind a name and a password's digest. A wrong name costs the same time
        and, unless the contract wants it told, says the same as a wrong password."""
        key = "InvalidEmailOrPasswordMsg"
        refusal = BadCredential(text(key), message_key=key)
        try:
            address = canonical(username.strip())
        except BadAddress:
            address = ""
        await self._guesses.check(ip, address)
        row = await self._database.read_quick(addresses.by_address, address) if address else None
        if row is None and tell_unknown:
            await self._guesses.wrong(ip, address)
            raise UnknownMailbox(text("AddressNotFoundMsg"), message_key="AddressNotFoundMsg")
        usable = row is not None and self._config.enable_address_password
        usable = usable and not has_ended_at(row, self._clock())
        stored = row.password_hash if row is not None and usable else None
        matched = await self._passwords.matches(stored, digest)
        if row is None or not usable or not matched:
            await self._guesses.wrong(ip, address)
            raise refusal
        return row

    def site_password(self, plain: str) -> bool:
        """Whether this is a password of the private site."""
        return is_one_of(plain, self._config.passwords)

    def admin_password(self, plain: str) -> bool:
        """Whether this is a password of the admin API."""
        return is_one_of(plain, self._config.admin_passwords)

    def site_digest(self, digest: str) -> bool:
        """Whether this is the hash of a password of the private site."""
        return is_one_of(digest, [digest_of(plain) for plain in self._config.passwords])

    def admin_digest(self, digest: str) -> bool:
        """Whether this is the hash of a password of the admin API."""
        return is_one_of(digest, [digest_of(plain) for plain in self._config.admin_passwords])


def is_one_of(shown: str, known: list[str]) -> bool:
    """Compare with every known secret, in the same time whichever it is."""
    found = False
    for secret in known:
        found |= bool(secret) and hmac.compare_digest(shown.encode(), secret.encode())
    return found


def looks_like_token(password: str) -> bool:
    """Three parts with dots between, the first a JSON object in base64 (RFC 7515 §7.1)."""
    return password.startswith("eyJ") and password.count(".") == 2


def address_id_of(claims: dict[str, Any]) -> int:
    """The id in a token: a number, a string of digits, or absent in old ones (0)."""
    claimed = claims.get("address_id")
    if isinstance(claimed, bool):
        return 0
    if isinstance(claimed, int):
        return claimed if 0 <= claimed < 1 << 63 else -1
    if isinstance(claimed, str) and claimed.isascii() and claimed.isdigit() and len(claimed) < 19:
        return int(claimed)
    return 0


async def find_claimed(tx: Transaction, name: str | None, address_id: int) -> Address | None:
    """The open address that a token names: by id when it has one, and the name must agree."""
    try:
        address = canonical(name) if name else ""
    except BadAddress:
        return None
    if address_id:
        row = await addresses.by_id(tx, address_id)
        if row is not None and row.address == address:
            return row
        # A token of the deployment that the address comes from, where it had another id.
        now_id = await importing.by_former_id(tx, former_id=address_id, address=address)
        return None if now_id is None else await addresses.by_id(tx, now_id)
    return await addresses.by_address(tx, address) if address else None


def still_counts(row: Address, claims: dict[str, Any]) -> bool:
    """Whether a token was issued after the last revocation. Without a time of issue it counts
    until the first."""
    if row.tokens_from == 0:
        return True
    issued = claims.get("iat")
    return isinstance(issued, int | float) and round(issued * 1_000_000) >= row.tokens_from


def has_ended_at(row: Address | None, now: int) -> bool:
    """Whether the lifetime of an address is over, though nobody removed it yet."""
    return row is not None and has_ended(row.expires_at, now=now)

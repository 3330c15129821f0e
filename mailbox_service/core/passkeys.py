"""Passkeys: options for the browser, challenges, whose page may ask (mailbox-api §3.5; WebAuthn).

A challenge is a token of ours, so that nothing is kept until an authenticator has answered it.
What it says besides the contract's claims: `use`, so that no other token is taken for one; a
random `jti`; at registration also the `domain`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mailbox_service.core.errors import BadRequest

CHALLENGE_SECONDS = 300  # §2.1, judged from `iat`
# Clocks of two of our machines may differ by so much.
AHEAD_SECONDS = 5
TIMEOUT_MS = 60_000
LONGEST_NAME = 255  # characters (§3.5)
LONGEST_DOMAIN = 253  # of a host name (RFC 1035 §2.3.4)
LONGEST_PASSKEY_ID = 1_400  # base64url of 1023 octets (WebAuthn §4, Credential ID)
MOST_PASSKEYS = 50  # of one account; each is in every list of what not to make again
LONGEST_TRANSPORT, MOST_TRANSPORTS = 32, 10
# EdDSA, ES256, RS256, in this order (§3.5).
ALGORITHMS = (-8, -7, -257)
REGISTER, LOG_IN = "passkey-register", "passkey-login"


class NotVerified(BadRequest):
    """An answer of an authenticator that does not belong to this challenge, page or key."""


@dataclass(frozen=True, slots=True)
class Passkey:
    """A stored passkey. `credential` is the contract's JSON; `domain` is empty where it was
    taken over from elsewhere. Times are microseconds UTC."""

    id: int
    user_id: int
    passkey_id: str
    name: str
    domain: str
    credential: Mapping[str, Any]
    counter: int
    created_at: int
    updated_at: int


def base64url(data: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """The octets of base64url, with or without padding. Raises ValueError."""
    if not text.isascii():
        raise ValueError("not base64url")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def check_domain(domain: str) -> str:
    """A host name that passkeys may belong to. Raises BadRequest."""
    if not 0 < len(domain) <= LONGEST_DOMAIN or any(
        not (char.isascii() and (char.isalnum() or char in "-._:[]")) for char in domain
    ):
        raise BadRequest("Invalid domain", message_key="InvalidDomainMsg")
    return domain.lower()


def creation_options(
    challenge: str,
    *,
    domain: str,
    title: str,
    user_id: int,
    email: str,
    kept: Sequence[Passkey],
) -> dict[str, Any]:
    """What `navigator.credentials.create` is asked for."""
    return {
        "challenge": base64url(challenge.encode()),
        "rp": {"name": title or "Temp Mail", "id": domain},
        "user": {
            "id": base64url(str(user_id).encode()),
            "name": email,
            "displayName": email,
        },
        "pubKeyCredParams": [{"alg": algorithm, "type": "public-key"} for algorithm in ALGORITHMS],
        "timeout": TIMEOUT_MS,
        "attestation": "none",
        "excludeCredentials": [excluded(one) for one in kept],
        "authenticatorSelection": {
            "residentKey": "preferred",
            "userVerification": "preferred",
            "requireResidentKey": False,
        },
        "extensions": {"credProps": True},
        "hints": [],
    }


def excluded(passkey: Passkey) -> dict[str, Any]:
    """A passkey that must not be made a second time."""
    named: dict[str, Any] = {"id": passkey.passkey_id, "type": "public-key"}
    transports = passkey.credential.get("transports")
    return {**named, "transports": transports} if transports else named


def request_options(challenge: str, *, domain: str) -> dict[str, Any]:
    """What `navigator.credentials.get` is asked for: any passkey of the domain."""
    return {
        "rpId": domain,
        "challenge": base64url(challenge.encode()),
        "allowCredentials": [],
        "timeout": TIMEOUT_MS,
        "userVerification": "preferred",
    }


def challenge_in(credential: Mapping[str, Any]) -> tuple[str, bytes]:
    """The challenge that an answer says it answers: the token, and its octets as they were
    signed. Raises NotVerified."""
    try:
        response = credential["response"]
        told = json.loads(from_base64url(response["clientDataJSON"]))["challenge"]
        octets = from_base64url(told)
        return octets.decode("ascii"), octets
    except (KeyError, TypeError, ValueError, RecursionError, AttributeError):
        raise NotVerified("The credential has no challenge that could be read") from None


def check_challenge(claims: Mapping[str, Any], use: str, now: int) -> str:
    """The random part of a challenge that is fresh, `now` in seconds. Raises NotVerified."""
    issued, mark = claims.get("iat"), claims.get("jti")
    if claims.get("use") != use or not isinstance(mark, str) or not mark:
        raise NotVerified("The challenge is none of ours")
    if isinstance(issued, bool) or not isinstance(issued, int | float):
        raise NotVerified("The challenge is none of ours")
    if not now - CHALLENGE_SECONDS <= issued <= now + AHEAD_SECONDS:
        raise NotVerified("The challenge has expired")
    return mark


def allowed_origins(configured: Sequence[str], frontend_url: str) -> tuple[str, ...]:
    """Whose pages may ask: as configured, else the page's own when its place is known, else
    anybody's (empty)."""
    origins = [origin_of(url) for url in configured] or [origin_of(frontend_url)]
    return tuple(origin for origin in origins if origin)


def origin_of(url: str) -> str:
    """The origin of an address of the web (RFC 6454 §4); empty when it has none."""
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return ""
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https") or not host:
        return ""
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" if port in (None, _PORTS[scheme]) else f"{scheme}://{host}:{port}"


_PORTS = {"http": 80, "https": 443}


def check_origin(origin: str, domain: str, allowed: Sequence[str]) -> None:
    """Raises NotVerified unless pages of `origin` may ask for passkeys of `domain`: a browser
    lets them only for their own host or what is above it (WebAuthn §5.1.3)."""
    known = origin_of(origin)
    if not known or (allowed and known not in allowed):
        raise NotVerified("The origin is not one of this site")
    host = urlsplit(known).hostname or ""
    if host != domain.strip("[]") and not host.endswith(f".{domain}"):
        raise NotVerified("The origin is not one of this domain")


def transports_of(credential: Mapping[str, Any]) -> list[str]:
    """The ways to an authenticator that an answer names."""
    response = credential.get("response")
    named = response.get("transports") if isinstance(response, dict) else None
    if not isinstance(named, list):
        return []
    return [
        way for way in named[:MOST_TRANSPORTS]
        if isinstance(way, str) and 0 < len(way) <= LONGEST_TRANSPORT
    ]  # fmt: skip


def check_name(name: Any) -> str:
    """A name that a person gives a passkey. Raises BadRequest."""
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        raise BadRequest("Invalid passkey name", message_key="InvalidPasskeyNameMsg")
    return name.replace("\0", "")

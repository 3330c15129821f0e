"""Words of the sending API that all its parts share: callers, credentials, refusals."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import Struct

from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import BadRequest, NotYours, QuotaReached, TooManyRequests

# The operator's own account; subaccounts have ids.
MASTER = ""
MASTER_NAME = "Master account"

API_KEY, SMTP_USER, AUTHENTICATED_IP = "api_key", "smtp_user", "ip"
ALLOWED, BLOCKED, SANDBOX = "allowed", "blocked", "sandbox"
STATUSES = (ALLOWED, BLOCKED, SANDBOX)


class BadField(BadRequest):
    """A field of a request that is missing or cannot be taken as it is."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


class Refusal(BadRequest):
    """Well-formed, and refused: an unknown id, an unverified sender, something that is taken."""


class EndpointDenied(NotYours):
    """The key has no permission for the endpoint, or comes from a place that is not allowed."""


class PaymentRequired(QuotaReached):
    """The parameters are fine and the operation is not to be had: a quota is used up."""


class RateReached(TooManyRequests):
    """Too many requests of this endpoint, this key or this peer."""


class NotFetched(Exception):
    """A file from the web did not come; the text says why, and names no address."""


class CredentialSettings(Struct, frozen=True, kw_only=True):
    """What keys, SMTP users and authenticated addresses have in common (sending-api §9.1)."""

    description: str = ""
    custom_ratelimit: bool = False
    custom_ratelimit_value: int = 0
    custom_ratelimit_period: str = ""
    ip_pool: str = ""
    feedback_enabled: bool = False
    feedback_domain: str = "default"
    feedback_html: str = ""
    feedback_text: str = ""
    open_tracking_enabled: bool = False
    click_tracking_enabled: bool = False
    archive_enabled: bool = False
    audit_email: str = ""
    bounce_notifications: str = "from"
    status: str = ALLOWED


class UserLimits(Struct, frozen=True, kw_only=True):
    """Further restrictions of an SMTP user; empty lists allow everything."""

    disable_senders: list[str] = []
    allow_senders: list[str] = []
    allowed_ips: list[str] = []
    sender_domain: str = ""


@dataclass(frozen=True, slots=True)
class Credential:
    """What somebody proved: whose it is, its public name, and what it may."""

    kind: str
    account: str
    username: str
    settings: CredentialSettings
    endpoints: tuple[str, ...] = ()
    limits: UserLimits = field(default_factory=UserLimits)

    def may(self, path: str) -> bool:
        """Whether an endpoint such as `/email/send` is among its permissions."""
        endpoints = self.endpoints  # asked at each request: `any` costs more than the question
        return "*" in endpoints or any(permits(one, path) for one in endpoints)


@dataclass(frozen=True, slots=True)
class SendingPrincipal(Principal):
    """Who logged in at a mail door with a credential of the sending API. It is no mailbox."""

    credential: Credential | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the credential, the account acted for, the address of the peer."""

    credential: Credential
    account: str
    ip: str
    idempotency_key: str | None = None
    # A digest of the request, by which a repeated one is known.
    fingerprint: str = ""


def permits(permission: str, path: str) -> bool:
    """Whether one permission (`*`, `/email/*` or `/email/send`) covers an endpoint."""
    if permission.endswith("*"):
        return path.startswith(permission[:-1])
    return permission == path


def is_within(wider: tuple[str, ...], permission: str) -> bool:
    """Whether a permission gives nothing that a list of them does not give."""
    if permission.endswith("*"):
        return any(one.endswith("*") and permission.startswith(one[:-1]) for one in wider)
    return any(permits(one, permission) for one in wider)

"""Who may open addresses and send, by where they come from, and whose mail is looked through for
codes (mailbox-api §3.6, §5)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from mailbox_service.core.access_policy import DEFAULTS, BadPolicy
from mailbox_service.core.extract_list import ExtractList
from mailbox_service.core.texts import text
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.errors import Refused, refusal
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.mailbox.webhook import posted_settings, saved_or
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("admin policies")

# Four lists of a thousand patterns, in JSON that may write a character in six octets.
LARGEST_POLICY = 4 << 20


class AccessPolicy(Struct, frozen=True, rename="camel"):
    """Entries are addresses, networks, patterns or parts of a text; days are counted in UTC."""

    enabled: bool
    blacklist: list[str]
    asn_blacklist: list[str]
    fingerprint_blacklist: list[str]
    enable_daily_limit: bool
    daily_request_limit: int | float
    enable_whitelist: bool = False
    whitelist: list[str] = []


read_anything = msgspec.json.Decoder(Any)


@routes.get("/admin/ip_blacklist/settings", ADMIN, returns=AccessPolicy)
async def access_policy(call: Call) -> Any:
    """The IP policy as it was saved."""
    return saved_or_defaults(await call.services.access.stored())


def saved_or_defaults(stored: Any) -> Any:
    """The stored policy, with a default for what an older front end did not save."""
    return {**DEFAULTS, **stored} if isinstance(stored, dict) else DEFAULTS


@routes.post(
    "/admin/ip_blacklist/settings",
    ADMIN,
    body=AccessPolicy,
    returns=Success,
    body_limit=LARGEST_POLICY,
)
async def save_access_policy(call: Call) -> Success:
    """Save the IP policy. It is in force for the next request."""
    posted = await call.json(read_anything)
    try:
        await call.services.access.save(posted)
    except BadPolicy as error:
        words = f"{text(error.key, call.language)}: {error.what}"
        raise Refused(refusal(400, words, error.key.removesuffix("Msg"))) from None
    return SUCCESS


@routes.get("/admin/ai_extract/settings", ADMIN, returns=ExtractList)
async def extract_list(call: Call) -> Any:
    """Whose mail is looked through for codes."""
    return saved_or(ExtractList(), await call.services.administering.stored("ai_extract_settings"))


@routes.post(
    "/admin/ai_extract/settings",
    ADMIN,
    body=ExtractList,
    returns=Success,
    body_limit=1 << 20,
)
async def save_extract_list(call: Call) -> Success:
    """Say whose mail is looked through for codes: addresses, with `*` for any text."""
    settings = await posted_settings(call)
    await call.services.administering.change({"ai_extract_settings": settings})
    return SUCCESS

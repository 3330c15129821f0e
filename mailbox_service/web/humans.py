"""Is this a human? Asked where both Turnstile keys are set (mailbox-api §2.4), or ALTCHA is on."""

from __future__ import annotations

from mailbox_service.config import Config
from mailbox_service.web.errors import Refused, message
from mailbox_service.web.request import Call

LONGEST_TOKEN = 2_048  # characters; Turnstile's own bound


def uses_turnstile(config: Config) -> bool:
    """Whether tokens of Turnstile are taken."""
    return bool(config.cf_turnstile_site_key and config.cf_turnstile_secret_key)


def asks(config: Config) -> bool:
    """Whether the question is asked at all."""
    return uses_turnstile(config) or config.enable_altcha


async def check_human(call: Call, token: str | None) -> None:
    """Raises Refused (400) unless the token proves a human, or nobody asks.

    Without a way to verify it every token is wrong: a check that was wished for is never
    skipped in silence.
    """
    if not asks(call.config):
        return
    verifying = call.services.verifying
    known = bool(token) and len(token or "") <= LONGEST_TOKEN
    if verifying is None or not known or not await verifying.is_human(token or "", call.client_ip):
        raise Refused(message(400, "TurnstileCheckFailedMsg", call.language))


async def check_human_at_login(call: Call, token: str | None) -> None:
    """The same at logins, where it is asked only when the site wants it everywhere."""
    if call.config.enable_global_turnstile_check:
        await check_human(call, token)

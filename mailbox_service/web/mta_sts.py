"""The MTA-STS policy of our domains (RFC 8461 §3.3)."""

from __future__ import annotations

from mailbox_service.core.domain_records import sts_policy
from mailbox_service.core.errors import NotFound
from mailbox_service.web.answers import Answer
from mailbox_service.web.guards import OPEN
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("open")

PREFIX = "mta-sts."


@routes.get("/.well-known/mta-sts.txt", OPEN, returns=str, media_type="text/plain")
async def policy(call: Call) -> Answer:
    """The policy by which senders insist on TLS, for requests to `mta-sts.<domain>` of ours."""
    config = call.config
    host = (call.header(b"host") or "").partition(":")[0].strip(".").lower()
    domain = host.removeprefix(PREFIX)
    if domain == host or domain not in config.served_domains or config.mta_sts_mode == "none":
        raise NotFound("There is no policy here")
    text = sts_policy(config.own_name, config.mta_sts_mode)
    return Answer(text.encode("ascii"), b"text/plain")

"""/health_check, and `/` where no page is served."""

from __future__ import annotations

from mailbox_service.web.answers import Answer, text_answer
from mailbox_service.web.errors import message
from mailbox_service.web.guards import OPEN
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("health")
front_page = Routes("health")


@front_page.get("/", OPEN, returns=str, media_type="text/plain")
@routes.get("/health_check", OPEN, returns=str, media_type="text/plain")
async def health(call: Call) -> Answer:
    """`OK` when all doors are open and the store answers; 503 when it does not."""
    if not call.config.served_domains:
        return message(400, "DomainsNotSetMsg", call.language)
    await call.services.health.check()
    return text_answer("OK")

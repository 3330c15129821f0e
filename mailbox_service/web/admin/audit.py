"""The log of what administrators changed."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from mailbox_service.web.guards import ADMIN
from mailbox_service.web.queries import Limit
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import wire_time

routes = Routes("admin audit")

DEFAULT_PAGE = 50


class AuditQuery(Struct):
    """Which changes are wanted."""

    limit: Limit = DEFAULT_PAGE
    before_id: Annotated[int | None, Meta(description="Only changes before this id.")] = None
    actor: Annotated[str, Meta(description="Part of who did it.")] = ""
    action: Annotated[str, Meta(description="The action, or how it begins: queue.")] = ""
    q: Annotated[str, Meta(description="In subject, detail or address.")] = ""


class AuditRow(Struct, frozen=True, rename={"from_": "from"}):
    """A change: who did it and from where, what, to whom, and with which values. Secrets are
    hidden."""

    id: int
    at: str
    actor: str
    from_: str
    action: str
    subject: str
    detail: dict[str, Any]


class AuditPage(Struct, frozen=True):
    """A page of changes, newest first; `count` is of all that fit."""

    results: list[AuditRow]
    count: int
    next_before_id: int | None


@routes.get("/admin/audit", ADMIN, query=AuditQuery, returns=AuditPage)
async def audit(call: Call) -> AuditPage:
    """What administrators changed, newest first, and failed logins. It is kept for a year, and
    50,000 rows at most."""
    limit = call.limit(DEFAULT_PAGE)
    found, count = await call.services.auditing.page(
        limit=limit,
        before_id=call.number("before_id"),
        actor=call.search_text("actor"),
        action=call.search_text("action"),
        q=call.search_text("q"),
    )
    rows = [
        AuditRow(
            entry.id,
            wire_time(entry.at),
            entry.actor,
            entry.peer,
            entry.action,
            entry.subject,
            dict(entry.detail),
        )
        for entry in found
    ]
    return AuditPage(rows, count, rows[-1].id if len(rows) == limit else None)

"""The log of what administrators changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from mailbox_service.core.audit import AuditEntry
from mailbox_service.core.audit_fields import field_words, value_words
from mailbox_service.core.audit_words import ACTORS, action_words, known_actions
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.queries import Limit
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import wire_time
from mailbox_service.web.told import ToldRow, told_row

routes = Routes("admin audit")

DEFAULT_PAGE = 50


class AuditQuery(Struct):
    """Which changes are wanted."""

    limit: Limit = DEFAULT_PAGE
    before_id: Annotated[int | None, Meta(description="Only changes before this id.")] = None
    actor: Annotated[str, Meta(description="Part of who did it.")] = ""
    action: Annotated[str, Meta(description="The action, or how it begins: queue.")] = ""
    q: Annotated[str, Meta(description="In subject, detail or address.")] = ""


class NamedValue(Struct, frozen=True):
    """A value of `detail` by its name there, `filter.state` for what is in an object: what it is
    called, and what it says, each null where it has no words. Settings are called as in their
    forms."""

    name: str
    title: str | None
    title_told: ToldRow | None
    value_told: ToldRow | None


class AuditRow(Struct, frozen=True, rename={"from_": "from"}):
    """A change: who did it and from where, what, to whom, and with which values. Secrets are
    hidden. `title` is the action in words, or as it is called where there are none."""

    id: int
    at: str
    actor: str
    from_: str
    action: str
    subject: str
    detail: dict[str, Any]
    fields: list[NamedValue]
    title: str
    title_told: ToldRow | None
    actor_told: ToldRow | None


class AuditPage(Struct, frozen=True):
    """A page of changes, newest first; `count` is of all that fit."""

    results: list[AuditRow]
    count: int
    next_before_id: int | None


class KnownAction(Struct, frozen=True):
    """An action by its name in the log, and in words."""

    action: str
    title: str
    title_told: ToldRow


class KnownActions(Struct, frozen=True):
    """Actions, those about the same beside each other."""

    results: list[KnownAction]


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
    rows = [audit_row(entry) for entry in found]
    return AuditPage(rows, count, rows[-1].id if len(rows) == limit else None)


def audit_row(entry: AuditEntry) -> AuditRow:
    """The wire form of a change."""
    action, actor = action_words(entry.action), ACTORS.recognise(entry.actor)
    return AuditRow(
        entry.id,
        wire_time(entry.at),
        entry.actor,
        entry.peer,
        entry.action,
        entry.subject,
        dict(entry.detail),
        list(named_values(entry.detail)),
        title=str(action or entry.action),
        title_told=told_row(action) if action else None,
        actor_told=told_row(actor) if actor else None,
    )


def named_values(detail: Mapping[str, object], within: str = "") -> Iterable[NamedValue]:
    """What the values are called, and what they say; of objects also what is in them."""
    for name, value in detail.items():
        yield named_value(f"{within}{name}", name, value)
        if isinstance(value, dict) and not within:
            yield from named_values(value, f"{name}.")


def named_value(name: str, called: str, value: object) -> NamedValue:
    """The wire form of what one value is called."""
    title, said = field_words(called), value_words(value)
    return NamedValue(
        name,
        None if title is None else str(title),
        None if title is None else told_row(title),
        None if said is None else told_row(said),
    )


@routes.get("/admin/audit/actions", ADMIN, returns=KnownActions)
async def actions(call: Call) -> KnownActions:
    """What an entry may be about: every action with its words."""
    return KnownActions(
        [KnownAction(name, str(words), told_row(words)) for name, words in known_actions()]
    )

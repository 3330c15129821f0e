"""Deleting by age, now or every night (mailbox-api §3.6, §12)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mailbox_service.core.cleanup import BadStatement, Run, read_request
from mailbox_service.core.cleanup_statement import WORDS
from mailbox_service.core.errors import BadRequest
from mailbox_service.core.store_words import trouble_words
from mailbox_service.core.texts import localised, text
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.errors import Refused, refusal
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.queries import RunQuery
from mailbox_service.web.request import Call, invalid_input, shallow
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import wire_time
from mailbox_service.web.told import ToldRow, told_row

routes = Routes("admin cleanup")

# A hundred statements of a thousand characters, in JSON that may write one in six octets.
LARGEST_SETTINGS = 1 << 20
DEFAULT_PAGE = 20


class CleanupRequest(Struct, frozen=True, rename="camel"):
    """`cleanType`: mails, mails_unknow, sendbox, inactiveAddress, addressCreated, unboundAddress
    or emptyAddress. What is older than `cleanDays` (0 to 1000) days is deleted."""

    clean_type: Any = None
    clean_days: Any = None


class Statement(Struct, frozen=True):
    """A statement of one's own: `DELETE FROM raw_mails WHERE …`."""

    id: str
    name: str
    sql: str
    enabled: bool


class AutoCleanup(Struct, frozen=True):
    """What is deleted every night: kinds with their age in days, and statements."""

    # fmt: off
    enable_mails: bool | UnsetType = msgspec.field(default=UNSET, name="enableMailsAutoCleanup")
    mails_days: int | UnsetType = msgspec.field(default=UNSET, name="cleanMailsDays")
    enable_unknown: bool | UnsetType = msgspec.field(
        default=UNSET, name="enableUnknowMailsAutoCleanup")
    unknown_days: int | UnsetType = msgspec.field(default=UNSET, name="cleanUnknowMailsDays")
    enable_sent: bool | UnsetType = msgspec.field(default=UNSET, name="enableSendBoxAutoCleanup")
    sent_days: int | UnsetType = msgspec.field(default=UNSET, name="cleanSendBoxDays")
    enable_inactive: bool | UnsetType = msgspec.field(
        default=UNSET, name="enableInactiveAddressAutoCleanup")
    inactive_days: int | UnsetType = msgspec.field(
        default=UNSET, name="cleanInactiveAddressDays")
    enable_address: bool | UnsetType = msgspec.field(
        default=UNSET, name="enableAddressAutoCleanup")
    address_days: int | UnsetType = msgspec.field(default=UNSET, name="cleanAddressDays")
    enable_unbound: bool | UnsetType = msgspec.field(
        default=UNSET, name="enableUnboundAddressAutoCleanup")
    unbound_days: int | UnsetType = msgspec.field(default=UNSET, name="cleanUnboundAddressDays")
    enable_empty: bool | UnsetType = msgspec.field(
        default=UNSET, name="enableEmptyAddressAutoCleanup")
    empty_days: int | UnsetType = msgspec.field(default=UNSET, name="cleanEmptyAddressDays")
    statements: list[Statement] | UnsetType = msgspec.field(
        default=UNSET, name="customSqlCleanupList")
    # fmt: on


class StatementProblem(Struct, frozen=True):
    """A statement that cannot be run here, and why."""

    name: str
    problem: str
    problem_told: ToldRow | None


class Saved(Struct, frozen=True):
    """Saved. `warnings` names statements that cannot be run here, and why; `problems` says the
    same in its parts."""

    success: bool = True
    warnings: list[str] | UnsetType = UNSET
    problems: list[StatementProblem] | UnsetType = UNSET


class RunRow(Struct, frozen=True):
    """One run of one kind; `problem` is empty when it came to its end."""

    id: int
    kind: str
    asked_by: str
    began_at: str
    ended_at: str
    removed: int
    problem: str
    problem_told: ToldRow | None


class RunPage(Struct, frozen=True):
    """What cleanups did, newest first."""

    results: list[RunRow]
    next_before_id: int | None


read_cleanup = msgspec.json.Decoder(CleanupRequest)
read_anything = msgspec.json.Decoder(Any)


@routes.post("/admin/cleanup", ADMIN, body=CleanupRequest, returns=Success)
async def clean(call: Call) -> Success:
    """Delete what is older than so many days. Mails, sent mails and addresses by age are deleted
    in batches of `cleanup_batch_size`: the oldest now, the next with the next call."""
    asked = await call.json(read_cleanup)
    try:
        kind, days = read_request(asked.clean_type, asked.clean_days)
    except BadRequest as error:
        raise refused(call, error, prefix=text("OperationFailedMsg", call.language)) from None
    await call.services.cleaning.clean(kind, days)
    return SUCCESS


def refused(call: Call, error: BadRequest, *, prefix: str) -> Refused:
    """500, as the contract has it here: `<prefix>: <reason>`."""
    words = localised(error.detail, error.message_key, call.language)
    code = (error.message_key or "InvalidInputMsg").removesuffix("Msg")
    return Refused(refusal(500, f"{prefix}: {words}", code))


@routes.get("/admin/auto_cleanup", ADMIN, returns=AutoCleanup | None)
async def auto_cleanup(call: Call) -> Any:
    """What is deleted every night, as it was saved; null when it never was."""
    return await call.services.cleaning.automatic()


@routes.post(
    "/admin/auto_cleanup", ADMIN, body=AutoCleanup, returns=Saved, body_limit=LARGEST_SETTINGS
)
async def save_auto_cleanup(call: Call) -> Saved:
    """Say what is deleted every night, after 00:00 UTC. Statements are read and never run as they
    are: what their condition selects is deleted."""
    posted = await call.json(read_anything)
    if not shallow(posted):
        raise invalid_input(call)
    try:
        problems = await call.services.cleaning.save_automatic(posted)
    except BadStatement as error:
        reason = localised(error.reason.detail, error.reason.message_key, call.language)
        code = (error.reason.message_key or "InvalidInputMsg").removesuffix("Msg")
        raise Refused(refusal(400, f"[{error.name}]: {reason}", code)) from None
    if not problems:
        return Saved()
    return Saved(
        warnings=[f"[{one.name}]: {one.why}" for one in problems],
        problems=[StatementProblem(one.name, str(one.why), why_told(one.why)) for one in problems],
    )


@routes.get("/admin/cleanup/runs", ADMIN, query=RunQuery, returns=RunPage)
async def cleanup_runs(call: Call) -> RunPage:
    """What cleanups did, newest first."""
    limit = call.limit(DEFAULT_PAGE)
    found = await call.services.cleaning.runs(limit=limit, before_id=call.number("before_id"))
    return RunPage([run_row(run) for run in found], found[-1].id if len(found) == limit else None)


def run_row(run: Run) -> RunRow:
    """The wire form of a run."""
    return RunRow(
        run.id,
        run.kind,
        run.asked_by,
        wire_time(run.began_at),
        wire_time(run.ended_at),
        run.removed,
        run.problem,
        why_told(run.problem),
    )


def why_told(why: str) -> ToldRow | None:
    """The code of what is wrong with a statement or with the store, when it is that."""
    told = WORDS.recognise(why) or trouble_words(why)
    return told_row(told) if told else None

"""Statistics (sending-api §10): percentages are texts with two decimals, numbers in the history."""

from __future__ import annotations

from typing import Any

from mailbox_service.core.address import domain_matches
from mailbox_service.core.api_values import offset_time, zulu
from mailbox_service.core.email_id import email_id_of
from mailbox_service.services.sending_api.statistics import (
    Cycle,
    CycleNumbers,
    History,
    Numbers,
    StatisticsForm,
)
from mailbox_service.web.sending.rows import Row

OFFICIAL = frozenset(("username", "api_key", "subaccount_id", "subaccounts"))
INCLUSIVE = ("date_start", "date_end", "date_from", "date_to")


def with_filters(fields: dict[str, Any]) -> dict[str, Any]:
    """Note whether a connector asks for rows, and whether its last day is part of the range."""
    said = {name for name, value in fields.items() if value not in (None, "", [])}
    found = dict(fields)
    if said - OFFICIAL:
        found["with_records"] = True
    if said.intersection(INCLUSIVE):
        found["inclusive"] = True
    return found


def part(number: int, whole: int) -> float:
    """A percentage; of nothing it is 0."""
    return 100 * number / whole if whole else 0.0


def percent(number: int, whole: int) -> str:
    """The same as a text with two decimals."""
    return f"{part(number, whole):.2f}"


def cycle_fields(cycle: Cycle) -> dict[str, Any]:
    """A month of the plan."""
    return {
        "cycle_start": offset_time(cycle.start),
        "cycle_end": offset_time(cycle.end),
        "cycle_used": cycle.used,
        "cycle_remaining": cycle.remaining,
        "cycle_max": cycle.most,
    }


def with_records(data: dict[str, Any], found: Numbers, record: Any) -> dict[str, Any]:
    """The same with a connector's rows."""
    if found.records is None:
        return data
    return {**data, "records": [record(one) for one in found.records], "total": found.total}


def about(one: Any) -> dict[str, Any]:
    """What every record says."""
    return {
        "email_address": one.recipient,
        "sender": one.sender,
        "email_id": email_id_of(one.queue_id) if one.queue_id else "",
    }


def bounces(found: Numbers) -> dict[str, Any]:
    """Who could not be reached."""
    sums = found.sums
    data = {
        "emails": sums.processed,
        "rejects": sums.rejected,
        "softbounces": sums.soft,
        "hardbounces": sums.hard,
        "bounce_percent": percent(sums.soft + sums.hard, sums.processed),
    }

    def record(one: Any) -> dict[str, Any]:
        return {
            **about(one),
            "subject": one.subject,
            "bounce": one.kind.partition("-")[0],
            "date_bounced": zulu(one.at),
            "message": one.reply,
            "host": one.host,
        }

    return with_records(data, found, record)


def spam(found: Numbers) -> dict[str, Any]:
    """Who complained."""
    sums = found.sums
    data = {
        "emails": sums.processed,
        "rejects": sums.rejected,
        "spams": sums.spam,
        "spam_percent": percent(sums.spam, sums.processed),
    }

    def record(one: Any) -> dict[str, Any]:
        shown = about(one)
        return {
            **shown,
            "subject": one.subject,
            "date": zulu(one.at),
            "transaction_id": shown["email_id"],
        }

    return with_records(data, found, record)


def unsubscribes(found: Numbers) -> dict[str, Any]:
    """Who does not want any more."""
    sums = found.sums
    data = {
        "emails": sums.processed,
        "rejects": sums.rejected,
        "unsubscribes": sums.unsubscribed,
        "unsubscribe_percent": percent(sums.unsubscribed, sums.processed),
    }
    return with_records(data, found, lambda one: {**about(one), "date": zulu(one.at)})


def summary(found: Numbers) -> dict[str, Any]:
    """Everything together."""
    sums = found.sums
    return {
        **cycle_fields(found.cycle),
        "email_count": sums.processed,
        "bounce_rejects": found.bounce_rejects,
        "softbounces": sums.soft,
        "hardbounces": sums.hard,
        "bounce_percent": percent(sums.soft + sums.hard, sums.processed),
        "spam_rejects": found.spam_rejects,
        "spam_emails": sums.spam,
        "spam_percent": percent(sums.spam, sums.processed),
        "unsubscribes": sums.unsubscribed,
        "unsubscribe_percent": percent(sums.unsubscribed, sums.processed),
        "opens": sums.opened,
        "clicks": sums.clicked,
        "rejects": sums.rejected,
    }


def cycle(found: CycleNumbers) -> dict[str, Any]:
    """The month of the plan, and its parts when they were asked for."""
    data = cycle_fields(found.cycle)
    if found.periods is not None:
        data["records"] = [
            {
                "period_start": offset_time(one.start),
                "period_end": offset_time(one.end),
                "emails": one.sums.processed,
                "delivered": one.sums.delivered,
                "bounces": one.sums.soft + one.sums.hard,
                "rejects": one.sums.rejected,
                "spam": one.sums.spam,
                "unsubscribes": one.sums.unsubscribed,
                "opens": one.sums.opened,
                "clicks": one.sums.clicked,
            }
            for one in found.periods
        ]
        data["total"] = found.total
    return data


def history(found: History) -> dict[str, Any]:
    """Sums of groups."""
    whole = found.whole
    rows = []
    for sums in found.rows:
        row: dict[str, Any] = {
            "used": sums.processed,
            "bytecount": sums.octets,
            "avgsize": sums.octets // sums.processed if sums.processed else 0,
            "lastip": sums.last_ip,
            found.group_by: found.words.get(sums.key, sums.key)
            if found.group_by == "subaccount"
            else sums.key,
            "bounces": sums.soft + sums.hard,
            "clicks": sums.clicked,
            "opens": sums.opened,
            "rejects": sums.rejected,
            "spam": sums.spam,
            "unsubscribes": sums.unsubscribed,
        }
        for name, key in (
            ("bounce_percent", "bounces"),
            ("click_percent", "clicks"),
            ("open_percent", "opens"),
            ("reject_percent", "rejects"),
            ("spam_percent", "spam"),
            ("unsubscribe_percent", "unsubscribes"),
        ):
            row[name] = round(part(row[key], sums.processed), 2)
        if found.group_by == "username":
            row["description"] = found.words.get(sums.key, "")
        if found.group_by == "domain":
            row["domain_verified"] = domain_matches(sums.key, found.verified)
        rows.append(row)
    return {
        "count": whole.processed,
        "bounce_percent_total": round(part(whole.soft + whole.hard, whole.processed), 2),
        "open_percent_total": round(part(whole.opened, whole.processed), 2),
        "reject_percent_total": round(part(whole.rejected, whole.processed), 2),
        "spam_percent_total": round(part(whole.spam, whole.processed), 2),
        "unsubscribe_percent_total": round(part(whole.unsubscribed, whole.processed), 2),
        "history": rows,
        "total": found.total,
    }


ROWS = (
    Row("stats/email_bounces", StatisticsForm, lambda api: api.statistics.bounces, bounces,
        prepare=with_filters, only_asks=True),
    Row("stats/email_cycle", StatisticsForm, lambda api: api.statistics.cycle, cycle,
        prepare=with_filters, only_asks=True),
    Row("stats/email_spam", StatisticsForm, lambda api: api.statistics.spam, spam,
        prepare=with_filters, only_asks=True),
    Row("stats/email_unsubs", StatisticsForm, lambda api: api.statistics.unsubscribes,
        unsubscribes, prepare=with_filters, only_asks=True),
    Row("stats/email_summary", StatisticsForm, lambda api: api.statistics.summary, summary,
        prepare=with_filters, only_asks=True),
    Row("stats/email_history", StatisticsForm, lambda api: api.statistics.history, history,
        prepare=with_filters, only_asks=True),
)  # fmt: skip

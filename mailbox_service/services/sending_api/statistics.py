"""Numbers about what was sent (sending-api §10): sums by day, or counted from the events where
somebody asks for a part that the sums do not know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from msgspec import Struct

from mailbox_service.core.address import split
from mailbox_service.core.api_values import (
    DAY,
    day_start,
    is_day,
    like,
    like_literal,
    micros_of,
    moment_of,
)
from mailbox_service.core.email_id import queue_id_of
from mailbox_service.core.sending_api import MASTER, MASTER_NAME, BadField, Caller
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sending_api.activity import accounts_of
from mailbox_service.services.sending_api.api_keys import StoredKey
from mailbox_service.services.sending_api.dates import date_of
from mailbox_service.services.sending_api.documents import KEYS, SUBACCOUNTS, USERS, Documents
from mailbox_service.services.sending_api.ordering import plan_period
from mailbox_service.services.sending_api.paging import Paging
from mailbox_service.services.sending_api.policies import Policies, Subaccount
from mailbox_service.services.sending_api.smtp_users import SmtpUser
from mailbox_service.storage import rejections, send_counts, sending_events
from mailbox_service.storage.database import Database
from mailbox_service.storage.sending_events import EventFilter, SendingEvent, Sums

WINDOW_DAYS = 30
# What "no limit" is on the wire: clients calculate with it.
NO_LIMIT = 1_000_000_000
DEFAULT_ROWS, LARGEST_ROWS = 100, 1_000
NOTHING = Sums("", "", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


class StatisticsForm(Struct, kw_only=True):
    """What numbers are about: one user, and a connector's filters."""

    username: str = ""
    email: str = ""
    sender: str = ""
    start_date: str = ""
    end_date: str = ""
    subaccounts: list[str] = []
    group_by: str = ""
    limit: int | None = None
    offset: int | None = None
    sort_field: str = ""
    sort_direction: str = ""
    tag: str = ""
    transaction_id: str = ""
    with_records: bool = False
    # Whether the last day is part of the range: connectors say so, the official API does not.
    inclusive: bool = False


@dataclass(frozen=True, slots=True)
class Cycle:
    """A month of an account's plan; times are microseconds UTC."""

    start: int
    end: int
    used: int
    most: int

    @property
    def remaining(self) -> int:
        return max(self.most - self.used, 0)


@dataclass(frozen=True, slots=True)
class Period:
    """Sums of one day, week or month."""

    start: int
    end: int
    sums: Sums


@dataclass(frozen=True, slots=True)
class Numbers:
    """Sums, the month, and the events behind them when a connector asked."""

    sums: Sums
    cycle: Cycle
    records: Sequence[SendingEvent] | None = None
    total: int = 0
    # Left out because mail to them had bounced, or because they had complained.
    bounce_rejects: int = 0
    spam_rejects: int = 0


@dataclass(frozen=True, slots=True)
class CycleNumbers:
    """The month, and its parts when they were asked for."""

    cycle: Cycle
    periods: Sequence[Period] | None
    total: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """Sums of groups. `words` is what else is known of a key: a description, a name."""

    group_by: str
    rows: Sequence[Sums]
    words: dict[str, str]
    verified: frozenset[str]
    whole: Sums
    total: int


class Statistics:
    """Adds up what was sent."""

    def __init__(
        self,
        database: Database,
        policies: Policies,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._policies = policies
        self._clock = clock
        self._keys = Documents(database, KEYS, StoredKey, clock)
        self._users = Documents(database, USERS, SmtpUser, clock)
        self._subaccounts = Documents(database, SUBACCOUNTS, Subaccount, clock)

    async def bounces(self, caller: Caller, form: StatisticsForm) -> Numbers:
        """Who could not be reached, in the last thirty days."""
        return await self._numbers(caller, form, ("soft-bounced", "hard-bounced"))

    async def spam(self, caller: Caller, form: StatisticsForm) -> Numbers:
        """Who complained."""
        return await self._numbers(caller, form, ("spam",))

    async def unsubscribes(self, caller: Caller, form: StatisticsForm) -> Numbers:
        """Who does not want any more."""
        return await self._numbers(caller, form, ("unsubscribed",))

    async def summary(self, caller: Caller, form: StatisticsForm) -> Numbers:
        """All of these together."""
        start, end = self._range(form)
        numbers = await self._numbers(caller, form, ())
        reasons = await self._database.read(
            rejections.by_reason,
            account=caller.account,
            start=start,
            end=end,
            username=form.username or None,
        )
        return replace(
            numbers,
            bounce_rejects=held_back_for("bounce", reasons),
            spam_rejects=held_back_for("spam", reasons),
        )

    async def cycle(self, caller: Caller, form: StatisticsForm) -> CycleNumbers:
        """The month of the plan; by days, weeks or months of a range when asked."""
        cycle = await self.cycle_of(caller.account, form.username)
        if not form.with_records:
            return CycleNumbers(cycle, None)
        start, end = self._range(form)
        paging = Paging.read(form, default=DEFAULT_ROWS, largest=LARGEST_ROWS)
        group = form.group_by or "day"
        if group not in ("day", "week", "month"):
            raise BadField("group_by", "day, week or month")
        days = await self._sums((caller.account,), start, end, "day", form.username)
        found: dict[int, list[Sums]] = {}
        for one in days:
            found.setdefault(period_start(int(one.key) * DAY, group), []).append(one)
        periods = [
            Period(begin, period_end(begin, group), added(parts))
            for begin, parts in sorted(found.items())
        ]
        page = paging.of(periods)
        return CycleNumbers(cycle, page.rows, page.total)

    async def cycle_of(self, account: str, username: str = "") -> Cycle:
        """What an account, or one of its users, sent this month."""
        now = self._clock()
        moment = moment_of(now)
        begin = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        start = micros_of(begin)
        end = micros_of((begin + timedelta(days=32)).replace(day=1))
        limit = (await self._policies.of(account)).limit
        if limit is not None and not username:
            used = await self._database.read_quick(send_counts.get, plan_period(account, now))
        else:
            rows = await self._database.read(
                sending_events.sums,
                accounts=[account],
                first_day=start // DAY,
                last_day=now // DAY,
                username=username or None,
            )
            used = rows[0].processed if rows else 0
        return Cycle(start, end, used, NO_LIMIT if limit is None else limit)

    async def history(self, caller: Caller, form: StatisticsForm) -> History:
        """Sums by sender, user, domain or account."""
        group = form.group_by or "email_address"
        by = {
            "email_address": "sender",
            "username": "username",
            "domain": "sender",
            "subaccount": "account",
        }.get(group)
        if by is None:
            raise BadField("group_by", "email_address, username, domain or subaccount")
        now = self._clock()  # before the range is read: one that ends now ends behind it
        start, end = self._range(form)
        sender = form.sender or None
        if form.email:
            rows = await self._of_recipient(caller, form, start, end, by)
        else:
            accounts = accounts_of(caller, form.subaccounts)
            if group == "subaccount" and not caller.account and not form.subaccounts:
                known = await self._subaccounts.all(MASTER)
                accounts = (MASTER, *(one.name for one in known))
            if end > now:  # nothing has happened behind now, so the day counts as whole
                end = day_start(now) + DAY
            rows = await self._sums_between(accounts, start, end, by, form.username, sender)
        if group == "domain":
            domains: dict[str, list[Sums]] = {}
            for one in rows:
                domains.setdefault(split(one.key)[1], []).append(one)
            rows = [added(parts, key=name) for name, parts in sorted(domains.items())]
        policy = await self._policies.of(caller.account)
        words = await self._words(caller.account, group)
        paging = Paging.read(form, default=LARGEST_ROWS, largest=LARGEST_ROWS)
        page = paging.of(rows)
        return History(group, page.rows, words, policy.domains, added(rows), page.total)

    async def _words(self, account: str, group: str) -> dict[str, str]:
        if group == "username":
            keys, users = await self._keys.all(account), await self._users.all(account)
            return {
                **{one.name: one.value.settings.description for one in keys},
                **{one.name: one.value.settings.description for one in users},
            }
        if group == "subaccount":
            known = await self._subaccounts.all(MASTER)
            return {MASTER: MASTER_NAME, **{one.name: one.value.fullname for one in known}}
        return {}

    async def _of_recipient(
        self, caller: Caller, form: StatisticsForm, start: int, end: int, by: str
    ) -> list[Sums]:
        """What one recipient got: counted from the events."""
        wanted = EventFilter(
            accounts_of(caller, form.subaccounts),
            start,
            end,
            recipient=like_literal(form.email),
            sender=like(form.sender) if form.sender else None,
            kinds=tuple(sending_events.COUNTED),
            usernames=(form.username,) if form.username else (),
            for_each=True,
        )
        return await self._database.read(sending_events.sums_of_events, wanted, group=by)

    async def _numbers(
        self, caller: Caller, form: StatisticsForm, kinds: tuple[str, ...]
    ) -> Numbers:
        start, end = self._range(form)
        cycle = await self.cycle_of(caller.account, form.username)
        if not form.with_records:
            rows = await self._sums((caller.account,), start, end, "all", form.username)
            return Numbers(rows[0] if rows else NOTHING, cycle)
        paging = Paging.read(form, default=DEFAULT_ROWS, largest=LARGEST_ROWS)
        wanted = EventFilter(
            accounts_of(caller, form.subaccounts),
            start,
            end,
            sender=like(form.sender) if form.sender else None,
            recipient=like(form.email) if form.email else None,
            usernames=(form.username,) if form.username else (),
            queue_id=queue_id_or_none(form.transaction_id),
            for_each=True,
        )
        counts = await self._database.read(sending_events.count_by_kind, wanted)
        found, total = await self._database.read(
            sending_events.search,
            replace(wanted, kinds=kinds),
            limit=paging.limit,
            offset=paging.offset,
            oldest_first=form.sort_direction.upper() == "ASC",
        )
        return Numbers(sums_of("", counts), cycle, found, total)

    async def _sums(
        self,
        accounts: Sequence[str],
        start: int,
        end: int,
        group: str,
        username: str,
        sender: str | None = None,
    ) -> list[Sums]:
        return await self._database.read(
            sending_events.sums,
            accounts=accounts,
            first_day=start // DAY,
            last_day=(end - 1) // DAY,
            group=group,
            username=username or None,
            sender=sender,
        )

    async def _sums_between(
        self,
        accounts: Sequence[str],
        start: int,
        end: int,
        group: str,
        username: str,
        sender: str | None,
    ) -> list[Sums]:
        """Sums of a range that may cut days: the whole ones, and the events of what is left."""
        first, last = -(-start // DAY) * DAY, end // DAY * DAY
        pieces = [(start, min(first, end)), (max(last, first), end)]
        rows = []
        if first < last:
            rows += await self._sums(accounts, first, last, group, username, sender)
        for begin, until in pieces:
            if begin < until:
                wanted = EventFilter(
                    tuple(accounts),
                    begin,
                    until,
                    sender=like_literal(sender) if sender else None,
                    kinds=tuple(sending_events.COUNTED),
                    usernames=(username,) if username else (),
                )
                rows += await self._database.read(
                    sending_events.sums_of_events, wanted, group=group
                )
        found: dict[str, list[Sums]] = {}
        for one in rows:
            found.setdefault(one.key, []).append(one)
        return [added(parts, key) for key, parts in sorted(found.items())]

    def _range(self, form: StatisticsForm) -> tuple[int, int]:
        """From thirty days ago until now, or as the form says."""
        now = self._clock()
        start = day_start(now - WINDOW_DAYS * DAY)
        end = now + 1
        if form.start_date:
            start = date_of("start_date", form.start_date)
        if form.end_date:
            end = date_of("end_date", form.end_date)
            if form.inclusive and is_day(form.end_date):
                end += DAY
        return start, max(end, start + 1)


def held_back_for(suppression: str, reasons: Mapping[str, int]) -> int:
    """How many recipients were left out because of suppressions of a kind."""
    end = f"suppressed ({suppression})"  # as the queue words it
    return sum(number for words, number in reasons.items() if words.endswith(end))


def queue_id_or_none(email_id: str) -> str | None:
    """What to look for by an e-mail id; nothing is found by one that is none."""
    return (queue_id_of(email_id) or "-") if email_id else None


def sums_of(key: str, kinds: dict[str, int]) -> Sums:
    """Counts of events as sums."""
    number = kinds.get
    return Sums(
        key,
        "",
        number("processed", 0),
        number("delivered", 0),
        number("soft-bounced", 0),
        number("hard-bounced", 0),
        number("rejected", 0),
        number("spam", 0),
        number("unsubscribed", 0),
        number("opened", 0),
        number("clicked", 0),
        0,
    )


def added(parts: Sequence[Sums], key: str = "") -> Sums:
    """Several sums as one."""
    return Sums(
        key,
        next((one.last_ip for one in reversed(parts) if one.last_ip), ""),
        sum(one.processed for one in parts),
        sum(one.delivered for one in parts),
        sum(one.soft for one in parts),
        sum(one.hard for one in parts),
        sum(one.rejected for one in parts),
        sum(one.spam for one in parts),
        sum(one.unsubscribed for one in parts),
        sum(one.opened for one in parts),
        sum(one.clicked for one in parts),
        sum(one.octets for one in parts),
    )


def period_start(micros: int, group: str) -> int:
    """When the day, week (from Monday) or month of a moment began."""
    moment = moment_of(day_start(micros))
    if group == "week":
        moment -= timedelta(days=moment.weekday())
    elif group == "month":
        moment = moment.replace(day=1)
    return micros_of(moment)


def period_end(start: int, group: str) -> int:
    """When it ends."""
    if group == "month":
        return micros_of((moment_of(start) + timedelta(days=32)).replace(day=1))
    return start + (7 * DAY if group == "week" else DAY)

"""Webhooks of the sending API: managed here, fed by `reporting` (sending-api §6)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mailbox_service.config import Config
from mailbox_service.core.errors import Conflict, NotFound
from mailbox_service.core.public_address import is_public
from mailbox_service.core.sending_api import BadField, Caller, PaymentRequired, Refusal
from mailbox_service.core.webhook import SECRET_PREFIX
from mailbox_service.core.webhook_log import Delivery, DeliveryFilter
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sending_api.documents import HOOKS, Document, Documents
from mailbox_service.services.webhook_log import STATES, OpenedDelivery, WebhookLog
from mailbox_service.storage import webhooks
from mailbox_service.storage.database import Database

T = TypeVar("T")

EVENTS = (
    *("processed", "delivered", "open", "click", "bounce", "spam", "unsubscribe"),
    *("resubscribe", "reject"),
)
SMS_EVENTS = ("sending", "submitted", "delivered", "failed", "rejected", "opt-out")
# Activity names and other spellings.
SPELLINGS = {
    "opened": "open",
    "clicked": "click",
    "spam_complaint": "spam",
    "unsubscribed": "unsubscribe",
    "resubscribed": "resubscribe",
    "rejected": "reject",
    "bounced": "bounce",
    "soft-bounced": "bounce",
    "hard-bounced": "bounce",
}
LONGEST_URL = 2_048
MOST_LISTED = 100
LONGEST_TEXT = 1_000
LONGEST_TOKEN = 19  # digits, so that it is an id that the store can hold
# Whose posts they are, in the log of posts.
OWNER = "sending:"
BATCH = 500


class HookFields(Struct, kw_only=True):
    """What a webhook consists of."""

    url: str | UnsetType = UNSET
    events: list[str] | UnsetType = UNSET
    sms_events: list[str] | UnsetType = UNSET
    headers: list[str] | UnsetType = UNSET
    usernames: list[str] | UnsetType = UNSET
    output_format: str | UnsetType = UNSET
    auth_header_type: str | UnsetType = UNSET
    auth_header_value: str | UnsetType = UNSET
    authorization_header: str | UnsetType = UNSET
    name: str | UnsetType = UNSET


class HookAdd(HookFields, kw_only=True):
    """A new webhook."""


class HookEdit(HookFields, kw_only=True):
    """Changes to a webhook; what is not said stays."""

    id: int


class HookId(Struct):
    """Which webhook."""

    id: int


class HookView(Struct, kw_only=True):
    """One webhook, or all of them."""

    id: int | None = None


class HookLog(Struct, kw_only=True):
    """The log of one webhook, or of all; the next page by the token of the one before."""

    id: int | None = None
    state: str = ""
    limit: int = 50
    continue_token: str = ""


class HookDelivery(Struct, kw_only=True):
    """Which delivery."""

    delivery_id: int


@dataclass(frozen=True, slots=True)
class LogPage:
    """A page of the log, newest first; the token is empty at its end."""

    deliveries: list[Delivery]
    total: int
    continue_token: str


class Hook(Struct, frozen=True, kw_only=True):
    """One webhook. With an empty type the value is a whole header."""

    url: str = ""
    events: list[str] = []
    sms_events: list[str] = []
    headers: list[str] = []
    usernames: list[str] = []
    output_format: str = "form"
    auth_header_type: str = ""
    auth_header_value: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class ShownHook:
    """A webhook for its owner's eyes; the secret is there when it was just made."""

    id: int
    hook: Hook
    signing_secret: str = ""


class Hooks:
    """The webhooks of all accounts."""

    def __init__(
        self, database: Database, config: Config, log: WebhookLog, *, clock: Clock = now_micros
    ) -> None:
        self._database = database
        self._log = log
        self._hooks = Documents(database, HOOKS, Hook, clock)
        self._most = config.sending_webhooks
        self._secret = config.webhook_secret or config.jwt_secret
        self._private = config.webhook_private_addresses

    async def add(self, caller: Caller, form: HookAdd) -> ShownHook:
        """A new webhook. Raises PaymentRequired when there are too many."""
        if form.url is UNSET:
            raise BadField("url", "Required")
        hook = hook_from(Hook(), form)
        self._check_place(hook.url)
        if not hook.events and not hook.sms_events:
            raise BadField("events", "At least one event that there is")
        if await self._hooks.count(caller.account) >= self._most:
            raise PaymentRequired(f"There are {self._most} webhooks already")
        made = await self._hooks.add(caller.account, secrets.token_hex(8), hook)
        assert made is not None
        return ShownHook(made.id, hook, self.secret_of(made.id))

    async def edit(self, caller: Caller, form: HookEdit) -> ShownHook:
        """Change what the request says."""
        found = await self._one(caller, form.id)
        hook = hook_from(found.value, form)
        self._check_place(hook.url)
        if not hook.events and not hook.sms_events:
            raise BadField("events", "At least one event that there is")
        await self._hooks.change(caller.account, found.name, hook)
        return ShownHook(found.id, hook)

    async def remove(self, caller: Caller, form: HookId) -> ShownHook:
        """Forget a webhook, and take back what waits for it; what it was."""
        found = await self._one(caller, form.id)
        await self._hooks.remove(caller.account, found.name)
        while await self._database.write(webhooks.cancel, owner_of(found.id), limit=BATCH):
            pass
        return ShownHook(found.id, found.value)

    async def view(self, caller: Caller, form: HookView) -> list[ShownHook]:
        """All webhooks, or one."""
        found = await self._hooks.all(caller.account)
        if form.id is not None:
            found = [one for one in found if one.id == form.id]
            if not found:
                raise no_hook(form.id)
        return [ShownHook(one.id, one.value) for one in found]

    async def log(self, caller: Caller, form: HookLog) -> LogPage:
        """What was posted to the webhooks of the account."""
        if form.state and form.state not in STATES:
            raise BadField("state", f"Must be one of {', '.join(STATES)}")
        if not 1 <= form.limit <= MOST_LISTED:
            raise BadField("limit", f"Must be 1 to {MOST_LISTED}")
        token = form.continue_token
        if token and not (token.isdecimal() and token.isascii() and len(token) < LONGEST_TOKEN):
            raise BadField("continue_token", "Is none of ours")
        found, total = await self._log.page(
            await self._own(caller, form.id, form.state),
            limit=form.limit,
            before_id=int(token) if token else None,
        )
        return LogPage(found, total, str(found[-1].id) if len(found) == form.limit else "")

    async def delivery(self, caller: Caller, form: HookDelivery) -> OpenedDelivery:
        """One of them with its body and every answer."""
        return await self._acted(caller, form, self._log.open)

    async def replay(self, caller: Caller, form: HookDelivery) -> int:
        """Make one of them again, with the same `webhook-id`."""
        return await self._acted(caller, form, self._log.replay)

    async def cancel(self, caller: Caller, form: HookDelivery) -> int:
        """Give up one of them that waits."""
        return await self._acted(caller, form, self._log.cancel)

    async def _own(self, caller: Caller, hook_id: int | None, state: str = "") -> DeliveryFilter:
        """The deliveries of the account, or of one webhook of it."""
        if hook_id is not None:
            return DeliveryFilter(state, owners=(owner_of((await self._one(caller, hook_id)).id),))
        found = await self._hooks.all(caller.account)
        return DeliveryFilter(state, owners=tuple(owner_of(one.id) for one in found))

    async def _acted(
        self,
        caller: Caller,
        form: HookDelivery,
        act: Callable[[int, DeliveryFilter], Awaitable[T]],
    ) -> T:
        """Do something to a delivery of the account. Raises Refusal."""
        if not 0 < form.delivery_id < 1 << 63:
            raise Refusal("There is no such delivery")
        try:
            return await act(form.delivery_id, await self._own(caller, None))
        except (NotFound, Conflict) as error:
            raise Refusal(error.detail) from None

    def _check_place(self, url: str) -> None:
        """Raises BadField for an address that no post will ever be made to. Names are looked up
        by whoever connects, each time."""
        host = (urlsplit(url).hostname or "").lower()
        if not self._private and is_private(host):
            raise BadField("url", "Must not lead to a private address")

    def secret_of(self, hook_id: int) -> str:
        """With what the posts of a webhook are signed, made from the service's own secret;
        empty when the service has none."""
        if not self._secret:
            return ""
        key = hmac.digest(
            self._secret.encode(), f"sending webhook {hook_id}".encode(), hashlib.sha256
        )
        return SECRET_PREFIX + base64.b64encode(key).decode()

    async def _one(self, caller: Caller, hook_id: int) -> Document[Hook]:
        for one in await self._hooks.all(caller.account):
            if one.id == hook_id:
                return one
        raise no_hook(hook_id)


def owner_of(hook_id: int) -> str:
    """Under what the log of posts has those of a webhook."""
    return f"{OWNER}{hook_id}"


def no_hook(hook_id: int) -> Refusal:
    return Refusal(f"There is no webhook with the id {hook_id}")


def hook_from(before: Hook, form: HookFields) -> Hook:
    """A webhook with what a form says, judged. Raises BadField."""
    told = {
        name: getattr(form, name)
        for name in before.__struct_fields__
        if getattr(form, name) is not UNSET
    }
    if form.authorization_header is not UNSET:
        told["auth_header_type"], told["auth_header_value"] = divided_header(
            form.authorization_header
        )
    asked = [*told.get("events", ()), *told.get("sms_events", ())]
    if "events" in told:
        told["events"] = known(told["events"], EVENTS)
    if "sms_events" in told:
        told["sms_events"] = known(told["sms_events"], SMS_EVENTS)
    if asked and not told.get("events") and not told.get("sms_events"):
        field, names = ("events", EVENTS) if "events" in told else ("sms_events", SMS_EVENTS)
        raise BadField(field, f"Must be some of {', '.join(names)}")
    hook = msgspec.structs.replace(before, **told)
    check_url(hook.url)
    if hook.output_format not in ("form", "json"):
        raise BadField("output_format", "form or json")
    if hook.auth_header_type not in ("", "bearer", "basic"):
        raise BadField("auth_header_type", "Empty, bearer or basic")
    for name in ("headers", "usernames"):
        listed = getattr(hook, name)
        if len(listed) > MOST_LISTED or any(len(one) > LONGEST_TEXT for one in listed):
            raise BadField(name, f"At most {MOST_LISTED} entries")
    value = hook.auth_header_value
    if len(value) > LONGEST_TEXT or not value.isascii() or (value and not value.isprintable()):
        raise BadField("auth_header_value", "Cannot stand in a header")
    if len(hook.name) > LONGEST_TEXT:
        raise BadField("name", f"Longer than {LONGEST_TEXT} characters")
    return hook


def known(names: list[str], all_names: tuple[str, ...]) -> list[str]:
    """Of some names those that mean something."""
    chosen = [SPELLINGS.get(one, one) if all_names is EVENTS else one for one in names]
    return list(dict.fromkeys(one for one in chosen if one in all_names))


def check_url(url: str) -> None:
    """Raises BadField for what is no address of the web. Where it leads is judged by whoever
    connects, each time."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        sound = False
    if not sound or len(url) > LONGEST_URL or not url.isprintable() or " " in url:
        raise BadField("url", "Must be an http or https address")


def is_private(host: str) -> bool:
    """Whether a host is written as an address that is not public, or means this machine."""
    try:
        return not is_public(str(ip_address(host)))
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def divided_header(value: str) -> tuple[str, str]:
    """A whole Authorization header as type and value; of another scheme it stays whole."""
    scheme, space, rest = value.strip().partition(" ")
    if space and scheme.lower() in ("bearer", "basic"):
        return scheme.lower(), rest.strip()
    return "", value.strip()


def target_and_login(hook: Hook) -> tuple[str, str, str]:
    """Address without a login in it, its host, and the value of Authorization, maybe empty."""
    parts = urlsplit(hook.url)
    host = (parts.hostname or "").lower()
    login = ""
    if hook.auth_header_value:
        scheme = hook.auth_header_type.title()
        login = f"{scheme} {hook.auth_header_value}".strip()
    elif parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login = "Basic " + base64.b64encode(pair.encode()).decode()
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, place, parts.path, parts.query, "")), host, login

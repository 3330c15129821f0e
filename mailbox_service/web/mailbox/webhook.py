"""The webhook of a mailbox: settings, a test call, the log, the secret (mailbox-api §3.3)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mailbox_service.core.errors import BadRequest
from mailbox_service.core.webhook import BadWebhook, HttpAnswer, Post, WebhookSettings
from mailbox_service.core.webhook_words import reason_words
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.errors import Uncaught
from mailbox_service.web.guards import MAILBOX
from mailbox_service.web.queries import PostQuery
from mailbox_service.web.request import Call, invalid_input, shallow
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import wire_time
from mailbox_service.web.told import ToldRow, told_row

routes = Routes("webhook")

# A template with a page of JSON around its placeholders, several times over.
LARGEST_SETTINGS = 262_144  # octets
DEFAULT_PAGE = 20


class PostRow(Struct, frozen=True):
    """One post: waiting, posting, delivered or failed; `status` 0 means that nothing came back.
    `answer` is the beginning of what the receiver said."""

    id: int
    webhook_id: str
    mail_id: int
    to: str
    url: str
    method: str
    state: str
    attempts: int
    status: int
    reason: str
    reason_told: ToldRow | None
    answer: str
    created_at: str
    attempted_at: str | None
    next_attempt_at: str | None


class PostPage(Struct, frozen=True):
    """A page of the log, newest first."""

    results: list[PostRow]
    next_before_id: int | None


class Secret(Struct, frozen=True):
    """With what posts are signed (Standard Webhooks); empty when they are not."""

    secret: str


class TestedConditions(Struct, frozen=True):
    """Whether the mail of a test call meets the conditions: otherwise it would not have been
    posted, and `unmet` says because of which."""

    met: bool
    unmet: list[str]


class Tested(Success, frozen=True):
    """The receiver took the post of a test call. `conditions` only where the settings have any."""

    conditions: TestedConditions | UnsetType = UNSET


read_anything = msgspec.json.Decoder(Any)


async def posted_settings(call: Call) -> Any:
    """Settings as they come: kept and returned unchanged, whatever they are."""
    value = await call.json(read_anything)
    if not shallow(value):
        raise invalid_input(call)
    return value


def saved_or(default: Struct, value: Any) -> Any:
    """What was saved, unless JavaScript calls it false: then nothing was (mailbox-api §1.6)."""
    return default if value in (None, False, 0, "") else value


def check_tested(answer: HttpAnswer) -> None:
    """What a test call says about a receiver that did not take it (mailbox-api §3.3)."""
    if answer.is_success:
        return
    if not answer.status:
        raise Uncaught(answer.name, answer.reason)
    raise BadRequest(f"send webhook error: {answer.status} {answer.reason}")


async def try_out(call: Call, *, address: str, recipient: str) -> Tested:
    """Post once with the settings of the body."""
    value = await posted_settings(call)
    try:
        tried = await call.services.webhooks.try_out(value, address=address, recipient=recipient)
    except BadWebhook as error:
        raise Uncaught(error.name, str(error)) from None
    check_tested(tried.answer)
    if tried.unmet is None:
        return Tested()
    return Tested(conditions=TestedConditions(not tried.unmet, list(tried.unmet)))


async def log_page(call: Call, owner: str) -> PostPage:
    """A page of the log of one owner."""
    limit = call.limit(DEFAULT_PAGE)
    posts = await call.services.webhooks.log(owner, limit=limit, before_id=call.number("before_id"))
    rows = [post_row(post) for post in posts]
    return PostPage(rows, rows[-1].id if len(rows) == limit else None)


def post_row(post: Post) -> PostRow:
    """The wire form of a post."""
    told = reason_words(post.reason)
    return PostRow(
        id=post.id,
        webhook_id=post.webhook_id,
        mail_id=post.message_id,
        to=post.recipient,
        url=post.url,
        method=post.method,
        state=post.state,
        attempts=post.attempts,
        status=post.status,
        reason=post.reason,
        reason_told=told_row(told) if told else None,
        answer=post.answer,
        created_at=wire_time(post.created_at),
        attempted_at=None if post.attempted_at is None else wire_time(post.attempted_at),
        next_attempt_at=None if post.next_attempt_at is None else wire_time(post.next_attempt_at),
    )


@routes.get("/api/webhook/settings", MAILBOX, returns=WebhookSettings)
async def webhook_settings(call: Call) -> Any:
    """The webhook of the mailbox as it was saved. `headers` and `body` are texts with JSON."""
    call.services.webhooks.check_allowed(call.address)
    return saved_or(WebhookSettings(), await call.services.webhooks.settings_of(call.address))


@routes.post(
    "/api/webhook/settings",
    MAILBOX,
    body=WebhookSettings,
    returns=Success,
    body_limit=LARGEST_SETTINGS,
)
async def save_webhook(call: Call) -> Success:
    """Save the webhook of the mailbox. Posts that wait for the one before are taken back."""
    call.services.webhooks.check_allowed(call.address)
    await call.services.webhooks.save(call.address, await posted_settings(call))
    return SUCCESS


@routes.post(
    "/api/webhook/test",
    MAILBOX,
    body=WebhookSettings,
    returns=Tested,
    body_limit=LARGEST_SETTINGS,
)
async def test_webhook(call: Call) -> Tested:
    """Post once, about any mail of the mailbox, with settings that need not be saved.
    It is posted whether it meets their conditions or not; the answer says which it does not."""
    return await try_out(call, address=call.address, recipient=call.address)


@routes.get("/api/webhook/posts", MAILBOX, query=PostQuery, returns=PostPage)
async def webhook_posts(call: Call) -> PostPage:
    """What was posted for the mailbox, and what the receiver answered."""
    return await log_page(call, call.address)


@routes.get("/api/webhook/secret", MAILBOX, returns=Secret)
async def webhook_secret(call: Call) -> Secret:
    """The secret by which a receiver knows the posts of this mailbox."""
    call.services.webhooks.check_allowed(call.address)
    return Secret(call.services.webhooks.secret_of(call.address))

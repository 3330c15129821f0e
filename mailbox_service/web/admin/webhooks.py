"""The webhook about all mail, and which mailboxes may have one of their own (mailbox-api §3.6)."""

from __future__ import annotations

from typing import Any

from mailbox_service.core.webhook import AllowList, WebhookSettings
from mailbox_service.services.webhooks import TEST_RECIPIENT
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.mailbox.webhook import (
    LARGEST_SETTINGS,
    PostPage,
    Tested,
    log_page,
    posted_settings,
    saved_or,
    try_out,
)
from mailbox_service.web.queries import PostQuery
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("admin webhooks")


@routes.get("/admin/webhook/settings", ADMIN, returns=AllowList)
async def allow_list(call: Call) -> Any:
    """Which addresses may have a webhook."""
    return saved_or(AllowList(), await call.services.administering.stored("webhook_settings"))


@routes.post(
    "/admin/webhook/settings",
    ADMIN,
    body=AllowList,
    returns=Success,
    body_limit=LARGEST_SETTINGS,
)
async def save_allow_list(call: Call) -> Success:
    """Say which addresses may have a webhook."""
    settings = await posted_settings(call)
    await call.services.administering.change({"webhook_settings": settings})
    return SUCCESS


@routes.get("/admin/mail_webhook/settings", ADMIN, returns=WebhookSettings)
async def mail_webhook(call: Call) -> Any:
    """The webhook about all mail as it was saved."""
    stored = await call.services.administering.stored("mail_webhook_settings")
    return saved_or(WebhookSettings(), stored)


@routes.post(
    "/admin/mail_webhook/settings",
    ADMIN,
    body=WebhookSettings,
    returns=Success,
    body_limit=LARGEST_SETTINGS,
)
async def save_mail_webhook(call: Call) -> Success:
    """Save the webhook about all mail. Posts that wait for the one before are taken back."""
    await call.services.webhooks.save_admin(await posted_settings(call))
    return SUCCESS


@routes.post(
    "/admin/mail_webhook/test",
    ADMIN,
    body=WebhookSettings,
    returns=Tested,
    body_limit=LARGEST_SETTINGS,
)
async def test_mail_webhook(call: Call) -> Tested:
    """Post once, about any stored mail, with settings that need not be saved.
    It is posted whether it meets their conditions or not; the answer says which it does not."""
    return await try_out(call, address="", recipient=TEST_RECIPIENT)


@routes.get("/admin/mail_webhook/posts", ADMIN, query=PostQuery, returns=PostPage)
async def mail_webhook_posts(call: Call) -> PostPage:
    """What was posted to the webhook about all mail, and what was answered."""
    return await log_page(call, "")

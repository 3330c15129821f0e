"""What a mailbox answers by itself (mailbox-api §3.3, §9.14)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mailbox_service.core.auto_reply import AutoReply
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.guards import MAILBOX
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("auto reply")


class ReplyBody(Struct, frozen=True):
    """An automatic answer. `source_prefix` says whom it goes to: empty everybody, `/…/` a
    pattern of the reverse-path, else how that begins."""

    subject: str | None = None
    message: str | None = None
    enabled: Any = False
    source_prefix: str | None = None
    name: str | None = None


class SavedReply(Struct, frozen=True):
    """The saved answer; empty when none ever was."""

    subject: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    source_prefix: str | UnsetType = UNSET
    name: str | UnsetType = UNSET


class ReplyChange(Struct, frozen=True):
    """The answer that is to be saved."""

    auto_reply: ReplyBody


read_change = msgspec.json.Decoder(ReplyChange)


@routes.get("/api/auto_reply", MAILBOX, returns=SavedReply)
async def saved_reply(call: Call) -> SavedReply:
    """The automatic answer of the mailbox."""
    call.services.auto_replying.check_enabled()
    reply = await call.services.auto_replying.get(call.address)
    if reply is None:
        return SavedReply()
    return SavedReply(reply.subject, reply.message, reply.enabled, reply.source_prefix, reply.name)


@routes.post("/api/auto_reply", MAILBOX, body=ReplyChange, returns=Success)
async def save_reply(call: Call) -> Success:
    """Replace the automatic answer of the mailbox."""
    call.services.auto_replying.check_enabled()
    body = (await call.json(read_change)).auto_reply
    reply = AutoReply(
        subject=plain(body.subject),
        message=plain(body.message),
        enabled=bool(body.enabled),
        source_prefix=plain(body.source_prefix),
        name=plain(body.name),
    )
    await call.services.auto_replying.save(call.address, reply)
    return SUCCESS


def plain(text: str | None) -> str:
    """A text that both stores take: PostgreSQL knows no NUL, and no mail has one."""
    return (text or "").replace("\0", "")

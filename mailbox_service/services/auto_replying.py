"""What a mailbox answers by itself: its owner's settings (mailbox-api §3.3)."""

from __future__ import annotations

from mailbox_service.config import Config
from mailbox_service.core.auto_reply import MAX_LENGTH, AutoReply, utf16_length
from mailbox_service.core.errors import BadRequest, NotYours
from mailbox_service.core.texts import text
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.storage import auto_replies
from mailbox_service.storage.database import Database


class AutoReplying:
    """Reads and saves automatic answers."""

    def __init__(self, database: Database, config: Config, *, clock: Clock = now_micros) -> None:
        self._database = database
        self._enabled = config.enable_auto_reply
        self._clock = clock

    def check_enabled(self) -> None:
        """Raises NotYours where addresses do not answer by themselves."""
        if not self._enabled:
            raise NotYours(text("AutoReplyDisabledMsg"), message_key="AutoReplyDisabledMsg")

    async def get(self, address: str) -> AutoReply | None:
        """The answer of a mailbox; None when none was ever saved."""
        return await self._database.read(auto_replies.get, address)

    async def save(self, address: str, reply: AutoReply) -> None:
        """Replace the answer of a mailbox. Raises BadRequest when it is empty or too long."""
        if reply.enabled and not (reply.subject and reply.message):
            raise BadRequest(text("InvalidAutoReplyMsg"), message_key="InvalidAutoReplyMsg")
        if max(utf16_length(reply.subject), utf16_length(reply.message)) > MAX_LENGTH:
            key = "SubjectOrMessageTooLongMsg"
            raise BadRequest(text(key), message_key=key)
        await self._database.write(auto_replies.put, address, reply, now=self._clock())

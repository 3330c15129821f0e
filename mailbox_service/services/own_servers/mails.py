"""A mail for somebody's own server, and how it is written."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mailbox_service.config import Config
from mailbox_service.core.compose import Draft, NamedAddress, compose
from mailbox_service.core.errors import MessageTooBig
from mailbox_service.core.own_server import Connection
from mailbox_service.core.sending_api import BadField
from mailbox_service.services.clock import Clock, as_datetime, new_id, now_micros
from mailbox_service.services.kept_requests import new_message_id
from mailbox_service.services.own_servers.connections import canonical_or_field

MOST_RECIPIENTS = 50


@dataclass(frozen=True, slots=True)
class Mail:
    """A message to be sent, all addresses canonical. `sender` None: that of the connection."""

    draft: Draft
    sender: NamedAddress | None = None

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everybody who gets it."""
        return self.draft.recipients()


class Writer:
    """Writes mails as the owner of a connection wants them."""

    def __init__(self, config: Config, *, clock: Clock = now_micros) -> None:
        self._clock = clock
        self._largest = config.max_message_size

    def written(self, connection: Connection, mail: Mail) -> tuple[str, bytes]:
        """Sender and content of a mail. Raises BadField, MessageTooBig, BadRequest."""
        author = mail.sender
        if author is None:
            if not connection.sender:
                raise BadField("from", "The connection has no sender address; say one")
            author = NamedAddress(canonical_or_field(connection.sender), connection.from_name)
        content = compose(
            replace(mail.draft, sender=author),
            message_id=new_message_id(new_id(), author.address),
            date=as_datetime(self._clock()),
        )
        if len(content) > self._largest:
            raise MessageTooBig(f"The message is larger than {self._largest} octets")
        return author.address, content

"""Mail through servers that users name, as one value (sending-api §12).

A queued mail is a durable row and goes out by a worker; several at once go over one connection
while the caller waits. Nothing here is our own mail pipeline: no allowance, no suppressions, no
signature of ours, since the server belongs to the caller.
"""

from __future__ import annotations

from mailbox_service.config import Config
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.own_servers.connections import Connections, Servers
from mailbox_service.services.own_servers.mails import Writer
from mailbox_service.services.own_servers.queued import Queue
from mailbox_service.services.own_servers.together import Together
from mailbox_service.signals import Signals
from mailbox_service.storage.database import Database


class Integrating:
    """The connections of all accounts, and the two ways of sending through them."""

    def __init__(
        self,
        database: Database,
        config: Config,
        servers: Servers,
        signals: Signals,
        *,
        clock: Clock = now_micros,
    ) -> None:
        writer = Writer(config, clock=clock)
        self.connections = Connections(database, config, servers, clock=clock)
        self.queue = Queue(database, self.connections, writer, signals, clock=clock)
        self.together = Together(self.connections, writer)

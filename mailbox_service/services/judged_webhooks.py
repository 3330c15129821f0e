"""Webhooks that wait for verdicts: those whose conditions ask where a mail comes from.

What follows from a mail is decided at once (`reacting`), but where it comes from is known a moment
later, and nobody's mail waits for that. So these webhooks alone are decided about by the worker
that judges origins, and their posts are written in the transaction with its verdicts and its
cursor: none is lost and none is made twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from mailbox_service.config import Config
from mailbox_service.core.stored import StoredVerdicts
from mailbox_service.core.webhook import GIVE_UP_AFTER
from mailbox_service.services.administering import Administering
from mailbox_service.services.clock import Clock, new_id, now_micros
from mailbox_service.services.consequences import Consequences, Fate, Wishes
from mailbox_service.services.reacting import keep_posts
from mailbox_service.services.sending import Sending
from mailbox_service.storage import webhooks
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.messages import Arrival
from mailbox_service.storage.verdicts import Arrived

# Verdicts may come late, after an outage or where they were switched on again. Nobody wants to be
# told of mail for which a post would have been given up.
TOO_OLD_MICROS = GIVE_UP_AFTER * 1_000_000

# Messages with one content, that content, and what was found out about it.
JudgedMail = tuple[Sequence[Arrived], bytes, StoredVerdicts]


class JudgedWebhooks:
    """Decides which webhooks tell of mail that was judged."""

    def __init__(
        self,
        config: Config,
        administering: Administering,
        sending: Sending,
        *,
        clock: Clock = now_micros,
        new_post_id: Callable[[], str] = new_id,
    ) -> None:
        self._enabled = config.enable_webhook
        self._clock = clock
        self._consequences = Consequences(
            config, administering, sending, clock=clock, new_id=new_post_id
        )

    async def fates(self, database: Database, judged: Sequence[JudgedMail]) -> list[Fate]:
        """The posts that follow from some messages, in the order in which they arrived."""
        if not self._enabled or not judged:
            return []
        oldest = self._clock() - TOO_OLD_MICROS
        mails = sorted(
            (
                (one, content, verdicts)
                for arrived, content, verdicts in judged
                for one in arrived
                if one.received_at >= oldest
            ),
            key=lambda mail: mail[0].id,
        )
        names = sorted({one.address for one, _, _ in mails})
        wishes = Wishes(await database.read(partial(webhooks.enabled_of, addresses=names)))
        if not self._consequences.asks_for_verdicts_of_everything():
            mails = [mail for mail in mails if mail[0].address in wishes.hooks]
        if not mails:
            return []
        return await asyncio.to_thread(
            self._consequences.judged_fates,
            wishes,
            [(arrival_of(one), content, verdicts) for one, content, verdicts in mails],
        )

    async def keep(self, tx: Transaction, fates: Sequence[Fate]) -> None:
        """Write the posts down."""
        for fate in fates:
            await keep_posts(tx, fate, now=self._clock())


def arrival_of(one: Arrived) -> Arrival:
    """A judged message as those see it who react to it."""
    return Arrival(one.id, one.address, one.reverse_path, one.content_id, one.size, one.quiet)

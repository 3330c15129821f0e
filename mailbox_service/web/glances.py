"""Lists of mail whose rows were mostly shown before.

The JSON of a row is kept as long as the message has the state that it had then
(`services.shown`); a list then costs the store a look at states, and us nothing but to put its
rows together.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from msgspec import Struct

from mailbox_service.core.stored import State, StoredMessage
from mailbox_service.services.glancing import Glance
from mailbox_service.services.shown import Shown
from mailbox_service.web.answers import JSON, Answer, encode_json


class Rows:
    """Rows of one form. `form` names it, and whatever else than the message makes the row."""

    def __init__(self, shown: Shown, *form: Hashable) -> None:
        self._shown = shown
        self._form = form

    def known(self, state: State) -> bytes | None:
        """The row of a message in this state, when it was shown before."""
        return self._shown.get((self._form, state))

    def of(self, glance: Glance, row: Callable[[StoredMessage, bytes], Struct]) -> list[bytes]:
        """The rows of a page as JSON; `row` makes those that were not known, of the message and
        its octets."""
        rows: list[bytes] = []
        for state in glance.states:
            octets = glance.kept.get(state)
            if octets is None:
                message = glance.fresh[state[0]]
                raw = (glance.contents or {}).get(message.id)
                octets = encode_json(row(message, raw or b""))
                # Damaged content reads as none: it may be read better again, or told of.
                if raw != b"":
                    self._shown.keep((self._form, state), octets)
            rows.append(octets)
        return rows


def page_answer(rows: list[bytes], rest: Struct) -> Answer:
    """A page of rows with what stands behind them, as JSON."""
    return Answer(b'{"results":[%b],%b' % (b",".join(rows), encode_json(rest)[1:]), JSON)

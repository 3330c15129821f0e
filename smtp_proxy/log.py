"""One line per fact: an event name, then key=value. No control character, no secret.

Credentials never reach this module: AUTH lines are not events, and contents are sizes.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache

from mailbox_service.log_lines import info_lines

logger = logging.getLogger("mailbox.smtp")

# What a value may hold and stand bare. Anything else is quoted and escaped, so that a peer can
# neither start a line nor colour a terminal (hazard 50).
_bare = re.compile(r"[\w.@:<>\[\]+/*-]+", re.ASCII).fullmatch
# A peer decides how long its words are, and an operator's disk should not care.
LONGEST_VALUE = 300


def neutral(value: object) -> str:
    """A value as one printable ASCII word, quoted when it is more than a plain one."""
    text = str(value)
    if _bare(text) and len(text) <= LONGEST_VALUE:
        return text
    return ascii(text[:LONGEST_VALUE])


def event(name: str, *, level: int = logging.INFO, **facts: object) -> None:
    """Write `name key=value …`; a fact that is None is left out."""
    if logger.isEnabledFor(level):
        words = [f"{key}={neutral(value)}" for key, value in facts.items() if value is not None]
        logger.log(level, "%s", " ".join([name, *words]))


def accepted(
    queue_id: str, *, door: str, reverse_path: str, recipients: int, size: int, ip: str
) -> None:
    """Write that a message was accepted. Every message has this line, and only one of its values
    is a peer's choice."""
    write = info_lines(logger)
    if write is not None:
        shown = queue_id if queue_id.isascii() and queue_id.isalnum() else neutral(queue_id)
        write(
            f"accepted queue_id={shown[:LONGEST_VALUE]} door={door} "
            f"reverse_path={_shown(reverse_path)} recipients={recipients} size={size} ip={ip}"
        )


@lru_cache(maxsize=1_024)
def _shown(reverse_path: str) -> str:
    return neutral(f"<{reverse_path}>")


def bug(name: str, error: BaseException, **facts: object) -> None:
    """An error nobody expected: the operator gets the traceback, the peer gets nothing."""
    words = [f"{key}={neutral(value)}" for key, value in facts.items() if value is not None]
    logger.error("%s", " ".join([name, f"error={type(error).__name__}", *words]), exc_info=error)

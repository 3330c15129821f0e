"""Lines of the log that every message has."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial


def info_lines(logger: logging.Logger) -> Callable[[str], object] | None:
    """What writes a line of INFO whose text is made already; None while nobody wants such lines.

    Past records and filters, where the one handler offers that (`mailbox_service.log` does): a
    record costs several times what the line does. To be asked for anew for each group of lines.
    """
    if not logger.isEnabledFor(logging.INFO):
        return None
    handlers = logger.root.handlers
    take_line = getattr(handlers[0], "take_line", None) if len(handlers) == 1 else None
    return logger.info if take_line is None else partial(take_line, logger.name)

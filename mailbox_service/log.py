"""Log lines for an operator: time, level, logger, event name, then key=value.

Whatever stands in a line was cleaned of control characters, so that a mail cannot write lines of
its own or speak to a terminal (hazard: log injection). Secrets, tokens and bodies are never
handed to the log; the doors blank them before.
"""

from __future__ import annotations

import logging
import sys
import time

# C0, DEL and C1 without the tab; the Unicode line ends and the marks that turn text around.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(9), *range(10, 32), *range(0x7F, 0xA0))} | {
    code: f"\\u{code:04x}"
    for code in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
# A line longer than this is cut: a peer decides about some of what stands in it.
LONGEST_LINE = 2000


def neutral(text: str) -> str:
    """Text without characters that act."""
    if text.isascii() and text.isprintable():
        return text  # nearly every line, and ten times quicker than looking at each letter
    return text.translate(_CONTROLS)


class Lines(logging.Formatter):
    """One line a fact; a traceback is folded into the line of its fact."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s")
        self._second = 0
        self._text = ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """The second of a record, UTC; worked out once a second."""
        second = int(record.created)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return self._text

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        if record.exc_info is None and len(line) > LONGEST_LINE:
            line = line[:LONGEST_LINE] + "…"
        return neutral(line)


def start(level: str) -> None:
    """Log to standard error from this level on."""
    # No line of ours names its thread or process, so nobody needs to look them up.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # The documented way not to look for the caller either: a third of what a line costs.
    logging._srcfile = None
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("mailbox").setLevel(level.upper())
    # What the libraries log of commands and requests may quote what a client sent.
    for library in ("mail.log", "uvicorn.access", "httpx2", "asyncio"):
        logging.getLogger(library).setLevel(logging.ERROR)

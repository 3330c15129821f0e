"""Log lines for an operator: time, level, logger, event name, then key=value.

Whatever stands in a line was cleaned of control characters, so that a mail cannot write lines of
its own or speak to a terminal (hazard: log injection). Secrets, tokens and bodies are never
handed to the log; the doors blank them before.
"""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, TextIO

# C0, DEL and C1 without the tab; the Unicode line ends and the marks that turn text around.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(9), *range(10, 32), *range(0x7F, 0xA0))} | {
    code: f"\\u{code:04x}"
    for code in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
# A line longer than this is cut: a peer decides about some of what stands in it.
LONGEST_LINE = 2000
# How long a line waits for others, and how many wait: an operator who looks on sees no delay.
WAIT_SECONDS = 0.1
MOST_LINES = 100


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
        self._millis = 0
        self._when = ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """The second of a record, UTC; worked out once a second."""
        return self._second_text(int(record.created))

    def _second_text(self, second: int) -> str:
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return self._text

    def format(self, record: logging.LogRecord) -> str:
        if record.exc_info is not None or record.stack_info is not None:
            return neutral(super().format(record))
        return self.line(record.created, record.levelname, record.name, record.getMessage())

    def line(self, created: float, level: str, name: str, text: str) -> str:
        """The line of a fact."""
        millis = int(created * 1000)
        if millis != self._millis:  # lines come in bursts
            self._millis = millis
            self._when = f"{self._second_text(millis // 1000)}.{millis % 1000:03d}Z"
        line = f"{self._when} {level} {name} {text}"
        if len(line) > LONGEST_LINE:
            line = line[:LONGEST_LINE] + "…"
        return neutral(line)


class Fact(logging.LogRecord):
    """A record without what no line of ours tells: file, thread, process. Making it is most of
    what a line costs, and every mail has one."""

    def __init__(
        self,
        name: str,
        level: int,
        pathname: str,
        lineno: int,
        msg: object,
        args: Any,
        exc_info: Any,
        func: str | None = None,
        sinfo: str | None = None,
    ) -> None:
        named = isinstance(args, tuple) and len(args) == 1 and isinstance(args[0], Mapping)
        if exc_info or named:
            super().__init__(name, level, pathname, lineno, msg, args, exc_info, func, sinfo)
            return
        self.name = name
        self.msg = msg
        self.args = args
        self.levelname = logging.getLevelName(level)
        self.levelno = level
        self.pathname = pathname
        self.filename = self.module = ""
        self.lineno = lineno
        self.funcName = func or ""
        self.exc_info = self.exc_text = None
        self.stack_info = sinfo
        self.created = now = time.time()
        self.msecs = now % 1 * 1000.0
        self.relativeCreated = 0.0
        self.thread = self.threadName = self.process = self.processName = self.taskName = None


class Together(logging.Handler):
    """Writes lines that come together with one call, which is most of what a line costs.

    What went well waits for `WAIT_SECONDS` at most, a warning for nothing; what stands before
    it is written with it, so the order is kept. Whoever kills the process loses what waits.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: list[str] = []
        self._waiting = threading.Event()
        threading.Thread(target=self._write_later, name="log", daemon=True).start()
        atexit.register(self.flush)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, or write it with all before it."""
        try:
            self._keep(self.format(record), at_once=record.levelno >= logging.WARNING)
        except Exception:
            self.handleError(record)

    def take_line(self, name: str, text: str) -> None:
        """Keep a line of INFO whose text is made already, without the record that others have.
        Who calls this has asked the logger of that name whether it wants such lines."""
        lines = self.formatter
        if not isinstance(lines, Lines):
            logging.getLogger(name).info(text)
            return
        line = lines.line(time.time(), "INFO", name, text)
        assert self.lock is not None
        with self.lock:
            try:
                self._keep(line, at_once=False)
            except (OSError, ValueError):
                return  # nobody reads the log any more

    def _keep(self, line: str, *, at_once: bool) -> None:
        self._lines.append(line)
        if at_once or len(self._lines) >= MOST_LINES:
            self.flush()
        elif len(self._lines) == 1 and not self._waiting.is_set():
            self._waiting.set()

    def flush(self) -> None:
        """Write what waits."""
        self.acquire()
        try:
            lines, self._lines = self._lines, []
            if lines:
                self._stream.write("\n".join([*lines, ""]))
                self._stream.flush()
        finally:
            self.release()

    def _write_later(self) -> None:
        while self._waiting.wait():
            time.sleep(WAIT_SECONDS)
            self._waiting.clear()
            try:
                self.flush()
            except (OSError, ValueError):
                return  # nobody reads the log any more


def flush() -> None:
    """Write what waits."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def start(level: str) -> None:
    """Log to standard error from this level on."""
    # No line of ours names its thread or process, so nobody needs to look them up.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # The documented way not to look for the caller either: a third of what a line costs.
    logging._srcfile = None
    logging.setLogRecordFactory(Fact)
    handler = Together(sys.stderr)
    handler.setFormatter(Lines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("mailbox").setLevel(level.upper())
    # What the libraries log of commands and requests may quote what a client sent.
    for library in ("mail.log", "uvicorn.access", "httpx2", "asyncio"):
        logging.getLogger(library).setLevel(logging.ERROR)

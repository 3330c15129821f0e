"""What requests leave in the log: never a token, password, query or body (hazard 50)."""

from __future__ import annotations

import re
import traceback

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
LONGEST = 200  # characters of anything that a client chose
DEEPEST = 6  # frames of a traceback: the last ones are where it happened


def neutral(text: str) -> str:
    """A client's text as one harmless line: no line ends, no terminal escapes, no flood."""
    return _CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}", text[:LONGEST])


def describe(error: BaseException) -> str:
    """An unforeseen error: its type, and where it came from. Its message is left out, since it
    may quote what the client sent."""
    frames = traceback.extract_tb(error.__traceback__)[-DEEPEST:]
    where = " < ".join(
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno}:{frame.name}"
        for frame in reversed(frames)
    )
    return f"error={type(error).__name__} at={where}"

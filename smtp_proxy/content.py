"""Reading the content after DATA: to CRLF.CRLF, never more than the limit, byte-exact.

The reader works on the connection's own input buffer and is called again whenever that grew,
so its verdict depends on the bytes alone and never on how the network cut them.
"""

from __future__ import annotations

import re

from smtp_proxy import replies
from smtp_proxy.limits import Limits

END = b"\r\n.\r\n"
_DOT = ord(".")

# For what ends with a line end: a CR that is the last octet would not be found.
_bare_cr = re.compile(rb"\r[^\n]").search
_bare_lf = re.compile(rb"\n(?<!\r\n)")
# One search for all that asks for a closer look, a bare LF, a stuffed dot and the end: it costs
# less than looking for the end alone, and is most of the work on a large content.
_odd_line = re.compile(rb"\n(?:(?<!\r\n)|\.)").search
# A dot alone between line ends of which one is a bare LF: some server takes it for an end.
_false_end = re.compile(rb"(?:\A|\n)\.\r?\n").search


class HeldContent:
    """The unfinished contents of all connections of one door, in octets."""

    __slots__ = ("octets",)

    def __init__(self) -> None:
        self.octets = 0


class ContentReader:
    """One content on its way in.

    After `take` returned True, either `content` holds the message with dots unstuffed (RFC 5321
    §4.5.2), or `refusal` says why it is not taken. A refused content was read to its end, so
    that what follows is the next command (CVE-2023-51764 and its kin, "SMTP smuggling").
    `overrun` True means the peer will not come to an end: close.

    A bare CR, a bare LF or a NUL is refused. With `repair_lines`, for the programs of our own
    users, a bare LF becomes CRLF instead (`sendmail(…, message.as_bytes())` of Python's smtplib
    sends such lines); a lone dot between them is refused all the same.
    """

    # Where every content begins; most never come to change more than one of these.
    _held_here = 0
    _at_start = True
    _odd = False
    _scan = 0
    _line_start = 0
    _skipped = 0
    content = b""
    refusal: bytes | None = None
    overrun = False
    received = 0

    def __init__(
        self, limits: Limits, held: HeldContent, now: float, *, repair_lines: bool = False
    ) -> None:
        self._limits = limits
        self._repair_lines = repair_lines
        self._held = held
        self.started = now

    def take_whole(self, data: bytes) -> bool:
        """Take a content that came in one piece, with its end and nothing else; False where
        `take` has to look, which then finds everything as it was."""
        size = len(data) - len(END) + 2
        if not data.endswith(END) or not self._at_start or data[0] == _DOT:
            return False
        if size > self._limits.content_line or size > self._limits.message_size:
            return False
        found = _odd_line(data)
        if found is None or found.start() != len(data) - len(END) + 1:
            return False
        self._at_start = False
        if _bare_cr(data) or b"\0" in data:
            self.refusal = replies.BARE_CR_OR_LF
        else:
            self.content = data[:size]
        return True

    def take(self, buffer: bytearray) -> bool:
        """Look for the end in the input so far; take the content and its end out of it."""
        if self._at_start:
            # The CRLF before the first line is the one of the DATA command.
            if buffer.startswith(b".\r\n"):
                del buffer[:3]
                return True
            if len(buffer) < 3:
                self.received = len(buffer)
                return False
            self._at_start = False
        end = self._find_end(buffer)
        if end < 0:
            self._go_on(buffer)
            return False
        size = end + 2
        if size > self._limits.content_line:
            self._check_lines(buffer, size)
        if size > self._limits.message_size and self.refusal is None:
            self.refusal = replies.TOO_BIG
        if self.refusal is None:
            self.content = bytes(memoryview(buffer)[:size])
        del buffer[: end + len(END)]
        if self._held_here:
            self.release()
        if self.refusal is None:
            self._finish()
        return True

    def _find_end(self, buffer: bytearray) -> int:
        """Where the end is; -1 when it has not come. Notes whether a line before it is odd."""
        if not self._odd:
            found = _odd_line(buffer, self._scan)
            if found is None:
                return -1
            at = found.start() - 1
            seen = buffer[at : at + len(END)] if at >= 0 else b""
            if seen == END:
                return at
            if seen and len(seen) < len(END) and END.startswith(seen):
                return -1  # so far; `_scan` stays before it
            self._odd = True
        return buffer.find(END, self._scan)

    def is_too_slow(self, now: float) -> bool:
        """Whether the peer has had its time and does not keep the least rate (hazard 3)."""
        elapsed = now - self.started
        limits = self._limits
        return elapsed > limits.content_grace and self.received < limits.content_rate * elapsed

    def release(self) -> None:
        """Give back this content's share of what the door may hold."""
        self._held.octets -= self._held_here
        self._held_here = 0

    def _finish(self) -> None:
        """Refuse what could end elsewhere for somebody else, then unstuff the dots."""
        content = self.content
        if _bare_cr(content) or b"\0" in content:
            self._refuse(replies.BARE_CR_OR_LF)
            return
        if self._odd:
            if _bare_lf.search(content):
                if not self._repair_lines or _false_end(content):
                    self._refuse(replies.BARE_CR_OR_LF)
                    return
                content = _bare_lf.sub(b"\r\n", content)
                if len(content) > self._limits.message_size:
                    self._refuse(replies.TOO_BIG)
                    return
            content = content.replace(b"\r\n.", b"\r\n")
        self.content = content[1:] if content.startswith(b".") else content

    def _refuse(self, reply: bytes) -> None:
        self.refusal = reply
        self.content = b""

    def _go_on(self, buffer: bytearray) -> None:
        size = len(buffer)
        self.received = self._skipped + size
        self._check_lines(buffer, size)
        # The last four octets may be the beginning of the end.
        if self.refusal is None and size - len(END) + 1 > self._limits.message_size:
            self.refusal = replies.TOO_BIG
        if self.refusal is None:
            self._held.octets += size - self._held_here
            self._held_here = size
            if self._held.octets > self._limits.held_content:
                self.refusal = replies.NO_ROOM_NOW
        if self.refusal is None:
            self._scan = max(0, size - len(END) + 1)
            return
        self.release()
        kept = len(END) - 1
        self._skipped += max(0, size - kept)
        del buffer[:-kept]
        self._scan = 0
        self.overrun = self._skipped > self._limits.message_size + self._limits.overrun

    def _check_lines(self, buffer: bytearray, size: int) -> None:
        """Refuse an endless line early: it would be held up to the size of a message.

        Steps from line to line by the widest strides that cannot jump over one that is too
        long; a message smaller than the limit for a line needs no step.
        """
        longest = self._limits.content_line
        size = min(size, self._limits.message_size)
        while self.refusal is None and size - self._line_start > longest:
            last = buffer.rfind(b"\n", self._line_start, self._line_start + longest)
            if last < 0:
                self.refusal = replies.CONTENT_LINE_TOO_LONG
            self._line_start = last + 1

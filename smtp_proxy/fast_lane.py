"""The fast lane: input is cut into lines and contents where it arrives, and answered at once.

What memory can answer needs no task, no stream and no timer: the replies to everything that
came in one packet leave in one packet (RFC 2920). A line that has to wait for something (a
login, a TLS handshake, storage) is given to a coroutine of `MailServer` together with the
input behind it, and when the coroutine has ended the lane goes on with what it left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailbox_service.core.envelope import Envelope
from mailbox_service.core.errors import MailError
from smtp_proxy import log, replies
from smtp_proxy.backend import Answer
from smtp_proxy.content import ContentReader
from smtp_proxy.dialog import SILENCE, Command, whole_line
from smtp_proxy.server import MailServer

if TYPE_CHECKING:
    from smtp_proxy.door import Door

_CLIENT_HELLO = 0x16  # first octet of a TLS record; no SMTP command begins with it


class FastLane(MailServer):
    """One connection of a mail door."""

    _content: ContentReader | None = None
    _handed_over: tuple[Envelope, int] | None = None
    _input_ended = False
    _skipped = 0
    _reading_paused = False
    _writing_paused = False

    def __init__(self, door: Door, *, implicit_tls: bool = False) -> None:
        super().__init__(door, implicit_tls=implicit_tls)
        self._unread = bytearray()

    @property
    def _working(self) -> bool:
        return (
            self._handed_over is not None
            or self._content is not None
            or self._handler_coroutine is not None
        )

    @property
    def _has_input(self) -> bool:
        return bool(self._unread)

    # --- input ------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if self._handler_coroutine is not None:
            self._reader.feed_data(data)
            self._pace()
            return
        if not self._unread and self._handed_over is None and self._answer_at_once(data):
            return
        self._unread += data
        if self._handed_over is None:
            self._go_on()
        self._pace()

    def eof_received(self) -> bool:
        """The peer will say no more; True keeps the way back open for an answer it waits for."""
        self._input_ended = True
        if self._stream_open:
            self._reader.feed_eof()
        return (
            not self._dialog.tls
            and not self._closing
            and (self._handed_over is not None or self._handler_coroutine is not None)
        )

    def connection_lost(self, error: Exception | None) -> None:
        if self._content is not None:
            self._content.release()
            log.event("lost_in_content", ip=self._dialog.ip, octets=self._content.received)
            self._content = None
        super().connection_lost(error)

    def pause_writing(self) -> None:
        """The peer does not read our replies: neither do we read its commands."""
        self._writing_paused = True
        self._pace()

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._pace()

    def _pace(self) -> None:
        """Read on, or wait until the peer has read, or until we have seen what it said."""
        waiting = 0
        if self._handed_over is not None:
            waiting = len(self._unread)
        elif self._handler_coroutine is not None:
            waiting = len(self._unread_by_coroutine())
        pause = self._writing_paused or waiting > self._door.limits.unread
        transport = self.transport
        if pause == self._reading_paused or transport is None or transport.is_closing():
            return
        self._reading_paused = pause
        if pause:
            transport.pause_reading()
        else:
            transport.resume_reading()

    # --- answers ----------------------------------------------------------------------------

    def _answer_at_once(self, data: bytes) -> bool:
        """Answer what is one whole line or one whole content, as a peer sends that waits for each
        reply; False where `_go_on` has to look. It would say the same, and costs more."""
        content, door = self._content, self._door
        if door.closing or self._skip_reply is not None:
            return False
        if content is not None:
            if not content.take_whole(data):
                return False
            reply = self._end_content(content)
        else:
            try:
                command = whole_line(data, door.limits.command_line)
            except LookupError:
                return False
            reply = self._answer_line(data, command)
        if reply is None:
            return True
        if reply == SILENCE or replies.ends_connection(reply):
            self.say_goodbye(reply)
            return True
        # As in `_time_for_next`: what was answered at once was not handed over.
        limits = door.limits
        self._say(reply, limits.idle if self._content is None else limits.content_pause)
        return True

    def _say(self, reply: bytes, seconds: float) -> None:
        """Write a reply; the peer has so long for what it says next."""
        transport = self.transport
        if transport is not None and not transport.is_closing():
            transport.write(reply)
        self.deadline = self.loop.time() + seconds

    def _go_on(self) -> None:
        """Answer all input that can be answered now, in one write."""
        unread = self._unread
        answers: list[bytes] = []
        while unread:
            content = self._content
            if content is not None:
                reply = self._take_content(content, unread)
            elif self._skip_reply is not None:
                reply = self._skip_line(unread, self._skip_reply)
            else:
                reply = self._take_line(unread)
            if reply is None:
                break
            if reply == SILENCE or replies.ends_connection(reply):
                self._write(b"".join(answers))
                self.say_goodbye(reply)
                return
            answers.append(reply)
        if answers:
            self._say(b"".join(answers), self._time_for_next())
        if self._handed_over is None and self._handler_coroutine is None:
            if self._input_ended and self.transport is not None:
                self.transport.close()
            elif self._door.closing:
                self.shut_down()

    def _time_for_next(self) -> float:
        limits = self._door.limits
        if self._content is not None:
            return limits.content_pause
        return limits.idle if self._handed_over is None else limits.answer

    def _take_line(self, unread: bytearray) -> bytes | None:
        """Answer the first line; None when it is unfinished, or a coroutine answers it."""
        if unread[0] == _CLIENT_HELLO:
            log.event("not_smtp", ip=self._dialog.ip, verb="TLS")
            return SILENCE
        end = unread.find(b"\n")
        if end < 0 or end >= self._door.limits.command_line:
            too_long = self._too_long(unread, end)
            if too_long is not None:
                return self._skip_line(unread, too_long)
            if end < 0:
                return None
        line = bytes(unread[:end])
        del unread[: end + 1]
        if line[-1:] != b"\r":
            return self._dialog.count_error(replies.BAD_LINE)
        if self._door.closing and line[:4].upper() == b"MAIL":
            # A peer that pipelines is never idle, so it hears of the end here.
            return replies.SHUTTING_DOWN
        reply = self._answer_line(line[:-1])
        if reply is None:
            if self._input_ended:  # a stream that was told so takes nothing more
                self._unread_by_coroutine().extend(unread)
                self._reader.feed_eof()
            else:
                self._reader.feed_data(bytes(unread))
            unread.clear()
        return reply

    def _answer_line(self, line: bytes, command: Command | None = None) -> bytes | None:
        """Answer a line, or the command in it where that was seen; None when a coroutine does."""
        try:
            dialog = self._dialog
            reply = dialog.hear(line) if command is None else dialog.obey(command)
        except Exception as error:
            return self.our_fault(error)
        if reply is None:
            self._run(self._answer_slowly(line.removesuffix(b"\r\n")))
        elif reply is replies.SEND_CONTENT:
            self._content = self._door.new_content(self.loop.time())
        return reply

    def _too_long(self, unread: bytearray, end: int) -> bytes | None:
        """The reply to a line that is longer than its verb allows."""
        length = end if end >= 0 else len(unread)
        limits = self._door.limits
        if unread[:5].upper() == b"AUTH ":
            return replies.AUTH_LINE_TOO_LONG if length >= limits.auth_line else None
        return replies.LINE_TOO_LONG if length >= limits.command_line else None

    def _skip_line(self, unread: bytearray, reply: bytes) -> bytes | None:
        """Throw away the rest of a line that is too long, then refuse it."""
        end = unread.find(b"\n")
        if end >= 0:
            del unread[: end + 1]
            self._skip_reply = None
            self._skipped = 0
            return self._dialog.count_error(reply)
        self._skip_reply = reply
        self._skipped += len(unread)
        unread.clear()
        return replies.TOO_MUCH if self._skipped > self._door.limits.overrun else None

    # --- contents ---------------------------------------------------------------------------

    def _take_content(self, content: ContentReader, unread: bytearray) -> bytes | None:
        """Answer the content when its end has come and it is on disk; None until then."""
        if not content.take(unread):
            self._wait(self._door.limits.content_pause)
            return replies.TOO_MUCH if content.overrun else None
        return self._end_content(content)

    def _end_content(self, content: ContentReader) -> bytes | None:
        """Answer a content whose end has come; None until it is on disk."""
        self._content = None
        if content.refusal is not None:
            self._dialog.reset()
            log.event(
                "content_refused",
                ip=self._dialog.ip,
                reply=content.refusal[:-2].decode("ascii"),
            )
            if content.refusal[:1] == b"5":
                return self._dialog.count_error(content.refusal)
            return content.refusal
        return self._hand_over(content.content)

    def _hand_over(self, content: bytes) -> bytes | None:
        """Give the message to the service; None when its answer takes a moment."""
        dialog = self._dialog
        principal = dialog.principal
        envelope = dialog.end_of_content()
        self._handed_over = (envelope, len(content))
        try:
            future = self._door.rules.take(envelope, content, dialog.peer, principal)
        except MailError as error:
            return self._refused(error)
        except Exception as error:
            self._handed_over = None
            return self.our_fault(error)
        if future.done():
            return self._verdict(future)
        future.add_done_callback(self._answered)
        self._wait(self._door.limits.answer)
        return None

    def _answered(self, future: Answer) -> None:
        """The service has answered: tell the peer, if it is still there, and go on."""
        reply = self._verdict(future)
        if self.transport is None or self._closing:
            return
        if replies.ends_connection(reply):
            self.say_goodbye(reply)
            return
        self._say(reply, self._door.limits.idle)
        if self._unread or self._input_ended or self._door.closing:
            self._go_on()
        self._pace()

    def _verdict(self, future: Answer) -> bytes:
        """The reply to a message. A 250 means it is on disk (RFC 5321 §6.1)."""
        if future.cancelled():
            self._handed_over = None
            log.event("hand_over_cancelled", ip=self._dialog.ip)
            return replies.OUR_FAULT
        error = future.exception()
        if isinstance(error, MailError):
            return self._refused(error)
        if error is not None:
            self._handed_over = None
            return self.our_fault(error)
        receipt = future.result()
        envelope, size = self._handed_over or (Envelope("", ()), 0)
        self._handed_over = None
        self._dialog.accepted()
        log.accepted(
            receipt.queue_id,
            door=self._door.name,
            reverse_path=envelope.reverse_path,
            recipients=len(envelope.recipients),
            size=size,
            ip=self._dialog.ip,
        )
        return replies.accepted(self._door.rules.accepted_as, receipt.queue_id)

    def _refused(self, error: MailError) -> bytes:
        self._handed_over = None
        reply = replies.reply_for(error)
        log.event("message_refused", ip=self._dialog.ip, reply=reply[:-2].decode("ascii"))
        return self._dialog.count_error(reply) if reply[:1] == b"5" else reply

    # --- coroutines, time, the end ----------------------------------------------------------

    def _coroutine_ended(self, reply: bytes | None) -> None:
        """Take the input back that the coroutine has not read, and go on."""
        if self._closing:
            return
        super()._coroutine_ended(reply)
        if self._closing:
            return
        rest = self._unread_by_coroutine()
        self._unread += rest
        rest.clear()
        self._go_on()
        self._pace()

    def check_time(self, now: float, *, crowded: bool) -> None:
        """Close also what sends a message too slowly (hazard 3)."""
        if self._content is not None and not self._closing and self._content.is_too_slow(now):
            log.event("too_slow", ip=self._dialog.ip, octets=self._content.received)
            self.say_goodbye(replies.TOO_SLOW)
            return
        super().check_time(now, crowded=crowded)

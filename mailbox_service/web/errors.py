"""The one table from a kind of refusal to its HTTP status, and how a refusal is worded."""

from __future__ import annotations

import re

from mailbox_service.core import errors
from mailbox_service.core.errors import MailError, TemporaryFailure, TooManyRequests
from mailbox_service.core.texts import localised, text
from mailbox_service.web.answers import Answer, Headers, text_answer

# A subclass without a line of its own answers like its parent.
STATUS: dict[type[MailError], int] = {
    errors.BadRequest: 400,
    errors.BadAddress: 400,
    errors.UnknownMailbox: 404,
    errors.NotOurDomain: 400,
    errors.SenderRefused: 400,
    errors.BadCredential: 401,
    errors.NotYours: 403,
    errors.FromNotYours: 403,
    errors.RecipientBlocked: 400,
    errors.MessageTooBig: 413,
    errors.BadContent: 400,
    errors.RoutingLoop: 400,
    errors.QuotaReached: 400,
    errors.MailboxFull: 503,
    errors.Conflict: 409,
    errors.NameTaken: 400,
    errors.NotFound: 404,
    errors.NoChannel: 400,
    errors.TooManyRequests: 429,
    errors.TemporaryFailure: 503,
}
# On the sending routes every refusal is 400 (mailbox-api §3.3), save those that tell a client
# of ours to come back or to change its key; no other client can meet them.
KEPT_WHEN_WRAPPED = frozenset({409, 413, 429, 503})
COME_BACK_AFTER = 5  # seconds: storage trouble is a restart or a full disk being emptied
FAILED_TO_SEND = "Failed to send mail "  # begins every refusal of the sending routes (§3.3)
LONGEST_ECHO = 1000  # characters of a refusal; it may quote what the client sent


class Refused(Exception):
    """An answer decided on the way: status and text are what the contract says."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Uncaught(Exception):
    """What the contract calls an uncaught failure: 500 with `<ErrorName> <message>`."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message


class ClientGone(Exception):
    """The client left before its request was whole; nobody reads an answer."""


def status_of(error: MailError) -> int:
    """The HTTP status of a refusal."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return 500


def code_of(error: MailError) -> str:
    """A name for programs: that of the message when it has one, else that of the kind."""
    return (error.message_key or type(error).__name__).removesuffix("Msg")


def answer_for(error: MailError, language: str) -> Answer:
    """The refusal as the contract words it: status, and plain text in the client's language."""
    words = localised(error.detail, error.message_key, language)
    return refusal(status_of(error), words, code_of(error), more_headers(error))


def wrapped(error: MailError, prefix: str, language: str) -> Answer:
    """The refusal behind a fixed beginning, as the sending and opening routes say it."""
    words = localised(error.detail, error.message_key, language)
    status = status_of(error)
    status = status if status in KEPT_WHEN_WRAPPED else 400
    return refusal(status, prefix + words, code_of(error), more_headers(error))


def refusal(status: int, words: str, code: str, headers: Headers = ()) -> Answer:
    """Plain text, and a code for programs in `X-Error-Code`."""
    named = (b"x-error-code", re.sub(r"[^A-Za-z0-9_.-]", "", code).encode())
    return text_answer(words[:LONGEST_ECHO], status, (named, *headers))


def message(status: int, key: str, language: str) -> Answer:
    """The message of the contract named `key`."""
    return refusal(status, text(key, language), key.removesuffix("Msg"))


def uncaught(name: str, words: str) -> Answer:
    """500 with the name of the error in front (mailbox-api §1.1)."""
    return refusal(500, f"{name} {words}", name)


def more_headers(error: MailError) -> Headers:
    """Kind and enhanced status, by which another mail door refuses likewise; and when to come
    back."""
    told = (
        (b"x-mail-error", type(error).__name__.encode()),
        (b"x-enhanced-status", error.enhanced.encode()),
    )
    if isinstance(error, TooManyRequests):
        seconds = max(1, round(error.retry_after))
    elif isinstance(error, TemporaryFailure):
        seconds = COME_BACK_AFTER
    else:
        return told
    return (*told, (b"retry-after", b"%d" % seconds))

"""What a handler may answer with, besides a struct that becomes JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from starlette.types import Scope, Send

Headers = tuple[tuple[bytes, bytes], ...]

JSON = b"application/json"
TEXT = b"text/plain; charset=UTF-8"
HTML = b"text/html; charset=utf-8"

encode_json = msgspec.json.Encoder().encode


class Answer:
    """One whole answer. Headers that every answer has are added by the front."""

    __slots__ = ("body", "headers", "media_type", "status")

    def __init__(
        self, body: bytes, media_type: bytes, *, status: int = 200, headers: Headers = ()
    ) -> None:
        self.body = body
        self.media_type = media_type
        self.status = status
        self.headers = headers


class Success(msgspec.Struct, frozen=True):
    """A change was made, or was not needed."""

    success: bool = True


class Sent(msgspec.Struct, frozen=True):
    """A sending-type request was taken."""

    status: str = "ok"


SUCCESS = Success()
OK = Sent()


def text_answer(text: str, status: int = 200, headers: Headers = ()) -> Answer:
    """Plain text, the form of every refusal (mailbox-api §1.1)."""
    return Answer(text.encode("utf-8", "replace"), TEXT, status=status, headers=headers)


def json_answer(value: object, status: int = 200, headers: Headers = ()) -> Answer:
    """JSON with another status or more headers than usual."""
    return Answer(encode_json(value), JSON, status=status, headers=headers)


# An extension of ASGI that our server offers: a function that takes status, header lines as they
# leave, further headers, and the body of a whole answer and sends them in one step, or says False
# when it cannot.
WHOLE = "mailbox.whole_answer"
WriteWhole = Callable[[int, bytes, Sequence[tuple[bytes, bytes]], bytes], bool]


async def write(answer: Answer, scope: Scope, send: Send) -> None:
    """Send a whole answer; HEAD gets its headers only."""
    headers = [(b"content-type", answer.media_type), *answer.headers]
    if answer.status != 304:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    body = b"" if scope["method"] == "HEAD" else answer.body
    extensions = scope.get("extensions")
    whole = extensions.get(WHOLE) if extensions else None
    if whole is not None and whole(answer.status, headers, body):
        return
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""One HTTP request to a receiver that somebody else chose, and what it answered.

Nothing is followed, nothing is decompressed, and no more of an answer is read than is kept.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping, Sequence

import httpcore2
import httpx2

from mailbox_service import __version__
from mailbox_service.core.webhook import HttpAnswer, HttpRequest
from mailbox_service.outbound.address_guard import GuardedPool, Refused
from mailbox_service.outbound.dns import Resolver

# From the look-up of the name to the last octet that is read.
SECONDS = 10.0
# Kept of an answer, for whoever asks why a post was not taken.
ANSWER_OCTETS = 2_048
# Open at once, for all receivers together: more than the worker and all test calls can hold, so
# that none ever waits for the connection of another.
CONNECTIONS = 96

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class HttpOut:
    """Posts to receivers through the address guard."""

    def __init__(
        self,
        resolver: Resolver,
        *,
        private_addresses: bool = False,
        seconds: float = SECONDS,
        tls: ssl.SSLContext | None = None,
        answer_octets: int = ANSWER_OCTETS,
    ) -> None:
        self._answer_octets = answer_octets
        self._seconds = seconds
        self._pool = GuardedPool(
            resolver, private_addresses=private_addresses, connections=CONNECTIONS, tls=tls
        )

    async def post(
        self, request: HttpRequest, more_headers: Sequence[tuple[str, str]] = ()
    ) -> HttpAnswer:
        """Make one request. Trouble is an answer with status 0."""
        try:
            url = wire_url(request.url)
        except (httpx2.InvalidURL, UnicodeError, ValueError):
            return HttpAnswer(0, "Invalid URL", name="TypeError")
        try:
            async with asyncio.timeout(self._seconds):
                return await self._speak(request, url, more_headers)
        except (TimeoutError, httpcore2.TimeoutException):
            reason = f"The receiver did not answer within {self._seconds:g} seconds"
            return HttpAnswer(0, reason, name="TimeoutError")
        except Refused as refusal:
            return HttpAnswer(0, f"fetch failed: {refusal}", name="TypeError")
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            return HttpAnswer(0, f"fetch failed: {why(error)}", name="TypeError")

    async def _speak(
        self, request: HttpRequest, url: httpx2.URL, more_headers: Sequence[tuple[str, str]]
    ) -> HttpAnswer:
        async with self._pool.open().stream(
            request.method,
            httpcore2.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=wire_headers(request, url, more_headers),
            content=request.body or None,
        ) as answer:
            head = bytearray()
            async for chunk in answer.aiter_stream():
                head += chunk
                if len(head) >= self._answer_octets:
                    break
            text = shown(bytes(head), self._answer_octets)
            return HttpAnswer(answer.status, reason_phrase(answer), text)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()


def wire_url(text: str) -> httpx2.URL:
    """The address in the form that goes over the wire. Raises InvalidURL."""
    url = httpx2.URL(text)
    if url.scheme not in ("http", "https") or not url.host:
        raise httpx2.InvalidURL("not an address of the web")
    return url


def wire_headers(
    request: HttpRequest, url: httpx2.URL, more: Sequence[tuple[str, str]]
) -> list[tuple[bytes, bytes]]:
    """Every header of the request; those of its settings come before ours of the same name."""
    chosen: Mapping[str, None] = {name.lower(): None for name, _ in request.headers}
    headers = [("Host", url.netloc.decode("ascii"))]
    if "user-agent" not in chosen:
        headers.append(("User-Agent", f"mailbox-service/{__version__}"))
    if "accept" not in chosen:
        headers.append(("Accept", "*/*"))
    headers += [*request.headers, *more]
    if request.method not in ("GET", "HEAD") or request.body:
        headers.append(("Content-Length", str(len(request.body))))
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]


def reason_phrase(answer: httpcore2.Response) -> str:
    """The words behind the status, as the receiver chose them."""
    phrase = answer.extensions.get("reason_phrase", b"")
    return shown(bytes(phrase))[:200]


def shown(octets: bytes, most: int = ANSWER_OCTETS) -> str:
    """The beginning of an answer as text that a log and a page can carry."""
    return _CONTROLS.sub("", octets[:most].decode("utf-8", "replace"))


def why(error: Exception) -> str:
    """Trouble in one line, without what a library adds for programmers."""
    text = shown(str(error).encode("utf-8", "replace"))[:200]
    return text.replace("\n", " ") or type(error).__name__

"""An object store that speaks S3: list and delete, through the address guard.

Nothing is followed, the time and the size of an answer have limits, and what comes back is read
by its own few tags. Uploads and downloads are not made here: clients make them themselves, with
signed addresses.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import datetime

import httpcore2
import httpx2

from mailbox_service import __version__
from mailbox_service.core.errors import TemporaryFailure
from mailbox_service.core.object_store import Bucket, StoredObject, listed, presigned
from mailbox_service.outbound.address_guard import GuardedPool, Refused
from mailbox_service.outbound.dns import Resolver

# From the look-up of the name to the last octet.
SECONDS = 15.0
# A thousand objects with the longest names are 1.5 MB; anything beyond is no list.
LARGEST_ANSWER = 4 << 20
MOST_LISTED = 1_000
# Calls at once: they are short, and a store that hangs must not hold many requests.
CONNECTIONS = 16
_SIGNED_SECONDS = 60


class ObjectStore:
    """One bucket. Trouble with it is TemporaryFailure; its word is not repeated to clients."""

    def __init__(
        self,
        bucket: Bucket,
        resolver: Resolver,
        now: Callable[[], datetime],
        *,
        private_addresses: bool = False,
        seconds: float = SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._bucket = bucket
        self._now = now
        self._seconds = seconds
        self._pool = GuardedPool(
            resolver, private_addresses=private_addresses, connections=CONNECTIONS, tls=tls
        )

    def url(self, method: str, key: str, *, seconds: int) -> str:
        """An address under which anybody may PUT or GET one object for `seconds`."""
        return presigned(self._bucket, method, key, now=self._now(), seconds=seconds)

    async def listed(self, prefix: str) -> list[StoredObject]:
        """The objects whose names begin so, a thousand at most. Raises TemporaryFailure."""
        query = (("list-type", "2"), ("max-keys", str(MOST_LISTED)), ("prefix", prefix))
        url = presigned(
            self._bucket, "GET", "", now=self._now(), seconds=_SIGNED_SECONDS, query=query
        )
        _, body = await self._call("GET", url, (200,))
        return listed(body.decode("utf-8", "replace"))

    async def remove(self, key: str) -> None:
        """Delete an object, if it is there. Raises TemporaryFailure."""
        url = presigned(self._bucket, "DELETE", key, now=self._now(), seconds=_SIGNED_SECONDS)
        await self._call("DELETE", url, (200, 204, 404))

    async def _call(self, method: str, url: str, good: tuple[int, ...]) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(self._seconds):
                status, body = await self._speak(method, url)
        except Refused as refusal:
            raise TemporaryFailure(f"The object store cannot be reached: {refusal}") from None
        except (httpcore2.TimeoutException, TimeoutError):
            raise TemporaryFailure("The object store does not answer.") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            raise TemporaryFailure("The object store cannot be reached.") from error
        if status not in good:
            raise TemporaryFailure(f"The object store refused with status {status}.")
        return status, body

    async def _speak(self, method: str, text: str) -> tuple[int, bytes]:
        url = httpx2.URL(text)
        async with self._pool.open().stream(
            method,
            # As it was signed: a target that is written anew may be another one.
            httpcore2.URL(
                scheme=url.raw_scheme,
                host=url.raw_host,
                port=url.port,
                target=("/" + text.split("://", 1)[1].partition("/")[2]).encode("ascii"),
            ),
            headers=[
                (b"Host", url.netloc),
                (b"User-Agent", f"mailbox-service/{__version__}".encode()),
                (b"Accept-Encoding", b"identity"),
            ],
        ) as answer:
            body = bytearray()
            async for chunk in answer.aiter_stream():
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    raise TemporaryFailure("The object store answers without end.")
            return answer.status, bytes(body)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

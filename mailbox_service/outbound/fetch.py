"""Files from the web that a message asked for: fetched through the address guard, with limits."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection
from dataclasses import dataclass, field

import httpcore2
import httpx2

from mailbox_service import __version__
from mailbox_service.core.sending_api import NotFetched
from mailbox_service.outbound.address_guard import GuardedPool, Refused
from mailbox_service.outbound.dns import Resolver
from mailbox_service.outbound.webhook import why, wire_url

# From the look-up of the name to the last octet, redirects included (sending-api §2.3).
SECONDS = 30.0
MOST_REDIRECTS = 3
# Open at once, for all messages together; a file is in memory while it is read.
MOST_AT_ONCE = 8
REDIRECTS = frozenset((301, 302, 303, 307, 308))


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file and what its server calls it."""

    media_type: str
    content: bytes = field(repr=False)


class FileOut:
    """Fetches files. `private_hosts` are those that may be reached at a private address."""

    def __init__(
        self,
        resolver: Resolver,
        *,
        private_hosts: Collection[str] = (),
        seconds: float = SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._private_hosts = frozenset(host.lower() for host in private_hosts)
        self._seconds = seconds
        # By whether the host may have a private address.
        self._pools = {
            private: GuardedPool(
                resolver, private_addresses=private, connections=MOST_AT_ONCE, tls=tls
            )
            for private in (False, True)
        }
        self._places = asyncio.Semaphore(MOST_AT_ONCE)

    async def fetch(self, url: str, *, most: int) -> FetchedFile:
        """The file at an address, of `most` octets. Raises NotFetched."""
        try:
            async with asyncio.timeout(self._seconds), self._places:
                return await self._follow(url, most)
        except (TimeoutError, httpcore2.TimeoutException):
            raise NotFetched(f"no answer within {self._seconds:g} seconds") from None
        except (httpx2.InvalidURL, UnicodeError, ValueError):
            raise NotFetched("not an address of the web") from None
        except Refused as refusal:
            raise NotFetched(str(refusal)) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            raise NotFetched(why(error)) from None

    async def _follow(self, url: str, most: int) -> FetchedFile:
        """Every address on the way is judged like the first."""
        target = wire_url(url)
        for _ in range(MOST_REDIRECTS + 1):
            found = await self._get(target, most)
            if isinstance(found, FetchedFile):
                return found
            target = wire_url(str(target.join(found)))
        raise NotFetched(f"more than {MOST_REDIRECTS} redirects")

    async def _get(self, url: httpx2.URL, most: int) -> FetchedFile | str:
        """A file, or where it is instead."""
        headers = [
            (b"Host", url.netloc),
            (b"User-Agent", f"mailbox-service/{__version__}".encode()),
            (b"Accept", b"*/*"),
            (b"Accept-Encoding", b"identity"),  # nothing is decompressed here
        ]
        place = httpcore2.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        pool = self._pools[url.host.lower() in self._private_hosts]
        async with pool.open().stream("GET", place, headers=headers) as answer:
            told = {name.lower(): value for name, value in answer.headers}
            if answer.status in REDIRECTS and b"location" in told:
                return told[b"location"].decode("latin-1")
            if answer.status != 200:
                raise NotFetched(f"the server answered {answer.status}")
            content = bytearray()
            async for chunk in answer.aiter_stream():
                content += chunk
                if len(content) > most:
                    raise NotFetched(f"larger than {most} octets")
            kind = told.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip()
            return FetchedFile(kind, bytes(content))

    async def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.close()

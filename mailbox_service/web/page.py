"""The built page: a folder of files read once, then served from memory.

A path is looked up among the files that were there at the start, so no path leads anywhere else.
"""

from __future__ import annotations

import asyncio
import gzip
import mimetypes
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import brotli  # type: ignore[import-untyped]

from mailbox_service.web.answers import Answer, Headers
from mailbox_service.web.document import (
    ENGLISH,
    FRAMES,
    Carried,
    Frames,
    Spot,
    filled,
    read_frames,
    sources_of,
    spot_of,
)
from mailbox_service.web.request import Call

INDEX = "index.html"
# The page is some hundred kilobytes; more than this is a wrong folder.
MOST_OCTETS = 32 << 20
MOST_FILES = 1_000
# The build packs files harder than we could at every start, beside them under this ending.
BROTLI = ".br"
# The document carries settings, so it is packed here: at once as hard as takes a few milliseconds,
# and meanwhile as hard as can be, which takes fifty.
AT_ONCE = 5
# Smaller answers gain nothing.
WORTH_PACKING = 1_024
# The build writes a hash of the content into these names, so they never change.
_HASHED = re.compile(r"assets/.+-[A-Za-z0-9_-]{8,}\.[a-z0-9]+")
_PLAIN_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_TEXT = re.compile(r"text/|.*(javascript|json|xml|svg|manifest)")

# Scripts come from our own files, and one from the document itself, known by its hash. Mail may
# show pictures of any origin, once its reader asked for them; its frame has a narrower policy of
# its own.
POLICY = (
    "default-src 'none'; script-src 'self'{own}{widget}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob: https: http:; connect-src 'self'{store}; "
    "frame-src 'self' blob: data:{widget}; "
    "font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
# The one other host: where an administrator has set Turnstile up, its widget may load.
TURNSTILE = " https://challenges.cloudflare.com"
DOCUMENT: Headers = (
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
# The service worker asks us and nobody else; without a policy of its own it could not ask at all.
WORKER_NAME = "sw.js"
WORKER: Headers = ((b"content-security-policy", b"default-src 'none'; connect-src 'self'"),)
PICTURE: Headers = ((b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),)
FOREVER = (b"cache-control", b"public, max-age=31536000, immutable")
ASK_FIRST = (b"cache-control", b"no-cache")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, as it is and packed by gzip and brotli, with the headers of all."""

    body: bytes
    packed: bytes | None
    brotli: bytes | None
    media_type: bytes
    etag: bytes
    headers: Headers


class Page:
    """The page of a folder. Its document carries what `carried` gives, made anew whenever that is
    another; with Turnstile its policy lets that widget load, and with a `store` it may put files
    there.

    Raises ValueError when the folder is none of a page."""

    def __init__(
        self,
        folder: Path,
        *,
        turnstile: bool = False,
        store: str = "",
        carried: Callable[[], Carried] = Carried,
    ) -> None:
        self._assets = read_assets(folder)
        document = self._assets.pop(INDEX, None)
        if document is None:
            raise ValueError(f"{folder} has no {INDEX}")
        self._document = document.body
        self._policy = policy_of(document.body, turnstile=turnstile, store=store)
        frames = self._assets.pop(FRAMES, None)
        self._frames: Frames = read_frames.decode(frames.body) if frames else {}
        self._languages = frozenset({ENGLISH}.union(*self._frames.values()))
        self._carry = carried
        self._carried = carried()
        # At most one for each place and language.
        self._documents: dict[Spot, Asset] = {}

    def answer(self, call: Call) -> Answer | None:
        """The file of a path; the page itself for a path without a dot; None for any other."""
        name = call.path.removeprefix("/")
        if "." not in name or name == INDEX:
            wishes = call.header(b"accept-language") or ""
            return answer_with(self._at(spot_of(call.path, wishes, self._languages)), call)
        asset = self._assets.get(name)
        return None if asset is None else answer_with(asset, call)

    def _at(self, spot: Spot) -> Asset:
        """The document with what holds now."""
        carried = self._carry()
        if carried != self._carried:
            self._carried = carried
            self._documents.clear()
        asset = self._documents.get(spot)
        if asset is None:
            body = filled(self._document, spot, self._frames, carried)
            packed = brotli.compress(body, mode=brotli.MODE_TEXT, quality=AT_ONCE)
            asset = asset_of(INDEX, body, document_headers(self._policy), packed)
            self._documents[spot] = asset
            self._pack(spot, asset)
        return asset

    def _pack(self, spot: Spot, asset: Asset) -> None:
        """Packs a document as hard as can be while others are answered: what fits into the first
        packets of a connection is there a journey earlier."""

        def put(packing: asyncio.Future[bytes]) -> None:
            # Settings may have changed meanwhile.
            if not packing.cancelled() and self._documents.get(spot) is asset:
                self._documents[spot] = replace(asset, brotli=packing.result())

        packing = asyncio.get_running_loop().run_in_executor(None, packed_hard, asset.body)
        packing.add_done_callback(put)


def packed_hard(document: bytes) -> bytes:
    """As small as brotli makes it."""
    return bytes(brotli.compress(document, mode=brotli.MODE_TEXT))


def answer_with(asset: Asset, call: Call) -> Answer:
    """The file, packed for clients that take it so, or 304 for those that have it."""
    if asset.etag in (call.headers.get(b"if-none-match") or b""):
        return Answer(b"", asset.media_type, status=304, headers=asset.headers)
    taken = call.headers.get(b"accept-encoding", b"")
    for coding, body in ((b"br", asset.brotli), (b"gzip", asset.packed)):
        if body is not None and coding in taken:
            packed = (*asset.headers, (b"content-encoding", coding))
            return Answer(body, asset.media_type, headers=packed)
    return Answer(asset.body, asset.media_type, headers=asset.headers)


def policy_of(document: bytes, *, turnstile: bool, store: str) -> bytes:
    """The policy of the document. `store` is where an owner's files go: they are put there by the
    page itself, under addresses that this service signed."""
    parts = urlsplit(store)
    origin = f" {parts.scheme}://{parts.netloc}" if _PLAIN_HOST.fullmatch(parts.netloc) else ""
    widget = TURNSTILE if turnstile else ""
    return POLICY.format(own=sources_of(document), widget=widget, store=origin).encode()


def read_assets(folder: Path) -> dict[str, Asset]:
    """Every file below a folder, by its path with slashes."""
    bodies: dict[str, bytes] = {}
    left = MOST_OCTETS
    for file in sorted(folder.rglob("*")):
        if not file.is_file():
            continue
        body = file.read_bytes()
        left -= len(body)
        if left < 0 or len(bodies) >= MOST_FILES:
            raise ValueError(f"{folder} is too large to be a page")
        bodies[file.relative_to(folder).as_posix()] = body
    return {
        name: asset_of(name, body, own_policy(name), bodies.get(name + BROTLI))
        for name, body in bodies.items()
        if not name.endswith(BROTLI)
    }


def asset_of(name: str, body: bytes, headers: Headers, brotli: bytes | None = None) -> Asset:
    """A file with its type, its tag and how long it may be kept."""
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if name.endswith(".webmanifest"):
        media_type = "application/manifest+json"
    packed = None
    if len(body) >= WORTH_PACKING and _TEXT.match(media_type):
        packed = gzip.compress(body, 9, mtime=0)
    if media_type.startswith("text/") or media_type.endswith("javascript"):
        media_type += "; charset=utf-8"
    etag = b'"' + sha256(body).hexdigest()[:32].encode() + b'"'
    kept = FOREVER if _HASHED.fullmatch(name) else ASK_FIRST
    varies = (b"vary", b"Accept-Encoding, Accept-Language" if name == INDEX else b"Accept-Encoding")
    return Asset(
        body, packed, brotli, media_type.encode(), etag, ((b"etag", etag), varies, kept, *headers)
    )


def document_headers(policy: bytes) -> Headers:
    """What keeps the document to itself."""
    return ((b"content-security-policy", policy), *DOCUMENT)


def own_policy(name: str) -> Headers:
    """The policy of a picture that could be a document, or of a worker."""
    if name.endswith(".svg"):
        return PICTURE
    return WORKER if name == WORKER_NAME else ()

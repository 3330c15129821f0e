"""The built page: a folder of files read once, then served from memory.

A path is looked up among the files that were there at the start, so no path leads anywhere else.
"""

from __future__ import annotations

import gzip
import mimetypes
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from mailbox_service.web.answers import Answer, Headers
from mailbox_service.web.request import Call

INDEX = "index.html"
# The page is some hundred kilobytes; more than this is a wrong folder.
MOST_OCTETS = 32 << 20
MOST_FILES = 1_000
# Smaller answers gain nothing.
WORTH_PACKING = 1_024
# The build writes a hash of the content into these names, so they never change.
_HASHED = re.compile(r"assets/.+-[A-Za-z0-9_-]{8,}\.[a-z0-9]+")
_PLAIN_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_TEXT = re.compile(r"text/|.*(javascript|json|xml|svg|manifest)")

# Scripts come from our own files alone. Mail may show pictures of any origin, once its reader
# asked for them; its frame has a narrower policy of its own.
POLICY = (
    "default-src 'none'; script-src 'self'{widget}; style-src 'self' 'unsafe-inline'; "
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
    """One file, as it is and packed, with the headers of both."""

    body: bytes
    packed: bytes | None
    media_type: bytes
    etag: bytes
    headers: Headers


# Where the build leaves room for what the page would have to ask for first.
SETTINGS_ROOM = b'<script type="application/json" id="settings">{}</script>'


class Page:
    """The page of a folder. It carries `settings`, JSON, so that it need not ask for them, made
    anew whenever `settings` gives another object; with Turnstile its policy lets that widget load,
    and with a `store` it may put files there.

    Raises ValueError when the folder is none of a page."""

    def __init__(
        self,
        folder: Path,
        *,
        turnstile: bool = False,
        store: str = "",
        settings: Callable[[], bytes] = lambda: b"{}",
    ) -> None:
        self._policy = policy_of(turnstile=turnstile, store=store)
        self._assets = read_assets(folder, self._policy)
        if INDEX not in self._assets:
            raise ValueError(f"{folder} has no {INDEX}")
        self._document = self._assets[INDEX].body
        self._settings = settings
        self._carried = settings()
        self._carry()

    def _carry(self) -> None:
        body = with_settings(self._document, self._carried)
        self._assets[INDEX] = asset_of(INDEX, body, self._policy)

    def answer(self, call: Call) -> Answer | None:
        """The file of a path; the page itself for a path without a dot; None for any other."""
        name = call.path.removeprefix("/")
        if "." not in name:
            name = INDEX
        if name == INDEX:
            self._look()
        asset = self._assets.get(name)
        return None if asset is None else answer_with(asset, call)

    def _look(self) -> None:
        """The document with the settings that hold now."""
        settings = self._settings()
        if settings is not self._carried:
            self._carried = settings
            self._carry()


def answer_with(asset: Asset, call: Call) -> Answer:
    """The file, packed for clients that take it so, or 304 for those that have it."""
    if asset.etag in (call.headers.get(b"if-none-match") or b""):
        return Answer(b"", asset.media_type, status=304, headers=asset.headers)
    if asset.packed is not None and b"gzip" in call.headers.get(b"accept-encoding", b""):
        packed = (*asset.headers, (b"content-encoding", b"gzip"))
        return Answer(asset.packed, asset.media_type, headers=packed)
    return Answer(asset.body, asset.media_type, headers=asset.headers)


def policy_of(*, turnstile: bool, store: str) -> bytes:
    """The policy of the document. `store` is where an owner's files go: they are put there by the
    page itself, under addresses that this service signed."""
    parts = urlsplit(store)
    origin = f" {parts.scheme}://{parts.netloc}" if _PLAIN_HOST.fullmatch(parts.netloc) else ""
    return POLICY.format(widget=TURNSTILE if turnstile else "", store=origin).encode()


def with_settings(page: bytes, settings: bytes) -> bytes:
    """The document with the settings in it; nothing in them can end the element."""
    return page.replace(SETTINGS_ROOM, SETTINGS_ROOM.replace(b"{}", escaped(settings)))


def escaped(settings: bytes) -> bytes:
    """The same JSON without a sign that HTML would read."""
    for sign in (b"<", b">", b"&"):
        settings = settings.replace(sign, b"\\u%04x" % ord(sign))
    return settings


def read_assets(folder: Path, policy: bytes) -> dict[str, Asset]:
    """Every file below a folder, by its path with slashes."""
    assets: dict[str, Asset] = {}
    left = MOST_OCTETS
    for file in sorted(folder.rglob("*")):
        if not file.is_file():
            continue
        body = file.read_bytes()
        left -= len(body)
        if left < 0 or len(assets) >= MOST_FILES:
            raise ValueError(f"{folder} is too large to be a page")
        name = file.relative_to(folder).as_posix()
        assets[name] = asset_of(name, body, policy)
    return assets


def asset_of(name: str, body: bytes, policy: bytes) -> Asset:
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
    headers = [
        (b"etag", etag),
        (b"vary", b"Accept-Encoding"),
        FOREVER if _HASHED.fullmatch(name) else ASK_FIRST,
        *own_policy(name, policy),
    ]
    return Asset(body, packed, media_type.encode(), etag, tuple(headers))


def own_policy(name: str, policy: bytes) -> Headers:
    """The policy of a file that is a document, a picture that could be one, or a worker."""
    if name.endswith(".html"):
        return ((b"content-security-policy", policy), *DOCUMENT)
    if name.endswith(".svg"):
        return PICTURE
    return WORKER if name == WORKER_NAME else ()

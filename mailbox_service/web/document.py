"""The document of the page: one for each place and language.

The build leaves rooms in it and says what comes into them (`frames.json`): the frame of a place in
each language, drawn by the page's own components, and the names of the files that the place loads.
Beside these it carries what the page would have to ask for first.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256

import msgspec

FRAMES = "frames.json"
ENGLISH = "en"
MAILBOX = "mailbox"
# A place is the path behind the language; every other path is the mailbox. Those that the build
# says nothing of have no frame.
PLACES = {
    "user": "account",
    "admin": "admin",
    "user/oauth2/callback": "signed-in",
    "telegram_mail": "telegram",
}
# Of a header that says more than people set.
LONGEST_WISHES = 500

# Rooms of the built document.
SETTINGS_ROOM = b'<script type="application/json" id="settings">{}</script>'
ACCOUNTS_ROOM = b'<script type="application/json" id="accounts">{}</script>'
HEAD_ROOM = b"<!--head-->"
FRAMES_ROOM = b"<!--frames-->"
LANGUAGE_ROOM = b'<html lang="en">'
_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


class Frame(msgspec.Struct, frozen=True):
    """What a place has in one language, as HTML."""

    head: str
    body: str


Frames = dict[str, dict[str, Frame]]
read_frames = msgspec.json.Decoder(Frames)


@dataclass(frozen=True, slots=True)
class Carried:
    """JSON that the document carries: settings of the site, and how accounts are opened."""

    settings: bytes = b"{}"
    accounts: bytes = b"{}"


@dataclass(frozen=True, slots=True)
class Spot:
    """Which of the documents."""

    place: str
    language: str


def spot_of(path: str, wishes: str, languages: frozenset[str]) -> Spot:
    """The document of a path: its language is named by the path, else by the browser's wishes
    (`Accept-Language`), else it is English."""
    parts = [part for part in path.split("/") if part]
    named = parts[0] if parts and parts[0] in languages else None
    place = PLACES.get("/".join(parts[1:] if named else parts), MAILBOX)
    return Spot(place, named or wished(wishes, languages))


def wished(wishes: str, languages: frozenset[str]) -> str:
    """The first wish that can be met, by the language alone where the region differs."""
    by_weight = sorted(
        (entry.strip().partition(";") for entry in wishes[:LONGEST_WISHES].split(",")),
        key=lambda entry: -weight(entry[2]),
    )
    whole = {one.lower(): one for one in sorted(languages)}
    main = {one.split("-")[0]: one for one in sorted(languages)}
    for tag, _, _ in by_weight:
        found = whole.get(tag.strip().lower()) or main.get(tag.strip().lower().split("-")[0])
        if found:
            return found
    return ENGLISH


def weight(parameter: str) -> float:
    """The weight of a wish (RFC 9110 §12.4.2); one that cannot be read counts as a whole."""
    name, _, value = parameter.strip().partition("=")
    try:
        return min(1.0, max(0.0, float(value))) if name.strip() == "q" else 1.0
    except ValueError:
        return 1.0


def filled(document: bytes, spot: Spot, frames: Frames, carried: Carried) -> bytes:
    """The document with everything in its rooms; nothing that is carried can end its element."""
    frame = frames.get(spot.place, {}).get(spot.language)
    if frame is not None:
        document = document.replace(LANGUAGE_ROOM, f'<html lang="{spot.language}">'.encode())
        document = document.replace(HEAD_ROOM, frame.head.encode())
        document = document.replace(FRAMES_ROOM, frame.body.encode())
    if spot.place == "account":
        document = document.replace(ACCOUNTS_ROOM, holding(ACCOUNTS_ROOM, carried.accounts))
    return document.replace(SETTINGS_ROOM, holding(SETTINGS_ROOM, carried.settings))


def holding(room: bytes, told: bytes) -> bytes:
    """A room with JSON in it."""
    return room.replace(b"{}", escaped(told))


def escaped(told: bytes) -> bytes:
    """The same JSON without a sign that HTML would read."""
    for sign in (b"<", b">", b"&"):
        told = told.replace(sign, b"\\u%04x" % ord(sign))
    return told


def sources_of(document: bytes) -> str:
    """What a policy says of the scripts that lie in the document itself: their hashes."""
    hashes = (b64encode(sha256(code).digest()).decode() for code in _SCRIPT.findall(document))
    return "".join(f" 'sha256-{one}'" for one in hashes)

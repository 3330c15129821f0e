"""Which program a User-Agent names (RFC 9110 §10.1.5), as far as its words say so.

Programs name each other for compatibility's sake: what is looked for first are the words that
only one of them has. Nothing is looked up, and what no word tells stays empty.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Longer ones are nonsense or an attack; programs write a hundred characters.
LONGEST = 500

DESKTOP, TABLET, MOBILE = "desktop", "tablet", "mobile"


@dataclass(frozen=True, slots=True)
class UserAgent:
    """A program, the kind of device it runs on, and the system; empty where nothing tells."""

    client: str = ""
    device: str = ""
    os: str = ""


# The first that is found is the program.
CLIENTS = (
    # Servers that fetch pictures for their readers, so that nobody learns more.
    ("googleimageproxy", "Gmail"),
    ("yahoomailproxy", "Yahoo Mail"),
    ("thunderbird/", "Thunderbird"),
    ("microsoft outlook", "Outlook"),
    ("msoffice", "Outlook"),
    ("outlook-", "Outlook"),
    ("k-9 mail", "K-9 Mail"),
    ("evolution/", "Evolution"),
    ("edg/", "Edge"),
    ("edga/", "Edge"),
    ("edgios/", "Edge"),
    ("edge/", "Edge"),
    ("opr/", "Opera"),
    ("opera", "Opera"),
    ("vivaldi/", "Vivaldi"),
    ("samsungbrowser/", "Samsung Internet"),
    ("duckduckgo/", "DuckDuckGo"),
    ("fxios/", "Firefox"),
    ("firefox/", "Firefox"),
    ("crios/", "Chrome"),
    ("chromium/", "Chromium"),
    ("chrome/", "Chrome"),
    ("msie ", "Internet Explorer"),
    ("trident/", "Internet Explorer"),
)
SYSTEMS = (
    ("android", "Android"),
    ("iphone", "iOS"),
    ("ipad", "iOS"),
    ("ipod", "iOS"),
    ("windows", "Windows"),
    ("macintosh", "macOS"),
    ("mac os x", "macOS"),
    ("cros ", "ChromeOS"),
    ("freebsd", "FreeBSD"),
    ("linux", "Linux"),
)
DESKTOPS = frozenset(("Windows", "macOS", "ChromeOS", "FreeBSD", "Linux"))

_word = re.compile(r"[a-z0-9]").search


def read(text: str) -> UserAgent:
    """What a User-Agent tells."""
    words = text[:LONGEST].lower()
    if not _word(words):
        return UserAgent()
    by_proxy = "imageproxy" in words or "mailproxy" in words
    system = "" if by_proxy else next((name for sign, name in SYSTEMS if sign in words), "")
    client = next((name for sign, name in CLIENTS if sign in words), "")
    if not client and "applewebkit/" in words:
        # Apple's browser says its version; its mail program shows pages and says nothing.
        client = "Safari" if "version/" in words else "Apple Mail"
    return UserAgent(client, device(words, system), system)


def device(words: str, system: str) -> str:
    """The kind of device that a system and the words beside it speak of."""
    if "ipad" in words or "tablet" in words:
        return TABLET
    if system == "Android":
        return MOBILE if "mobile" in words else TABLET
    if system == "iOS" or "mobile" in words:
        return MOBILE
    return DESKTOP if system in DESKTOPS else ""

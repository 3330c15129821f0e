"""What is put into a message for one recipient: a picture that tells of opening, links that tell
of clicks, a footer to unsubscribe by (sending-api §7.1 to §7.3).

Links bear a signed id of the copy, and where they lead stands in our own records: nobody can
forge one, and none leads anywhere but where the sender said (hazard 45).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import html as entities
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec import Struct

from mailbox_service.core.attachment_removal import is_attachment
from mailbox_service.core.charsets import decode
from mailbox_service.core.html_tokens import unescape
from mailbox_service.core.mime_parts import Part, content, read_tree

OPEN, CLICK, UNSUBSCRIBE = "o", "c", "u"
KINDS = (OPEN, CLICK, UNSUBSCRIBE)
# A body that is larger is left as it is; mail programs cut HTML off at a tenth of this.
LARGEST_BODY = 1 << 20
MOST_LINKS = 2_000
LONGEST_TAG = 4_096
LONGEST_URL = 2_048
PROOF_OCTETS = 12

# Their parts are proved or sealed as they are (RFC 1847), or are no letter (RFC 6522).
_UNTOUCHED = frozenset(("multipart/signed", "multipart/encrypted", "multipart/report"))
_anchor = re.compile(r"<a(?=[\s/])", re.IGNORECASE)
_tag_end = re.compile(r"""(?:[^>"']++|"[^"]*+"|'[^']*+')*+>""")
_attribute = re.compile(r"""([^\s=>/"']+)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s"'>]++))?""")
_controls = re.compile(r"[\x00-\x20\x7f]").search
_body_end = re.compile(r"</body\s*>", re.IGNORECASE)


class Traits(Struct, frozen=True, kw_only=True):
    """What the credential of a message asked for when it was sent."""

    opens: bool = False
    clicks: bool = False
    footer: bool = False
    footer_html: str = ""
    footer_text: str = ""
    # Who is told of bounces: `from`, `drop` or an address.
    bounces_to: str = "from"

    @property
    def personal(self) -> bool:
        """Whether each recipient needs a copy of their own."""
        return self.opens or self.clicks or self.footer


@dataclass(frozen=True, slots=True)
class Mark:
    """What a link of ours says: its kind, the copy, and which of the copy's links."""

    kind: str
    copy_id: int
    place: int = 0


class Marks:
    """Makes and proves links, with a key made of the service's secret."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"tracking", hashlib.sha256)

    def token(self, mark: Mark) -> str:
        """The last part of a link; lower-case letters and digits, so that it may also stand in
        a local part."""
        told = KINDS.index(mark.kind).to_bytes() + mark.copy_id.to_bytes(8) + mark.place.to_bytes(2)
        return base64.b32encode(told + self._proof(told)).decode().rstrip("=").lower()

    def read(self, kind: str, token: str) -> Mark | None:
        """What a token of a kind says; None when it is none of ours."""
        if len(token) != 37 or not token.isascii():
            return None
        try:
            octets = base64.b32decode(token.upper() + "===")
        except (binascii.Error, ValueError):
            return None
        told, proof = octets[:11], octets[11:]
        if not hmac.compare_digest(proof, self._proof(told)):
            return None
        if told[0] >= len(KINDS) or KINDS[told[0]] != kind:
            return None
        return Mark(kind, int.from_bytes(told[1:9]), int.from_bytes(told[9:11]))

    def _proof(self, told: bytes) -> bytes:
        return hmac.digest(self._key, told, hashlib.sha256)[:PROOF_OCTETS]


def links_of(raw: bytes) -> list[str]:
    """Where the links of a message lead that may be tracked, each once, in order."""
    part = _bodies(raw).get("text/html")
    if part is None:
        return []
    found: dict[str, None] = {}

    def note(url: str) -> str | None:
        found.setdefault(url)
        return None

    rewritten_links(_text(raw, part), note)
    return list(found)


@dataclass(frozen=True, slots=True)
class Copy:
    """What one recipient's copy gets. Addresses are whole; `link_to` says by which one a target
    is replaced."""

    traits: Traits
    recipient: str
    picture: str
    unsubscribe: str
    unsubscribe_by_mail: str
    link_to: Callable[[str], str | None]


def personalised(raw: bytes, copy: Copy) -> bytes:
    """A message as one recipient gets it."""
    traits = copy.traits
    changes: list[tuple[int, int, bytes]] = []
    for kind, part in _bodies(raw).items():
        text = _text(raw, part)
        if kind == "text/html":
            if traits.clicks:
                text = rewritten_links(text, copy.link_to)
            text = _before_end(text, _html_additions(copy))
        elif traits.footer and traits.footer_text:
            text = text.rstrip("\r\n") + "\r\n\r\n" + filled(traits.footer_text, copy, str) + "\r\n"
        changes.append((part.start, part.end, _encoded(text, part)))
    pieces: list[bytes] = []
    at = 0
    for start, end, instead in sorted(changes):
        pieces += (raw[at:start], instead)
        at = end
    pieces.append(raw[at:])
    return _unsubscribe_fields(raw, copy) + b"".join(pieces)


def _html_additions(copy: Copy) -> str:
    """Footer and picture."""
    added = ""
    if copy.traits.footer and copy.traits.footer_html:
        added += "\r\n" + filled(copy.traits.footer_html, copy, entities.escape)
    if copy.traits.opens:
        picture = entities.escape(copy.picture)
        added += f'\r\n<img src="{picture}" width="1" height="1" alt="" style="display:none">\r\n'
    return added


def filled(footer: str, copy: Copy, escape: Callable[[str], str]) -> str:
    """A footer with its two variables."""
    footer = footer.replace("%%UNSUBSCRIBE%%", escape(copy.unsubscribe))
    return footer.replace("%%EMAIL%%", escape(copy.recipient))


def _unsubscribe_fields(raw: bytes, copy: Copy) -> bytes:
    """The fields of RFC 2369 and RFC 8058, unless the sender wrote their own."""
    if not copy.traits.footer or b"list-unsubscribe:" in raw[: raw.find(b"\r\n\r\n") + 2].lower():
        return b""
    mail = f",\r\n <mailto:{copy.unsubscribe_by_mail}>" if copy.unsubscribe_by_mail else ""
    return (
        f"List-Unsubscribe: <{copy.unsubscribe}>{mail}\r\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    ).encode()


def rewritten_links(html: str, link_to: Callable[[str], str | None]) -> str:
    """HTML whose links of the web lead where `link_to` says; None leaves one as it is. An
    anchor with the attribute `no-track` is left alone, and loses the attribute."""
    pieces: list[str] = []
    at = 0
    for count, start in enumerate(_anchor.finditer(html)):
        if count >= MOST_LINKS:
            break
        if start.start() < at:
            continue
        end = _tag_end.match(html[start.end() : start.end() + LONGEST_TAG])
        if end is None:
            continue
        inside = end[0][:-1]
        changed = _anchor_attributes(inside, link_to)
        pieces += (html[at : start.end()], changed, ">")
        at = start.end() + end.end()
    return "".join((*pieces, html[at:]))


def _anchor_attributes(inside: str, link_to: Callable[[str], str | None]) -> str:
    found = list(_attribute.finditer(inside))
    names = [one[1].lower() for one in found]
    if "no-track" in names:
        one = found[names.index("no-track")]
        return inside[: one.start()].rstrip() + inside[one.end() :]
    if "href" not in names:
        return inside
    one = found[names.index("href")]
    url = unescape((one[2] or "").strip("\"'")).strip()
    if not is_trackable(url):
        return inside
    link = link_to(url)
    if link is None:
        return inside
    # A line of its own: many links on one line would make it longer than mail may have them.
    return f'{inside[: one.start()]}\r\n href="{entities.escape(link)}"{inside[one.end() :]}'


def is_trackable(url: str) -> bool:
    """Whether a target is one of the web, and whole."""
    if len(url) > LONGEST_URL or _controls(url) or "%%" in url:
        return False
    return url.lower().startswith(("http://", "https://"))


def _bodies(raw: bytes) -> dict[str, Part]:
    """The text and the HTML of a letter, the first of each."""
    tree = read_tree(raw)
    found: dict[str, Part] = {}
    if not tree.complete:
        return found
    waiting: list[Part] = [tree.root]
    while waiting:
        part = waiting.pop()
        if part.is_multipart:
            if part.type in _UNTOUCHED:
                continue
            waiting += reversed(part.children)
        elif (
            part.type in ("text/html", "text/plain")
            and not is_attachment(part)
            and part.end - part.start <= LARGEST_BODY
        ):
            found.setdefault(part.type, part)
    return found


def _text(raw: bytes, part: Part) -> str:
    return decode(content(raw, part), part.charset)


def _before_end(html: str, added: str) -> str:
    """HTML with something before its `</body>`, or at its end."""
    if not added:
        return html
    ends: Sequence[re.Match[str]] = list(_body_end.finditer(html))
    at = ends[-1].start() if ends else len(html)
    return html[:at] + added + html[at:]


def _encoded(text: str, part: Part) -> bytes:
    """A text in the charset and transfer encoding that its part declares."""
    beyond = "xmlcharrefreplace" if part.type == "text/html" else "replace"
    charset = part.charset or "us-ascii"
    if part.encoding not in ("base64", "quoted-printable", "8bit", "binary"):
        charset = "us-ascii"
    try:
        octets = text.encode(charset, beyond)
    except (LookupError, UnicodeError):
        octets = text.encode("us-ascii", beyond)
    octets = re.sub(rb"\r\n|\r|\n", b"\r\n", octets)
    if part.encoding == "base64":
        encoded = base64.b64encode(octets)
        lines = [encoded[at : at + 76] for at in range(0, len(encoded), 76)]
        return b"\r\n".join(lines) + b"\r\n"
    if part.encoding == "quoted-printable":
        packed = binascii.b2a_qp(octets.replace(b"\r\n", b"\n"), istext=True)
        return packed.replace(b"\n", b"\r\n")
    return octets

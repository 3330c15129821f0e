"""HTML mail made harmless, as one of three walls: this, a sandboxed frame, and the frame's CSP.

First the tags are rewritten, balanced and bounded: the parser behind nh3 needs time that grows
with depth times length, and hostile input would hold it for a minute. Then nh3 keeps what is on
the lists below and nothing else. What is not known is dropped, its words stay.
"""

from __future__ import annotations

import html as entities
import re
from dataclasses import dataclass

import nh3

from mailbox_service.core.html_text import html_to_text
from mailbox_service.core.html_tokens import Token, tokens

__all__ = ["MESSAGE_CSP", "SafeHtml", "html_to_text", "reader_document", "sanitise"]

MAX_HTML = 2 << 20  # characters; newsletters have a tenth of one percent of it, data: images more
MAX_TOKENS = 50_000  # tags and texts; the longest reports have some 20,000
MAX_DEPTH = 200  # elements in each other; tables in tables reach 60. Browsers stop at 512
MAX_STYLE = 4_096  # characters of one style attribute
MAX_LINK = 8_192  # characters; tracking links are long

# No script, no frame, no form, nothing fetched; what a sanitiser missed has nowhere to go. Inline
# images come as data: or blob:, which the page puts in place of cid:.
MESSAGE_CSP = (
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
    "form-action 'none'; base-uri 'none'"
)
_MESSAGE_CSP_REMOTE = MESSAGE_CSP.replace("img-src data:", "img-src https: http: data:")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VOID = frozenset(["br", "hr", "img", "wbr", "col"])
_TAGS = _VOID | _words(
    """a abbr address article aside b bdi bdo big blockquote caption center cite code colgroup dd
    del details dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header i ins kbd li
    main mark nav ol p pre q s samp section small span strike strong sub summary sup table tbody td
    tfoot th thead time tr tt u ul var"""
)
# An open one of these ends where the next begins.
_ENDS_ITSELF = frozenset(["p", "li", "dt", "dd", "td", "th", "tr", "tbody", "thead", "tfoot"])
_EVERYWHERE = frozenset(["style", "align", "valign", "bgcolor", "width", "height", "dir", "lang"])
_ATTRIBUTES: dict[str, set[str]] = {
    "a": {"href", "title"},
    "abbr": {"title"},
    "img": {"src", "alt", "title", "border", "hspace", "vspace"},
    "table": {"border", "cellpadding", "cellspacing", "background"},
    "td": {"colspan", "rowspan", "nowrap", "background"},
    "th": {"colspan", "rowspan", "nowrap", "background", "scope"},
    "tr": {"background"},
    "div": {"background"},
    "col": {"span"},
    "colgroup": {"span"},
    "font": {"color", "size", "face"},
    "hr": {"size", "noshade", "color"},
    "ol": {"start", "type"},
    "ul": {"type"},
    "li": {"value", "type"},
}
_PROPERTIES = _words(
    """background background-color border border-bottom border-bottom-color border-bottom-style
    border-bottom-width border-collapse border-color border-left border-left-color
    border-left-style border-left-width border-radius border-right border-right-color
    border-right-style border-right-width border-spacing border-style border-top border-top-color
    border-top-style border-top-width border-width box-sizing clear color direction display float
    font font-family font-size font-style font-variant font-weight height letter-spacing
    line-height list-style-type margin margin-bottom margin-left margin-right margin-top max-height
    max-width min-height min-width opacity overflow overflow-wrap padding padding-bottom
    padding-left padding-right padding-top table-layout text-align text-decoration text-indent
    text-transform vertical-align visibility white-space width word-break word-spacing word-wrap"""
)
# Letters, numbers, colours, and calls of harmless functions. No backslash and no comment, so no
# other spelling of what is forbidden; no colon, so no scheme.
_STYLE_VALUE = re.compile(r"[\w\s#%.,'\"!+/()-]*+")
_CALL = re.compile(r"([\w-]*)\s*\(")
_HARMLESS_CALLS = frozenset(["rgb", "rgba", "hsl", "hsla", "calc"])
_BLANK = re.compile("[\x00-\x20\x7f-\xa0\u2028\u2029]+")
_CONTROL = re.compile("[\x00-\x1f\x7f]+")  # dropped by browsers wherever they stand in a link
_DATA_IMAGE = re.compile(r"data:image/(?:png|jpeg|jpg|gif|webp);base64,[a-z0-9+/=]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SafeHtml:
    """What may be shown. `remote_count` images lie on other servers: taken out, unless they were
    allowed. `complete` is False when the end was left out, being beyond a bound."""

    html: str
    remote_count: int
    complete: bool = True


def sanitise(html: str, *, allow_remote: bool) -> SafeHtml:
    """HTML without anything that runs, submits, navigates the page, or loads unasked.

    Images of the message (`cid:`) keep that address, for the page to resolve; remote images lose
    theirs unless `allow_remote`. Every link opens in a new tab that cannot reach back.
    """
    balanced, complete = _balanced(html[:MAX_HTML])
    remote = 0

    def keep(tag: str, attribute: str, value: str) -> str | None:
        nonlocal remote
        if attribute == "style":
            return _safe_style(value)
        if attribute == "href":
            return _safe_link(value)
        if attribute in ("src", "background"):
            if _is_own_image(value):
                return value
            if not _is_remote(value):
                return None
            remote += 1
            return value if allow_remote else None
        return value

    cleaner = nh3.Cleaner(
        tags=_TAGS,
        clean_content_tags=set(),
        attributes={"*": _EVERYWHERE, **_ATTRIBUTES},
        attribute_filter=keep,
        url_schemes={"http", "https", "mailto", "tel", "cid", "data"},  # `keep` narrows each
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    safe = cleaner.clean(balanced)
    return SafeHtml(safe, remote, complete and len(html) <= MAX_HTML)


def reader_document(html: str, *, allow_remote: bool = False) -> str:
    """The document of the reader's frame (`srcdoc`), from HTML that `sanitise` gave.

    The frame must have `sandbox="allow-popups allow-popups-to-escape-sandbox"` and nothing more.
    """
    policy = _MESSAGE_CSP_REMOTE if allow_remote else MESSAGE_CSP
    return (
        '<!doctype html><html><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="referrer" content="no-referrer"><base target="_blank">'
        "<style>body{margin:0;font:15px/1.5 system-ui,sans-serif;color:#1b1b1f;background:#fff;"
        "overflow-wrap:anywhere}img{max-width:100%;height:auto}table{max-width:100%}"
        "pre{white-space:pre-wrap}</style></head>"
        f"<body>{html}</body></html>"
    )


def _balanced(html: str) -> tuple[str, bool]:
    """The same tags and words, every element closed where it must be; False when cut."""
    out: list[str] = []
    open_tags: list[str] = []
    complete = True
    for count, token in enumerate(tokens(html)):
        if count == MAX_TOKENS:
            complete = False
            break
        name = "div" if token.name == "body" else token.name
        if not name:
            out.append(token.text.replace("<", "&lt;").replace(">", "&gt;").replace("\0", ""))
        elif name not in _TAGS:
            continue
        elif token.closing:
            _close(out, open_tags, name)
        elif name in _VOID:
            out.append(_start_tag(name, token))
        else:
            if name in _ENDS_ITSELF and open_tags and open_tags[-1] == name:
                _close(out, open_tags, name)
            if len(open_tags) < MAX_DEPTH:
                out.append(_start_tag(name, token))
                open_tags.append(name)
            else:
                complete = False
    out += [f"</{name}>" for name in reversed(open_tags)]
    return "".join(out), complete


def _close(out: list[str], open_tags: list[str], name: str) -> None:
    """End an element and those inside it; an end without a beginning is dropped, and the end of
    something inline does not end the cell around it."""
    for depth in range(len(open_tags) - 1, -1, -1):
        if open_tags[depth] == name:
            out += [f"</{inner}>" for inner in reversed(open_tags[depth:])]
            del open_tags[depth:]
            return
        if open_tags[depth] in ("td", "th") and name not in ("tr", "tbody", "thead", "table"):
            return


def _start_tag(name: str, token: Token) -> str:
    known = _ATTRIBUTES.get(name, set())
    kept = [
        f' {key}="{entities.escape(value)}"'
        for key, value in token.attributes.items()
        if key in _EVERYWHERE or key in known
    ]
    return f"<{name}{''.join(kept)}>"


def _safe_style(style: str) -> str | None:
    """The declarations that only say how something looks."""
    kept = []
    for declaration in style[:MAX_STYLE].split(";"):
        name, _, value = declaration.partition(":")
        name, value = name.strip().lower(), value.strip()
        if name in _PROPERTIES and _is_harmless(value):
            kept.append(f"{name}:{value}")
    return ";".join(kept) or None


def _is_harmless(value: str) -> bool:
    if not value or not _STYLE_VALUE.fullmatch(value) or "//" in value:
        return False
    if value.count('"') % 2 or value.count("'") % 2:
        return False
    return all(call.lower() in _HARMLESS_CALLS for call in _CALL.findall(value))


def _safe_link(href: str) -> str | None:
    """A link that leaves for the web, a mail or a telephone; as browsers read it."""
    plain = _CONTROL.sub("", href[:MAX_LINK]).strip(" ")
    return plain if plain.lower().startswith(("http://", "https://", "mailto:", "tel:")) else None


def _is_own_image(value: str) -> bool:
    """A part of the message, or an image written into it."""
    plain = value.strip().lower()
    return plain.startswith("cid:") or _DATA_IMAGE.fullmatch(_BLANK.sub("", value)) is not None


def _is_remote(value: str) -> bool:
    return _BLANK.sub("", value).lower().startswith(("http:", "https:"))

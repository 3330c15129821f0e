"""HTML mail made harmless: a hostile corpus, and a second parser that looks for what is left."""

# ruff: noqa: E501 (one piece of HTML a line)

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_service.core.html import MAX_HTML, MESSAGE_CSP, reader_document, sanitise
from tests.core.test_html_text import HOSTILE as COSTLY

FORBIDDEN_TAGS = frozenset(
    """script style iframe frame frameset object embed applet form input button select textarea meta
    base link svg math title template noscript audio video source track canvas area map body html
    head marquee bgsound layer xml""".split()  # noqa: SIM905
)


class Auditor(HTMLParser):
    """Collects what must not be in sanitised HTML."""

    def __init__(self, allow_remote: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.allow_remote = allow_remote
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in FORBIDDEN_TAGS:
            self.faults.append(tag)
        values = {name: value or "" for name, value in attrs}
        if len(values) != len(attrs):
            self.faults.append(f"{tag}: an attribute twice")
        for name, value in values.items():
            plain = re.sub(r"[\x00-\x20]", "", value).lower()
            if name.startswith("on") or name in {
                "srcset", "srcdoc", "formaction", "action", "ping", "id", "name", "class", "xlink:href",
                "data", "poster", "manifest", "http-equiv", "download",
            }:  # fmt: skip
                self.faults.append(f"{tag} {name}")
            if name == "href" and not plain.startswith(("http://", "https://", "mailto:", "tel:")):
                self.faults.append(f"{tag} {name}={value}")
            if name in ("src", "background"):
                own = plain.startswith(("cid:", "data:image/"))
                remote = plain.startswith(("http://", "https://"))
                if "svg" in plain[:20] or not (own or (remote and self.allow_remote)):
                    self.faults.append(f"{tag} {name}={value}")
            if name == "style" and re.search(
                r"url|image|expression|@|\\|/\*|//|javascript|behavior|binding|position|content|var\(|attr\(",
                value,
                re.IGNORECASE,
            ):
                self.faults.append(f"{tag} {name}={value}")
        if tag == "a" and "href" in values:
            rel = set((values.get("rel") or "").split())
            if (
                not {"noopener", "noreferrer", "nofollow"} <= rel
                or values.get("target") != "_blank"
            ):
                self.faults.append("a link that reaches back")

    def handle_comment(self, data: str) -> None:
        self.faults.append("a comment")

    def handle_decl(self, decl: str) -> None:
        self.faults.append("a declaration")


def faults(html: str, *, allow_remote: bool = False) -> list[str]:
    auditor = Auditor(allow_remote)
    auditor.feed(html)
    auditor.close()
    return auditor.faults


# What arrives, and what is left of it.
EXACT = [
    ("<script>alert(1)</script>x", "x"),
    ("<ScRiPt src=//evil.example></sCrIpT>x", "x"),
    ("<img src=x onerror=alert(1)>", "<img>"),
    ("<b onclick=alert(1)>x</b>", "<b>x</b>"),
    ("<a href='javascript:alert(1)'>x</a>", '<a target="_blank" rel="noopener noreferrer nofollow">x</a>'),
    ("<a href='//evil.example/'>x</a>", '<a target="_blank" rel="noopener noreferrer nofollow">x</a>'),
    ("<a href='https://x.example/?a=1&b=2'>x</a>",
     '<a href="https://x.example/?a=1&amp;b=2" target="_blank" rel="noopener noreferrer nofollow">x</a>'),
    ("<a href='mailto:a@x.example?subject=a b'>x</a>",
     '<a href="mailto:a@x.example?subject=a b" target="_blank" rel="noopener noreferrer nofollow">x</a>'),
    ("<form action=https://evil.example><input name=p><button>go</button></form>", "go"),
    ("<iframe src=https://evil.example></iframe>x", "x"),
    ("<iframe srcdoc='<script>1</script>'>x", ""),
    ("<object data=x><embed src=y>z</object>w", "w"),
    ("<meta http-equiv=refresh content='0;url=https://evil.example'>x", "x"),
    ("<base href=https://evil.example>x", "x"),
    ("<link rel=stylesheet href=https://evil.example>x", "x"),
    ("<style>@import 'https://evil.example'; a:has(b){}</style>x", "x"),
    ("<svg onload=alert(1)><a>x</a></svg>y", "y"),
    ("<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>", "<img>"),
    ("<title>T</title>x", "x"),
    ("<img src='data:text/html,<script>1</script>'>", "<img>"),
    ("<img src='data:image/svg+xml;base64,PHN2Zz4='>", "<img>"),
    ("<img src='data:image/png;base64,iVBORw0K' alt=a>", '<img src="data:image/png;base64,iVBORw0K" alt="a">'),
    ("<img src='cid:logo@x' width=10>", '<img src="cid:logo@x" width="10">'),
    ("<p style='color:red;position:fixed;background:url(https://evil.example)'>x</p>", '<p style="color:red">x</p>'),
    ("<p style='color:rgb(1,2,3);font-family:\"A B\",serif'>x</p>", "<p style=\"color:rgb(1,2,3);font-family:&quot;A B&quot;,serif\">x</p>"),
    ("<p style='width:expression(alert(1))'>x</p>", "<p>x</p>"),
    ("<p style='background:\\75rl(x)'>x</p>", "<p>x</p>"),
    ("<p style='color:red/**/;margin:0'>x</p>", '<p style="margin:0">x</p>'),
    ("<body bgcolor=red onload=alert(1)>x</body>", '<div bgcolor="red">x</div>'),
    ("<p>one<p>two", "<p>one</p><p>two</p>"),
    ("<div><b>x</div>y", "<div><b>x</b></div>y"),
    ("</div>x</p>", "x"),
    ("a < b & c", "a &lt; b &amp; c"),
    ("<x-custom>words</x-custom>", "words"),
    ("<!--[if mso]><b>x</b><![endif]-->y", "y"),
    ("<a href='https://x.example' target=_self rel=opener id=x name=y class=z>x</a>",
     '<a href="https://x.example" target="_blank" rel="noopener noreferrer nofollow">x</a>'),
]  # fmt: skip


@pytest.mark.parametrize(("html", "safe"), EXACT)
def test_hazard_32_what_is_left(html: str, safe: str) -> None:
    assert sanitise(html, allow_remote=False).html == safe


HOSTILE = [
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "<svg></p><style><a id=\"</style><img src=1 onerror=alert(1)>\">",
    "<form><math><mtext></form><form><mglyph><svg><mtext><style><path id=\"</style><img onerror=alert(1) src>\">",
    "<svg><![CDATA[><image xlink:href=\"]]><img src=x onerror=alert(1)//\">",
    "<svg><foreignObject><iframe srcdoc='&lt;script&gt;1&lt;/script&gt;'></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=alert(1)>#x'>",
    "<template><img src=x onerror=alert(1)></template>",
    "<xmp><img src=x onerror=alert(1)></xmp><plaintext><img src=x onerror=alert(1)>",
    "<textarea></textarea><img src=x onerror=alert(1)>",
    "<a href=\"java\tscript:alert(1)\">x</a><a href=\"&#1;javascript:alert(1)\">x</a>",
    "<a href=\"&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3A;alert(1)\">x</a>",
    "<a href=' JaVaScRiPt:alert(1)'>x</a><a href='vbscript:x'>x</a><a href='data:text/html,x'>x</a>",
    "<a href='blob:https://x/1'>x</a><a href='file:///etc/passwd'>x</a><a href='about:blank'>x</a>",
    "<img src=1 href=1 onerror=\"javascript:alert(1)\"></img>",
    "<img \"\"\"><script>alert(1)</script>\">",
    "<img src=x:x onerror\n=alert(1)><img/src=x/onerror=alert(1)>",
    "<<script>alert(1);//<</script>",
    "<script\n>alert(1)</script\n><script/x>alert(1)</script>",
    "<b/onmouseover=alert(1)>x<b onmouseover\t=\talert(1)>",
    "<p a\"b=\"></p><script>alert(1)</script>\">",
    "<div title=\"</div><script>\">x",
    "<style><img src=\"</style><img src=x onerror=alert(1)//\">",
    "<!--><script>alert(1)</script>-->", "<!--!><img src=x onerror=alert(1)>--!>", "<! x=\">\" onload=1><script>1</script>",
    "<?xml version=\"1.0\"?><script>1</script>", "<![CDATA[<script>1</script>]]>",
    "<table background=\"javascript:alert(1)\"><td background='https://t.example/p.gif'>x</table>",
    "<img srcset='https://t.example/1.png 1x' src=https://t.example/p.gif>",
    "<picture><source srcset=https://t.example/1.png><img src=https://t.example/p.gif></picture>",
    "<video poster=https://t.example/p.gif><source src=https://t.example/v></video>",
    "<input type=image src=https://t.example/p.gif><bgsound src=https://t.example/s>",
    "<link rel=prefetch href=https://t.example/x><link rel=dns-prefetch href=//t.example>",
    "<p style=\"background-image:url('https://t.example/p.gif')\">x",
    "<p style='list-style:url(https://t.example/p.gif);content:url(x);cursor:url(x)'>x",
    "<p style='background:image-set(\"https://t.example/p.gif\" 1x)'>x",
    "<p style='color:red;} @import \"https://t.example\";{'>x",
    "<p style='behavior:url(#x);-moz-binding:url(x)'>x", "<p style='color:var(--x);width:attr(title px)'>x",
    "<p style='background:u\\72l(https://t.example)'>x", "<p style='background:url/**/(//t.example)'>x",
    "<a href=https://x.example ping=https://t.example>x</a>", "<area href=javascript:x><map name=x>",
    "<isindex type=image src=1 onerror=alert(1)>", "<keygen autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "<marquee onstart=alert(1)>x</marquee>", "<frameset onload=alert(1)><frame src=x>",
    "<button formaction=javascript:alert(1)>x", "<select autofocus onfocus=alert(1)><option>x",
    "<meta name=referrer content=unsafe-url>", "<base target=_top>", "<a href=https://x target=_top>x</a>",
    "<div id=location name=cookie class=x>x</div>", "\0<scr\0ipt>alert(1)</scr\0ipt>",
    "<img src=\"data:image/png;base64,AA\" onerror=alert(1)><img src='data:image/gif,<script>'>",
    "<img src='cid:x\"onerror=alert(1)'>", "<img src='https://t.example/\"onerror=alert(1) x=\"'>",
    "\ufeff<script>1</script>\u2028<img src=x\u00a0onerror=alert(1)>",
]  # fmt: skip


@pytest.mark.parametrize("html", [*HOSTILE, *(html for html, _ in EXACT)])
@pytest.mark.parametrize("allow_remote", [False, True])
def test_hazard_32_nothing_is_left_that_acts(html: str, allow_remote: bool) -> None:
    for around in (
        "{}",
        "<div>{}</div>",
        "<table><tr><td>{}</td></tr></table>",
        "<p><a href=https://x>{}",
    ):
        safe = sanitise(
            around.format(html.replace("{", "(").replace("}", ")")), allow_remote=allow_remote
        )
        assert faults(safe.html, allow_remote=allow_remote) == []
        again = sanitise(safe.html, allow_remote=allow_remote)
        assert faults(again.html, allow_remote=allow_remote) == []


def test_hazard_33_remote_images_are_taken_out_and_counted() -> None:
    html = (
        "<table background=https://t.example/b.png><tr><td><img src=https://t.example/p.gif alt=pixel>"
        "<img src='HTTP://t.example/2'><img src=cid:own></table>"
    )
    blocked = sanitise(html, allow_remote=False)
    assert blocked.remote_count == 3
    assert "t.example" not in blocked.html
    assert 'src="cid:own"' in blocked.html
    allowed = sanitise(html, allow_remote=True)
    assert allowed.remote_count == 3
    assert allowed.html.count("t.example") == 3


def test_own_images_are_not_remote() -> None:
    html = "<img src=cid:a><img src='data:image/png;base64,AA=='><img src=relative.png>"
    assert sanitise(html, allow_remote=False).remote_count == 0


def test_hazard_30_a_content_id_can_not_break_out() -> None:
    safe = sanitise("<img src='cid:&quot;><script>1</script>'>", allow_remote=False)
    assert faults(safe.html) == []


def test_a_newsletter_keeps_its_looks() -> None:
    html = (
        '<table width="600" cellpadding="0" bgcolor="#ffffff"><tbody><tr><td align="center" '
        'style="padding:10px 20px;font:bold 14px/1.5 Arial,sans-serif;color:#333">'
        '<font color="#ff0000">Sale</font></td></tr></tbody></table>'
    )
    assert sanitise(html, allow_remote=False).html == html


@pytest.mark.parametrize("name", COSTLY)
def test_hazard_28_hostile_html_is_cut(name: str) -> None:
    """The time is asked with a wide margin, for machines that do other things as well."""
    started = time.process_time()
    safe = sanitise(COSTLY[name] * 20, allow_remote=False)
    assert time.process_time() - started < 3.0
    assert faults(safe.html) == []


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 300_000,
        "<ul><li>" * 20_000,
        "".join(f"<b title={n}>" for n in range(3_000)) + "<p>x" * 3_000,
        "<table><tr><td>" * 10_000,
        "<b><p></b>" * 30_000,
        "x" * (MAX_HTML + 1),
    ],
)
def test_what_lies_beyond_a_bound_is_said_to_be_missing(html: str) -> None:
    safe = sanitise(html, allow_remote=False)
    assert not safe.complete
    assert len(safe.html) < 4_000_000


def test_the_document_of_the_frame_has_its_policy_first() -> None:
    document = reader_document("<p>x</p>")
    policy = document.index(MESSAGE_CSP)
    assert policy < document.index("<style>") < document.index("<p>x</p>")
    for directive in ("default-src 'none'", "form-action 'none'", "base-uri 'none'"):
        assert directive in MESSAGE_CSP
    assert "script" not in document
    assert "http:" not in document
    assert '<base target="_blank">' in document


def test_remote_images_load_only_in_a_document_that_allows_them() -> None:
    assert "img-src https: http: data: blob:;" in reader_document("", allow_remote=True)
    assert "img-src data: blob:;" in reader_document("")


PIECES = st.sampled_from(
    """<a href="javascript:x"> <img src=x onerror=y> <script> </script> <style> </style> <svg> </svg> <math>
    <mtext> <mglyph> </math> <table> <td> </td> </table> <p> </p> <b> </b> <form> <input> <!-- --> <![CDATA[ ]]>
    <title> </title> <textarea> </textarea> <noscript> </noscript> <template> <iframe> <select> <option>
    <div style="background:url(//x)"> </div> <base href=//x> <meta> <img src=https://t.example/p> &lt; &quot;
    " ' = / > < onload=1 style= src= href= javascript: url( &#0; <foreignObject> <desc> <xmp> <plaintext>
    <a href=https://x title='"> </a> <body onload=x> <font color="red> <li> <ul>""".split()  # noqa: SIM905
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES | st.text(max_size=4), max_size=25).map(" ".join), st.booleans())
def test_any_html_is_harmless(html: str, allow_remote: bool) -> None:
    for text in (html, html.replace(" ", "")):
        safe = sanitise(text, allow_remote=allow_remote)
        assert faults(safe.html, allow_remote=allow_remote) == []

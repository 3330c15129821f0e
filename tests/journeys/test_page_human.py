"""Is this a human? The page answers where the service asks, and shows nothing where it does not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Route, expect

from tests.http_server import HttpServer
from tests.journeys.browser import Visits
from tests.journeys.running import RunningService, running

pytest_plugins = ["tests.journeys.visiting"]

WIDGET = "https://challenges.cloudflare.com/**"
# A simulator of the widget: it draws a button, and its press is the visitor's answer.
SIMULATOR = """
window.turnstile = {
  render(box, options) {
    const button = document.createElement('button');
    button.textContent = `I am human (${options.sitekey}, ${options.language})`;
    button.onclick = () => options.callback('said by the widget');
    box.append(button);
    return 'one';
  },
  remove() {},
};
"""


@dataclass
class Verifier:
    """A simulator of the verifying side of Turnstile: it notes what it is asked."""

    asked: list[dict[str, list[str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                form = parse_qs(self.rfile.read(length).decode())
                asked.append(form)
                body = json.dumps({"success": form["response"] == ["said by the widget"]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = HttpServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/siteverify"


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    verifier = Verifier()
    yield verifier
    verifier.server.shutdown()
    verifier.server.server_close()


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A site that wants a proof of work, at logins, too."""
    yield from running(
        tmp_path_factory.mktemp("altcha"),
        enable_altcha=True,
        altcha_cost=200,
        enable_global_turnstile_check=True,
    )


@pytest.fixture(scope="module")
def asking(
    tmp_path_factory: pytest.TempPathFactory, verifier: Verifier
) -> Iterator[RunningService]:
    """A site with Turnstile."""
    yield from running(
        tmp_path_factory.mktemp("turnstile"),
        cf_turnstile_site_key="public-key",
        cf_turnstile_secret_key="secret-key",
        cf_turnstile_url=verifier.url,
    )


def test_proof_of_work_is_done_by_itself_and_asks_nobody_else(
    visit: Visits, working: RunningService
) -> None:
    person = visit(at=working)
    first = person.address()
    assert person.clicks == 0
    assert person.foreign_requests == []
    person.click("button:has-text('New address')")
    expect(person.page.locator(".hero-addr")).not_to_have_text(first)


def test_without_the_crypto_of_a_secure_page_the_proof_is_made_by_hand(
    visit: Visits, working: RunningService
) -> None:
    person = visit(at=working, path=None)
    # Plain HTTP, as on a network of one's own: workers have no `crypto.subtle` there.
    person.context.route(
        "**/work.worker-*.js",
        lambda route: blind(route),
    )
    person.open()
    assert person.address()


def blind(route: Route) -> None:
    answer = route.fetch()
    hidden = "Object.defineProperty(crypto, 'subtle', { value: undefined });\n"
    route.fulfill(response=answer, body=hidden + answer.text())


def test_a_login_that_is_asked_for_a_proof_gives_it(visit: Visits, working: RunningService) -> None:
    person = visit(at=working)
    address = person.address()
    password = person.page.locator(".once .copy-field, .once input, .once code").first
    expect(password).to_be_visible()
    secret = person.page.locator(".once").evaluate(
        "box => [...box.querySelectorAll('*')].map(e => e.value ?? e.textContent.trim())"
        ".find(text => /^[^ ]{6,40}$/.test(text))"
    )
    other = visit(at=working)
    other.address()
    page = other.page
    page.get_by_role("button", name="Open an address").first.click()
    page.get_by_role("button", name="Address and password").click()
    page.get_by_role("textbox", name="Address", exact=True).fill(address)
    page.get_by_role("textbox", name="Password").fill(secret)
    page.get_by_role("dialog").get_by_role("button", name="Open", exact=True).click()
    expect(page.locator(".addr-now, .hero-addr").first).to_contain_text(address.split("@")[0])
    # The first try was refused: that is how the page hears that it is asked.
    other.complaints.clear()


def test_turnstile_asks_in_a_window_and_its_answer_opens_an_address(
    visit: Visits, asking: RunningService, verifier: Verifier
) -> None:
    person = visit(at=asking, path=None)
    person.context.route(
        WIDGET, lambda route: route.fulfill(content_type="text/javascript", body=SIMULATOR)
    )
    person.open()
    dialog = person.page.get_by_role("dialog", name="Are you human?")
    expect(dialog).to_be_visible()
    assert person.accessibility_faults() == []
    dialog.get_by_role("button", name="I am human (public-key, en)").click()
    assert person.address()
    assert verifier.asked[-1]["secret"] == ["secret-key"]
    assert verifier.asked[-1]["response"] == ["said by the widget"]
    assert {url.split("/turnstile/")[0] for url in person.foreign_requests} == {
        "https://challenges.cloudflare.com"
    }
    person.requests.clear()


def test_a_widget_that_cannot_be_loaded_is_told_in_words_and_can_be_tried_again(
    visit: Visits, asking: RunningService
) -> None:
    person = visit(at=asking, path=None)
    person.context.route(WIDGET, lambda route: route.abort())
    person.open()
    dialog = person.page.get_by_role("dialog", name="Are you human?")
    expect(dialog.get_by_role("alert")).to_be_visible()
    person.context.unroute(WIDGET)
    person.context.route(
        WIDGET, lambda route: route.fulfill(content_type="text/javascript", body=SIMULATOR)
    )
    dialog.get_by_role("button", name="Try again").click()
    dialog.get_by_role("button", name="I am human (public-key, en)").click()
    assert person.address()
    person.requests.clear()
    person.complaints.clear()


def test_whoever_closes_the_window_is_told_why_there_is_no_address(
    visit: Visits, asking: RunningService
) -> None:
    person = visit(at=asking, path=None)
    person.context.route(
        WIDGET, lambda route: route.fulfill(content_type="text/javascript", body=SIMULATOR)
    )
    person.open()
    dialog = person.page.get_by_role("dialog", name="Are you human?")
    expect(dialog.get_by_role("button", name="I am human (public-key, en)")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(person.page.get_by_role("heading", name="No mailbox is open here")).to_be_visible()
    expect(person.page.get_by_role("alert")).to_be_visible()
    person.page.get_by_role("button", name="Create").or_(
        person.page.get_by_role("button", name="Make")
    ).first.click()
    expect(dialog).to_be_visible()
    person.requests.clear()

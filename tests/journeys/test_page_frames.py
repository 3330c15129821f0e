"""What stands in the document before the script of the page has come is what it will show."""

from __future__ import annotations

import re
import time
import urllib.request

import pytest
from playwright.sync_api import Page, Route, expect

from tests.journeys.browser import PHONE, SMALLEST, Visit, Visits, message
from tests.journeys.running import ADMIN_PASSWORD, RunningService

pytest_plugins = ["tests.journeys.visiting"]

# Ten segments of 1,460 octets come before the first answer is needed (RFC 6928).
FIRST_PACKETS = 14_600
# Words of a frame that an answer of the service puts others in the place of, in each language
# that is looked at.
UNTIL_THEN = {"Connecting", "Verbindet"}


class Held:
    """The scripts of the page, held back until they are let go."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._waiting: list[Route] = []
        self._gone = False
        page.route("**/assets/*.js", self._take)

    def _take(self, route: Route) -> None:
        # What fills a frame belongs to it.
        if self._gone or "/fill-" in route.request.url:
            route.continue_()
        else:
            self._waiting.append(route)

    def let_go(self) -> None:
        self._gone = True
        for route in self._waiting:
            route.continue_()


def opened(person: Visit, path: str) -> Held:
    held = Held(person.page)
    person.page.goto(person.service.url + path, wait_until="commit")
    return held


def words(page: Page) -> list[str]:
    """The lines that can be read."""
    text = str(page.locator("#page").inner_text())
    return [line.strip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/", "Copy address"),
        ("/de/", "Adresse kopieren"),
        ("/user", "E-mail"),
        ("/admin", "Admin password"),
        ("/de/admin", "Admin-Passwort"),
    ],
)
def test_a_frame_says_what_the_page_then_says(visit: Visits, path: str, there: str) -> None:
    person = visit(path=None, size=PHONE)
    held = opened(person, path)
    page = person.page
    expect(page.locator("#page")).to_contain_text(there)
    before = [line for line in words(page) if line not in UNTIL_THEN]
    height = top_of(page)
    came(page, held)
    assert [line for line in before if line not in words(page)] == []
    assert abs(top_of(page) - height) <= 2
    assert person.sideways() <= 0


def came(page: Page, held: Held) -> None:
    """The page has taken the place of its frame."""
    page.evaluate("document.querySelector('#page > *').dataset.held = ''")
    held.let_go()
    expect(page.locator("[data-held]")).to_have_count(0)


def top_of(page: Page) -> float:
    box = page.locator("h1").first.bounding_box()
    assert box is not None
    return box["y"]


def test_the_first_requests_are_begun_before_the_page_and_made_once(
    visit: Visits, service: RunningService
) -> None:
    person = visit(path=None)
    with person.page.expect_response("**/api/new_address") as answer:
        held = opened(person, "/")
    assert answer.value.status == 200
    came(person.page, held)
    assert person.address() == answer.value.json()["address"]
    made = [url for url in person.requests if url.endswith("/api/new_address")]
    assert len(made) == 1

    address, token = service.open_address()
    service.deliver(address, message("Before the page"))
    service.wait_for_mail(token)
    other = visit(path=None, size=SMALLEST)
    with other.page.expect_response("**/api/inbox/brief*"):
        held = opened(other, f"/?jwt={token}")
    expect(other.page.locator(".addr-now")).to_contain_text(address)
    came(other.page, held)
    expect(other.page.get_by_role("link", name="Before the page")).to_be_visible()
    assert other.sideways() <= 0


def test_what_was_typed_into_a_frame_is_in_the_page(visit: Visits) -> None:
    person = visit(path=None)
    held = opened(person, "/admin")
    field = person.page.get_by_label("Admin password")
    field.fill("lantern")
    field.press("Enter")
    came(person.page, held)
    expect(person.page.get_by_label("Admin password")).to_have_value("lantern")
    expect(person.page.get_by_role("alert")).to_be_visible()
    expect(person.page.get_by_label("Admin password")).to_be_focused()
    person.complaints.clear()  # the browser notes the refusal
    assert re.search(r"/admin$", person.page.url)


def test_what_was_pressed_in_a_frame_is_done_by_the_page(visit: Visits) -> None:
    """Whoever is quicker than the script of the page presses once."""
    person = visit(path=None)
    held = opened(person, "/admin")
    page = person.page
    page.get_by_label("Admin password").fill(ADMIN_PASSWORD)
    page.get_by_label("Remember it on this device").check()
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign in").click()
    came(page, held)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    assert page.evaluate("localStorage['mailbox.admin-password']") is not None


def test_what_was_pressed_is_found_again_among_what_is_called_the_same(
    visit: Visits, service: RunningService
) -> None:
    address, token = service.open_address()
    for number in range(3):
        service.deliver(address, message(f"Twin {number}"))
    service.wait_for_mail(token, subject="2")
    person = visit(path=None)
    held = opened(person, f"/?jwt={token}")
    page = person.page
    second = page.locator(".row", has_text="Twin 1").locator(".star")
    second.click()
    came(page, held)
    expect(second).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".star[aria-pressed=true]")).to_have_count(1)

    settings = {"enable": True, "enableMailVerify": False, "maxAddressCount": 0}
    assert service.post("/admin/user_settings", settings, admin=True).status == 200
    member = visit(path=None)
    held = opened(member, "/user")
    page = member.page
    page.get_by_label("E-mail").fill("nobody@home.example")
    page.get_by_label("Password").fill("not a password")
    page.locator("form").get_by_role("button", name="Sign in").last.click()
    came(page, held)
    expect(page.get_by_role("alert")).to_be_visible()
    member.complaints.clear()  # the browser notes the refusal


def test_a_link_whose_token_is_refused_gives_back_what_was_there(
    visit: Visits, service: RunningService
) -> None:
    person = visit()
    address = person.address()
    _, token = service.open_address()
    forged = token[:-6] + ("aaaaaa" if not token.endswith("aaaaaa") else "bbbbbb")
    person.open(f"/?jwt={forged}")
    expect(person.page.locator(".toast.bad")).to_be_visible()
    assert person.address() == address
    assert person.token() not in (token, forged)
    person.complaints.clear()  # the browser notes the refusal


# What a subject may hold, and what is shown of it.
HOSTILE = {
    "markup": "<img src=x onerror=top.owned=1><script>top.owned=1</script>",
    "the end of an element": '"></a></li></template><h1>owned</h1>',
    "marks of a frame": "[sender] [code] [local]@[domain] $& $1",
    "another direction": "pay \u202egnp.exe\u2066 now",
}


@pytest.mark.parametrize("subject", HOSTILE.values(), ids=HOSTILE)
def test_rows_and_a_mail_are_there_before_the_page_and_their_text_is_text(
    visit: Visits, service: RunningService, subject: str
) -> None:
    """Hazard of hostile text: it is never markup, before the page is there as after it."""
    address, token = service.open_address()
    service.deliver(address, message(subject, "Your code is 482913."))
    mail = service.wait_for_mail(token)
    person = visit(path=None, size=PHONE)
    held = opened(person, f"/?jwt={token}")
    page = person.page
    link = page.locator(".rows .row-open")
    expect(link).to_contain_text(str(mail["subject"]))
    before = same(page)
    top = link.bounding_box()
    came(page, held)
    expect(page.locator("#list-title + .quiet")).to_have_text("1")
    assert same(page) == before
    assert link.bounding_box() == top
    assert page.evaluate("window.owned") is None

    other = visit(path=None, size=SMALLEST)
    held = opened(other, f"/?jwt={token}&mail_id={mail['id']}")
    page = other.page
    expect(page.locator("#mail-subject")).to_have_text(str(mail["subject"]))
    top = page.locator("#mail-subject").bounding_box()
    came(page, held)
    expect(page.get_by_text("Your code is 482913.").last).to_be_visible()
    expect(page.locator("#mail-subject")).to_have_text(str(mail["subject"]))
    assert page.locator("#mail-subject").bounding_box() == top
    assert other.sideways() <= 0
    assert page.evaluate("window.owned") is None


def test_a_code_that_is_pressed_before_the_page_is_there_is_copied_by_it(
    visit: Visits, service: RunningService
) -> None:
    address, token = service.open_address()
    service.deliver(address, message("Sign in", "Your code is 482913."))
    service.wait_for_mail(token)
    person = visit(path=None)
    held = opened(person, f"/?jwt={token}")
    person.page.locator(".rows .code").click()
    came(person.page, held)
    expect(person.page.get_by_text("Code 482913 copied")).to_be_attached()
    assert person.clipboard() == "482913"


def same(page: Page) -> object:
    """Every part of the rows: where it lies, and what it says."""
    return page.locator("ul.rows").first.evaluate(
        """(rows) => [...rows.querySelectorAll('*')].map((part) => {
          const { x, y, width, height } = part.getBoundingClientRect();
          return [part.tagName, part.textContent.replace(/\\s+/g, ''), x, y, width, height];
        })"""
    )


def test_rows_do_not_go_away_when_the_page_takes_their_place(
    visit: Visits, service: RunningService
) -> None:
    address, token = service.open_address()
    for number in range(3):
        service.deliver(address, message(f"Kept {number}"))
    service.wait_for_mail(token, subject="2")
    person = visit(path=None, size=PHONE)
    held = opened(person, f"/?jwt={token}")
    page = person.page
    expect(page.locator(".row-open")).to_have_count(3)
    page.evaluate(
        """() => {
          window.fewest = 3;
          const look = () => {
            window.fewest = Math.min(window.fewest, document.querySelectorAll('.row-open').length);
            requestAnimationFrame(look);
          };
          look();
        }"""
    )
    page.locator(".row-open").first.focus()
    came(page, held)
    expect(page.locator(".row-open").first).to_be_focused()
    assert page.evaluate("window.fewest") == 3


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/", FIRST_PACKETS),
        ("/de/", 15_000),
        ("/ja/", 15_000),
        ("/user", FIRST_PACKETS),
        ("/pt-BR/user", FIRST_PACKETS),
        ("/admin", 19_200),
        ("/zh/admin", 19_200),
    ],
)
def test_a_document_is_small_where_brotli_is_taken(
    service: RunningService, path: str, most: int
) -> None:
    request = urllib.request.Request(
        service.url + path, headers={"Accept-Encoding": "br", "Accept-Language": "en"}
    )
    # It is packed as hard as can be behind the first answer.
    deadline = time.monotonic() + 60
    while octets_of(request) > most:
        assert time.monotonic() < deadline, octets_of(request)
        time.sleep(0.05)


def octets_of(request: urllib.request.Request) -> int:
    """What an answer takes on the line, its head and its body."""
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["content-encoding"] == "br"
        return len(answer.read()) + sum(
            len(name) + len(value) + 4 for name, value in answer.headers.items()
        )

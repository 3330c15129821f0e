"""What stands in the document before the script of the page has come is what it will show."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.journeys.browser import PHONE, SMALLEST, Visit, Visits, message
from tests.journeys.running import RunningService

pytest_plugins = ["tests.journeys.visiting"]

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
        if self._gone:
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
    expect(person.page.get_by_label("Admin password")).to_be_focused()
    assert re.search(r"/admin$", person.page.url)


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

"""What the page of administrators does when things go wrong, are empty, or are very many."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise

import pytest
from playwright.sync_api import Page, Route, expect

from tests.journeys.administering import go, signed_in
from tests.journeys.browser import LOOKS, SMALLEST, Theme, Visits, wait_until
from tests.journeys.running import ADMIN_PASSWORD, RunningService, running

pytest_plugins = ["tests.journeys.visiting"]

LISTS = (
    *("mails", "unknown", "sent", "addresses", "users", "senders", "queue", "audit", "webhooks"),
    *("logins", "suppressions", "rules/senders"),
)
PLACES = (
    *("overview", *LISTS, "write", "domains", "webhooks/all", "cleanup", "figures", "rules"),
    *(f"settings/{name}" for name in ("addresses", "receiving", "sending", "accounts")),
    *(f"settings/{name}" for name in ("access", "programs", "store")),
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    yield from running(tmp_path_factory.mktemp("service"), enable_webhook=True)


def failing(page: Page, status: int, text: str) -> None:
    """From now on the service refuses everything that an administrator asks of it."""
    page.route("**/admin/**", lambda route: route.fulfill(status=status, body=text))


def mended(page: Page) -> None:
    page.unroute("**/admin/**")


def ranks(page: Page) -> list[int]:
    """The ranks of the headings that are there, in order."""
    found: list[int] = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3, h4')]"
        ".filter(one => one.checkVisibility()).map(one => Number(one.tagName[1]))"
    )
    return found


def well_ordered(found: list[int]) -> bool:
    """One heading of the first rank, and none that skips a rank on the way down."""
    steps = pairwise(found)
    return found.count(1) == 1 and all(after <= before + 1 for before, after in steps)


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_every_screen_is_accessible_while_it_is_empty(
    visit: Visits, size: tuple[int, int], theme: Theme
) -> None:
    person = signed_in(visit, size=size, theme=theme)
    for place in LISTS:
        go(person, place)
        person.page.locator("#main .card-foot").first.wait_for()
        person.page.locator("#main :is(.empty, tbody tr)").first.wait_for()
        assert well_ordered(ranks(person.page)), place
        assert person.accessibility_faults() == [], place
        assert person.sideways() <= 0, place


@pytest.mark.parametrize(("size", "theme"), [(SMALLEST, "dark")])
def test_every_screen_says_when_the_service_is_in_trouble_and_comes_back(
    visit: Visits, size: tuple[int, int], theme: Theme
) -> None:
    person = signed_in(visit, "write", size=size, theme=theme)
    page = person.page
    for place in PLACES:
        if place == "write":  # it asks for nothing before there is something to send
            continue
        failing(page, 503, "The store is busy")
        page.evaluate("place => { location.hash = '#/' + place }", place)
        alert = page.locator("#main [role=alert]").first
        expect(alert).to_contain_text("The store is busy")
        assert well_ordered(ranks(page)), place
        assert person.accessibility_faults() == [], place
        assert person.sideways() <= 0, place
        mended(page)
        again = page.locator("#main [role=alert] button")
        assert again.count() > 0, place
        while again.count() > 0:
            left = again.count()
            again.first.click()
            # Forms of the same settings are read together.
            wait_until(
                page,
                "left => document.querySelectorAll('#main [role=alert] button').length < left",
                arg=left,
            )
        expect(page.locator("#main [role=alert]")).to_have_count(0)
        page.evaluate("location.hash = '#/write'")
        page.locator("#main form").wait_for()
    person.complaints.clear()  # the browser notes each refusal


def test_a_session_that_ended_is_begun_again_where_one_was(
    visit: Visits, service: RunningService
) -> None:
    person = signed_in(visit, "addresses")
    page = person.page
    page.get_by_role("button", name="New address").click()
    page.get_by_label("Several names").check()
    page.get_by_label("Names", exact=True).fill("anna\nberta")
    failing(page, 401, "Need Admin Password")
    page.get_by_role("button", name="Open", exact=True).click()
    again = page.get_by_role("dialog", name="Signed out")
    again.get_by_label("Admin password").fill("wrong")
    again.get_by_role("button", name="Sign in").click()
    expect(again.get_by_role("alert")).to_contain_text("not the password")
    assert person.accessibility_faults() == []
    mended(page)
    again.get_by_label("Admin password").fill(ADMIN_PASSWORD)
    again.get_by_role("button", name="Sign in").click()
    expect(again).to_have_count(0)
    expect(page.get_by_label("Names", exact=True)).to_have_value("anna\nberta")
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("berta@")
    person.complaints.clear()  # the browser notes the refusals


def test_the_way_back_closes_a_dialog_first(visit: Visits, service: RunningService) -> None:
    person = signed_in(visit, "audit")
    page = person.page
    page.evaluate("location.hash = '#/users'")
    page.get_by_role("button", name="New account").click()
    page.get_by_role("dialog").wait_for()
    wait_until(page, "history.state?.over")
    page.go_back()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("heading", name="Accounts", level=1)).to_be_visible()
    # A dialog that was closed in another way leaves nothing behind.
    page.get_by_role("button", name="New account").click()
    wait_until(page, "history.state?.over")
    page.get_by_role("button", name="Cancel").click()
    wait_until(page, "!history.state?.over")
    page.go_back()
    expect(page.get_by_role("heading", name="Audit log", level=1)).to_be_visible()
    # Another list has none of the dialogs of the one before.
    page.evaluate("location.hash = '#/users'")
    page.get_by_role("button", name="New account").click()
    page.get_by_role("dialog").wait_for()
    page.evaluate("location.hash = '#/senders'")
    expect(page.get_by_role("heading", name="Who may send", level=1)).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_pressed_twice_is_meant_once(visit: Visits, service: RunningService) -> None:
    person = signed_in(visit, "users")
    page = person.page
    posts: list[str] = []

    def slow(route: Route) -> None:
        if route.request.method == "POST":
            posts.append(route.request.url)
        route.continue_()

    page.route("**/admin/users", slow)
    page.get_by_role("button", name="New account").click()
    page.get_by_label("E-mail").fill("twice@far.example")
    page.get_by_label("Password", exact=True).fill("correct horse battery")
    page.get_by_role("button", name="Save").dblclick()
    expect(page.locator("tbody")).to_contain_text("twice@far.example")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert len(posts) == 1


def test_ten_thousand_rows_are_turned_page_by_page(visit: Visits, service: RunningService) -> None:
    person = signed_in(visit, "overview")
    page = person.page
    asked: list[str] = []

    def many(route: Route) -> None:
        asked.append(route.request.url)
        rows = [
            {"id": at, "name": f"box{at:05}@x.test", "created_at": "2026-01-01 00:00:00"}
            for at in range(20)
        ]
        found = {"results": rows, "count": 10_000 if "offset=0" in route.request.url else 0}
        route.fulfill(body=json.dumps(found), content_type="application/json")

    page.route("**/admin/address?*", many)
    page.evaluate("location.hash = '#/addresses'")
    expect(page.locator(".card-foot")).to_contain_text("1–20 / 10000")
    expect(page.locator("tbody tr")).to_have_count(20)
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".card-foot")).to_contain_text("21–40 / 10000")
    page.get_by_role("checkbox", name="Select all").check()
    expect(page.locator(".bulk")).to_contain_text("20")
    assert all("limit=20" in one for one in asked)

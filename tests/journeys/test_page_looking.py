"""Mail while the live line is down: it is looked for, and the page says when it looks next."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.browser import DESK, PHONE, SMALLEST, Theme, Visit, Visits, message, row
from tests.journeys.running import RunningService

pytest_plugins = ["tests.journeys.visiting"]

EVENTS = "**/api/events"


def without_line(
    visit: Visits, service: RunningService, token: str, **look: object
) -> tuple[Visit, Locator]:
    """A visitor behind a proxy that lets no stream through, who looks every half a minute; and
    what the page says of it."""
    person = visit(path=None, **look)
    person.page.add_init_script("""localStorage['mailbox.preferences'] = '{"every": 30}'""")
    person.page.clock.install()
    person.context.route(EVENTS, lambda route: route.abort())
    person.open(f"/?jwt={token}")
    notice = person.page.locator(".broken")
    expect(notice).to_contain_text("It is looked for every 30 s, again in ")
    return person, notice


def leave(person: Visit) -> None:
    """The browser notes every stream that the proxy refused, until the page is gone."""
    person.page.close()
    person.complaints.clear()


def left(notice: Locator) -> int:
    found = re.search(r"again in (\d+) s", notice.inner_text())
    assert found is not None
    return int(found[1])


def counts_down(page: Page, notice: Locator) -> None:
    before = left(notice)
    page.clock.run_for(3000)
    expect(notice).not_to_contain_text(f"again in {before} s")
    assert 0 < left(notice) < before


def test_the_page_counts_down_to_its_next_look_while_the_line_is_down(
    visit: Visits, service: RunningService
) -> None:
    address, token = service.open_address()
    service.deliver(address, message("Before"))
    person, notice = without_line(visit, service, token)
    page = person.page
    expect(row(page, "Before")).to_be_visible()
    counts_down(page, notice)
    dot = page.locator(".topbar .live")
    expect(dot).to_contain_text(re.compile(r"Next look in \d+ s"))
    service.deliver(address, message("Looked for"))
    service.wait_for_mail(token, subject="Looked%20for")
    page.clock.run_for(31_000)
    expect(row(page, "Looked for")).to_be_visible()
    # By hand, without waiting: in the notice, and on the dot.
    for number, button in enumerate((notice.get_by_role("button", name="Look now"), dot)):
        service.deliver(address, message(f"By hand {number}"))
        service.wait_for_mail(token, subject=f"By%20hand%20{number}")
        button.click()
        expect(row(page, f"By hand {number}")).to_be_visible()
    dot.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Looked just now: nothing new")).to_be_visible()
    # The line is back: nothing is counted any more.
    person.context.unroute(EVENTS)
    notice.get_by_role("button", name="Look now").click()
    expect(dot).to_have_text("Live")
    expect(notice).to_have_count(0)
    leave(person)


def test_one_mail_at_a_time_says_when_it_looks_next(visit: Visits, service: RunningService) -> None:
    address, token = service.open_address()
    person, _ = without_line(visit, service, token, size=PHONE)
    page = person.page
    page.goto(f"{service.url}/#/settings")
    page.get_by_label("One mail at a time").check()
    page.goto(f"{service.url}/#/inbox")
    expect(page.locator(".simple .live")).to_contain_text(re.compile(r"Next look in \d+ s"))
    service.deliver(address, message("For the simple one"))
    service.wait_for_mail(token)
    page.locator(".simple .live").click()
    expect(page.get_by_role("heading", name="For the simple one")).to_be_visible()
    leave(person)


def test_nobody_is_told_of_looks_that_find_no_service(
    visit: Visits, service: RunningService
) -> None:
    """What the browser has kept is no answer of the service."""
    address, token = service.open_address()
    service.deliver(address, message("Kept here"))
    person, notice = without_line(visit, service, token)
    expect(row(person.page, "Kept here")).to_be_visible()
    person.context.route("**/api/**", lambda route: route.abort())
    notice.get_by_role("button", name="Look now").click()
    person.page.clock.run_for(31_000)
    expect(notice).to_contain_text("No connection.")
    expect(row(person.page, "Kept here")).to_be_visible()
    leave(person)


@pytest.mark.parametrize(("size", "theme"), [(DESK, "dark"), (SMALLEST, "light")])
def test_the_countdown_is_accessible_and_never_scrolls_sideways(
    visit: Visits, service: RunningService, size: tuple[int, int], theme: Theme
) -> None:
    address, token = service.open_address()
    service.deliver(address, message("There"))
    person, _ = without_line(visit, service, token, size=size, theme=theme)
    expect(row(person.page, "There")).to_be_visible()
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0
    leave(person)

"""Several tabs of one browser: one open line among them, and nobody misses anything."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.journeys.browser import Visit, Visits, message, row
from tests.journeys.running import RunningService

pytest_plugins = ["tests.journeys.visiting"]


def lines(person: Visit) -> int:
    """How often an event stream was opened so far."""
    return sum(url.endswith("/api/events") for url in person.requests)


def another_tab(person: Visit) -> Page:
    page = person.context.new_page()
    page.goto(person.service.url)
    page.locator(".live .pulse").first.wait_for(state="attached")
    return page


def test_tabs_share_one_line_and_both_hear_of_mail(visit: Visits, service: RunningService) -> None:
    person = visit()
    address = person.address()
    person.settled()
    second = another_tab(person)
    service.deliver(address, message("For both tabs"))
    expect(row(person.page, "For both tabs")).to_be_visible()
    expect(row(second, "For both tabs")).to_be_visible()
    assert lines(person) == 1
    expect(person.page).to_have_title(f"(1) {address}")
    expect(second).to_have_title(f"(1) {address}")
    for tab in (person.page, second):
        icon = tab.locator("#favicon")
        expect(icon).to_have_attribute("href", "/favicon-unread.svg")


def test_when_the_tab_with_the_line_goes_another_goes_on_where_it_was(
    visit: Visits, service: RunningService
) -> None:
    person = visit()
    address = person.address()
    person.settled()
    second = another_tab(person)
    service.deliver(address, message("Before"))
    expect(row(second, "Before")).to_be_visible()
    with second.expect_request("**/api/events") as asked:
        person.page.close()
    assert asked.value.headers["last-event-id"]
    service.deliver(address, message("After"))
    expect(row(second, "After")).to_be_visible()
    assert lines(person) == 2


def test_a_mail_read_or_deleted_in_one_tab_is_so_in_the_other_whatever_it_shows(
    visit: Visits, service: RunningService
) -> None:
    person = visit()
    address, token = person.address(), person.token()
    person.settled()
    second = another_tab(person)
    service.deliver(address, message("Delete me"))
    service.deliver(address, message("Read me once"))
    expect(person.page).to_have_title(f"(2) {address}")
    second.get_by_role("link", name="Read me once").click()
    expect(person.page).to_have_title(f"(1) {address}")
    person.page.get_by_role("button", name="Codes").click()
    person.page.get_by_text("No codes yet").wait_for()
    # Neither stands in this list.
    second.locator("body").press("u")
    expect(person.page).to_have_title(f"(2) {address}")
    for mail in service.get("/api/mails?limit=9&offset=0", token=token).json()["results"]:
        assert service.call("DELETE", f"/api/mails/{mail['id']}", token=token).status == 200
    expect(person.page).to_have_title(f"{address} · mailbox")


def test_tabs_of_two_addresses_have_a_line_each(visit: Visits, service: RunningService) -> None:
    person = visit()
    first = person.address()
    person.settled()
    second = another_tab(person)
    other, token = service.open_address()
    second.goto(f"{service.url}/?jwt={token}")
    second.locator(".live .pulse").first.wait_for(state="attached")
    service.deliver(other, message("For the other"))
    service.deliver(first, message("For the first"))
    expect(row(second, "For the other")).to_be_visible()
    expect(row(person.page, "For the first")).to_be_visible()
    expect(row(person.page, "For the other")).to_have_count(0)
    assert lines(person) == 2


def test_nothing_of_an_address_that_is_forgotten_stays_beside_the_next_one(
    visit: Visits, service: RunningService
) -> None:
    other, token = service.open_address()
    service.deliver(other, message("Mail of the other"))
    person = visit()
    first = person.address()
    person.open(f"/?jwt={token}")
    person.page.get_by_role("link", name="Mail of the other").click()
    expect(person.page.locator("#mail-subject")).to_have_text("Mail of the other")
    writing, looking = person.context.new_page(), person.context.new_page()
    writing.goto(service.url)
    row(writing, "Mail of the other").wait_for()
    writing.locator("#page .rail-compose").click()
    writing.get_by_label("Add recipient").fill(first)
    writing.get_by_label("Subject").fill("From whom?")
    writing.get_by_label("Message text").fill("From me.")
    looking.goto(f"{service.url}/#/sent")
    looking.get_by_role("heading", name="Sent", exact=True).wait_for()

    person.page.bring_to_front()
    person.page.locator(".addr-now").click()
    person.page.get_by_role("button", name="Forget it here").click()
    for tab in (person.page, looking):
        expect(tab.locator(".hero-addr")).to_have_text(first)
    # Who writes is told before anything goes out from another address.
    writing.bring_to_front()
    writing.get_by_role("button", name="Send", exact=True).click()
    expect(writing.get_by_role("alert")).to_contain_text(other)
    expect(writing.locator(".from")).to_contain_text(first)
    writing.get_by_role("button", name="Send", exact=True).click()
    assert service.wait_for_mail(person.token())["source"] == first

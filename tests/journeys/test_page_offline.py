"""The page as an installed program: its shell and the last mails are there without a connection."""

from __future__ import annotations

import json
import time

from playwright.sync_api import Page, expect

from tests.journeys.browser import Visit, Visits, message, row, wait_until_so
from tests.journeys.running import RunningService

pytest_plugins = ["tests.journeys.visiting"]

PRESSED = """data =>
  navigator.serviceWorker.dispatchEvent(new MessageEvent('message', {data}))"""
ACTIVE = "navigator.serviceWorker.getRegistration().then(r => r?.active?.state === 'activated')"


def until(page: Page, promise: str) -> None:
    """Wait until what is promised is true."""
    deadline = time.monotonic() + 60
    while not page.evaluate(promise):
        assert time.monotonic() < deadline, promise
        page.wait_for_timeout(100)


def with_worker(visit: Visits) -> tuple[Visit, str]:
    """A visitor whose page is looked after by its service worker."""
    person = visit()
    address = person.address()
    until(person.page, ACTIVE)
    person.page.reload()
    person.settled()
    assert person.page.evaluate("navigator.serviceWorker.controller !== null")
    return person, address


def test_mail_that_was_read_is_readable_and_writing_goes_on_without_a_connection(
    visit: Visits, service: RunningService
) -> None:
    person, address = with_worker(visit)
    service.deliver(address, message("Kept", "These words stay."))
    page = person.page
    page.get_by_role("link", name="Kept").click()
    expect(page.locator(".reader").get_by_text("These words stay.")).to_be_visible()
    page.get_by_role("link", name="Inbox").first.click()
    person.open("/")
    expect(row(page, "Kept")).to_be_visible()
    # A notification that was pressed leads to its mail: so says the worker.
    told = {"mail": int(row(page, "Kept").get_attribute("data-id") or 0), "address": address}
    opened = page.locator("#mail-subject")
    # The frame shows the row before there is anybody who hears the worker.
    wait_until_so(page, opened.is_visible, lambda: page.evaluate(PRESSED, {"told": told}))
    expect(opened).to_have_text("Kept")
    person.open("/")
    expect(row(page, "Kept")).to_be_visible()

    person.context.set_offline(True)
    expect(page.get_by_text("You are offline.")).to_be_visible()
    page.reload()
    row(page, "Kept").get_by_role("link").click()
    expect(page.locator(".reader").get_by_text("These words stay.")).to_be_visible()
    page.keyboard.press("c")
    page.get_by_label("Subject").fill("Written offline")
    page.get_by_label("Message text").fill("No connection needed")
    page.reload()
    expect(page.get_by_label("Message text")).to_have_value("No connection needed")
    person.complaints.clear()  # the browser notes what it could not ask

    person.context.set_offline(False)
    page.get_by_label("Add recipient").fill(address)
    page.get_by_label("Subject").click()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".sent-item")).to_contain_text("Delivered")
    person.complaints.clear()


def test_a_part_that_does_not_come_is_told_of_and_may_be_asked_for_again(visit: Visits) -> None:
    person = visit(path=None)
    page = person.page
    page.add_init_script("delete Navigator.prototype.serviceWorker")  # it would have the part
    person.open()
    person.address()
    page.route("**/assets/dialogs-*", lambda route: route.abort())
    page.get_by_role("button", name="Open an address").click()
    expect(page.locator(".toast")).to_contain_text("A part of the page could not be loaded.")
    page.unroute("**/assets/dialogs-*")
    page.get_by_role("button", name="Open an address").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    person.complaints.clear()


def test_a_forgotten_address_leaves_no_mail_behind(visit: Visits, service: RunningService) -> None:
    person, address = with_worker(visit)
    service.deliver(address, message("Secret words", "nobody else reads this"))
    page = person.page
    page.get_by_role("link", name="Secret words").click()
    expect(page.locator(".reader").get_by_text("nobody else reads this")).to_be_visible()
    count = (
        "caches.open('mails-1').then(c => c.keys())"
        ".then(k => k.filter(r => r.url.includes('/api/inbox')).length)"
    )
    until(page, f"{count}.then(n => n >= 2)")
    person.open("/#/connect")
    page.get_by_role("button", name="Forget it here").click()
    until(page, f"{count}.then(n => n === 0)")


def test_the_page_can_be_installed_and_its_worker_keeps_no_more_than_it_says(visit: Visits) -> None:
    person, _ = with_worker(visit)
    answer = person.service.get("/manifest.webmanifest")
    manifest = json.loads(answer.body)
    assert manifest["start_url"] == "/"
    assert {"192x192 512x512", "any"} <= {icon["sizes"] for icon in manifest["icons"]}
    kept = person.page.evaluate(
        "caches.open('files-1').then(c => c.keys()).then(k => k.map(r => new URL(r.url).pathname))"
    )
    assert "/" in kept
    assert not [path for path in kept if "admin" in path.lower()]
    paths = person.page.evaluate(
        "caches.open('mails-1').then(c => c.keys()).then(k => k.map(r => new URL(r.url).pathname))"
    )
    assert paths
    # No token stands in the name of what is kept.
    assert not [path for path in paths if person.token() in path]

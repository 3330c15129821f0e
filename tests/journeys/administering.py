"""An administrator at the page."""

from __future__ import annotations

from playwright.sync_api import Locator

from tests.journeys.browser import Visit, Visits
from tests.journeys.running import ADMIN_PASSWORD


def signed_in(visit: Visits, place: str = "overview", **look: object) -> Visit:
    """Somebody who has typed the admin password, at a place of the administration."""
    person = visit(path="/admin", **look)
    person.page.get_by_label("Admin password").fill(ADMIN_PASSWORD)
    person.page.get_by_role("button", name="Sign in").click()
    person.page.locator(".figure").first.wait_for()
    person.complaints.clear()  # the browser notes that it was asked for a password
    go(person, place)
    return person


def go(person: Visit, place: str) -> None:
    """Another place of the administration."""
    person.open(f"/admin#/{place}")
    person.page.locator("#main h1").wait_for()


def group(person: Visit, name: str) -> Locator:
    """A group of settings."""
    return person.page.get_by_role("region", name=name, exact=True)


def save(person: Visit, name: str) -> None:
    """Save a group of settings, and wait until it is saved."""
    group(person, name).get_by_role("button", name="Save").click()
    person.page.locator(".toast", has_text="Saved").wait_for()
    group(person, name).locator(".savebar").wait_for(state="detached")

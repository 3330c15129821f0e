"""An administrator at the page."""

from __future__ import annotations

import json

from playwright.sync_api import Locator

from tests.journeys.browser import Visit, Visits
from tests.journeys.running import ADMIN_PASSWORD

# A tab that has the password already: typing it has tests of its own, and every other one begins
# where they end. Set once, so that whoever leaves is gone.
KNOWN = f"""
if (window === top && location.protocol === 'http:' && !sessionStorage.getItem('signed-in')) {{
  sessionStorage.setItem('signed-in', 'once');
  sessionStorage.setItem('mailbox.admin-password', {json.dumps(json.dumps(ADMIN_PASSWORD))});
}}
"""


def signed_in(visit: Visits, place: str = "overview", **look: object) -> Visit:
    """Somebody who has signed in with the admin password, at a place of the administration."""
    person = visit(path=None, **look)
    person.context.add_init_script(KNOWN)
    go(person, place)
    if place == "overview":
        person.page.locator(".figure").first.wait_for()
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

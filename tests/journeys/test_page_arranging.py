"""Where things stand on the page: the line between list and mail, the places, margins."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.journeys.browser import DESK, Theme, Visit, Visits, message, wait_until
from tests.journeys.running import RunningService

pytest_plugins = ["tests.journeys.visiting"]

WIDE = (1920, 1000)
NARROW_DESK = (920, 700)


def reading(visit: Visits, service: RunningService, **look: Any) -> Visit:
    """A visitor who reads one of two mails."""
    address, token = service.open_address()
    service.deliver(address, message("First of two"))
    service.deliver(address, message("Second of two"))
    person = visit(path=f"/?jwt={token}", **look)
    person.page.get_by_role("link", name="First of two").click()
    expect(person.page.locator("#mail-subject")).to_have_text("First of two")
    return person


def box(locator: Locator) -> dict[str, float]:
    found = locator.bounding_box()
    assert found is not None
    return {"x": found["x"], "width": found["width"]}


def test_the_line_between_list_and_mail_is_moved_by_keys_and_stays_there(
    visit: Visits, service: RunningService
) -> None:
    person = reading(visit, service)
    page = person.page
    line = page.get_by_role("separator", name="Width of the list")
    before = box(page.locator(".list"))["width"]
    line.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(line).to_have_attribute("aria-valuenow", str(round(before) - 32))
    assert box(page.locator(".list"))["width"] == round(before) - 32
    assert person.accessibility_faults() == []
    page.reload()
    expect(line).to_have_attribute("aria-valuenow", str(round(before) - 32))
    line.focus()
    page.keyboard.press("Home")
    expect(line).to_have_attribute("aria-valuenow", "256")
    page.keyboard.press("End")
    expect(line).to_have_attribute("aria-valuenow", str(line.get_attribute("aria-valuemax")))
    assert person.sideways() <= 0
    assert person.accessibility_faults() == []
    # Enter puts it back, and opens no mail.
    page.keyboard.press("Enter")
    expect(line).to_have_attribute("aria-valuenow", str(round(before)))


def test_the_line_is_dragged_and_the_settings_put_it_back(
    visit: Visits, service: RunningService
) -> None:
    person = reading(visit, service)
    page = person.page
    line = page.get_by_role("separator", name="Width of the list")
    at, before = box(line), box(page.locator(".list"))["width"]
    page.mouse.move(at["x"] + 2, 400)
    page.mouse.down()
    page.mouse.move(at["x"] + 62, 420, steps=4)
    page.mouse.up()
    moved = box(page.locator(".list"))["width"]
    assert before + 55 <= moved <= before + 70
    page.get_by_role("link", name="Mailbox settings").click()
    page.get_by_role("button", name="As at first").click()
    page.get_by_role("link", name="Inbox").first.click()
    expect(line).to_have_attribute("aria-valuenow", str(round(before)))


@pytest.mark.parametrize(
    ("size", "theme"), [(DESK, "light"), (WIDE, "dark"), (NARROW_DESK, "dark")]
)
def test_places_stand_left_right_or_above(
    visit: Visits, service: RunningService, size: tuple[int, int], theme: Theme
) -> None:
    person = reading(visit, service, size=size, theme=theme)
    page = person.page
    rail, sheet = page.locator(".rail"), page.locator(".sheet")
    assert box(rail)["x"] < box(sheet)["x"]
    page.get_by_role("link", name="Mailbox settings").click()
    page.get_by_label("Where the places stand").select_option("Right")
    expect(page.locator("html")).to_have_attribute("data-rail", "right")
    wait_until(
        page,
        "document.querySelector('.rail')?.getBoundingClientRect().x >"
        " document.querySelector('.sheet')?.getBoundingClientRect().x",
    )
    assert person.accessibility_faults() == []
    page.get_by_label("Where the places stand").select_option("Top")
    expect(page.locator("html")).to_have_attribute("data-rail", "top")
    page.reload()
    wait_until(
        page,
        "document.querySelector('.rail')?.getBoundingClientRect().bottom <="
        " document.querySelector('.sheet')?.getBoundingClientRect().top",
    )
    for place in ("Inbox", "Sent", "Connect a program", "Mailbox settings", "Account"):
        expect(rail.get_by_role("link", name=place).first).to_be_attached()
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0


def test_margins_keep_the_page_in_the_middle_of_a_wide_screen(
    visit: Visits, service: RunningService
) -> None:
    person = reading(visit, service, size=WIDE)
    page = person.page
    page.get_by_role("link", name="Mailbox settings").click()
    page.get_by_label("Margins at the sides").check()
    wait_until(page, "document.querySelector('.rail')?.getBoundingClientRect().x > 200")
    page.reload()
    wait_until(page, "document.querySelector('.rail')?.getBoundingClientRect().x > 200")
    assert person.sideways() <= 0

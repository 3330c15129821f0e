"""Sent mail on the page: several at once, deleted with a way back, and the source of one."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.browser import LOOKS, Theme, Visit, Visits, read
from tests.journeys.running import RunningService

pytest_plugins = ["tests.journeys.visiting"]

SUBJECTS = ("First letter", "Second letter", "Third letter")


def written(visit: Visits, service: RunningService, **look: object) -> Visit:
    """A visitor who has sent three mails, and looks at them."""
    _, token = service.open_address()
    other, _ = service.open_address()
    for subject in SUBJECTS:
        letter = {"to_mail": other, "subject": subject, "content": "Hello"}
        assert service.post("/api/send_mail", letter, token=token).status == 200
    person = visit(path=f"/?jwt={token}#/sent", **look)
    expect(items(person.page)).to_have_count(3)
    return person


def items(page: Page) -> Locator:
    return page.locator(".sent-item")


def left(service: RunningService, token: str) -> list[str]:
    """What the service still has, newest first."""
    answer = service.get("/api/sent", token=token)
    return [row["subject"] for row in answer.json()["results"]]


def test_several_sent_mails_are_deleted_at_once_and_come_back(
    visit: Visits, service: RunningService
) -> None:
    person = written(visit, service)
    page = person.page
    page.get_by_role("button", name="Select several").click()
    page.get_by_label("Select all").check()
    expect(page.get_by_text("3 selected")).to_be_visible()
    page.get_by_label("Select Second letter").uncheck()
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.locator(".list-head").get_by_role("button", name="Delete").click()
    expect(items(page)).to_have_count(1)
    # A list that is read meanwhile does not bring them back; the way back does.
    sent = {"to_mail": "ann@x.test", "subject": "Fourth letter", "content": "Hello"}
    assert service.post("/api/send_mail", sent, token=person.token()).status == 200
    expect(items(page)).to_have_count(2)
    expect(page.get_by_role("link", name="Fourth letter")).to_be_visible()
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(items(page)).to_have_count(4)
    assert left(service, person.token()) == ["Fourth letter", *reversed(SUBJECTS)]


def test_what_was_deleted_is_gone_when_the_page_is_left(
    visit: Visits, service: RunningService
) -> None:
    person = written(visit, service)
    page = person.page
    page.get_by_role("button", name="Select several").click()
    for subject in SUBJECTS[1:]:
        page.get_by_label(f"Select {subject}").check()
    page.locator(".list-head").get_by_role("button", name="Delete").click()
    expect(items(page)).to_have_count(1)
    token = person.token()
    page.goto("about:blank")
    deadline = time.monotonic() + 30
    while left(service, token) != ["First letter"]:
        assert time.monotonic() < deadline, left(service, token)
        time.sleep(0.05)


def test_sent_mail_by_keys_alone(visit: Visits, service: RunningService) -> None:
    person = written(visit, service)
    page = person.page
    newest, middle = page.get_by_role("link", name="Third"), page.get_by_role("link", name="Second")
    page.keyboard.press("j")
    expect(newest).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(middle).to_be_focused()
    page.keyboard.press("x")
    expect(page.get_by_text("1 selected")).to_be_visible()
    page.keyboard.press("#")
    expect(middle).to_have_count(0)
    page.keyboard.press("z")
    expect(middle).to_be_visible()
    page.keyboard.press("j")
    expect(newest).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What became of it")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".drawer")).to_have_count(0)


def test_the_source_of_a_sent_mail(visit: Visits, service: RunningService) -> None:
    person = written(visit, service)
    page = person.page
    page.get_by_role("link", name="Second letter").click()
    page.get_by_role("button", name="Source").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Message-ID")
    dialog.get_by_role("button", name="Raw source").click()
    expect(dialog.locator("pre")).to_contain_text("Subject: Second letter")
    with page.expect_download() as file:
        dialog.get_by_role("button", name="Download .eml").click()
    assert file.value.suggested_filename == "Second letter.eml"
    assert b"Subject: Second letter" in read(file.value.path())


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_choosing_sent_mail_is_accessible_and_never_scrolls_sideways(
    visit: Visits, service: RunningService, size: tuple[int, int], theme: Theme
) -> None:
    person = written(visit, service, size=size, theme=theme)
    person.page.get_by_role("button", name="Select several").click()
    person.page.get_by_label("Select First letter").check()
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0

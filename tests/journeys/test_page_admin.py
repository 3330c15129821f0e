"""The administration on the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.journeys.browser import LOOKS, Theme, Visit, Visits, message
from tests.journeys.running import ADMIN_PASSWORD, RunningService

pytest_plugins = ["tests.journeys.visiting"]


def signed_in(visit: Visits, **look: object) -> Visit:
    person = visit(path="/admin", **look)
    person.page.get_by_label("Admin password").fill(ADMIN_PASSWORD)
    person.page.get_by_role("button", name="Sign in").click()
    person.page.locator(".figure").first.wait_for()
    person.complaints.clear()  # the browser notes that it was asked for a password
    return person


def test_a_wrong_password_is_told_and_the_right_one_is_forgotten_when_leaving(
    visit: Visits,
) -> None:
    person = visit(path="/admin")
    page = person.page
    page.get_by_label("Admin password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Admin password").fill(ADMIN_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.reload()
    expect(page.get_by_label("Admin password")).to_be_visible()
    person.complaints.clear()


def test_an_address_is_made_found_and_deleted_with_others(
    visit: Visits, service: RunningService
) -> None:
    person = signed_in(visit)
    page = person.page
    page.get_by_role("link", name="Addresses", exact=True).first.click()
    for name in ("harbour", "harbour2"):
        page.get_by_role("button", name="New address").click()
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Domain").select_option("y.test")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("dialog", name=f"{name}@y.test")).to_be_visible()
        page.keyboard.press("Escape")
    page.get_by_role("searchbox").fill("harbour")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Select all").check()
    page.get_by_role("button", name="Delete address", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete address").click()
    expect(page.get_by_text("Nothing here.")).to_be_visible()
    found = service.get("/admin/address?limit=20&offset=0&query=harbour", admin=True).json()
    assert found["results"] == []


def test_mail_of_anybody_is_shown_as_text_alone(visit: Visits, service: RunningService) -> None:
    address, _ = service.open_address()
    trap = message("=?utf-8?b?R3LDvMOfZQ==?=", "<script>hit()</script><img src=//evil.example/x>")
    service.deliver(address, trap)
    person = signed_in(visit)
    page = person.page
    page.get_by_role("link", name="Mails", exact=True).first.click()
    page.get_by_role("searchbox").fill(address)
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("Grüße")
    page.get_by_role("button", name=f"Raw: {address}").click()
    expect(page.locator("pre")).to_contain_text("<script>hit()</script>")
    assert page.locator("dialog img, dialog script").count() == 0


def test_settings_are_changed_in_forms(visit: Visits, service: RunningService) -> None:
    person = signed_in(visit)
    page = person.page
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_label("Words that names may not have").fill("root\n\n postmaster ")
    page.get_by_label("Words that names may not have").blur()
    page.get_by_role("region", name="Addresses and mail").get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text("Saved")
    kept = service.get("/admin/account_settings", admin=True).json()
    assert kept["blockList"] == ["root", "postmaster"]
    page.get_by_label("People may register").check()
    page.get_by_role("region", name="Accounts").get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text("Saved")
    assert service.get("/admin/user_settings", admin=True).json()["enable"] is True


def test_cleanup_is_kept_and_runs_only_after_asking(visit: Visits, service: RunningService) -> None:
    person = signed_in(visit)
    page = person.page
    page.get_by_role("link", name="Cleanup").click()
    page.get_by_role("checkbox", name="Mails of unknown recipients").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text("Saved")
    kept = service.get("/admin/auto_cleanup", admin=True).json()
    assert kept["enableUnknowMailsAutoCleanup"] is True
    page.get_by_role("button", name="Clean now: Addresses without mail").click()
    page.get_by_role("dialog").get_by_role("button", name="Clean now").click()
    expect(page.get_by_role("heading", name="What cleanups did")).to_be_visible()


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_the_administration_is_accessible_and_never_scrolls_sideways(
    visit: Visits, service: RunningService, size: tuple[int, int], theme: Theme
) -> None:
    service.open_address()
    visitor = visit(size=size, theme=theme, path="/admin")
    visitor.page.get_by_label("Admin password").wait_for()
    assert visitor.accessibility_faults() == []
    assert visitor.sideways() <= 0
    visitor.complaints.clear()
    person = signed_in(visit, size=size, theme=theme)
    for place in ("overview", "addresses", "users", "mails", "sent", "settings", "cleanup"):
        person.open(f"/admin#/{place}")
        person.page.locator("#main h1").wait_for()
        person.page.locator("#main :is(.table, form)").first.wait_for()
        assert person.accessibility_faults() == [], place
        assert person.sideways() <= 0, place

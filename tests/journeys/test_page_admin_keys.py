"""The administration by the keyboard alone: every flow, on one page, from signing in to the end.

The tests are one journey in parts: each goes on where the one before it stopped, in order.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.beside import beside
from tests.journeys.browser import Visit, Visits, message
from tests.journeys.running import ADMIN_PASSWORD, RunningService, running
from tests.webhook_receiver import Receiver, receiving

pytest_plugins = ["tests.journeys.visiting"]

# What the thing under the focus is called, as a screen reader would say it.
NAME = """(() => {
  const it = document.activeElement;
  const label = it?.labels?.length ? it.labels[0].textContent : it?.textContent;
  return (it?.getAttribute('aria-label') || label || '').trim();
})()"""
# Stops of the longest page, more than once around.
MOST_STOPS = 300


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """A program that is told about mail."""
    with beside(receiving()) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, receiver: Receiver
) -> Iterator[RunningService]:
    """The whole service, with webhooks."""
    yield from running(
        tmp_path_factory.mktemp("service"), enable_webhook=True, webhook_private_addresses=True
    )


@pytest.fixture(scope="module")
def person(long_visit: Visits) -> Visit:
    """Somebody without a mouse at the administration, who has signed in."""
    person = long_visit(path="/admin")
    reach(person.page, "Admin password")
    person.page.keyboard.type(ADMIN_PASSWORD)
    person.page.keyboard.press("Enter")
    person.page.locator(".figure").first.wait_for()
    person.complaints.clear()  # the browser notes that it was asked for a password
    return person


def reach(page: Page, name: str) -> None:
    """Move the focus to what has this name."""
    stops = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(NAME))
        if stops[-1] == name:
            return
    raise AssertionError(f"{name} is not among {sorted(set(stops))}")


def press(page: Page, name: str, key: str = "Enter") -> None:
    """Move the focus there, and press."""
    reach(page, name)
    page.keyboard.press(key)


def fill(page: Page, name: str, text: str) -> None:
    """Type into a field, instead of what stood there."""
    reach(page, name)
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(text)


def go(page: Page, name: str, heading: str | None = None) -> None:
    """Another place, by the list of places."""
    press(page, name)
    expect(page.get_by_role("heading", name=heading or name, level=1)).to_be_visible()


def copied(person: Visit, begin: str) -> str:
    """What was copied just now, which begins so."""
    for _ in range(200):
        if (text := person.clipboard()).startswith(begin):
            return text
        person.page.wait_for_timeout(25)
    raise AssertionError(f"nothing was copied that begins with {begin}")


def test_first_steps_are_put_away_and_the_overview_is_read_as_a_table(person: Visit) -> None:
    page = person.page
    steps = page.get_by_role("region", name="First steps")
    expect(steps).to_be_visible()
    press(page, "Put away")
    expect(steps).to_have_count(0)
    press(page, "Show")
    expect(steps).to_be_visible()
    reach(page, "24 hours")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("7 days")).to_be_checked()
    press(page, "Table")
    expect(page.get_by_role("region", name="Mail, as a table")).to_be_visible()


def test_an_address_is_opened_shown_and_deleted(person: Visit, service: RunningService) -> None:
    page, address = person.page, "harbour@x.test"
    go(page, "Addresses")
    press(page, "New address")
    fill(page, "Name", "harbour")
    press(page, "Open")
    made = page.get_by_role("dialog", name=address)
    expect(made).to_be_visible()
    page.keyboard.press("Escape")
    expect(made).to_have_count(0)
    expect(page.locator("tbody tr", has_text=address)).to_be_visible()
    press(page, f"Show the key: {address}")
    shown = page.get_by_role("dialog", name=address)
    expect(shown).to_be_visible()
    press(page, "Copy Token")
    token = copied(person, "eyJ")
    assert service.get("/api/settings", token=token).json()["address"] == address
    page.keyboard.press("Escape")
    expect(shown).to_have_count(0)
    # Whoever closed a dialog is where it was opened.
    assert page.evaluate(NAME) == f"Show the key: {address}"
    press(page, f"More actions: {address}")
    press(page, "Delete address")
    press(page, "Delete address")
    expect(page.locator("tbody tr", has_text=address)).to_have_count(0)


def test_a_mail_is_read_and_its_source_looked_at(person: Visit, service: RunningService) -> None:
    page = person.page
    address, token = service.open_address()
    service.deliver(address, message("Tide table"))
    service.wait_for_mail(token)
    go(page, "Mails")
    fill(page, "Sender, subject, text or whole address", address)
    expect(page.locator("tbody tr")).to_have_count(1)
    press(page, "Tide table")
    expect(page.get_by_role("dialog", name="Tide table").locator(".text")).to_have_text("Hello")
    press(page, "Headers and raw source")
    press(page, "Raw source")
    source = page.get_by_role("dialog", name="Headers and raw source")
    expect(source.locator("pre")).to_contain_text("Subject: Tide table")
    page.keyboard.press("Escape")
    expect(source).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_an_account_is_opened_given_an_address_and_deleted(
    person: Visit, service: RunningService
) -> None:
    page, email = person.page, "ann@mail.example"
    address, _ = service.open_address("kestrel")
    go(page, "Accounts")
    press(page, "New account")
    fill(page, "E-mail", email)
    fill(page, "Password", "a long password")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr", has_text=email)).to_be_visible()
    press(page, f"Addresses: {email}")
    fill(page, "Give it another address", address)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("link", name=address)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    press(page, f"Change: {email}")
    fill(page, "New password", "another long password")
    page.keyboard.press("Enter")
    expect(page.locator(".toast", has_text="Saved").first).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    press(page, f"More actions: {email}")
    press(page, "Delete account")
    press(page, "Delete account")
    expect(page.locator("tbody tr", has_text=email)).to_have_count(0)


def test_a_webhook_is_tested_saved_and_sent_again(
    person: Visit, service: RunningService, receiver: Receiver
) -> None:
    page = person.page
    go(page, "Webhooks")
    press(page, "About all mail")
    fill(page, "Web address", receiver.url)
    press(page, "Send a test")
    expect(page.get_by_text("The receiver took the test.")).to_be_visible()
    press(page, "Tell a program", "Space")
    press(page, "Save")
    expect(page.locator(".toast", has_text="Saved").first).to_be_visible()
    address, _ = service.open_address()
    service.deliver(address, message("Told to a program"))
    for _ in range(200):
        if any("Told to a program" in one.text for one in receiver.got):
            break
        page.wait_for_timeout(50)
    before = len(receiver.got)
    press(page, "Deliveries")
    expect(page.locator("tbody tr").first).to_be_visible()
    press(page, page.locator("tbody tr a").first.inner_text())
    expect(page.get_by_role("dialog").locator("pre[aria-label]")).to_contain_text("program")
    press(page, "Send again")
    expect(page.locator(".toast", has_text="It is sent again")).to_be_visible()
    for _ in range(200):
        if len(receiver.got) > before:
            break
        page.wait_for_timeout(50)
    assert "Told to a program" in receiver.got[-1].text
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_records_of_a_domain_are_copied_and_checked(person: Visit) -> None:
    page = person.page
    go(page, "Domains")
    press(page, "y.test")
    press(page, "Copy Value SPF")
    copied(person, "v=spf1")
    press(page, "Make a new key")
    expect(page.get_by_role("dialog", name="Make a new key")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    # It is checked when it is opened; whatever is found is said in words.
    expect(page.locator(".record .badge").first).to_be_visible(timeout=60_000)
    press(page, "Check now")
    expect(page.get_by_text("checked at").or_(page.locator(".record .badge")).first).to_be_visible()


def test_old_mail_is_cleaned_every_night_and_now(person: Visit, service: RunningService) -> None:
    page = person.page
    go(page, "Cleanup")
    press(page, "Mails of unknown recipients", "Space")
    reach(page, "Days: Mails of unknown recipients")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("7")
    press(page, "Save")
    expect(page.locator(".savebar")).to_have_count(0)
    saved = service.get("/admin/auto_cleanup", admin=True).json()
    assert (saved["enableUnknowMailsAutoCleanup"], saved["cleanUnknowMailsDays"]) == (True, 7)
    press(page, "Clean now: Mails of unknown recipients")
    press(page, "Clean now")
    expect(page.locator(".toast", has_text="The cleanup has run")).to_be_visible()
    expect(page.get_by_role("region", name="What cleanups did")).to_contain_text("unknown")


def test_the_audit_log_is_filtered_by_who_and_act(person: Visit) -> None:
    page = person.page
    go(page, "Audit log")
    expect(page.locator("tbody tr").first).to_be_visible()
    reach(page, "Act")
    page.keyboard.type("Account del")
    row = page.locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Account deleted")
    expect(row).to_contain_text("ann@mail.example")
    fill(page, "Who", "nobody of this name")
    expect(page.get_by_text("No entry fits.")).to_be_visible()
    press(page, "Sign out")
    expect(page.get_by_label("Admin password")).to_be_visible()

"""Watching over the service on the page of administrators: figures, queue, domains, webhooks and
the audit log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.journeys.administering import go, signed_in
from tests.journeys.beside import beside
from tests.journeys.browser import LOOKS, Theme, Visit, Visits, message, wait_until_so
from tests.journeys.running import RunningService, running
from tests.nexthop import NextHop
from tests.nexthop import running as running_hop
from tests.webhook_receiver import Receiver, receiving

pytest_plugins = ["tests.journeys.visiting"]

PLACES = ("overview", "queue", "domains", "webhooks", "webhooks/all", "audit")


@pytest.fixture(scope="module")
def hop() -> Iterator[NextHop]:
    with beside(running_hop(NextHop())) as hop:
        yield hop


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """A program that is told about mail."""
    with beside(receiving()) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, hop: NextHop, receiver: Receiver
) -> Iterator[RunningService]:
    """The whole service, handing its mail to the next hop."""
    yield from running(
        tmp_path_factory.mktemp("service"),
        outbound="relay",
        relay_url=f"smtp://127.0.0.1:{hop.port}",
        smtp_private_hosts=["127.0.0.1"],
        enable_webhook=True,
        webhook_private_addresses=True,
    )


def send(service: RunningService, token: str, *to: str, subject: str = "Notes for Friday") -> None:
    draft = {"to_mail": list(to), "subject": subject, "text": "Hello"}
    answer = service.post("/api/send_mail", draft, token=token)
    assert answer.status == 200, answer.text


def deferred(visit: Visits, service: RunningService, *to: str) -> Visit:
    """An administrator at the queue, in which these were put off."""
    _, token = service.open_address()
    send(service, token, *to)
    person = signed_in(visit, "queue")
    for recipient in to:
        row = person.page.locator("tbody tr", has_text=recipient)
        until(person, lambda row=row: "Greylisted" in (row.text_content() or ""))
    return person


def tries_at(hop: NextHop, domain: str) -> int:
    """How often the next hop was asked to take a mail for a domain."""
    return sum(domain in command for command in hop.commands)


def until(person: Visit, done: Any) -> None:
    """Look again until something is so; the page does so by itself, though less often."""
    page = person.page
    refresh = page.get_by_role("button", name="Refresh").first
    wait_until_so(page, lambda: page.locator("tbody tr").count() and done(), refresh.click)


def test_the_overview_counts_and_draws(visit: Visits, service: RunningService) -> None:
    address, _ = service.open_address()
    service.deliver(address, message("One for the figures"))
    person = signed_in(visit)
    page = person.page
    expect(page.locator(".figure[href='#/addresses'] b")).not_to_have_text("0")
    expect(page.locator(".uplot canvas")).to_have_count(3)
    drawn = page.get_by_role("img", name="Mail. Received")
    expect(drawn).to_be_visible()
    page.get_by_role("button", name="Table").first.click()
    table = page.get_by_role("region", name="Mail, as a table")
    expect(table.locator("tbody tr")).not_to_have_count(0)
    page.get_by_label("7 days").check()
    expect(page.get_by_label("7 days")).to_be_checked()
    expect(page.locator(".uplot canvas")).to_have_count(2)
    page.reload()
    expect(page.get_by_label("7 days")).to_be_checked()
    expect(page.get_by_role("heading", name="Disk")).to_be_visible()
    assert person.foreign_requests == []


def test_why_a_mail_waits_is_told_with_what_was_said(
    visit: Visits, service: RunningService
) -> None:
    person = deferred(visit, service, "deferred@far.example")
    page = person.page
    page.get_by_role("link", name="deferred@far.example").click()
    dialog = page.get_by_role("dialog", name="Notes for Friday")
    expect(dialog.get_by_role("region", name="Why is this mail waiting?")).to_be_visible()
    expect(dialog.locator(".next")).to_contain_text("451 4.7.1 Greylisted")
    said = dialog.locator(".talk li.hit")
    expect(said.first).to_contain_text("451 4.7.1 Greylisted")
    expect(dialog.locator(".talk")).to_contain_text("RCPT TO:<deferred@far.example>")
    # Its address opens it again, and Escape leads back to the list.
    page.reload()
    expect(page.get_by_role("dialog", name="Notes for Friday")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).to_have_url(f"{service.url}/admin#/queue")


def test_those_of_one_reason_are_tried_again_and_those_chosen_given_up(
    visit: Visits, service: RunningService, hop: NextHop
) -> None:
    person = deferred(visit, service, "deferred@one.example", "deferred@two.example")
    page = person.page
    before = tries_at(hop, "one.example")
    page.get_by_role("button", name="one.example", exact=True).click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Try these now").click()
    dialog = page.get_by_role("dialog", name="Try one mail now?")
    expect(dialog).to_contain_text("one.example")
    dialog.get_by_role("button", name="Try now").click()
    expect(page.locator(".toast")).to_contain_text("One mail is tried now")
    wait_until_so(page, lambda: tries_at(hop, "one.example") > before)
    page.get_by_role("button", name="Without this filter: one.example").click()
    page.get_by_label("Select deferred@two.example").check()
    page.locator(".bulk").get_by_role("button", name="Give up").click()
    page.get_by_role("dialog").get_by_role("button", name="Give up").click()
    expect(page.locator(".toast")).to_contain_text("One mail was given up")
    expect(page.locator("tbody tr", has_text="two.example")).to_have_count(0)
    left = service.get("/admin/queue?domain=two.example", admin=True).json()
    assert left["count"] == 0


def test_a_delivery_that_is_given_up_is_told_to_its_sender(
    visit: Visits, service: RunningService
) -> None:
    """One by its story, and others by a filter; what another domain waits for stays."""
    _, token = service.open_address()
    send(service, token, "deferred@quay.example", subject="One alone")
    both = ("deferred@east.pier.example", "deferred@west.pier.example")
    send(service, token, *both, subject="Two by two")
    send(service, token, "deferred@mole.example", subject="Stays")
    person = signed_in(visit, "queue")
    page = person.page
    for name in ("deferred@quay.example", "deferred@mole.example", *both):
        row = page.locator("tbody tr", has_text=name)
        until(person, lambda row=row: "Greylisted" in (row.text_content() or ""))
    page.get_by_role("link", name="deferred@quay.example").click()
    page.get_by_role("dialog", name="One alone").get_by_role("button", name="Give up").click()
    asked = page.get_by_role("dialog", name="Give one mail up?")
    expect(asked).to_contain_text("Each sender is told by mail")
    asked.get_by_role("button", name="Give up").click()
    expect(page.locator(".toast")).to_contain_text("One mail was given up")
    expect(page.locator("tbody tr", has_text="quay.example")).to_have_count(0)
    page.get_by_label("Recipient").fill("pier.example")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Give these up").click()
    asked = page.get_by_role("dialog", name="Give 2 mails up?")
    expect(asked).to_contain_text("pier.example")
    asked.get_by_role("button", name="Give up").click()
    expect(page.get_by_role("heading", name="Nothing in the queue fits")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("tbody tr", has_text="mole.example")).to_have_count(1)
    # Its sender finds a notice of each, and why each did not arrive.
    sender = visit(path=f"/?jwt={token}")
    expect(sender.page.locator(".row")).to_have_count(2)
    sender.page.locator(".row").first.get_by_role("link").first.click()
    expect(sender.page.locator(".text")).to_contain_text("pier.example")
    sender.open("/#/sent")
    item = sender.page.locator(".sent-item", has_text="One alone")
    expect(item).to_contain_text("Failed")
    expect(item).to_contain_text("took the message from the queue")
    expect(sender.page.locator(".sent-item", has_text="Stays")).to_contain_text("Deferred")


def test_what_others_wrote_runs_nothing_in_the_queue(
    visit: Visits, service: RunningService
) -> None:
    trap = "<img src=//evil.example/x onerror=hit()><script>hit()</script>"
    _, token = service.open_address()
    send(service, token, "deferred@trap.example", subject=trap)
    person = signed_in(visit, "queue")
    page = person.page
    row = page.locator("tbody tr", has_text="deferred@trap.example")
    until(person, lambda: "Greylisted" in (row.text_content() or ""))
    expect(row).to_contain_text("<script>hit()</script>")
    row.get_by_role("link").click()
    expect(page.get_by_role("dialog", name="<script>hit()</script>")).to_be_visible()
    assert page.locator("main img, main script, dialog img, dialog script").count() == 0
    assert person.foreign_requests == []


def test_a_search_without_result_can_be_taken_back(visit: Visits, service: RunningService) -> None:
    page = signed_in(visit, "queue").page
    page.get_by_label("Recipient").fill("nobody-of-this-name")
    expect(page.get_by_role("heading", name="Nothing in the queue fits")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(page.get_by_label("Recipient")).to_have_value("")


def test_records_of_a_domain_are_copied_and_checked(visit: Visits, service: RunningService) -> None:
    person = signed_in(visit, "domains")
    page = person.page
    expect(page.get_by_role("heading", name="MX")).to_be_visible()
    expect(page.get_by_role("heading", name="SPF")).to_be_visible()
    page.get_by_role("button", name="y.test").click()
    page.get_by_role("button", name="Copy Value SPF").first.click()
    assert person.clipboard().startswith("v=spf1")
    page.get_by_role("button", name="Copy all as zone file").click()
    assert 'y.test.\tIN\tTXT\t"v=spf1' in person.clipboard()
    # Whatever the name servers of this machine say, it is said in words.
    expect(page.locator(".record .badge").first).to_have_text(
        re.compile("Right|Missing|Different|Not known"), timeout=60_000
    )


def test_a_new_signing_key_is_made_after_asking(visit: Visits, service: RunningService) -> None:
    person = signed_in(visit, "domains")
    page = person.page
    page.get_by_role("button", name="Make a new key").click()
    dialog = page.get_by_role("dialog", name="Make a new key")
    expect(dialog).to_contain_text("leave the old record for some days")
    dialog.get_by_role("button", name="Make a new key").click()
    expect(page.locator(".toast")).to_contain_text("The new key is ready")


def test_a_delivery_is_looked_into_and_sent_again(
    visit: Visits, service: RunningService, receiver: Receiver
) -> None:
    hook = {
        "enabled": True, "url": receiver.url, "method": "POST",
        "headers": '{"Content-Type": "application/json"}', "body": '{"subject": "${subject}"}',
    }  # fmt: skip
    assert service.post("/admin/mail_webhook/settings", hook, admin=True).status == 200
    address, _ = service.open_address()
    service.deliver(address, message("Told to a program"))
    person = signed_in(visit, "webhooks")
    page = person.page
    until(person, lambda: "Taken" in (page.locator("tbody").text_content() or ""))
    page.get_by_label("State").select_option("Taken")
    page.get_by_role("link", name=receiver.url[:16]).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("pre[aria-label]")).to_contain_text("Told to a program")
    expect(dialog).to_contain_text("204")
    before = len(receiver.got)
    dialog.get_by_role("button", name="Send again").click()
    expect(page.locator(".toast")).to_contain_text("It is sent again")
    wait_until_so(page, lambda: len(receiver.got) > before)
    assert "Told to a program" in receiver.got[-1].text


def test_a_test_is_sent_and_its_answer_told(
    visit: Visits, service: RunningService, receiver: Receiver
) -> None:
    address, _ = service.open_address()
    service.deliver(address, message("Something to post about"))
    person = signed_in(visit, "webhooks/all")
    page = person.page
    page.get_by_label("Web address").fill(receiver.url)
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text("The receiver took the test.")).to_be_visible()


def test_what_was_changed_stands_in_the_audit_log(visit: Visits, service: RunningService) -> None:
    service.post(
        "/admin/users", {"email": "audited@mail.example", "password": "a" * 64}, admin=True
    )
    person = signed_in(visit, "audit")
    page = person.page
    page.get_by_label("Search subject and details").fill("audited@mail.example")
    row = page.locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("admin password")
    expect(row).not_to_contain_text("a" * 64)
    expect(row).to_contain_text("Account opened")
    page.get_by_label("Act").select_option("Address deleted")
    expect(page.get_by_text("No entry fits.")).to_be_visible()
    page.get_by_label("Act").select_option("Accounts: all")
    expect(row).to_have_count(1)
    row.locator("summary").press("Enter")
    expect(row.locator("dl")).to_have_text("Accountaudited@mail.examplePassword•••")
    # In another language its acts and values are said in that.
    page.get_by_label("Language").select_option("de")
    expect(row).to_contain_text("Konto eröffnet")
    expect(row).to_contain_text("Admin-Passwort")
    expect(row.locator("dt").first).to_have_text("Konto")
    # Whose mail was read stands there once, however often it was asked for.
    address, token = service.open_address()
    service.deliver(address, message("Private"))
    mail = service.wait_for_mail(token)["id"]
    for path in (f"/admin/inbox/{mail}", f"/admin/mails/{mail}/raw"):
        assert service.get(path, admin=True).status == 200
    page.get_by_label("Tat").select_option("")
    page.get_by_role("searchbox").fill(address)
    expect(row).to_contain_text("Mail von jemandem gelesen")
    expect(row).to_contain_text(f"{mail} ({address})")
    expect(row).to_have_count(1)


def test_first_steps_are_shown_until_they_are_put_away(
    visit: Visits, service: RunningService
) -> None:
    person = signed_in(visit)
    page = person.page
    steps = page.get_by_role("region", name="First steps")
    expect(steps).to_be_visible()
    steps.get_by_role("button", name="Put away").click()
    expect(steps).to_have_count(0)
    page.reload()
    page.get_by_role("button", name="Show", exact=True).click()
    expect(steps).to_be_visible()


def test_the_queue_is_worked_with_the_keyboard_alone(
    visit: Visits, service: RunningService
) -> None:
    person = deferred(visit, service, "deferred@keys.example")
    page = person.page
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "deferred@keys.example":
            break
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".talk")).to_be_visible()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "Try now":
            break
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name="Try one mail now?").wait_for()
    page.keyboard.press("Escape")
    # Whoever thinks better of it is back at the story.
    expect(dialog.locator(".talk")).to_be_visible()


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_watching_is_accessible_and_never_scrolls_sideways(
    visit: Visits, service: RunningService, size: tuple[int, int], theme: Theme
) -> None:
    _, token = service.open_address()
    send(service, token, "deferred@a-long-name-of-a-domain.example", subject="A subject " * 12)
    person = signed_in(visit, size=size, theme=theme)
    page = person.page
    for place in PLACES:
        go(person, place)
        page.locator("#main :is(.uplot, .record, tbody tr, .empty, .part form)").first.wait_for()
        assert person.accessibility_faults() == [], place
        assert person.sideways() <= 0, place
    go(person, "queue")
    page.locator("tbody a").first.click()
    page.get_by_role("dialog").locator(".facts").wait_for()
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0

"""The first minute with the page: an address without a question, and coming back to it."""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Response, expect

from tests.journeys.browser import LOOKS, Theme, Visits, message, row
from tests.journeys.running import START_SECONDS, RunningService, running

pytest_plugins = ["tests.journeys.visiting"]

FIRST_VISIT_LIMIT = 60_000  # octets of script and style, packed (ui.md, Figures)


@pytest.fixture(scope="module")
def private_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A site with a password, which covers its health check, too."""
    # Nor does a domain that somebody wrote twice leave the page empty.
    domains = ["x.test", "y.test", "x.test"]
    service = RunningService(
        tmp_path_factory.mktemp("private"), {"passwords": ["lantern"], "domains": domains}
    )
    service.start(wait=False)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(service) and time.monotonic() < deadline:
            time.sleep(0.02)
        yield service
    finally:
        service.stop()


def answers(service: RunningService) -> bool:
    try:
        return service.get("/open_api/settings").status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def closed_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    yield from running(tmp_path_factory.mktemp("closed"), enable_user_create_email=False)


def test_a_new_visitor_sees_an_address_without_a_click_and_copies_it_with_one(
    visit: Visits,
) -> None:
    person = visit()
    address = person.address()
    assert address.endswith("@x.test")
    assert person.clicks == 0
    person.click("button:has-text('Copy address')")
    assert person.clicks == 1
    expect(person.page.get_by_role("button", name="Copied")).to_be_visible()
    assert person.clipboard() == address
    expect(person.page).to_have_title(f"{address} · mailbox")


def test_the_first_visit_loads_little_and_only_from_the_service(visit: Visits) -> None:
    person = visit(path=None)
    bodies: list[Response] = []
    person.page.on("response", lambda answer: bodies.append(answer))
    person.open()
    person.address()
    person.settled()
    files = [a.body() for a in bodies if re.search(r"\.(?:js|css)$", a.url)]
    # The document carries the styles of every visit, and a script.
    inside = re.findall(rb"<(style|script)>(.*?)</\1>", bodies[0].body(), re.DOTALL)
    assert {kind for kind, _ in inside} == {b"style", b"script"}
    weight = sum(len(gzip.compress(one, 9)) for one in (*files, *(text for _, text in inside)))
    assert 0 < weight <= FIRST_VISIT_LIMIT
    assert person.foreign_requests == []


def test_the_address_is_still_there_after_a_reload_and_its_password_is_not(visit: Visits) -> None:
    person = visit()
    address = person.address()
    expect(person.page.get_by_text("It is shown only now")).to_be_visible()
    person.page.reload()
    assert person.address() == address
    expect(person.page.get_by_text("It is shown only now")).to_have_count(0)


def test_a_link_with_a_token_opens_the_mailbox_and_leaves_the_address_bar(
    visit: Visits, service: RunningService
) -> None:
    address, token = service.open_address()
    service.deliver(address, message("Opened by a link"))
    mail = service.wait_for_mail(token)
    person = visit(path=f"/?jwt={token}&mail_id={mail['id']}")
    expect(person.page.locator("#mail-subject")).to_have_text("Opened by a link")
    # The mail is there before the page is, which then takes the token away.
    expect(person.page).not_to_have_url(re.compile("jwt|mail_id"))
    # In the page itself: its frame, which was there before, says it too until the page is whole.
    expect(person.page.locator("#page .addr-now")).to_contain_text(address)


def test_a_wrong_token_is_told_in_words_and_costs_nothing(visit: Visits) -> None:
    person = visit()
    address = person.address()
    person.open("/?jwt=not.a.token")
    expect(person.page.locator(".toast.bad")).to_be_visible()
    assert person.address() == address
    assert "jwt" not in person.page.url


def test_addresses_are_chosen_kept_switched_and_forgotten(visit: Visits) -> None:
    person = visit()
    first = person.address()
    page = person.page
    page.get_by_role("button", name="New address").first.click()
    page.get_by_label("Name", exact=True).fill("harbour1")
    page.get_by_label("Domain", exact=True).select_option("y.test")
    page.get_by_role("button", name="Make an address").click()
    expect(page.locator(".hero-addr")).to_have_text("harbour1@y.test")

    page.get_by_role("button", name="New address").first.click()
    page.get_by_label("Name", exact=True).fill("harbour1")
    page.get_by_label("Domain", exact=True).select_option("y.test")
    page.get_by_role("button", name="Make an address").click()
    expect(page.locator("dialog .help.bad")).to_be_visible()
    page.keyboard.press("Escape")
    person.complaints.clear()  # the browser notes the refusal

    rail = page.locator("nav.rail")
    rail.get_by_role("button", name=first).click()
    assert person.address() == first
    page.get_by_role("link", name="Connect a program").first.click()
    page.get_by_role("button", name="Forget it here").click()
    expect(rail.get_by_role("button", name=first)).to_have_count(0)
    page.get_by_role("link", name="Inbox").first.click()
    assert person.address() == "harbour1@y.test"


def test_a_private_site_asks_for_its_password_once(
    visit: Visits, private_service: RunningService
) -> None:
    person = visit(at=private_service)
    field = person.page.get_by_label("Site password")
    field.fill("lamp")
    field.press("Enter")
    expect(person.page.get_by_role("alert")).to_be_visible()
    person.complaints.clear()
    field.fill("lantern")
    field.press("Enter")
    address = person.address()
    person.page.reload()
    assert person.address() == address


def test_where_addresses_are_not_given_out_a_token_or_a_password_opens_one(
    visit: Visits, closed_service: RunningService
) -> None:
    made = closed_service.post(
        "/admin/new_address", {"name": "kept", "domain": "x.test"}, admin=True
    ).json()
    person = visit(at=closed_service)
    page = person.page
    expect(page.get_by_role("heading", name="No mailbox is open here")).to_be_visible()
    page.get_by_label("Token").fill(made["jwt"] + "x")
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    person.complaints.clear()
    page.get_by_role("button", name="Address and password").click()
    page.get_by_label("Address", exact=True).fill(made["address"])
    page.get_by_label("Password", exact=True).fill(made["password"])
    page.get_by_role("button", name="Open", exact=True).click()
    assert person.address() == made["address"]


def test_light_and_dark_follow_the_switch_and_stay(visit: Visits) -> None:
    person = visit(theme="light")
    person.address()
    background = "getComputedStyle(document.body).backgroundColor"
    light = person.page.evaluate(background)
    person.page.get_by_title("Dark").click()
    dark = person.page.evaluate(background)
    assert light != dark
    person.page.reload()
    person.address()
    assert person.page.evaluate(background) == dark


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_the_first_page_is_accessible_and_never_scrolls_sideways(
    visit: Visits, size: tuple[int, int], theme: Theme
) -> None:
    person = visit(size=size, theme=theme)
    person.address()
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0


def test_the_first_mail_takes_the_place_of_the_greeting(
    visit: Visits, service: RunningService
) -> None:
    person = visit()
    address = person.address()
    person.settled()
    service.deliver(address, message("The very first"))
    expect(row(person.page, "The very first")).to_be_visible()

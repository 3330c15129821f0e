"""The page in six languages: chosen by the browser at first, then by the visitor, and kept."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.journeys.browser import PHONE, SMALLEST, Visits, message, row
from tests.journeys.running import RunningService

pytest_plugins = ["tests.journeys.visiting"]

# tag: (the inbox in the rail, the act of the first visit)
WORDS = {
    "en": ("Inbox", "Copy address"),
    "zh": ("收件箱", "复制地址"),
    "es": ("Entrada", "Copiar dirección"),
    "pt-BR": ("Entrada", "Copiar endereço"),
    "ja": ("受信トレイ", "アドレスをコピー"),
    "de": ("Posteingang", "Adresse kopieren"),
}


@pytest.mark.parametrize("tag", WORDS)
def test_each_language_loads_by_its_address_and_fetches_no_other(visit: Visits, tag: str) -> None:
    person = visit(path=f"/{tag}/")
    person.address()
    inbox, copy = WORDS[tag]
    expect(person.page.get_by_role("link", name=inbox, exact=True).first).to_be_visible()
    expect(person.page.get_by_role("button", name=copy).first).to_be_visible()
    assert person.page.evaluate("document.documentElement.lang") == tag
    tables = [url for url in person.requests if re.search(r"/assets/page-[^/]+\.js$", url)]
    assert len(tables) == (0 if tag == "en" else 1)


@pytest.mark.parametrize(("locale", "tag"), [("de-AT", "de"), ("pt-PT", "pt-BR"), ("fr-FR", "en")])
def test_a_new_visitor_is_spoken_to_in_the_language_of_the_browser(
    browser: Browser, service: RunningService, locale: str, tag: str
) -> None:
    context = browser.new_context(locale=locale)
    page = context.new_page()
    page.goto(service.url)
    expect(page.get_by_role("button", name=WORDS[tag][1]).first).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", tag)
    context.close()


def test_a_chosen_language_changes_what_is_on_the_screen_and_stays(
    visit: Visits, service: RunningService
) -> None:
    person = visit()
    address = person.address()
    person.settled()
    service.deliver(address, message("A letter"))
    page = person.page
    row(page, "A letter").get_by_role("link").click()
    expect(page.get_by_role("button", name="Reply").first).to_be_visible()
    page.get_by_label("Language").select_option("de")
    # The open mail stays open, its acts and its time are told in the new language.
    expect(page.get_by_role("button", name="Antworten").first).to_be_visible()
    expect(page.locator(".reader .when")).to_contain_text("Heute")
    expect(page).to_have_url(re.compile(r"/de/#/mail/\d+$"))
    expect(page.locator("html")).to_have_attribute("lang", "de")
    person.open("/")
    expect(page.get_by_role("link", name="Posteingang").first).to_be_visible()


def test_a_language_that_cannot_be_loaded_changes_nothing_and_says_so(visit: Visits) -> None:
    person = visit()
    person.address()
    page = person.page
    page.route(re.compile(r"/assets/page-[^/]+\.js$"), lambda route: route.abort())
    page.get_by_label("Language").select_option("ja")
    expect(page.locator(".toast")).to_contain_text("could not be loaded")
    expect(page.get_by_label("Language")).to_have_value("en")
    person.complaints.clear()  # the browser notes the lost file


@pytest.mark.parametrize("tag", WORDS)
@pytest.mark.parametrize("size", [PHONE, SMALLEST])
def test_no_language_makes_a_phone_scroll_sideways(
    visit: Visits, tag: str, size: tuple[int, int]
) -> None:
    person = visit(size=size, path=f"/{tag}/")
    person.address()
    assert person.sideways() <= 0
    for place in ("#/sent", "#/connect", "#/drafts"):
        person.open(f"/{tag}/{place}")
        person.page.locator("#main :is(h1, h2)").first.wait_for()
        assert person.sideways() <= 0, place


def test_unknown_places_lead_to_the_mailbox(visit: Visits) -> None:
    person = visit(path="/no/such/place")
    person.address()
    expect(person.page).to_have_url(f"{person.service.url}/")

"""The mini app: opened as Telegram opens it, on a phone, without a script of any other host."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Route, expect

from tests.journeys.browser import DESK, PHONE, SMALLEST, Theme, Visit, Visits, message, wait_until
from tests.journeys.mini_app import launched, made
from tests.journeys.running import RunningService

pytest_plugins = ["tests.journeys.visiting", "tests.journeys.with_bot"]

HTML = (
    "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n"
    "From: Ferrybank <no-reply@ferry.example>\r\nSubject: Your sign-in code\r\n\r\n"
    "<p>Your code is <b>482913</b>.</p><img src='https://spy.example/a.png'>"
    "<script>fetch('https://spy.example/b')</script>\r\n"
)


def phone(visit: Visits, service: RunningService, path: str, size: tuple[int, int]) -> Visit:
    return visit(size=size, at=service, path=path)


def test_a_message_of_the_bot_leads_to_its_mail(visit: Visits, with_bot: RunningService) -> None:
    address, token = made(with_bot)
    with_bot.deliver(address, HTML.encode())
    mail = with_bot.wait_for_mail(token)
    person = phone(visit, with_bot, launched(f"/telegram_mail?mail_id={mail['id']}"), PHONE)
    page = person.page
    expect(page.get_by_role("heading", name="Your sign-in code")).to_be_visible()
    expect(page.frame_locator("iframe").locator("body")).to_contain_text("Your code is 482913")
    person.click(page.get_by_role("button", name=re.compile("482913")))
    assert person.clipboard() == "482913"
    expect(page.get_by_text("1 remote image blocked.")).to_be_visible()
    page.get_by_role("button", name="Open the mailbox").click()
    expect(page.locator(".row")).to_have_count(1)
    assert person.foreign_requests == []


def test_addresses_are_made_bound_opened_and_let_go(
    visit: Visits, with_bot: RunningService
) -> None:
    person = phone(visit, with_bot, launched(person=50), SMALLEST)
    page = person.page
    expect(page.get_by_text("No address yet.")).to_be_visible()
    page.get_by_label("New address").fill("pocket")
    page.get_by_role("button", name="Make an address").click()
    held = page.get_by_role("button", name="pocket@x.test", exact=True)
    expect(held).to_be_visible()
    other, token = with_bot.open_address()
    page.get_by_label("Bind an address by its token").fill(token)
    page.get_by_role("button", name="Bind an address by its token").click()
    expect(page.get_by_role("button", name=other, exact=True)).to_be_visible()
    page.get_by_role("button", name=f"Let {other} go").click()
    page.get_by_role("dialog").get_by_role("button", name="Let it go").click()
    expect(page.get_by_role("button", name=other, exact=True)).to_have_count(0)
    # The proof is of the tab: a reload finds it again, though the fragment may be gone.
    page.goto(with_bot.url + "/telegram_mail")
    held.click()
    expect(page.locator("h1").first).to_contain_text("pocket")


def test_the_mailbox_that_telegram_opened_offers_the_addresses_of_the_person(
    visit: Visits, with_bot: RunningService
) -> None:
    first, _ = made(with_bot, person=70)
    second, _ = made(with_bot, person=70)
    person = phone(visit, with_bot, launched(person=70), SMALLEST)
    page = person.page
    page.get_by_role("button", name=first, exact=True).click()
    expect(page.locator("h1").first).to_contain_text(first.partition("@")[0])
    # The menu of addresses is of a mailbox with mail.
    person.settled()
    with_bot.deliver(first, message("Hello"))
    expect(page.get_by_role("link", name="Hello")).to_be_visible()
    page.locator("#page:not([hidden]) .addr-now").click()
    menu = page.locator("#addresses")
    expect(menu).to_contain_text("In Telegram")
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0
    menu.get_by_role("button", name=second, exact=True).click()
    expect(page.locator("h1").first).to_contain_text(second.partition("@")[0])
    # When the proof has grown old, what was there is still shown.
    third, _ = made(with_bot, person=70)
    page.goto(with_bot.url + launched(person=70))
    expect(page.get_by_role("button", name=third, exact=True)).to_be_visible()
    page.evaluate("sessionStorage['mailbox.telegram'] = 'user=1&hash=no'")
    page.goto(with_bot.url + "/")
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Open an address").click()
    kept = page.get_by_role("region", name="In Telegram")
    expect(kept).to_contain_text(third)
    assert person.accessibility_faults() == []
    kept.get_by_role("button", name=third, exact=True).click()
    expect(page.locator("h1").first).to_contain_text(third.partition("@")[0])
    person.complaints.clear()  # the old proof was refused


def test_telegram_may_open_the_mailbox_itself(visit: Visits, with_bot: RunningService) -> None:
    address, _ = made(with_bot, person=71)
    person = phone(visit, with_bot, launched("/", person=71), PHONE)
    page = person.page
    person.address()
    assert "tgWebAppData" not in page.url
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Open an address").click()
    expect(page.get_by_role("region", name="In Telegram")).to_contain_text(address)


def test_an_account_binds_the_addresses_of_telegram(
    visit: Visits, with_bot: RunningService
) -> None:
    rules = {"enable": True, "enableMailVerify": False, "maxAddressCount": 0}
    assert with_bot.post("/admin/user_settings", rules, admin=True).status == 200
    address, _ = made(with_bot, person=72)
    person = phone(visit, with_bot, launched(person=72), SMALLEST)
    page = person.page
    expect(page.get_by_role("button", name=address, exact=True)).to_be_visible()
    page.goto(with_bot.url + "/user")
    page.get_by_role("button", name="Register").first.click()
    page.get_by_label("E-mail").fill("tele@home.example")
    page.get_by_label("Password", exact=True).fill("a good pass word")
    page.locator("form").get_by_role("button", name="Register").last.click()
    held = page.get_by_role("region", name="In Telegram")
    expect(held).to_contain_text(address)
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0
    held.get_by_role("button", name=f"Bind {address}").click()
    expect(held.get_by_role("button", name=f"Bind {address}")).to_have_count(0)
    expect(page.locator(".name", has_text=address)).to_be_visible()
    held.get_by_role("button", name=f"Open {address}").click()
    expect(page.locator("h1").first).to_contain_text(address.partition("@")[0])


def test_telegram_web_shows_the_mini_app_in_its_frame(
    visit: Visits, with_bot: RunningService
) -> None:
    """And a foreign page does not; the mailbox itself opens beside it, in a tab."""
    address, _ = made(with_bot, person=60)
    person = visit(at=with_bot, path=None)
    page = person.page

    def around(route: Route) -> None:
        path = launched(person=60) if "/k/" in route.request.url else "/"
        body = f"<!doctype html><iframe src='{with_bot.url}{path}'></iframe>"
        route.fulfill(content_type="text/html", body=body)

    person.context.route("https://web.telegram.org/**", around)
    person.context.route("https://elsewhere.example/**", around)
    page.goto("https://web.telegram.org/k/")
    held = page.frame_locator("iframe").get_by_role("button", name=address, exact=True)
    expect(held).to_be_visible()
    with person.context.expect_page() as opened:
        held.click()
    expect(opened.value.locator("h1").first).to_contain_text(address.partition("@")[0])
    assert opened.value.url.startswith(with_bot.url)
    # The same page around any other of ours, and any other page around the mini app.
    for around_it in ("https://web.telegram.org/a/", "https://elsewhere.example/k/"):
        person.complaints.clear()
        page.goto(around_it)
        wait_until(page, "document.querySelector('iframe') !== null")
        assert page.frame_locator("iframe").locator("#page").count() == 0
        assert any("frame-ancestors" in one for one in person.complaints)
    person.requests.clear()
    person.complaints.clear()


def test_outside_telegram_the_page_says_where_it_belongs(
    visit: Visits, with_bot: RunningService
) -> None:
    person = phone(visit, with_bot, "/de/telegram_mail", PHONE)
    expect(person.page.get_by_role("heading", name="Öffne das in Telegram")).to_be_visible()


def test_a_proof_that_is_wrong_is_told_in_words(visit: Visits, with_bot: RunningService) -> None:
    person = phone(visit, with_bot, "/telegram_mail#tgWebAppData=user%3D1%26hash%3Dno", PHONE)
    expect(person.page.get_by_role("alert")).to_be_visible()
    expect(person.page.get_by_text("open it again from the bot")).to_be_visible()
    person.complaints.clear()


@pytest.mark.parametrize(("size", "theme"), [(SMALLEST, "light"), (PHONE, "dark"), (DESK, "dark")])
def test_the_mini_app_is_accessible_and_never_scrolls_sideways(
    visit: Visits, with_bot: RunningService, size: tuple[int, int], theme: Theme
) -> None:
    address, token = made(with_bot)
    with_bot.deliver(address, message("W" * 200, "long " * 200))
    mail = with_bot.wait_for_mail(token)
    person = visit(size=size, theme=theme, at=with_bot, path=launched())
    expect(person.page.get_by_role("button", name=address, exact=True)).to_be_visible()
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0
    person.page.goto(with_bot.url + f"/telegram_mail?mail_id={mail['id']}")
    expect(person.page.get_by_role("heading", name="W" * 200)).to_be_visible()
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0

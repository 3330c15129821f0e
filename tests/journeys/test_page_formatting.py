"""Formatted letters, and that nothing written is ever lost."""

from __future__ import annotations

import json
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from urllib.parse import quote

from playwright.sync_api import Locator, Page, expect

from tests.journeys.browser import Visits, message, wait_until
from tests.journeys.running import RunningService

pytest_plugins = ["tests.journeys.visiting"]

HOSTILE = """
<p onclick="hit()">words <b style="background:url(https://evil.example/1)">bold</b></p>
<img src="https://evil.example/2" onerror="hit()"><script>hit()</script>
<svg><script>hit()</script><image href="https://evil.example/3"/></svg>
<a href="javascript:hit()">link</a><iframe src="https://evil.example/4"></iframe>
<style>@import 'https://evil.example/5'</style><form action="https://evil.example"><input></form>
<math><mtext><table><mglyph><style><img src=x onerror=hit()></style></mglyph></table></mtext></math>
"""


def recipient(page: Page, address: str) -> None:
    page.get_by_label("Add recipient", exact=True).fill(address)
    page.keyboard.press("Enter")


def editor(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message text")


def begin(page: Page) -> None:
    page.keyboard.press("c")
    page.get_by_role("button", name="With formatting").click()
    expect(editor(page)).to_be_focused()


def bodies(service: RunningService, token: str, subject: str) -> tuple[str, str]:
    """The plain and the HTML body of the mail that came."""
    mail = service.wait_for_mail(token, subject=quote(subject))
    content = message_from_bytes(service.raw(token, int(mail["id"])), policy=default)
    assert isinstance(content, EmailMessage)
    plain, html = content.get_body(("plain",)), content.get_body(("html",))
    assert plain is not None
    assert html is not None
    return plain.get_content().replace("\r\n", "\n"), html.get_content()


def test_a_formatted_letter_goes_out_with_its_words_beside_it(
    visit: Visits, service: RunningService
) -> None:
    bob, token = service.open_address()
    person = visit()
    person.address()
    page = person.page
    begin(page)
    page.keyboard.type("Hello ")
    page.get_by_role("button", name="Bold").click()
    page.keyboard.type("strong")
    expect(page.get_by_role("button", name="Bold")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Bold").click()
    page.keyboard.type(" words")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="List", exact=True).click()
    page.keyboard.type("one")
    page.keyboard.press("Enter")
    page.keyboard.type("two")
    page.get_by_label("Your name").fill("Ann Example")
    page.get_by_label("Subject").fill("Formatted")
    recipient(page, bob)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".sent-item")).to_contain_text("Delivered")
    plain, html = bodies(service, token, "Formatted")
    assert plain.strip() == "Hello strong words\n- one\n- two"
    assert "<b>strong</b>" in html
    assert "<li>" in html
    got = service.get("/api/inbox", token=token).json()["results"][0]
    assert got["from_name"] == "Ann Example"


def test_pasted_html_runs_nothing_and_requests_nothing(visit: Visits) -> None:
    person = visit()
    person.address()
    page = person.page
    page.evaluate("() => { window.hits = 0; window.hit = () => window.hits++; }")
    begin(page)
    editor(page).evaluate(
        """(box, html) => {
            const data = new DataTransfer();
            data.setData('text/html', html);
            data.setData('text/plain', 'words');
            const how = {clipboardData: data, bubbles: true, cancelable: true};
            box.dispatchEvent(new ClipboardEvent('paste', how));
        }""",
        HOSTILE,
    )
    expect(editor(page)).to_contain_text("words")
    expect(editor(page).locator("b")).to_have_text("bold")
    assert editor(page).locator("img, script, style, svg, iframe, form, input, math").count() == 0
    assert editor(page).locator("[style], [onclick], [href^=javascript]").count() == 0
    assert page.evaluate("window.hits") == 0
    # Chromium tells of handlers that its parser met; the policy forbids them even there.
    assert all("Content Security Policy" in said for said in person.complaints)
    person.complaints.clear()
    kept = page.evaluate(
        "new Promise(r => setTimeout(() => r(localStorage['mailbox.drafts']), 500))"
    )
    page.reload()
    expect(editor(page).locator("b")).to_have_text("bold")
    assert "evil.example" not in json.loads(kept)[0]["html"]


def test_a_tampered_draft_is_cleaned_before_it_is_shown(visit: Visits) -> None:
    person = visit()
    person.address()
    page = person.page
    begin(page)
    page.keyboard.type("before")
    page.get_by_label("Subject").fill("Tampered")
    page.evaluate("dispatchEvent(new Event('pagehide'))")
    page.evaluate(
        """html => {
            const drafts = JSON.parse(localStorage['mailbox.drafts']);
            drafts[0].html = html;
            drafts[0].savedAt += 1;
            localStorage['mailbox.drafts'] = JSON.stringify(drafts);
        }""",
        HOSTILE,
    )
    # Another tab opens it as it now is in this browser.
    second = person.context.new_page()
    second.add_init_script("window.hits = 0; window.hit = () => window.hits++")
    second.goto(page.url)
    expect(editor(second).locator("b")).to_have_text("bold")
    assert second.evaluate("window.hits") == 0


def test_a_reply_quotes_hostile_mail_as_words(visit: Visits, service: RunningService) -> None:
    ann, token = service.open_address()
    person = visit()
    address = person.address()
    person.settled()
    service.deliver(
        address,
        message("Trap", "<img src=https://evil.example/x onerror=hit()>", sender=f"<{ann}>"),
    )
    page = person.page
    page.get_by_role("link", name="Trap").click()
    page.get_by_role("toolbar", name="Message").get_by_role("button", name="Reply").click()
    page.get_by_role("button", name="With formatting").click()
    page.keyboard.type("Seen")
    page.get_by_role("button", name="Edit the quote").click()
    expect(editor(page)).to_contain_text("> <img src=")
    assert editor(page).locator("img").count() == 0
    page.keyboard.press("Control+Enter")
    expect(page.locator(".sent-item")).to_contain_text("Delivered")
    _, html = bodies(service, token, "Trap")
    assert "<img" not in html


def test_a_formatted_draft_survives_and_can_become_plain_and_back(visit: Visits) -> None:
    person = visit()
    person.address()
    page = person.page
    begin(page)
    page.keyboard.press("Control+b")
    page.keyboard.type("kept")
    page.get_by_label("Subject").fill("Half")
    page.reload()
    expect(editor(page).locator("b")).to_have_text("kept")
    page.get_by_role("button", name="With formatting").click()
    expect(page.get_by_label("Message text")).to_have_value("kept")
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(editor(page).locator("b")).to_have_text("kept")


def test_what_was_typed_a_moment_ago_survives_even_half_a_recipient(visit: Visits) -> None:
    person = visit()
    person.address()
    page = person.page
    page.keyboard.press("c")
    page.get_by_label("Subject").fill("Only just")
    page.get_by_label("Add recipient", exact=True).fill("bob@x.tes")
    page.reload()
    expect(page.get_by_label("Subject")).to_have_value("Only just")
    expect(page.get_by_role("button", name="Remove bob@x.tes")).to_be_visible()


def test_two_windows_lose_nothing_of_each_other(visit: Visits) -> None:
    person = visit()
    person.address()
    first = person.page
    first.keyboard.press("c")
    first.get_by_label("Subject").fill("From the first")
    second = person.context.new_page()
    second.goto(person.service.url)
    second.locator(".rail-compose").click()
    second.get_by_label("Subject").fill("From the second")
    first.get_by_label("Message text").fill("More words")
    second.get_by_label("Message text").fill("Other words")
    second.evaluate("dispatchEvent(new Event('pagehide'))")
    first.evaluate("dispatchEvent(new Event('pagehide'))")
    third = person.context.new_page()
    third.goto(f"{person.service.url}/#/drafts")
    drafts = third.locator(".sent-item")
    expect(drafts.filter(has_text="From the first")).to_contain_text("More words")
    expect(drafts.filter(has_text="From the second")).to_contain_text("Other words")


def test_html_goes_out_as_it_was_typed_after_it_was_looked_at(
    visit: Visits, service: RunningService
) -> None:
    bob, token = service.open_address()
    person = visit()
    person.address()
    page = person.page
    page.keyboard.press("c")
    recipient(page, bob)
    page.get_by_label("Subject").fill("An offer")
    editor(page).fill("Dear Bob")
    page.get_by_role("button", name="HTML source").click()
    source = page.get_by_role("textbox", name="HTML source")
    expect(source).to_have_value("<div>Dear Bob</div>")
    source.fill('<h1 style="color:#005e6d">Dear Bob</h1><p>the <b>offer</b></p>')
    page.get_by_role("button", name="Preview").click()
    seen = page.frame_locator("iframe")
    expect(seen.get_by_role("heading", name="Dear Bob")).to_have_css("color", "rgb(0, 94, 109)")
    assert page.locator("iframe").get_attribute("sandbox") is not None
    assert "allow-scripts" not in str(page.locator("iframe").get_attribute("sandbox"))
    assert person.accessibility_faults() == []
    page.keyboard.press("Escape")
    # What was typed survives a reload as it was typed.
    wait_until(page, "(localStorage['mailbox.drafts'] ?? '').includes('offer')")
    page.reload()
    expect(source).to_have_value('<h1 style="color:#005e6d">Dear Bob</h1><p>the <b>offer</b></p>')
    page.get_by_role("button", name="Send").click()
    plain, html = bodies(service, token, "An offer")
    assert plain.strip() == "Dear Bob\nthe offer"
    assert '<h1 style="color:#005e6d">Dear Bob</h1>' in html

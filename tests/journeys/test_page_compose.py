"""Writing on the page: recipients, files, answers, drafts that survive, and what became of it."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.journeys.browser import (
    LOOKS,
    Theme,
    Visits,
    message,
    row,
    wait_until,
    wait_until_so,
)
from tests.journeys.running import RunningService

pytest_plugins = ["tests.journeys.visiting"]

CONTENT = bytes(range(256)) * 40
# Whether a draft with this subject stands in the database of the browser.
KEPT = """subject => new Promise(resolve => {
  const opening = indexedDB.open('mailbox-drafts');
  opening.onsuccess = () => {
    const asking = opening.result.transaction('drafts').objectStore('drafts').getAll();
    asking.onsuccess = () => {
      opening.result.close();
      resolve(asking.result.some(draft => draft.subject === subject));
    };
  };
})"""


def parsed(raw: bytes) -> EmailMessage:
    mail = message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


def recipient(page: Page, field: str, address: str) -> None:
    page.get_by_label(field, exact=True).fill(address)
    page.keyboard.press("Enter")


def sent_item(page: Page, subject: str) -> Locator:
    return page.locator(".sent-item", has=page.get_by_role("link", name=subject))


def delivered(
    service: RunningService, token: str, subject: str
) -> tuple[dict[str, object], EmailMessage]:
    mail = service.wait_for_mail(token, subject=quote(subject))
    return mail, parsed(service.raw(token, int(mail["id"])))


def test_a_mail_to_several_people_with_a_file_arrives_whole(
    visit: Visits, service: RunningService, tmp_path: Path
) -> None:
    bob, bob_token = service.open_address()
    eve, eve_token = service.open_address()
    file = tmp_path / "plan ä.bin"
    file.write_bytes(CONTENT)
    person = visit()
    address = person.address()
    page = person.page
    person.click(page.locator(".rail-compose"))
    recipient(page, "Add recipient", f"Bob B. <{bob}>")
    recipient(page, "Add recipient", "someone@elsewhere.example")
    person.click(page.get_by_role("button", name="Bcc", exact=True))
    recipient(page, "Add Bcc recipient", eve)
    page.get_by_label("Subject").fill("The plan")
    page.get_by_label("Message text").fill("Dear Bob,\n\nhere it is. Grüße 👋\n")
    with page.expect_file_chooser() as chooser:
        person.click(page.get_by_role("button", name="Drop files here or choose"))
    chooser.value.set_files(file)
    expect(page.get_by_text("10 kB · attached")).to_be_visible()
    person.click(page.get_by_role("button", name="Send", exact=True))

    item = sent_item(page, "The plan")
    expect(item.locator(".rcpt", has_text=bob)).to_contain_text("Delivered")
    expect(item.locator(".rcpt", has_text=eve)).to_contain_text("Delivered")
    expect(item.locator(".rcpt", has_text="someone@elsewhere.example")).to_contain_text("Held")
    assert person.clicks == 4  # compose, Bcc, the file, send

    for token in (bob_token, eve_token):
        mail, content = delivered(service, token, "The plan")
        assert mail["from_address"] == address
        assert content["Bcc"] is None
        assert content["To"].addresses[0].addr_spec == bob
        body = content.get_body(("plain",))
        assert body is not None
        assert (
            body.get_content().replace("\r\n", "\n").startswith("Dear Bob,\n\nhere it is. Grüße 👋")
        )
        (attached,) = content.iter_attachments()
        assert attached.get_filename() == "plan ä.bin"
        assert attached.get_content() == CONTENT


def test_a_file_can_be_dropped_onto_the_letter(visit: Visits) -> None:
    person = visit()
    person.address()
    page = person.page
    page.keyboard.press("c")
    page.get_by_label("Add recipient").wait_for()
    transfer = page.evaluate_handle(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File(['dropped'], 'dropped.txt', {type: 'text/plain'}));
            return transfer;
        }"""
    )
    page.locator(".letter").dispatch_event("drop", {"dataTransfer": transfer})
    expect(page.get_by_text("7 B · attached")).to_be_visible()
    page.get_by_role("button", name="Remove dropped.txt").click()
    expect(page.get_by_text("dropped.txt")).to_have_count(0)


def test_an_answer_is_two_clicks_quoted_and_in_its_thread(
    visit: Visits, service: RunningService
) -> None:
    ann, ann_token = service.open_address()
    person = visit()
    address = person.address()
    person.settled()
    service.deliver(
        address,
        message(
            "A question",
            "Will it rain?",
            sender=f"Ann <{ann}>",
            headers="References: <first@sender.example>\r\n",
        ),
    )
    page = person.page
    person.click(page.get_by_role("link", name="A question"))
    question = service.get("/api/inbox", token=person.token()).json()["results"][0]
    person.click(page.get_by_role("toolbar", name="Message").get_by_role("button", name="Reply"))
    assert person.clicks == 2
    expect(page.get_by_role("heading", name="Reply to Ann")).to_be_visible()
    expect(page.get_by_label("Message text")).to_be_focused()
    page.keyboard.type("No.")
    page.keyboard.press("Control+Enter")
    expect(sent_item(page, "Re: A question")).to_contain_text("Delivered")

    _, content = delivered(service, ann_token, "A question")
    assert content["In-Reply-To"] == question["message_id"]
    assert content["References"] == f"<first@sender.example> {question['message_id']}"
    body = content.get_body(("plain",))
    assert body is not None
    assert "No.\n\nAnn wrote on " in body.get_content().replace("\r\n", "\n")
    assert "> Will it rain?" in body.get_content()
    page.get_by_role("link", name="Inbox").first.click()
    expect(row(page, "A question").get_by_label("Answered")).to_be_visible()


def test_a_forward_takes_text_and_files_along(visit: Visits, service: RunningService) -> None:
    bob, bob_token = service.open_address()
    person = visit()
    address = person.address()
    person.settled()
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ann@sender.example", address, "Pass it on"
    mail["Message-ID"] = "<pass@sender.example>"
    mail.set_content("The words")
    mail.add_attachment(CONTENT, maintype="application", subtype="pdf", filename="a.pdf")
    service.deliver(address, mail.as_bytes(policy=SMTP))
    page = person.page
    held: list[Route] = []
    page.route("**/attachments/*", lambda route: held.append(route))
    page.get_by_role("link", name="Pass it on").click()
    page.get_by_role("toolbar", name="Message").get_by_role("button", name="Forward").click()
    recipient(page, "Add recipient", bob)
    # A file that is still on its way is waited for.
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("Downloading")).to_be_visible()
    expect(page.get_by_role("button", name="Sending")).to_be_visible()
    page.set_viewport_size({"width": 320, "height": 640})
    bar = page.locator(".upload").bounding_box()
    assert bar is not None
    assert bar["width"] > 60
    wait_until_so(page, lambda: held)
    held[0].continue_()
    _, content = delivered(service, bob_token, "Fwd: Pass it on")
    body = content.get_body(("plain",))
    assert body is not None
    assert "Forwarded message" in body.get_content()
    assert "The words" in body.get_content()
    (attached,) = content.iter_attachments()
    assert attached.get_content() == CONTENT


def test_what_is_wrong_is_said_before_sending(visit: Visits) -> None:
    person = visit()
    person.address()
    page = person.page
    page.keyboard.press("c")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("Nobody is named in To. Write an address there.")
    recipient(page, "Add recipient", "p.okafor@northlane")
    expect(page.get_by_title("The part after @ has no ending such as .com.")).to_be_visible()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("One address is not complete.")
    page.get_by_role("button", name="Remove p.okafor@northlane").click()
    recipient(page, "Add recipient", "p.okafor@northlane.example")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The mail is empty.")


def test_what_is_left_to_send_is_told_and_more_is_asked_for(
    visit: Visits, service: RunningService
) -> None:
    person = visit()
    address = person.address()
    page = person.page
    page.keyboard.press("c")
    beside = page.get_by_role("complementary", name="About this mail")
    expect(beside).to_contain_text("Mails left100000")
    page.get_by_label("Subject").fill("Kept")
    expect(page.locator(".saved")).to_contain_text("Draft saved")
    # An administrator takes it all away: that is said before anything more is written.
    query = f"/admin/address_sender?limit=20&offset=0&address={address}"
    (sender,) = service.get(query, admin=True).json()["results"]
    change = {"address": address, "address_id": sender["id"], "balance": 0, "enabled": True}
    assert service.post("/admin/address_sender", change, admin=True).status == 200
    page.reload()
    said = page.locator(".letter .note")
    expect(said).to_contain_text("This address may not send yet.")
    page.set_viewport_size({"width": 320, "height": 640})
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0
    said.get_by_role("button", name="Ask for it").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Already requested")
    person.complaints.clear()  # the refusal, as the browser logs it
    assert service.post("/admin/address_sender", {**change, "balance": 7}, admin=True).status == 200
    page.reload()
    # On a phone, where nothing stands beside the letter, it is below it.
    expect(page.get_by_text("Mails left: 7")).to_be_visible()
    expect(said).to_have_count(0)


def test_a_draft_survives_a_reload_and_a_kill_with_its_file(
    visit: Visits, service: RunningService, tmp_path: Path
) -> None:
    file = tmp_path / "kept.txt"
    file.write_text("kept")
    person = visit()
    person.address()
    page = person.page
    page.keyboard.press("c")
    recipient(page, "Add recipient", "bob@elsewhere.example")
    page.get_by_label("Subject").fill("Half a letter")
    page.get_by_label("Message text").fill("To be continued")
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("4 B · attached")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Subject")).to_have_value("Half a letter")
    expect(page.get_by_label("Message text")).to_have_value("To be continued")
    expect(page.get_by_text("4 B · attached")).to_be_visible()
    # A browser that is killed has not written the last minute of localStorage to its disk.
    page.get_by_label("Add recipient").press_sequentially("carl@elsewhere.exa")
    page.get_by_label("Subject").fill("Half a letter, and more")
    expect(page.get_by_text("Draft saved")).to_be_visible()
    wait_until(page, KEPT, "Half a letter, and more")
    lost = person.context.new_page()
    lost.add_init_script("localStorage.removeItem('mailbox.drafts')")
    page.close()
    lost.goto(f"{service.url}/#/drafts")
    lost.get_by_role("link", name="Half a letter, and more").click()
    expect(lost.get_by_label("Message text")).to_have_value("To be continued")
    expect(lost.get_by_text("4 B · attached")).to_be_visible()
    lost.get_by_role("button", name="Remove carl@elsewhere.exa").click()

    # It goes on being sent while something else is looked at, however long that takes.
    held: list[Route] = []
    lost.route("**/api/send_mail", lambda route: held.append(route))
    lost.get_by_role("button", name="Send", exact=True).click()
    wait_until_so(lost, lambda: held)
    lost.get_by_role("link", name="Inbox", exact=True).click()
    expect(lost.locator(".compose")).to_have_count(0)
    held[0].continue_()
    expect(lost.get_by_text("On its way: Half a letter, and more")).to_be_visible()
    lost.get_by_role("link", name="Sent").click()
    expect(sent_item(lost, "Half a letter, and more")).to_contain_text("Held")
    expect(lost.get_by_role("link", name="Drafts").locator(".count")).to_have_count(0)


def test_a_mail_that_cannot_go_stays_and_goes_once_when_it_can(
    visit: Visits, service: RunningService
) -> None:
    bob, bob_token = service.open_address()
    person = visit()
    person.address()
    page = person.page
    page.keyboard.press("c")
    recipient(page, "Add recipient", bob)
    page.get_by_label("Subject").fill("Only once")
    page.get_by_label("Message text").fill("Written with care")
    # The service takes the mail, and its answer is lost on the way.
    page.route("**/api/send_mail", lambda route: (route.fetch(), route.abort())[1])
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text(
        "The mail is not sent, but it is safe in Drafts."
    )
    page.unroute("**/api/send_mail")
    expect(page.get_by_label("Message text")).to_have_value("Written with care")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(sent_item(page, "Only once")).to_contain_text("Delivered")
    person.complaints.clear()  # the browser notes the lost answer
    service.wait_for_mail(bob_token, subject=quote("Only once"))
    assert service.get("/api/inbox", token=bob_token).json()["count"] == 1
    assert service.get("/api/sent", token=person.token()).json()["count"] == 1


def test_the_story_of_a_mail_tells_tries_and_the_reply(
    visit: Visits, service: RunningService
) -> None:
    bob, _ = service.open_address()
    person = visit()
    person.address()
    page = person.page
    page.keyboard.press("c")
    recipient(page, "Add recipient", f"{bob}, someone@elsewhere.example")
    page.get_by_label("Subject").fill("What becomes of it")
    page.get_by_label("Message text").fill("x")
    page.get_by_role("button", name="Send", exact=True).click()
    page.get_by_role("link", name="What becomes of it").click()
    story = page.locator(".drawer")
    expect(story).to_contain_text("This service is set to send nothing to other hosts.")
    expect(story.locator(".who-got li", has_text=bob)).to_contain_text("Delivered")
    expect(story.locator(".talk")).to_contain_text(f"RCPT TO:<{bob}>")
    expect(story.locator(".talk")).to_contain_text("250 2.1.5")


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_writing_and_sent_mail_are_accessible_and_never_scroll_sideways(
    visit: Visits, size: tuple[int, int], theme: Theme
) -> None:
    person = visit(size=size, theme=theme)
    address = person.address()
    page = person.page

    def judge() -> None:
        assert person.accessibility_faults() == []
        assert person.sideways() <= 0

    page.keyboard.press("c")
    recipient(page, "Add recipient", "p.okafor@northlane")
    recipient(page, "Add recipient", f"a.very.long.name.indeed.of.somebody@{'long.' * 20}example")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    judge()
    page.get_by_role("button", name="Remove p.okafor@northlane").click()
    recipient(page, "Add recipient", address)
    page.get_by_label("Message text").fill("x")
    page.get_by_label("Subject").fill("Donaudampfschifffahrt" * 6)
    page.get_by_role("button", name="Send", exact=True).click()
    item = page.locator(".sent-item")
    expect(item).to_contain_text("Delivered")
    judge()
    item.locator("a").click()
    expect(page.locator(".drawer .talk")).to_be_visible()
    judge()
    person.open("/#/drafts")
    expect(page.get_by_role("heading", name="No drafts")).to_be_visible()
    judge()
    person.open("/#/connect")
    expect(page.get_by_role("heading", name="Connect a program")).to_be_visible()
    judge()

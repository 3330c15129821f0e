"""Several mails at once, simple mode, and the settings of a mailbox."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import expect

from tests.journeys.browser import LOOKS, Theme, Visit, Visits, message, row
from tests.journeys.running import RunningService, running

pytest_plugins = ["tests.journeys.visiting"]

MOST_MAILS = 5


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service whose mailboxes answer by themselves, tell programs, forward, and may be full."""
    yield from running(
        tmp_path_factory.mktemp("service"),
        enable_auto_reply=True,
        enable_owner_forwarding=True,
        mailbox_max_mails=MOST_MAILS,
        enable_webhook=True,
        webhook_private_addresses=True,
    )


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[bytes]]]:
    """A program that is told: its address and what it was told."""
    heard: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", heard
    server.shutdown()
    thread.join()
    server.server_close()


def with_mails(person: Visit, count: int) -> str:
    address = person.address()
    person.settled()
    for number in range(count):
        person.service.deliver(address, message(f"Letter {number}", f"Text {number}"))
        expect(row(person.page, f"Letter {number}")).to_be_visible()
    return address


def test_several_mails_are_deleted_at_once_and_can_be_taken_back(visit: Visits) -> None:
    person = visit()
    with_mails(person, 4)
    page = person.page
    page.get_by_role("button", name="Select several").click()
    page.get_by_label("Select Letter 1").check()
    page.get_by_label("Select Letter 3").check()
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.get_by_role("button", name="Delete", exact=True).first.click()
    expect(row(page, "Letter 3")).to_have_count(0)
    expect(row(page, "Letter 2")).to_be_visible()
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(row(page, "Letter 3")).to_be_visible()
    # By the keyboard alone: x takes in, # deletes, Escape ends.
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.keyboard.press("#")
    expect(page.locator(".toast")).to_contain_text("2 mails deleted")
    expect(page.locator(".row")).to_have_count(2)


def test_all_chosen_mails_come_as_one_zip_byte_for_byte(
    visit: Visits, service: RunningService, tmp_path: Path
) -> None:
    person = visit()
    with_mails(person, 3)
    page = person.page
    page.get_by_role("button", name="Select several").click()
    page.get_by_label("Select all").check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as zip").click()
    target = tmp_path / "mails.zip"
    download.value.save_as(target)
    rows = service.get("/api/inbox", token=person.token()).json()["results"]
    with zipfile.ZipFile(io.BytesIO(target.read_bytes())) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["Letter 0.eml", "Letter 1.eml", "Letter 2.eml"]
        for one in rows:
            raw = service.raw(person.token(), one["id"])
            assert archive.read(f"{one['subject']}.eml") == raw


def test_simple_mode_shows_the_newest_mail_and_steps(visit: Visits) -> None:
    person = visit()
    address = with_mails(person, 2)
    page = person.page
    page.get_by_role("link", name="Mailbox settings").click()
    page.get_by_label("Simple mode").check()
    person.open("/#/")
    expect(page.locator(".simple h1")).to_have_text(address)
    expect(page.get_by_role("heading", name="Letter 1")).to_be_visible()
    page.get_by_role("button", name="Older (J)").click()
    expect(page.get_by_role("heading", name="Letter 0")).to_be_visible()
    person.open("/")
    person.settled()
    person.service.deliver(address, message("The newest"))
    expect(page.get_by_role("heading", name="The newest")).to_be_visible()
    page.get_by_role("button", name="Leave simple mode").click()
    expect(page.locator(".row")).to_have_count(3)


def test_an_automatic_reply_is_kept(visit: Visits, service: RunningService) -> None:
    person = visit()
    person.address()
    person.open("/#/settings")
    page = person.page
    page.get_by_label("Answer by itself").check()
    page.get_by_label("Subject", exact=True).fill("Away")
    page.get_by_label("Message text").fill("Back on Monday.")
    page.get_by_role("button", name="Save", exact=True).first.click()
    expect(page.locator(".toast")).to_contain_text("Saved")
    kept = service.get("/api/auto_reply", token=person.token()).json()
    assert (kept["enabled"], kept["subject"], kept["message"]) == (True, "Away", "Back on Monday.")
    page.reload()
    expect(page.get_by_label("Message text")).to_have_value("Back on Monday.")


def test_mail_goes_on_to_an_address_that_is_proved_by_a_code(
    visit: Visits, service: RunningService
) -> None:
    other, other_token = service.open_address()
    person = visit()
    address = person.address()
    person.open("/#/settings")
    page = person.page
    target = page.get_by_label("Forward to")
    for written, trouble in (
        ("me", "Write a whole address, such as ann@mail.example."),
        (address, "This is the address itself."),
    ):
        target.fill(written)
        target.press("Enter")
        expect(page.get_by_role("alert")).to_have_text(trouble)
        expect(target).to_have_attribute("aria-invalid", "true")
    target.fill(other)
    target.press("Enter")
    expect(page.get_by_text(f"A code was mailed to {other}.")).to_contain_text("for 5 more tries")
    code = page.get_by_label("Code from that mail")
    code.fill("1234")
    code.press("Enter")
    expect(page.get_by_text("The code has eight digits.")).to_be_visible()
    mailed = service.wait_for_mail(other_token, codes="1")["code"]
    code.fill("11111111" if mailed != "11111111" else "22222222")
    code.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The code is wrong, was used, or has ended.")
    expect(page.get_by_text(f"A code was mailed to {other}.")).to_contain_text("for 4 more tries")
    assert person.accessibility_faults() == []
    person.complaints.clear()  # the browser notes the refusal
    code.fill(f" {mailed[:4]} {mailed[4:]} ")
    code.press("Enter")
    expect(page.get_by_text(f"Mail goes on to {other}, since")).to_be_visible()
    service.deliver(address, message("To be passed on"))
    service.wait_for_mail(other_token, subject="passed")
    # Another target waits for its code while the first one gets the mail.
    page.get_by_role("button", name="Another address").click()
    third, _ = service.open_address()
    target.fill(third)
    target.press("Enter")
    expect(page.get_by_text(f"Until you enter it, mail goes on to {other}")).to_be_visible()
    page.get_by_role("button", name="Stop forwarding").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop forwarding").click()
    expect(target).to_be_visible()
    assert service.get("/api/forwarding", token=person.token()).json()["state"] == "off"


def test_a_full_mailbox_says_so_until_something_is_deleted(
    visit: Visits, service: RunningService
) -> None:
    person = visit()
    with_mails(person, MOST_MAILS)
    page = person.page
    full = page.get_by_text(f"This mailbox is full: {MOST_MAILS} of {MOST_MAILS} mails.")
    expect(full).to_be_visible()
    assert person.accessibility_faults() == []
    page.get_by_role("link", name="How full it is").click()
    room = page.get_by_role("region", name="Room in this mailbox")
    expect(room.get_by_role("progressbar", name="Mails")).to_have_attribute("max", str(MOST_MAILS))
    expect(room).to_contain_text(f"{MOST_MAILS} of {MOST_MAILS}")
    assert person.accessibility_faults() == []
    newest = service.get("/api/inbox", token=person.token()).json()["results"][0]["id"]
    assert service.call("DELETE", f"/api/mails/{newest}", token=person.token()).status == 200
    expect(room).to_contain_text(f"{MOST_MAILS - 1} of {MOST_MAILS}")
    person.open("/#/")
    expect(page.locator(".row")).to_have_count(MOST_MAILS - 1)
    expect(full).to_have_count(0)


def test_a_webhook_begins_with_ready_settings_is_tested_and_tells_of_mail(
    visit: Visits, service: RunningService, receiver: tuple[str, list[bytes]]
) -> None:
    url, heard = receiver
    person = visit()
    address = person.address()
    person.open("/#/settings")
    page = person.page
    page.get_by_label("Ready settings").select_option("Discord")
    expect(page.get_by_label("Web address")).to_have_value(
        "https://discord.com/api/webhooks/ID/TOKEN"
    )
    page.get_by_label("Web address").fill(url)
    page.get_by_label("Tell a program").check()
    page.get_by_label("Header fields, as JSON").fill("{")
    expect(page.get_by_text("This is no JSON object.")).to_be_visible()
    page.get_by_label("Header fields, as JSON").fill('{"Content-Type": "application/json"}')
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text("The receiver took the test.")).to_be_visible()
    assert "content" in json.loads(heard[0])
    page.get_by_text("Only about some mail").click()
    subject = page.get_by_label("Subject fits a pattern")
    subject.fill("(")
    expect(page.get_by_text("This pattern cannot be read.")).to_be_visible()
    expect(page.get_by_role("button", name="Send a test")).to_be_disabled()
    subject.fill("^for the PROGRAM")
    page.get_by_label("A code in it").select_option("only without")
    page.get_by_label("DMARC").select_option("not failed")
    page.get_by_label("DMARC").select_option("does not matter")
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text("Not met: Subject fits a pattern.")).to_be_visible()
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page.locator(".toast")).to_contain_text("Saved")
    kept = service.get("/api/webhook/settings", token=person.token()).json()
    assert kept["conditions"] == {"subject": "^for the PROGRAM", "has_code": False}
    service.deliver(address, message("Of no interest"))
    service.deliver(address, message("For the program"))
    service.wait_for_mail(person.token(), subject="program")

    def told() -> bool:
        page.reload()
        page.locator(".log summary, .form").last.wait_for()
        return page.locator(".log .state.good").count() > 0

    for _ in range(20):
        if told():
            break
    expect(page.locator(".log .state.good").first).to_have_text("Taken")
    assert any(b"For the program" in body for body in heard)
    assert not any(b"Of no interest" in body for body in heard)
    expect(page.get_by_text("2 conditions")).to_be_visible()
    # What was set by a program and cannot be read stays until somebody begins anew.
    broken = {**kept, "conditions": {"sender": ["a@b.test"]}}
    assert service.post("/api/webhook/settings", broken, token=person.token()).status == 200
    page.reload()
    expect(page.get_by_text("no mail meets them")).to_be_visible()
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page.locator(".toast")).to_contain_text("Saved")
    left = service.get("/api/webhook/settings", token=person.token()).json()
    assert left["conditions"] == broken["conditions"]
    page.get_by_role("button", name="Begin anew").click()
    expect(page.get_by_label("Subject fits a pattern")).to_have_value("")


def test_the_link_as_a_qr_code_and_ready_lines_for_programs(visit: Visits) -> None:
    person = visit()
    address = person.address()
    person.open("/#/connect")
    page = person.page
    page.get_by_role("button", name="Show QR code").click()
    expect(page.get_by_role("img", name=f"QR code that opens {address}")).to_be_visible()
    for place in ("#imap", "#json"):
        page.locator(place).get_by_role("button").click()
        assert person.token() in person.clipboard()
    assert person.token() not in page.locator("main").inner_text()


def test_an_inbox_is_cleared_only_after_asking(visit: Visits, service: RunningService) -> None:
    person = visit()
    with_mails(person, 2)
    person.open("/#/settings")
    page = person.page
    page.get_by_role("button", name="Clear the inbox").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert service.get("/api/inbox", token=person.token()).json()["count"] == 2
    page.get_by_role("button", name="Clear the inbox").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".toast")).to_contain_text("The inbox is empty")
    assert service.get("/api/inbox", token=person.token()).json()["count"] == 0


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_settings_are_accessible_and_never_scroll_sideways(
    visit: Visits, size: tuple[int, int], theme: Theme
) -> None:
    person = visit(size=size, theme=theme)
    with_mails(person, 1)
    page = person.page
    page.get_by_role("button", name="Select several").click()
    page.get_by_label("Select Letter 0").check()
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0
    person.open("/#/settings")
    page.get_by_label("Ready settings").select_option("ntfy")
    page.get_by_text("Only about some mail").click()
    page.get_by_label("From these senders").fill("x" * 300)
    expect(page.get_by_text("A line may have 254 characters.")).to_be_visible()
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0
    page.get_by_label("Simple mode").check()
    person.open("/#/")
    expect(page.get_by_role("heading", name="Letter 0")).to_be_visible()
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0


def test_every_token_of_an_address_ends_and_this_browser_stays(
    visit: Visits, service: RunningService
) -> None:
    person = visit()
    person.address()
    old = person.token()
    person.open("/#/connect")
    page = person.page
    page.get_by_role("button", name="End every token").click()
    page.get_by_role("dialog").get_by_role("button", name="End every token").click()
    expect(page.get_by_text("Only the new token counts from now on")).to_be_visible()
    assert service.get("/api/settings", token=old).status == 400
    assert service.get("/api/settings", token=person.token()).status == 200
    person.complaints.clear()  # the open line of the old token ends


def test_a_password_of_ones_own_and_all_mail_as_a_file(
    visit: Visits, service: RunningService
) -> None:
    person = visit()
    address = person.address()
    person.settled()
    service.deliver(address, message("To be kept"))
    expect(row(person.page, "To be kept")).to_be_visible()
    person.open("/#/connect")
    page = person.page
    page.reload()  # the password of the first minute is shown no more
    page.get_by_role("button", name="Choose one yourself").click()
    page.get_by_label("Choose one yourself").fill("a pass word of my own")
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_text("The password is changed")).to_be_visible()
    with page.expect_download() as file:
        page.get_by_role("button", name="Download", exact=True).click()
    assert file.value.suggested_filename.endswith(".mbox")
    assert b"Subject: To be kept" in file.value.path().read_bytes()
    expect(page.get_by_text('"mcpServers"')).to_be_visible()
    other = visit()
    other.page.get_by_role("button", name="Open an address").click()
    dialog = other.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Address and password").click()
    dialog.get_by_label("Address", exact=True).fill(address)
    dialog.get_by_label("Password").fill("a pass word of my own")
    dialog.get_by_role("button", name="Open", exact=True).click()
    expect(row(other.page, "To be kept")).to_be_visible()

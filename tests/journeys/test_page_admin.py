"""The administration on the page: signing in, and the lists."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route, expect

from tests.journeys.administering import go, signed_in
from tests.journeys.browser import LOOKS, PHONE, Theme, Visit, Visits, message, read
from tests.journeys.running import ADMIN_PASSWORD, RunningService
from tests.letters import letter_with_files

pytest_plugins = ["tests.journeys.visiting"]


def test_a_wrong_password_is_told_and_the_right_one_is_forgotten_when_leaving(
    visit: Visits,
) -> None:
    person = visit(path="/admin")
    page = person.page
    page.get_by_label("Admin password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not the password")
    expect(page.get_by_label("Admin password")).to_be_focused()
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
        page.get_by_role("button", name="Open", exact=True).click()
        expect(page.get_by_role("dialog", name=f"{name}@y.test")).to_be_visible()
        page.keyboard.press("Escape")
    page.get_by_role("searchbox").fill("harbour")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Address", exact=True).dblclick()
    expect(page.locator("tbody .strong").first).to_have_text("harbour@y.test")
    page.get_by_label("Select all").check()
    page.locator(".bulk").get_by_role("button", name="Delete address", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete address").click()
    expect(page.get_by_text("Nothing with “harbour”.")).to_be_visible()
    found = service.get("/admin/address?limit=20&offset=0&query=harbour", admin=True).json()
    assert found["results"] == []


def test_a_later_page_is_counted_again_and_all_of_one_are_chosen_on_a_phone(
    visit: Visits, service: RunningService
) -> None:
    for at in range(22):
        service.open_address(f"fen{at}")
    page = signed_in(visit, "addresses", size=PHONE).page
    with page.expect_response("**/admin/address?*query=fen*"):
        page.get_by_role("searchbox").fill("fen")
    expect(page.locator(".card-foot")).to_contain_text("1–20 / 22")
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".card-foot")).to_contain_text("21–22 / 22")
    page.locator("tbody").get_by_role("checkbox").first.check()
    page.locator(".bulk").get_by_role("button", name="Delete address", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete address").click()
    expect(page.locator(".card-foot")).to_contain_text("21–21 / 21")
    page.get_by_role("button", name="Previous").click()
    expect(page.locator("tbody tr")).to_have_count(20)
    page.locator("tbody").get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Select all").click()
    expect(page.locator(".bulk")).to_contain_text("20 selected")


def test_many_addresses_are_opened_at_once_and_end_by_themselves(
    visit: Visits, service: RunningService
) -> None:
    page = signed_in(visit, "addresses").page
    page.get_by_role("button", name="New address").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Several names").check()
    dialog.get_by_label("Names", exact=True).fill("reed\nrush\n")
    dialog.get_by_label("Lives").select_option("a day")
    dialog.get_by_role("button", name="Open", exact=True).click()
    expect(dialog.get_by_role("heading", name="2 addresses are open")).to_be_visible()
    expect(dialog.get_by_role("listitem")).to_have_count(2)
    page.keyboard.press("Escape")
    page.get_by_role("searchbox").fill("reed")
    row = page.locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("in 2")  # 24 or 23 hours
    page.get_by_role("button", name="More actions: reed@x.test").click()
    page.get_by_role("button", name="Change its end").click()
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text("Saved")
    (found,) = service.get("/admin/address?limit=20&offset=0&query=reed", admin=True).json()[
        "results"
    ]
    assert not found.get("expires_at")


def test_ending_all_keys_of_an_address_shows_the_new_one(
    visit: Visits, service: RunningService
) -> None:
    address, token = service.open_address("tideline")
    page = signed_in(visit, "addresses").page
    page.get_by_role("searchbox").fill(address)
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("button", name=f"More actions: {address}").click()
    page.get_by_role("button", name="End all its keys").click()
    page.get_by_role("dialog").get_by_role("button", name="End all its keys").click()
    expect(
        page.get_by_role("dialog", name=address).get_by_role("button", name="Copy Link")
    ).to_be_visible()
    assert service.get("/api/inbox", token=token).status == 401


def test_an_account_is_made_given_an_address_and_deleted(
    visit: Visits, service: RunningService
) -> None:
    address, _ = service.open_address("kestrel")
    person = signed_in(visit, "users")
    page = person.page
    page.get_by_role("button", name="New account").click()
    page.get_by_label("E-mail").fill("ann@mail.example")
    page.get_by_label("Password").fill("a long password")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Addresses: ann@mail.example").click()
    dialog = page.get_by_role("dialog", name="ann@mail.example")
    dialog.get_by_label("Give it another address").fill("nobody@x.test")
    dialog.get_by_role("button", name="Bind").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    expect(dialog.get_by_label("Give it another address")).to_have_value("nobody@x.test")
    dialog.get_by_label("Give it another address").fill(address)
    dialog.get_by_role("button", name="Bind").click()
    expect(dialog.get_by_role("link", name=address)).to_be_visible()
    dialog.get_by_role("button", name="Close").last.click()
    page.get_by_role("button", name="More actions: ann@mail.example").click()
    page.get_by_role("button", name="Delete account").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete account").click()
    expect(page.locator("tbody tr")).to_have_count(0)
    assert service.get("/admin/users?limit=20&offset=0", admin=True).json()["results"] == []
    person.complaints.clear()  # the browser notes the refusal


def test_mail_of_anybody_is_read_as_its_owner_reads_it(
    visit: Visits, service: RunningService
) -> None:
    address, token = service.open_address()
    service.deliver(address, letter_with_files())
    person = signed_in(visit)
    page = person.page
    page.get_by_role("link", name="Mails", exact=True).first.click()
    page.get_by_role("searchbox").fill(address)
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("Zoë")
    page.get_by_role("link", name="Büro").click()
    dialog = page.get_by_role("dialog", name="Büro")
    expect(dialog.locator(".facts")).to_contain_text("answers@far.example")
    expect(dialog.locator(".facts")).to_contain_text("Where it comes from")
    expect(dialog.frame_locator("iframe").locator("body")).to_contain_text("Grüße")
    # What lies elsewhere is held back, and counted.
    expect(dialog).to_contain_text("1 remote image blocked.")
    assert person.foreign_requests == []
    page.route("https://track.example/**", lambda route: route.fulfill(body=b""))
    with page.expect_request("https://track.example/x.png"):
        dialog.get_by_role("button", name="Show images").click()
    person.requests.clear()
    dialog.get_by_role("button", name="Show as text").click()
    expect(dialog.locator(".text")).to_have_text("Grüße")
    # A file of type HTML is looked at as its source, and saved as it is.
    dialog.get_by_role("button", name="evil.html", exact=True).click()
    looked = page.get_by_role("dialog", name="evil.html")
    expect(looked.locator("pre")).to_contain_text("<script>alert(1)</script>")
    page.keyboard.press("Escape")
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Download Rechnung Mai.pdf").click()
    assert read(download.value.path()) == b"\x00\x01\xff"
    dialog.get_by_role("button", name="Headers and raw source").click()
    source = page.get_by_role("dialog", name="Headers and raw source")
    expect(source).to_contain_text("<files@far.example>")
    with page.expect_download() as download:
        source.get_by_role("button", name="Download .eml").click()
    assert b"Rechnung Mai.pdf" in read(download.value.path())
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    # Its owner still finds it unread.
    assert service.get("/api/inbox", token=token).json()["unread"] == 1


def test_a_mail_that_anybody_sent_is_read_with_what_became_of_it(
    visit: Visits, service: RunningService
) -> None:
    address, token = service.open_address()
    draft = {
        "to_mail": ["bob@far.example"], "subject": "Plan", "is_html": True,
        "content": "<h1>Plan of the week</h1>",
    }  # fmt: skip
    assert service.post("/api/send_mail", draft, token=token).status == 200
    person = signed_in(visit, f"sent/{address}")
    page = person.page
    page.get_by_role("link", name="Plan", exact=True).click()
    dialog = page.get_by_role("dialog", name="Plan")
    expect(dialog.locator(".who-got")).to_contain_text("bob@far.example")
    expect(dialog.frame_locator("iframe").locator("h1")).to_have_text("Plan of the week")
    dialog.get_by_role("button", name="Headers and raw source").click()
    source = page.get_by_role("dialog", name="Headers and raw source")
    source.get_by_role("button", name="Raw source", exact=True).click()
    expect(source.locator("pre")).to_contain_text("Subject: Plan")
    # The way back closes what is open, and the list is as it was.
    page.keyboard.press("Escape")
    page.go_back()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("searchbox")).to_have_value(address)


def test_a_mail_is_written_in_the_name_of_any_address_and_nothing_is_lost_before(
    visit: Visits, service: RunningService
) -> None:
    person = signed_in(visit, "write")
    page = person.page
    page.get_by_label("name", exact=True).fill("news")
    page.get_by_label("Domain").select_option("y.test")
    page.get_by_label("Add recipient").fill("ann@far.example, ")
    page.get_by_label("Subject").fill("Opening hours")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The mail is empty")
    page.get_by_label("Message text").fill("We open at nine.")
    page.reload()
    expect(page.get_by_label("Message text")).to_have_value("We open at nine.")
    page.get_by_label("Attach files").set_input_files(
        {"name": "hours.txt", "mimeType": "text/plain", "buffer": b"nine to five"}
    )
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("heading", name="Queue")).to_be_visible()
    (row,) = service.get("/admin/queue?recipient=ann@far.example", admin=True).json()["results"]
    assert (row["sender"], row["subject"]) == ("news@y.test", "Opening hours")
    go(person, "write")
    expect(page.get_by_label("Message text")).to_have_value("")


def test_the_sending_api_is_kept_on_the_page(visit: Visits, service: RunningService) -> None:
    person = signed_in(visit, "logins")
    page = person.page
    page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Description").fill("Harbour shop")
    # Closed by the way, what was typed is there again.
    page.keyboard.press("Escape")
    page.get_by_role("button", name="New key").click()
    expect(dialog.get_by_label("Description")).to_have_value("Harbour shop")
    dialog.get_by_label("/suppression/*").check()
    dialog.get_by_text("More settings").click()
    dialog.get_by_label("Bounces go to").fill("nobody at all")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    expect(dialog.get_by_label("Bounces go to")).to_be_focused()
    dialog.get_by_label("Bounces go to").fill("drop")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("Shown once. Copy it now")).to_be_visible()
    key = dialog.locator("code").inner_text()
    dialog.get_by_role("button", name="Close").last.click()
    proof = {"x-smtp2go-api-key": key}
    body = {"email_address": "ann@far.test", "block_description": "asked by phone"}
    assert service.post("/v3/suppression/add", body, headers=proof).status == 200
    row = page.locator("tbody tr", has_text="Harbour shop")
    row.get_by_role("button", name="Harbour shop", exact=True).click()
    dialog.get_by_label("State").select_option("blocked")
    dialog.get_by_role("button", name="Save").click()
    expect(row.get_by_text("Blocked")).to_be_visible()
    assert service.post("/v3/suppression/view", {}, headers=proof).status == 401
    go(person, "suppressions")
    page.get_by_role("searchbox").fill("phone")
    page.get_by_role("searchbox").fill("ann@")
    page.get_by_role("button", name="Release: ann@far.test").click()
    # No answer is told in the words of the page, as everywhere.
    page.route("**/admin/sending/suppression/remove", lambda route: route.abort())
    dialog.get_by_role("button", name="Release").click()
    expect(page.locator(".toast", has_text="Check the connection")).to_have_count(1)
    page.unroute("**/admin/sending/suppression/remove")
    dialog.get_by_role("button", name="Release").click()
    expect(page.get_by_text("Nothing with “ann@”.")).to_be_visible()
    page.get_by_role("button", name="Add").click()
    who = dialog.get_by_label("Addresses or domains")
    who.fill("bo@far.test\nno address")
    dialog.get_by_role("button", name="Save").click()
    # What was taken is done, and the rest stays to be mended.
    expect(who).to_have_value("no address")
    expect(dialog.get_by_role("alert")).to_contain_text("no address")
    dialog.get_by_role("button", name="Cancel").click()
    release_together(person, service)
    go(person, "rules/api-ips")
    # Who would lock themselves out is told so, and the list is as it was.
    page.get_by_label("This list").select_option("true")
    expect(page.locator(".toast", has_text="locked out")).to_be_visible()
    expect(page.get_by_label("This list")).to_have_value("false")
    go(person, "figures")
    expect(page.get_by_text("Nothing was sent in this period.")).to_be_visible()
    go(person, "audit")
    expect(page.locator("tbody tr", has_text="API keys changed").first).to_be_visible()
    person.complaints.clear()  # the browser notes each refusal


def release_together(person: Visit, service: RunningService) -> None:
    """Marked suppressions are released together; one that is refused is named and tried again."""
    page = person.page
    dialog = page.get_by_role("dialog")
    wrong = [f"wrong{at}@far.test" for at in range(6)]
    added = service.post(
        "/admin/sending/suppression/add",
        {"email_address": wrong},
        headers={"x-admin-auth": ADMIN_PASSWORD},
    )
    assert added.status == 200
    page.get_by_role("searchbox").fill("")
    page.get_by_role("button", name="Refresh").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(7)
    page.get_by_role("checkbox", name="Select all").check()
    page.get_by_role("checkbox", name="Select bo@far.test").press("Space")
    expect(page.get_by_role("status").filter(has_text="6 selected")).to_be_visible()
    bulk = page.locator(".bulk")
    bulk.get_by_role("button", name="Release").click()
    expect(dialog.get_by_role("heading", name="Release 6 entries?")).to_be_visible()
    assert person.accessibility_faults() == []
    sent: list[str] = []

    def busy(route: Route) -> None:
        whose = (route.request.post_data_json or {})["email_address"]
        sent.append(whose)
        if whose == wrong[3]:
            route.fulfill(status=503, body="The store is busy")
        else:
            route.continue_()

    page.route("**/admin/sending/suppression/remove", busy)
    dialog.get_by_role("button", name="Release").dblclick()
    expect(dialog.get_by_role("alert")).to_contain_text("1 entry could not be released")
    expect(dialog.get_by_text("5 entries released.")).to_be_visible()
    expect(dialog.get_by_text("The store is busy")).to_be_visible()
    expect(dialog.get_by_role("listitem")).to_have_text([wrong[3]])
    # The list below is what there is now, and what is left is still marked.
    expect(rows).to_have_count(2)
    expect(bulk).to_contain_text("1 selected")
    assert sorted(sent) == wrong
    expect(dialog.get_by_role("button", name="Close").last).to_be_focused()
    assert person.accessibility_faults() == []
    page.unroute("**/admin/sending/suppression/remove")
    dialog.get_by_role("button", name="Try again").click()
    expect(dialog).to_have_count(0)
    expect(page.locator(".toast", has_text="1 entry released.")).to_be_visible()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("bo@far.test")
    expect(bulk).to_have_count(0)
    expect(page.get_by_role("region", name="Suppressions")).to_be_focused()


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_the_lists_are_accessible_and_never_scroll_sideways(
    visit: Visits, service: RunningService, size: tuple[int, int], theme: Theme
) -> None:
    address, _ = service.open_address()
    service.deliver(address, message("A subject that is longer than a line of the smallest screen"))
    visitor = visit(size=size, theme=theme, path="/admin")
    visitor.page.get_by_label("Admin password").wait_for()
    assert visitor.accessibility_faults() == []
    assert visitor.sideways() <= 0
    visitor.complaints.clear()
    person = signed_in(visit, size=size, theme=theme)
    for place in ("addresses", "users", "mails", "unknown", "sent", "senders", "write"):
        go(person, place)
        person.page.locator("#main :is(.card-foot, form)").first.wait_for()
        assert person.accessibility_faults() == [], place
        assert person.sideways() <= 0, place
    go(person, f"mails/{address}")
    person.page.locator("tbody a").first.click()
    person.page.get_by_role("dialog").locator(".text").wait_for()
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0
    go(person, "addresses")
    person.page.get_by_role("button", name="New address").click()
    person.page.get_by_role("dialog").wait_for()
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0

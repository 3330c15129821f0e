"""How people like the page, what is announced to them, and files looked at and kept."""

from __future__ import annotations

import email.message
import email.policy
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.journeys.browser import LOOKS, Theme, Visit, Visits, message, row, wait_until
from tests.journeys.running import ADMIN_PASSWORD, RunningService, running

pytest_plugins = ["tests.journeys.visiting"]

ANNOUNCED = (
    "<b>Moving house</b> on Friday. <a href='https://status.example/'>More</a>"
    "<img src='https://spy.example/a.png' onerror=alert(1)><script>alert(2)</script>"
    "<a href='javascript:alert(3)'>odd</a>"
)
# One pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d494844520000000100000001080600000"
    "01f15c4890000000d49444154789c6360f8cfc0500f0004860180e5a5d9d80000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def announcing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    yield from running(
        tmp_path_factory.mktemp("announcing"),
        announcement=ANNOUNCED,
        title="Post office",
        admin_contact="hello@x.test",
        copyright="The <b>office</b>, 2026<img src=x onerror=alert(4)>",
        status_url="https://status.example/",
        repository_url="https://code.example/mailbox",
        disable_show_github_for_user=True,
        enable_index_about=True,
    )


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that keeps files, and gives out addresses below a domain."""
    yield from running(
        tmp_path_factory.mktemp("keeping"),
        local_attachments=True,
        random_subdomain_domains=["x.test"],
    )


def with_files() -> bytes:
    letter = email.message.EmailMessage()
    letter["From"] = "Ann <ann@sender.example>"
    letter["To"] = "you@x.test"
    letter["Subject"] = "Files"
    letter.set_content("See the files.")
    letter.add_attachment(b"one,two\n1,2\n", maintype="text", subtype="csv", filename="table.csv")
    letter.add_attachment(PNG, maintype="image", subtype="png", filename="dot.png")
    page = b"<script>parent.document.title='owned'</script><b>bold</b>"
    letter.add_attachment(page, maintype="text", subtype="html", filename="page.html")
    drawing = b"<svg xmlns='http://www.w3.org/2000/svg' onload=\"alert(1)\"/>"
    letter.add_attachment(drawing, maintype="image", subtype="svg+xml", filename="drawing.svg")
    letter.add_attachment(b"%PDF-1.4\n", maintype="application", subtype="pdf", filename="a.pdf")
    letter.add_attachment(b"\0\1", maintype="application", subtype="zip", filename="b.zip")
    return letter.as_bytes(policy=email.policy.SMTP)


def opened(visit: Visits, service: RunningService, **look: object) -> Visit:
    address, token = service.open_address()
    service.deliver(address, with_files())
    mail = service.wait_for_mail(token)
    person = visit(at=service, path=f"/?jwt={token}&mail_id={mail['id']}", **look)
    expect(person.page.locator("#mail-subject")).to_have_text("Files")
    return person


def test_an_announcement_is_said_once_and_only_its_words(
    visit: Visits, announcing: RunningService
) -> None:
    person = visit(at=announcing)
    page = person.page
    dialog = page.get_by_role("dialog", name="Announcement")
    expect(dialog).to_contain_text("Moving house on Friday.")
    expect(dialog.get_by_role("link", name="More")).to_have_attribute("target", "_blank")
    assert dialog.locator("img, script, [href^='javascript']").count() == 0
    assert person.accessibility_faults() == []
    dialog.get_by_role("button", name="Close").last.click()
    expect(page).to_have_title(f"{person.address()} · Post office")
    page.reload()
    person.settled()
    expect(dialog).to_have_count(0)
    # The cleaner reads the markup in a document of its own, whose policy reports what it stopped.
    assert [one for one in person.complaints if "Content Security Policy" not in one] == []
    person.complaints.clear()


def test_the_places_lead_to_state_source_and_administration_of_whoever_may_see_them(
    visit: Visits, announcing: RunningService
) -> None:
    person = visit(at=announcing)
    page = person.page
    page.get_by_role("button", name="Close").last.click()
    person.address()
    places = page.get_by_role("navigation", name="Mailbox", exact=True)
    expect(places).to_contain_text("The office, 2026")
    assert places.locator("b", has_text="office").count() == 1
    assert places.locator("[onerror]").count() == 0
    expect(places.get_by_role("link", name="Is it running well?")).to_have_attribute(
        "href", "https://status.example/"
    )
    # Here only administrators see where the source is.
    for name in ("Administration", "Source code"):
        assert places.get_by_role("link", name=name).count() == 0
    assert person.accessibility_faults() == []
    page.goto(announcing.url + "/admin")
    page.get_by_label("Admin password").fill(ADMIN_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.locator(".figure").first.wait_for()
    page.goto(announcing.url + "/")
    expect(places.get_by_role("link", name="Source code")).to_have_attribute(
        "href", "https://code.example/mailbox"
    )
    places.get_by_role("link", name="Administration").press("Enter")
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
    person.complaints.clear()  # the cleaner's document, and a password that was asked for


def test_about_tells_who_runs_it_and_five_presses_on_the_mark_lead_to_the_administration(
    visit: Visits, announcing: RunningService
) -> None:
    person = visit(at=announcing)
    page = person.page
    page.get_by_role("button", name="Close").last.click()
    person.address()
    # A place of its own, where the service is to tell of itself; beside it, not among settings.
    page.get_by_role("link", name="About", exact=True).press("Enter")
    expect(page.get_by_role("heading", name="About this service", level=1)).to_be_visible()
    about = page.get_by_role("region", name="About this service")
    expect(about).to_contain_text("Post office, version v")
    expect(about).to_contain_text("MIT licence")
    assert person.accessibility_faults() == []
    expect(about).to_contain_text("hello@x.test")
    expect(about).to_contain_text("The office, 2026")
    expect(about.get_by_role("link", name="Is it running well?")).to_have_attribute(
        "href", "https://status.example/"
    )
    page.get_by_role("link", name="Mailbox settings").click()
    expect(page.get_by_role("heading", name="Mailbox settings")).to_be_visible()
    expect(about).to_have_count(0)
    mark = page.locator(".rail .brand")
    for _ in range(5):
        mark.click(no_wait_after=True)
    page.wait_for_url("**/admin**")
    person.complaints.clear()


def test_an_address_below_a_random_subdomain(visit: Visits, keeping: RunningService) -> None:
    person = visit(at=keeping)
    page = person.page
    person.address()
    # Where nobody asked for it, About is no place in the menu; the version leads there.
    assert page.get_by_role("link", name="About", exact=True).count() == 0
    page.locator(".rail-foot a.num").click()
    expect(page.get_by_role("heading", name="About this service", level=1)).to_be_visible()
    page.get_by_role("link", name="Mailbox settings").click()
    expect(page.get_by_role("region", name="About this service")).to_contain_text("version v")
    page.locator(".nav-title button").click()
    dialog = page.get_by_role("dialog", name="New address")
    dialog.get_by_role("button", name="Random", exact=True).click()
    assert len(dialog.get_by_label("Name").input_value()) == 10
    dialog.get_by_role("button", name="Random subdomain").click()
    dialog.get_by_role("button", name="Make an address").click()
    expect(page.locator(".hero-addr, .addr-now").first).to_contain_text(".x.test")


def test_pictures_and_texts_are_looked_at_and_documents_are_only_their_source(
    visit: Visits, keeping: RunningService
) -> None:
    """Hazard 35: HTML and SVG never open in our origin."""
    person = opened(visit, keeping)
    page = person.page
    dialog = page.get_by_role("dialog")

    def shown(name: str) -> None:
        page.get_by_role("button", name=name, exact=True).first.click()
        expect(dialog.get_by_role("heading", name=name)).to_be_visible()

    shown("table.csv")
    expect(dialog.locator("pre")).to_have_text("one,two\n1,2\n")
    assert person.accessibility_faults() == []
    dialog.get_by_role("button", name="Close").click()
    shown("dot.png")
    expect(dialog.locator("img")).to_be_visible()
    assert dialog.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)")
    dialog.get_by_role("button", name="Close").click()
    for name, words in (("page.html", "<b>bold</b>"), ("drawing.svg", "onload")):
        shown(name)
        expect(dialog.locator("pre")).to_contain_text(words)
        assert dialog.locator("iframe, object, embed, svg[onload]").count() == 0
        dialog.get_by_role("button", name="Close").click()
    assert page.title() != "owned"
    with page.expect_download() as file:
        page.get_by_role("button", name="b.zip", exact=True).first.click()
    assert file.value.suggested_filename == "b.zip"


def test_a_file_is_kept_beside_the_mail_and_found_in_the_settings(
    visit: Visits, keeping: RunningService
) -> None:
    person = opened(visit, keeping)
    page = person.page
    page.get_by_role("button", name="Keep table.csv beside the mail").click()
    expect(page.get_by_text("table.csv is kept")).to_be_visible()
    page.goto(keeping.url + "/#/settings")
    saved = page.get_by_role("region", name="Saved attachments")
    expect(saved).to_contain_text("table.csv")
    with page.expect_download() as file:
        saved.get_by_role("button", name="Download table.csv").click()
    assert file.value.path().read_bytes() == b"one,two\n1,2\n"


def test_the_list_looks_as_its_reader_wants_it(visit: Visits, service: RunningService) -> None:
    person = visit()
    address = person.address()
    person.settled()
    service.deliver(address, message("First of two", "many words of text " * 12))
    service.deliver(address, message("Second of two"))
    page = person.page
    expect(row(page, "First of two")).to_be_visible()
    height = "row => row.getBoundingClientRect().height"
    before = row(page, "First of two").evaluate(height)
    page.get_by_role("link", name="Mailbox settings").click()
    page.get_by_label("Lines of a mail in the list").select_option("4")
    page.get_by_label("Times in UTC").check()
    page.get_by_label("List over the whole width").check()
    page.get_by_label("Mails loaded at a time").select_option("20")
    assert person.accessibility_faults() == []
    page.get_by_role("link", name="Inbox").first.click()
    expect(row(page, "First of two")).to_be_visible()
    wait_until(
        page,
        "least => document.querySelectorAll('.row')[1]?.getBoundingClientRect().height > least",
        arg=before + 10,
    )
    expect(page.locator(".reader")).to_be_hidden()
    page.get_by_role("link", name="First of two").click()
    expect(page.locator("#mail-subject")).to_be_visible()
    expect(page.locator(".list")).to_be_hidden()
    page.get_by_role("button", name="Back to the list").click()
    with page.expect_request("**/api/inbox/brief?limit=20*"):
        page.reload()
    expect(page.locator(".app")).to_have_attribute("data-lines", "4")


def test_listing_twenty_mails_takes_eight_kilobytes_at_most(
    visit: Visits, service: RunningService
) -> None:
    address, token = service.open_address()
    for number in range(20):
        text = f"Dear reader, your code is 48{number:04}. " + "And so on for many words. " * 40
        service.deliver(address, message(f"Notes of the week, part {number}", text))
    service.wait_for_mail(token, subject="19")
    person = visit(path=None)
    with person.page.expect_response("**/api/inbox/brief**") as listing:
        person.open(f"/?jwt={token}")
    assert len(listing.value.json()["results"]) == 20
    assert len(listing.value.body()) <= 8_000


def test_nothing_jumps_while_mail_arrives(visit: Visits, service: RunningService) -> None:
    person = visit()
    address = person.address()
    person.settled()
    service.deliver(address, message("The first"))
    expect(row(person.page, "The first")).to_be_visible()
    person.page.evaluate(
        "new PerformanceObserver(list => { for (const shift of list.getEntries())"
        " if (!shift.hadRecentInput) window.shifted = (window.shifted ?? 0) + shift.value })"
        ".observe({ type: 'layout-shift' })"
    )
    for number in range(5):
        service.deliver(address, message(f"Mail {number}"))
        expect(row(person.page, f"Mail {number}")).to_be_visible()
    person.page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 100)))")
    assert person.page.evaluate("window.shifted ?? 0") <= 0.02


def test_a_sent_mail_is_deleted_and_can_come_back(visit: Visits, service: RunningService) -> None:
    _, token = service.open_address()
    other, _ = service.open_address()
    letter = {"to_mail": other, "subject": "Regretted", "content": "Hello"}
    assert service.post("/api/send_mail", letter, token=token).status == 200
    person = visit(path=f"/?jwt={token}#/sent")
    page = person.page
    page.get_by_role("link", name="Regretted").click()
    page.locator(".drawer").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("link", name="Regretted")).to_have_count(0)
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name="Regretted")).to_be_visible()
    page.get_by_role("link", name="Regretted").click()
    # It goes when the way back is closed.
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        page.locator(".drawer").get_by_role("button", name="Delete").click()
    page.reload()
    expect(page.get_by_role("heading", name="Nothing sent yet")).to_be_visible()


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_a_preview_is_accessible_and_never_scrolls_sideways(
    visit: Visits, keeping: RunningService, size: tuple[int, int], theme: Theme
) -> None:
    person = opened(visit, keeping, size=size, theme=theme)
    person.page.get_by_role("button", name="table.csv", exact=True).first.click()
    expect(person.page.get_by_role("dialog").locator("pre")).to_be_visible()
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0

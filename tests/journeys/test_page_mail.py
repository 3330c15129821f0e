"""Reading on the page: mail that comes by itself, codes, marks, search, files, deleting."""

from __future__ import annotations

import base64
import re
import time
from email import message_from_string
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browser import (
    DESK,
    LOOKS,
    SMALLEST,
    Theme,
    Visit,
    Visits,
    message,
    read,
    row,
)
from tests.journeys.running import RunningService

pytest_plugins = ["tests.journeys.visiting"]

PRESSED = ("aria-pressed", "true")
AT_ONCE_SECONDS = 1.0  # from the 250 to the row (ui.md, Jobs)
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def visit_with_mail(
    visit: Visits, *mails: bytes, size: tuple[int, int] = DESK, theme: Theme = "light"
) -> Visit:
    """A person whose mailbox holds these mails, newest last; none of them opened yet."""
    person = visit(size=size, theme=theme)
    address = person.address()
    person.settled()
    for content in mails:
        person.service.deliver(address, content)
    expect(person.page.locator(".row")).to_have_count(len(mails))
    return person


def note_when_it_appears(page: Page, subject: str) -> None:
    """Have the page note the moment at which a row with the subject stands in the list."""
    page.evaluate(
        """subject => {
            window.appeared = null;
            const look = () => {
                const rows = document.querySelector('.rows')?.textContent ?? '';
                if (rows.includes(subject)) window.appeared ??= Date.now() / 1000;
            };
            new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
        }""",
        subject,
    )


def test_mail_appears_by_itself_within_a_second_of_the_250(
    visit: Visits, service: RunningService
) -> None:
    person = visit_with_mail(visit, message("Before"))
    address = person.page.locator(".addr-now").get_attribute("title") or ""
    note_when_it_appears(person.page, "Comes by itself")
    service.deliver(address, message("Comes by itself"))
    accepted = time.time()
    expect(row(person.page, "Comes by itself")).to_be_visible()
    assert person.page.evaluate("window.appeared") - accepted < AT_ONCE_SECONDS
    assert person.clicks == 0


def test_new_mail_is_counted_in_the_title_and_spoken(visit: Visits) -> None:
    person = visit_with_mail(visit, message("Quiet words"))
    page = person.page
    expect(page).to_have_title("(1) " + (page.locator(".addr-now").get_attribute("title") or ""))
    expect(page.locator("p[aria-live]")).to_contain_text("New mail from Ann: Quiet words")
    assert (page.locator("#favicon").get_attribute("href") or "").endswith("favicon-unread.svg")
    page.get_by_role("link", name="Quiet words").click()
    expect(page.locator("#favicon")).to_have_attribute("href", "/favicon.svg")


def test_a_code_is_whole_in_the_list_and_one_click_copies_it(visit: Visits) -> None:
    person = visit_with_mail(
        visit,
        message(
            "Your sign-in code", "Your verification code is 482913. It is valid for 10 minutes."
        ),
    )
    chip = row(person.page, "Your sign-in code").locator(".code")
    expect(chip).to_have_text("482913")
    person.click(chip)
    assert person.clicks == 1
    expect(chip).to_contain_text("Copied")
    assert person.clipboard() == "482913"


def test_a_confirmation_link_is_one_click_and_tells_its_host(visit: Visits) -> None:
    link = "https://app.tideline.example/confirm?token=abc123"
    person = visit_with_mail(
        visit,
        message(
            "Confirm your e-mail address", f"Please confirm your e-mail address:\r\n\r\n{link}\r\n"
        ),
    )
    act = row(person.page, "Confirm your e-mail address").locator(".act")
    expect(act).to_have_attribute("href", link)
    expect(act).to_have_attribute("target", "_blank")
    assert "noopener" in (act.get_attribute("rel") or "")
    assert "app.tideline.example" in (act.get_attribute("title") or "")


def test_marks_are_kept_by_the_service_and_seen_by_another_window(visit: Visits) -> None:
    person = visit_with_mail(visit, message("Marked mail"))
    other = visit(path=f"/?jwt={person.token()}")
    expect(row(other.page, "Marked mail")).to_be_visible()
    other.settled()
    line = row(person.page, "Marked mail")
    line.hover()
    line.get_by_role("button", name="Star Marked mail").click()
    expect(row(other.page, "Marked mail").locator(".star")).to_have_attribute(
        "aria-pressed", "true"
    )
    person.page.get_by_role("link", name="Marked mail").click()
    expect(row(other.page, "Marked mail")).not_to_have_class(re.compile(r"\bunread\b"))
    person.page.keyboard.press("u")
    expect(row(other.page, "Marked mail")).to_contain_text("Unread:")
    person.page.reload()
    expect(row(person.page, "Marked mail").locator(".star")).to_have_attribute(
        "aria-pressed", "true"
    )


def test_a_deleted_mail_can_be_taken_back(visit: Visits) -> None:
    person = visit_with_mail(visit, message("Stays"), message("Goes and returns"))
    page = person.page
    page.get_by_role("link", name="Goes and returns").click()
    expect(page.locator("#mail-subject")).to_have_text("Goes and returns")
    page.keyboard.press("#")
    expect(row(page, "Goes and returns")).to_have_count(0)
    expect(page.locator("#mail-subject")).to_have_text("Stays")
    # The service still has it: lists that are read meanwhile count it no more.
    page.get_by_role("button", name="Unread").click()
    expect(row(page, "Stays")).to_have_count(0)
    page.get_by_role("button", name="All", exact=True).click()
    expect(row(page, "Stays")).to_be_visible()
    expect(row(page, "Goes and returns")).to_have_count(0)
    expect(page.locator(".list-head .num").first).to_have_text("1")
    page.get_by_role("button", name="Undo").click()
    expect(row(page, "Goes and returns")).to_be_visible()
    expect(page.locator(".list-head .num").first).to_have_text("2")
    page.reload()
    expect(row(page, "Goes and returns")).to_be_visible()


def test_a_deleted_mail_is_gone_when_the_page_is_left(visit: Visits) -> None:
    person = visit_with_mail(visit, message("Stays here"), message("Goes for good"))
    page, token = person.page, person.token()
    page.get_by_role("link", name="Goes for good").click()
    page.get_by_role("toolbar", name="Message").get_by_role("button", name="Delete").click()
    expect(row(page, "Goes for good")).to_have_count(0)
    page.goto("about:blank")
    gone = "not asked yet"
    deadline = time.monotonic() + 10
    while gone and time.monotonic() < deadline:
        mails = person.service.get("/api/inbox", token=token).json()["results"]
        gone = next((mail["subject"] for mail in mails if mail["subject"] == "Goes for good"), "")
    assert gone == ""


def test_the_search_box_looks_into_all_mail_on_the_service(visit: Visits) -> None:
    person = visit_with_mail(
        visit,
        message("Harbour invoice", "Number 4711"),
        message("Lake", "A word hidden in the text: lighthouse"),
        message("Other"),
    )
    page = person.page
    page.keyboard.press("/")
    page.keyboard.type("lighthouse")
    expect(page.locator(".row")).to_have_count(1)
    expect(row(page, "Lake")).to_be_visible()
    page.get_by_role("searchbox").fill("nothing like that")
    expect(page.get_by_text("No mail with “nothing like that”.")).to_be_visible()
    page.get_by_role("button", name="Clear search").click()
    expect(page.locator(".row")).to_have_count(3)


def test_filters_show_unread_codes_and_starred(visit: Visits) -> None:
    person = visit_with_mail(
        visit,
        message("Code mail", "Your verification code is 591734."),
        message("Read mail"),
        message("Star mail"),
    )
    page = person.page
    page.get_by_role("link", name="Read mail").click()
    expect(page.locator("#mail-subject")).to_have_text("Read mail")
    page.keyboard.press("j")
    page.keyboard.press("k")
    row(page, "Star mail").hover()
    page.get_by_role("button", name="Star Star mail").click()
    page.get_by_role("button", name="Unread").click()
    expect(row(page, "Read mail")).to_have_count(0)
    page.get_by_role("button", name="Codes").click()
    expect(page.locator(".row")).to_have_count(1)
    expect(row(page, "Code mail")).to_be_visible()
    page.get_by_role("link", name="Starred").click()
    expect(page.locator(".row")).to_have_count(1)
    expect(row(page, "Star mail")).to_be_visible()
    # It stays in sight without its star, and is counted until it goes.
    row(page, "Star mail").hover()
    page.get_by_role("button", name="Star Star mail").click()
    page.get_by_role("link", name="Star mail").focus()
    page.keyboard.press("#")
    expect(page.get_by_text("Nothing starred yet")).to_be_visible()
    expect(page.locator(".list-head .num")).to_have_text("0")


def test_the_keyboard_alone_reads_answers_and_goes_about(visit: Visits) -> None:
    person = visit_with_mail(visit, message("Older one"), message("Newer one"))
    page = person.page
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#mail-subject")).to_have_text("Older one")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.locator("#mail-subject")).to_have_text("Newer one")
    page.keyboard.press("r")
    expect(page.locator("#subject")).to_have_value("Re: Newer one")
    page.locator("#subject").blur()
    page.get_by_role("button", name="Close, keep draft").click()
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.get_by_role("heading", name="Sent", exact=True)).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Older mail")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("i")
    expect(row(page, "Newer one")).to_be_visible()
    # What has the focus is meant, and the focus goes on to the neighbour.
    page.get_by_role("link", name="Newer one").press("Enter")
    expect(page.locator("#mail-subject")).to_have_text("Newer one")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="Older one")).to_be_focused()
    page.keyboard.press("#")
    expect(row(page, "Older one")).to_have_count(0)
    expect(page.get_by_role("link", name="Newer one")).to_be_focused()
    expect(page.locator("#mail-subject")).to_have_text("Newer one")
    page.keyboard.press("z")
    expect(row(page, "Older one")).to_be_visible()
    # A box that is ticked is nothing that is typed into.
    page.get_by_role("button", name="Select several").press("Enter")
    page.get_by_label("Select Older one").press("Space")
    page.keyboard.press("#")
    expect(row(page, "Older one")).to_have_count(0)
    assert person.clicks == 0


FILES = {"ä b.bin": bytes(range(256)), "page.html": b"<script>alert(1)</script>"}
WITH_PICTURE = """\
From: Ann <ann@sender.example>
To: you@x.test
Subject: With files
Message-ID: <files@sender.example>
MIME-Version: 1.0
Content-Type: multipart/related; boundary=rrr

--rrr
Content-Type: text/html; charset=utf-8

<p>See the picture: <img src="cid:pic@sender.example" width="20" height="20" alt="inside"></p>
--rrr
Content-Type: image/png; name=inside.png
Content-ID: <pic@sender.example>
Content-Transfer-Encoding: base64

{picture}
--rrr--
"""


def mail_with_files() -> bytes:
    """HTML with a picture inside, and two files beside it."""
    inner = WITH_PICTURE.format(picture=base64.b64encode(PICTURE).decode())
    mail = message_from_string(inner, policy=SMTP)
    assert isinstance(mail, EmailMessage)
    mail.make_mixed()
    for name, content in FILES.items():
        kind = "html" if name.endswith(".html") else "octet-stream"
        maintype = "text" if kind == "html" else "application"
        mail.add_attachment(content, maintype=maintype, subtype=kind, filename=name)
    return mail.as_bytes()


def test_files_are_saved_whole_and_never_opened_in_our_origin(visit: Visits) -> None:
    """Hazard 35."""
    person = visit_with_mail(visit, mail_with_files())
    page = person.page
    page.get_by_role("link", name="With files").click()
    for name, content in (
        ("ä b.bin", bytes(range(256))),
        ("page.html", b"<script>alert(1)</script>"),
    ):
        with page.expect_download() as download:
            page.get_by_title(f"Download {name}").click()
        assert download.value.suggested_filename == name
        assert read(download.value.path()) == content
    assert len(person.context.pages) == 1


def test_pictures_that_the_mail_carries_are_shown_in_its_frame(visit: Visits) -> None:
    person = visit_with_mail(visit, mail_with_files())
    person.page.get_by_role("link", name="With files").click()
    picture = person.page.frame_locator("iframe").locator("img")
    expect(picture).to_have_attribute(
        "src", f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"
    )


def test_words_of_a_wide_table_stay_whole_on_the_smallest_screen(visit: Visits) -> None:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "ann@sender.example", "Figures"
    cells = "".join(f"<td>Quantity{at}</td>" for at in range(12))
    mail.set_content(f"<table><tr>{cells}</tr></table>", subtype="html")
    person = visit_with_mail(visit, mail.as_bytes(policy=SMTP), size=SMALLEST)
    person.page.get_by_role("link", name="Figures").click()
    cell = person.page.frame_locator("iframe").get_by_text("Quantity11").bounding_box()
    assert cell is not None
    assert cell["height"] < 40
    assert person.sideways() <= 0


def test_headers_and_raw_source_are_one_click_away(visit: Visits) -> None:
    content = message("Look inside", headers="X-Odd: <b>not bold</b>\r\n")
    person = visit_with_mail(visit, content)
    page = person.page
    page.get_by_role("link", name="Look inside").click()
    person.click(page.get_by_role("toolbar", name="Message").get_by_role("button", name="Raw"))
    expect(page.get_by_role("dialog")).to_contain_text("<b>not bold</b>")
    page.get_by_role("button", name="Raw source").click()
    expect(page.get_by_role("dialog")).to_contain_text("Subject: Look inside")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download .eml").click()
    mail = person.service.get("/api/inbox", token=person.token()).json()["results"][0]
    assert read(download.value.path()) == person.service.raw(person.token(), mail["id"])
    # The mail over the whole screen, what can be done with it beside it, and back by the same way.
    page.keyboard.press("Escape")
    for whole in (True, False):
        page.get_by_role("button", name="More actions").press("Enter")
        page.get_by_role("button", name="Whole screen").press("Enter")
        page.wait_for_function("whole => Boolean(document.fullscreenElement) === whole", arg=whole)
        expect(page.locator("#mail-subject")).to_be_visible()
        covers = "node => node.getBoundingClientRect().width === innerWidth"
        assert page.locator("article").first.evaluate(covers) is whole


def test_the_page_catches_up_after_the_service_was_away(
    visit: Visits, service: RunningService
) -> None:
    person = visit_with_mail(visit, message("Before the break"))
    address = person.page.locator(".addr-now").get_attribute("title") or ""
    asked: list[str] = []
    service.stop()
    try:
        expect(person.page.get_by_text("No connection.")).to_be_visible()
        person.page.on("request", lambda request: asked.append(request.url))
        row(person.page, "Before the break").get_by_role("link").click()
        expect(person.page.get_by_text("The mail could not be opened")).to_be_visible()
        expect(person.page.get_by_role("button", name="Try again")).to_be_visible()
    finally:
        service.start()
    # It is opened without another word, and nobody was asked in between.
    expect(person.page.locator("#mail-subject")).to_have_text("Before the break")
    assert len([url for url in asked if re.search(r"/api/inbox/\d+$", url)]) <= 3
    service.deliver(address, message("During the break"))
    expect(row(person.page, "During the break")).to_be_visible()
    person.settled()
    service.deliver(address, message("After the break"))
    expect(row(person.page, "After the break")).to_be_visible()
    expect(person.page.get_by_text("No connection.")).to_have_count(0)
    person.complaints.clear()  # the browser notes every try that failed


def test_mail_that_comes_while_reading_further_down_waits_behind_a_pill(visit: Visits) -> None:
    person = visit_with_mail(visit, *(message(f"Mail number {at:02}") for at in range(20)))
    page = person.page
    page.locator(".list-scroll").evaluate("list => list.scrollTo(0, 400)")
    address = page.locator(".addr-now").get_attribute("title") or ""
    person.service.deliver(address, message("One more"))
    pill = page.get_by_role("button", name="1 new mail")
    expect(pill).to_be_visible()
    expect(row(page, "One more")).to_have_count(0)
    pill.click()
    expect(row(page, "One more")).to_be_visible()


def test_at_least_twelve_rows_are_whole_in_a_window_of_800_pixels(visit: Visits) -> None:
    person = visit_with_mail(visit, *(message(f"Row {at}") for at in range(14)))
    whole = person.page.locator(".row").evaluate_all(
        "rows => rows.filter(row => row.getBoundingClientRect().bottom <= innerHeight).length"
    )
    assert whole >= 12


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_inbox_and_reader_are_accessible_and_never_scroll_sideways(
    visit: Visits, size: tuple[int, int], theme: Theme
) -> None:
    long_word = "Donaudampfschifffahrtsgesellschaft" * 4
    person = visit_with_mail(
        visit,
        message("Plain", f"{long_word} https://x.example/{long_word}"),
        message(long_word, "Your verification code is 204816."),
        mail_with_files(),
        size=size,
        theme=theme,
    )
    page = person.page
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0
    for subject in ("With files", "Plain"):
        page.get_by_role("link", name=subject).click()
        expect(page.locator("#mail-subject")).to_have_text(subject)
        assert person.accessibility_faults() == []
        assert person.sideways() <= 0
        if size != DESK:
            page.get_by_role("button", name="Back to the list").click()

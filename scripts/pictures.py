"""Pictures of the page for README and docs, taken from the running service.

`python -m scripts.pictures` starts a service of its own on loopback, fills it with mails as people
get them, and writes docs/pictures/. With `--all FOLDER` it takes every screen, light and dark, on a
desk and on a phone, for somebody to look at. It needs Chromium and the development environment.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from itertools import count
from pathlib import Path
from typing import Literal

import click
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.journeys.mini_app import TOKEN, launched, made
from tests.journeys.running import ADMIN_PASSWORD, RunningService
from tests.programs import ROOT, chromium

PICTURES = ROOT / "docs" / "pictures"
DESK = (1280, 800)
PHONE = (390, 844)
PATIENCE_MS = 30_000
Theme = Literal["light", "dark"]
NUMBERS = count(100)  # of people

# Sender, subject, text; the newest last. Names and hosts are invented.
LETTERS = (
    (
        "Lena Brandt <lena@northlane.example>",
        "Notes for Friday",
        "Hi, I moved the first part to "
        "ten. Could you bring the drawings? The room is the small one beside the library.",
    ),
    (
        "Ferrybank <no-reply@ferrybank.example>",
        "Your statement for October",
        "Your statement is ready. You find it in your account under Documents.",
    ),
    (
        "Harbour Cinema <tickets@harbour.example>",
        "Two tickets for Saturday",
        "Row 7, seats 11 and 12. Doors open at half past seven. Show this mail at the entrance.",
    ),
    (
        "Reading Room <hello@readingroom.example>",
        "Please confirm your address",
        "Welcome. One last step: https://readingroom.example/confirm?token=7f3a91c2d4",
    ),
    (
        "Paul Okafor <p.okafor@tide.example>",
        "Re: the boat in spring",
        "Sounds good to us. The yard keeps it dry until March, and the paint is paid for.",
    ),
    (
        "Parcel Post <news@parcel.example>",
        "Your parcel is on its way",
        "It left the depot this morning and should be with you on Tuesday between nine and noon.",
    ),
    (
        "Orchard <team@orchard.example>",
        "Reset your password",
        "Somebody asked for a new password. "
        "If it was you: https://orchard.example/reset/84c1f0a27be3",
    ),
    (
        "Mara Silva <mara@studio.example>",
        "Drawings, second version",
        "Both files are attached. I changed the stairs, everything else is as it was.",
    ),
    (
        "Northlane <security@northlane.example>",
        "Your sign-in code is 482913",
        "Your sign-in code "
        "is 482913. It is good for ten minutes. Nobody from Northlane will ask you for it.",
    ),
)
LETTER_OPEN = "Your week by the water"
HTML = """<table width="100%" cellpadding="0" style="background:#eef4f4"><tr><td align="center">
<table width="560" cellpadding="24" style="background:#ffffff;font-family:Georgia,serif">
<tr><td><h1 style="margin:0 0 8px;color:#0b5563">Your week by the water</h1>
<p>Dear guest,</p><p>your house is ready from <b>Saturday at four</b>. The key is in the box beside
the door; its number is the last four digits of your booking. There is wood for three evenings and
bread for the first morning.</p><p><a href="https://tidehouse.example/arrive" style="background:
#0b5563;color:#ffffff;padding:10px 18px;text-decoration:none;border-radius:6px">How to get there</a>
</p><p style="color:#5a6b6e">The boat may be used by anybody who can swim. We wish you calm weather.
</p><img src="https://tidehouse.example/house.jpg" width="512" height="60" alt="The house"></td>
</tr></table></td></tr></table>"""


def letter(sender: str, subject: str, text: str, html: str = "") -> EmailMessage:
    """A mail as its sender's program would write it."""
    made = EmailMessage(policy=SMTP)
    made["From"] = sender
    made["To"] = "you@inbox.example"
    made["Subject"] = subject
    made["Message-ID"] = f"<{abs(hash((sender, subject)))}@{sender.rpartition('@')[2].rstrip('>')}>"
    made.set_content(text)
    if html:
        made.add_alternative(html, subtype="html")
    return made


@dataclass(frozen=True)
class Scene:
    """A service with a mailbox in it."""

    service: RunningService
    address: str
    token: str

    def deliver(self, made: EmailMessage) -> None:
        self.service.deliver(self.address, made.as_bytes())

    def opened(self, fragment: str = "") -> str:
        """The page with the mailbox open."""
        return f"{self.service.url}/?jwt={self.token}{fragment}"


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """The service, running and filled."""
    settings = {
        "domains": ["inbox.example", "post.example"],
        "enable_webhook": True,
        "enable_auto_reply": True,
        "local_attachments": True,
        "outbound": "hold",
        "telegram_bot_token": TOKEN,
    }
    service = RunningService(folder / "service", settings)
    service.start()
    try:
        people = {"enable": True, "enableMailVerify": False, "maxAddressCount": 0}
        assert service.post("/admin/user_settings", people, admin=True).status == 200
        address, token = service.open_address("marlow.k7")
        found = Scene(service, address, token)
        for sender, subject, text in LETTERS:
            made = letter(sender, subject, text)
            if "attached" in text:
                made.add_attachment(b"%PDF-1.4\n" + b"0" * 480_000, maintype="application",
                                    subtype="pdf", filename="stairs, second.pdf")  # fmt: skip
                made.add_attachment("floor;metres\nground;61\nfirst;54\n", filename="areas.csv")
            found.deliver(made)
        found.deliver(letter("Tide House <stay@tidehouse.example>", LETTER_OPEN,
                             "Your house is ready from Saturday at four.", HTML))  # fmt: skip
        service.wait_for_mail(token, subject="week")
        write(service, token)
        yield found
    finally:
        service.stop()


def write(service: RunningService, token: str) -> None:
    """Some sent mail: one that stays in the house, and two that are held."""
    other, _ = service.open_address("lena")
    for to, subject in (
        ([other], "Friday at ten"),
        (["p.okafor@tide.example", "mara@studio.example"], "The boat in spring"),
        (["tickets@harbour.example"], "Could we have row six?"),
    ):
        body = {
            "to_mail": to,
            "subject": subject,
            "content": "As we said on the phone.",
            "is_html": False,
        }
        answer = service.post("/api/send_mail", body, token=token)
        assert answer.status == 200, answer.text


def first_visit(page: Page, found: Scene) -> None:
    page.goto(found.service.url)
    expect(page.locator(".hero-addr .at")).to_be_visible()
    page.locator(".live .pulse").first.wait_for(state="attached")


def inbox(page: Page, found: Scene) -> None:
    page.goto(found.opened())
    expect(page.locator(".row")).to_have_count(len(LETTERS) + 1)
    # The page is there, and not its frame alone.
    expect(page).not_to_have_url(re.compile("jwt="))
    expect(page.locator(".kept")).to_have_count(0)


def mail(page: Page, found: Scene) -> None:
    inbox(page, found)
    page.get_by_role("link", name=LETTER_OPEN).click()
    expect(page.frame_locator("iframe").get_by_text("Dear guest")).to_be_visible()


def files(page: Page, found: Scene) -> None:
    inbox(page, found)
    page.get_by_role("link", name="Drawings, second version").click()
    page.get_by_role("button", name="areas.csv", exact=True).click()
    expect(page.get_by_role("dialog").locator("pre")).to_be_visible()


def compose(page: Page, found: Scene) -> None:
    inbox(page, found)
    page.get_by_role("link", name="Notes for Friday").click()
    expect(page.locator("#mail-subject")).to_have_text("Notes for Friday")
    page.keyboard.press("r")
    text = page.get_by_role("textbox", name="Message text")
    text.fill("Hi Lena,\n\nI bring them. Is the projector still in that room?\n\nSee you at ten.")


def sent(page: Page, found: Scene) -> None:
    inbox(page, found)
    page.goto(found.service.url + "/#/sent")
    page.get_by_role("link", name="The boat in spring").click()
    expect(page.locator(".drawer")).to_be_visible()


def section(name: str) -> Callable[[Page, Scene], None]:
    def show(page: Page, found: Scene) -> None:
        inbox(page, found)
        page.goto(f"{found.service.url}/#/{name}")
        expect(page.locator(".page h1")).to_be_visible()

    return show


def simple(page: Page, found: Scene) -> None:
    inbox(page, found)
    page.evaluate("localStorage['mailbox.preferences'] = JSON.stringify({simple: true})")
    page.reload()
    expect(page.locator(".simple .reader-head")).to_be_visible()


def new_address(page: Page, found: Scene) -> None:
    inbox(page, found)
    page.locator("button[popovertarget='addresses']").click()
    page.locator("#addresses").get_by_role("button", name="New address").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def source(page: Page, found: Scene) -> None:
    mail(page, found)
    page.get_by_role("button", name="Raw", exact=True).locator("visible=true").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def account(page: Page, found: Scene) -> None:
    page.goto(found.service.url + "/user")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def account_at(place: str) -> Callable[[Page, Scene], None]:
    """A place of somebody who has an account, with the address of the scene in it."""

    def show(page: Page, found: Scene) -> None:
        inbox(page, found)
        page.goto(found.service.url + "/user")
        page.get_by_role("button", name="Register").first.click()
        page.get_by_label("E-mail").fill(f"marlow{next(NUMBERS)}@post.example")
        page.get_by_label("Password", exact=True).fill("a good pass word")
        page.locator("form").get_by_role("button", name="Register").last.click()
        expect(page.get_by_role("heading", name="Addresses", exact=True)).to_be_visible()
        page.goto(f"{found.service.url}/user#/{place}")
        expect(page.locator("#main h1")).to_be_visible()

    return show


def mini_app(page: Page, found: Scene) -> None:
    address, _ = made(found.service, next(NUMBERS))
    for sender, subject, text in LETTERS[-4:]:
        found.service.deliver(address, letter(sender, subject, text).as_bytes())
    page.goto(found.service.url + launched(person=next(NUMBERS) - 1))
    expect(page.locator("h1, h2, .row").first).to_be_visible()


def administration(page: Page, found: Scene) -> None:
    page.goto(found.service.url + "/admin")
    page.get_by_label("Admin password").fill(ADMIN_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def administration_at(place: str) -> Callable[[Page, Scene], None]:
    def show(page: Page, found: Scene) -> None:
        administration(page, found)
        page.goto(f"{found.service.url}/admin#/{place}")
        expect(page.locator("#main h1")).to_be_visible()
        page.wait_for_load_state("networkidle")

    return show


def refused(page: Page, found: Scene) -> None:
    """The mailbox of a key that is no good any more."""
    page.goto(f"{found.service.url}/?jwt={found.token[:-4]}AAAA")
    page.wait_for_load_state("networkidle")


def shortcuts(page: Page, found: Scene) -> None:
    inbox(page, found)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


SCREENS: dict[str, Callable[[Page, Scene], None]] = {
    "first-visit": first_visit, "inbox": inbox, "mail": mail, "files": files, "compose": compose,
    "sent": sent, "connect": section("connect"), "settings": section("settings"),
    "simple": simple, "new-address": new_address, "source": source, "account": account,
    "account-addresses": account_at("addresses"), "account-inbox": account_at("inbox"),
    "account-passkeys": account_at("passkeys"),
    "shortcuts": shortcuts, "refused": refused, "mini-app": mini_app,
    "administration": administration,
    **{
        f"administration-{place}": administration_at(place)
        for place in (
            *("queue", "mails", "unknown", "sent", "write", "addresses", "users", "senders"),
            *("domains", "webhooks", "settings", "cleanup", "audit"),
            *("figures", "logins", "templates", "suppressions", "rules"),
        )
    },
}  # fmt: skip
# File name: screen, size, theme.
FOR_DOCS: dict[str, tuple[str, tuple[int, int], Theme]] = {
    "first-visit": ("first-visit", DESK, "light"),
    "inbox": ("mail", DESK, "light"),
    "inbox-dark": ("mail", DESK, "dark"),
    "compose": ("compose", DESK, "light"),
    "connect": ("connect", DESK, "light"),
    "sent": ("sent", DESK, "light"),
    "phone": ("inbox", PHONE, "light"),
    "administration": ("administration", DESK, "light"),
}


def take(
    browser: Browser, found: Scene, screen: str, size: tuple[int, int], theme: Theme, to: Path
) -> None:
    """One picture, in a profile without any memory."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        device_scale_factor=2 if size == PHONE else 1,
        has_touch=size == PHONE,
        color_scheme=theme,
        reduced_motion="reduce",
        locale="en-GB",
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    SCREENS[screen](page, found)
    page.mouse.move(1, 1)
    page.evaluate("document.activeElement?.blur()")
    page.screenshot(path=to)
    click.echo(to.name)
    context.close()


@click.command()
@click.option("--all", "everything", type=click.Path(path_type=Path), help="Every screen, here.")
@click.option("--only", multiple=True, help="Only screens of these names.")
def main(everything: Path | None, only: tuple[str, ...]) -> None:
    """Take the pictures of docs/pictures, or all of them."""
    expect.set_options(timeout=PATIENCE_MS)
    wanted = [(name, *look) for name, look in FOR_DOCS.items()]
    if everything is not None:
        wanted = [
            (f"{screen}-{place}-{theme}", screen, size, theme)
            for screen in SCREENS
            for place, size in (("desk", DESK), ("phone", PHONE))
            for theme in ("light", "dark")
        ]
    folder = everything or PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as place,
        scene(Path(place)) as found,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for name, screen, size, theme in wanted:
            if not only or screen in only:
                take(browser, found, screen, size, theme, folder / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()

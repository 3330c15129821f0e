"""The account page: registering, addresses, the unified inbox, passkeys, and a provider."""

from __future__ import annotations

import hashlib
import imaplib
import re
import zipfile
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.journeys.browser import (
    DESK,
    LOOKS,
    SMALLEST,
    Theme,
    Visit,
    Visits,
    message,
    row,
    wait_until_so,
)
from tests.journeys.running import RunningService, free_ports, running

pytest_plugins = ["tests.journeys.visiting"]

PASSWORD = "a good pass word"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service whose accounts log in over IMAP."""
    yield from running(
        tmp_path_factory.mktemp("service"),
        imap_account_login=True,
        imap_listen=f"127.0.0.1:{free_ports(1)[0]}",
    )


@pytest.fixture(autouse=True)
def open_to_all(service: RunningService) -> None:
    rules(service, mail=False)


def rules(service: RunningService, *, mail: bool) -> None:
    settings = {
        "enable": True,
        "enableMailVerify": mail,
        "verifyMailSender": "noreply@x.test",
        "maxAddressCount": 0,
    }
    answer = service.post("/admin/user_settings", settings, admin=True)
    assert answer.status == 200, answer.text


def register(page: Page, email: str) -> None:
    page.get_by_role("button", name="Register").first.click()
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.locator("form").get_by_role("button", name="Register").last.click()
    expect(page.get_by_role("heading", name="Addresses", exact=True)).to_be_visible()


def bound(person: Visit, email: str) -> str:
    """An address made in the mailbox, then bound to a new account."""
    address = person.address()
    person.open("/user")
    register(person.page, email)
    person.page.get_by_role("button", name=f"Bind {address}").click()
    expect(person.page.get_by_role("button", name=f"Open {address}").first).to_be_visible()
    return address


def test_an_account_is_opened_binds_an_address_and_opens_it_elsewhere(
    visit: Visits, service: RunningService
) -> None:
    person = visit()
    address = bound(person, "ann@home.example")
    service.deliver(address, message("For the account", "Your code is 482913."))
    page = person.page
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.evaluate("localStorage['mailbox.account']") is None

    other = visit(path="/user")
    other.page.get_by_label("E-mail").fill("ann@home.example")
    other.page.get_by_label("Password").fill("not the right one")
    other.page.locator("form").get_by_role("button", name="Sign in").last.click()
    expect(other.page.get_by_role("alert")).to_be_visible()
    other.complaints.clear()  # the browser notes the refusal
    other.page.get_by_label("Password").fill(PASSWORD)
    other.page.locator("form").get_by_role("button", name="Sign in").last.click()
    other.page.get_by_role("link", name="All mail").click()
    expect(other.page.locator(".code")).to_contain_text("482")
    other.page.get_by_role("link", name="For the account").click()
    expect(other.page.get_by_role("heading", name="For the account")).to_be_visible()
    expect(other.page).to_have_url(re.compile(r"/#/mail/\d+$"))
    # For a moment the page stands beside its frame, unseen.
    shown = other.page.locator("#page:not([hidden]) .addr-now")
    expect(shown).to_contain_text(address.split("@", maxsplit=1)[0])


def test_one_login_of_a_mail_program_reads_all_addresses_of_an_account(
    visit: Visits, service: RunningService
) -> None:
    person = visit()
    address = bound(person, "imap@home.example")
    service.deliver(address, message("For the mail program"))
    page = person.page
    program = page.get_by_role("region", name="All addresses in one mail program")
    host, port, security, user, _ = program.locator("dd").all_inner_texts()
    assert (host, security, user) == ("127.0.0.1", "None", "imap@home.example")
    program.get_by_role("button", name="Copy Key in place of the password").click()
    for password in (PASSWORD, person.clipboard()):
        with imaplib.IMAP4(host, int(port)) as mailbox:
            mailbox.login(user, password)
            assert mailbox.select("INBOX", readonly=True) == ("OK", [b"1"])
            folders = mailbox.list()[1]
            assert any(isinstance(f, bytes) and address.encode() in f for f in folders)
    person.open("/#/connect")
    line = page.get_by_role("row").filter(has_text="Read all of an account, IMAP")
    expect(line).to_contain_text("imap@home.example")
    expect(line).to_contain_text("that of your account")
    assert person.accessibility_faults() == []


def test_a_mailed_code_opens_an_account_and_gives_a_new_password(
    visit: Visits, service: RunningService
) -> None:
    service.post("/admin/new_address", {"name": "noreply", "domain": "x.test"}, admin=True)
    rules(service, mail=True)
    email, token = service.open_address()
    person = visit(path="/user")
    page = person.page

    def code(after: int) -> int:
        page.get_by_role("button", name="Send code").click()
        expect(page.get_by_text(f"A code is on its way to {email}")).to_be_visible()
        mail = service.wait_for_mail(token, after_id=after)
        rows = service.get("/api/inbox", token=token).json()["results"]
        page.get_by_label("Code", exact=True).fill(rows[0]["code"])
        return int(mail["id"])

    page.get_by_role("button", name="Register").first.click()
    page.get_by_label("E-mail").fill(email)
    first = code(0)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.locator("form").get_by_role("button", name="Register").last.click()
    expect(page.get_by_role("heading", name="Addresses", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()

    page.get_by_role("button", name="Forgot the password?").click()
    page.get_by_label("E-mail").fill(email)
    code(first)
    page.get_by_label("New password").fill("another pass word")
    page.locator("form button[type=submit]").click()
    expect(page.get_by_role("heading", name="Addresses", exact=True)).to_be_visible()


def test_an_address_is_handed_over_and_its_old_key_ends(
    visit: Visits, service: RunningService
) -> None:
    receiver = visit(path="/user")
    register(receiver.page, "bob@home.example")
    person = visit()
    address = bound(person, "eve@home.example")
    token = person.token()
    page = person.page
    page.get_by_role("button", name=f"Hand over {address}").click()
    page.get_by_label("E-mail of the other account").fill("bob@home.example")
    page.get_by_role("dialog").get_by_role("button", name="Hand over", exact=True).click()
    expect(page.get_by_role("heading", name="No addresses yet")).to_be_visible()
    assert service.get("/api/settings", token=token).status in (400, 401)
    receiver.page.reload()
    expect(receiver.page.get_by_role("button", name=f"Open {address}").first).to_be_visible()
    receiver.page.get_by_role("button", name=f"Let go of {address}").click()
    receiver.page.get_by_role("dialog").get_by_role("button", name="Let go", exact=True).click()
    expect(receiver.page.get_by_role("heading", name="No addresses yet")).to_be_visible()


def test_several_mails_of_all_addresses_are_deleted_together(
    visit: Visits, service: RunningService
) -> None:
    person = visit()
    address = bound(person, "several@home.example")
    for number in range(3):
        service.deliver(address, message(f"Mail {number}"))
    page = person.page
    page.get_by_role("link", name="All mail").click()
    # The index of mails follows their acceptance.
    refresh = page.get_by_role("button", name="Refresh")
    wait_until_so(page, lambda: page.locator(".row").count() == 3, refresh.click)
    # The answer to words that have changed meanwhile is left.
    held: list[Route] = []
    page.route("**/user_api/inbox?*q=Mail+1", lambda route: held.append(route))
    page.get_by_role("searchbox").fill("Mail 1")
    wait_until_so(page, lambda: held)
    page.get_by_role("searchbox").fill("Mail 2")
    wait_until_so(page, lambda: page.locator(".row").count() == 1, refresh.click)
    with page.expect_response("**/user_api/inbox?*q=Mail+1"):
        held[0].continue_()
    expect(page.locator(".row")).to_contain_text("Mail 2")
    page.unroute("**/user_api/inbox?*q=Mail+1")
    page.get_by_role("searchbox").fill("")
    expect(page.locator(".row")).to_have_count(3)
    page.get_by_label("Select all").check()
    expect(page.get_by_text("3 selected")).to_be_visible()
    page.get_by_label("Select Mail 1").uncheck()
    # Marks of the chosen, whichever address they came to; a second press takes them back.
    read = page.get_by_role("button", name="Mark read")
    read.press("Enter")
    expect(page.locator(".row.unread")).to_have_count(1)
    page.get_by_role("button", name="Mark unread").press("Enter")
    expect(page.locator(".row.unread")).to_have_count(3)
    read.press("Enter")
    expect(page.locator(".row.unread")).to_have_count(1)
    page.get_by_role("button", name="Star", exact=True).press("Enter")
    stars = page.locator(".star[aria-pressed=true]")
    expect(stars).to_have_count(2)
    expect(page.get_by_role("button", name="Remove the star")).to_be_visible()
    person.page.get_by_role("button", name="Star Mail 1").press("Enter")
    expect(stars).to_have_count(3)
    theirs = service.get("/api/inbox", token=person.token()).json()["results"]
    assert [(one["seen"], one["flagged"]) for one in theirs] == [
        (True, True), (False, True), (True, True)]  # fmt: skip
    assert person.accessibility_faults() == []
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".row")).to_have_count(1)
    expect(row(page, "Mail 1")).to_be_visible()


SIGN = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24" '
    'onload="parent.run = 1"><script>parent.run = 1</script><circle cx="12" cy="12" r="9"/></svg>'
)


def with_many(service: RunningService, email: str, count: int) -> list[tuple[str, str]]:
    """An account with so many addresses; they and their keys."""
    known = {"email": email, "password": hashlib.sha256(PASSWORD.encode()).hexdigest()}
    assert service.post("/user_api/register", known).status == 200
    token = service.post("/user_api/login", known).json()["jwt"]
    opened = [service.open_address(f"{email[0]}{number:02}") for number in range(count)]
    for _, key in opened:
        both = {"x-user-token": token, "Authorization": f"Bearer {key}"}
        assert service.post("/user_api/bind_address", headers=both).status == 200
    return opened


def signed_in(person: Visit, email: str) -> None:
    page = person.page
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("form").get_by_role("button", name="Sign in").last.click()
    expect(page.get_by_role("heading", name="Addresses", exact=True)).to_be_visible()


@pytest.mark.parametrize(("size", "theme"), [(DESK, "dark"), (SMALLEST, "light")])
def test_mail_of_one_among_many_addresses_is_found_by_the_service(
    visit: Visits, service: RunningService, size: tuple[int, int], theme: Theme
) -> None:
    email = f"{theme[0]}ots@home.example"
    opened = with_many(service, email, 55)
    (first, key), (last, _) = opened[0], opened[-1]
    service.deliver(first, message("Of the oldest"))
    service.deliver(last, message("Of the newest"))
    service.wait_for_mail(key)
    person = visit(path="/user", size=size, theme=theme)
    page = person.page
    signed_in(person, email)
    # The list of addresses itself is searched by the service as well.
    search = page.get_by_role("searchbox", name="Find an address")
    search.fill(first.split("@", maxsplit=1)[0])
    expect(page.locator(".bound li")).to_have_count(1)
    expect(page.get_by_role("button", name=f"Open {first}").first).to_be_visible()
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0
    search.fill("nobody")
    expect(page.get_by_text('No address with "nobody".')).to_be_visible()
    search.fill("")
    expect(page.locator(".bound li")).to_have_count(50)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("button", name=f"Open {first}").first).to_be_visible()
    person.open("/user#/inbox")
    expect(page.locator(".row")).to_have_count(2)
    chooser = page.get_by_role("button", name="All addresses")
    chooser.press("Enter")
    found = page.locator(".menu:popover-open")
    # The page of 50 that comes first lacks the oldest address; the next one has it.
    expect(found.get_by_role("button", name=last)).to_be_visible()
    assert found.get_by_role("button", name=first).count() == 0
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0
    found.get_by_role("button", name="More addresses").click()
    expect(found.get_by_role("button", name=first)).to_have_count(1)
    find = page.get_by_role("searchbox", name="Find an address")
    find.fill("nobody")
    expect(found).to_contain_text('No address with "nobody".')
    find.fill(first.split("@", maxsplit=1)[0])
    expect(found.get_by_role("button", name=last)).to_have_count(0)
    found.get_by_role("button", name=first).press("Enter")
    expect(row(page, "Of the oldest")).to_be_visible()
    expect(page.locator(".row")).to_have_count(1)
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0
    # A mail of an address that is on no page shown yet opens all the same.
    page.get_by_role("link", name="Of the oldest").click()
    expect(page.get_by_role("heading", name="Of the oldest")).to_be_visible()


def test_mails_of_several_addresses_are_saved_as_one_file_with_a_folder_for_each(
    visit: Visits, service: RunningService
) -> None:
    opened = with_many(service, "zip@home.example", 2)
    for address, key in opened:
        for number in range(2):
            service.deliver(address, message(f"Same {number}", f"To {address}"))
            service.wait_for_mail(key, subject=f"Same%20{number}")
    person = visit(path="/user")
    page = person.page
    signed_in(person, "zip@home.example")
    page.get_by_role("link", name="All mail").click()
    expect(page.locator(".row")).to_have_count(4)
    page.get_by_label("Select all").check()
    page.get_by_label("Select Same 1").first.uncheck()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as zip").click()
    assert download.value.suggested_filename == "zip@home.example.zip"
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(names) == 3
        for name in names:
            folder, _, file = name.partition("/")
            assert file in ("Same 0.eml", "Same 1.eml")
            assert f"To {folder}".encode() in archive.read(name)
    expect(page.get_by_text("3 selected")).to_be_visible()


def test_a_passkey_signs_in_without_a_password(visit: Visits) -> None:
    person = visit(path=None)
    page = person.page
    devices = person.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    devices.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    # A passkey belongs to a name, never to a bare number.
    name = f"localhost:{person.service.http_port}"
    person.own_names.add(name)
    page.goto(f"http://{name}/user")
    register(page, "key@home.example")
    page.get_by_role("link", name="Passkeys").click()
    page.get_by_label("Name of the passkey").fill("Laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator(".keys input")).to_have_value("Laptop")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator(".title")).to_contain_text("key@home.example")
    page.get_by_role("link", name="Passkeys").click()
    page.get_by_role("button", name="Remove Laptop").click()
    expect(page.get_by_text("No passkeys yet.")).to_be_visible()


def test_a_provider_is_gone_to_with_a_state_and_a_strange_return_is_refused(
    visit: Visits, service: RunningService
) -> None:
    provider = {
        "name": "Hub",
        "icon": SIGN,
        "clientID": "id-1",
        "clientSecret": "s",
        "scope": "user",
        "authorizationURL": "https://hub.example/authorize",
        "accessTokenURL": f"{service.url}/token",
        "accessTokenFormat": "json",
        "userInfoURL": f"{service.url}/me",
        "userEmailKey": "email",
        "redirectURL": f"{service.url}/user/oauth2/callback",
    }
    assert service.post("/admin/user_oauth2_settings", [provider], admin=True).status == 200
    person = visit(path="/user")
    page = person.page
    page.route("https://hub.example/**", lambda route: route.fulfill(body="the provider"))
    way = page.get_by_role("button", name="Sign in with Hub")
    # Its sign is a picture, which runs nothing and is said by the button's name already.
    sign = way.locator("img")
    expect(sign).to_have_attribute("alt", "")
    assert sign.evaluate("img => img.decode().then(() => img.naturalWidth)") == 24
    assert page.evaluate("() => window.run") is None
    assert person.accessibility_faults() == []
    way.click()
    expect(page).to_have_url(re.compile(r"/authorize\?.*state=[\d-]+"))
    person.requests = [url for url in person.requests if "hub.example" not in url]
    person.open("/user/oauth2/callback?code=stolen&state=made-up")
    expect(page.get_by_role("alert")).to_contain_text("was not begun in this browser")
    expect(page).to_have_url(f"{service.url}/user")
    service.post("/admin/user_oauth2_settings", [], admin=True)


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_the_account_is_accessible_and_never_scrolls_sideways(
    visit: Visits, service: RunningService, size: tuple[int, int], theme: Theme
) -> None:
    person = visit(size=size, theme=theme, path="/user")
    page = person.page

    def judge() -> None:
        assert person.accessibility_faults() == []
        assert person.sideways() <= 0

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    judge()
    person.open("/")
    address = bound(person, f"looks{size[0]}{theme}@home.example")
    service.deliver(address, message("Seen"))
    judge()
    for place, heading in (("inbox", "All mail"), ("passkeys", "Passkeys")):
        person.open(f"/user#/{place}")
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        judge()


def test_the_mailbox_itself_binds_its_address_and_opens_those_of_the_account(
    visit: Visits, service: RunningService
) -> None:
    person = visit(path="/user")
    page = person.page
    register(page, "dan@home.example")
    page.get_by_role("button", name="Add an address").click()
    dialog = page.get_by_role("dialog", name="Add an address")
    dialog.get_by_label("Name").fill("dans")
    dialog.get_by_label("Domain").select_option("x.test")
    assert person.accessibility_faults() == []
    dialog.get_by_role("button", name="Make an address").click()
    expect(dialog.get_by_text("shown only now")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_role("button", name="Open dans@x.test").first).to_be_visible()
    # An address that is open in the mailbox becomes the account's there.
    other, token = service.open_address()
    person.open(f"/?jwt={token}#/connect")
    page.get_by_role("button", name="Bind it to my account").click()
    expect(page.get_by_text("It belongs to dan@home.example")).to_be_visible()
    # Forgotten here, it is still the account's.
    page.get_by_role("button", name="Open an address").click()
    kept = page.get_by_role("dialog", name="Open one I already have")
    kept.get_by_role("button", name="Forget dans@x.test here").click()
    expect(kept.get_by_role("region", name="In your account")).to_contain_text("dans@x.test")
    assert person.accessibility_faults() == []
    kept.get_by_role("button", name="dans@x.test", exact=True).click()
    expect(page.locator(".rail .addr.on")).to_contain_text("dans@x.test")
    assert other in page.locator(".rail").inner_text()


def test_an_address_that_one_has_is_added_to_the_account_by_its_key(
    visit: Visits, service: RunningService
) -> None:
    address, token = service.open_address()
    person = visit(path="/user", size=(320, 640))
    page = person.page
    register(page, "fay@home.example")
    page.get_by_role("button", name="Add an address").click()
    page.get_by_role("button", name="One I have").click()
    page.get_by_role("textbox", name="Token").fill(token)
    assert person.sideways() <= 0
    page.get_by_role("dialog").get_by_role("button", name="Open", exact=True).click()
    expect(page.get_by_role("button", name=f"Open {address}").first).to_be_visible()
    assert person.sideways() <= 0

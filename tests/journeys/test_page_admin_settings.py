"""Settings and cleanup on the page of administrators."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.journeys.administering import go, group, save, signed_in
from tests.journeys.browser import LOOKS, Theme, Visits
from tests.journeys.running import RunningService, running

pytest_plugins = ["tests.journeys.visiting"]

ROLES = [{"role": "vip", "domains": ["x.test"], "prefix": "v"}, {"role": "member"}]
GROUPS = ("addresses", "receiving", "sending", "accounts", "access", "programs", "store")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    yield from running(
        folder,
        user_roles=json.dumps(ROLES),
        enable_webhook=True,
        mailbox_max_mails=1200,
        retention_octets=5_000_000,
        extraction_url="https://me:secret@models.example/extract?key=secret",
    )


def test_what_was_changed_is_told_and_saved_and_no_other_group_with_it(
    visit: Visits, service: RunningService
) -> None:
    person = signed_in(visit, "settings/addresses")
    page = person.page
    page.get_by_label("Words that names may not have").fill("root\n\n postmaster ")
    page.get_by_label("Addresses in subdomains").select_option("On")
    expect(group(person, "New addresses")).to_contain_text("2 changes")
    go(person, "settings/receiving")
    page.get_by_label("Senders whose mail is refused").fill("spam.example")
    save(person, "Mail that is taken")
    kept = service.get("/admin/account_settings", admin=True).json()
    assert (kept["fromBlockList"], kept["blockList"]) == (["spam.example"], [])
    # What was typed elsewhere waits, also behind a reload.
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    go(person, "settings/addresses")
    save(person, "New addresses")
    kept = service.get("/admin/account_settings", admin=True).json()
    assert (kept["fromBlockList"], kept["blockList"]) == (["spam.example"], ["root", "postmaster"])
    assert kept["addressCreationSettings"] == {"enableSubdomainMatch": True}
    page.get_by_label("Addresses in subdomains").select_option("As the settings file says")
    save(person, "New addresses")
    assert (
        service.get("/admin/account_settings", admin=True).json()["addressCreationSettings"] == {}
    )


def test_a_change_can_be_discarded(visit: Visits, service: RunningService) -> None:
    person = signed_in(visit, "settings/sending")
    page = person.page
    page.get_by_label("Limit by month").check()
    group(person, "Sending limits").get_by_role("button", name="Discard").click()
    expect(page.get_by_label("Limit by month")).not_to_be_checked()
    expect(page.locator(".savebar")).to_have_count(0)


def test_sending_limits_are_numbers_with_words(visit: Visits, service: RunningService) -> None:
    person = signed_in(visit, "settings/sending")
    page = person.page
    page.get_by_label("Limit by day").check()
    page.get_by_label("Mails a day").fill("-5")
    expect(page.get_by_text("It may be -1 at least.")).to_be_visible()
    expect(group(person, "Sending limits").get_by_role("button", name="Save")).to_be_disabled()
    page.get_by_label("Mails a day").fill("500")
    save(person, "Sending limits")
    kept = service.get("/admin/account_settings", admin=True).json()["sendMailLimitConfig"]
    assert kept == {
        "dailyEnabled": True, "dailyLimit": 500, "monthlyEnabled": False, "monthlyLimit": None,
    }  # fmt: skip


def test_a_forwarding_rule_is_made_mended_and_removed(
    visit: Visits, service: RunningService
) -> None:
    person = signed_in(visit, "settings/receiving")
    page = person.page
    forwarding = group(person, "Forwarding")
    forwarding.get_by_role("button", name="Add a rule").click()
    expect(forwarding).to_contain_text("Say where the mail goes.")
    forwarding.get_by_label("Goes to").fill("ann@far.example")
    forwarding.get_by_label("From these senders").fill("@bank(\n@shop")
    forwarding.get_by_label("From these senders").blur()
    expect(forwarding).to_contain_text("This pattern cannot be read.")
    forwarding.get_by_label("From these senders").fill("@bank\n@shop")
    forwarding.get_by_label("Mail for these domains").fill("y.test")
    forwarding.get_by_label("The sender fits").select_option("all of the patterns")
    save(person, "Forwarding")
    kept = service.get("/admin/account_settings", admin=True).json()["emailRuleSettings"]
    (rule,) = kept["emailForwardingList"]
    assert rule == {
        "domains": ["y.test"], "forward": "ann@far.example",
        "sourcePatterns": ["@bank", "@shop"], "sourceMatchMode": "all",
    }  # fmt: skip
    page.get_by_role("button", name="Remove rule 1").click()
    save(person, "Forwarding")
    kept = service.get("/admin/account_settings", admin=True).json()["emailRuleSettings"]
    assert kept["emailForwardingList"] == []


def test_who_may_register_and_how_many_addresses_a_role_has(
    visit: Visits, service: RunningService
) -> None:
    person = signed_in(visit, "settings/accounts")
    page = person.page
    page.get_by_label("People may register").check()
    page.get_by_label("E-mails must fit a pattern").check()
    page.get_by_label("Pattern", exact=True).fill("(")
    expect(group(person, "Accounts")).to_contain_text("This pattern cannot be read.")
    page.get_by_label("Pattern", exact=True).fill("@school\\.example$")
    save(person, "Accounts")
    kept = service.get("/admin/user_settings", admin=True).json()
    assert (kept["enable"], kept["emailCheckRegex"]) == (True, "@school\\.example$")
    vip = group(person, "Limits of roles").get_by_role("group", name="vip", exact=True)
    vip.get_by_label("Addresses", exact=True).fill("50")
    vip.get_by_label("Mails a day").fill("-3")
    expect(vip).to_contain_text("It may be 0 at least, 1000000000 at most.")
    expect(group(person, "Limits of roles").get_by_role("button", name="Save")).to_be_disabled()
    vip.get_by_label("Mails a day").fill("20")
    save(person, "Limits of roles")
    limits = service.get("/admin/role_address_config", admin=True).json()
    assert limits == {"configs": {"vip": {"maxAddressCount": 50, "sendLimitDay": 20}}}
    vip.get_by_label("Addresses", exact=True).fill("")
    vip.get_by_label("Mails a day").fill("")
    member = group(person, "Limits of roles").get_by_role("group", name="member", exact=True)
    member.get_by_label("Mails a month").fill("0")
    save(person, "Limits of roles")
    limits = service.get("/admin/role_address_config", admin=True).json()
    assert limits == {"configs": {"member": {"sendLimitMonth": 0}}}


def test_what_only_the_file_sets_is_shown_with_its_name_and_what_it_does(
    visit: Visits, service: RunningService
) -> None:
    person = signed_in(visit, "settings/receiving")
    page = person.page
    model = group(person, "A model of yours")
    expect(model).to_contain_text("extraction_url")
    expect(model).to_contain_text("https://models.example/extract")
    assert "secret@" not in page.content()
    expect(group(person, "Where mail comes from")).to_contain_text("score_header")
    for place, name, setting in (
        ("sending", "Roles that send freely", "enable_send_from_subdomains"),
        ("accounts", "Roles", "imap_account_login"),
        ("access", "Who owns a network", "asn_database"),
    ):
        go(person, f"settings/{place}")
        expect(group(person, name)).to_contain_text(setting)
    go(person, "cleanup")
    expect(group(person, "By size")).to_contain_text("5 MB")
    expect(page.get_by_role("progressbar", name="Mail that arrived")).to_be_visible()
    expect(group(person, "What a mailbox may hold")).to_contain_text("1,200")
    expect(group(person, "What a mailbox may hold")).to_contain_text("no bound")


def test_the_webhook_about_all_mail_may_be_about_some_mailboxes_only(
    visit: Visits, service: RunningService
) -> None:
    person = signed_in(visit, "webhooks/all")
    page = person.page
    page.get_by_text("Only about some mail").click()
    boxes = page.get_by_label("For these mailboxes")
    boxes.fill("*@x.test\n\n ann@y.test ")
    page.get_by_label("SPF").select_option("failed")
    assert person.accessibility_faults() == []
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text("Saved")
    kept = service.get("/admin/mail_webhook/settings", admin=True).json()
    assert kept["conditions"] == {
        "recipients": ["*@x.test", "ann@y.test"], "verdicts": {"spf": ["fail", "softfail"]},
    }  # fmt: skip
    page.reload()
    expect(page.get_by_text("2 conditions")).to_be_visible()
    expect(boxes).to_have_value("*@x.test\nann@y.test")


def test_a_provider_of_sign_in_is_set_up_from_what_is_known_of_it(
    visit: Visits, service: RunningService
) -> None:
    person = signed_in(visit, "settings/accounts")
    page = person.page
    sign_in = group(person, "Sign-in elsewhere")
    sign_in.get_by_role("button", name="GitHub", exact=True).click()
    expect(sign_in.get_by_role("button", name="Save")).to_be_disabled()
    page.get_by_label("Client id").fill("abc")
    page.get_by_label("Client secret").fill("s3cret")
    save(person, "Sign-in elsewhere")
    (kept,) = service.get("/admin/user_oauth2_settings", admin=True).json()
    assert (kept["name"], kept["clientID"], kept["clientSecret"]) == ("GitHub", "abc", "s3cret")
    assert kept["redirectURL"] == f"{service.url}/user/oauth2/callback"
    page.get_by_role("button", name="Remove GitHub").click()
    save(person, "Sign-in elsewhere")
    assert service.get("/admin/user_oauth2_settings", admin=True).json() == []


def test_who_may_ask_is_a_form(visit: Visits, service: RunningService) -> None:
    person = signed_in(visit, "settings/access")
    page = person.page
    page.get_by_label("Block what stands below").check()
    page.get_by_label("Blocked networks").fill("192.0.2.0/24")
    save(person, "Who is refused")
    page.get_by_label("Limit requests by day").check()
    page.get_by_label("Requests of one network a day").fill("5000")
    save(person, "How often")
    kept = service.get("/admin/ip_blacklist/settings", admin=True).json()
    assert (kept["enabled"], kept["blacklist"]) == (True, ["192.0.2.0/24"])
    assert (kept["enableDailyLimit"], kept["dailyRequestLimit"]) == (True, 5000)


def test_what_the_service_refuses_is_said_and_stays_typed(
    visit: Visits, service: RunningService
) -> None:
    person = signed_in(visit, "settings/access")
    page = person.page
    page.get_by_label("Only these networks").check()
    page.get_by_label("Allowed networks").fill("127.0.0.1\n(")
    group(person, "Who alone may ask").get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("invalid regex")
    expect(page.get_by_label("Allowed networks")).to_have_value("127.0.0.1\n(")
    group(person, "Who alone may ask").get_by_role("button", name="Discard").click()
    person.complaints.clear()  # the browser notes the refusal


def test_the_store_and_what_the_settings_file_decides_are_told(
    visit: Visits, service: RunningService
) -> None:
    person = signed_in(visit, "settings/store")
    page = person.page
    expect(group(person, "Database")).to_contain_text("Everything is up to date.")
    page.get_by_role("button", name="Initialise").click()
    expect(page.locator(".toast")).to_contain_text("Database already initialized")
    page.get_by_role("button", name="Migrate").click()
    expect(page.locator(".toast")).to_contain_text("Database does not need migration")
    page.get_by_label("Find a setting").fill("user_roles")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("vip")
    go(person, "settings/programs")
    expect(page.get_by_text("Get a token from @BotFather")).to_be_visible()
    expect(page.get_by_text("telegram_bot_token")).to_be_visible()
    person.complaints.clear()  # the browser notes that there is no bot


def test_cleanup_is_kept_and_runs_only_after_asking(visit: Visits, service: RunningService) -> None:
    person = signed_in(visit)
    page = person.page
    page.get_by_role("navigation").get_by_role("link", name="Cleanup").click()
    page.get_by_role("checkbox", name="Mails of unknown recipients").check()
    page.get_by_role("button", name="Add a statement").click()
    page.get_by_label("Statement", exact=True).fill("DROP TABLE raw_mails")
    expect(page.get_by_text("It must begin with DELETE.")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_be_disabled()
    page.get_by_label("Name of the statement").fill("Newsletters")
    page.get_by_label("Statement", exact=True).fill(
        "DELETE FROM raw_mails WHERE source LIKE '%news%'"
    )
    # Looking something up elsewhere loses nothing.
    go(person, "overview")
    go(person, "cleanup")
    expect(page.get_by_label("Name of the statement")).to_have_value("Newsletters")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text("Saved")
    kept = service.get("/admin/auto_cleanup", admin=True).json()
    assert kept["enableUnknowMailsAutoCleanup"] is True
    (statement,) = kept["customSqlCleanupList"]
    assert (statement["name"], statement["enabled"]) == ("Newsletters", True)
    page.get_by_role("button", name="Clean now: Addresses without mail").click()
    page.get_by_role("dialog").get_by_role("button", name="Clean now").click()
    expect(page.get_by_role("heading", name="What cleanups did")).to_be_visible()


def test_settings_are_changed_with_the_keyboard_alone(
    visit: Visits, service: RunningService
) -> None:
    person = signed_in(visit, "settings/addresses")
    page = person.page
    page.get_by_label("Words that names may not have").wait_for()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "TEXTAREA":
            break
    page.keyboard.press("Control+A")
    page.keyboard.type("lighthouse")
    page.locator(".savebar").wait_for()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Save":
            break
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("Saved")
    assert service.get("/admin/account_settings", admin=True).json()["blockList"] == ["lighthouse"]


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_settings_are_accessible_and_never_scroll_sideways(
    visit: Visits, size: tuple[int, int], theme: Theme
) -> None:
    person = signed_in(visit, size=size, theme=theme)
    for place in (*(f"settings/{name}" for name in GROUPS), "cleanup"):
        go(person, place)
        person.page.locator("#main :is(.set, .fixed, .kind, .table, .note)").first.wait_for()
        if place == "cleanup":  # what only the file decides comes first, with nothing to press
            person.page.get_by_role("button", name="Add a statement").wait_for()
        assert person.accessibility_faults() == [], place
        assert person.sideways() <= 0, place
    go(person, "settings/accounts")
    person.page.get_by_role("button", name="Google", exact=True).click()
    person.page.get_by_label("Client id").wait_for()
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0
    person.complaints.clear()  # there is no bot


def test_what_the_settings_file_says_is_overruled_and_given_back(
    visit: Visits, service: RunningService
) -> None:
    person = signed_in(visit, "settings/addresses")
    names = group(person, "Names and subdomains")
    expect(names).to_contain_text("from the settings file")
    names.get_by_label("Prefix of names", exact=True).fill("a b")
    expect(names).to_contain_text("It cannot begin an address")
    expect(names.get_by_role("button", name="Save")).to_be_disabled()
    names.get_by_label("Prefix of names", exact=True).fill("box.")
    names.get_by_label("Shortest name", exact=True).fill("40")
    expect(names).to_contain_text("The shortest name is longer than the longest.")
    names.get_by_label("Shortest name", exact=True).fill("2")
    names.get_by_role("group", name="Domains with random subdomains").get_by_label("x.test").check()
    save(person, "Names and subdomains")
    kept = service.get("/admin/overrides", admin=True).json()
    assert kept["stored"] == {
        "prefix": "box.", "minAddressLen": 2, "randomSubdomainDomains": ["x.test"],
    }  # fmt: skip
    assert service.get("/open_api/settings").json()["prefix"] == "box."
    expect(names).to_contain_text("Set here. The settings file says: none.")
    names.get_by_role("button", name="Follow the file again: Prefix of names").click()
    save(person, "Names and subdomains")
    assert "prefix" not in service.get("/admin/overrides", admin=True).json()["stored"]
    # An empty prefix is one that was chosen; junk rules are another form of the same store.
    go(person, "settings/receiving")
    junk = group(person, "Junk mail")
    expect(junk.get_by_role("group", name="Checks that must not fail")).to_have_count(0)
    junk.get_by_role("switch", name="Junk mail is refused").check()
    junk.get_by_role("group", name="Checks that must not fail").get_by_label("spf").check()
    save(person, "Junk mail")
    kept = service.get("/admin/overrides", admin=True).json()
    assert kept["effective"]["enableCheckJunkMail"] is True
    assert kept["effective"]["junkMailCheckList"] == ["spf"]
    assert kept["stored"]["minAddressLen"] == 2
    for field in ("Checks that must not fail", "Junk mail is refused"):
        junk.get_by_role("button", name=f"Follow the file again: {field}").click()
    save(person, "Junk mail")
    assert (
        service.get("/admin/overrides", admin=True).json()["effective"]["junkMailCheckList"] == []
    )

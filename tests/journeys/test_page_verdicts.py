"""Where a mail comes from, as the page says it: proved, made up, or unknown."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Route, expect

from mailbox_service.core.dkim import Signer, sign
from tests.journeys.browser import DESK, SMALLEST, Theme, Visits
from tests.journeys.running import RunningService, running
from tests.journeys.test_where_mail_comes_from import KEY, name_server

pytest_plugins = ["tests.journeys.visiting"]

LETTER = b"From: Ann <ann@sender.example>\r\nSubject: %s\r\n\r\nText.\r\n"


@pytest.fixture(scope="module")
def looking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that asks a name server of ours."""
    with name_server() as server:
        yield from running(
            tmp_path_factory.mktemp("looking"), verify_origin=True, name_servers=[server.address]
        )


def looked_at(service: RunningService, token: str, count: int) -> None:
    """Wait until so many mails were looked at."""
    deadline = time.monotonic() + 60
    while True:
        rows = service.get("/api/inbox", token=token).json()["results"]
        if len(rows) == count and all(row["verdicts"] for row in rows):
            return
        assert time.monotonic() < deadline, service.log
        time.sleep(0.05)


@pytest.mark.parametrize(("size", "theme"), [(DESK, "light"), (SMALLEST, "dark")])
def test_the_page_says_what_is_proved_and_warns_of_what_is_made_up(
    visit: Visits, looking: RunningService, size: tuple[int, int], theme: Theme
) -> None:
    address, token = looking.open_address()
    honest = sign(LETTER % b"Honest", [Signer("sender.example", "sel", KEY)], int(time.time()))
    looking.deliver(address, honest, "ann@sender.example")
    looking.deliver(address, LETTER % b"Made up", "eve@evil.example")
    looked_at(looking, token, 2)
    person = visit(at=looking, path=f"/?jwt={token}", size=size, theme=theme)
    page = person.page
    warning = page.get_by_text("The sender may be made up: nothing proves that sender.example")

    page.get_by_role("link", name="Made up").click()
    expect(warning).to_be_visible()
    assert person.accessibility_faults() == []
    page.get_by_role("button", name=re.compile("^Raw$")).locator("visible=true").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The host that brought it may not send for its domain.")
    expect(dialog).to_contain_text("Nobody has signed it.")
    expect(dialog).to_contain_text("much speaks against the sender")
    expect(dialog).to_contain_text("DMARC fail")
    assert person.accessibility_faults() == []
    assert person.sideways() <= 0
    dialog.get_by_role("button", name="Close").click()

    page.goto(looking.url + "/#/")
    page.get_by_role("link", name="Honest").click()
    expect(page.locator("#mail-subject")).to_have_text("Honest")
    expect(warning).to_have_count(0)
    page.get_by_role("button", name="details").click()
    expect(page.get_by_text("The sender is proved: sender.example")).to_be_visible()
    expect(page.get_by_text("speaks for the sender", exact=False)).to_be_visible()
    assert person.accessibility_faults() == []


def test_a_mail_that_was_opened_before_it_was_looked_at_is_told_of_afterwards(
    visit: Visits, looking: RunningService
) -> None:
    address, token = looking.open_address()
    looking.deliver(address, LETTER % b"At once", "eve@evil.example")
    looked_at(looking, token, 1)
    person = visit(at=looking, path=None)

    def too_early(route: Route) -> None:
        answer = route.fetch()
        mail = {**answer.json(), "verdicts": None}
        route.fulfill(response=answer, json=mail)

    person.page.route(re.compile(r"/api/inbox/\d+"), too_early)
    person.open(f"/?jwt={token}")
    person.page.get_by_role("link", name="At once").click()
    expect(person.page.get_by_text("The sender may be made up")).to_be_visible()

"""Fixtures for journeys at the page: `pytest_plugins = ["tests.journeys.visiting"]` brings them.

They are synchronous, and last for a module: Playwright keeps an event loop in the thread for as
long as it is open, so no async test may stand in the same module.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, ConsoleMessage, expect, sync_playwright

from tests.journeys.browser import DESK, Theme, Visit, Visits
from tests.journeys.running import RunningService
from tests.programs import headless_chromium

# What Chromium is asked to do without. Its last word on features counts, so those that the driver
# switches off itself, each for a fault of pages under automation, are named again.
FEATURES_OFF = (
    # Our service is on loopback; a page that plays Telegram Web is not.
    "LocalNetworkAccessChecks",
    # A process in reserve for every page, on a machine that has no core to spare.
    "SpareRendererForSitePerProcess",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "PreconnectToSearch",
)
# No background traffic of the browser itself: what goes out is what the page asked for.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    f"--disable-features={','.join(FEATURES_OFF)}",
)
PATIENCE_MS = 60_000  # a machine that runs several suites at once
FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let `visit` know of a failure."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


# The browser thinks so where a style that was sent for early waits for its script for seconds.
UNUSED_YET = "was preloaded using link preload but not used"


def note(visit: Visit, said: ConsoleMessage) -> None:
    """Keep what the browser complains of."""
    if said.type in ("error", "warning") and UNUSED_YET not in said.text:
        visit.complaints.append(said.text)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium without a window."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=headless_chromium(), args=list(ARGUMENTS)
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(
    browser: Browser, service: RunningService, request: pytest.FixtureRequest
) -> Iterator[Visits]:
    """Opens profiles, each without any memory."""
    with visiting(browser, service, lambda: request.node.stash.get(FAILED, False)) as visit:
        yield visit


@pytest.fixture(scope="module")
def long_visit(browser: Browser, service: RunningService) -> Iterator[Visits]:
    """Opens profiles that stay open for all tests of a module, which are one journey in parts."""
    with visiting(browser, service, lambda: False) as visit:
        yield visit


@contextmanager
def visiting(
    browser: Browser, service: RunningService, failed: Callable[[], bool]
) -> Iterator[Visits]:
    """Opens profiles, each without any memory. At the end no page may have complained or asked
    another host for anything, unless its test said so by emptying the lists. After a failure it
    is told what each of them saw."""
    visits: list[Visit] = []

    def new_visit(
        size: tuple[int, int] = DESK,
        theme: Theme = "light",
        at: RunningService | None = None,
        path: str | None = "/",
    ) -> Visit:
        where = at or service
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=theme,
            has_touch=size[0] < 900,
            accept_downloads=True,
            reduced_motion="reduce",
            locale="en-GB",
        )
        context.set_default_timeout(PATIENCE_MS)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=where.url)
        page = context.new_page()
        visit = Visit(where, context, page)
        context.on("request", lambda request: visit.requests.append(request.url))
        context.on("requestfinished", lambda request: visit.ended.append(request))
        context.on("requestfailed", lambda request: visit.ended.append(request))
        context.on("weberror", lambda error: visit.complaints.append(str(error.error)))
        page.on("console", lambda said: note(visit, said))
        visits.append(visit)
        if path is not None:
            visit.open(path)
        return visit

    yield new_visit
    for one in visits:
        if failed():
            print(one.seen())
        one.context.close()
    for one in visits:
        assert one.foreign_requests == []
        assert one.complaints == []

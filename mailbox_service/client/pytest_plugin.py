"""Fixtures for tests of programs that send mail (`pip install mailbox-service[pytest]`).

    def test_sign_up(mailbox):
        sign_up(mailbox.address)
        assert confirm(mailbox.wait(subject="Confirm").code)

The service is the one at `--mailbox-url` (or `mailbox_url` in the ini file, or `MAIL_SERVICE_URL`
in the environment); without any, one is started on loopback for the time of the run. Nothing is
imported or started before a test asks for a fixture.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mailbox_service.client import Client, Mailbox
    from mailbox_service.client.local_service import LocalService

URL_VARIABLE = "MAIL_SERVICE_URL"
PASSWORD_VARIABLE = "MAIL_SERVICE_SITE_PASSWORD"  # noqa: S105


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the service is."""
    group = parser.getgroup("mailbox-service")
    group.addoption(
        "--mailbox-url",
        default=None,
        help="Mailbox Service to open addresses at. Without one, a local one is started.",
    )
    parser.addini("mailbox_url", "Mailbox Service to open addresses at.", default="")


@pytest.fixture(scope="session")
def mailbox_server(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalService]:
    """The service: its `url`, and when it was started here `host`, `smtp_port` and `domain`."""
    from mailbox_service.client.local_service import LocalService, running_service

    url = (
        pytestconfig.getoption("--mailbox-url")
        or pytestconfig.getini("mailbox_url")
        or os.environ.get(URL_VARIABLE, "")
    )
    if url:
        yield LocalService(url, host="")
        return
    with running_service(tmp_path_factory.mktemp("mailbox-service")) as started:
        yield started


@pytest.fixture(scope="session")
def mailbox_client(mailbox_server: LocalService) -> Iterator[Client]:
    """A client of the service."""
    from mailbox_service.client import Client

    password = os.environ.get(PASSWORD_VARIABLE, "")
    with Client(mailbox_server.url, site_password=password) as client:
        yield client


@pytest.fixture
def open_mailbox(mailbox_client: Client) -> Iterator[Callable[..., Mailbox]]:
    """Opens addresses that are closed after the test: `open_mailbox()`, `open_mailbox("ann")`."""
    with ExitStack() as opened:

        def open_one(name: str | None = None, **wishes: str | int | None) -> Mailbox:
            box = mailbox_client.open_address(name, **wishes)  # type: ignore[arg-type]
            return opened.enter_context(box)

        yield open_one


@pytest.fixture
def mailbox(open_mailbox: Callable[..., Mailbox]) -> Mailbox:
    """A new address for this test: `mailbox.address`, `mailbox.wait(…)`."""
    return open_mailbox()

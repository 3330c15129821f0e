"""The Python client and the pytest fixtures, against the service as its users run it."""

from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailbox_service.client import AsyncClient, AsyncMailbox, Client, File, Mailbox, NoMail, Refused
from tests.journeys.running import RunningService, running

ROOT = Path(__file__).parent.parent
CODE = b"From: Shop <no-reply@shop.example>\r\nTo: you\r\nSubject: %s\r\n\r\nYour code is %s.\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    yield from running(tmp_path_factory.mktemp("service"))


@pytest.fixture(scope="module")
def client(service: RunningService) -> Iterator[Client]:
    with Client(service.url) as opened:
        yield opened


def arrive(service: RunningService, address: str, subject: bytes, code: bytes) -> None:
    service.deliver(address, CODE % (subject, code))


def test_an_address_is_opened_and_its_code_waited_for(
    service: RunningService, client: Client
) -> None:
    with client.open_address("shopper") as box:
        assert box.address == "shopper@x.test"
        arrive(service, box.address, b"First", b"735911")
        arrive(service, box.address, b"Second", b"846022")
        second = box.wait(subject="second")
        assert (second.code, second.subject) == ("846022", "Second")
        assert "846022" in second.text
        first = box.wait(with_code=True)
        assert (first.code, first.from_address) == ("735911", "no-reply@shop.example")
        with pytest.raises(NoMail, match="subject=third"):
            box.wait(0, subject="third")
        assert [mail.subject for mail in box.mails()] == ["Second", "First"]
        assert box.raw(first.id).endswith(b"Your code is 735911.\r\n")
        box.delete(first.id)
        with pytest.raises(LookupError):
            box.open(first.id)
    with pytest.raises(Refused):
        client.mailbox(box.token)


def test_two_addresses_write_to_each_other(client: Client) -> None:
    with client.open_address() as ann, client.open_address() as bob:
        files = [File("a.txt", b"hello", "text/plain")]
        receipt = ann.send(bob.address, "Lunch?", "At noon.", files=files)
        assert receipt.queue_id
        asked = bob.wait(contains="lunch")
        part = bob.open(asked.id).row["attachments"][0]
        assert bob.attachment(asked.id, part["index"]) == b"hello"
        bob.reply(asked, "Yes.")
        answer = ann.wait(sender=bob.address)
        assert answer.subject == "Re: Lunch?"
        assert ann.open(answer.id).row["in_reply_to"] == asked.row["message_id"]


def test_a_refusal_has_its_status_code_and_words(client: Client) -> None:
    with client.open_address() as box, pytest.raises(Refused) as refused:
        client.open_address(box.address.partition("@")[0])
    assert (refused.value.status, refused.value.code) == (400, "AddressAlreadyExists")


@pytest.mark.anyio
async def test_the_asynchronous_client_does_the_same(service: RunningService) -> None:
    async with AsyncClient(service.url) as client, await client.open_address() as box:
        arrive(service, box.address, b"Hello", b"735911")
        assert (await box.wait()).code == "735911"
        again = await client.mailbox(box.token)
        assert [mail.subject for mail in await again.mails()] == ["Hello"]
        assert (await box.send("x@elsewhere.example", "Hi", "there")).id


@pytest.mark.parametrize(("one", "other"), [(Client, AsyncClient), (Mailbox, AsyncMailbox)])
def test_both_clients_have_the_same_methods(one: type, other: type) -> None:
    def shape(kind: type) -> dict[str, list[str]]:
        return {
            name.removeprefix("a") if name == "aclose" else name: list(
                inspect.signature(value).parameters
            )
            for name, value in vars(kind).items()
            if inspect.isfunction(value) and not name.startswith("_")
        }

    assert shape(one) == shape(other)


def test_the_client_imports_nothing_of_the_service_and_no_http_before_it_is_used() -> None:
    program = (
        "import sys, mailbox_service.client, mailbox_service.client.pytest_plugin\n"
        "print(*sorted({name for name in sys.modules if name.startswith(('mailbox_service.',"
        " 'httpx2', 'starlette', 'msgspec'))}))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    ).stdout.split()
    assert printed == [
        "mailbox_service.client",
        "mailbox_service.client.pytest_plugin",
        "mailbox_service.client.words",
    ]


# The fixtures, in a test run of their own


def suite(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run some tests as a project elsewhere would, warnings being errors."""
    (folder / "test_it.py").write_text(textwrap.dedent(text))
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    plugins = ["-p", "no:cacheprovider", *plugin()]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, *arguments],
        cwd=folder,
        env={**RunningService(folder / "unused").environment(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
    )


def plugin() -> list[str]:
    """Names the plugin where this environment was made before it had an entry point."""
    from importlib.metadata import entry_points

    found = [one.value for one in entry_points(group="pytest11")]
    name = "mailbox_service.client.pytest_plugin"
    return [] if name in found else ["-p", name]


def test_a_suite_elsewhere_gets_a_service_of_its_own(tmp_path: Path) -> None:
    done = suite(
        tmp_path,
        """
        import smtplib

        def test_sign_up(mailbox, mailbox_server):
            letter = "Subject: Welcome\\n\\nYour verification code is 735911.\\n"
            with smtplib.SMTP(mailbox_server.host, mailbox_server.smtp_port) as smtp:
                smtp.sendmail("app@shop.example", [mailbox.address], letter)
            assert mailbox.wait(subject="Welcome").code == "735911"
            assert mailbox.address.endswith("@" + mailbox_server.domain)

        def test_two(open_mailbox):
            ann, bob = open_mailbox("ann"), open_mailbox()
            ann.send(bob.address, "Hi", "there")
            assert bob.wait().from_address == ann.address

        def test_it_was_closed(open_mailbox):
            assert open_mailbox("ann").mails() == []
        """,
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_a_suite_elsewhere_uses_the_service_that_it_names(
    tmp_path: Path, service: RunningService
) -> None:
    done = suite(
        tmp_path,
        """
        def test_where(mailbox, mailbox_server):
            assert mailbox.address.endswith("@x.test")
            assert mailbox_server.smtp_port == 0
        """,
        f"--mailbox-url={service.url}",
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_a_suite_that_asks_for_nothing_pays_nothing(tmp_path: Path) -> None:
    done = suite(
        tmp_path,
        """
        import sys

        def test_nothing_came_along():
            assert not {"httpx2", "mailbox_service.client.local_service"} & set(sys.modules)
        """,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr

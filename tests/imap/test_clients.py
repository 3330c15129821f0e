"""Programs that people use: isync's mbsync, curl, neomutt."""

from __future__ import annotations

import asyncio
import mailbox
import os
import subprocess
from pathlib import Path

import pytest

from mailbox_service.core.stored import DELETED, FLAGGED, SEEN, Excerpt
from tests.imap.conftest import Site
from tests.imap.house import ANN, letter
from tests.programs import need

pytestmark = pytest.mark.anyio

MBSYNC = """
IMAPAccount ann
Host 127.0.0.1
Port {port}
User {address}
PassCmd "cat {secret}"
SSLType None
AuthMechs {mechanism}

IMAPStore remote
Account ann

MaildirStore local
Path {folder}/mail/
Inbox {folder}/mail/INBOX
SubFolders Verbatim

Channel all
Far :remote:
Near :local:
Patterns INBOX SENT
Create Near
Sync All
Expunge Both
SyncState {folder}/state/
"""


async def run(*command: str | Path, **environment: str) -> str:
    """Run a program; what it wrote."""
    done = await asyncio.to_thread(
        subprocess.run,
        [str(word) for word in command],
        capture_output=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.decode()


@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN"])
async def test_mbsync_mirrors_both_mailboxes_and_carries_marks_back(
    site: Site, tmp_path: Path, mechanism: str
) -> None:
    mbsync = need("mbsync")
    first, second, third = await site.house.deliver("One", "Two", "Three")
    await site.house.post("bob@next.test", subject="Sent")
    secret, config = tmp_path / "secret", tmp_path / "mbsyncrc"

    def prepare() -> None:
        (tmp_path / "mail").mkdir()
        (tmp_path / "state").mkdir()
        secret.write_text(site.ann.password or "")
        config.write_text(
            MBSYNC.format(
                port=site.port, address=ANN, secret=secret, folder=tmp_path, mechanism=mechanism
            )
        )

    await asyncio.to_thread(prepare)
    await run(mbsync, "-q", "-c", config, "all")
    inbox = mailbox.Maildir(tmp_path / "mail" / "INBOX", create=False)
    assert sorted(message["Subject"] for message in inbox) == ["One", "Three", "Two"]
    sent = mailbox.Maildir(tmp_path / "mail" / "SENT", create=False)
    assert [(message["Subject"], message.get_flags()) for message in sent] == [("Sent", "S")]

    def mark_locally() -> None:
        for key, message in inbox.iteritems():
            if message["Subject"] == "One":
                message.add_flag("FS")
                message.set_subdir("cur")
                inbox[key] = message
            elif message["Subject"] == "Two":
                message.add_flag("T")
                message.set_subdir("cur")
                inbox[key] = message

    await asyncio.to_thread(mark_locally)
    await site.house.reading.mark(ANN, [third], seen=True)
    await site.house.deliver("Four")
    await run(mbsync, "-q", "-c", config, "all")
    assert await site.house.flags(first) == SEEN | FLAGGED
    page = await site.house.reading.page(ANN, Excerpt(10))
    assert second not in [message.id for message in page.messages]
    inbox = mailbox.Maildir(tmp_path / "mail" / "INBOX", create=False)
    found = {message["Subject"]: message.get_flags() for message in inbox}
    assert found == {"One": "FS", "Three": "S", "Four": ""}
    assert DELETED not in [message.flags for message in page.messages]


async def test_curl_lists_fetches_searches_and_waits(site: Site, tmp_path: Path) -> None:
    curl = need("curl")
    (first,) = await site.house.deliver("One")
    await site.house.receive(ANN, content=letter("Two", "a zebra"))
    stored = await site.house.inbox(ANN)
    secret = tmp_path / "curlrc"
    await asyncio.to_thread(secret.write_text, f'user = "ann:{site.ann.jwt}"\n')
    url = f"imap://127.0.0.1:{site.port}"
    common = (curl, "-sS", "-K", secret)
    assert "INBOX" in await run(*common, url)
    fetched = await run(*common, f"{url}/INBOX;UID={first}")
    assert fetched.replace("\n", "\r\n").replace("\r\r", "\r").encode() == stored[0]
    assert "SEARCH 2" in await run(*common, f"{url}/INBOX", "-X", "SEARCH TEXT zebra")
    assert "* 2 EXISTS" in await run(*common, url, "-X", "EXAMINE INBOX")


async def test_neomutt_opens_the_mailbox_and_marks_what_it_read(site: Site, tmp_path: Path) -> None:
    neomutt = need("neomutt")
    first, second = await site.house.deliver("One", "Two")
    config = tmp_path / "neomuttrc"
    keys = (
        "<tag-pattern>~s One<enter><tag-prefix><flag-message><untag-pattern>.<enter>"
        "<delete-pattern>~s Two<enter><sync-mailbox><exit>"
    )
    text = f"""
set imap_user = "ann"
set imap_pass = "{site.ann.jwt}"
set folder = "imap://127.0.0.1:{site.port}/"
set spoolfile = "imap://127.0.0.1:{site.port}/INBOX"
set imap_authenticators = "login"
set ssl_starttls = no
set ssl_force_tls = no
set header_cache = ""
set delete = yes
set quit = yes
set wait_key = no
set beep = no
push "{keys}"
"""
    await asyncio.to_thread(config.write_text, text)
    # It wants a terminal; script gives it one.
    script = f"{neomutt} -n -F {config}"
    await run("script", "-qec", script, "/dev/null", TERM="xterm", HOME=str(tmp_path))
    assert await site.house.flags(first) & FLAGGED
    page = await site.house.reading.page(ANN, Excerpt(10))
    assert second not in [message.id for message in page.messages]

"""One login for all addresses of an account (hazards 8, 10, 50)."""

from __future__ import annotations

import asyncio
import imaplib
import mailbox
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mailbox_service.config import Config
from mailbox_service.core.accounts import Account
from mailbox_service.core.envelope import Envelope, Peer
from mailbox_service.core.stored import FIRST_KEYWORD, FLAGGED, SEEN
from mailbox_service.service import Service
from mailbox_service.services.accounts import Accounts
from mailbox_service.services.authenticating import Opened
from mailbox_service.services.mail_access import MailAccess
from mailbox_service.services.passwords import Passwords, digest_of
from mailbox_service.services.throttling import GuessLimits
from mailbox_service.services.verify_codes import VerifyCodes
from mailbox_service.storage import addresses, user_addresses
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.sqlite import SqliteDatabase
from smtp_proxy.imap.door import ImapDoor
from smtp_proxy.imap.session import list_pattern
from smtp_proxy.pop3 import Pop3Door
from tests.databases import AnyDatabase
from tests.imap.house import House, Talk, letter, listening
from tests.imap.test_clients import run
from tests.programs import need
from tests.services.parts import SECRET

pytestmark = pytest.mark.anyio

EMAIL, PASSWORD = "ann@home.example", "correct horse"
HERS = ("ann@x.test", "amy@x.test")


class Home(House):
    """An account with two addresses, and a stranger's beside them."""

    def __init__(self, database: AnyDatabase, **settings: Any) -> None:
        super().__init__(database, **{"imap_account_login": True, **settings})
        guesses = GuessLimits()
        self.accounts = Accounts(
            database,
            self.config,
            self.administering,
            self.authenticating,
            Passwords(SECRET),
            guesses,
            VerifyCodes(database, self.sending, SECRET, clock=self.clock),
            clock=self.clock,
        )
        self.mail_access = MailAccess(
            database,
            self.config,
            self.authenticating,
            self.signals,
            accounts=self.accounts,
            clock=self.clock,
        )

    async def account(self, email: str = EMAIL, password: str = PASSWORD) -> Account:
        await self.accounts.create(email, digest_of(password), ip="192.0.2.1")
        found = await self.accounts.find_by_email(email)
        assert found is not None
        return found

    async def bind(self, account: Account, opened: Opened) -> None:
        await self.database.write(
            user_addresses.bind, user_id=account.id, address_id=opened.address_id, now=1
        )


@dataclass
class Site:
    home: Home
    port: int
    account: Account
    opened: list[Opened]

    async def talk(self, login: str = f'LOGIN {EMAIL} "{PASSWORD}"', select: str = "") -> Talk:
        talk = await Talk.begin(self.port)
        await talk.line()
        answer = await talk.command(login)
        assert answer[-1].startswith(b"a OK"), answer
        if select:
            answer = await talk.command(f"SELECT {select}")
            assert answer[-1].startswith(b"a OK"), answer
        return talk

    async def refused(self, login: str) -> bytes:
        talk = await Talk.begin(self.port)
        await talk.line()
        answer = (await talk.command(login))[-1]
        await talk.close()
        assert answer.startswith(b"a NO"), answer
        return answer


async def site_on(database: AnyDatabase, **settings: Any) -> AsyncIterator[Site]:
    home = Home(database, **settings)
    account = await home.account()
    opened = [await home.open("ann"), await home.open("amy")]
    for one in opened:
        await home.bind(account, one)
    await home.open("eve")
    async with listening(ImapDoor(home.mail_access, hostname="x.test")) as port:
        yield Site(home, port, account, opened)


@pytest.fixture
async def site(quick_database: SqliteDatabase) -> AsyncIterator[Site]:
    async for one in site_on(quick_database):
        yield one


@pytest.fixture
async def any_site(database: AnyDatabase) -> AsyncIterator[Site]:
    async for one in site_on(database):
        yield one


async def test_an_account_logs_in_by_its_password_or_a_token_of_its_own(site: Site) -> None:
    token = site.home.accounts.token_for(site.account)
    for login in (
        f'LOGIN {EMAIL} "{PASSWORD}"',
        f"LOGIN {EMAIL} {digest_of(PASSWORD)}",
        f"LOGIN anybody {token}",
    ):
        talk = await site.talk(login)
        answer = await talk.command('LIST "" *')
        assert b'* LIST (\\HasChildren) "/" amy@x.test' in answer
        await talk.close()


async def test_other_logins_are_what_they_were(site: Site) -> None:
    """Wrong ones say the same whoever is asked for; an address sees its own mail alone."""
    ended = site.home.accounts.token_for(site.account)
    invalid = b"a NO [AUTHENTICATIONFAILED] Invalid credentials"
    for login in (
        f"LOGIN {EMAIL} wrong",
        "LOGIN bob@home.example wrong",
        f"LOGIN {EMAIL.upper()} {digest_of(PASSWORD)}",
        f"LOGIN {EMAIL} {ended[:-3]}abc",
    ):
        assert await site.refused(login) == invalid, login
    talk = await site.talk(f"LOGIN ann {site.opened[0].jwt}")
    assert len(await talk.command('LIST "" *')) == 3
    assert (await talk.command("SELECT amy@x.test"))[-1].startswith(b"a NO [NONEXISTENT]")
    await talk.close()
    site.home.clock.now += 31 * 86_400_000_000
    assert await site.refused(f"LOGIN x {ended}") == invalid


async def test_an_address_of_the_same_name_keeps_its_password(site: Site) -> None:
    await site.home.account("ann@x.test", "the account's")
    talk = await site.talk('LOGIN ann@x.test "the account\'s"')
    assert len(await talk.command('LIST "" *')) == 3, "an account without addresses"
    await talk.close()
    talk = await site.talk(f"LOGIN ann@x.test {site.opened[0].password}")
    assert (await talk.command("SELECT INBOX"))[-1].startswith(b"a OK")
    await talk.close()
    await site.refused("LOGIN ann@x.test neither")


async def test_guesses_at_an_account_are_slowed(site: Site) -> None:
    for _ in range(10):
        assert b"AUTHENTICATIONFAILED" in await site.refused(f"LOGIN {EMAIL} wrong")
    answer = await site.refused(f'LOGIN {EMAIL} "{PASSWORD}"')
    assert answer == b"a NO [UNAVAILABLE] Try again later"


async def test_it_is_off_unless_the_operator_wants_it(quick_database: SqliteDatabase) -> None:
    async for site in site_on(quick_database, imap_account_login=False):
        await site.refused(f'LOGIN {EMAIL} "{PASSWORD}"')
        await site.refused(f"LOGIN {EMAIL} {site.home.accounts.token_for(site.account)}")


async def test_pop3_has_one_mailbox_and_no_login_of_accounts(site: Site) -> None:
    async with listening(Pop3Door(site.home.mail_access, hostname="x.test")) as port:
        talk = await Talk.begin(port)
        await talk.line()
        talk.send(f"USER {EMAIL}\r\n".encode())
        await talk.line()
        talk.send(f"PASS {PASSWORD}\r\n".encode())
        assert (await talk.line()).startswith(b"-ERR [AUTH]")
        await talk.close()


async def test_each_address_has_a_folder_and_all_are_in_the_inbox(any_site: Site) -> None:
    """imaplib, over the door."""
    home = any_site.home
    (one,) = await home.deliver("One", to=HERS[0])
    (two,) = await home.deliver("Two", to=HERS[1])
    await home.deliver("Eve's", to="eve@x.test")
    await home.post("bob@next.test", subject="Sent")

    def client() -> None:
        with imaplib.IMAP4("127.0.0.1", any_site.port) as imap:
            imap.login(EMAIL, PASSWORD)
            listed = imap.list()[1]
            assert listed == [
                b'(\\HasNoChildren) "/" INBOX',
                b'(\\HasNoChildren \\Sent) "/" SENT',
                b'(\\HasChildren) "/" amy@x.test',
                b'(\\HasNoChildren) "/" amy@x.test/SENT',
                b'(\\HasChildren) "/" ann@x.test',
                b'(\\HasNoChildren) "/" ann@x.test/SENT',
            ]
            assert imap.lsub()[1] == listed
            assert len(imap.list('""', "%")[1]) == 4
            assert imap.list("ann@x.test/", "%")[1] == [b'(\\HasNoChildren) "/" ann@x.test/SENT']
            for folder, uids in (
                ("INBOX", [one, two]),
                ("inbox", [one, two]),
                ("Ann@x.test", [one]),
                ("amy@x.test", [two]),
                ("amy@x.test/SENT", []),
            ):
                assert imap.select(folder)[0] == "OK"
                found = imap.uid("SEARCH", "ALL")[1][0].split()
                assert [int(uid) for uid in found] == uids, folder
            for folder in ("SENT", "ann@x.test/sent"):
                assert imap.select(folder) == ("OK", [b"1"])
                assert b"Subject: Sent" in str(imap.fetch("1", "(BODY[HEADER])")[1]).encode()
            for folder in ("eve@x.test", "eve@x.test/SENT", "ann@x.test/INBOX", "Trash"):
                assert imap.select(folder)[0] == "NO"
            status = imap.status("amy@x.test", "(MESSAGES UNSEEN UIDNEXT)")[1]
            assert status == [f"amy@x.test (MESSAGES 1 UNSEEN 1 UIDNEXT {two + 1})".encode()]
            assert imap.status("INBOX", "(MESSAGES UNSEEN)")[1] == [b"INBOX (MESSAGES 2 UNSEEN 2)"]
            assert imap.create("amy@x.test/SENT")[0] == "NO"

    await asyncio.to_thread(client)


async def test_the_whole_service_lets_accounts_in(tmp_path: Path) -> None:
    config = Config(
        data_dir=str(tmp_path),
        domains=["x.test"],
        jwt_secret=SECRET,
        imap_account_login=True,
        imap_listen="127.0.0.1:0",
        pop3_listen="",
    )
    async with Service(config, roles=["imap"]) as service:
        parts = service.parts
        await parts.accounts.create(EMAIL, digest_of(PASSWORD), ip="192.0.2.1")
        account = await parts.accounts.find_by_email(EMAIL)
        assert account is not None
        ann = await parts.registering.open_by_admin(
            name="ann", domain="x.test", with_prefix=False, random_subdomain=False
        )
        claims = parts.authenticating.claims(ann.jwt)
        await parts.account_addresses.bind_by_token(account.id, claims, role=None)
        await parts.receiving.accept(Envelope("", (HERS[0],)), letter("One"), Peer("192.0.2.1"))
        port = int(service.imap_address.rpartition(":")[2])

        def client() -> None:
            with imaplib.IMAP4("127.0.0.1", port) as imap:
                imap.login(EMAIL, PASSWORD)
                assert imap.select() == ("OK", [b"1"])
                assert imap.select(HERS[0]) == ("OK", [b"1"])

        await asyncio.to_thread(client)


async def test_flags_are_shared_and_what_is_deleted_is_gone_from_both(any_site: Site) -> None:
    home = any_site.home
    (one,) = await home.deliver("One", to=HERS[0])
    (two,) = await home.deliver("Two", to=HERS[1])
    whole = await any_site.talk(select="INBOX")
    folder = await any_site.talk(select="ann@x.test")
    hers = await any_site.talk(f"LOGIN ann {any_site.opened[0].jwt}", select="INBOX")
    await whole.command("STORE 1:2 +FLAGS (\\Seen)")
    assert [await home.flags(uid) for uid in (one, two)] == [SEEN, SEEN]
    for talk in (folder, hers):
        assert b"* 1 FETCH (FLAGS (\\Seen))" in await talk.command("NOOP")
    await folder.command("STORE 1 +FLAGS (\\Flagged)")
    assert b"* 1 FETCH (FLAGS (\\Flagged \\Seen))" in await whole.command("NOOP")
    await whole.command("STORE 2 +FLAGS (\\Deleted)")
    assert b"* 2 EXPUNGE" in await whole.command("EXPUNGE")
    await whole.command("STORE 1 +FLAGS (\\Deleted)")
    await folder.command("NOOP")
    assert (await folder.command("EXPUNGE"))[0] == b"* 1 EXPUNGE"
    assert b"* 1 EXPUNGE" in await whole.command("NOOP")
    for talk in (whole, folder, hers):
        await talk.close()


async def test_a_keyword_is_the_matter_of_one_address(any_site: Site) -> None:
    home = any_site.home
    (one,) = await home.deliver("One", to=HERS[0])
    folder = await any_site.talk(select="ann@x.test")
    answer = await folder.command("STORE 1 +FLAGS (Work)")
    assert b"* 1 FETCH (FLAGS (Work))" in answer
    await folder.close()
    talk = await any_site.talk()
    answer = await talk.command("SELECT INBOX")
    kept = b"(\\Answered \\Flagged \\Deleted \\Seen \\Draft)"
    assert b"* FLAGS " + kept in answer
    assert b"* OK [PERMANENTFLAGS " + kept + b"] Flags that stay" in answer
    answer = await talk.command("STORE 1 FLAGS (\\Flagged Other)")
    assert answer == [b"* 1 FETCH (FLAGS (\\Flagged))", b"a OK Stored"]
    assert await home.flags(one) == FLAGGED | FIRST_KEYWORD, "the word is left as it was"
    await talk.close()


async def test_new_mail_of_every_address_is_told_while_a_client_idles(site: Site) -> None:
    await site.home.deliver("One", to=HERS[0])
    talk = await site.talk(select="INBOX")
    talk.send(b"b IDLE\r\n")
    assert await talk.line() == b"+ Idling"
    await site.home.deliver("Two", to=HERS[1])
    assert await talk.line() == b"* 2 EXISTS"
    await site.home.deliver("Eve's", to="eve@x.test")
    await site.home.deliver("Three", to=HERS[0])
    assert await talk.line() == b"* 3 EXISTS"
    talk.send(b"DONE\r\n")
    assert (await talk.line()).startswith(b"b OK")
    await talk.close()


async def validity(talk: Talk, folder: str) -> int:
    (told, *_) = await talk.command(f"STATUS {folder} (UIDVALIDITY)")
    return int(told.rstrip(b")").split()[-1])


async def test_an_address_that_comes_makes_the_inbox_another_one(any_site: Site) -> None:
    """Its mail is older than what a client knows; ids below the highest are no news."""
    home = any_site.home
    late = await home.open("zoe")
    (old,) = await home.deliver("Old", to="zoe@x.test")
    (one,) = await home.deliver("One", to=HERS[0])
    talk, other = await any_site.talk(), await any_site.talk(select="INBOX")
    before = await validity(talk, "INBOX")
    assert await validity(talk, "INBOX") == before
    folder = await validity(talk, "ann@x.test")
    await home.bind(any_site.account, late)
    assert (await other.command("NOOP"))[0].startswith(b"* BYE")
    await other.close()
    assert await validity(talk, "INBOX") > before
    assert await validity(talk, "ann@x.test") == folder
    await talk.command("SELECT INBOX")
    assert (await talk.command("UID SEARCH ALL"))[0] == b"* SEARCH %d %d" % (old, one)
    await talk.close()


async def test_an_address_that_goes_takes_its_mail_and_its_folder_along(any_site: Site) -> None:
    home = any_site.home
    await home.deliver("One", to=HERS[0])
    talk = await any_site.talk(select="INBOX")
    folder = await any_site.talk(select="ann@x.test")
    await home.database.write(user_addresses.release, any_site.opened[0].address_id)
    assert b"* 1 EXPUNGE" in await talk.command("NOOP")
    assert (await folder.command("NOOP"))[0].startswith(b"* BYE")
    await folder.close()
    assert (await talk.command("SELECT ann@x.test"))[-1].startswith(b"a NO [NONEXISTENT]")
    await talk.close()


async def test_a_deleted_account_ends_its_sessions(any_site: Site) -> None:
    talk = await any_site.talk(select="INBOX")
    token = any_site.home.accounts.token_for(any_site.account)
    await any_site.home.accounts.remove(any_site.account.id)
    assert (await talk.command("NOOP"))[0].startswith(b"* BYE")
    await talk.close()
    await any_site.refused(f"LOGIN x {token}")


async def test_an_address_that_no_atom_holds_is_a_folder_too(any_site: Site) -> None:
    strange = 'jörg&a/"b%*\\@x.test'

    async def rename(tx: Transaction) -> None:
        await tx.execute(
            "UPDATE addresses SET address = :name, name = :name WHERE id = :id",
            {"name": strange, "id": any_site.opened[1].address_id},
        )
        assert await addresses.by_address(tx, strange) is not None

    await any_site.home.database.write(rename)
    talk = await any_site.talk()
    names = [
        line.split(b' "/" ')[1]
        for line in await talk.command('LIST "" *')
        if line.startswith(b"* LIST") and b"&" in line
    ]
    assert len(names) == 2
    for name in names:
        assert (await talk.command(b"SELECT " + name))[-1].startswith(b"a OK"), name
    await talk.close()


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*", "a/b", True),
        ("%", "a/b", False),
        ("%", "ab", True),
        ("%/%", "a/b", True),
        ("*%", "a/b", True),
        ("a*b%c", "a/b/bxc", True),
        ("a*b%c", "a/bx/c", False),
        ("INBOX", "inbox", True),
        ("INBOX", "INBOXES", False),
        ("", "", True),
        ("", "a", False),
        ("%%%", "", True),
        ("*a" * 120 + "b", "a" * 250, False),
    ],
)
def test_wildcards_of_list(pattern: str, name: str, matches: bool) -> None:
    assert list_pattern(pattern)(name) is matches


async def test_mbsync_mirrors_the_folders_of_an_account(site: Site, tmp_path: Path) -> None:
    mbsync = need("mbsync")
    await site.home.deliver("One", to=HERS[0])
    await site.home.deliver("Two", to=HERS[1])
    secret, config = tmp_path / "secret", tmp_path / "mbsyncrc"
    text = f"""
IMAPAccount ann
Host 127.0.0.1
Port {site.port}
User {EMAIL}
PassCmd "cat {secret}"
SSLType None
AuthMechs LOGIN

IMAPStore remote
Account ann

MaildirStore local
Path {tmp_path}/mail/
Inbox {tmp_path}/mail/INBOX
SubFolders Verbatim

Channel all
Far :remote:
Near :local:
Patterns *
Create Near
Sync All
SyncState {tmp_path}/state/
"""

    def prepare() -> None:
        (tmp_path / "mail").mkdir()
        (tmp_path / "state").mkdir()
        secret.write_text(PASSWORD)
        config.write_text(text)

    await asyncio.to_thread(prepare)
    await run(mbsync, "-q", "-c", config, "all")

    def subjects(folder: str) -> list[str]:
        return sorted(one["Subject"] for one in mailbox.Maildir(tmp_path / "mail" / folder))

    assert subjects("INBOX") == ["One", "Two"]
    assert subjects("ann@x.test") == ["One"]
    assert subjects("amy@x.test") == ["Two"]
    assert subjects("amy@x.test/SENT") == []

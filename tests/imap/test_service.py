"""The doors of the whole service, and the store below them."""

from __future__ import annotations

import asyncio
import imaplib
import poplib
import ssl
from pathlib import Path
from typing import Any

import pytest

from mailbox_service.config import Config
from mailbox_service.core.envelope import Envelope, Peer
from mailbox_service.core.errors import NotYours, QuotaReached
from mailbox_service.core.mailboxes import Box
from mailbox_service.core.stored import ALL_FLAGS, DELETED, SEEN
from mailbox_service.service import Service
from mailbox_service.storage import contents, messages
from mailbox_service.storage.database import Transaction
from tests.imap.conftest import Site
from tests.imap.house import ANN, letter
from tests.services.parts import PEER

pytestmark = pytest.mark.anyio


async def test_the_service_opens_the_doors_of_mail_clients(
    tmp_path: Path, certificate: tuple[Path, Path], client_tls: ssl.SSLContext
) -> None:
    """One role, four addresses; with a certificate all of them speak TLS."""
    certificate[1].chmod(0o600)
    config = Config(
        data_dir=str(tmp_path),
        domains=["x.test"],
        jwt_secret="a secret of the tests, long enough to be one",
        enable_user_delete_email=True,
        tls_cert=str(certificate[0]),
        tls_key=str(certificate[1]),
        imap_listen="127.0.0.1:0",
        imaps_listen="127.0.0.1:0",
        pop3_listen="127.0.0.1:0",
        pop3s_listen="127.0.0.1:0",
    )
    async with Service(config, roles=["imap"]) as service:
        parts = service.parts
        assert service.url == ""
        assert service.submission_address == ""
        ann = await parts.registering.open_by_admin(
            name="ann", domain="x.test", with_prefix=False, random_subdomain=False
        )
        await parts.receiving.accept(Envelope("", (ANN,)), letter("One"), Peer("192.0.2.1"))
        (_, imap_port), (_, imaps_port) = service._doors["imap"].addresses
        (_, pop3_port), (_, pop3s_port) = service._doors["pop3"].addresses
        assert service.imap_address == f"127.0.0.1:{imap_port}"
        assert service.pop3_address == f"127.0.0.1:{pop3_port}"

        def client() -> None:
            with imaplib.IMAP4("localhost", imap_port) as imap:
                imap.starttls(client_tls)
                imap.login("x", ann.jwt)
                assert imap.select() == ("OK", [b"1"])
            with imaplib.IMAP4_SSL("localhost", imaps_port, ssl_context=client_tls) as imap:
                imap.login("x", ann.jwt)
                assert imap.select() == ("OK", [b"1"])
            pop = poplib.POP3("localhost", pop3_port, timeout=10)
            pop.stls(client_tls)
            pop.user("x")
            pop.pass_(ann.jwt)
            assert pop.stat()[0] == 1
            pop.quit()
            pop = poplib.POP3_SSL("localhost", pop3s_port, context=client_tls, timeout=10)
            pop.user("x")
            pop.pass_(ann.jwt)
            pop.quit()

        await asyncio.to_thread(client)


async def opened(site: Site) -> Any:
    return await site.house.mail_access.login("ann", site.ann.jwt, PEER)


async def test_changes_tell_what_is_new_marked_or_gone_since_a_mark(any_site: Site) -> None:
    house = any_site.house
    ids = await house.deliver("One", "Two", "Three")
    await house.deliver("Eve's", to="eve@x.test")
    account = await opened(any_site)
    first = await account.changes(Box.INBOX, None)
    assert first.whole
    assert [row.id for row in first.rows] == ids
    same = await account.changes(Box.INBOX, first.mark)
    assert (same.whole, same.rows, same.gone) == (False, [], [])
    await account.mark(Box.INBOX, [ids[0]], with_flags=SEEN | DELETED, kept=ALL_FLAGS)
    await account.delete(Box.INBOX, [ids[1], 10_000])
    (new,) = await house.deliver("Four")
    news = await account.changes(Box.INBOX, first.mark)
    assert not news.whole
    assert [(row.id, row.flags) for row in news.rows] == [(ids[0], SEEN | DELETED), (new, 0)]
    assert news.gone == [ids[1]]
    numbers = await account.numbers(Box.INBOX)
    assert (numbers.total, numbers.unseen, numbers.top) == (3, 2, new)


async def test_an_account_reaches_no_other_mailbox(any_site: Site) -> None:
    house = any_site.house
    (mine,) = await house.deliver("Mine")
    (hers,) = await house.deliver("Hers", to="eve@x.test")
    account = await opened(any_site)
    assert set(await account.contents(Box.INBOX, [mine, hers])) == {mine}
    await account.mark(Box.INBOX, [hers], with_flags=SEEN, kept=ALL_FLAGS)
    await account.delete(Box.INBOX, [hers])
    await account.delete(Box.SENT, [hers])
    assert await house.flags(hers) == 0
    assert await house.inbox("eve@x.test") != []


async def test_many_messages_are_marked_and_deleted_in_few_statements(any_site: Site) -> None:
    house = any_site.house

    async def fill(tx: Transaction) -> list[int]:
        added: list[int] = []
        for _ in range(1_201):
            added += await messages.add(
                tx, addresses=[ANN], reverse_path="", content=letter(), now=1
            )
        return added

    ids = await house.database.write(fill)
    account = await opened(any_site)
    before = await account.changes(Box.INBOX, None)
    await account.mark(Box.INBOX, ids, with_flags=SEEN, kept=ALL_FLAGS)
    after = await account.changes(Box.INBOX, before.mark)
    assert [row.id for row in after.rows] == ids
    assert (await account.numbers(Box.INBOX)).unseen == 0
    await account.delete(Box.INBOX, ids[1:])
    assert (await account.changes(Box.INBOX, after.mark)).gone == ids[1:]


async def test_a_mailbox_beyond_all_measure_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailbox_service.services.open_mailboxes.MOST_MESSAGES", 1)
    await site.house.deliver("One", "Two")
    account = await opened(site)
    with pytest.raises(QuotaReached):
        await account.changes(Box.INBOX, None)
    talk = await site.talk()
    refused = b"a NO [LIMIT] The mailbox has too many messages"
    assert await talk.command("SELECT INBOX") == [refused]
    assert (await talk.command("NOOP")) == [b"a OK Done"]
    await talk.close()


async def test_revoked_tokens_end_what_they_opened(any_site: Site) -> None:
    account = await opened(any_site)

    async def revoke(tx: Transaction) -> None:
        await tx.execute(
            "UPDATE addresses SET tokens_from = :now WHERE address = :address",
            {"now": any_site.house.clock.now + 1, "address": ANN},
        )

    await any_site.house.database.write(revoke)
    with pytest.raises(NotYours):
        await account.numbers(Box.INBOX)


async def test_a_damaged_message_is_empty_and_spoils_no_list(
    any_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site = any_site
    await site.house.deliver("One", "Two")

    async def damage(tx: Transaction) -> None:
        row = await tx.fetch_one("SELECT min(content_id) FROM messages")
        assert row is not None
        await tx.execute("UPDATE contents SET checksum = 1 WHERE id = :id", {"id": row[0]})
        with pytest.raises(contents.Damaged):
            await contents.read(tx, row[0])

    await site.house.database.write(damage)
    talk = await site.talk(select="INBOX")
    answer = await talk.command("FETCH 1:2 (ENVELOPE BODY.PEEK[])")
    assert answer[-1] == b"a OK Fetched"
    assert b"BODY[] {0}" in b" ".join(answer)
    assert b'"Two"' in b" ".join(answer)
    assert "content-damaged" in caplog.text
    await talk.close()


async def test_trouble_of_the_store_is_no_and_the_session_goes_on(site: Site) -> None:
    """Hazard 19."""
    await site.house.deliver("One")
    talk = await site.talk(select="INBOX")
    store = site.house.database
    path = store.path  # type: ignore[union-attr]
    assert path.exists()
    await store.close()
    answer = await talk.command("NOOP")
    assert answer == [b"a NO [UNAVAILABLE] Temporary failure, try again later"]
    assert (await talk.command("CAPABILITY"))[-1] == b"a OK Done"
    await talk.close()

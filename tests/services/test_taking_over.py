"""An existing deployment is taken over: everything, once, under its ids, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from mailbox_service.core.errors import BadCredential
from mailbox_service.core.stored import Excerpt
from mailbox_service.services.mail_files import BadFile
from mailbox_service.services.moving import addresses as moving_addresses
from mailbox_service.services.moving import mail as moving_mail
from mailbox_service.services.moving.taking_over import TakingOver
from mailbox_service.services.passwords import Passwords
from mailbox_service.services.sent import SentMail
from mailbox_service.storage import (
    allowances,
    auto_replies,
    contents,
    message_lists,
    messages,
    passkeys,
    send_counts,
    settings,
    telegram,
    user_addresses,
    users,
    webhooks,
)
from mailbox_service.storage.database import Transaction
from tests.databases import AnyDatabase
from tests.old_deployment import PASSKEY, RECORD, SECRET, WEBHOOK, OldDeployment, digest, token
from tests.services import parts
from tests.services.parts import Mailboxes

pytestmark = pytest.mark.anyio


@pytest.fixture
def old() -> Iterator[OldDeployment]:
    with OldDeployment() as deployment:
        yield deployment


@pytest.fixture
def boxes(database: AnyDatabase, monkeypatch: pytest.MonkeyPatch) -> Mailboxes:
    """A service with the secret of the deployment."""
    monkeypatch.setattr(parts, "SECRET", SECRET)
    return Mailboxes(database, domains=["old.test", "x.test"], jwt_secret=SECRET)


def taking(boxes: Mailboxes, **options: Any) -> TakingOver:
    return TakingOver(
        boxes.database,
        boxes.config,
        boxes.authenticating,
        boxes.signals,
        clock=boxes.clock,
        **options,
    )


async def everything(boxes: Mailboxes) -> dict[int, tuple[str, bytes]]:
    """Every stored mail by its id: its mailbox and its bytes."""

    async def unit(tx: Transaction) -> dict[int, tuple[str, bytes]]:
        listed = await message_lists.page(tx, None, Excerpt(10_000))
        return {one.id: (one.address, await contents.read(tx, one.content_id)) for one in listed}

    return await boxes.database.read(unit)


@pytest.mark.parametrize("form", ["sqlite", "hosted", "old shell"])
async def test_everything_arrives_with_its_ids_byte_for_byte(
    boxes: Mailboxes,
    old: OldDeployment,
    tmp_path: Path,
    form: Literal["sqlite", "hosted", "old shell"],
) -> None:
    old.add_mail(100, 77, b"Subject: to nobody\r\n\r\n", packed=False)
    over = taking(boxes)
    await over.take_dump(old.dump(tmp_path / "dump.sql", form))
    assert await everything(boxes) == old.mails
    assert dict(over.done.added) == {
        "address": 3,
        "users": 2,
        "users_address": 1,
        "user_passkeys": 1,
        "address_sender": 2,
        "auto_reply_mails": 1,
        "settings": 7,
        "raw_mails": 21,
        "sendbox": 3,
    }
    assert over.done.left_out == {"settings": 2}


async def test_old_tokens_and_passwords_open_their_mailboxes(
    boxes: Mailboxes, old: OldDeployment, tmp_path: Path
) -> None:
    await taking(boxes).take_dump(old.dump(tmp_path / "dump.sql"))
    for number, name in old.addresses.items():
        for spelled in (number, str(number), None):
            principal = await boxes.authenticating.address_token(token(name, spelled))
            assert (principal.address, principal.address_id) == (name, number)
        opened = await boxes.authenticating.password_login(name, digest(f"password {number}"), "")
        assert opened.address_id == number
        with pytest.raises(BadCredential):
            await boxes.authenticating.password_login(name, digest("wrong"), "")
    with pytest.raises(BadCredential):
        await boxes.authenticating.address_token(token("box1@old.test", 2))
    with pytest.raises(BadCredential):
        await boxes.authenticating.address_token(token("box1@old.test", 1, "another secret"))


async def test_mail_keeps_its_date_sender_and_record_and_nothing_follows_from_it(
    boxes: Mailboxes, old: OldDeployment, tmp_path: Path
) -> None:
    await taking(boxes).take_dump(old.dump(tmp_path / "dump.sql"))

    async def unit(tx: Transaction) -> tuple[Any, list[int]]:
        arrivals = await messages.arrivals(tx, after=0, limit=100)
        return await messages.by_id(tx, 2), [one.quiet for one in arrivals]

    message, quiet = await boxes.database.read(unit)
    assert message.reverse_path == "bounce@s.test"
    assert message.metadata == '{"ai_extract":{"type":"auth_code"}}'
    assert message.received_at == 1_740_823_202_000_000  # 2025-03-01 10:00:02 UTC
    assert quiet == [1] * 20


async def test_accounts_and_what_belongs_to_addresses(
    boxes: Mailboxes, old: OldDeployment, tmp_path: Path
) -> None:
    await taking(boxes).take_dump(old.dump(tmp_path / "dump.sql"))

    async def unit(tx: Transaction) -> dict[str, Any]:
        return {
            "ann": await users.by_email(tx, "Ann@mail.test"),
            "other": await users.by_id(tx, 9),
            "bound": await user_addresses.count(tx, 4),
            "passkeys": await passkeys.list_of(tx, 4),
            "allowance": await allowances.by_address(tx, "box1@old.test"),
            "none": await allowances.by_address(tx, "box2@old.test"),
            "reply": await auto_replies.get(tx, "box1@old.test"),
            "day": await send_counts.get(tx, "day:2025-03-02"),
            "month": await send_counts.get(tx, "month:2025-03"),
            "settings": await settings.get_all(tx),
            "plan": await settings.get(tx, "admin-config:d1_storage_plan"),
        }

    found = await boxes.database.read(unit)
    assert (found["ann"].id, found["ann"].role) == (4, "vip")
    assert await Passwords(SECRET).matches(found["ann"].password_hash, digest("ann"))
    assert found["other"].password_hash is None
    assert found["bound"] == 1
    assert [(one.passkey_id, one.credential) for one in found["passkeys"]] == [("cHJvb2Y", PASSKEY)]
    assert (found["allowance"].balance, found["allowance"].enabled) == (7, True)
    assert (found["none"].balance, found["none"].enabled) == (0, False)
    assert (found["reply"].subject, found["reply"].message) == ("away", "I am; 'away'")
    assert (found["day"], found["month"]) == (12, 40)
    assert found["settings"] == {
        "address_block_list": ["admin", "root"],
        "send_block_list": [],
        "email_rule_settings": {"blockReceiveUnknowAddressEmail": False},
        "user_settings": {"enable": True, "maxAddressCount": 9},
    }
    assert found["plan"] == "free"


async def test_the_sent_box_has_its_records_without_tokens_and_readable_messages(
    boxes: Mailboxes, old: OldDeployment, tmp_path: Path
) -> None:
    await taking(boxes).take_dump(old.dump(tmp_path / "dump.sql"))
    sent = SentMail(boxes.database, boxes.signals)
    rows, count = await sent.sendbox("box1@old.test", limit=10, offset=0)
    assert (count, [row.id for row in rows]) == (2, [6, 5])
    record = {key: value for key, value in RECORD.items() if key != "token"}
    assert json.loads(rows[1].record) == record
    assert rows[1].created_at == 1_740_873_600_000_000
    opened = await sent.open("box1@old.test", 5)
    assert (opened.parsed.subject, opened.parsed.html.strip()) == ("Grüße", "<b>hello</b>")
    assert [one.recipient for one in opened.message.recipients] == ["bob@else.test"]
    assert opened.message.state == "delivered"
    assert (await sent.open("box1@old.test", 6)).parsed.text.strip() == "old words"
    assert (await sent.sendbox("box2@old.test", limit=10, offset=0))[0][
        0
    ].record == "no JSON at all"


@pytest.mark.parametrize("form", ["object", "list", "lines"])
async def test_the_key_value_store(
    boxes: Mailboxes,
    old: OldDeployment,
    tmp_path: Path,
    form: Literal["object", "list", "lines"],
) -> None:
    over = taking(boxes)
    await over.take_dump(old.dump(tmp_path / "dump.sql"))
    for _ in range(2):
        await over.take_keys(old.dump_keys(tmp_path / "keys.json", form))

    async def unit(tx: Transaction) -> dict[str, Any]:
        return {
            "settings": await settings.get_all(tx),
            "webhook": await webhooks.settings_of(tx, "box1@old.test"),
            "list": await telegram.list_of(tx, "777"),
            "told": await telegram.told_of(tx, ["box1@old.test"]),
            "language": await telegram.language_of(tx, "777"),
        }

    found = await boxes.database.read(unit)
    assert found["settings"]["from_block_list"] == ["spam@"]
    assert found["settings"]["webhook_settings"]["allowList"] == ["box1@old.test"]
    assert found["settings"]["mail_webhook_settings"] == WEBHOOK
    assert found["webhook"] == WEBHOOK
    assert [(one.address, one.address_id) for one in found["list"]] == [("box1@old.test", 1)]
    assert found["told"] == {"box1@old.test": "777"}
    assert found["language"] == "zh"
    assert over.done.added["keys"] == 3
    assert over.done.left_out["keys"] == 4  # the token of nobody and the other program, twice


async def test_taken_over_again_nothing_comes_twice_and_nothing_deleted_comes_back(
    boxes: Mailboxes, old: OldDeployment, tmp_path: Path
) -> None:
    dump = old.dump(tmp_path / "dump.sql")
    await taking(boxes).take_dump(dump)
    before = await everything(boxes)
    await boxes.reading.delete(None, [2])
    await boxes.administering.change({"address_block_list": ["changed"]})
    old.add_mail(500, 1, b"Subject: came meanwhile\r\n\r\n", packed=True)
    over = taking(boxes)
    await over.take_dump(old.dump(tmp_path / "newer.sql"))
    assert over.done.added == {"raw_mails": 1}
    assert over.done.known["raw_mails"] == 20
    assert over.done.known["sendbox"] == 3
    del before[2]
    assert await everything(boxes) == {**before, 500: old.mails[500]}
    assert (await boxes.database.read(settings.get_all))["address_block_list"] == ["changed"]


@pytest.mark.parametrize("after", range(1, 7))
async def test_a_take_over_that_was_cut_off_goes_on_and_gives_all(
    boxes: Mailboxes,
    old: OldDeployment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    after: int,
) -> None:
    """Cut off behind any of its transactions."""
    monkeypatch.setattr(moving_mail, "BATCH", 6)
    monkeypatch.setattr(moving_addresses, "BATCH", 2)
    dump = old.dump(tmp_path / "dump.sql")

    class Killed(Exception):
        pass

    write, written = boxes.database.write, 0

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal written
        written += 1
        if written > after * 3:
            raise Killed
        return write(*args, **kwargs)

    monkeypatch.setattr(boxes.database, "write", counted)
    with pytest.raises(Killed):
        await taking(boxes).take_dump(dump)
    monkeypatch.setattr(boxes.database, "write", write)
    await taking(boxes).take_dump(dump)
    assert await everything(boxes) == old.mails
    for number, name in old.addresses.items():
        assert (await boxes.authenticating.address_token(token(name, number))).address_id == number
    _, count = await SentMail(boxes.database, boxes.signals).sendbox(None, limit=1, offset=0)
    assert count == 3


async def test_where_ids_are_taken_tokens_work_all_the_same_and_mail_gets_ids_at_the_end(
    boxes: Mailboxes, old: OldDeployment, tmp_path: Path
) -> None:
    """A service that was tried out before has an address and mail of its own."""
    hello = await boxes.registering.open_by_admin(
        name="hello", domain="x.test", with_prefix=False, random_subdomain=False
    )
    own = await boxes.receive("hello@x.test")
    own += await boxes.receive("hello@x.test")
    await taking(boxes).take_dump(old.dump(tmp_path / "dump.sql"))
    principal = await boxes.authenticating.address_token(token("box1@old.test", 1))
    assert principal.address == "box1@old.test"
    assert principal.address_id > 3
    for number in (2, 3):
        name = old.addresses[number]
        assert (await boxes.authenticating.address_token(token(name, number))).address_id == number
    assert (await boxes.authenticating.address_token(hello.jwt)).address == "hello@x.test"
    with pytest.raises(BadCredential):
        await boxes.authenticating.address_token(token("hello@x.test", 2))
    found = await everything(boxes)
    assert own == (1, 2)
    theirs = {n: mail for n, mail in found.items() if n not in own}
    kept = {n: mail for n, mail in old.mails.items() if n != 2}
    assert theirs == {**kept, 41: old.mails[2]}
    await taking(boxes).take_dump(old.dump(tmp_path / "dump.sql"))
    assert await everything(boxes) == found
    # What comes next has a higher id than everything.
    assert (await boxes.receive("hello@x.test"))[0] > max(found)
    second = await boxes.registering.open_by_admin(
        name="next", domain="x.test", with_prefix=False, random_subdomain=False
    )
    assert second.address_id > principal.address_id


async def test_an_address_that_somebody_opened_here_keeps_its_owner(
    boxes: Mailboxes, old: OldDeployment, tmp_path: Path
) -> None:
    mine = await boxes.registering.open_by_admin(
        name="box2", domain="old.test", with_prefix=False, random_subdomain=False
    )
    dump = old.dump(tmp_path / "dump.sql")
    over = taking(boxes)
    await over.take_dump(dump)
    with pytest.raises(BadCredential):
        await boxes.authenticating.address_token(token("box2@old.test", 2))
    assert (await boxes.authenticating.address_token(mine.jwt)).address == "box2@old.test"
    theirs = {n for n, (name, _) in old.mails.items() if name == "box2@old.test"}
    assert set(await everything(boxes)) == set(old.mails) - theirs
    assert over.done.left_out["raw_mails"] == len(theirs)
    assert "address: box2@old.test is open here already" in over.done.problems
    joined = taking(boxes, joins=True)
    await joined.take_dump(dump)
    principal = await boxes.authenticating.address_token(token("box2@old.test", 2))
    assert principal.address_id == mine.address_id
    assert sorted(content for _, content in (await everything(boxes)).values()) == sorted(
        content for _, content in old.mails.values()
    )


async def test_a_domain_that_is_not_served_is_told(
    boxes: Mailboxes, old: OldDeployment, tmp_path: Path
) -> None:
    old.insert("address", id=50, name="a@sub.else.test")
    old.insert("address", id=51, name="a@sub.old.test")
    over = taking(boxes)
    await over.take_dump(old.dump(tmp_path / "dump.sql"))
    assert [line for line in over.done.problems if line.startswith("domains")] == [
        "domains: sub.else.test (1 addresses) is not one of `domains` here"
    ]


async def test_rows_that_make_no_sense_are_counted_and_the_rest_arrives(
    boxes: Mailboxes, old: OldDeployment, tmp_path: Path
) -> None:
    old.insert("address", id=60)
    old.insert("raw_mails", id=900, raw="no address")
    old.insert("raw_mails", id=901, address="box1@old.test", raw_blob=b"no gzip")
    old.insert("raw_mails", id=902, address="box1@old.test")
    old.insert("raw_mails", id=903, address="Box1@OLD.test", raw="a\0b", source=None)
    old.insert("users_address", user_id=1, address_id=1)
    old.insert("user_passkeys", user_id=4, passkey_id="x", passkey="[]")
    over = taking(boxes)
    await over.take_dump(old.dump(tmp_path / "dump.sql", "hosted"))
    assert dict(over.done.left_out) == {
        "address": 1,
        "raw_mails": 2,
        "users_address": 1,
        "user_passkeys": 1,
        "settings": 2,
    }
    found = await everything(boxes)
    assert found[902] == ("box1@old.test", b"")
    assert found[903] == ("box1@old.test", b"a\0b")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("CREATE TABLE other (id);", "none of the tables"),
        ("CREATE TABLE address (id); INSERT INTO address VALUES(load_file('x'));", "a call"),
        ("CREATE TABLE address (id); INSERT INTO address VALUES('cut", "cut off"),
    ],
)
async def test_a_file_that_is_no_such_dump_is_told(
    boxes: Mailboxes, tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "dump.sql"
    file.write_text(text)
    with pytest.raises(BadFile, match=words):
        await taking(boxes).take_dump(file)
    file.write_text('[{"key":"a"}]')
    with pytest.raises(BadFile, match="no key and value"):
        await taking(boxes).take_keys(file)

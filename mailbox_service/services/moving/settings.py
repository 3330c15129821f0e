"""Settings and the key-value store of an existing deployment. What is set here stays."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from mailbox_service.core import deployment
from mailbox_service.core.auto_reply import AutoReply
from mailbox_service.core.deployment import BadRow
from mailbox_service.core.dump import Row
from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import BadCredential
from mailbox_service.core.transfer import as_address
from mailbox_service.core.webhook import read_settings
from mailbox_service.services.mail_files import Advance, BadFile, opened
from mailbox_service.services.moving.move import Move
from mailbox_service.storage import allowances, auto_replies, importing, telegram, webhooks
from mailbox_service.storage.database import Transaction

# A key-value store holds settings and some counters; one of hundreds of megabytes is none.
LARGEST_KEYS = 1 << 28
# Addresses that one user of Telegram had, far more than the setting allows.
MOST_BOUND = 1_000

# Proves a token of an address; raises BadCredential.
Prove = Callable[[str], Awaitable[Principal]]


async def take_settings(move: Move, rows: list[Row]) -> None:
    """Set what nobody has set here."""

    def pair(row: Row) -> tuple[str, str]:
        return deployment.needed(row, "key"), deployment.text_of(row, "value") or ""

    for key, text in move.each("settings", rows, pair):
        count = deployment.count_of(key, text)
        if count is not None:
            await move.keep("settings", importing.add_count, period=count[0], sent=count[1])
            continue
        try:
            setting = deployment.setting_of(key, text)
        except BadRow as problem:
            move.done.leave_out("settings", str(problem))
            continue
        if setting is not None:
            await set_new(move, *setting)
        elif key != "db_version":
            move.done.leave_out("settings", f"{key} means nothing here")


async def set_new(move: Move, name: str, value: Any) -> None:
    """Set a setting that nobody has set here."""
    text = json.dumps(value, ensure_ascii=False)
    await move.keep("settings", importing.add_setting, name=name, value=text, now=move.clock())


async def take_allowances(move: Move, rows: list[Row]) -> None:
    """How many mails addresses may send, where that is not known here."""
    for address, balance, enabled, at in move.each("address_sender", rows, deployment.allowance_of):
        if not move.is_foreign("address_sender", address):
            await move.keep(
                "address_sender",
                partial(allowances.open_allowance, address=address),
                balance=balance,
                enabled=enabled,
                now=move.clock() if at is None else at,
            )


async def take_auto_replies(move: Move, rows: list[Row]) -> None:
    """What addresses answer by themselves, where they say nothing here."""
    for address, reply in move.each("auto_reply_mails", rows, deployment.auto_reply_of):
        if not move.is_foreign("auto_reply_mails", address):
            await move.keep(
                "auto_reply_mails", keep_reply, address=address, reply=reply, now=move.clock()
            )


async def keep_reply(tx: Transaction, *, address: str, reply: AutoReply, now: int) -> bool:
    """What an address answers by itself, when it says nothing here."""
    if await auto_replies.get(tx, address) is not None:
        return False
    await auto_replies.put(tx, address, reply, now=now)
    return True


# The key-value store


def read_keys(path: Path, advance: Advance) -> dict[str, Any]:
    """The keys of a dump of the key-value store: one JSON document, or a line each. Raises
    BadFile."""
    with opened(path, advance) as stream:
        text = stream.read(LARGEST_KEYS + 1)
    if len(text) > LARGEST_KEYS:
        raise BadFile(f"{path}: larger than {LARGEST_KEYS} octets")
    try:
        try:
            return deployment.keys_of(json.loads(text))
        except ValueError:
            return deployment.keys_of([json.loads(line) for line in text.splitlines() if line])
    except (ValueError, RecursionError):
        raise BadFile(f"{path}: neither JSON nor a line of JSON each") from None
    except BadRow as problem:
        raise BadFile(f"{path}: {problem}") from None


async def take_keys(move: Move, keys: dict[str, Any], prove: Prove) -> None:
    """Everything in a key-value store. Who has an address in Telegram comes before who is told
    of its mail."""
    for key, value in sorted(keys.items(), key=lambda pair: "@" in pair[0]):
        try:
            await take_key(move, key, value, prove)
        except BadRow as problem:
            move.done.leave_out("keys", str(problem))


async def take_key(move: Move, key: str, value: Any, prove: Prove) -> None:
    """One key. Raises BadRow."""
    if deployment.is_fleeting(key):
        return
    name = deployment.KEY_SETTINGS.get(key)
    if name is not None:
        await set_new(move, name, deployment.json_of(key, value))
    elif key.startswith(deployment.WEBHOOK_KEY):
        address = as_address(key.removeprefix(deployment.WEBHOOK_KEY))
        if not move.is_foreign("keys", address):
            settings = deployment.json_of(key, value)
            await move.keep("keys", keep_webhook, address=address, value=settings, now=move.clock())
    elif key.startswith(deployment.LANGUAGE_KEY):
        user = key.removeprefix(deployment.LANGUAGE_KEY)
        if value in ("zh", "en"):
            await move.keep("keys", keep_language, telegram_user=user, language=str(value))
    elif key.startswith(deployment.TELEGRAM_KEY):
        await take_telegram(move, key.removeprefix(deployment.TELEGRAM_KEY), value, prove)
    else:
        move.done.leave_out("keys", f"{key.partition(':')[0]} means nothing here")


async def keep_webhook(tx: Transaction, *, address: str, value: Any, now: int) -> bool:
    """The webhook of an address, when it has none here."""
    if await webhooks.settings_of(tx, address) is not None:
        return False
    enabled = read_settings(value).enabled
    await webhooks.put_settings(tx, address, value, enabled=enabled, now=now)
    return True


async def keep_language(tx: Transaction, *, telegram_user: str, language: str) -> bool:
    """The language of a user of Telegram, when they chose none here."""
    if await telegram.language_of(tx, telegram_user) is not None:
        return False
    await telegram.set_language(tx, telegram_user=telegram_user, language=language)
    return True


async def take_telegram(move: Move, name: str, value: Any, prove: Prove) -> None:
    """The tokens in a user's list, or the user who is told of an address's mail. Raises BadRow."""
    if "@" in name:
        user = str(value).strip('"')
        address = as_address(name)
        await move.keep("keys", tell, telegram_user=user, address=address, now=move.clock())
        return
    tokens = deployment.json_of(f"{deployment.TELEGRAM_KEY}{name}", value)
    for token in tokens[:MOST_BOUND] if isinstance(tokens, list) else []:
        try:
            owner = await prove(str(token))
        except BadCredential:
            move.done.leave_out("keys", "a token in a list of Telegram is not one of ours")
            continue
        await move.keep(
            "keys",
            bind,
            telegram_user=name,
            address=owner.address,
            address_id=owner.address_id,
            now=move.clock(),
        )


async def bind(
    tx: Transaction, *, telegram_user: str, address: str, address_id: int, now: int
) -> bool:
    """Put an address into a user's list, when it is in nobody's here or in others' alone."""
    if any(one.address == address for one in await telegram.list_of(tx, telegram_user)):
        return False
    await telegram.bind(
        tx, telegram_user=telegram_user, address=address, address_id=address_id, now=now
    )
    return True


async def tell(tx: Transaction, *, telegram_user: str, address: str, now: int) -> bool:
    """Tell a user who has an address in the list of its mail, and nobody else."""
    for one in await telegram.list_of(tx, telegram_user):
        if one.address == address and one.valid:
            told = await telegram.told_of(tx, [address])
            if told.get(address) == telegram_user:
                return False
            await telegram.bind(
                tx,
                telegram_user=telegram_user,
                address=address,
                address_id=one.address_id,
                now=now,
            )
            return True
    raise BadRow(f"{address} is in no list of the user who is told of it")

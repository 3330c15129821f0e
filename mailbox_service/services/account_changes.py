"""What changes an account, each as one transaction; and what an access token is compared with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mailbox_service.core import accounts as rules
from mailbox_service.core.accounts import SECOND, Account
from mailbox_service.storage import passkeys, user_addresses, users, verify_codes
from mailbox_service.storage.database import Transaction


def told(email: str, ip: str) -> str:
    """What is kept about a registration (mailbox-api §3.5)."""
    info = {"geoData": {"ip": ip or "unknown"}, "userEmail": email}
    return json.dumps(info, ensure_ascii=False)


async def keep_account(
    tx: Transaction,
    email: str,
    password_hash: str | None,
    user_info: str | None,
    source: str,
    default_role: str | None,
    now: int,
) -> Account:
    """Open an account, or change the one that is there: its password when one is given, what is
    known about its owner, its role when it has none."""
    user_id = await users.add(
        tx,
        email=email,
        password_hash=password_hash,
        role=default_role,
        user_info=user_info,
        source=source,
        now=now,
    )
    if user_id is None:
        known = await users.by_email(tx, email)
        assert known is not None
        user_id = known.id
        if password_hash is not None:
            await users.set_password(tx, user_id, password_hash=password_hash, now=now)
        if user_info is not None:
            await users.tell(tx, user_id, user_info=user_info, now=now)
        if default_role is not None:
            await users.give_role(tx, user_id, role=default_role)
    account = await users.by_id(tx, user_id)
    assert account is not None
    return account


async def open_with_code(
    tx: Transaction,
    email: str,
    password_hash: str,
    user_info: str,
    default_role: str | None,
    code_mac: str,
    now: int,
) -> None:
    """Use a code up and open the account, or give it its new password, together."""
    if not await verify_codes.use(tx, email, code_mac=code_mac, now=now):
        raise rules.refusal("InvalidVerifyCodeMsg")
    await keep_account(tx, email, password_hash, user_info, "registered", default_role, now)


async def remove_account(tx: Transaction, user_id: int, now: int) -> None:
    """Delete an account with its passkeys and what ties addresses to it."""
    await user_addresses.release_all(tx, user_id)
    await passkeys.remove_of(tx, user_id)
    await users.remove(tx, user_id, now=now)
    await users.forget_ends(tx, before=now - rules.TOKEN_SECONDS * SECOND)


async def role_is_over(tx: Transaction, claims: Mapping[str, Any], role: str) -> bool:
    """Whether the account of an access token is known to have lost this role since. Of an account
    that was never here (a deployment that moved) nothing is known, and its token counts."""
    user_id = claims.get("user_id")
    if isinstance(user_id, bool) or not isinstance(user_id, int) or not 0 < user_id < 1 << 63:
        return True
    account = await users.by_id(tx, user_id)
    if account is None:
        return await users.has_ended(tx, user_id)
    return account.email == claims.get("user_email") and account.role != role

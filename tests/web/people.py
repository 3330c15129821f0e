"""Accounts as tests of the HTTP doors use them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from tests.web.site import ADMIN, Mailbox, Site


def digest(password: str) -> str:
    """What a client sends for a typed password."""
    return hashlib.sha256(password.encode()).hexdigest()


@dataclass(frozen=True)
class Person:
    """An account and how to prove it."""

    id: int
    email: str
    token: str

    @property
    def auth(self) -> dict[str, str]:
        return {"x-user-token": self.token}

    def both(self, mailbox: Mailbox) -> dict[str, str]:
        """This account's token and a mailbox's."""
        return {**self.auth, **mailbox.auth}


async def sign_up(site: Site, email: str = "ann@home.example", *, role: str = "") -> Person:
    """Open an account by the administrator's route, with the password `secret`, and log in."""
    got = await site.http.post(
        "/admin/users", json={"email": email, "password": digest("secret")}, headers=ADMIN
    )
    assert (got.status_code, got.json()) == (200, {"success": True})
    account = await site.parts.accounts.find_by_email(email)
    assert account is not None
    if role:
        got = await site.http.post(
            "/admin/user_roles", json={"user_id": account.id, "role_text": role}, headers=ADMIN
        )
        assert got.status_code == 200, got.text
    got = await site.http.post(
        "/user_api/login", json={"email": email, "password": digest("secret")}
    )
    assert got.status_code == 200, got.text
    return Person(account.id, email, got.json()["jwt"])


async def access_token(site: Site, person: Person) -> str | None:
    """The access token that the account's settings hold."""
    got = await site.http.get("/user_api/settings", headers=person.auth)
    assert got.status_code == 200, got.text
    found: str | None = got.json()["access_token"]
    return found


async def rules(site: Site, **settings: Any) -> None:
    """Set the rules about accounts."""
    got = await site.http.post("/admin/user_settings", json=settings, headers=ADMIN)
    assert got.status_code == 200, got.text

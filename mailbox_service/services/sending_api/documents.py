"""Typed documents of an account: `storage.sending_records` with their JSON read and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, Struct

from mailbox_service.services.clock import Clock
from mailbox_service.storage import sending_records
from mailbox_service.storage.database import Database
from mailbox_service.storage.sending_records import StoredRecord

T = TypeVar("T", bound=Struct)

KEYS, USERS, ADDRESSES = "api_key", "smtp_user", "ip"
HOOKS, DOMAINS, SINGLE_SENDERS = "webhook", "domain", "single_sender"
LISTS, SUBACCOUNTS = "list", "subaccount"


@dataclass(frozen=True, slots=True)
class Document(Generic[T]):
    """One document and where it stands."""

    id: int
    account: str
    name: str
    value: T
    created_at: int
    updated_at: int


class Documents(Generic[T]):
    """The documents of one kind."""

    def __init__(self, database: Database, kind: str, form: type[T], clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.kind = kind
        self._decoder = msgspec.json.Decoder(form)

    def read(self, row: StoredRecord) -> Document[T]:
        """A stored row as a document."""
        value = self._decoder.decode(row.value)
        return Document(row.id, row.account, row.name, value, row.created_at, row.updated_at)

    async def get(self, account: str, name: str) -> Document[T] | None:
        """One document by its name."""
        row = await self._database.read_quick(
            sending_records.get, account=account, kind=self.kind, name=name
        )
        return None if row is None else self.read(row)

    async def find(self, lookup: str) -> Document[T] | None:
        """One document by what it is looked up with, whoever owns it."""
        row = await self._database.read_quick(sending_records.by_lookup, lookup)
        return None if row is None or row.kind != self.kind else self.read(row)

    async def all(self, account: str) -> list[Document[T]]:
        """All of an account, oldest first."""
        rows = await self._database.read(sending_records.of_kind, account=account, kind=self.kind)
        return [self.read(row) for row in rows]

    async def anywhere(self) -> list[Document[T]]:
        """All of everybody, oldest first."""
        rows = await self._database.read(sending_records.of_kind_anywhere, self.kind)
        return [self.read(row) for row in rows]

    async def count(self, account: str) -> int:
        """How many an account has."""
        return await self._database.read_quick(
            sending_records.count, account=account, kind=self.kind
        )

    async def add(
        self, account: str, name: str, value: T, *, lookup: str | None = None
    ) -> Document[T] | None:
        """Keep a new one; None when its name or lookup is taken."""
        now = self._clock()
        number = await self._database.write(
            sending_records.add,
            account=account,
            kind=self.kind,
            name=name,
            value=encoded(value),
            lookup=lookup,
            now=now,
        )
        return None if number is None else Document(number, account, name, value, now, now)

    async def put(self, account: str, name: str, value: T) -> None:
        """Keep one, in place of what has its name."""
        await self._database.write(
            sending_records.put,
            account=account,
            kind=self.kind,
            name=name,
            value=encoded(value),
            now=self._clock(),
        )

    async def change(
        self,
        account: str,
        name: str,
        value: T,
        *,
        new_name: str | None = None,
        lookup: str | None = None,
    ) -> bool:
        """Change one; False when it is gone or its new name is taken."""
        return await self._database.write(
            sending_records.change,
            account=account,
            kind=self.kind,
            name=name,
            value=encoded(value),
            new_name=new_name,
            lookup=lookup,
            now=self._clock(),
        )

    async def remove(self, account: str, name: str) -> Document[T] | None:
        """Forget one; what it was."""
        row = await self._database.write(
            sending_records.remove, account=account, kind=self.kind, name=name
        )
        return None if row is None else self.read(row)


def encoded(value: Struct) -> str:
    return msgspec.json.encode(value).decode()


def given(form: Struct, names: Sequence[str]) -> dict[str, Any]:
    """Of these fields of a form, those that its request had."""
    values = ((name, getattr(form, name, UNSET)) for name in names)
    return {name: value for name, value in values if value is not UNSET}


def overlaid(value: T, form: Struct) -> T:
    """A value with what a form says about fields of the same names."""
    return msgspec.structs.replace(value, **given(form, value.__struct_fields__))

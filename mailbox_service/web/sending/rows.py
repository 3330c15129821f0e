"""Rows of the sending API, and how a request becomes the form that a row reads.

    Row("template/add", TemplateAdd, lambda api: api.templates.add, template)

The reader of a row is its form, a typed struct with the official names; other names of a field
stand in `aliases`. Readers are lenient where clients are loose (sending-api §1.1): null is
absent, and so are empty texts and lists where a field is not required; a text is a list of one.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Struct, UnsetType

from mailbox_service.core.sending_api import BadField, Caller
from mailbox_service.services.sending_api.api import SendingApi
from mailbox_service.web.sending.aliases import rename

Fields = dict[str, Any]
Method = Callable[[Caller, Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Row:
    """One operation. `prepare` changes the fields of a request before they are read; `keeps`
    are optional fields whose empty value means something."""

    path: str
    reads: Any
    asks: Callable[[SendingApi], Method]
    writes: Callable[[Any], Any]
    verb: str = "POST"
    prepare: Callable[[Fields], Fields] | None = None
    # In place of the common reader.
    reader: Callable[[Fields], Any] | None = None
    keeps: frozenset[str] = frozenset()
    # Names of fields in the form that are others on the wire.
    wire_names: tuple[tuple[str, str], ...] = ()
    # Whether `request_id` also stands inside `data` (§1.3).
    names_itself: bool = False
    # A key needs no permission for it.
    open_to_keys: bool = False
    # It changes nothing, so the audit log has no line of it when an administrator does it.
    only_asks: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """What a reader needs to know of a form: which fields are required, which are lists."""

    names: frozenset[str]
    required: frozenset[str]
    lists: frozenset[str]


@lru_cache(maxsize=256)
def shape_of(form: type[Struct]) -> Shape:
    """The shape of a form."""
    hints = get_type_hints(form)
    fields = msgspec.structs.fields(form)
    return Shape(
        frozenset(field.name for field in fields),
        frozenset(
            field.name
            for field in fields
            if field.default is NODEFAULT and field.default_factory is NODEFAULT
        ),
        frozenset(name for name, kind in hints.items() if is_list(kind)),
    )


def is_list(kind: Any) -> bool:
    """Whether a type is a list, or a list or nothing."""
    parts = [part for part in get_args(kind) if part not in (type(None), UnsetType)]
    return get_origin(kind) is list or any(get_origin(part) is list for part in parts)


def read_form(row: Row, body: Fields) -> Any:
    """The form of a row out of the fields of a request. Raises BadField."""
    if row.reader is not None:
        return row.reader(body)
    if row.prepare is not None:
        body = row.prepare(body)
    try:
        return convert(rename(row.path, body), row.reads, row.keeps)
    except BadField as error:
        wire_name = dict(row.wire_names).get(error.field)
        if wire_name is None:
            raise
        words = error.detail.replace(error.field, wire_name)
        raise BadField(wire_name, words) from None


def convert(fields: Fields, form: type[Struct], keeps: frozenset[str] = frozenset()) -> Any:
    """A form out of fields with official names. Raises BadField."""
    shape = shape_of(form)
    kept: Fields = {}
    for name, value in fields.items():
        if name not in shape.names or value is None:
            continue
        if name not in shape.required and name not in keeps and value in ("", []):
            continue
        if name in shape.lists and isinstance(value, str | dict):
            value = [value]
        kept[name] = value
    try:
        return msgspec.convert(kept, form, strict=False)
    except msgspec.ValidationError as error:
        raise problem(str(error)) from None


_MISSING = re.compile(r"Object missing required field `([^`]+)`")
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")


def problem(text: str) -> BadField:
    """msgspec's words about a form, with the field's name taken out of them."""
    missing = _MISSING.match(text)
    if missing:
        return BadField(missing[1], f"The field {missing[1]} is required")
    path = _PATH.search(text)
    name = re.split(r"[.\[]", path[1])[0] if path else ""
    return BadField(name, _PATH.sub("", text))

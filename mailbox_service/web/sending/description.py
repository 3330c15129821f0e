"""The OpenAPI 3.1 document of the sending API, made from its rows and their forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mailbox_service import __version__
from mailbox_service.services.sending_api.api import SendingApi
from mailbox_service.web.sending.aliases import PATHS, names_of
from mailbox_service.web.sending.rows import Row

ABOUT = """Sending mail, and everything around it, by the names of SMTP2GO's API version 3.

The key stands in `X-Smtp2go-Api-Key`, in `Authorization: Bearer`, or in the field `api_key`. Every
answer is `{"request_id", "data"}`; of an error `data` is `{"error", "error_code"}` and, when a
field is wrong, `field_validation_errors`. `subaccount_id` acts for a subaccount."""

SECURITY: list[dict[str, list[str]]] = [{"apiKey": []}, {"bearer": []}]
SCHEMES = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-Smtp2go-Api-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
ENVELOPE = {
    "type": "object",
    "required": ["request_id", "data"],
    "properties": {"request_id": {"type": "string", "format": "uuid"}, "data": {}},
}
ERROR = {
    "type": "object",
    "required": ["request_id", "data"],
    "properties": {
        "request_id": {"type": "string", "format": "uuid"},
        "data": {
            "type": "object",
            "required": ["error", "error_code"],
            "properties": {
                "error": {"type": "string"},
                "error_code": {"type": "string"},
                "field_validation_errors": {
                    "type": "object",
                    "properties": {
                        "fieldname": {"type": "string"},
                        "message": {"type": "string"},
                    },
                },
            },
        },
    },
}


def document(areas: Mapping[str, tuple[Row, ...]], api: SendingApi) -> dict[str, Any]:
    """The whole document."""
    forms = list(dict.fromkeys(row.reads for rows in areas.values() for row in rows))
    schemas, components = msgspec.json.schema_components(
        forms, ref_template="#/components/schemas/{name}"
    )
    known = dict(zip(forms, schemas, strict=True))
    paths: dict[str, Any] = {}
    for area, rows in areas.items():
        for row in rows:
            paths.setdefault(f"/v3/{row.path}", {})[row.verb.lower()] = operation(
                area, row, known[row.reads], api
            )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sending API", "version": __version__, "description": ABOUT},
        "tags": [{"name": area} for area in areas],
        "security": SECURITY,
        "paths": paths,
        "components": {
            "schemas": {**components, "Answer": ENVELOPE, "Error": ERROR},
            "securitySchemes": SCHEMES,
        },
    }


def operation(area: str, row: Row, schema: Any, api: SendingApi) -> dict[str, Any]:
    """One operation; its words are those of the method behind it."""
    words = " ".join((row.asks(api).__doc__ or "").split())
    first, _, rest = words.partition(". ")
    told = [rest] if rest else []
    told += [f"Also called /{other}." for other, path in PATHS.items() if path == row.path]
    told += [f"The field {a} may be called {b}." for b, a in names_of(row.path).items()]
    described = {
        "operationId": f"{row.verb.lower()}_{row.path.replace('/', '_').replace('-', '_')}",
        "summary": first.rstrip(".") + ".",
        "tags": [area],
        "requestBody": {"content": {"application/json": {"schema": schema}}},
        "responses": {
            "200": answer("Done.", "Answer"),
            "4XX": answer("Refused.", "Error"),
            "5XX": answer("Not done.", "Error"),
        },
    }
    if told:
        described["description"] = " ".join(told)
    return described


def answer(words: str, schema: str) -> dict[str, Any]:
    """One kind of answer."""
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": words, "content": {"application/json": {"schema": reference}}}

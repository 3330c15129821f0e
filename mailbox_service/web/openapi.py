"""The OpenAPI 3.1 document, made from the routes and the types that read and write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from mailbox_service import __version__
from mailbox_service.web.routing import Operation

Schema = dict[str, Any]

ABOUT = """Temporary mailboxes and mail sending over HTTP.

A mailbox is proved by its token, `Authorization: Bearer <token>`; administration by
`x-admin-auth`; an account by `x-user-token`; a private site by `x-custom-auth` beside each.
Refusals are plain text, with a code for programs in `X-Error-Code`; `x-lang: zh` has them in
Chinese. Times are UTC, `YYYY-MM-DD HH:MM:SS`. A body is JSON whatever its content type says."""

SCHEMES: Schema = {
    "addressToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The token of an opened address.",
    },
    "adminPassword": {
        "type": "apiKey",
        "in": "header",
        "name": "x-admin-auth",
        "description": "A password of the administrator.",
    },
    "userToken": {
        "type": "apiKey",
        "in": "header",
        "name": "x-user-token",
        "description": "The token of an account.",
    },
}
AREAS: Mapping[str, str] = {
    "health": "Is the service there?",
    "open": "What anybody may know.",
    "address": "Open an address, come back to it, give it up.",
    "mails": "Mails of one mailbox with their sources, or taken apart.",
    "inbox": "Mails of one mailbox as light rows; reading, waiting, marks and downloads.",
    "events": "What happens to a mailbox, live.",
    "sending": "Hand over mail.",
    "sent": "What a mailbox sent, and what became of it.",
    "auto reply": "What a mailbox answers by itself.",
    "forwarding": "Have the mail of a mailbox forwarded, to an address that is proved first.",
    "webhook": "Tell a program about every mail.",
    "account": "Open an account, prove it, see its role.",
    "account addresses": "The addresses of an account.",
    "account mails": "The mail of all addresses of an account.",
    "sign-in": "Sign in at a provider (OAuth2).",
    "passkeys": "Sign in by a passkey (WebAuthn).",
    "telegram": "The bot's updates, and the mini app by its initData.",
    "export": "A whole mailbox as one file.",
    "attachments": "Files that an owner saves beside the mail.",
    "external": "For programs that carry the token in the body.",
    "admin addresses": "All addresses.",
    "admin mails": "All mail.",
    "admin sending": "Allowances, sent mail, sending in any name.",
    "admin sending api": "The sending API with an administrator's rights.",
    "admin users": "All accounts, their roles and addresses.",
    "admin sign-in": "The providers that people may sign in at.",
    "admin telegram": "The bot: who may use it, and who is told of all mail.",
    "admin settings": "Rules that change while the service runs.",
    "admin overrides": "Settings of the configuration that are overruled while it runs.",
    "admin statistics": "Totals.",
    "admin webhooks": "The webhook about all mail, and who may have one.",
    "admin policies": "Who is let in, and whose mail is looked through for codes.",
    "admin cleanup": "Deleting by age, now or every night.",
    "admin configuration": "The configuration in force, and the state of the store.",
    "admin testing": "Hooks for tests.",
    "admin figures": "What happened over time, and how much there is now.",
    "admin audit": "What administrators changed.",
    "admin domains": "The DNS records of our domains: to copy and to check.",
    "admin deliveries": "The log of all webhooks, and posting again.",
    "admin first steps": "What a new administrator does next.",
    "admin queue": "What waits to be sent, and why; trying and giving up many at once.",
    "integration": "Mail through an SMTP server of the caller's, by an API key.",
    "sms": "Where a gateway for short messages tells what became of them.",
    "tracking": "Links in tracked mail: opening, clicks, unsubscribing.",
    "sending api": "Links that the sending API hands out; the API itself is described under /v3.",
    "documentation": "This.",
}


def document(operations: Iterable[Operation]) -> Schema:
    """The whole document."""
    listed = [operation for operation in operations if operation.area != "hidden"]
    types = [
        kind
        for operation in listed
        for kind in (
            operation.query,
            operation.body,
            operation.returns,
            *operation.refusals.values(),
        )
        if kind not in (None, bytes, str)
    ]
    schemas, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    known = Known(types, schemas, components)
    paths: dict[str, Schema] = {}
    for operation in listed:
        paths.setdefault(operation.path, {})[operation.method.lower()] = describe(operation, known)
    for kind in {operation.query for operation in listed if operation.query}:
        known.components.pop(kind.__name__, None)
    used = {operation.area for operation in listed}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Mailbox Service", "version": __version__, "description": ABOUT},
        "tags": [
            {"name": name, "description": words} for name, words in AREAS.items() if name in used
        ],
        "paths": paths,
        "components": {"schemas": known.components, "securitySchemes": SCHEMES},
    }


class Known:
    """The schema of every type that some route reads or writes."""

    def __init__(
        self, types: list[Any], schemas: Iterable[Schema], components: dict[str, Schema]
    ) -> None:
        self._schemas = list(zip(types, schemas, strict=True))
        self.components = components

    def schema(self, kind: Any) -> Schema:
        """The schema of a type; octets are a string of them."""
        if kind is bytes:
            return {"type": "string", "format": "binary"}
        if kind is str:
            return {"type": "string"}
        return next(schema for known, schema in self._schemas if known == kind)

    def fields(self, kind: type[msgspec.Struct]) -> Schema:
        """The properties of a query type."""
        return self.components[kind.__name__]


def describe(operation: Operation, known: Known) -> Schema:
    """One operation of the document."""
    first, _, rest = operation.summary.partition(". ")
    described: Schema = {
        "operationId": operation_id(operation),
        "summary": first.rstrip(".") + ".",
        "tags": [operation.area],
        "parameters": parameters(operation, known),
        "responses": responses(operation, known),
    }
    if rest:
        described["description"] = rest
    if operation.body is not None:
        schema = known.schema(operation.body)
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    if operation.guard.scheme in SCHEMES:
        described["security"] = [{operation.guard.scheme: []}]
    return described


def operation_id(operation: Operation) -> str:
    """A name that generated clients can use."""
    words = re.sub(r"[^A-Za-z0-9]+", "_", operation.path).strip("_") or "root"
    return f"{operation.method.lower()}_{words}"


def parameters(operation: Operation, known: Known) -> list[Schema]:
    """What stands in the path, in the query and in headers."""
    listed: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    if operation.query is not None:
        fields = known.fields(operation.query)
        needed = fields.get("required", [])
        for name, schema in fields["properties"].items():
            listed.append(
                {"name": name, "in": "query", "required": name in needed, "schema": schema}
            )
    for name, words in operation.headers.items():
        listed.append(
            {
                "name": name,
                "in": "header",
                "required": False,
                "description": words,
                "schema": {"type": "string"},
            }
        )
    return listed


def responses(operation: Operation, known: Known) -> Schema:
    """The answer, and the form of every refusal."""
    schema = known.schema(operation.returns)
    content = {one: {"schema": schema} for one in operation.media_type.split(", ")}
    refusal = {
        media_type: {"schema": known.schema(kind)}
        for media_type, kind in {"text/plain": str, **operation.refusals}.items()
    }
    return {
        "200": {"description": "Done.", "content": content},
        "4XX": {"description": "Refused; the text says why.", "content": refusal},
        "5XX": {"description": "Not done; the text says why.", "content": refusal},
    }

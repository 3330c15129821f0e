"""clients/typescript/src/generated.ts: types and calls of the HTTP API, out of its OpenAPI
document. `make docs` writes it (scripts/docs.py)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

# Hooks for tests of the service itself, and its own description.
LEFT_OUT = frozenset({"admin testing", "documentation"})
WIDTH = 96

HEAD = """// Written by `make docs` from the routes of the service. Do not edit.
import { Caller, type CallOptions } from "./caller.js";
"""
_WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


class Names:
    """Names of types: the schema's own, or with its module where two have the same."""

    def __init__(self, components: Schema) -> None:
        self._names: dict[str, str] = {}
        for full in components:
            parts = full.split(".")
            short = parts[-1] if len(parts) == 1 else camel(parts[-2], upper=True) + parts[-1]
            if short in self._names.values():
                raise SystemExit(f"two types would be called {short}")
            self._names[full] = short

    def of(self, reference: str) -> str:
        """The name of what a `$ref` points to."""
        return self._names[reference.rpartition("/")[2]]


def camel(name: str, *, upper: bool = False) -> str:
    """`get_api_mails` as getApiMails, or GetApiMails."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    joined = "".join(word[0].upper() + word[1:] for word in words)
    return joined if upper else joined[0].lower() + joined[1:]


def key(name: str) -> str:
    """A property name, quoted where it must be."""
    return name if _WORD.fullmatch(name) else json.dumps(name)


def type_of(schema: Schema, names: Names) -> str:
    """A schema in TypeScript."""
    if "$ref" in schema:
        return names.of(schema["$ref"])
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return union(type_of(form, names) for form in schema[word])
    if "enum" in schema:
        return union(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return union(type_of({**schema, "type": one}, names) for one in kind)
    if kind == "array":
        inner = type_of(schema.get("items") or {}, names)
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    if kind == "object":
        return object_type(schema, names)
    plain = {"integer": "number", "number": "number", "string": "string"}
    return {**plain, "boolean": "boolean", "null": "null"}.get(str(kind), "unknown")


def union(forms: Iterator[str]) -> str:
    return " | ".join(dict.fromkeys(forms)) or "never"


def object_type(schema: Schema, names: Names) -> str:
    """An object: with its properties, or as a dictionary."""
    if "properties" not in schema:
        values = schema.get("additionalProperties")
        inner = type_of(values, names) if isinstance(values, dict) else "unknown"
        return f"Record<string, {inner}>"
    return "{ " + "; ".join(properties(schema, names)) + " }"


def properties(schema: Schema, names: Names) -> Iterator[str]:
    needed = schema.get("required", [])
    for name, value in schema["properties"].items():
        yield f"{key(name)}{'' if name in needed else '?'}: {type_of(value, names)}"


def comment(text: str, indent: str) -> list[str]:
    """A documentation comment."""
    words = " ".join(text.replace("*/", "* /").split())
    if not words:
        return []
    if len(words) + len(indent) + 7 <= WIDTH:
        return [f"{indent}/** {words} */"]
    lines, line = [f"{indent}/**"], f"{indent} *"
    for word in words.split(" "):
        if len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = f"{indent} *"
        line += f" {word}"
    return [*lines, line, f"{indent} */"]


def interface(name: str, schema: Schema, names: Names) -> list[str]:
    """One schema as a declaration."""
    lines = comment(schema.get("description", ""), "")
    if schema.get("type") != "object" or "properties" not in schema:
        return [*lines, f"export type {name} = {type_of(schema, names)};", ""]
    lines.append(f"export interface {name} {{")
    lines.extend(f"  {line};" for line in properties(schema, names))
    return [*lines, "}", ""]


def arguments(operation: Schema, names: Names) -> tuple[str, bool]:
    """The type of a call's argument, and whether it may be left out."""
    listed, needed = [], False
    query: list[str] = []
    for item in operation["parameters"]:
        if item["in"] == "path":
            kind = type_of(item["schema"], names)
            listed.append(f"{key(item['name'])}: {union(iter([kind, 'number', 'string']))}")
            needed = True
        elif item["in"] == "query":
            optional = "" if item["required"] else "?"
            query.append(f"{key(item['name'])}{optional}: {type_of(item['schema'], names)}")
    if query:
        mandatory = any("?:" not in one for one in query)
        listed.append(f"query{'' if mandatory else '?'}: {{ {'; '.join(query)} }}")
        needed = needed or mandatory
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]
        media_type, described = next(iter(content.items()))
        is_json = media_type == "application/json"
        listed.append(f"body: {type_of(described['schema'], names) if is_json else 'BodyInit'}")
        needed = True
    return "{ " + "; ".join(listed) + " }", not needed


def answer(operation: Schema, names: Names) -> tuple[str, str]:
    """The type of an answer, and how it is read."""
    media_type, described = next(iter(operation["responses"]["200"]["content"].items()))
    if media_type == "application/json":
        return type_of(described["schema"], names), "json"
    if media_type == "text/event-stream":
        return "Response", "response"
    if media_type.startswith("text/"):
        return "string", "text"
    return "ArrayBuffer", "bytes"


def method(verb: str, path: str, operation: Schema, names: Names) -> list[str]:
    """One call."""
    name = camel(operation["operationId"])
    told, optional = arguments(operation, names)
    kind, reading = answer(operation, names)
    words = f"{operation['summary']} {operation.get('description', '')}"
    first = "" if told == "{  }" else f"args: {told}{' = {}' if optional else ''}, "
    given = "{}" if told == "{  }" else "args"
    return [
        *comment(words, "  "),
        f"  {name}({first}options: CallOptions = {{}}): Promise<{kind}> {{",
        f"    return this.call({json.dumps(verb.upper())}, {json.dumps(path)}, "
        f"{json.dumps(reading)}, {given}, options);",
        "  }",
        "",
    ]


def generated(document: Schema) -> str:
    """The whole file."""
    components = document["components"]["schemas"]
    names = Names(components)
    calls = [
        (verb, path, operation)
        for path, verbs in document["paths"].items()
        for verb, operation in verbs.items()
        if not LEFT_OUT.intersection(operation["tags"])
    ]
    wanted = reachable([operation for _, _, operation in calls], components)
    lines = [HEAD]
    for full, schema in components.items():
        if full in wanted:
            lines.extend(interface(names.of(full), schema, names))
    lines += ["/** Every call of the HTTP API. */", "export class Api extends Caller {"]
    for verb, path, operation in calls:
        lines.extend(method(verb, path, operation, names))
    return "\n".join([*lines[:-1], "}", ""])


def reachable(roots: list[Schema], components: Schema) -> set[str]:
    """The schemas that calls lead to."""
    found: set[str] = set()
    waiting: list[Any] = list(roots)
    while waiting:
        text = json.dumps(waiting.pop())
        for reference in set(re.findall(r'"#/components/schemas/([^"]+)"', text)):
            if reference not in found:
                found.add(reference)
                waiting.append(components[reference])
    return found

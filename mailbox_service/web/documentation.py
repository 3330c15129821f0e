"""/openapi.json, and /docs: the same document as a page of plain HTML, without any script."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from mailbox_service.web.answers import HTML, JSON, Answer, Headers
from mailbox_service.web.guards import OPEN
from mailbox_service.web.openapi import Schema, document
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Operation, Routes

KEPT = (b"cache-control", b"no-cache")
POLICY: Headers = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; "
        b"form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-frame-options", b"DENY"),
)

STYLE = """
:root{color-scheme:light dark;--ink:light-dark(#1d2433,#e6e9f0);--soft:light-dark(#5b6478,#9aa4b8);
--line:light-dark(#dfe3eb,#2b3242);--back:light-dark(#fff,#12161f);--well:light-dark(#f5f7fa,#1a202c);
--accent:light-dark(#2456d6,#8fb0ff)}
body{margin:0;background:var(--back);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
main{max-width:56rem;margin:0 auto;padding:2rem 1rem 6rem}
h1{font-size:1.6rem;margin:0 0 .5rem}h2{font-size:1.1rem;margin:2.5rem 0 .25rem}
p{margin:.25rem 0 .75rem;color:var(--soft);white-space:pre-line}
details{border:1px solid var(--line);border-radius:8px;margin:.4rem 0;background:var(--back)}
summary{cursor:pointer;padding:.55rem .8rem;display:flex;gap:.75rem;
align-items:baseline;flex-wrap:wrap}
summary:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:8px}
summary span{color:var(--soft);font-size:.9rem}
code,pre{font:13px/1.5 ui-monospace,monospace}
b{font:600 12px/1.5 ui-monospace,monospace;color:var(--accent);min-width:3.6rem;
display:inline-block}
.inside{padding:0 .8rem .8rem;border-top:1px solid var(--line)}
pre{background:var(--well);border-radius:6px;padding:.7rem;overflow:auto;margin:.4rem 0}
table{border-collapse:collapse;width:100%;font-size:.9rem}
td{padding:.3rem .6rem .3rem 0;border-top:1px solid var(--line);vertical-align:top}
h3{font-size:.85rem;margin:1rem 0 .2rem}a{color:var(--accent)}
"""


class Documentation:
    """Describes the routes that it is given; written when first asked for."""

    def __init__(self) -> None:
        self.routes = Routes("documentation")
        self._operations: tuple[Operation, ...] = ()
        self._json: bytes | None = None
        self._page: bytes | None = None
        self.routes.get("/openapi.json", OPEN, returns=dict[str, Any])(self.as_json)
        self.routes.get("/docs", OPEN, returns=str, media_type="text/html")(self.as_page)

    def describe(self, operations: tuple[Operation, ...]) -> None:
        """Take the routes, its own two among them."""
        self._operations = operations

    async def as_json(self, call: Call) -> Answer:
        """This document (OpenAPI 3.1)."""
        if self._json is None:
            written = json.dumps(document(self._operations), ensure_ascii=False, indent=1)
            self._json = written.encode()
        return Answer(self._json, JSON, headers=(KEPT,))

    async def as_page(self, call: Call) -> Answer:
        """This document as a page."""
        if self._page is None:
            self._page = page(document(self._operations)).encode()
        return Answer(self._page, HTML, headers=(KEPT, *POLICY))


def page(described: Schema) -> str:
    """The document for people."""
    info = described["info"]
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(info['title'])} API</title><style>{STYLE}</style></head><body><main>"
        f"<h1>{escape(info['title'])} API {escape(info['version'])}</h1>"
        f"<p>{escape(info['description'])}</p>"
        '<p>For programs: <a href="/openapi.json">openapi.json</a></p>'
    ]
    for tag in described["tags"]:
        parts.append(f"<h2>{escape(tag['name'])}</h2><p>{escape(tag['description'])}</p>")
        for path, methods in described["paths"].items():
            for method, operation in methods.items():
                if tag["name"] in operation["tags"]:
                    parts.append(operation_html(method, path, operation, described))
    return "".join([*parts, "</main></body></html>"])


def operation_html(method: str, path: str, operation: Schema, described: Schema) -> str:
    """One route, folded up."""
    components = described["components"]["schemas"]
    parts = [
        f'<details id="{escape(operation["operationId"])}"><summary><b>{method.upper()}</b>'
        f"<code>{escape(path)}</code><span>{escape(operation['summary'])}</span></summary>"
        f'<div class="inside"><p>{escape(operation.get("description", ""))}</p>'
        f"<pre>{escape(curl(method, path, operation, components))}</pre>"
    ]
    if operation["parameters"]:
        rows = "".join(
            f"<tr><td><code>{escape(item['name'])}</code></td><td>{item['in']}"
            f"{', needed' if item['required'] else ''}</td>"
            f"<td>{escape(item['schema'].get('description') or item.get('description', ''))}</td>"
            "</tr>"
            for item in operation["parameters"]
        )
        parts.append(f"<h3>Parameters</h3><table>{rows}</table>")
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        parts.append(f"<h3>Body</h3><pre>{escape(shape(schema, components))}</pre>")
    for media_type, content in operation["responses"]["200"]["content"].items():
        parts.append(f"<h3>Answer, {escape(media_type)}</h3>")
        parts.append(f"<pre>{escape(shape(content['schema'], components))}</pre>")
    return "".join([*parts, "</div></details>"])


def curl(method: str, path: str, operation: Schema, components: Schema) -> str:
    """A command that calls the route, on one line."""
    words = ["curl"] + ([f"-X {method.upper()}"] if method != "get" else [])
    for security in operation.get("security", []):
        if "addressToken" in security:
            words.append('-H "Authorization: Bearer $TOKEN"')
        if "adminPassword" in security:
            words.append('-H "x-admin-auth: $ADMIN_PASSWORD"')
    if "requestBody" in operation:
        words.append("-d @body.json")
    needed = "&".join(
        f"{item['name']}={item['schema'].get('minimum', '')}"
        for item in operation["parameters"]
        if item["in"] == "query" and item["required"]
    )
    target = f"http://127.0.0.1:8787{path}" + (f"?{needed}" if needed else "")
    return " ".join([*words, f"'{target}'"])


def shape(schema: Schema, components: Schema) -> str:
    """A type by example: names with the type of each value."""
    return json.dumps(example(schema, components, 4), ensure_ascii=False, indent=2)


def example(schema: Schema, components: Schema, depth: int) -> Any:
    """A value in which every leaf says what may stand there."""
    if "$ref" in schema:
        return example(components[schema["$ref"].rpartition("/")[2]], components, depth)
    if "anyOf" in schema:
        forms = [example(form, components, depth) for form in schema["anyOf"]]
        plain = [form for form in forms if isinstance(form, str)]
        rich = [form for form in forms if not isinstance(form, str)]
        return rich[0] if rich else " or ".join(dict.fromkeys(plain))
    if schema.get("type") == "object" and "properties" in schema and depth:
        return {
            name: example(field, components, depth - 1)
            for name, field in schema["properties"].items()
        }
    if schema.get("type") == "array" and depth:
        return [example(schema.get("items", {}), components, depth - 1)]
    return str(schema.get("type", "anything"))

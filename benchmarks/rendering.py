"""A template rendered by us and by handlebars.js under node, as its author publishes it.

Both render the same compiled template over the same values. Ours is what a request waits for:
the values cross into QuickJS as JSON, with limits of time and memory, and the text comes back;
node has a compiler to machine code, the values at hand, and no limits.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from importlib.resources import files
from typing import Any

from benchmarks.processes import find
from mailbox_service.services.sending_api.rendering import Rendering

PARTS = {
    "subject": ("plain", "Your order {{order.number}}, {{name}}"),
    "html_body": (
        "html",
        "<h1>Thank you, {{name}}</h1><table>{{#each order.lines}}<tr><td>{{title}}</td>"
        "<td>{{count}}</td><td>{{price}}</td></tr>{{/each}}</table>"
        "{{#if order.gift}}<p>It comes with your greeting: {{order.gift}}</p>{{/if}}"
        "<p>It goes to {{address.street}}, {{address.town}}.</p>",
    ),
    "text_body": (
        "plain",
        "Thank you, {{name}}.\n{{#each order.lines}}{{count}} x {{title}}: {{price}}\n{{/each}}"
        "It goes to {{address.street}}, {{address.town}}.\n",
    ),
}
VALUES: dict[str, Any] = {
    "name": "Ann & Bob",
    "order": {
        "number": 4711,
        "gift": "Have a nice day",
        "lines": [{"title": f"Thing {n}", "count": n, "price": f"{n}.50"} for n in range(1, 6)],
    },
    "address": {"street": "Harbour 1", "town": "Ferrybank"},
}
WARM_UP = 500
# Longer than a garbage collection of either side.
LEAST = 2_000

NODE = """
const fs = require("fs");
const Handlebars = require(process.argv[1]);
const job = JSON.parse(fs.readFileSync(0, "utf-8"));
const templates = job.parts.map(([kind, text]) =>
  Handlebars.compile(text, {noEscape: kind === "plain"}));
let octets = 0;
const render = () => { for (const one of templates) octets += one(job.values).length; };
for (let n = 0; n < job.warmUp; n++) render();
const began = process.hrtime.bigint();
for (let n = 0; n < job.count; n++) render();
console.log(Number(process.hrtime.bigint() - began) / 1e3 / job.count);
"""


def ours(count: int = LEAST) -> tuple[float, float]:
    """Microseconds that one message takes, and those of the processor."""

    async def render() -> tuple[float, float]:
        rendering = Rendering()
        try:
            for _ in range(WARM_UP):
                await rendering.render(PARTS, VALUES)
            began, spent = time.perf_counter(), time.process_time()
            for _ in range(count):
                await rendering.render(PARTS, VALUES)
            return (
                (time.perf_counter() - began) / count * 1e6,
                (time.process_time() - spent) / count * 1e6,
            )
        finally:
            rendering.close()

    return asyncio.run(render())


def node(count: int = LEAST) -> float:
    """Microseconds that it takes node. Raises Unavailable, RuntimeError."""
    library = files("mailbox_service.services.sending_api") / "handlebars" / "handlebars.min.js"
    job = {"parts": list(PARTS.values()), "values": VALUES, "warmUp": WARM_UP, "count": count}
    done = subprocess.run(
        [find("node"), "-e", NODE, str(library)],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode:
        raise RuntimeError(f"node: {done.stderr[-400:]}")
    return float(done.stdout)

"""Write what is generated in docs/: `make docs`. `--check` writes nothing and says what is stale.

docs/settings.md comes from the settings type (mailbox_service/config.py), docs/api/openapi.json
from the routes, and the TypeScript client from that: neither a setting nor a route can exist
undocumented.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from mailbox_service.config import FIELDS, SECRETS, TYPES, Config
from mailbox_service.first_run import described, first_values
from mailbox_service.web.app import all_operations
from mailbox_service.web.documentation import Documentation
from mailbox_service.web.openapi import document
from scripts import typescript_client

ROOT = Path(__file__).resolve().parent.parent

SETTINGS_HEAD = """# Settings

<!-- Written by `make docs` from mailbox_service/config.py. -->

One flat list. In a file (`--config FILE`, or `mailbox.toml` in the data folder) a setting has its
lower-case name, in TOML: `domains = ["x.test"]`. In the environment it is upper-case behind
`MAILBOX_`: `MAILBOX_DOMAINS=x.test`, a list as JSON or separated by commas, an object as JSON.
`MAILBOX_<NAME>_FILE` names a file that holds the value: use it for secrets (marked † here). The
environment wins over the file. An unknown name, a wrong type or an unsafe combination ends the
start with one line that says which and why.

With no configuration at all the first start writes `mailbox.toml` into the data folder, with
secrets that it made and these values instead of the defaults:

{first}

A configuration that is given, by `--config` or by a variable that names domains or secrets, stands
alone. All of this is read at start; what an administrator changes while the service runs is in
the store. There, `prefix`, `min_address_len`, `max_address_len`, `random_subdomain_domains`,
`random_subdomain_length`, `enable_check_junk_mail`, `junk_mail_check_list` and
`junk_mail_force_pass_list` may be overruled (page, Settings; `/admin/overrides`): what is stored
holds instead of what stands here, until it is given back.

| setting | type | default | meaning |
|---|---|---|---|
"""


def settings() -> str:
    """docs/settings.md."""
    meanings = described()
    first = "\n".join(
        f"    {name} = {json.dumps(value)}"
        for name, value in first_values().items()
        if name not in SECRETS
    )
    rows = [
        f"| `{name}`{' †' if name in SECRETS else ''} | {kind(TYPES[name])} "
        f"| {default(getattr(Config(), name))} | {cell(meanings[name])} |"
        for name in FIELDS
    ]
    return SETTINGS_HEAD.replace("{first}", first) + "\n".join(rows) + "\n"


def kind(hint: Any) -> str:
    """A type in the words of a person who writes settings."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " · ".join(f"`{part}`" for part in parts)
    if origin in (Union, UnionType):
        return " or ".join(kind(part) for part in parts if part is not NoneType)
    if origin is list:
        words = kind(parts[0])
        return f"list of {words}" if get_origin(parts[0]) is Literal else f"list of {words}s"
    if dict in (hint, origin) or (isinstance(hint, type) and hasattr(hint, "__struct_fields__")):
        return "object"
    return {str: "text", int: "number", bool: "true or false"}[hint]


def default(value: Any) -> str:
    """A default as it would be written; nothing for what is unset or empty."""
    return "" if value in (None, "", [], {}) else f"`{json.dumps(value)}`"


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def openapi() -> str:
    """docs/api/openapi.json, as the service itself answers at /openapi.json."""
    operations = all_operations(Config(), Documentation(), with_page=True)
    return json.dumps(document(operations), ensure_ascii=False, indent=1) + "\n"


def typescript() -> str:
    """The generated part of the TypeScript client."""
    return typescript_client.generated(json.loads(openapi()))


GENERATED = {
    "docs/settings.md": settings,
    "docs/api/openapi.json": openapi,
    "clients/typescript/src/generated.ts": typescript,
}


def main() -> int:
    """0 when all is written or, with `--check`, fresh."""
    stale = 0
    for name, write in GENERATED.items():
        file, content = ROOT / name, write()
        if "--check" not in sys.argv[1:]:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, "utf-8")
        elif not file.is_file() or file.read_text("utf-8") != content:
            print(f"{name} is stale: make docs", file=sys.stderr)
            stale += 1
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())

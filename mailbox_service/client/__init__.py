"""A client for programs and tests: open an address, wait for its mail, send from it.

    from mailbox_service.client import Client

    with Client("http://127.0.0.1:8787") as service, service.open_address() as box:
        sign_up(box.address)
        code = box.wait(subject="code").code

`AsyncClient` has the same methods as coroutines. Nothing here imports the service, and the HTTP
library only comes with the first client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mailbox_service.client.words import File, Link, Mail, NoMail, Receipt, Refused

if TYPE_CHECKING:
    from mailbox_service.client.asynchronous import AsyncClient, AsyncMailbox
    from mailbox_service.client.blocking import Client, Mailbox

__all__ = [
    "AsyncClient",
    "AsyncMailbox",
    "Client",
    "File",
    "Link",
    "Mail",
    "Mailbox",
    "NoMail",
    "Receipt",
    "Refused",
]

_LATER = {
    "AsyncClient": "asynchronous",
    "AsyncMailbox": "asynchronous",
    "Client": "blocking",
    "Mailbox": "blocking",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)

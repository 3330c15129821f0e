"""What people open in a browser: the link that proves a sender, and a message of the archive."""

from __future__ import annotations

from html import escape
from typing import Any

from mailbox_service.core.errors import NotFound
from mailbox_service.web.answers import HTML, Answer, Headers
from mailbox_service.web.downloads import A_MESSAGE
from mailbox_service.web.guards import OPEN
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("sending api")

# How a page's answer is described, a refusal too.
PAGE: dict[str, Any] = {
    "returns": str,
    "media_type": "text/html",
    "refusals": {"text/html": str},
}

# No script, nothing from elsewhere; the one form posts to where it came from.
POLICY: Headers = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; "
        b"frame-ancestors 'none'",
    ),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;"
    "margin:15vh auto;padding:0 1rem}button{font:inherit;padding:.6rem 1.2rem}"
)
GONE = "This link is no longer good. Ask for a new one."


def page(title: str, inside: str, status: int = 200) -> Answer:
    """A page of a few words."""
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{inside}</body></html>"
    )
    return Answer(text.encode(), HTML, status=status, headers=POLICY)


@routes.get("/confirm-sender/{token}", OPEN, **PAGE)
async def ask(call: Call) -> Answer:
    """Ask whoever opened the link from a confirmation mail. Looking confirms nothing: scanners
    open links too."""
    address = await call.services.sending_api.single_senders.awaited(call.path_values["token"])
    if address is None:
        return page("Not found", f"<p>{GONE}</p>", 404)
    return page(
        "Confirm a sender",
        f"<p>May this server send mail from <b>{escape(address)}</b>?</p>"
        '<form method="post"><button>Confirm</button></form>',
    )


@routes.post("/confirm-sender/{token}", OPEN, **PAGE)
async def confirm(call: Call) -> Answer:
    """Confirm the sender that the link is about."""
    address = await call.services.sending_api.single_senders.confirm(call.path_values["token"])
    if address is None:
        return page("Not found", f"<p>{GONE}</p>", 404)
    return page("Confirmed", f"<p>Mail may be sent from <b>{escape(address)}</b> now.</p>")


@routes.get("/archive/{email_id}/{proof}", OPEN, **A_MESSAGE)
async def archived(call: Call) -> Answer:
    """A message of the archive, by a signed address that ends after an hour."""
    content = await call.services.sending_api.archive.content(
        call.path_values["email_id"], call.path_values["proof"]
    )
    if content is None:
        raise NotFound("There is no such message, or the link has ended.")
    named = b'attachment; filename="message.eml"'
    return Answer(content, b"message/rfc822", headers=((b"content-disposition", named),))

"""Links in tracked mail: the picture, the redirect, the page to unsubscribe (sending-api §7).

They are outside of the API: whoever follows them has nothing but a signed link. Where a click
leads stands in our records and never in the request.
"""

from __future__ import annotations

import base64
from html import escape
from urllib.parse import parse_qs

from mailbox_service.services.sending_api.tracking import Visitor
from mailbox_service.web.answers import TEXT, Answer, Headers
from mailbox_service.web.guards import OPEN
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.sending.pages import PAGE, page

routes = Routes("tracking")

# One transparent point.
PICTURE = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
NOT_KEPT: Headers = (
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-robots-tag", b"noindex, nofollow"),
)
CLOSED: Headers = (
    *NOT_KEPT,
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
)
# `List-Unsubscribe=One-Click`, or the one field of our own form.
LARGEST_FORM = 4_096
GONE = "<p>This link is not, or no longer, one of ours.</p>"


def visitor(call: Call) -> Visitor:
    return Visitor(ip=call.client_ip, agent=call.header(b"user-agent") or "")


@routes.get("/t/o/{token}", OPEN, returns=bytes, media_type="image/gif")
async def opened(call: Call) -> Answer:
    """The picture of one point in a tracked mail; each look is an opening. Any other link gets
    the same picture, so that nobody learns which links are good."""
    if call.method == "GET":
        tracking = call.services.sending_api.tracking
        await tracking.opened(call.path_values["token"], visitor(call))
    return Answer(PICTURE, b"image/gif", headers=CLOSED)


@routes.get("/t/c/{token}", OPEN, returns=str, media_type="text/plain", refusals={"text/html": str})
async def clicked(call: Call) -> Answer:
    """To where a tracked link leads: 302; 404 for a link that is none of ours. HEAD is no click:
    scanners ask so where links lead."""
    tracking = call.services.sending_api.tracking
    follower = visitor(call) if call.method == "GET" else None
    url = await tracking.clicked(call.path_values["token"], follower)
    if url is None:
        return page("Not found", GONE, 404)
    location = (b"location", quoted(url).encode("ascii"))
    return Answer(b"", TEXT, status=302, headers=(location, *CLOSED))


@routes.get("/t/u/{token}", OPEN, **PAGE)
async def ask(call: Call) -> Answer:
    """Ask whether to unsubscribe. Looking changes nothing: scanners open links too."""
    tracking = call.services.sending_api.tracking
    address = await tracking.subscriber(call.path_values["token"])
    if address is None:
        return page("Not found", GONE, 404)
    return page(
        "Unsubscribe",
        f"<p>Send no more mail of this sender to <b>{escape(address)}</b>?</p>"
        '<form method="post"><button name="do" value="unsubscribe">Unsubscribe</button></form>',
    )


@routes.post("/t/u/{token}", OPEN, **PAGE, body_limit=LARGEST_FORM)
async def change(call: Call) -> Answer:
    """Unsubscribe at once, as mail programs ask for it by one click (RFC 8058 §3.2); or
    subscribe again, as our page asks for it."""
    form = read_form(await call.body())
    tracking, token = call.services.sending_api.tracking, call.path_values["token"]
    if form.get("do") == ["resubscribe"]:
        address = await tracking.resubscribe(token, visitor(call))
        title, words = "Subscribed", "gets mail of this sender again."
        button = '<button name="do" value="unsubscribe">Unsubscribe</button>'
    else:
        address = await tracking.unsubscribe(token, visitor(call))
        title, words = "Unsubscribed", "gets no more mail of this sender."
        button = '<button name="do" value="resubscribe">Subscribe again</button>'
    if address is None:
        return page("Not found", GONE, 404)
    inside = f'<p><b>{escape(address)}</b> {words}</p><form method="post">{button}</form>'
    return page(title, inside)


def read_form(body: bytes) -> dict[str, list[str]]:
    """The fields of a form; none of one that is not ours."""
    try:
        return parse_qs(body.decode("utf-8", "replace"), max_num_fields=10)
    except ValueError:
        return {}


def quoted(url: str) -> str:
    """A target as a header carries it: everything beyond ASCII in its quoted form."""
    return "".join(
        one if 0x20 < ord(one) < 0x7F else "".join(f"%{octet:02X}" for octet in one.encode())
        for one in url
    )

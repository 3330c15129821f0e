"""The administration on the page does everything that the API can: each route is called by it, or
stands here with the reason why it is not."""

from __future__ import annotations

import pytest

from tests.programs import ROOT
from tests.web.site import Site

pytestmark = pytest.mark.anyio

# What stands in the page where a path is put together from pieces.
PIECES = {
    "/admin/queue/retry": "/admin/queue/${what}",
    "/admin/queue/drop": "/admin/queue/${what}",
    "/admin/sending/{area}/{act}": "/admin/sending/${path}",
    "/admin/mail_webhook/settings": "${path}/settings",
    "/admin/mail_webhook/test": "${path}/test",
    "/admin/mails/{id}/raw": "${path}/raw",
    "/admin/sent/{id}/raw": "${path}/raw",
    "/admin/mails/{id}/attachments/{index}": "${path}/attachments/",
    "/admin/sent/{id}/attachments/{index}": "${path}/attachments/",
}
FOR_OTHERS = {
    ("GET", "/admin/mails"): "whole sources; the page lists /admin/inbox",
    ("GET", "/admin/mails/{id}"): "the source alone; the page opens /admin/inbox/{id}",
    ("GET", "/admin/mails_unknow"): "whole sources; the page lists /admin/inbox?unknown=1",
    ("GET", "/admin/mail_webhook/posts"): "the page shows those of all webhooks",
    ("POST", "/admin/send_mail_by_binding"): "the form of a platform, for its programs",
    ("GET", "/admin/config/{key}"): "what another front end keeps here",
    ("POST", "/admin/config"): "what another front end keeps here",
    ("GET", "/admin/addresses/export"): "a file of all addresses, for spreadsheets and programs",
    ("GET", "/admin/metrics"): "figures for programs that watch",
    ("POST", "/admin/test/seed_mail"): "hooks for tests",
    ("POST", "/admin/test/receive_mail"): "hooks for tests",
}


def page() -> str:
    """The source of all that the page of administrators is made of."""
    source = ROOT / "frontend" / "src"
    files = [*(source / "admin").iterdir(), source / "parts" / "WebhookForm.svelte"]
    return "\n".join(file.read_text("utf-8") for file in files if file.suffix != ".css")


def is_called(path: str, source: str) -> bool:
    """Whether the page asks for a path. What is variable comes in braces, or is added elsewhere;
    a path that goes on otherwise is another."""
    if path in PIECES:
        return PIECES[path] in source
    begin, variable, rest = path.partition("{")
    begin, rest = begin.rstrip("/"), rest.partition("}")[2]
    ends = ("'", "`", '"', "?", "${", "/${", "/{") if variable else ("'", "`", '"', "?", "${")
    return any(begin + end in source for end in ends) and (not rest or f"}}{rest}" in source)


async def test_every_route_of_the_administration_is_called_by_the_page(site: Site) -> None:
    source = page()
    routes = {
        (one.method, one.path)
        for one in site.app.state.table.operations
        if one.path.startswith("/admin/")
    }
    assert set(FOR_OTHERS) <= routes
    uncalled = {route for route in routes if not is_called(route[1], source)}
    assert uncalled - set(FOR_OTHERS) == set()

"""`mailbox health`: is the running service ready? Quick, for containers ask again and again."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import click

from mailbox_service.commands.common import fail, loaded, with_configuration
from mailbox_service.config import parse_listen

HEALTH_SECONDS = 5.0


@click.command()
@click.option("--url", help="Where the service is. Default: http_listen of the settings.")
@with_configuration
def health(url: str | None, config_file: Path | None, data: Path | None) -> None:
    """Ask a running service whether all its doors are open; for container health checks."""
    headers = {}
    if url is None:
        config = loaded(config_file, data, make=False).config
        if not config.http_listen:
            fail("http_listen is off; name the service with --url.")
        host, port = parse_listen("http_listen", config.http_listen)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        if config.passwords:  # a private site asks for its password here too
            headers["x-custom-auth"] = config.passwords[0]
    if not url.startswith(("http://", "https://")):
        fail("--url: expected http:// or https://.")
    request = urllib.request.Request(f"{url.rstrip('/')}/health_check", headers=headers)  # noqa: S310
    # Never through a proxy: the question is about the service on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=HEALTH_SECONDS) as answer:
            text = answer.read(100).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        fail(f"{url}: {error.read(200).decode('utf-8', 'replace') or error}")
    except OSError as error:
        fail(f"{url}: {getattr(error, 'reason', error)}")
    click.echo(text)

"""`mailbox check` and `mailbox health`: is all well, and if not, what next?"""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import click

from mailbox_service.assembly import PAGE, Parts
from mailbox_service.commands.common import fail, loaded, run, with_configuration
from mailbox_service.config import parse_listen
from mailbox_service.outbound.dns import Resolver
from mailbox_service.services.checking import Finding, check_all

SIGNS = {"ok": "  ok     ", "warning": "  WARNING", "problem": "  PROBLEM"}
HEALTH_SECONDS = 5.0


@click.command()
@with_configuration
def check(config_file: Path | None, data: Path | None) -> None:
    """Configuration, store, ports, disk, DNS: what is wrong and what to do next."""
    found = loaded(config_file, data)
    config = found.config

    async def work(parts: Parts) -> list[Finding]:
        findings = []
        async for finding in check_all(
            config, parts.database, Resolver(config.name_servers), page=PAGE
        ):
            click.echo(f"{SIGNS[finding.level]}  {finding.check}: {finding.seen}")
            if finding.do and finding.level != "ok":
                click.echo(f"             -> {finding.do}")
            findings.append(finding)
        return findings

    findings = run(work, config)
    problems = sum(finding.level == "problem" for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    click.echo(f"{problems} problems, {warnings} warnings.")
    if problems:
        raise SystemExit(1)


@click.command()
@click.option("--url", help="Where the service is. Default: http_listen of the settings.")
@with_configuration
def health(url: str | None, config_file: Path | None, data: Path | None) -> None:
    """Ask a running service whether all its doors are open; for container health checks."""
    if url is None:
        config = loaded(config_file, data).config
        if not config.http_listen:
            fail("http_listen is off; name the service with --url.")
        host, port = parse_listen("http_listen", config.http_listen)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if not url.startswith(("http://", "https://")):
        fail("--url: expected http:// or https://.")
    try:
        with urllib.request.urlopen(  # noqa: S310
            f"{url.rstrip('/')}/health_check", timeout=HEALTH_SECONDS
        ) as answer:
            text = answer.read(100).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        fail(f"{url}: {error.read(200).decode('utf-8', 'replace') or error}")
    except OSError as error:
        fail(f"{url}: {getattr(error, 'reason', error)}")
    click.echo(text)

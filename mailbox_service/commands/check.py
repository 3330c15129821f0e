"""`mailbox check`: is all well, and if not, what next?"""

from __future__ import annotations

from pathlib import Path

import click

from mailbox_service.assembly import PAGE, Parts
from mailbox_service.commands.common import loaded, with_configuration
from mailbox_service.commands.store import run
from mailbox_service.services.checking import Finding, check_all

SIGNS = {"ok": "  ok     ", "warning": "  WARNING", "problem": "  PROBLEM"}


@click.command()
@with_configuration
def check(config_file: Path | None, data: Path | None) -> None:
    """Configuration, store, ports, disk, DNS: what is wrong and what to do next."""
    found = loaded(config_file, data, make=False)
    config = found.config

    async def work(parts: Parts) -> list[Finding]:
        findings = []
        async for finding in check_all(config, parts.database, parts.domain_checking, page=PAGE):
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

"""`make lighthouse`: the page as Lighthouse's phone profile sees it, on the real service.

Each screen is looked at several times and the middle value counts. It fails below the figures of
the page: performance 95, accessibility 100, best practices 100, largest contentful paint 1.5 s,
layout shift 0.02, and no request to any other host. It is a program and no test, since what it
measures is time: on a machine that does other work it measures that. `alone` and `work` are
performance and total blocking time of the same looks without the time in which others had the
processor; `--alone` judges by that.

A look whose trace lacks its beginning (NO_NAVSTART) is taken again: Chromium records a process that
it has just started some milliseconds late when the machine is busy, whatever the screen.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from tests.journeys.browser import message
from tests.journeys.running import RunningService
from tests.programs import ROOT, chromium

PROGRAM = ROOT / "tests" / "node" / "lighthouse.mjs"
SECONDS = 300.0  # for one look; it takes some fifteen, and again when its trace is broken
LEAST = {"performance": 95, "accessibility": 100, "best-practices": 100}
MOST = {"lcp": 1.5, "cls": 0.02}


def main() -> None:
    """Look at every screen and say what was found."""
    run()


@click.command()
@click.option("--times", default=3, show_default=True, help="Looks at each screen.")
@click.option("--only", multiple=True, help="A screen by its name; may be said several times.")
@click.option("--why", is_flag=True, help="Say what was the largest, came before it, took long.")
@click.option("--alone", is_flag=True, help="Judge the work of the page, not the machine's.")
def run(times: int, only: tuple[str, ...], why: bool, alone: bool) -> None:
    """Lighthouse on the real service; exit code 1 when a figure is missed."""
    node = shutil.which("node")
    if node is None:
        raise click.ClickException("node is not on the path")
    with tempfile.TemporaryDirectory() as folder:
        service = RunningService(Path(folder) / "service")
        service.start()
        try:
            missed = []
            for name, path in screens(service).items():
                if only and name not in only:
                    continue
                try:
                    looks = [look(node, service.url + path()) for _ in range(times)]
                except (click.ClickException, subprocess.TimeoutExpired) as error:
                    click.echo(f"{name:16}{error}")
                    missed.append(f"{name}: {error}")
                else:
                    missed += judged(name, looks, why, alone)
        finally:
            service.stop()
    for fault in missed:
        click.echo(fault, err=True)
    sys.exit(1 if missed else 0)


def screens(service: RunningService) -> dict[str, Callable[[], str]]:
    """The screens, and how their addresses come about."""
    address, token = service.open_address()
    for number in range(20):
        service.deliver(address, message(f"Notes of week {number}", f"Your code is 48{number:04}."))
    last = service.wait_for_mail(token, subject="19")
    # The first answer of each document is packed in haste.
    for path in ("/", "/user", "/admin"):
        service.get(path)
    return {
        "first visit": lambda: "/",
        "inbox": lambda: f"/?jwt={token}",
        "mail": lambda: f"/?jwt={token}&mail_id={last['id']}",
        "account": lambda: "/user",
        "administration": lambda: "/admin",
    }


def look(node: str, url: str) -> dict[str, Any]:
    """One look at one address, with a browser of its own."""
    done = subprocess.run(
        [node, str(PROGRAM), url, chromium()],
        cwd=PROGRAM.parent,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if "Error" in line]
        raise click.ClickException(said[0] if said else done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    own = urlsplit(url).netloc
    found["foreign"] = [
        one
        for one in found["requested"]
        if urlsplit(one).netloc not in (own, "") and "data:" not in one
    ]
    return found


def judged(name: str, looks: list[dict[str, Any]], why: bool, alone: bool) -> list[str]:
    """Print the middle of what was found; what is missed, in words."""
    names = (*LEAST, *MOST, "fcp", "si", "tbt", "work", "alone", "observed", "machine")
    middle = {key: statistics.median(float(one[key]) for one in looks) for key in names}
    click.echo(f"{name:16}" + "  ".join(f"{key} {value:.4g}" for key, value in middle.items()))
    if why:
        for one in looks:
            click.echo(f"  machine {one['machine']:.0f}, largest: {one['largest']}")
            for path, octets, at in one["files"]:
                click.echo(f"    {at:6.0f} ms {octets:7} {path}")
            for path, at, duration in one["long"]:
                click.echo(f"    {at:6.0f} ms long task of {duration:.0f} ms: {path}")
    missed = [
        f"{name}: {key} is {middle[key]:.4g}, wanted at least {least}"
        for key, least in (
            (("alone" if alone and k == "performance" else k), v) for k, v in LEAST.items()
        )
        if middle[key] < least
    ]
    missed += [
        f"{name}: {key} is {middle[key]:.4g}, wanted at most {most}"
        for key, most in MOST.items()
        if middle[key] > most
    ]
    missed += [f"{name}: asked {url}" for one in looks for url in one["foreign"]]
    if missed:
        missed += [
            f"{name}: {fault}" for fault in sorted({f for one in looks for f in one["faults"]})
        ]
    return missed


if __name__ == "__main__":
    main()

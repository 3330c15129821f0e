"""`python -m benchmarks`: run the programs, print their tables, write them into the README."""

from __future__ import annotations

import os
import signal
import sys

import click

from benchmarks import accept, http_doors, listing, memory, outbound, sending, submission, table
from benchmarks.figures import Options, Program
from benchmarks.processes import Unavailable, raise_descriptor_limit

PROGRAMS: tuple[Program, ...] = (
    accept.PROGRAM,
    submission.PROGRAM,
    http_doors.PROGRAM,
    sending.PROGRAM,
    outbound.PROGRAM,
    memory.PROGRAM,
    listing.PROGRAM,
)
QUICK = Options(rounds=2, seconds=0.4, quick=True)


def interrupt(number: int, frame: object) -> None:
    """End like on Ctrl-C, so that what was started is ended."""
    raise KeyboardInterrupt


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([one.name for one in PROGRAMS]),
    help="Run this program; may be given again.",
)
@click.option("--rounds", type=click.IntRange(min=1), help="Turns of every target. [default: 5]")
@click.option("--seconds", type=click.FloatRange(min=0.1), help="Of one round. [default: 1.5]")
@click.option("--quick", is_flag=True, help="See that everything runs; the README stays as it is.")
@click.option("--big", is_flag=True, help="Also what takes long: lists over millions of mails.")
def main(
    only: tuple[str, ...], rounds: int | None, seconds: float | None, quick: bool, big: bool
) -> None:
    """Compare the service with its peers, in turns, on loopback."""
    base = QUICK if quick else Options()
    options = Options(rounds or base.rounds, seconds or base.seconds, quick, big)
    raise_descriptor_limit()
    signal.signal(signal.SIGTERM, interrupt)
    failed = False
    for program in PROGRAMS:
        if program.name not in only and (only or (program.only_when_asked and not big)):
            continue
        click.echo(f"## {program.title}  (load of the machine: {os.getloadavg()[0]:.1f})\n")
        try:
            report = program.run(options)
        except (Unavailable, RuntimeError, TimeoutError) as reason:
            click.echo(f"no figures: {reason}\n", err=True)
            failed = True
            continue
        text = table.markdown(program, report, options)
        click.echo(f"{text}\n")
        table.keep(program, report, options)
        if not quick:
            table.write(program, text)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

"""The README of the benchmarks: a section a program, written by the run itself."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.figures import Goal, Options, Program, Report, times

HERE = Path(__file__).parent
README = HERE / "README.md"
RESULTS = HERE / "results"


def markdown(program: Program, report: Report, options: Options) -> str:
    """A section: how it was run, the goals, all figures."""
    command = f'make bench ARGS="--only {program.name}{" --big" if options.big else ""}"'
    lines = [
        f"`{command}` · {options.rounds} rounds of {options.seconds:g} s, medians ·"
        f" {os.cpu_count()} cores shared with the load",
        "",
        " · ".join(report.versions),
        "",
    ]
    if report.goals:
        lines += grid(("goal", "measured", "first", "then"), [goal_row(g) for g in report.goals])
        lines.append("")
    lines += grid(report.header, report.rows)
    for note in report.notes:
        lines += ["", note]
    return "\n".join(lines)


def goal_row(goal: Goal) -> list[str]:
    measured = times(goal.figure) if goal.unit == "×" else f"{goal.figure:,.1f} {goal.unit}"
    return [goal.what, measured, goal.shown(goal.first or None), goal.shown(goal.aim)]


def grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table of Markdown."""
    return [
        f"| {' | '.join(header)} |",
        f"|{'---|' * len(header)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def write(program: Program, text: str) -> None:
    """Put a section between its marks, in place of the one before. Raises ValueError."""
    begin, end = f"<!-- begin {program.name} -->", f"<!-- end {program.name} -->"
    page = README.read_text("utf-8")
    if begin not in page or end not in page:
        raise ValueError(f"README.md has no marks for {program.name}")
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    README.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", "utf-8")


def keep(program: Program, report: Report, options: Options) -> None:
    """Keep every single figure, as JSON."""
    RESULTS.mkdir(exist_ok=True)
    both = {"options": asdict(options), **asdict(report)}
    text = json.dumps(both, ensure_ascii=False, indent=1)
    (RESULTS / f"{program.name}.json").write_text(text + "\n", "utf-8")

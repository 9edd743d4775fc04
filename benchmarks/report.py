"""Results as tables for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.libraries import SYSTEMS
from benchmarks.machine import Machine
from benchmarks.metrics import METRICS
from benchmarks.results import Figure
from benchmarks.runner import Round
from benchmarks.targets import SUBJECT, Verdict

Table = Mapping[str, Mapping[str, Figure]]

DASH = "–"


def number(value: float) -> str:
    """At least two significant digits, with separators for thousands."""
    for size, decimals in ((100, 0), (10, 1), (0.1, 2), (0.01, 3)):
        if abs(value) >= size:
            return f"{value:,.{decimals}f}"
    return f"{value:.4f}"


def cell(figure: Figure) -> str:
    """A median, starred where it took fewer tasks than the row's title says; a dash for what a system does not have."""
    if figure.median is not None:
        return number(figure.median) + ("*" if figure.reduced is not None else "")
    return DASH if figure.failure is None else "failed"


def figure_table(table: Table, systems: Sequence[str]) -> list[list[str]]:
    """One row per metric, one column per system."""
    rows = [["", *(SYSTEMS[system].title for system in systems)]]
    for name, row in table.items():
        metric = METRICS[name]
        rows.append([f"{metric.title}, {metric.unit}", *(cell(row[system]) for system in systems)])
    return rows


def target_table(verdicts: Sequence[Verdict]) -> list[list[str]]:
    """One row per target: the figure, the bound, their ratio, and the verdict."""
    rows = [["target", "at least", SYSTEMS[SUBJECT].title, "bound", "ratio", ""]]
    words = {True: "met", False: "missed", None: "not measured"}
    for verdict in verdicts:
        value, bound = verdict.value, verdict.bound
        ratio = DASH if value is None or not bound else number(value / bound)
        texts = [DASH if each is None else number(each) for each in (value, bound)]
        metric = METRICS[verdict.target.metric]
        rows.append([f"{metric.title}, {metric.unit}", verdict.target.text(), *texts, ratio, words[verdict.met]])
    return rows


def render(rows: Sequence[Sequence[str]], markdown: bool) -> str:
    """Lays out a table, whose first row is its head: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [[text.ljust(widths[0]), *map(str.rjust, texts, widths[1:])] for text, *texts in rows]
    if not markdown:
        return "\n".join("  ".join(line).rstrip() for line in lines)
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], rule, *lines[1:]])


def notes(table: Table, rounds: Mapping[str, Sequence[Round]]) -> list[str]:
    """What the tables cannot say: reduced sizes, failures, and bad ends."""
    found = []
    for metric, row in table.items():
        for system, figure in row.items():
            if figure.reduced is not None:
                found.append(f"* {SYSTEMS[system].title}, {METRICS[metric].title}: measured with {figure.reduced:,}")
            if figure.failure is not None:
                found.append(f"failed: {SYSTEMS[system].title}, {METRICS[metric].title}: {figure.failure}")
    for system, done in rounds.items():
        troubles = dict.fromkeys(trouble for each in done for trouble in each.troubles)
        found += [f"{SYSTEMS[system].title} {trouble}" for trouble in troubles]
    return found


def as_json(machine: Machine, rounds: int, table: Table, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Everything, for a program to read."""
    return {
        "machine": asdict(machine),
        "rounds": rounds,
        "metrics": {
            name: {
                "title": METRICS[name].title,
                "unit": METRICS[name].unit,
                "better": METRICS[name].better.value,
                "systems": {
                    system: {
                        "median": figure.median,
                        "samples": figure.samples,
                        "reduced": figure.reduced,
                        "failure": figure.failure,
                    }
                    for system, figure in row.items()
                },
            }
            for name, row in table.items()
        },
        "targets": [
            {
                "metric": verdict.target.metric,
                "at_least": verdict.target.text(),
                "value": verdict.value,
                "bound": verdict.bound,
                "met": verdict.met,
            }
            for verdict in verdicts
        ],
    }

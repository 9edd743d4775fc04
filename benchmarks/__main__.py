"""The command line.

Rounds are interleaved (every system's first, then every system's second), so that a machine that is busy for a
minute spoils one round of each rather than all of one; the medians over the rounds are what is reported.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.libraries import SYSTEMS
from benchmarks.machine import describe
from benchmarks.metrics import METRICS
from benchmarks.plan import Probe, select
from benchmarks.processes import adopt_orphans, kill_descendants
from benchmarks.results import figures, medians
from benchmarks.runner import Round, run_round
from benchmarks.targets import judge


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line and refuses names that do not exist."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="RustyRay beside its peers.")
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"measure these alone: {', '.join(METRICS)}")
    parser.add_argument("--systems", metavar="A,B", help=f"run these alone: {','.join(SYSTEMS)}")
    parser.add_argument("--rounds", type=int, default=3, help="rounds to take medians over (default 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every sample to FILE")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    options = parser.parse_args(arguments)
    options.only = list(METRICS) if options.only is None else options.only
    options.systems = list(SYSTEMS) if options.systems is None else options.systems.split(",")
    for given, known in ((options.only, METRICS), (options.systems, SYSTEMS)):
        unknown = sorted(set(given) - set(known))
        if unknown:
            parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    if options.rounds < 1:
        parser.error("at least one round is needed")
    return options


def available(systems: Sequence[str]) -> list[str]:
    """The systems that are installed, in the table's order; says which are not.

    None is imported here: this process must not share a library's pages with those whose memory is measured.
    """
    for name in systems:
        if not SYSTEMS[name].installed():
            print(f"{SYSTEMS[name].title} is left out: it is not installed", file=sys.stderr)
    return [name for name, library in SYSTEMS.items() if name in systems and library.installed()]


def measure(systems: Sequence[str], probes: Sequence[Probe], rounds: int) -> dict[str, list[Round]]:
    """Runs all rounds and reports progress on standard error."""
    done: dict[str, list[Round]] = {system: [] for system in systems}
    for index in range(rounds):
        for system in systems:
            begun = time.monotonic()
            done[system].append(run_round(system, probes))
            took = time.monotonic() - begun
            print(f"round {index + 1} of {rounds}: {SYSTEMS[system].title}, {took:.0f} s", file=sys.stderr)
    return done


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the tables, and writes the JSON."""
    options = parse(arguments)
    adopt_orphans()
    systems = available(options.systems)
    machine = describe(systems)
    try:
        rounds = measure(systems, select(set(options.only)), options.rounds)
    finally:
        kill_descendants(0.0)
    table = figures(options.only, rounds)
    verdicts = [verdict for verdict in judge(medians(table)) if verdict.target.metric in options.only]
    parts = [report.render(report.figure_table(table, systems), options.markdown)]
    parts += ["\n".join(report.notes(table, rounds)), machine.text()]
    parts.append(report.render(report.target_table(verdicts), options.markdown))
    print("\n\n".join(filter(None, parts)))
    if options.json is not None:
        text = json.dumps(report.as_json(machine, options.rounds, table, verdicts), indent=2, ensure_ascii=False)
        options.json.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

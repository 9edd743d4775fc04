"""``python -m benchmarks.ray_suite``: the same tests on RustyRay and on Ray, one process of pytest for each file.

Prints what came out otherwise, and how much longer Ray took. A time is that of a test with its set-up and tear-down;
the start of pytest and the imports do not count. Where pytest's process dies or hangs, its tests run again, each in its
own.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
SUITE: Final = Path(__file__).parent / "suite"
RUSTYRAY: Final = ("-p", "rustyray", "--rustyray-as-ray")
RAY: Final = ("-p", "no:rustyray")
#: Seconds that one test may take before its process counts as hung: on Ray, ten times what the slowest needs; and those
#: that each other test of the process adds, three times what most need. Ray hangs in C++ now and then.
PATIENCE: Final = 120.0
MORE: Final = 15.0


class Result(NamedTuple):
    """What became of a test: ``passed``, ``failed``, ``error``, ``skipped`` or ``died``, after so many seconds.

    What hung is killed: it died.
    """

    outcome: str
    seconds: float


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ray_suite", description=__doc__)
    parser.add_argument("--tests", type=int, metavar="N", help="run this many, spread evenly over the suite, not all")
    parser.add_argument(
        "--ray-python",
        default=sys.executable,
        metavar="PATH",
        help="a Python with Ray and pytest (default: this)",
    )
    parser.add_argument("--without-ray", action="store_true", help="run on RustyRay alone")
    options = parser.parse_args(arguments)
    if options.tests is not None and options.tests < 1:
        parser.error("--tests: at least one")
    return options


def pytest(python: str, *arguments: str, within: float = PATIENCE) -> subprocess.CompletedProcess[str]:
    """Run pytest in the suite's folder, on a runtime of its own whatever else runs on this machine.

    After ``within`` seconds it is killed with its process group.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path, "RAY_ADDRESS": "local"}
    command = [python, "-m", "pytest", "-c", str(SUITE / "pytest.ini"), "--rootdir", str(SUITE), *arguments]
    with tempfile.TemporaryFile("w+") as said:  # a pipe would stay open in what it leaves behind
        process = subprocess.Popen(
            command, cwd=SUITE, env=environment, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            process.wait(within)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said.seek(0)
        return subprocess.CompletedProcess(command, process.returncode, said.read())


def names(wanted: int | None) -> list[str]:
    """The tests to run: all, or ``wanted`` of them, the same ones every time."""
    done = pytest(sys.executable, *RUSTYRAY, "--collect-only", "-q")
    found = [line for line in done.stdout.splitlines() if "::" in line]
    if done.returncode or not found:
        sys.exit(f"the tests could not be collected:\n{done.stdout}")
    if wanted is None or wanted >= len(found):
        return found
    return [found[index * len(found) // wanted] for index in range(wanted)]


def run(python: str, options: Sequence[str], tests: Sequence[str]) -> dict[str, Result]:
    """Run the tests, file by file; their results by name."""
    found: dict[str, Result] = {}
    for _, group in groupby(tests, key=lambda name: name.split("::")[0]):
        found |= run_together(python, options, list(group))
    return found


def run_together(python: str, options: Sequence[str], tests: Sequence[str]) -> dict[str, Result]:
    """Run the tests in one process; their results by name."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        done = pytest(python, *options, f"--junitxml={report}", *tests, within=PATIENCE + MORE * (len(tests) - 1))
        if report.exists():
            return read(report)
    if done.returncode > 0 and "collected" not in done.stdout:
        sys.exit(f"{python}: pytest did not run:\n{done.stdout}")
    how = f"ended with {done.returncode}" if done.returncode >= 0 else f"was ended by signal {-done.returncode}"
    print(f"{python}: pytest {how} before its report:\n{done.stdout}", flush=True)
    if len(tests) == 1:
        return {tests[0]: Result("died", 0)}
    return {name: result for test in tests for name, result in run_together(python, options, [test]).items()}


def read(report: Path) -> dict[str, Result]:
    """The results in a JUnit file. A test that failed in its tear-down as well has two entries; the first counts."""
    found: dict[str, Result] = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        problems = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        outcome = {"failure": "failed"}.get(problems[0], problems[0]) if problems else "passed"
        name = f"{case.attrib['classname']}.py::{case.attrib['name']}"
        found.setdefault(name, Result(outcome, float(case.attrib["time"])))
    return found


def compare(ours: Mapping[str, Result], rays: Mapping[str, Result]) -> str:
    """The outcomes that differ, and the times beside each other."""
    both = [name for name in ours if name in rays]
    differ = [name for name in both if ours[name].outcome != rays[name].outcome]
    lines = [f"{name}: {ours[name].outcome} on RustyRay, {rays[name].outcome} on Ray" for name in differ]
    mine, theirs = (sum(results[name].seconds for name in both) for results in (ours, rays))
    lines.append(f"{len(both)} tests, {len(both) - len(differ)} with the same outcome")
    lines.append(f"RustyRay {mine:.2f} s, Ray {theirs:.2f} s: {theirs / mine:.0f} x")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and compare. 1 if an outcome differs, or, without Ray, if a test did not pass."""
    options = parse(arguments)
    tests = names(options.tests)
    ours = run(sys.executable, RUSTYRAY, tests)
    if options.without_ray:
        bad = [f"{name}: {result.outcome}" for name, result in ours.items() if result.outcome != "passed"]
        print(*bad, f"{len(ours)} tests, {sum(each.seconds for each in ours.values()):.2f} s", sep="\n")
        return int(bool(bad))
    rays = run(options.ray_python, RAY, tests)
    print(compare(ours, rays))
    return int(any(ours[name].outcome != rays[name].outcome for name in ours if name in rays))


if __name__ == "__main__":
    sys.exit(main())

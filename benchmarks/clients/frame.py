"""What all clients do: an environment of their own, their tests in it, and a table of the outcomes."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

ROOT: Final = Path(__file__).resolve().parents[2]
#: Seconds that one client's tests may take.
LIMIT: Final = 1800


def folder(name: str) -> Path:
    """Where the client is installed: ``--folder``, or a new folder for temporary files."""
    parser = argparse.ArgumentParser(description=f"Run {name}'s own tests on RustyRay.")
    parser.add_argument("--folder", metavar="PATH", help="where to install it, and find it installed the next time")
    given = parser.parse_args()
    return Path(given.folder or tempfile.mkdtemp(prefix=f"rustyray-{name}-"))


def install(place: Path, packages: Sequence[str], more: Sequence[str] = ()) -> str:
    """Make an environment with these packages and RustyRay's, then install ``more``; returns its interpreter."""
    python = place / "bin" / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
        needed = ["msgspec", "greenlet", "cloudpickle", "xxhash", "pytest", "pytest-timeout"]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *needed, *packages], check=True)
        if more:
            subprocess.run([python, "-m", "pip", "install", "--quiet", *more], check=True)
    return str(python)


def run_tests(
    python: str,
    plugin: str,
    tests: Sequence[str],
    cwd: Path,
    options: Sequence[str] = (),
    not_ours: Mapping[str, str] | None = None,
) -> int:
    """Run tests with a plugin of ours, print how many passed and which did not, and return how many did not.

    Those in ``not_ours``, which has names of test functions by the reason, are counted apart if they fail.
    """
    report = cwd / "report.xml"
    # RustyRay's own plugin would judge what they leave behind, and may be installed or not.
    off = ["-p", "no:cacheprovider", "-p", "no:rustyray"]
    command = [python, "-m", "pytest", "-q", "-p", plugin, *off, "--timeout=60", "--tb=line"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(cwd)])}
    done = subprocess.run(
        [*command, f"--junitxml={report}", *options, *tests],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    if not report.exists():
        sys.exit(f"the tests did not run:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    outcomes = read(report)
    reasons = {name: why for why, names in (not_ours or {}).items() for name in names.split()}
    for name, what in outcomes.items():
        if what.startswith("failed") and (why := reasons.get(name.rpartition("::")[2].partition("[")[0])):
            outcomes[name] = f"failed as on Ray ({why})"
    counts = Counter(what.partition(":")[0] for what in outcomes.values())
    print(f"{plugin}: " + ", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    failed = {name: what for name, what in outcomes.items() if what.startswith("failed:")}
    for name, what in failed.items():
        print(f"  {name}: {what}")
    return len(failed)


def run_program(python: str, module: str, cwd: Path) -> int:
    """Run a program of ours in the client's environment; returns its exit status."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([python, "-m", module], cwd=cwd, env=environment, timeout=LIMIT, check=False).returncode


def read(report: Path) -> dict[str, str]:
    """What became of each test: ``passed``, ``skipped``, or ``failed: why``."""
    outcomes = {}
    for case in ET.parse(report).iter("testcase"):
        bad = case.find("failure")
        bad = case.find("error") if bad is None else bad
        skipped = case.find("skipped") is not None
        why = "" if bad is None else (bad.get("message") or "").partition("\n")[0][:150]
        name = f"{case.get('classname')}::{case.get('name')}"
        outcomes[name] = f"failed: {why}" if bad is not None else "skipped" if skipped else "passed"
    return outcomes

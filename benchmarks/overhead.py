"""What a runtime per test costs under pytest: ``python -m benchmarks.overhead PROBE SYSTEM DESCRIPTOR``.

Runs the two suites of ``overhead_suite.py`` in one pytest process each. This module is also the plugin that gives their
tests the system and times them, set-up and tear-down included, and takes the median. So the start of pytest, the import
of the system, and what it starts with the first test and keeps do not count.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

import pytest

from benchmarks.metrics import Sample
from benchmarks.records import Record, Status
from benchmarks.system import System, load

LIMIT = 10.0
"""Seconds of tests after which no further one begins."""

SYSTEM = pytest.StashKey[System]()
TIMES = pytest.StashKey[list[float]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bench-system", required=True)
    parser.addoption("--bench-output", required=True)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SYSTEM] = load(config.getoption("--bench-system"))
    config.stash[TIMES] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    begun = perf_counter()
    result = yield
    times = item.config.stash[TIMES]
    times.append(perf_counter() - begun)
    if sum(times) > LIMIT:
        item.session.shouldstop = "enough was measured"
    return result


def pytest_unconfigure(config: pytest.Config) -> None:
    times = config.stash[TIMES]
    Path(config.getoption("--bench-output")).write_text(str(median(times)))


@pytest.fixture
def system(pytestconfig: pytest.Config) -> System:
    """The system under measurement, not started."""
    return pytestconfig.stash[SYSTEM]


@pytest.fixture
def runtime(system: System, request: pytest.FixtureRequest) -> Iterator[System]:
    """The system, started for this test alone: by the fixture that it ships, else by its own calls."""
    if system.fixture is not None:
        request.getfixturevalue(system.fixture)
        yield system
        return
    system.start()
    yield system
    system.stop()


def seconds_per_test(name: str, suite: str) -> float:
    """Runs the tests of ``suite`` and returns the median time of one; exits if any fails."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "seconds")
        command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", folder]
        command += ["-p", "no:cacheprovider", "-p", "benchmarks.overhead", *_plugin(name)]
        command += ["--bench-system", name, "--bench-output", str(output)]
        command += [str(Path(__file__).with_name("overhead_suite.py")), "-k", suite]
        done = subprocess.run(command, check=False, env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
        # Stopping early has an exit code of its own.
        if done.returncode not in (pytest.ExitCode.OK, pytest.ExitCode.INTERRUPTED):
            raise SystemExit(f"the {suite} tests ended with exit code {done.returncode}")
        return float(output.read_text())


def _plugin(name: str) -> list[str]:
    plugin = load(name).fixture_plugin
    return [] if plugin is None else ["-p", plugin]


def main() -> None:
    """Measures and reports."""
    probe, name, descriptor = sys.argv[1:]
    bare = seconds_per_test(name, "bare")
    runtime = seconds_per_test(name, "runtime")
    samples = {"fixture": Sample(1000 * (runtime - bare))}
    Record(probe, Status.MEASURED, samples).send(int(descriptor))


if __name__ == "__main__":
    main()

"""All that can be said to the plugin in a run of pytest: flags, lines of the ini file, and markers."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Final

import pytest

from pytest_rustyray.options.table import DEFAULTS, FLAG, INI, OPTIONS, shown

#: Options of a test's runtime.
MARKER: Final = "rustyray"
#: Tests under many schedules.
EXPLORE: Final = "rustyray_explore"
_EXPLORE_TAKES: Final = (
    "schedules=500, faults='crash,delay,partition', depth=3, seed=0, explorer='portfolio', num_cpus=2, …"
)
REPLAY: Final = "rustyray_replay"
REPLAY_FLAG: Final = "--rustyray-replay"
#: Tests in processes of their own.
ISOLATED: Final = "rustyray_isolated"
ISOLATE: Final = "rustyray_isolate"
ISOLATE_FLAG: Final = "--rustyray-isolate"
#: ``import ray`` means RustyRay.
AS_RAY: Final = "rustyray_as_ray"
AS_RAY_FLAG: Final = "--rustyray-as-ray"
AS_RAY_VARIABLE: Final = "RUSTYRAY_AS_RAY"
#: The names of categories, which are markers too, and what the markers mean.
CATEGORIES: Final[Mapping[str, str]] = {
    "unit": "pure: no process, no socket, no sleep",
    "integration": "real processes, sockets and shared memory",
    "stress": "long or heavy",
}
CATEGORIZE: Final = "rustyray_categories"
STRESS: Final = "rustyray_stress"
STRESS_FLAG: Final = "--rustyray-stress"

_ISOLATE_HELP: Final = "run each test in a process of its own"
_AS_RAY_HELP: Final = "let 'import ray' mean RustyRay, and have fixtures with the names of Ray's"


def declare(parser: pytest.Parser) -> None:
    """Add the flags and their twins in the ini file."""
    group = parser.getgroup("rustyray", "RustyRay: runtimes for tests")
    for name, help_ in OPTIONS.items():
        default = f" (default: {shown(name, DEFAULTS[name])})" if name in DEFAULTS else ""
        group.addoption(FLAG + name.replace("_", "-"), dest=INI + name, default=None, metavar="X", help=help_ + default)
        parser.addini(INI + name, help_ + default, default=None)
    group.addoption(
        REPLAY_FLAG, dest=REPLAY, default=None, metavar="LINE", help="run the tests that explore under this schedule"
    )
    group.addoption(ISOLATE_FLAG, dest=ISOLATE, action="store_true", default=False, help=_ISOLATE_HELP)
    parser.addini(ISOLATE, _ISOLATE_HELP, type="bool", default=False)
    parser.addini(
        CATEGORIZE,
        "tests in folders named unit, integration and stress get such markers, and what is usual for those",
        type="bool",
        default=False,
    )
    group.addoption(
        STRESS_FLAG,
        dest=STRESS,
        action="store_true",
        help=f"run stress tests, too, where {CATEGORIZE} is set in the ini file",
    )
    group.addoption(AS_RAY_FLAG, dest=AS_RAY, action="store_true", default=False, help=_AS_RAY_HELP)
    parser.addini(AS_RAY, _AS_RAY_HELP, type="bool", default=False)


def declare_markers(config: pytest.Config) -> None:
    """So that ``--strict-markers`` knows them, and ``--markers`` lists them."""
    takes = ", ".join(f"{name}=" for name in OPTIONS)
    meanings = {
        f"{MARKER}({takes})": "the options of the runtime that a fixture starts",
        **CATEGORIES,
        f"{EXPLORE}({_EXPLORE_TAKES})": "run the test under many simulated schedules",
        ISOLATED: "run the test in a process of its own",
    }
    for marker, meaning in meanings.items():
        config.addinivalue_line("markers", f"{marker}: {meaning}")


def wants_ray(config: pytest.Config, given: argparse.Namespace) -> bool:
    """Whether ``import ray`` is to mean RustyRay in this run; ``given`` is what the command line says."""
    by_variable = os.environ.get(AS_RAY_VARIABLE, "0") not in ("", "0")
    return bool(getattr(given, AS_RAY, False) or by_variable or config.getini(AS_RAY))


def isolates_all(config: pytest.Config) -> bool:
    """Whether each test is to run in a process of its own."""
    return bool(config.getoption(ISOLATE) or config.getini(ISOLATE))

"""Helps to test distributed programs: explored schedules; recorded histories of what was called, and a checker of them.

Importing this package starts nothing, and imports its parts when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rustyray.testing.drawing import Schedule as Schedule
    from rustyray.testing.drawing import schedules as schedules
    from rustyray.testing.exploring import Exploration as Exploration
    from rustyray.testing.exploring import NotDeterministic as NotDeterministic
    from rustyray.testing.exploring import RaceFound as RaceFound
    from rustyray.testing.exploring import ResultsDiffer as ResultsDiffer
    from rustyray.testing.exploring import explore as explore
    from rustyray.testing.history import Call as Call
    from rustyray.testing.history import History as History
    from rustyray.testing.linearizability import Linearizable as Linearizable
    from rustyray.testing.linearizability import NotLinearizableError as NotLinearizableError
    from rustyray.testing.linearizability import UndecidedError as UndecidedError
    from rustyray.testing.linearizability import linearizable as linearizable
    from rustyray.testing.operations import Operation as Operation
    from rustyray.testing.operations import Raised as Raised
    from rustyray.testing.operations import Returned as Returned
    from rustyray.testing.replaying import ReplayMismatch as ReplayMismatch
    from rustyray.testing.replaying import replay as replay
    from rustyray.testing.trial import LeakedRuntime as LeakedRuntime

_MODULES = {
    "Call": "history",
    "Exploration": "exploring",
    "History": "history",
    "LeakedRuntime": "trial",
    "Linearizable": "linearizability",
    "NotDeterministic": "exploring",
    "NotLinearizableError": "linearizability",
    "Operation": "operations",
    "RaceFound": "exploring",
    "Raised": "operations",
    "ReplayMismatch": "replaying",
    "ResultsDiffer": "exploring",
    "Returned": "operations",
    "Schedule": "drawing",
    "UndecidedError": "linearizability",
    "explore": "exploring",
    "linearizable": "linearizability",
    "replay": "replaying",
    "schedules": "drawing",
}

__all__ = sorted(_MODULES)  # noqa: PLE0605 - a list of names, and there is one place for them


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})

"""Helps to test distributed programs: explored schedules; recorded histories of what was called, and a checker of them;
strategies and state machines for Hypothesis.

Importing this package starts nothing, and imports its parts when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rustyray.testing.exploring.differing import NotDeterministic as NotDeterministic
    from rustyray.testing.exploring.drawing import Schedule as Schedule
    from rustyray.testing.exploring.drawing import schedules as schedules
    from rustyray.testing.exploring.explore import Exploration as Exploration
    from rustyray.testing.exploring.explore import RaceFound as RaceFound
    from rustyray.testing.exploring.explore import ResultsDiffer as ResultsDiffer
    from rustyray.testing.exploring.explore import explore as explore
    from rustyray.testing.exploring.replaying import ReplayMismatch as ReplayMismatch
    from rustyray.testing.exploring.replaying import replay as replay
    from rustyray.testing.exploring.trial import LeakedRuntime as LeakedRuntime
    from rustyray.testing.exploring.unread import UnreadError as UnreadError
    from rustyray.testing.histories.history import Call as Call
    from rustyray.testing.histories.history import History as History
    from rustyray.testing.histories.linearizability import Linearizable as Linearizable
    from rustyray.testing.histories.linearizability import NotLinearizableError as NotLinearizableError
    from rustyray.testing.histories.linearizability import UndecidedError as UndecidedError
    from rustyray.testing.histories.linearizability import linearizable as linearizable
    from rustyray.testing.histories.operations import Operation as Operation
    from rustyray.testing.histories.operations import Raised as Raised
    from rustyray.testing.histories.operations import Returned as Returned
    from rustyray.testing.machines.faulty import FaultMachine as FaultMachine
    from rustyray.testing.machines.graphs import GraphMachine as GraphMachine
    from rustyray.testing.machines.lifecycle import LifecycleMachine as LifecycleMachine
    from rustyray.testing.machines.machine import Machine as Machine
    from rustyray.testing.machines.machine import step as step
    from rustyray.testing.machines.modelled import ModelMachine as ModelMachine
    from rustyray.testing.machines.modelled import model_machine as model_machine
    from rustyray.testing.machines.references import ReferenceMachine as ReferenceMachine
    from rustyray.testing.machines.running import RunningMachine as RunningMachine
    from rustyray.testing.strategies.faults import fault_plans as fault_plans
    from rustyray.testing.strategies.faults import strike as strike
    from rustyray.testing.strategies.graphs import task_graphs as task_graphs
    from rustyray.testing.strategies.lifecycles import lifecycles as lifecycles
    from rustyray.testing.strategies.options import runtime_options as runtime_options
    from rustyray.testing.strategies.programs import actor_programs as actor_programs

_MODULES = {
    "Call": "histories.history",
    "Exploration": "exploring.explore",
    "FaultMachine": "machines.faulty",
    "GraphMachine": "machines.graphs",
    "History": "histories.history",
    "LeakedRuntime": "exploring.trial",
    "LifecycleMachine": "machines.lifecycle",
    "Linearizable": "histories.linearizability",
    "Machine": "machines.machine",
    "ModelMachine": "machines.modelled",
    "NotDeterministic": "exploring.differing",
    "NotLinearizableError": "histories.linearizability",
    "Operation": "histories.operations",
    "RaceFound": "exploring.explore",
    "Raised": "histories.operations",
    "ReferenceMachine": "machines.references",
    "ReplayMismatch": "exploring.replaying",
    "ResultsDiffer": "exploring.explore",
    "Returned": "histories.operations",
    "RunningMachine": "machines.running",
    "Schedule": "exploring.drawing",
    "UndecidedError": "histories.linearizability",
    "UnreadError": "exploring.unread",
    "actor_programs": "strategies.programs",
    "explore": "exploring.explore",
    "fault_plans": "strategies.faults",
    "lifecycles": "strategies.lifecycles",
    "linearizable": "histories.linearizability",
    "model_machine": "machines.modelled",
    "replay": "exploring.replaying",
    "runtime_options": "strategies.options",
    "schedules": "exploring.drawing",
    "step": "machines.machine",
    "strike": "strategies.faults",
    "task_graphs": "strategies.graphs",
}

__all__ = sorted(_MODULES)  # noqa: PLE0605 - a list of names, and there is one place for them


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        found = getattr(import_module(f"{__name__}.{module}"), name)
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        raise ImportError(f"{__name__}.{name} needs Hypothesis: pip install 'rustyray[test]'") from None
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})

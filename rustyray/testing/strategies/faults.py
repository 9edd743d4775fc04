"""``fault_plans``: what fails while a program runs, and when; and how it is made to fail."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from hypothesis import strategies as st

import rustyray
from rustyray.engines.sim.driver import SimDriver
from rustyray.engines.sim.world.faults import Fault, Trouble
from rustyray.runtime import context
from rustyray.util.state import list_workers

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

#: What may fail: a worker, a node other than the first, a connection between two processes.
FAULTS: Final = {"crash": Trouble.CRASH, "node": Trouble.NODE, "partition": Trouble.CUT}

#: Seconds in which processes say that they are there, at first; those that have just been killed do not.
ASK: Final = 0.5


class Strike(NamedTuple):
    """Before step ``at`` of a program, one of the kind ``fault`` fails: the ``which``-th of those that are there."""

    at: int
    fault: str
    which: int


class FaultPlan(tuple[Strike, ...]):
    """What fails in a program, and when."""

    __slots__ = ()

    def strike(self, step: int) -> None:
        """Let fail what is planned for this step, in the runtime that is up. Raises as `strike`."""
        for one in self:
            if one.at == step:
                strike(one.fault, one.which)


def strike(fault: str, which: int = 0, after: int = 0) -> None:
    """Let something fail in the runtime that is up; where there is nothing of the kind, nothing does.

    Args:
        fault: "crash": a worker is killed; "node": a node other than the first is killed with all its processes;
            "partition": a connection between two processes breaks (simulated runtimes only).
        which: the how-manieth of those that are there, counted round.
        after: events to wait for in a simulated runtime, so that it fails in the middle of something.

    Raises:
        ValueError: There is no such fault, or not on this engine.
        RuntimeError: The runtime is not up.
    """
    if fault not in FAULTS:
        raise ValueError(f"there is no fault {fault!r}. There are {', '.join(FAULTS)}.")
    engine = context.require_engine("a fault")
    if isinstance(engine, SimDriver):
        world = engine.simulation.world
        step = world.steps + 1 + after
        world.troubles.planned.setdefault(step, []).append(Fault(step, FAULTS[fault], which))
        return
    if fault == "crash":
        workers = list_workers(timeout=ASK, raise_on_missing_output=False) or list_workers()
        found = [worker.pid for worker in workers if worker.pid]  # it is 0 until one is up
    elif fault == "node":
        here = rustyray.get_runtime_context().get_node_id()
        found = [node["Pid"] for node in rustyray.nodes() if node["Alive"] and node["NodeID"] != here]
    else:
        raise ValueError("a connection between real processes cannot be broken: use 'crash' or 'node', or engine='sim'")
    if found:
        _kill(sorted(found)[which % len(found)])


def _kill(pid: int) -> None:
    assert pid > 1, "that would be our own processes, or all"
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has just ended by itself


def fault_plans(
    faults: Sequence[str] = ("crash", "node"), *, max_faults: int = 3, steps: int = 10
) -> SearchStrategy[FaultPlan]:
    """Plans of what fails while a program runs: for `Graph.check`, or for a program that calls ``plan.strike(step)``.

    They shrink to few faults, early.

    Args:
        faults: what may fail, as for `strike`.
        max_faults: the most faults.
        steps: how many steps the program has.

    Raises:
        ValueError: There is no such fault.
    """
    for one in faults:
        if one not in FAULTS:
            raise ValueError(f"there is no fault {one!r}. There are {', '.join(FAULTS)}.")
    one_strike = st.builds(Strike, st.integers(0, max(0, steps - 1)), st.sampled_from(faults), st.integers(0, 5))
    return st.lists(one_strike, max_size=max_faults).map(FaultPlan)

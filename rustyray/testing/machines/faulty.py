"""``FaultMachine``: task graphs while workers and nodes die: the model's answer comes out, or an error says why not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from rustyray.testing.machines.graphs import GraphMachine
from rustyray.testing.machines.machine import step
from rustyray.testing.strategies.faults import strike
from rustyray.testing.strategies.graphs import OPERATIONS, Lost

#: A task that is run again calls its actor again, as documented: what the actor counts is not known then.
_TWICE: Final = ("ask",)
#: A call whose connection broke has run, or not.
_UNKNOWN: Final = (*_TWICE, "actor", "add", "spoil")


class FaultMachine(GraphMachine):
    """A job as in `GraphMachine`, on several nodes, while workers and nodes die in the middle of it.

    Each result is the model's, or one of the errors that are promised for what has died (docs/faults.md); and each
    comes: nothing hangs.

    ``faults`` are those of `rustyray.testing.strike`: "crash" and "node"; in simulated runtimes "partition" too, and
    then the job has no actors.
    """

    options: ClassVar[dict[str, Any]] = {"num_cpus": 2, "num_nodes": 3}
    faults: ClassVar[Sequence[str]] = ("crash", "node")

    def __init__(self) -> None:
        super().__init__()
        unfit = _UNKNOWN if "partition" in self.faults else _TWICE
        self.operations = [one for one in OPERATIONS if one not in unfit]

    @rule(
        kind=st.runner().flatmap(lambda machine: st.sampled_from(machine.faults)),
        which=st.integers(0, 5),
        after=st.integers(0, 20),
    )
    @step
    def fault(self, kind: str, which: int, after: int) -> None:
        strike(kind, which, after)

    def judge(self, name: str, got: object, kind: str) -> str:
        return "" if isinstance(got, Lost) else super().judge(name, got, kind)

"""``RunningMachine``: a machine whose programs have a runtime from the first step to the last."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize

import rustyray
from rustyray.testing.machines.machine import Machine, step


class RunningMachine(Machine):
    """Starts a runtime before anything else; in a simulated one the order of events is drawn as well.

    ``options`` are more arguments of `rustyray.init`.
    """

    options: ClassVar[dict[str, Any]] = {"num_cpus": 2}

    @initialize(seed=st.integers(0, 30))
    @step
    def start(self, seed: int) -> None:
        self._begin(seed)

    def _begin(self, seed: int) -> None:
        drawn = {"seed": seed} if self.engine == "sim" else {}
        rustyray.init(engine=self.engine, **{**drawn, **self.options})

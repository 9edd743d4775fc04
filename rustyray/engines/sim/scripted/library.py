"""The scripts of a run by name: what stands for the code that processes load."""

from __future__ import annotations

from rustyray.engines.sim.scripted.scripts import ActorScript, Script
from rustyray.model.ids import WorkerID
from rustyray.model.plans import ActorPlan, MethodPlan, TaskPlan
from rustyray.model.strategies import Strategy


class Library:
    """All scripts that were used so far. Two of one name must be equal."""

    def __init__(self) -> None:
        self._scripts: dict[str, Script] = {}
        self._plans: dict[tuple[WorkerID, str, Strategy | None], TaskPlan] = {}

    def script(self, name: str) -> Script:
        return self._scripts[name]

    def plan(self, process: WorkerID, script: Script, strategy: Strategy | None = None) -> TaskPlan:
        """The plan of a function; each process has its own, which its core keeps what it learns in."""
        key = (process, self._know(script).name, strategy)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = script.plan()
            plan.strategy = strategy
        return plan

    def method_plan(self, script: Script) -> MethodPlan:
        return self._know(script).method_plan()

    def actor_plan(self, actor: ActorScript, strategy: Strategy | None = None) -> ActorPlan:
        self._know(actor.init)
        plan = actor.plan()
        plan.strategy = strategy
        return plan

    def _know(self, script: Script) -> Script:
        known = self._scripts.setdefault(script.name, script)
        if known is not script and known != script:
            raise ValueError(f"two different scripts are called {script.name}")
        return script

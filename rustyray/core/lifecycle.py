"""The life of a runtime in one process, as a type-state, and the plan by which it ends.

``Down → Starting → Up → Draining → Stopping → Down``. Each state is a class with only the operations that are legal in
it; each operation returns the next state, and the object it was called on is spent. The engine keeps the current one.

A shutdown goes through stages in a fixed order, each with a deadline. The plan says which stage to begin, which one to
force because it overran, and which one to give up on because even forcing did not help; it never waits for ever. Every
stage leaves a line in the report.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final, NamedTuple

from rustyray.core.story import Journal, StateTable

DEFAULT_GRACE: Final = 1.0


class Stage(enum.StrEnum):
    """What a shutdown does, in this order."""

    STOP_ACCEPTING = "stop accepting"
    CANCEL_PENDING = "cancel pending"
    WAIT_RUNNING = "wait for running"
    STOP_ACTORS = "stop actors"
    DROP_OBJECTS = "drop objects"
    LEAVE_CLUSTER = "leave the cluster"
    STOP_PROCESSES = "stop processes"
    RELEASE = "release"


class Rule(NamedTuple):
    """A stage's deadline in seconds (None: the grace period), how long forcing it may take, and whether user code may
    still run in it."""

    stage: Stage
    seconds: float | None
    force_seconds: float
    draining: bool


RULES: Final = (
    Rule(Stage.STOP_ACCEPTING, 0.5, 0.1, True),
    Rule(Stage.CANCEL_PENDING, 1.0, 0.5, True),
    Rule(Stage.WAIT_RUNNING, None, 1.0, True),
    Rule(Stage.STOP_ACTORS, 2.0, 1.0, True),
    Rule(Stage.DROP_OBJECTS, 1.0, 0.5, True),
    Rule(Stage.LEAVE_CLUSTER, 1.0, 0.1, False),
    Rule(Stage.STOP_PROCESSES, 3.0, 2.0, False),
    Rule(Stage.RELEASE, 1.0, 0.5, False),
)


class Step(NamedTuple):
    """What the host is to do now: carry ``stage`` out, or with ``force`` make it end, by ``deadline``."""

    stage: Stage
    force: bool
    deadline: float


class Report(NamedTuple):
    """How a shutdown went: ``(stage, seconds, note)`` for each stage, and what had to be forced."""

    stages: list[tuple[str, float, str]]
    forced: list[str]


class ShutdownPlan:
    """Says what to do next, given what is done and what time it is. ``step`` is None when nothing is left."""

    __slots__ = ("_began", "_index", "_rules", "_stage_grace", "report", "step")

    def __init__(self, now: float, grace: float = DEFAULT_GRACE, rules: Sequence[Rule] = RULES) -> None:
        self._rules = tuple(rules)
        self._stage_grace = max(0.0, grace)
        self._index = -1
        self._began = now
        self.report = Report([], [])
        self.step: Step | None = None
        self._advance(now)

    @property
    def rule(self) -> Rule | None:
        return self._rules[self._index] if self._index < len(self._rules) else None

    def done(self, stage: Stage, now: float, note: str = "") -> None:
        """``stage`` is complete. Said of another than the current one it changes nothing: that one was given up on."""
        if self.step is None or self.step.stage is not stage:
            return
        if self.step.force:
            note = f"forced; {note}" if note else "forced"
        self._finish(now, note)

    def on_time(self, now: float) -> None:
        """Force the current stage if its time is up; give it up if forcing had its time, too."""
        step, rule = self.step, self.rule
        if step is None or rule is None or now < step.deadline:
            return
        if step.force:
            self.report.forced.append(f"{step.stage}: gave up on it after {now - self._began:.3g} s")
            self._finish(now, "given up")
        else:
            self.report.forced.append(f"{step.stage}: was not done within {self._seconds(rule):g} s")
            self.step = Step(rule.stage, True, now + rule.force_seconds)

    def skip_to(self, stage: Stage, now: float, why: str) -> None:
        """Nothing is left of what the stages before ``stage`` are for (the node is gone, the start failed)."""
        while self.step is not None and self.step.stage is not stage:
            self._finish(now, f"skipped: {why}")

    def _finish(self, now: float, note: str) -> None:
        assert self.step is not None
        self.report.stages.append((self.step.stage.value, now - self._began, note))
        self._advance(now)

    def _advance(self, now: float) -> None:
        self._index += 1
        self._began = now
        rule = self.rule
        self.step = Step(rule.stage, False, now + self._seconds(rule)) if rule is not None else None

    def _seconds(self, rule: Rule) -> float:
        return self._stage_grace if rule.seconds is None else rule.seconds


class LifeState(enum.IntEnum):
    DOWN = 1
    STARTING = 2
    UP = 3
    DRAINING = 4
    STOPPING = 5


class LifeEvent(enum.IntEnum):
    INIT = 1
    READY = 2
    FAILED = 3
    SHUTDOWN = 4
    ABANDONED = 5
    STAGE_DONE = 6
    DRAINED = 7
    GONE = 8


_S, _E = LifeState, LifeEvent

LIFE_TABLE = StateTable(
    "runtime",
    _S.DOWN,
    {
        (_S.DOWN, _E.INIT): _S.STARTING,
        (_S.STARTING, _E.READY): _S.UP,
        (_S.STARTING, _E.FAILED): _S.STOPPING,
        (_S.UP, _E.SHUTDOWN): _S.DRAINING,
        (_S.UP, _E.ABANDONED): _S.STOPPING,
        (_S.DRAINING, _E.STAGE_DONE): _S.DRAINING,
        (_S.DRAINING, _E.DRAINED): _S.STOPPING,
        (_S.DRAINING, _E.ABANDONED): _S.STOPPING,
        (_S.STOPPING, _E.STAGE_DONE): _S.STOPPING,
        (_S.STOPPING, _E.GONE): _S.DOWN,
    },
)


class _State:
    """Base of the states: the journal goes from hand to hand, and a spent state refuses with its story."""

    __slots__ = ("_journal", "_now")
    kind: LifeState

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._now = self.kind

    def _leave(self, event: LifeEvent, cause: object = None) -> Journal:
        self._now = self._journal.move(LIFE_TABLE, b"runtime", self._now, event, cause)
        return self._journal


class Down(_State):
    """Nothing runs. ``report`` tells of the last shutdown, if there was one."""

    __slots__ = ("report",)
    kind = LifeState.DOWN

    def __init__(self, journal: Journal | None = None, report: Report | None = None) -> None:
        super().__init__(journal or Journal(64))
        self.report = report

    def init(self) -> Starting:
        return Starting(self._leave(LifeEvent.INIT))


class Starting(_State):
    """Processes are being started; no call of the user's goes through yet."""

    __slots__ = ()
    kind = LifeState.STARTING

    def ready(self) -> Up:
        return Up(self._leave(LifeEvent.READY))

    def failed(self, reason: str, now: float) -> Stopping:
        """Take down what was started so far."""
        plan = ShutdownPlan(now, 0.0)
        plan.skip_to(Stage.STOP_PROCESSES, now, reason)
        return Stopping(self._leave(LifeEvent.FAILED, reason), plan)


class Up(_State):
    """Work is accepted."""

    __slots__ = ()
    kind = LifeState.UP

    def shut_down(self, reason: str, now: float, grace: float = DEFAULT_GRACE) -> Draining:
        """End in order; running tasks get ``grace`` seconds."""
        return Draining(self._leave(LifeEvent.SHUTDOWN, reason), ShutdownPlan(now, grace))

    def abandon(self, reason: str, now: float) -> Stopping:
        """The node is gone, and with it whatever ran: only this process has anything left to put away."""
        plan = ShutdownPlan(now, 0.0)
        plan.skip_to(Stage.STOP_PROCESSES, now, reason)
        return Stopping(self._leave(LifeEvent.ABANDONED, reason), plan)


class _Ending(_State):
    """Base of the states in which a shutdown goes through its stages. ``step`` is what to do now."""

    __slots__ = ("_plan",)

    def __init__(self, journal: Journal, plan: ShutdownPlan) -> None:
        super().__init__(journal)
        self._plan = plan

    @property
    def step(self) -> Step:
        assert self._plan.step is not None
        return self._plan.step


class Draining(_Ending):
    """No new work is accepted; what runs may come to its end."""

    __slots__ = ()
    kind = LifeState.DRAINING

    def done(self, stage: Stage, now: float, note: str = "") -> Draining | Stopping:
        self._plan.done(stage, now, note)
        return self._next(stage)

    def on_time(self, now: float) -> Draining | Stopping:
        before = self.step.stage
        self._plan.on_time(now)
        return self._next(before)

    def abandon(self, reason: str, now: float) -> Stopping:
        """The node died in the middle: there is nothing left to wait for."""
        self._plan.skip_to(Stage.STOP_PROCESSES, now, reason)
        return Stopping(self._leave(LifeEvent.ABANDONED, reason), self._plan)

    def _next(self, stage: Stage) -> Draining | Stopping:
        rule = self._plan.rule
        if rule is not None and rule.stage is stage:
            return self
        if rule is not None and rule.draining:
            self._leave(LifeEvent.STAGE_DONE, stage)
            return self
        return Stopping(self._leave(LifeEvent.DRAINED, stage), self._plan)


class Stopping(_Ending):
    """Processes, sockets and memory are being put away."""

    __slots__ = ()
    kind = LifeState.STOPPING

    def done(self, stage: Stage, now: float, note: str = "") -> Stopping | Down:
        self._plan.done(stage, now, note)
        return self._next(stage)

    def on_time(self, now: float) -> Stopping | Down:
        before = self.step.stage
        self._plan.on_time(now)
        return self._next(before)

    def _next(self, stage: Stage) -> Stopping | Down:
        rule = self._plan.rule
        if rule is None:
            return Down(self._leave(LifeEvent.GONE, stage), self._plan.report)
        if rule.stage is not stage:
            self._leave(LifeEvent.STAGE_DONE, stage)
        return self


Life = Down | Starting | Up | Draining | Stopping

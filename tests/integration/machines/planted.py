"""Bugs to be found by the state machines: each with a short program that meets it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import strategies as st

import rustyray
from rustyray.runtime import context
from rustyray.runtime.engine import ShutdownReport
from rustyray.testing import FaultMachine, GraphMachine, LifecycleMachine, Machine, ReferenceMachine, model_machine
from rustyray.testing.machines import boxes, jobs, work
from rustyray.testing.strategies import graphs


class Bug(NamedTuple):
    """``plant`` puts it there; ``line`` meets it, and then ``told`` is what the error says."""

    machine: type[Machine]
    plant: Callable[[pytest.MonkeyPatch], None]
    line: str
    told: str


UP: Final = "init(options={'engine': 'sim', 'num_cpus': 1})"
stop = threading.Event()


class Hasty(LifecycleMachine):
    """Does not wait for what is left to end."""

    def until(self, condition: Callable[[], object]) -> bool:
        return bool(condition())


def _after_shutdown(
    monkeypatch: pytest.MonkeyPatch, after: Callable[[ShutdownReport | None], ShutdownReport | None]
) -> None:
    real = rustyray.shutdown
    monkeypatch.setattr(rustyray, "shutdown", lambda grace=None: after(real(grace=grace)))


def leaves_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def after(report: ShutdownReport | None) -> ShutdownReport | None:
        if report is not None:
            threading.Thread(target=stop.wait, name="planted").start()
        return report

    _after_shutdown(monkeypatch, after)


def stages_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def after(report: ShutdownReport | None) -> ShutdownReport | None:
        if report is not None and report.forced:
            report.stages.reverse()
        return report

    _after_shutdown(monkeypatch, after)


def a_second_report(monkeypatch: pytest.MonkeyPatch) -> None:
    _after_shutdown(monkeypatch, lambda report: report or ShutdownReport([], []))


def a_second_init(monkeypatch: pytest.MonkeyPatch) -> None:
    real = rustyray.init
    monkeypatch.setattr(rustyray, "init", lambda **options: real(**{**options, "ignore_reinit_error": True}))


def runs_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    real = work.mark

    def twice(path: str, number: int) -> None:
        real(path, number)
        if number % 100 == 1:
            real(path, number)

    monkeypatch.setattr(work, "mark", twice)


def a_wrong_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*numbers: int) -> int:
        return sum(numbers) + (len(numbers) > 2)

    monkeypatch.setattr(jobs, "total", rustyray.remote(wrong))


def a_lost_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgiving(refs: list[Any]) -> int:
        found = 0
        for ref in refs:
            try:
                found += rustyray.get(ref)
            except jobs.Boom:
                continue
        return found

    monkeypatch.setattr(jobs, "inside", rustyray.remote(forgiving))


def a_forgetful_actor(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful:
        def __init__(self, start: int) -> None:
            self.count = start

        def add(self, number: int) -> int:
            self.count = max(self.count, number) if number == 9 else self.count + number
            return self.count

        def spoil(self, number: int) -> int:
            self.count += number
            raise jobs.Boom(self.count)

    monkeypatch.setattr(jobs, "Counter", rustyray.remote(num_cpus=0)(Forgetful))


def another_result_when_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def total(*numbers: int) -> int:
        task = context.current_task.get()
        assert task is not None
        return sum(numbers) + task.attempt

    monkeypatch.setattr(jobs, "total", rustyray.remote(total))


def an_error_that_is_not_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "LOSSES", ())


def a_ref_that_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    class Miser:
        def __init__(self) -> None:
            self.refs: list[Any] = []

        def hold(self, refs: list[Any]) -> None:
            self.refs += refs

        def release(self, at: int) -> None:
            self.refs.append(self.refs.pop(at))

        def show(self, at: int) -> list[Any]:
            return [self.refs[at]]

    monkeypatch.setattr(boxes, "Holder", rustyray.remote(num_cpus=0)(Miser))


def a_ref_that_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []

    def make(large: bool, refs: list[Any]) -> Any:
        kept.extend(refs)
        return boxes.content(large, refs)

    monkeypatch.setattr(boxes, "make", rustyray.remote(num_cpus=0)(make))


class Hoard(ReferenceMachine):
    """Has little patience with objects that do not go."""

    patience = 1.0


class Stack:
    """The model."""

    def __init__(self) -> None:
        self.items: list[int] = []

    def push(self, item: int) -> None:
        self.items.append(item)

    def pop(self) -> int:
        return self.items.pop()

    def size(self) -> int:
        return len(self.items)


class BoundedStack(Stack):
    """The actor."""

    def push(self, item: int) -> None:
        self.items = [*self.items, item][-2:]


class StackMachine(model_machine(BoundedStack, Stack, arguments={"push": [st.integers(0, 9)]})):  # type: ignore[misc]
    """An actor that forgets what its model keeps."""


def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The actor's own bug is planted already."""


_TWO: Final = "start(seed=0); put(into='v0', large=False, inside=[])"
STACK: Final = (
    "start(seed=0, arguments=[]); "
    "calls(program=[('push', [0]), ('push', [0]), ('push', [0])]); calls(program=[('size', [])])"
)
BUGS: Final = [
    Bug(
        FaultMachine,
        another_result_when_run_again,
        "start(seed=0); submit(node='n0 = total(1)'); fault(kind='crash', which=0, after=6)",
        "n0: 2 should be 1",
    ),
    Bug(
        FaultMachine,
        an_error_that_is_not_promised,
        "start(seed=0); submit(node='n0 = actor()'); submit(node='n1 = add(n0, 1)'); "
        "fault(kind='crash', which=0, after=6)",
        "died: it was killed by signal 9",
    ),
    Bug(
        Hoard,
        a_ref_that_is_kept,
        f"{_TWO}; holder(into='v1'); hold(holder='v1', name='v0'); drop(name='v0'); release(holder='v1')",
        "there are 2 objects and actors, 0 of them in the store; there should be 1, and 0",
    ),
    Bug(
        Hoard,
        a_ref_that_leaks,
        f"{_TWO}; make(into='v1', large=False, inside=['v0']); drop(name='v1'); drop(name='v0')",
        "there are 1 objects and actors, 0 of them in the store; there should be 0, and 0",
    ),
    Bug(
        StackMachine,
        nothing,
        STACK,
        "size(): the actor's is 2, the model's 3",
    ),
    Bug(Hasty, leaves_a_thread, UP, "thread planted"),
    Bug(
        LifecycleMachine,
        stages_in_another_order,
        f"{UP}; begin_work(kind='runs', begun=True); shutdown(grace=0.0)",
        "out of order",
    ),
    Bug(LifecycleMachine, a_second_report, "shutdown(grace=0.0)", "shutdown() "),
    Bug(LifecycleMachine, a_second_init, f"{UP}; {UP}", "init() started a second runtime"),
    Bug(LifecycleMachine, runs_twice, f"{UP}; begin_work(kind='many', begun=True)", "ran more than once"),
    Bug(GraphMachine, a_wrong_sum, "start(seed=0); submit(node='n0 = total(0, 0, 0)')", "n0: 1 should be 0"),
    Bug(
        GraphMachine,
        a_lost_error,
        "start(seed=0); submit(node='n0 = fail(0)'); submit(node='n1 = inside(n0)'); get(name='n1')",
        "n1: 0 should be Failed",
    ),
    Bug(
        GraphMachine,
        a_forgetful_actor,
        "start(seed=0); submit(node='n0 = actor()'); submit(node='n1 = add(n0, 1)'); submit(node='n2 = add(n0, 9)')",
        "n2: 9 should be 10",
    ),
]
NAMES: Final = [bug.plant.__name__ for bug in BUGS]

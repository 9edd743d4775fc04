"""Bugs to be found by the state machines: each with a short program that meets it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import pytest

import rustyray
from rustyray.runtime.engine import ShutdownReport
from rustyray.testing import GraphMachine, LifecycleMachine, Machine
from rustyray.testing.machines import jobs, work


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


BUGS: Final = [
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
    Bug(GraphMachine, a_wrong_sum, "submit(node='n0 = total(0, 0, 0)')", "n0: 1 should be 0"),
    Bug(
        GraphMachine,
        a_lost_error,
        "submit(node='n0 = fail(0)'); submit(node='n1 = inside(n0)'); get(name='n1')",
        "n1: 0 should be Failed",
    ),
    Bug(
        GraphMachine,
        a_forgetful_actor,
        "submit(node='n0 = actor()'); submit(node='n1 = add(n0, 1)'); submit(node='n2 = add(n0, 9)')",
        "n2: 9 should be 10",
    ),
]
NAMES: Final = [bug.plant.__name__ for bug in BUGS]

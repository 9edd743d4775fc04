"""What the processes of a runtime are doing, told while one of them, or all, may be stuck."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from pytest_rustyray.lifetimes import clusters, running_engine
from pytest_rustyray.reports import asking
from pytest_rustyray.reports.asking import ANSWER

if TYPE_CHECKING:
    from rustyray.runtime.engine import Inspection

#: Seconds that all of it may take.
ALL: Final = 8.0
#: Tasks that are told of.
TASKS: Final = 50
Section = tuple[str, str]


class Findings:
    """Who waits for what, line by line, and more, as sections of a report."""

    def __init__(self) -> None:
        self.waits: list[str] = []
        self.sections: list[Section] = []

    def add(self, title: str, lines: list[str]) -> None:
        if lines:
            self.sections.append((f"rustyray {title}", "\n".join(lines)))


def look(root: str) -> Findings:
    """Look, but not for ever: whoever does not answer is told of instead. Paths below ``root`` are told without it."""
    findings = Findings()
    engine: Any = running_engine()
    if engine is None:
        _add_stacks(findings)
    elif hasattr(engine, "simulation"):
        _attempt(findings, lambda: _look_at_simulation(findings, engine))
        _add_stacks(findings)
    else:
        _attempt(findings, lambda: _look_at_processes(findings, engine))
    findings.waits = [line.replace(root, "") for line in findings.waits]
    findings.sections = [(title, text.replace(root, "")) for title, text in findings.sections]
    return findings


def _attempt(findings: Findings, work: Callable[[], None]) -> None:
    """A lock of the runtime may be held by whoever is stuck."""
    wrong = asking.by(ALL, work)
    if wrong:
        findings.waits.append(wrong)
        _add_stacks(findings)


def _add_stacks(findings: Findings) -> None:
    """Of this process alone."""
    from rustyray.runtime.stacks import stacks

    found = stacks()
    if not findings.waits:
        main = [places for name, places in found if name == threading.main_thread().name]
        at = f" at {main[0][-1].split(': ', 1)[0]}" if main else ", in no code of the test's,"
        findings.waits.append(f"the driver{at} waits for nothing of a runtime")
    findings.add("stacks", _stacks_of(f"driver, pid {os.getpid()}", found))


def _look_at_simulation(findings: Findings, engine: Any) -> None:
    from rustyray.engines.sim import stuck

    findings.waits += [line.strip() for line in stuck.describe(engine.simulation).splitlines()]


def _look_at_processes(findings: Findings, engine: Any) -> None:
    from rustyray.api import states, waiting
    from rustyray.model.events import Query

    found: Inspection = engine.inspect(Query(states=True, stacks=True), ANSWER)
    findings.waits += waiting.tell(found)
    findings.add("tasks", _tasks(states.tasks_of(found)))
    findings.add("stacks", _all_stacks(found, engine))
    findings.add("events", asking.lines(asking.events(engine)))


def _tasks(tasks: list[Any]) -> list[str]:
    lines = [
        f"{task.name} {task.state} for {task.seconds:.1f} s"
        + (f", on worker {task.worker_id[-8:]}" if task.worker_id else "")
        + (f", waits for {task.waits_for}" if task.waits_for else "")
        for task in tasks
    ]
    return lines[:TASKS] + ([f"… and {len(lines) - TASKS} more"] if len(lines) > TASKS else [])


def _all_stacks(found: Inspection, engine: Any) -> list[str]:
    pids = {worker.worker_id: worker.pid for report in found.reports for worker in report.workers if worker.pid}
    lines: list[str] = []
    for report in found.reports:
        lines += _stacks_of(f"{report.role}, pid {report.pid}", report.stacks)
    for role, process in found.silent:
        pid = pids.get(process.hex(), 0)
        lines.append(f"{role}, pid {pid or 'unknown'}: does not answer{_ask_by_signal(pid, engine)}")
    return lines


def _ask_by_signal(pid: int, engine: Any) -> str:
    """Have a process that does not answer write its stacks to standard error, which pytest captures."""
    from rustyray.engines.native.processes.kernel import TELL_STACKS

    if not pid or not TELL_STACKS or not _runs_here(engine):
        return ""
    try:
        os.kill(pid, TELL_STACKS)
    except ProcessLookupError:
        return ": it is gone"
    return "; where it stands is in the captured stderr"


def _runs_here(engine: Any) -> bool:
    """Whether the processes of its runtime are of this machine for sure: this process has started them."""
    own = {one.cluster.head_address for one in clusters()}
    return hasattr(engine, "node_processes") or engine.process().head in own


def _stacks_of(who: str, stacks: list[tuple[str, list[str]]]) -> list[str]:
    lines = []
    for name, places in stacks:
        lines.append(f"{who}, {name}:")
        lines += [f"    {place}" for place in places]
    return lines

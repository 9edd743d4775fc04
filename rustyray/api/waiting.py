"""Who waits for whom: programs of a runtime, what they wait for in the end, and circles of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rustyray.model.events import Query
from rustyray.model.ids import owner_of, task_of
from rustyray.model.messages import Report
from rustyray.model.states import TaskState, WorkerState
from rustyray.runtime import context
from rustyray.runtime.engine import Inspection

#: So many lines of one sort are told, and so many things that one program waits for.
LISTED = 30
NAMED = 5


class Program(NamedTuple):
    """What a process runs: where that stands, what it waits for, and which processes have to do something for that."""

    who: str
    at: str
    waits_for: list[str]
    needs: list[str]
    alone: bool


def who_waits(*, timeout: float = 5.0) -> list[str]:
    """Where each program of the runtime stands and what it waits for, down to the cause, one line each.

    Processes that wait for one another are named in a line that begins with "deadlock:". ``timeout`` is in seconds, for
    processes that do not answer. Raises RuntimeError if the runtime is not up.
    """
    return tell(context.require_engine("who_waits()").inspect(Query(states=True, stacks=True), timeout))


def tell(found: Inspection) -> list[str]:
    """One line for each program that runs, one for each circle, what has not started, and what reserves resources."""
    look = _Look(found)
    lines = [_line(look.programs[process]) for process in _ordered(look.programs)][:LISTED]
    circle = _circle(look.programs)
    if circle:
        sure = all(look.programs[process].alone for process in circle)
        names = [look.programs[process].who for process in (*circle, circle[0])]
        lines.append(("deadlock: " if sure else "they may wait for one another: ") + " → ".join(names))
    lines += [f"not started: {text}" for text in look.not_started()][:LISTED]
    lines += [*look.groups()][:LISTED]
    return lines


def _ordered(programs: dict[str, Program]) -> dict[str, None]:
    """Each followed by those that it needs."""
    found: dict[str, None] = {}
    todo = [*programs][::-1]
    while todo:
        process = todo.pop()
        if process in programs and process not in found:
            found[process] = None
            todo += programs[process].needs[::-1]
    return found


def _line(program: Program) -> str:
    at = f" at {program.at}" if program.at else ""
    if not program.waits_for:
        return f"{program.who}{at} waits for nothing of the runtime"
    more = ["…"] * (len(program.waits_for) > NAMED)
    return f"{program.who}{at} waits for {'; '.join([*program.waits_for[:NAMED], *more])}"


def _circle(programs: dict[str, Program]) -> list[str]:
    """Processes of which each needs the next one, and the last the first; empty if there are none."""
    done: set[str] = set()

    def visit(process: str, path: list[str]) -> list[str]:
        if process in path:
            return path[path.index(process) :]
        if process in done or process not in programs:
            return []
        for needed in programs[process].needs:
            if circle := visit(needed, [*path, process]):
                return circle
        done.add(process)
        return []

    return next((circle for process in programs if (circle := visit(process, []))), [])


class _Look:
    """What the processes have told, by id."""

    def __init__(self, found: Inspection) -> None:
        programs = [report for report in found.reports if report.role in ("driver", "worker")]
        programs.sort(key=lambda report: (report.role, report.process))  # the driver first
        self._reports = {report.process.hex(): report for report in programs}
        self._tasks = {task.task_id: task for report in found.reports for task in report.tasks}
        self._workers = {
            worker.worker_id: worker for report in found.reports if report.role == "node" for worker in report.workers
        }
        self._silent = {process.hex() for role, process in found.silent if role == "worker"}
        self._runs: dict[str, list[TaskState]] = {}
        #: By task: the worker in which it runs.
        self._where: dict[str, str] = {}
        for process, report in self._reports.items():
            self._runs[process] = [run for worker in report.workers for run in worker.runs]
            self._where |= {run.task_id: process for run in self._runs[process]}
        self._actors = {worker.actor_id: worker.worker_id for worker in self._workers.values() if worker.actor_id}
        self._told: set[str] = set()
        self.programs = {process: self._program(process, report) for process, report in self._running()}
        self.programs |= {
            process: Program(self.who(process), "", ["something: it does not answer"], [], False)
            for process in self._silent
        }

    def _running(self) -> Iterator[tuple[str, Report]]:
        for process, report in self._reports.items():
            if report.role == "driver" or self._runs[process]:
                yield process, report

    def _program(self, process: str, report: Report) -> Program:
        texts: dict[str, int] = {}
        needs: dict[str, None] = {}
        for object_ in report.awaits:
            text, needed = self._object(object_)
            texts[text] = texts.get(text, 0) + 1
            needs |= dict.fromkeys(needed)
        told = [text if count == 1 else f"{text} (× {count})" for text, count in texts.items()]
        told = told or [*dict.fromkeys(run.waits_for for run in self._runs[process] if run.waits_for)]
        at = next((places[-1].split(": ", 1)[0] for _, places in report.stacks if places), "")
        alone = len(self._runs[process]) <= 1
        return Program(self.who(process), at, told, [*needs], alone)

    def who(self, process: str) -> str:
        report = self._reports.get(process)
        if report is not None and report.role == "driver":
            return "the driver"
        worker: WorkerState | None = self._workers.get(process)
        name = f"worker {worker.pid if worker is not None else process}"
        runs = ", ".join(dict.fromkeys(run.name for run in self._runs.get(process, ())))
        return f"{name} ({runs})" if runs else name

    def _object(self, object_: bytes, depth: int = 0) -> tuple[str, list[str]]:
        """What is awaited, and who has to do something for that."""
        task = self._tasks.get(task_of(object_).hex())
        if task is None:
            words = next((report.told[object_] for report in self._reports.values() if object_ in report.told), "")
            return words or f"object {object_.hex()} of {self.who(owner_of(object_).hex())}", []
        self._told.add(task.task_id)
        if task.task_id in self._where:
            process = self._where[task.task_id]
            name = next(run.name for run in self._runs[process] if run.task_id == task.task_id)
            return f"the result of {name}", [process]
        text = f"the result of {task.name}"
        worker = self._actors.get(task.actor_id, "") if task.actor_id else task.worker_id
        if worker and (task.actor_id or task.state == "on a worker"):
            return f"{text}, which waits for its turn on {self.who(worker)}", [worker]
        if task.awaits and depth < NAMED:
            told = [self._object(bytes.fromhex(argument), depth + 1) for argument in task.awaits[:NAMED]]
            arguments = ", ".join(dict.fromkeys(text for text, _ in told))
            return f"{text}, which waits for its arguments: {arguments}", [one for _, needs in told for one in needs]
        return f"{text}, which is {task.state}" + (f": it waits for {task.waits_for}" if task.waits_for else ""), []

    def not_started(self) -> Iterator[str]:
        """Tasks that no worker has, and that nobody waits for."""
        for task in self._tasks.values():
            if task.task_id not in self._where and task.task_id not in self._told and task.state != "on a worker":
                why = f", waits for {task.waits_for}" if task.waits_for else ""
                yield f"{task.name}, {task.state}{why}"

    def groups(self) -> Iterator[str]:
        """Placement groups, which reserve resources whether or not anything runs in them."""
        for process, report in self._reports.items():
            for group in report.groups:
                yield f"{self.who(process)} has {group}"

"""Nothing happens any more: who waits for what, and whether they wait for one another."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rustyray.core.owner.records import DONE, PUSHED
from rustyray.core.owner.waits import tell_object
from rustyray.engines.client.worker import WorkerClient
from rustyray.engines.sim.green import Green
from rustyray.engines.sim.host import UserProcess
from rustyray.engines.sim.stdlib.outside import is_users, place
from rustyray.engines.sim.world.process import NEVER
from rustyray.exceptions import DeadlockError
from rustyray.model.ids import task_of
from rustyray.runtime.context import current_task

if TYPE_CHECKING:
    from rustyray.engines.sim.simulation import Simulation
    from rustyray.engines.sim.world.events import Fiber


#: So many different things are listed in one line.
LISTED: Final = 5
#: The program that runs the event loop of an async actor.
LOOP: Final = "asyncio"


class Waiting(NamedTuple):
    """A program that waits: what runs there, where, and for which tasks (by name) others have to do something."""

    fiber: Fiber
    who: str
    where: str
    what: list[str]
    tasks: list[bytes]


def check(simulation: Simulation) -> None:
    """Raise DeadlockError if nothing is to come that anybody could wait for."""
    world = simulation.world
    if any(fiber.wake < NEVER or (fiber.until is not None and fiber.until.done) for fiber in world.fibers):
        return
    if any(process.alive and process.next_deadline() is not None for process in _processes(simulation)):
        return
    raise DeadlockError(f"nothing can ever happen again, and the driver waits.\n{describe(simulation)}")


def describe(simulation: Simulation) -> str:
    """Who waits for what, one line each; and the cycle, if they wait for one another."""
    found = [waiting for fiber in simulation.world.fibers if (waiting := waiting_of(fiber)) is not None]
    lines = [f"  {line(waiting)}" for waiting in found]
    cycle = _cycle(simulation, found)
    if cycle:
        names = [waiting.who for waiting in cycle]
        lines += ["they wait for one another:", "  " + " → ".join([*names, names[0]])]
    lines += [f"  not started: {what}" for what in _not_started(simulation)]
    lines += [f"  {who.name} has {group}" for who in _processes(simulation) for group in who.core.groups.having()]
    return "\n".join(lines)


def line(waiting: Waiting) -> str:
    where = f" at {waiting.where}" if waiting.where else ""
    return f"{waiting.who}{where} waits for {_counted(waiting.what)}"


def _counted(texts: list[str]) -> str:
    """The texts in a row, each once, and how often if more often."""
    counts = Counter(texts)
    shown = [text if count == 1 else f"{text} (× {count})" for text, count in counts.items()]
    return ", ".join(shown[:LISTED] + ["…"] * (len(shown) > LISTED))


def _processes(simulation: Simulation) -> list[UserProcess]:
    return [process for process in simulation.world.processes.values() if isinstance(process, UserProcess)]


def waiting_of(fiber: Fiber) -> Waiting | None:
    """What a program waits for; None if it is a worker without work."""
    process, program = fiber.client, fiber.program
    if not isinstance(process, UserProcess) or not isinstance(program, Green):
        return None
    if fiber.title == LOOP:
        return _waiting_coroutines(fiber, process)
    context = None
    frame: Any = program.greenlet.gr_frame
    if program.greenlet.gr_context is not None:
        context = program.greenlet.gr_context.get(current_task)
    if process.executes and context is None and fiber is process.main:
        return None
    while frame is not None and not is_users(frame):
        frame = frame.f_back
    if frame is None and process.executes and context is None:
        return None
    what, tasks = [], []
    for object_, waiters in process.waiting.items():
        if any(waiter.gate is fiber.until for waiter in waiters):
            what.append(tell_object(process.core, object_))
            tasks.append(task_of(object_))
    runs = f" ({context.function})" if context is not None else "" if fiber is process.main else f" ({fiber.title})"
    where = place(frame) if frame is not None else ""
    return Waiting(fiber, process.name + runs, where, what or [_else(fiber)], tasks)


def _waiting_coroutines(fiber: Fiber, process: UserProcess) -> Waiting | None:
    """What the coroutines of an async actor wait for, all together; None if there are none."""
    worker = process.engine
    if not isinstance(worker, WorkerClient) or worker.actor is None or not worker.executor.running:
        return None
    names = _counted(jobs_of(worker))
    where = ""
    for task in worker.actor.coroutines():
        coroutine: Any = task.get_coro()
        while coroutine is not None:
            frame = getattr(coroutine, "cr_frame", None)
            if frame is not None and is_users(frame):
                where = place(frame)
            coroutine = getattr(coroutine, "cr_await", None)
    waits = [object_ for object_, waiters in process.waiting.items() if any(waiter.callback for waiter in waiters)]
    what = [tell_object(process.core, object_) for object_ in waits] or [_else(fiber)]
    return Waiting(fiber, f"{process.name} ({names})", where, what, [task_of(object_) for object_ in waits])


def jobs_of(worker: WorkerClient) -> list[str]:
    """The names of what the worker runs."""
    return [worker.runner.name_of(job.task) for job in worker.executor.running.values()]


def _else(fiber: Fiber) -> str:
    what = fiber.until.what if fiber.until is not None else ""
    return what or ("time to pass" if fiber.wake < NEVER else "something that nobody does")


def _cycle(simulation: Simulation, found: list[Waiting]) -> list[Waiting]:
    """Programs of which each waits for something that the next one is to do, round to the first."""
    after: dict[int, list[int]] = {}
    for number, waiting in enumerate(found):
        runners = [_runs(simulation, task) for task in waiting.tasks]
        after[number] = [
            at for at, other in enumerate(found) if any(other.fiber.client is runner for runner in runners)
        ]
    for first in after:
        path, at = [first], first
        while after[at] and (at := after[at][0]) not in path:
            path.append(at)
        if after[path[-1]] and at in path:
            return [found[number] for number in path[path.index(at) :]]
    return []


def _runs(simulation: Simulation, task: bytes) -> UserProcess | None:
    """The process in which the task runs, or waits for its turn."""
    for process in _processes(simulation):
        worker = getattr(process, "engine", None)
        if isinstance(worker, WorkerClient) and process.alive:
            executor = worker.executor
            if task in executor.running or any(job.task.id == task for job in executor.queue):
                return process
    return None


def _not_started(simulation: Simulation) -> list[str]:
    """Tasks that have no worker, and what they need."""
    lines = []
    for process in _processes(simulation):
        for entry in process.core.objects.values():
            record = entry.record
            if record is not None and record.state not in {DONE, PUSHED} and _runs(simulation, record.task.id) is None:
                lines.append(f"{record.plan.name}, submitted by {process.name}: {record.state}")
    return list(dict.fromkeys(lines))[:10]

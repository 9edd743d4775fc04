"""Tells a run as a story: what ran where, with source lines and values, and where the schedule interfered."""

from __future__ import annotations

import functools
import linecache
import os
import reprlib
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from greenlet import GreenletExit

from rustyray.engines.sim.host import UserProcess
from rustyray.engines.sim.world.chooser import Candidate
from rustyray.engines.sim.world.faults import Trouble
from rustyray.engines.sim.world.schedules import NEXT, PREEMPT, Deviation, Scheduler
from rustyray.engines.sim.world.story import short
from rustyray.engines.sim.world.world import DELAYS, STALLS
from rustyray.testing.messages import told

if TYPE_CHECKING:
    from types import FrameType

    from rustyray.engines.sim.worker import SimWorker
    from rustyray.engines.sim.world.events import Event, Fiber
    from rustyray.engines.sim.world.world import World
    from rustyray.testing.exploring.trial import Plan

_RUNTIME: Final = os.path.dirname(os.path.dirname(os.path.dirname(__file__))) + os.sep
_LIBRARY: Final = os.path.dirname(os.__file__) + os.sep
#: Lines of a story; of a longer one, the end is told, where it fails; of a third as many the beginning, if it goes
#: round in circles.
LONGEST: Final = 60

_repr = reprlib.Repr()
_repr.maxstring, _repr.maxother, _repr.maxlist, _repr.maxtuple, _repr.maxdict = 40, 60, 4, 4, 3


class Place(NamedTuple):
    """A line of the user's code."""

    file: str
    line: int

    def __str__(self) -> str:
        text = linecache.getline(self.file, self.line).strip()
        where = f"{os.path.basename(self.file)}:{self.line}"
        return f"{where}: {text}" if text else where


def place_of(frame: FrameType | None) -> Place | None:
    """The innermost line that is neither the runtime's nor the standard library's."""
    while frame is not None:
        file = frame.f_code.co_filename
        ours = file.startswith(_RUNTIME) or (file.startswith(_LIBRARY) and "site-packages" not in file)
        if not ours and not file.startswith("<frozen"):
            return Place(file, frame.f_lineno)
        frame = frame.f_back
    return None


class Teller:
    """Watches a run and writes the story."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._places: dict[bytes, Place | None] = {}
        #: What each program is running, innermost last.
        self._calls: dict[bytes, list[str]] = {}
        self._trouble: Trouble | None = None
        self._held_up = 0.0
        self._ended = False
        self._wrapped: set[bytes] = set()

    # --- what the run tells -------------------------------------------------------------------------------------------

    def begin(self, world: World, scheduler: Scheduler) -> None:
        self._world = world
        self._began = self._told_at = world.now
        scheduler.watcher = self
        world.crash = self._around_crash(world.crash)  # type: ignore[method-assign,assignment] # of this world alone
        world.cut = self._around_cut(world.cut)  # type: ignore[method-assign]
        world.troubles.hit = self._around_hit(world.troubles.hit)  # type: ignore[method-assign,assignment]
        world.network._put = self._around_put(world.network._put)  # type: ignore[method-assign]
        make = world.make_worker

        def make_worker(*args: Any) -> Any:
            process = make(*args)
            self._wrap(process)
            return process

        world.make_worker = make_worker
        for process in world.processes.values():
            self._wrap(process)

    def end(self) -> None:
        """The story is over where the scenario is."""
        self._ended = True

    def served(self, event: Event, number: int) -> None:
        if event.name != "run":
            return
        fiber = self._fiber(event.source)
        place = self._place(fiber) if fiber is not None else None
        before = self._places.get(event.source)
        self._places[event.source] = place
        if fiber is not None and place is not None:
            how = "goes on, and waits" if before is not None else "waits"
            self._tell(f"{self._doing(fiber)} {how} at {place}")

    def passed_over(self, deviation: Deviation, passed: Sequence[Candidate], first: Candidate) -> None:
        for one in passed:
            if one.name == "run":
                fiber = self._fiber(one.source)
                place = self._place(fiber) if fiber is not None else None
                who = self._doing(fiber) if fiber is not None else self._name(one.process)
                at = f" after {place}" if place is not None else ""
                self._tell(f"**preempted**: {who} could go on{at}; the others go first")
            elif one.name == "deliver":
                channel = self._world.network._channel(one.source, one.process)
                what = told(channel.queue[0].content, self._function)
                way = f"from {self._name(one.source)} to {self._name(one.process)}"
                self._tell(f"**held back**: {what}, on its way {way}; the others go first")
            else:
                self._tell(f"**held back**: a timer of {self._name(one.process)}; the others go first")

    def chosen(self, deviation: Deviation) -> None:
        if deviation.what == PREEMPT:
            place = place_of(sys._getframe(1))
            fiber = self._world.running
            who = self._doing(fiber) if fiber is not None else "a program"
            self._tell(f"**preempted**: {who} gives way at {place}" if place else f"**preempted**: {who}")
        elif deviation.what == "delay":
            self._held_up = DELAYS[deviation.choice]
        elif deviation.what == "stall":
            self._tell(f"**delayed**: a program that gives way is paused for {STALLS[deviation.choice]:g} s")

    # --- faults -------------------------------------------------------------------------------------------------------

    def _around_hit(self, hit: Callable[[Trouble, int], None]) -> Callable[[Trouble, int], None]:
        def wrapped(trouble: Trouble, which: int) -> None:
            self._trouble = trouble
            try:
                hit(trouble, which)
            finally:
                self._trouble = None

        return wrapped

    def _around_crash(self, crash: Callable[[bytes, str], None]) -> Callable[[bytes, str], None]:
        def wrapped(process: bytes, reason: str) -> None:
            how = "**crashed**" if self._trouble is not None else "ended"
            calls = [self._calls.get(fiber.source) for fiber in self._world.fibers if fiber.client.me == process]
            busy = [f"`{names[-1]}`" for names in calls if names]
            self._tell(f"{how}: {self._name(process)}" + (f", in the middle of {', '.join(busy)}" if busy else ""))
            crash(process, reason)

        return wrapped

    def _around_cut(self, cut: Callable[..., None]) -> Callable[..., None]:
        def wrapped(one: bytes, other: bytes, *reason: str) -> None:
            self._tell(f"**cut**: the connection between {self._name(one)} and {self._name(other)}")
            cut(one, other, *reason)

        return wrapped

    def _around_put(self, put: Callable[..., None]) -> Callable[..., None]:
        def wrapped(frm: bytes, to: bytes, content: Any, ready: float, body: bytes = b"") -> None:
            if self._held_up:
                seconds, self._held_up = self._held_up, 0.0
                way = f"from {self._name(frm)} to {self._name(to)}"
                self._tell(f"**delayed**: {told(content, self._function)} {way}, by {seconds:g} s")
            put(frm, to, content, ready, body)

        return wrapped

    # --- tasks and calls ----------------------------------------------------------------------------------------------

    def _wrap(self, process: object) -> None:
        """Have a worker tell what it runs."""
        if not isinstance(process, UserProcess) or not process.executes or process.me in self._wrapped:
            return
        self._wrapped.add(process.me)
        worker: SimWorker = process.engine  # type: ignore[assignment] # what executes is a worker
        runner = worker.runner
        context_of, arguments = runner.context_of, runner.arguments
        pack_result, failure = runner.pack_result, runner.failure
        given: dict[bytes, str] = {}

        @functools.wraps(context_of)
        def starts(job: Any) -> Any:
            name = given[job.task.id] = plain(runner.name_of(job.task))
            again = f" (attempt {job.task.attempt + 1})" if job.task.attempt else ""
            self._tell(f"`{name}` starts on {self._name(process.me)}{again}")
            self._calling().append(name)
            return context_of(job)

        @functools.wraps(arguments)
        def takes(task: Any) -> Any:
            args, kwargs = arguments(task)
            shown = [_shown(one) for one in args] + [f"{name}={_shown(one)}" for name, one in kwargs.items()]
            name = given.get(task.id, "")
            if self._lines and self._lines[-1].startswith(f"`{name}` starts"):
                self._lines[-1] = self._lines[-1].replace(f"`{name}`", f"`{name}({', '.join(shown)})`", 1)
            return args, kwargs

        @functools.wraps(pack_result)
        def returns(job: Any, result: Any) -> Any:
            self._over(given.pop(job.task.id, ""), f"returns {_shown(result)}")
            return pack_result(job, result)

        @functools.wraps(failure)
        def raises(job: Any, error: BaseException) -> Any:
            if not isinstance(error, GreenletExit | GeneratorExit):  # those unwind a program whose process has ended
                self._over(given.pop(job.task.id, ""), f"raises {type(error).__name__}: {_first_line(error)}")
            return failure(job, error)

        runner.context_of, runner.arguments = starts, takes  # type: ignore[method-assign]
        runner.pack_result, runner.failure = returns, raises  # type: ignore[method-assign]

    def _over(self, name: str, how: str) -> None:
        calls = self._calling()
        if name in calls:
            calls.remove(name)
        if self._lines and self._lines[-1].startswith((f"`{name}` starts", f"`{name}(")):
            self._lines[-1] = self._lines[-1].replace(" starts on ", " runs on ") + f", and {how}"
        else:
            self._tell(f"`{name}` {how}")

    def _calling(self) -> list[str]:
        fiber = self._world.running
        return self._calls.setdefault(fiber.source if fiber is not None else b"", [])

    # --- names --------------------------------------------------------------------------------------------------------

    def _fiber(self, key: bytes) -> Fiber | None:
        return next((fiber for fiber in self._world.fibers if fiber.source == key), None)

    def _place(self, fiber: Fiber) -> Place | None:
        green = getattr(fiber.program, "greenlet", None)
        return place_of(green.gr_frame) if green is not None and not green.dead else None

    def _doing(self, fiber: Fiber) -> str:
        calls = self._calls.get(fiber.source)
        name = self._name(fiber.client.me)
        return f"`{calls[-1]}` on {name}" if calls else name

    def _name(self, process: bytes) -> str:
        found = self._world.processes.get(process)
        if not isinstance(found, UserProcess):
            return short(process)
        actor = getattr(found.engine, "actor", None) if found.executes else None
        return f"{found.name} (actor {plain(actor.class_name)})" if actor is not None else found.name

    def _function(self, fn: bytes) -> str:
        for process in self._world.processes.values():
            functions = getattr(getattr(process, "engine", None), "functions", {})
            if fn in functions:
                return plain(functions[fn][1])
        return "a task"

    def _tell(self, line: str) -> None:
        if self._ended:
            return
        now = self._world.now
        if now - self._told_at >= 0.001:
            line += f"   [{now - self._began:.3f} s]"
            self._told_at = now
        self._lines.append(line)

    @property
    def lines(self) -> list[str]:
        """What has been told."""
        return self._lines

    def text(self, *, beginning: bool = False) -> str:
        """The story, numbered. Of a long one the end is told, or the beginning; and each departure and fault."""
        numbered = [f"{number}. {line}" for number, line in enumerate(self._lines, 1)]
        if len(numbered) <= LONGEST:
            return "\n".join(numbered)
        at = LONGEST // 3 if beginning else len(numbered) - LONGEST
        told, rest = (numbered[:at], numbered[at:]) if beginning else (numbered[at:], numbered[:at])
        marked = [line for line in rest if ". **" in line]
        left_out = f"… ({len(rest) - len(marked):,} lines are left out)"
        return "\n".join([*told, *marked, left_out] if beginning else [*marked, left_out, *told])


def plain(name: str) -> str:
    """A function's name without where it is defined."""
    parts = name.rpartition("<locals>.")[2].split(".")
    for count in range(len(parts) - 1, 0, -1):
        if ".".join(parts[:count]) in sys.modules:
            return ".".join(parts[count:])
    return ".".join(parts)


def _shown(value: object) -> str:
    kind = type(value).__name__
    if kind == "ActorHandle":
        return str(value).removeprefix("Actor(").partition(",")[0]
    return "ref" if kind == "ObjectRef" else _repr.repr(value)


def _first_line(error: BaseException) -> str:
    return (said(error).splitlines() or [""])[0]


def said(error: BaseException) -> str:
    """What the error says, or else where it was raised."""
    text = str(error).strip()
    tb = error.__traceback__
    place: Place | None = None
    while not text and tb is not None:
        place = Place(tb.tb_frame.f_code.co_filename, tb.tb_lineno)
        tb = tb.tb_next
    return text or f"at {place}"


# --- the report -------------------------------------------------------------------------------------------------------


def report(error: BaseException, story: str, plan: Plan, line: str, schedules: int, shrinking: int) -> str:
    """All that there is to say about a failure."""
    which = f"schedule {schedules}" if schedules > 1 else "the first schedule"
    small = f", after {shrinking} more runs to make it small" if shrinking else ""
    indented = "\n".join("  " + text for text in story.splitlines())
    notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
    return (
        f"{type(error).__qualname__} in {which}{small}: {said(error)}{notes}\n\n"
        f"{takes(plan)}:\n{indented}\n\n"
        f"Replay it: pytest --rustyray-replay={line}\n"
        f'Keep it as a test: @rustyray.testing.replay("{line}")'
    )


def takes(plan: Plan) -> str:
    """What it takes to fail."""
    preempted = sum(one.what in (NEXT, PREEMPT) for one in plan.deviations)
    delayed = len(plan.deviations) - preempted
    parts = []
    for count, what in ((preempted, "preemption"), (delayed, "delay"), (len(plan.faults), "fault")):
        if count:
            parts.append(f"{count} {what}" + ("s" if count > 1 else ""))
    return "It takes " + " and ".join(parts) if parts else "It takes no departure from running to completion"

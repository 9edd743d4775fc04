"""Notes on refs in one run, for errors to tell: where the program made each, and where it let the last one go."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from rustyray.engines.sim.host import UserProcess
from rustyray.exceptions import ObjectFreedError
from rustyray.model.ids import task_of
from rustyray.runtime import context
from rustyray.testing.exploring.telling import Place, place_of, plain

if TYPE_CHECKING:
    from rustyray.engines.sim.world.world import World


class Sites:
    """Watches what the processes of a world do with refs. It slows a run down: it is for those that are told.

    ``submitted`` has the line of each task and call, by its id.

    Args:
        step: how many lines of the run's story are told.
    """

    def __init__(self, step: Callable[[], int] = lambda: 0) -> None:
        self.submitted: dict[bytes, Place] = {}
        self._step = step
        #: By task (or, for a value that was put, what its id begins with): what it makes.
        self._made: dict[bytes, str] = {}
        #: By object: who dropped a ref last, and how it was freed.
        self._dropped: dict[bytes, str] = {}
        self._freed: dict[bytes, str] = {}

    def begin(self, world: World) -> None:
        self._began = world.now
        for process in list(world.processes.values()):
            self._watch(process)
        make = world.make_worker

        def make_worker(*args: Any) -> Any:
            process = make(*args)
            self._watch(process)
            return process

        world.make_worker = make_worker

    def explain(self, error: BaseException) -> None:
        """Add to a use after free what is known of the object."""
        for one in _all(error):
            if isinstance(one, ObjectFreedError):
                object_ = bytes.fromhex(one.object_ref_hex)
                what = self._made.get(task_of(object_))
                was = f"It was {what}. " if what else ""
                if object_ in self._freed:
                    error.add_note(f"{was}{self._freed[object_]}")
                return

    # --- watching -----------------------------------------------------------------------------------------------------

    def _watch(self, process: object) -> None:
        if not isinstance(process, UserProcess):
            return
        engine = process.engine
        engine.submit = self._submits(engine.submit)  # type: ignore[method-assign]
        engine.call = self._submits(engine.call)  # type: ignore[method-assign]
        engine.put = self._puts(engine.put)  # type: ignore[method-assign]
        engine._drop = self._drops(process, engine._drop)
        process.core.refs.on_freed = self._frees(process, process.core.refs.on_freed)

    def _submits(self, submit: Callable[..., Any]) -> Callable[..., Any]:
        """Around `submit` and `call`, whose plan is the first or second argument."""

        def noting(*args: Any) -> Any:
            refs = submit(*args)
            place = place_of(sys._getframe(1))
            if place is not None:
                name = next(plain(arg.name) for arg in args if hasattr(arg, "returns"))
                for ref in refs if isinstance(refs, list) else [refs] * (refs is not None):
                    self.submitted[ref.task_id()] = place
                    self._made[ref.task_id()] = f"the result of `{name}`, submitted at {place}"
            return refs

        return noting

    def _puts(self, put: Callable[..., Any]) -> Callable[..., Any]:
        def noting(value: object) -> Any:
            ref = put(value)
            self._made[ref.task_id()] = f"put at {place_of(sys._getframe(1))}"
            return ref

        return noting

    def _drops(self, process: UserProcess, drop: Callable[[bytes], None]) -> Callable[[bytes], None]:
        def noting(object_: bytes) -> None:
            task = context.current_task.get()
            who = f"`{plain(task.function)}` on {process.name}" if task is not None else process.name
            place = place_of(sys._getframe(1))
            self._dropped[object_] = f"The last ref to it was dropped by {who}" + (f" at {place}. " if place else ". ")
            drop(object_)

        return noting

    def _frees(self, process: UserProcess, on_freed: Callable[..., None]) -> Callable[..., None]:
        def noting(object_: bytes, record: Any) -> None:
            if process.core.refs.owns(object_):
                step, now = self._step(), process.world.now - self._began
                when = f"after step {step}, " if step else ""
                dropped = self._dropped.get(object_, "")
                self._freed[object_] = (
                    f"{dropped}Its owner, {process.name}, freed it {when}{now:.3f} s after the start."
                )
            on_freed(object_, record)

        return noting


def _all(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came of."""
    left, seen = [error], set()
    while left:
        one = left.pop()
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            left += [
                other for other in (one.__cause__, one.__context__, getattr(one, "cause", None)) if other is not None
            ]

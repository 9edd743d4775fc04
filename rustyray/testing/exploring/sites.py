"""Notes on refs in one run, for errors to tell: where the program made each, and where it let the last one go."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rustyray.engines.sim.host import UserProcess
from rustyray.testing.exploring.telling import Place, place_of

if TYPE_CHECKING:
    from rustyray.engines.sim.world.world import World


class Sites:
    """Watches what the processes of a world submit. It slows a run down: it is for those that are told.

    ``submitted`` has the line of each task and call, by its id.
    """

    def __init__(self) -> None:
        self.submitted: dict[bytes, Place] = {}

    def begin(self, world: World) -> None:
        for process in list(world.processes.values()):
            self._watch(process)
        make = world.make_worker

        def make_worker(*args: Any) -> Any:
            process = make(*args)
            self._watch(process)
            return process

        world.make_worker = make_worker

    def _watch(self, process: object) -> None:
        if isinstance(process, UserProcess):
            engine = process.engine
            engine.submit = self._noting(engine.submit)  # type: ignore[method-assign]
            engine.call = self._noting(engine.call)  # type: ignore[method-assign]

    def _noting(self, submit: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*args: Any) -> Any:
            refs = submit(*args)
            place = place_of(sys._getframe(1))
            if place is not None:
                for ref in refs if isinstance(refs, list) else [refs] * (refs is not None):
                    self.submitted[ref.task_id()] = place
            return refs

        return noting

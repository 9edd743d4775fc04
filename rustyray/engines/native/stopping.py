"""The driver's side of the runtime's end: the stages of `rustyray.core.lifecycle`, carried out.

Any number of threads may ask for it at once: the first carries the stages out, the others wait for it. A stage that is
not done by its deadline is forced, and the report says so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from rustyray.core.lifecycle import DEFAULT_GRACE, Down, Draining, Stage, Starting, Step, Stopping, Up
from rustyray.model.messages import KillActor
from rustyray.runtime.engine import ShutdownReport

if TYPE_CHECKING:
    from rustyray.engines.native.any_driver import AnyDriver

#: Seconds between two looks at work that is still running.
LOOK: Final = 0.05
DOWN_TEXT: Final = "RustyRay was shut down: call rustyray.init() before submitting work"

Work = Callable[[Step], "str | None"]


class Ending:
    """One runtime's life and end. ``life`` is its present state."""

    def __init__(self, driver: AnyDriver) -> None:
        self.driver = driver
        driver.core.journal.now = time.monotonic()
        self.life: Starting | Up | Draining | Stopping | Down = Down(driver.core.journal).init()
        self._lock = threading.Lock()
        self._begun = False
        self._carried = False
        self._over = threading.Event()
        #: What has interrupted a stage: it was forced at once, and this is raised at the end.
        self._interrupt: BaseException | None = None
        self._work: dict[Stage, Work] = {
            Stage.STOP_ACCEPTING: self._stop_accepting,
            Stage.CANCEL_PENDING: self._cancel_pending,
            Stage.WAIT_RUNNING: self._wait_for_running,
            Stage.STOP_ACTORS: self._stop_actors,
            Stage.DROP_OBJECTS: self._drop_objects,
            Stage.LEAVE_CLUSTER: driver.leave_cluster,
            Stage.STOP_PROCESSES: driver.stop_processes,
            Stage.RELEASE: self._release,
        }

    @property
    def begun(self) -> bool:
        return self._begun

    def up(self) -> None:
        """The node has answered."""
        if isinstance(self.life, Starting):
            self.life = self.life.ready()

    def start_failed(self, reason: str) -> None:
        """Put away what was started so far."""
        self._begun = self._carried = True
        if isinstance(self.life, Starting):
            self._carry_out(self.life.failed(reason, time.monotonic()))

    def run(self, grace: float | None) -> ShutdownReport:
        """End the runtime, or wait until another thread has; the report is the same for all.

        A thread that is interrupted meanwhile (Ctrl-C) waits no longer than it must, and raises that when all is ended.
        """
        while not isinstance(self.life, Down):
            with self._lock:
                first, self._begun, self._carried = not self._carried, True, True
                if first:
                    self._over.clear()
            if first:
                self._carry_out(self._beginning(grace))
            else:
                self._over.wait()
        return self.report()

    def _beginning(self, grace: float | None) -> Draining | Stopping | Down:
        life, now = self.life, time.monotonic()
        if isinstance(life, Starting):
            return life.failed("shutdown() was called", now)
        if not isinstance(life, Up):
            return life
        if self.driver.node_gone:
            return life.abandon(self.driver.node_gone, now)
        return life.shut_down("shutdown() was called", now, DEFAULT_GRACE if grace is None else grace)

    def report(self) -> ShutdownReport:
        told = self.life.report if isinstance(self.life, Down) else None
        if told is None:
            return ShutdownReport([], ["the shutdown was interrupted"])
        done = self.driver.done
        return ShutdownReport(told.stages, [*told.forced, *(done.forced if done is not None else ())])

    def _carry_out(self, state: Draining | Stopping | Down) -> None:
        try:
            while not isinstance(state, Down):
                self.life = state
                step = state.step
                note = self._attempt(step)
                now = time.monotonic()
                state = state.on_time(max(now, step.deadline)) if note is None else state.done(step.stage, now, note)
            self.life = state
        finally:
            with self._lock:
                self._carried = isinstance(self.life, Down)
                self._over.set()
        interrupt, self._interrupt = self._interrupt, None
        if interrupt is not None:
            raise interrupt
        self.driver.pump.check_interrupt()

    def _attempt(self, step: Step) -> str | None:
        """Do what the step says: a note when it is done, None when it is to be forced."""
        try:
            return self._work[step.stage](step)
        except Exception as error:  # noqa: BLE001 - a stage that fails must not keep the next ones from running
            return f"failed: {type(error).__name__}: {error}"
        except BaseException as interrupt:  # noqa: BLE001 - raised when all is ended
            self._interrupt = interrupt
            return "interrupted" if step.force else None

    # --- the stages ---------------------------------------------------------------------------------------------------

    def _stop_accepting(self, step: Step) -> str:
        with self.driver.pump.lock:
            self.driver.core.close(DOWN_TEXT)
        return ""

    def _cancel_pending(self, step: Step) -> str:
        driver = self.driver
        with driver.pump.lock:
            count = driver.core.unfinished.cancel("RustyRay was shut down before this could run", time.monotonic())
            driver.pump.carry_out()
        driver.pump.run_deferred()
        return f"{count} tasks and calls" if count else ""

    def _wait_for_running(self, step: Step) -> str | None:
        driver = self.driver
        while left := driver.core.unfinished.running():
            if step.force or driver.node_gone:
                return f"{left} still running, to be ended with their processes"
            driver.pump.check_interrupt()
            patience = step.deadline - time.monotonic()
            if patience <= 0:
                return None
            driver.pump.turn(min(LOOK, patience))
        return ""

    def _stop_actors(self, step: Step) -> str:
        driver = self.driver
        with driver.pump.lock:
            actors = driver.actors_to_stop()
            for actor in actors:
                driver.pump.hub.send(driver.pump.head, KillActor(actor, True, True, "the runtime shuts down"))
            driver.pump.hub.flush()
        return f"{len(actors)} asked to end" if actors else ""

    def _drop_objects(self, step: Step) -> str:
        driver = self.driver
        with driver.pump.lock:
            driver.core.unfinished.fail("RustyRay was shut down while this ran", time.monotonic())
            count = len(driver.core.objects)
            driver.pump.settle()
            driver.core.freeing.flush()
            driver.pump.carry_out()
        driver.pump.run_deferred()
        return f"{count} objects" if count else ""

    def _release(self, step: Step) -> str:
        self.driver.ctrl_c.restore()
        self.driver.clear()
        self.driver.pump.close()
        self.driver.arena.close()
        return ""

"""Shutdown, in stages, each with a deadline and a line in the report. Any number of threads may ask for it at once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from rustyray.engines.native.zygote import Zygote
from rustyray.model.messages import Shutdown
from rustyray.runtime.engine import ShutdownReport

if TYPE_CHECKING:
    from rustyray.engines.native.driver import Driver

#: Seconds that running tasks get to finish unless shutdown is told otherwise.
GRACE: Final = 0.0
#: Seconds that workers get to leave politely (``atexit`` hooks), before they are killed.
LEAVE: Final = 1.0
#: Seconds within which the node process must be gone after it said goodbye.
GONE: Final = 5.0


class Stopping:
    """One runtime's end: the first thread runs the stages, all others wait for it."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.begun = False
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._report: ShutdownReport | None = None
        self._stages: list[tuple[str, float, str]] = []
        self._forced: list[str] = []

    def run(self, grace: float | None) -> ShutdownReport:
        with self._lock:
            first, self.begun = not self.begun, True
        if not first:
            self._done.wait()
        else:
            try:
                self._run(GRACE if grace is None else grace)
            finally:
                self._report = ShutdownReport(self._stages, self._forced)
                self._done.set()
        assert self._report is not None
        return self._report

    def _run(self, grace: float) -> None:
        self._stage("stop accepting work", self._close)
        self._stage("cancel pending work", self._cancel)
        self._stage("wait for running work", lambda: self._wait_for_running(grace))
        self._stage("drop references", self._drop_references)
        self._stage("stop processes", self._stop_processes)
        self._stage("release resources", self._release)

    def _stage(self, name: str, work: Callable[[], str]) -> None:
        begun = time.monotonic()
        try:
            note = work()
        except Exception as error:  # noqa: BLE001 - a stage that fails must not keep the next ones from running
            note = f"failed: {type(error).__name__}: {error}"
            self._forced.append(f"{name}: {note}")
        self._stages.append((name, time.monotonic() - begun, note))

    def _close(self) -> str:
        with self.driver.pump.lock:
            self.driver.core.close("RustyRay was shut down: call rustyray.init() before submitting work")
        return ""

    def _cancel(self) -> str:
        driver = self.driver
        with driver.pump.lock:
            count = driver.core.cancel_pending("RustyRay was shut down before this could run", time.monotonic())
            driver.pump.carry_out()
        driver.pump.run_deferred()
        return f"{count} tasks and calls" if count else ""

    def _wait_for_running(self, grace: float) -> str:
        driver = self.driver
        deadline = time.monotonic() + grace
        while driver.core.running() and not driver.node_gone and time.monotonic() < deadline:
            driver.pump.turn(min(0.05, max(0.0, deadline - time.monotonic())))
        left = driver.core.running()
        if left and grace > 0:
            self._forced.append(f"{left} tasks or calls were still running after {grace:g} s")
        return f"{left} still running" if left else ""

    def _drop_references(self) -> str:
        driver = self.driver
        with driver.pump.lock:
            driver.core.fail_everything("RustyRay was shut down while this ran", time.monotonic())
            count = len(driver.core.objects)
            driver.pump.carry_out()
        driver.pump.run_deferred()
        return f"{count} objects" if count else ""

    def _stop_processes(self) -> str:
        driver = self.driver
        if driver.node_gone:
            self._forced.append(f"the node process was gone before: {driver.node_gone}")
            return ""
        with driver.pump.lock:
            driver.pump.hub.send(driver.core.refs.node, Shutdown(LEAVE))
            driver.pump.hub.flush()
        driver.pump.wait(driver.farewell, time.monotonic() + LEAVE + GONE)
        zygote = Zygote.shared()
        if zygote.wait_node(driver.node_pid, GONE) is None:
            zygote.kill_node(driver.node_pid)
            self._forced.append(f"the node process (pid {driver.node_pid}) did not end and was killed")
        if driver.done is None:
            return ""
        self._forced.extend(driver.done.forced)
        return "; ".join(driver.done.lines)

    def _release(self) -> str:
        driver = self.driver
        driver.pump.close()
        driver.store.arena.close()
        if os.getpid() != driver.pid:
            raise RuntimeError("forked in the middle of shutdown")
        return ""

"""``LifecycleMachine``: a runtime starts, ends and breaks in any order, while work goes on."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

import rustyray
from rustyray.core.lifecycle import Stage
from rustyray.exceptions import RayError
from rustyray.testing.machines import forked, work
from rustyray.testing.machines.held import Held, alive, held
from rustyray.testing.machines.machine import Machine, eventually, refused, step
from rustyray.testing.strategies.lifecycles import CHILDREN, WORK
from rustyray.testing.strategies.options import runtime_options

if TYPE_CHECKING:
    from rustyray.runtime.engine import ShutdownReport

#: In which order a shutdown does what it does.
STAGES: Final = [stage.value for stage in Stage]
#: Seconds in which work comes to run where there is room for it.
SOON: Final = 0.2


def _replaceable() -> tuple[object, ...]:
    """What a simulated runtime puts others in place of."""
    return time.sleep, time.monotonic, time.time, threading.Lock, threading.Thread.start, os.getpid, os._exit, os.kill


class LifecycleMachine(Machine):
    """A runtime is started, used, ended and broken in any order, from any thread, with work of all kinds going on.

    Checked at each step: whether one is up is told truly; starting or ending it twice changes nothing; work that may
    run once runs once at most; the stages of an end come in order, once; what waits is woken; after the end nothing is
    left of it (processes, descriptors, threads, shared memory, folders, signal handlers), and another can be started.
    On the native engine children are forked as well, and killed together with runtimes of their own.
    """

    def __init__(self) -> None:
        super().__init__()
        if rustyray.is_initialized():
            raise RuntimeError("a runtime is up in this process already: call rustyray.shutdown() before")
        if self.engine == "native":
            from rustyray.engines.native.processes.zygote import Zygote

            Zygote.shared().pid()  # it stays for all runtimes of this process
        self.session: rustyray.Session | None = None
        self.sessions: list[rustyray.Session] = []
        self.node_killed = False
        self.work: list[list[Any]] = []
        self.threads: list[threading.Thread] = []
        self.raised: list[Exception] = []
        self.over = threading.Event()
        self.folder = ""
        self.marked = 0
        self.real = _replaceable()
        self.before: Held = held()

    def is_up(self) -> bool:
        return self.session is not None

    def is_usable(self) -> bool:
        return self.session is not None and not self.node_killed

    def is_native(self) -> bool:
        return self.engine == "native"

    # --- start and use ------------------------------------------------------------------------------------------------

    @rule(options=st.runner().flatmap(lambda machine: runtime_options(machine.engine)))
    @step
    def init(self, options: Mapping[str, Any]) -> None:
        """Start a runtime; where one is up, that is refused."""
        if self.session is None:
            self.session = rustyray.init(**options)
            self.sessions.append(self.session)
            cpus = options["num_cpus"] * options.get("num_nodes", 1)
            assert rustyray.cluster_resources()["CPU"] == cpus
            return
        assert refused(lambda: rustyray.init(**options), "ignore_reinit_error"), "init() started a second runtime"

    @precondition(is_up)
    @rule()
    @step
    def init_again(self) -> None:
        assert self.session is not None
        again = rustyray.init(ignore_reinit_error=True)
        assert again.address_info == self.session.address_info

    @precondition(is_up)
    @rule(number=st.integers(0, 9))
    @step
    def task(self, number: int) -> None:
        """It returns its result, or where the node is dead says so."""

        def use() -> int:
            return rustyray.get(work.double.remote(number), timeout=self.patience)

        if self.node_killed:
            assert refused(use, "init()"), "a task of a dead node does not say so"
        else:
            assert use() == 2 * number

    @precondition(is_usable)
    @rule(kind=st.sampled_from(WORK), begun=st.booleans())
    @step
    def begin_work(self, kind: str, begun: bool) -> None:
        """Work that goes on until the runtime ends; it has come to run, if there is room for it."""
        if not self.folder:
            self.folder = tempfile.mkdtemp(prefix="rustyray-lifecycle-")
        self.marked += 100
        number = str(self.marked)
        self.work.append(work.begin(kind, self._marks(), self.marked))
        if begun:
            eventually(lambda: number in self._ran(), SOON)

    def _marks(self) -> str:
        return os.path.join(self.folder, "marks")

    def _ran(self) -> list[str]:
        """The numbers of what has run."""
        try:
            with open(self._marks(), encoding="ascii") as file:
                return file.read().split()
        except FileNotFoundError:
            return []

    @precondition(lambda self: self.is_usable() and bool(self.work))
    @rule()
    @step
    def wait_in_thread(self) -> None:
        """A thread waits for the work that was begun last."""
        thread = threading.Thread(target=self._wait, args=(self.work[-1][0],), name="waits for work")
        self.threads.append(thread)
        thread.start()

    def _wait(self, ref: Any) -> None:
        try:
            rustyray.get(ref)
        except (RayError, RuntimeError):
            return  # the runtime has ended
        except Exception as error:  # noqa: BLE001 - it is told where the thread is joined
            self.raised.append(error)

    @precondition(lambda self: self.is_native() and self.is_usable())
    @rule()
    @step
    def use_in_thread(self) -> None:
        """A thread uses everything until the runtime ends underneath."""
        if self.over.is_set():
            self.over = threading.Event()
        thread = threading.Thread(target=self._use, args=(self.over,), name="uses it")
        self.threads.append(thread)
        thread.start()

    def _use(self, over: threading.Event) -> None:
        try:
            while not over.is_set():
                work.everything(self.patience)
        except (RayError, RuntimeError, ValueError):
            return  # the runtime has ended; handles of it are refused with a ValueError
        except Exception as error:  # noqa: BLE001 - it is told where the thread is joined
            self.raised.append(error)

    # --- what breaks --------------------------------------------------------------------------------------------------

    @precondition(is_usable)
    @rule()
    @step
    def kill_worker(self) -> None:
        """What ran there may be lost; the runtime goes on."""
        os.kill(rustyray.get(work.where.remote(), timeout=self.patience), signal.SIGKILL)

    @precondition(is_usable)
    @rule()
    @step
    def kill_node(self) -> None:
        """The first node, with which the runtime ends: what waits hears of it at once."""
        assert self.session is not None
        node = self.session.address_info["node_id"]
        os.kill(next(about["Pid"] for about in rustyray.nodes() if about["NodeID"] == node), signal.SIGKILL)
        self.node_killed = True
        self._join()

    @precondition(is_native)
    @rule(child=st.sampled_from(CHILDREN))
    @step
    def fork(self, child: str) -> None:
        """A child has no part in the runtime; with one of its own, it leaves nothing, even when it is killed."""
        left = forked.run(child, self.is_up(), self.patience)
        assert self.until(lambda: not any(map(alive, left))), f"processes of a child that has ended: {left}"

    # --- the end ------------------------------------------------------------------------------------------------------

    @rule(grace=st.sampled_from([0.0, 0.05]))
    @step
    def shutdown(self, grace: float) -> None:
        self._ended(rustyray.shutdown(grace=grace))

    @precondition(is_native)
    @rule(threads=st.integers(2, 4))
    @step
    def shutdown_from(self, threads: int) -> None:
        """Several threads at once, this one among them: one end, of which all hear the same."""
        reports: list[ShutdownReport | None] = []
        together = threading.Barrier(threads)

        def shut_down() -> None:
            together.wait(self.patience)
            reports.append(rustyray.shutdown(grace=0))

        others = [threading.Thread(target=shut_down, name="shuts down") for _ in range(threads - 1)]
        for other in others:
            other.start()
        shut_down()
        for other in others:
            other.join(self.patience)
        assert len(reports) == threads, "a thread did not return from shutdown()"
        told = [report for report in reports if report is not None]  # None: it came when all was over
        assert len(set(map(str, told))) <= 1
        self._ended(told[0] if told else None)

    @precondition(lambda self: bool(self.sessions))
    @rule(which=st.integers(0, 3))
    @step
    def end_session(self, which: int) -> None:
        """The present session ends the runtime; one that has ended already does nothing to the next."""
        session = self.sessions[-1 - which % len(self.sessions)]
        report = session.shutdown(grace=0)
        if session is self.session:
            self._ended(report)

    def _ended(self, report: ShutdownReport | None) -> None:
        assert (report is not None) == (self.session is not None), f"shutdown() returned {report}"
        if report is not None:
            stages = [stage for stage, _, _ in report.stages]
            assert stages == [stage for stage in STAGES if stage in stages], f"stages out of order, or twice: {stages}"
        users = any(thread.name == "uses it" for thread in self.threads)
        self._join()
        if users:
            rustyray.shutdown(grace=0)  # the first call after the end starts another one
        for ref, *_ in self.work:
            assert refused(lambda: rustyray.get(ref), "init()"), "get() worked when the runtime had ended"  # noqa: B023 - called at once
        self._ran_once()
        session, self.session, self.node_killed = self.session, None, False
        self.work.clear()
        if session is not None:
            self._released(session)

    def _join(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(self.patience)
        waiting = [thread.name for thread in self.threads if thread.is_alive()]
        self.threads.clear()
        assert not waiting, "get() still waits in a thread, and nothing can come any more"
        assert not self.raised, f"a thread that waited has raised {self.raised!r}"

    def _ran_once(self) -> None:
        twice = [number for number, count in Counter(self._ran()).items() if count > 1]
        assert not twice, f"ran more than once, and max_retries is 0: {twice}"

    def _released(self, session: rustyray.Session) -> None:
        left: list[str] = []

        def released() -> bool:
            left[:] = held().beyond(self.before)
            return not left

        assert self.until(released), f"left when the runtime had ended: {left}"
        folder = str(session.address_info["session_dir"])
        assert not folder or not os.path.exists(folder), f"the session's folder is left: {folder}"
        assert _replaceable() == self.real, "what a simulated runtime replaces was not put back"

    def holds(self) -> None:
        assert rustyray.is_initialized() == self.is_up(), "is_initialized() does not say whether a runtime is up"

    def finish(self) -> None:
        self._ended(rustyray.shutdown(grace=0))
        assert rustyray.shutdown() is None, "shutdown() had something left to do"

    def clean_up(self) -> None:
        super().clean_up()
        if self.folder:
            shutil.rmtree(self.folder)

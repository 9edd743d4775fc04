"""The workers of a node as the kernel has them: forked, signalled, and waited for.

A worker is the node's process up to the fork: it leaves the node's loop through `BecomeWorker`, so that it drops what
was the node's before the worker's program begins. It leads a process group of its own, and what is left of that group
is killed when the worker has ended: a task's forgotten subprocess does not outlive it.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final, NoReturn

from rustyray.engines.native.network.address import default_address
from rustyray.engines.native.outputs import Outputs, WorkerPipes
from rustyray.engines.native.processes import kernel
from rustyray.engines.native.processes.boot import NodeBoot, WorkerBoot, packages_of
from rustyray.engines.native.processes.surroundings import take_over, tell
from rustyray.model.ids import WorkerID
from rustyray.model.messages import JobDescribed

if TYPE_CHECKING:
    from rustyray.engines.native.processes.spare import Spare

#: Seconds that a dead worker's connection has to reach its end, which a grandchild may keep from it.
LAST_WORDS: Final = 0.05
#: The exit code after an exception that is a bug of the runtime.
BUG: Final = 70


class BecomeWorker(BaseException):
    """Raised in a forked worker, to unwind the node's loop."""

    def __init__(self, boot: WorkerBoot) -> None:
        self.boot = boot


def exit_now(code: int) -> NoReturn:
    """End without the interpreter's own finish, which would only touch (and so copy) every page."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass  # nobody reads it any more
    os._exit(code)


def settle_in(cpus: Collection[int]) -> None:
    """In a worker, just forked: make of a copy of another process one of its own."""
    if cpus:
        os.sched_setaffinity(0, cpus)
    gc.freeze()
    if (numpy_random := sys.modules.get("numpy.random")) is not None:
        numpy_random.seed()  # or all workers would draw the same numbers


class WorkerProcesses:
    """Those that have not ended, and those whose end the core has not been told of.

    Args:
        boot: the node's.
        arena_fd: the store's memory.
        outputs: takes what workers of drivers write that have come by themselves.
        leave: in a worker, just forked: lets go of what is the node's alone.
        spare: a process for the first worker, if there is one.
    """

    def __init__(
        self,
        boot: NodeBoot,
        arena_fd: int,
        outputs: Outputs,
        leave: Callable[[], None],
        spare: Spare | None = None,
    ) -> None:
        self._boot = boot
        self._arena_fd = arena_fd
        self._outputs = outputs
        self._leave = leave
        self._spare = spare
        #: Of workers that are for no job of their own.
        self.job, self.namespace = boot.job, boot.namespace
        self.pids: dict[WorkerID, int] = {}
        #: How they ended, and until when their last words may come.
        self.dead: dict[WorkerID, tuple[str, float]] = {}

    def fork(self, worker: WorkerID, job: JobDescribed | None, env: bytes) -> str:
        """Fork a worker. Returns why that could not be done, if so; in the worker, raises `BecomeWorker`."""
        if self._spare is not None and job is None:
            spare, self._spare = self._spare, None
            if spare.become(self._boot_of(worker, job, env)):
                self.pids[worker] = spare.pid
                return ""
        node_pid = os.getpid()
        pipes = None
        try:
            if job is not None and not self._is_quiet(job):
                pipes = WorkerPipes()
            pid = os.fork()
        except OSError as error:
            if pipes is not None:
                pipes.close()
            return f"it could not be forked: {error}"
        if pid:
            self.pids[worker] = pid
            kernel.lead_group(pid)
            if pipes is not None and job is not None:
                self._outputs.add(worker, pid, job.driver, pipes)
            return ""
        try:
            kernel.lead_group(0)
            kernel.set_parent_death_signal(signal.SIGKILL, node_pid)
            self._leave()
            if pipes is not None:
                pipes.use()
            if job is not None and job.setup is not None:
                take_over(job.setup)
            raise BecomeWorker(self._boot_of(worker, job, env))
        except BecomeWorker:
            raise
        except BaseException:  # noqa: BLE001 - nothing may return into the node's loop
            tell(f"a worker could not be set up:\n{traceback.format_exc()}")
            exit_now(BUG)

    def _is_quiet(self, job: JobDescribed | None) -> bool:
        return self._boot.quiet if job is None or job.setup is None else job.setup.quiet

    def _boot_of(self, worker: WorkerID, job: JobDescribed | None, env: bytes) -> WorkerBoot:
        boot = self._boot
        return WorkerBoot(
            worker=worker,
            node=boot.node,
            session=boot.session,
            key=boot.key,
            address=default_address(boot.session, worker),
            node_address=boot.address,
            head=boot.head or boot.node,
            head_address=boot.head_address or boot.address,
            driver=boot.driver if job is None else job.driver,
            job=self.job if job is None else job.job,
            namespace=self.namespace if job is None else job.namespace,
            arena_fd=self._arena_fd,
            arena_size=boot.arena_size,
            env=env,
            packages=packages_of(boot),
            log_level=boot.log_level,
            logging=boot.logging,
            tracing_hook=boot.tracing_hook,
            session_dir=boot.session_dir,
            temp_dir=boot.spill_directory,
            quiet=self._is_quiet(job),
            tcp=boot.tcp,
            host=boot.host,
            certificates=boot.certificates,
        )

    def end(self, worker: WorkerID, force: bool) -> None:
        """Kill the worker with all that it started and that is still in its group, or ask it alone to end."""
        pid = self.pids.get(worker)
        if pid is not None:
            if force:
                kernel.kill_group(pid)
            else:
                os.kill(pid, signal.SIGTERM)

    def end_spare(self) -> None:
        """The node ends."""
        if self._spare is not None:
            self._spare.end()
            self._spare = None

    def kill_all(self) -> None:
        self.end_spare()
        for pid in self.pids.values():
            kernel.kill_group(pid)

    def reap(self, now: float) -> None:
        """Note which have ended."""
        for worker, pid in list(self.pids.items()):
            status = kernel.reap_leader(pid)
            if status is not None:
                del self.pids[worker]
                self.dead[worker] = (kernel.describe_exit(status), now + LAST_WORDS)

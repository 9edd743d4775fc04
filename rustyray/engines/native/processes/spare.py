"""A worker's process that is forked before its node has made itself, and told afterwards which worker it is.

Both get ready at the same time then, and what the node writes to in making itself is copied once: not for the fork, and
again after it.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Iterable
from typing import Final

import msgspec

from rustyray.engines.native.outputs import write_nowhere
from rustyray.engines.native.processes import kernel
from rustyray.engines.native.processes.boot import NodeBoot, WorkerBoot
from rustyray.engines.native.processes.surroundings import tell
from rustyray.engines.native.processes.worker_processes import BUG, BecomeWorker, exit_now, settle_in

_DECODER: Final = msgspec.msgpack.Decoder(WorkerBoot)


def spare(boot: NodeBoot, of_node: Iterable[int]) -> Spare | None:
    """One for a node that starts with workers. None, too, if it cannot be had now: the node tries again, and tells."""
    if not boot.prestart or boot.shared:
        return None
    try:
        return Spare(boot, of_node)
    except OSError:
        return None


class Spare:
    """The process. In it, the constructor raises `BecomeWorker` when it has been told.

    Args:
        boot: the node's.
        of_node: descriptors that are the node's alone.

    Raises:
        OSError: It could not be forked.
    """

    def __init__(self, boot: NodeBoot, of_node: Iterable[int]) -> None:
        node_pid = os.getpid()
        reading, writing = os.pipe()
        try:
            self.pid = os.fork()
        except OSError:
            os.close(reading)
            os.close(writing)
            raise
        if self.pid:
            os.close(reading)
            self._pipe = writing
            kernel.lead_group(self.pid)
            return
        try:
            kernel.lead_group(0)
            kernel.set_parent_death_signal(signal.SIGKILL, node_pid)
            kernel.set_name("rr-worker")
            for fd in (writing, *of_node):
                os.close(fd)
            if boot.descriptors:
                kernel.limit_descriptors(boot.descriptors)
            if boot.quiet:
                write_nowhere()
            settle_in(boot.cpus)
            with open(reading, "rb") as pipe:
                told = pipe.read()
            if not told:
                exit_now(0)
            raise BecomeWorker(_DECODER.decode(told))
        except BecomeWorker:
            raise
        except BaseException:  # noqa: BLE001 - nothing may return into the node's program
            tell(f"a worker could not be set up:\n{traceback.format_exc()}")
            exit_now(BUG)

    def become(self, boot: WorkerBoot) -> bool:
        """It is this worker from now on; False if it has ended."""
        try:
            with open(self._pipe, "wb") as pipe:
                pipe.write(msgspec.msgpack.encode(boot))
        except BrokenPipeError:
            os.waitpid(self.pid, 0)
            return False
        return True

    def end(self) -> None:
        """It is not needed."""
        os.close(self._pipe)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

"""``ray._private.worker``: what test suites ask this process about."""

from __future__ import annotations

from typing import Final

from rustyray.api.ids import JobID
from rustyray.api.runtime_context import get_runtime_context
from rustyray.runtime import context

SCRIPT_MODE: Final = 0
WORKER_MODE: Final = 1


class Node:
    """This process' node."""

    @property
    def address(self) -> str:
        """Where the cluster's head listens."""
        return get_runtime_context().gcs_address

    gcs_address = address

    @property
    def unique_id(self) -> str:
        """The node's id, in hexadecimal."""
        return get_runtime_context().get_node_id()


class Worker:
    """This process: a driver, a worker, or neither while it has no runtime."""

    @property
    def connected(self) -> bool:
        return context.own_engine() is not None

    @property
    def mode(self) -> int | None:
        """`SCRIPT_MODE` in a driver, `WORKER_MODE` in a task, None without a runtime."""
        if not self.connected:
            return None
        return SCRIPT_MODE if context.current_task.get() is None else WORKER_MODE

    @property
    def node(self) -> Node | None:
        return Node() if self.connected else None

    @property
    def current_job_id(self) -> JobID:
        return JobID.from_hex(get_runtime_context().get_job_id()) if self.connected else JobID.nil()

    def check_connected(self) -> None:
        """Raise RuntimeError if there is no runtime."""
        context.require_engine("ray")


global_worker: Final = Worker()

"""``ray._private.test_utils``: more of what suites that were written for Ray use."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import rustyray
from rustyray.compat.installing import environment
from rustyray.compat.modules._common.test_utils import (
    Semaphore,
    SignalActor,
    async_wait_for_condition,
    run_string_as_driver,
    wait_for_condition,
)
from rustyray.engines.native.processes import wait_for_end

__all__ = [
    "Semaphore",
    "SignalActor",
    "async_wait_for_condition",
    "client_test_enabled",
    "get_other_nodes",
    "run_string_as_driver",
    "run_string_as_driver_nonblocking",
    "same_elements",
    "wait_for_assertion",
    "wait_for_condition",
    "wait_for_pid_to_exit",
    "wait_until_succeeded_without_exception",
]


def run_string_as_driver_nonblocking(driver_script: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """As `run_string_as_driver`, but returns the process at once."""
    program = "import sys; script = sys.stdin.read(); sys.stdin.close(); exec(script)"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(env),
    )
    assert process.stdin is not None
    process.stdin.write(driver_script.encode())
    process.stdin.close()
    return process


def wait_for_pid_to_exit(pid: int, timeout: float = 20) -> None:
    """Wait until the process has ended. Raises TimeoutError after ``timeout`` seconds."""
    if not wait_for_end(pid, timeout):
        raise TimeoutError(f"process {pid} has not ended within {timeout:g} s")


def wait_for_assertion(
    assertion_predictor: Callable[..., Any],
    timeout: float = 10,
    retry_interval_ms: float = 100,
    raise_exceptions: bool = False,
    **kwargs: Any,
) -> None:
    """Wait until the function raises no AssertionError; after ``timeout`` seconds, raise the one it raises then."""

    def holds() -> bool:
        try:
            assertion_predictor(**kwargs)
        except AssertionError:
            return False
        return True

    try:
        wait_for_condition(holds, timeout, retry_interval_ms, raise_exceptions)
    except RuntimeError:
        assertion_predictor(**kwargs)


def wait_until_succeeded_without_exception(
    func: Callable[..., Any],
    exceptions: type[BaseException] | tuple[type[BaseException], ...],
    *args: Any,
    timeout_ms: float = 1000,
    retry_interval_ms: float = 100,
    raise_last_ex: bool = False,
) -> bool:
    """Call ``func(*args)`` until it does not raise one of these; whether that was so within the time."""
    deadline = time.monotonic() + timeout_ms / 1000
    while True:
        try:
            func(*args)
        except exceptions:
            if time.monotonic() > deadline:
                if raise_last_ex:
                    raise
                return False
            time.sleep(retry_interval_ms / 1000)
        else:
            return True


def same_elements(elems_a: Iterable[object], elems_b: Iterable[object]) -> bool:
    """Whether both have the same elements, in any order; they need not be hashable."""
    rest = list(elems_b)
    for element in elems_a:
        if element not in rest:
            return False
        rest.remove(element)
    return not rest


def get_other_nodes(cluster: Any, exclude_head: bool = False) -> list[Any]:
    """The nodes of a cluster on which this process is not, and with ``exclude_head`` not the head either."""
    here = rustyray.get_runtime_context().get_node_id()
    head = cluster.head_node if exclude_head else None
    return [node for node in cluster.list_all_nodes() if node.node_id != here and node is not head]


def client_test_enabled() -> bool:
    """Whether the tests run through Ray Client; they do not."""
    return False

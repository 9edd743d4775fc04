"""``ray._private.test_utils``: more of what suites that were written for Ray use."""

from __future__ import annotations

import socket
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
from rustyray.engines.native.processes.kernel import wait_for_end
from rustyray.util.placement_group import placement_group_table
from rustyray.util.state import get_actor, list_actors

__all__ = [
    "Semaphore",
    "SignalActor",
    "async_wait_for_condition",
    "check_call_ray",
    "client_test_enabled",
    "get_actor_node_id",
    "get_current_unused_port",
    "get_non_head_nodes",
    "get_other_nodes",
    "is_placement_group_removed",
    "kill_actor_and_wait_for_failure",
    "put_object",
    "run_string_as_driver",
    "run_string_as_driver_nonblocking",
    "run_string_as_driver_stdout_stderr",
    "same_elements",
    "wait_for_assertion",
    "wait_for_condition",
    "wait_for_num_actors",
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


def run_string_as_driver_stdout_stderr(
    driver_script: str, env: dict[str, str] | None = None, encode: str = "utf-8", timeout: float | None = 60
) -> tuple[str, str]:
    """As `run_string_as_driver`; returns what it wrote to standard output and to standard error.

    Raises:
        subprocess.CalledProcessError: The program failed.
        subprocess.TimeoutExpired: It was not done within ``timeout`` seconds.
    """
    done = subprocess.run(
        [sys.executable, "-"],
        input=driver_script.encode(encode),
        capture_output=True,
        env=environment(env),
        timeout=timeout,
        check=True,
    )
    return done.stdout.decode(encode), done.stderr.decode(encode)


def check_call_ray(args: list[str], capture_stdout: bool = False, capture_stderr: bool = False) -> None:
    """Run ``rustyray`` with these arguments, in the place of ``ray``. Raises CalledProcessError if it fails."""
    subprocess.run(
        [sys.executable, "-m", "rustyray", *args],
        stdout=subprocess.PIPE if capture_stdout else None,
        stderr=subprocess.PIPE if capture_stderr else None,
        check=True,
    )


def wait_for_num_actors(num_actors: int, state: str | None = None, timeout: float = 10) -> None:
    """Wait until there are so many actors, of that ``state`` if one is given. Raises RuntimeError if there never are.

    (In Ray the state is a number.)
    """
    filters = [("state", "=", state)] if state else None
    wait_for_condition(lambda: len(list_actors(filters=filters, limit=num_actors)) >= num_actors, timeout)


def kill_actor_and_wait_for_failure(actor: Any, timeout: float = 10, retry_interval_ms: float = 100) -> None:
    """Kill the actor, and wait until it is dead or was started again. Raises RuntimeError if it takes longer."""
    id_ = actor._actor_id.hex()
    before = get_actor(id_)
    restarts = before.num_restarts if before is not None else 0
    rustyray.kill(actor)

    def failed() -> bool:
        found = get_actor(id_)
        return found is None or found.state == "DEAD" or found.num_restarts > restarts

    wait_for_condition(failed, timeout, retry_interval_ms)


def get_actor_node_id(actor_handle: Any) -> str:
    """The node on which an actor is."""
    ref = actor_handle.__ray_call__.remote(lambda self: rustyray.get_runtime_context().get_node_id())
    return str(rustyray.get(ref))


def is_placement_group_removed(pg: Any) -> bool:
    """Whether the placement group is gone."""
    return bool(placement_group_table(pg).get("state") == "REMOVED")


def put_object(obj: object, use_ray_put: bool) -> rustyray.ObjectRef[Any]:
    """A ref to the object: of this process, or of a task that returns it."""
    return rustyray.put(obj) if use_ray_put else rustyray.remote(lambda value: value).remote(obj)


def get_current_unused_port() -> int:
    """A port of this machine that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


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


def get_non_head_nodes(cluster: Any) -> list[Any]:
    """The nodes of a cluster, without the head."""
    return [node for node in cluster.list_all_nodes() if node is not cluster.head_node]


def client_test_enabled() -> bool:
    """Whether the tests run through Ray Client; they do not."""
    return False

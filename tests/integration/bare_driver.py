"""A driver without the engine: it has a node forked and speaks to it in messages, so that tests see each of them.

Run as a program (``python -m tests.integration.bare_driver``) it starts a node with two workers, one of which starts a
process of its own; prints the pids of zygote, node, workers and that process as JSON; and waits for a line of input.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import cloudpickle

from rustyray.engines.native.network import address
from rustyray.engines.native.network.hub import Hub
from rustyray.engines.native.processes import kernel
from rustyray.engines.native.processes.boot import NodeBoot
from rustyray.engines.native.processes.zygote import Zygote
from rustyray.model import ids
from rustyray.model.messages import (
    DefineFunction,
    LeaseGranted,
    Message,
    PushTasks,
    RegisterDriver,
    Registered,
    RequestLease,
    Results,
    ReturnLease,
    Role,
    Shutdown,
    ShutdownDone,
    Task,
)
from rustyray.model.resources import resource_set

PATIENCE = 20.0
ARENA_SIZE = 1 << 20
_T = TypeVar("_T")


class BareDriver:
    """One runtime of one node. ``lost`` are the peers that are gone, with the reason."""

    def __init__(self, zygote: Zygote, *, prestart: int = 1, stderr: int = 2, **boot: Any) -> None:
        self.zygote = zygote
        self.node = os.urandom(ids.NODE_ID_SIZE)
        self.me = ids.worker_id(self.node, 0)
        self.lost: dict[bytes, str] = {}
        self._kept: list[Message] = []
        self._count = 0
        session, key = os.urandom(8), os.urandom(32)
        where = address.default_address(session, self.node)
        listener = address.listen(where)
        arena = os.memfd_create("test-arena")
        os.ftruncate(arena, ARENA_SIZE)
        self.boot = NodeBoot(
            **{
                "node": self.node,
                "session": session,
                "key": key,
                "driver": self.me,
                "driver_pid": os.getpid(),
                "namespace": "",
                "resources": resource_set({"CPU": 4}),
                "arena_size": ARENA_SIZE,
                "address": where,
                "sys_path": sys.path,
                "cwd": os.getcwd(),
                "env": dict(os.environ),
                "prestart": prestart,
                **boot,
            }
        )
        try:
            self.pid = zygote.fork_node(self.boot, [arena, listener.fileno(), 1, stderr])
        finally:
            listener.close()
            os.close(arena)
        self.hub = Hub(role=Role.DRIVER, identity=self.me, session=session, key=key, on_lost=self.lost.__setitem__)

    def register(self) -> Registered:
        self.send(RegisterDriver(os.getpid(), ""))
        return self.receive(Registered)

    def send(self, message: Message) -> None:
        self.hub.send(self.node, message, self.boot.address)

    def receive(self, kind: type[_T], timeout: float = PATIENCE) -> _T:
        """The next message of this type, from anybody; others wait for their turn."""
        self.turn_until(lambda: any(isinstance(message, kind) for message in self._kept), kind.__name__, timeout)
        for message in self._kept:
            if isinstance(message, kind):
                self._kept.remove(message)
                return message
        raise AssertionError

    def turn_until(self, condition: Callable[[], bool], what: str, timeout: float = PATIENCE) -> None:
        """Send and receive until the condition holds."""
        deadline = time.monotonic() + timeout
        while not condition():
            left = deadline - time.monotonic()
            assert left > 0, f"no {what} within {timeout} s; lost: {self.lost}"
            self.hub.flush()
            events = self.hub.wait(min(left, 0.05))
            self._kept += [message for _, message in self.hub.process(events)]

    def lease(self, timeout: float = PATIENCE) -> LeaseGranted:
        self._count += 1
        self.send(RequestLease(self._count, b"\0\0\0\1", resource_set({"CPU": 1})))
        return self.receive(LeaseGranted, timeout)

    def give_back(self, lease: LeaseGranted) -> None:
        self.send(ReturnLease(lease.lease))
        self.hub.flush()

    def start(self, lease: LeaseGranted, function: Callable[[], object]) -> None:
        """Have the leased worker run the function."""
        self._count += 1
        name = function.__name__.encode()
        self.hub.send(lease.worker, DefineFunction(name, cloudpickle.dumps(function), name.decode()), lease.address)
        self.hub.send(lease.worker, PushTasks(lease.lease, [Task(ids.task_id(self.me, self._count), name)]))
        self.hub.flush()

    def run(self, lease: LeaseGranted, function: Callable[[], _T]) -> _T:
        """The function's result, from the leased worker."""
        self.start(lease, function)
        (done,) = self.receive(Results).done
        assert isinstance(done.values, bytes), f"{function.__name__} failed: {done.values}"
        result: _T = pickle.loads(done.values)
        return result

    def ended(self, timeout: float = PATIENCE) -> str | None:
        """How the node's process ended."""
        return self.zygote.wait_node(self.pid, timeout)

    def shutdown(self, grace: float = 5.0) -> ShutdownDone:
        self.send(Shutdown(grace))
        done = self.receive(ShutdownDone)
        assert self.ended() == "exited with code 0"
        self.hub.close()
        return done

    def close(self) -> None:
        """End it in whatever state it is."""
        self.hub.close()
        self.zygote.kill_node(self.pid)
        assert self.ended() is not None


class Watch:
    """Tells whether a process that is alive now has ended, whoever gets its number later."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        watch = kernel.open_watch(pid)
        assert watch is not None, "this system has neither pidfds nor a kqueue"
        self._fd = watch

    def ends(self, timeout: float = PATIENCE) -> bool:
        """Whether it ends within ``timeout`` seconds."""
        return kernel.wait_watch(self._fd, timeout)

    def close(self) -> None:
        os.close(self._fd)


def leave_a_process() -> int:
    """For a worker to run: it starts a process that goes on, and returns its pid."""
    return subprocess.Popen(["sleep", str(PATIENCE)]).pid


def main() -> None:
    driver = BareDriver(Zygote.shared(), prestart=2)
    driver.register()
    first, second = driver.lease(), driver.lease()
    left = driver.run(first, leave_a_process)
    print(json.dumps([Zygote.shared().pid(), driver.pid, first.pid, second.pid, left]), flush=True)
    if sys.stdin.readline().strip() == "shutdown":
        driver.shutdown()


if __name__ == "__main__":
    main()

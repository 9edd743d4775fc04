"""Starting and stopping a thousand times, and in the middle of things: nothing grows, nothing hangs."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from typing import Any

import pytest

import rustyray
from rustyray.exceptions import RayError
from tests.integration.drivers import driver, eventually
from tests.integration.runtime.conftest import start
from tests.integration.runtime.processes import alive, descendants, node_pid, nodes_left
from tests.integration.runtime.test_lifecycle import run_cycles

__all__ = ["start"]


@pytest.mark.parametrize("engine", ["native"])
@pytest.mark.usefixtures("start")
def test_a_thousand_cycles_leave_nothing() -> None:
    run_cycles(1000)


def mixed_work(stop: threading.Event, errors: list[BaseException]) -> None:
    """Use everything until the runtime ends underneath; only what it may then raise is fine."""

    class Echo:
        def echo(self, value: Any) -> Any:
            return value

    @rustyray.remote
    def double(n: int) -> int:
        return 2 * n

    try:
        echo = rustyray.remote(num_cpus=0)(Echo).remote()
        while not stop.is_set():
            refs: list[Any] = [double.remote(n) for n in range(20)]
            large = rustyray.put(bytes(200_000))
            assert rustyray.get(refs) == [2 * n for n in range(20)]
            assert len(rustyray.get(echo.echo.remote(large))) == 200_000
            rustyray.wait(refs, num_returns=3, timeout=1)
    except (RayError, RuntimeError, ValueError):
        return  # the runtime has ended: shut down, or its node was killed
    except BaseException as error:  # noqa: BLE001 - it is told to the test
        errors.append(error)


@pytest.mark.parametrize("seed", range(5))
def test_shutdown_and_kills_at_any_moment_under_load(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(15):
        rustyray.init(num_cpus=2)
        stop = threading.Event()
        errors: list[BaseException] = []
        users = [threading.Thread(target=mixed_work, args=(stop, errors)) for _ in range(4)]
        for user in users:
            user.start()
        time.sleep(draw.random() * 0.2)  # not to wait for something, but to be somewhere in the middle
        if draw.random() < 0.3:
            os.kill(node_pid(), signal.SIGKILL)
        enders = [threading.Thread(target=rustyray.shutdown, kwargs={"grace": 0.1}) for _ in range(3)]
        for ender in enders:
            ender.start()
        stop.set()
        for thread in users + enders:
            thread.join(30)
        assert not any(thread.is_alive() for thread in users + enders)
        rustyray.shutdown()  # a user may have started another one, by its first call after the end
        assert errors == []
        assert nodes_left() == []


def test_drivers_killed_at_any_moment_leave_nothing() -> None:
    def program(tell: Any) -> None:
        @rustyray.remote
        def double(n: int) -> int:
            return 2 * n

        rustyray.init(num_cpus=2)
        tell(descendants(os.getpid()))
        while True:
            rustyray.get([double.remote(n) for n in range(50)])

    draw = random.Random(1)
    for _ in range(15):
        with driver(program) as running:
            running.hear()
            time.sleep(draw.random() * 0.1)  # not to wait for something, but to be somewhere in the middle
            pids = descendants(running.pid)
            running.kill(signal.SIGKILL)
            running.wait()
        assert eventually(lambda: not any(alive(pid) for pid in pids), 10), pids  # noqa: B023 - used at once

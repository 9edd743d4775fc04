"""What cannot be simulated is refused, with the line that asks for it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable

import pytest

import rustyray
from rustyray.exceptions import ActorDiedError, SimulationError, WorkerCrashedError

pytestmark = pytest.mark.usefixtures("sim")


def test_processes_and_sockets_in_tasks() -> None:
    @rustyray.remote
    def run() -> None:
        subprocess.run([sys.executable, "-c", ""], check=True)

    @rustyray.remote
    def connect() -> None:
        socket.create_connection(("127.0.0.1", 1))

    with pytest.raises(SimulationError, match=r"a subprocess cannot be simulated: .*test_outside.py:\d+ in .*run"):
        rustyray.get(run.remote())
    with pytest.raises(SimulationError, match="a socket cannot be simulated"):
        rustyray.get(connect.remote())


@pytest.mark.parametrize(
    "begin",
    [
        lambda: os.posix_spawn("/bin/true", ["true"], {}),
        lambda: os.execv("/bin/true", ["true"]),
        lambda: os.forkpty(),  # noqa: PLW0108 - found by name when it runs
        lambda: os.popen("true"),
        lambda: socket.socketpair(),  # noqa: PLW0108
    ],
)
def test_other_ways_to_start_them(begin: Callable[[], object]) -> None:
    with pytest.raises(SimulationError, match=r"cannot be simulated: .*test_outside.py:\d+ in <lambda> starts one"):
        rustyray.get(rustyray.remote(begin).remote())


def test_event_loops_have_neither(sim: rustyray.Session) -> None:
    @rustyray.remote
    class Actor:
        async def run(self) -> None:
            await asyncio.create_subprocess_exec("true")

        async def connect(self) -> None:
            await asyncio.open_connection("127.0.0.1", 1)

    actor = Actor.remote()
    with pytest.raises(SimulationError, match=r"event loop has no subprocesses: .*test_outside.py:\d+ in .*run asks"):
        rustyray.get(actor.run.remote())
    with pytest.raises(SimulationError, match="event loop has no sockets"):
        rustyray.get(actor.connect.remote())


def test_the_test_itself_may_use_them() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)
    with socket.socket():
        pass


def test_signals_to_the_own_process_end_the_simulated_one() -> None:
    @rustyray.remote(max_retries=0)
    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(WorkerCrashedError, match="SIGKILL"):
        rustyray.get(kill.remote())


def test_what_the_library_registers_for_the_interpreters_end_waits_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first finalizer does so; were that the worker's, no finalizer would work when the worker has ended."""
    monkeypatch.setattr(weakref.finalize, "_registered_with_atexit", False)

    @rustyray.remote
    class Actor:
        def finalize(self) -> None:
            weakref.finalize(self, int)

        def leave(self) -> None:
            rustyray.exit_actor()

    actor = Actor.remote()
    rustyray.get(actor.finalize.remote())
    with pytest.raises(ActorDiedError):
        rustyray.get(actor.leave.remote())
    time.sleep(10)
    seen: list[int] = []
    thing = threading.Event()
    weakref.finalize(thing, seen.append, 1)
    del thing
    assert seen == [1]


def test_other_threads_see_the_real_thing() -> None:
    # A thread that the simulation knows nothing of: it was made before the runtime.
    rustyray.shutdown()
    begin, seen = threading.Event(), []

    def look() -> None:
        begin.wait(10)
        seen.append(time.time())
        try:
            rustyray.get(rustyray.put(1))
            rustyray.get(rustyray.put(bytes(200_000)))
        except SimulationError as error:
            seen.append(str(error))  # type: ignore[arg-type]

    thread = threading.Thread(target=look)
    real_join = thread.join
    thread.start()
    with rustyray.init(engine="sim"):
        time.sleep(1000)
        simulated = time.time()
        begin.set()
        real_join(10)
    assert simulated < seen[0]
    assert "only be used by the thread that called init()" in str(seen[1])

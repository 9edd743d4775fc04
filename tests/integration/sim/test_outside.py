"""What cannot be simulated is refused, with the line that asks for it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

import rustyray
from rustyray.exceptions import SimulationError, WorkerCrashedError

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

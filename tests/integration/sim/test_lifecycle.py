"""The beginning and the end of simulated runtimes."""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
import signal
import time
from contextlib import closing
from pathlib import Path

import pytest

import rustyray
from rustyray.exceptions import RayTaskError, SimulationError
from tests.integration.sim.conftest import Start


@rustyray.remote
def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return rustyray.get_runtime_context().get_node_id()


def test_nodes_and_resources(start: Start) -> None:
    start(num_nodes=3, num_cpus=2, resources={"license": 1})
    assert len(rustyray.nodes()) == 3
    assert rustyray.cluster_resources()["CPU"] == 6
    assert rustyray.cluster_resources()["license"] == 3
    assert len(set(rustyray.get([sleep.remote(1) for _ in range(6)]))) > 1


def test_work_that_runs_at_the_end_is_reported(start: Start) -> None:
    session = start()
    refs = [sleep.remote(1000) for _ in range(3)]
    rustyray.wait(refs, timeout=1)
    report = session.shutdown(grace=5)
    assert report is not None
    assert any("sleep" in line for line in report.forced)
    assert "still running" in str(report)
    assert gc.isenabled()


def test_nothing_works_after_the_end(start: Start) -> None:
    start()
    ref = sleep.remote(1)
    rustyray.shutdown()
    assert not rustyray.is_initialized()
    with pytest.raises(RuntimeError, match=r"call rustyray\.init"):
        rustyray.get(ref)


def test_clean_up_of_programs_that_are_cut_short(start: Start) -> None:
    seen: list[str] = []

    @rustyray.remote
    class Held:
        def hold(self) -> None:
            try:
                time.sleep(1000)
            finally:
                seen_here.append("unwound")
                time.sleep(1)  # the process is gone: this does not come back

    seen_here = seen
    start()
    held = Held.remote()
    rustyray.wait([held.hold.remote()], timeout=1)
    rustyray.shutdown(grace=0)
    assert seen == []  # the actor's copy of the list was changed, not this one


def test_names_and_contexts(start: Start) -> None:
    @rustyray.remote
    def who() -> tuple[str | None, str]:
        context = rustyray.get_runtime_context()
        return context.get_task_name(), context.get_worker_id()

    start()
    names = rustyray.get([who.options(name="one").remote(), who.options(name="two").remote()])
    assert [name for name, _ in names] == ["one", "two"]
    assert rustyray.get_runtime_context().get_worker_id() not in {worker for _, worker in names}
    assert rustyray.get_runtime_context().get_task_id() is None


def test_errors_show_the_users_code_only(start: Start) -> None:
    @rustyray.remote
    def fail() -> None:
        raise LookupError("here")

    start()
    with pytest.raises(RayTaskError) as caught:
        rustyray.get(fail.remote())
    assert "raise LookupError" in str(caught.value)
    assert "running.py" not in str(caught.value)


@pytest.mark.parametrize("how", ["exit_actor", "shutdown", "kill"])
def test_exit_hooks_are_the_workers_own(start: Start, tmp_path: Path, how: str) -> None:
    mark = tmp_path / "left"

    @rustyray.remote
    class Careful:
        def __init__(self) -> None:
            atexit.register(mark.touch)

        def ready(self) -> None: ...

        def leave(self) -> None:
            rustyray.exit_actor()

    start()
    careful = Careful.remote()
    rustyray.get(careful.ready.remote())
    if how == "exit_actor":
        careful.leave.remote()
    elif how == "kill":
        rustyray.kill(careful)
    if how != "shutdown":
        time.sleep(1)
        assert mark.exists() is (how != "kill")
    rustyray.shutdown()
    assert mark.exists() is (how != "kill")


def test_process_numbers_are_the_workers_own(start: Start) -> None:
    @rustyray.remote(max_restarts=1, max_task_retries=1)
    class Reborn:
        def pid(self) -> int:
            return os.getpid()

    start()
    reborn = Reborn.remote()
    pid = rustyray.get(reborn.pid.remote())
    assert pid != os.getpid()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert rustyray.get(reborn.pid.remote()) not in (pid, os.getpid())


def test_ctrl_c_in_a_task_reaches_the_driver(start: Start) -> None:
    @rustyray.remote
    def spin() -> None:
        signal.raise_signal(signal.SIGINT)
        while True:
            pass

    start()
    with pytest.raises(KeyboardInterrupt):
        rustyray.get(spin.remote())
    assert rustyray.get(rustyray.put(1)) == 1
    rustyray.shutdown()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_event_loop_from_before_is_refused(start: Start) -> None:
    async def wait() -> None:
        await sleep.remote(1)

    with closing(asyncio.new_event_loop()) as loop:
        start()
        with pytest.raises(SimulationError, match="this event loop was made before"):
            loop.run_until_complete(wait())
    asyncio.run(wait())


def test_an_event_loop_of_an_earlier_simulated_runtime_is_refused(start: Start) -> None:
    async def wait() -> None:
        await sleep.remote(1)

    start()
    with closing(asyncio.new_event_loop()) as loop:
        loop.run_until_complete(wait())
        rustyray.shutdown()
        start()
        with pytest.raises(SimulationError, match="this event loop was made before"):
            loop.run_until_complete(wait())


def test_handles_without_a_ref_from_an_earlier_runtime_are_refused(start: Start) -> None:
    @rustyray.remote
    class Actor:
        def ping(self) -> int:
            return 1

    start()
    Actor.options(name="actor", lifetime="detached").remote()
    handle = rustyray.get_actor("actor")
    rustyray.shutdown()
    start()
    actor = Actor.remote()  # it has the same id
    with pytest.raises(ValueError, match="handle from an earlier runtime"):
        handle.ping.remote()
    with pytest.raises(ValueError, match="handle from an earlier runtime"):
        rustyray.kill(handle)
    assert rustyray.get(actor.ping.remote()) == 1

"""Each kind of leak is planted, told, put away, and the next test is clean."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.plugin.conftest import Suite

OWN_RUNTIME = """
    import os, socket, subprocess, sys, threading, time
    from multiprocessing import Process, shared_memory
    import joblib
    import numpy
    import pytest
    from joblib.externals.loky import reusable_executor
    import rustyray

    kept = []

    def note(*pids):
        with open("pids", "a") as file:
            print(*pids, file=file)

    @rustyray.remote
    def leaves_an_orphan():
        return subprocess.Popen(["sleep", "1000"], start_new_session=True).pid

    @rustyray.remote
    def large():
        return numpy.zeros(1_000_000)

    def for_ever():
        while True:
            time.sleep(0.001)

    def test_leaks(rustyray_local):
        kept.append(subprocess.Popen(["sleep", "3000"]))
        subprocess.run(["sh", "-c", "sleep 2000 & echo $! >> pids"])
        kept.append(Process(target=time.sleep, args=(1000,)))
        kept[-1].start()
        note(kept[-1].pid, kept[-2].pid, rustyray.get(leaves_an_orphan.remote()))
        threading.Thread(target=for_ever, name="restless", daemon=True).start()
        threading.Timer(1000, for_ever).start()
        kept.append(open("opened", "w"))
        kept[-1].write("written")
        kept.append(os.pipe())
        kept.append(socket.create_server(("127.0.0.1", 0)))
        kept.append(shared_memory.SharedMemory(create=True, size=1000))
        kept.append(rustyray.get(large.remote()))

    def test_clean(rustyray_local):
        with open("opened") as file:
            assert file.read() == "written"
        assert kept[0].returncode == kept[1].exitcode == -9
        assert not os.path.exists("/dev/shm/" + kept[-2].name)
        threads = [thread.name for thread in threading.enumerate() if "rustyray-" not in thread.name]
        assert threads == ["MainThread"]

    @pytest.mark.rustyray(allow_leaks="descriptors")
    def test_allowed(rustyray_local):
        kept.append(open("opened"))

    def test_still_there(rustyray_local):
        assert kept[-1].read() == "written"
        kept.pop().close()

    @pytest.mark.rustyray(allow_leaks=True)
    def test_all_allowed(rustyray_local):
        kept.append(os.pipe())

    @pytest.mark.rustyray(leaks="warn")
    @pytest.mark.filterwarnings("default")
    def test_warned_of():
        with rustyray.init(num_cpus=1):
            kept.append(os.pipe())

    def test_without_a_runtime():
        kept.append(os.pipe())

    def test_what_a_failed_test_has_in_its_variables_is_its_tracebacks(rustyray_local):
        ends, timer = os.pipe(), threading.Timer(1000, print)
        timer.start()
        raise ValueError

    @pytest.fixture
    def broken():
        yield
        raise ValueError("in the teardown")

    def test_with_a_broken_fixture(rustyray_local, broken):
        kept.append(os.pipe())

    def test_what_joblib_keeps_for_later(rustyray_local):
        assert joblib.Parallel(n_jobs=2)([joblib.delayed(abs)(-1)]) == [1]
        kept.append({*reusable_executor._executor._processes})

    def test_it_is_still_there(rustyray_local):
        assert joblib.Parallel(n_jobs=2)([joblib.delayed(abs)(-1)]) == [1]
        assert {*reusable_executor._executor._processes} == kept.pop()

    def test_end(rustyray_local):
        assert rustyray.get(large.remote()).sum() == 0
"""


def test_kinds_of_leaks(suite: Suite, assert_ended: Callable[[list[int]], None]) -> None:
    result = suite.write(test_it=OWN_RUNTIME).run()
    result.assert_outcomes(passed=11, failed=1, errors=3, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "left behind, and put away: processes (4), threads (2), descriptors (3), sockets (1), memory (*)",
            "  process * (sleep *): killed",
            "  process * (a fork of this one): killed",
            "  process * (sleep *): killed",
            "  thread 'restless', which runs for_ever (*test_it.py:*), now at *test_it.py:* in for_ever: ended",
            "  thread 'Thread-*', which runs Timer.run (*): ended",
            "  descriptor * of *opened: closed (TextIOWrapper)",
            "  descriptor * of pipe:*: closed; its number stands for /dev/null",
            "  descriptor *, a socket (AF_INET, SOCK_STREAM) at ('127.0.0.1', *): closed (socket)",
            "  descriptor * of /dev/shm/*: closed (SharedMemory)",
            "  the store of a runtime that has ended: a value that was read from it is still referred to: goes with *",
            "If it is meant to stay, mark the test @pytest.mark.rustyray(allow_leaks=[[]'processes', 'threads', *[]]).",
            "*ERROR at teardown of test_what_a_failed_test*",
            "left behind, and put away: threads (1)",
            "*ERROR at teardown of test_with_a_broken_fixture*",
            "E * ValueError: in the teardown",
            "*Captured leaks teardown*",
            "left behind, and put away: descriptors (2)",
            "*LeakWarning: left behind, and put away: descriptors (2)",
        ]
    )
    assert_ended(suite.noted("pids"))


POOLS = """
    import multiprocessing, signal, time
    from multiprocessing.pool import ThreadPool

    kept = []

    def for_ever(_):
        while True:
            time.sleep(0.001)

    def ignore():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def test_leaks(rustyray_local):
        kept.append(ThreadPool(1))
        kept.append(multiprocessing.get_context("fork").Pool(2, ignore))
        kept[0].apply_async(for_ever, [0])
        assert kept[1].map(abs, [-1]) == [1]
        kept[1].map_async(for_ever, range(9))

    def test_clean(rustyray_local):
        assert not multiprocessing.active_children()
        assert [process.exitcode for process in kept[1]._pool] == [-9, -9]
"""

POOL_OF_ACTORS = """
    import time
    import pytest
    from rustyray.util import multiprocessing, state

    kept = []

    def test_leaks(rustyray_shared):
        kept.append(multiprocessing.Pool(2))
        kept.append(kept[0].map_async(time.sleep, [1000] * 9, chunksize=1))

    def test_clean(rustyray_shared):
        assert {actor.state for actor in state.list_actors()} == {"DEAD"}
        with pytest.raises(RuntimeError, match="terminated"):
            kept[1].get()
"""


def test_pools_are_ended_as_a_whole(suite: Suite) -> None:
    result = suite.write(test_it=POOLS, test_others=POOL_OF_ACTORS).run()
    result.assert_outcomes(passed=4, errors=2)
    result.stdout.fnmatch_lines(
        [
            "left behind, and put away: processes (2), threads (7), descriptors (*)",
            *["  process * (a fork of this one): ended with its pool"] * 2,
            "  thread 'Thread-* (worker)', *: ended",
            *["  thread 'Thread-* (_handle_*)', *: ended with its pool"] * 6,
            "left behind, and put away: refs (*), actors (2), tasks (2)",
            "  actor rustyray.util.multiprocessing.pool.PoolActor: ended with its pool",
        ]
    )


SHARED_RUNTIME = """
    import threading, time
    import pytest
    import rustyray
    from rustyray.util.placement_group import placement_group

    pytestmark = pytest.mark.rustyray(topology=TOPOLOGY)
    kept = []

    @rustyray.remote
    class Counter:
        def one(self):
            return 1

    @rustyray.remote(num_cpus=0)
    class Slow:
        def __init__(self):
            time.sleep(0.6)

    @pytest.fixture(scope="module")
    def counter(rustyray_shared):
        kept.append(threading.Event())
        threading.Thread(target=kept[0].wait, name="of the module").start()
        counter = Counter.remote()
        yield counter
        kept[0].set()

    def test_clean(rustyray_shared):
        assert rustyray.get(Counter.remote().one.remote()) == 1
        Slow.options(name="meant to stay", lifetime="detached").remote()
        placement_group([{"memory": 1}], name="meant to stay", lifetime="detached")

    def test_clean_once_it_has_ended(rustyray_shared):
        kept.append(Slow.remote())
        kept.pop().__ray_terminate__.remote()

    def test_with_an_actor_of_the_module(counter):
        kept.append(counter.one.remote())
        assert rustyray.get(kept.pop()) == 1

    def test_work(counter):
        kept.append(rustyray.put(1))
        rustyray.remote(time.sleep).remote(1000)
        kept.append(Counter.options(name="kept").remote())
        placement_group([{"CPU": 1}, {"CPU": 0.5}], name="kept")

    def test_work_is_gone(counter):
        assert rustyray.get(counter.one.remote()) == 1
        while rustyray.available_resources()["CPU"] < 2:
            time.sleep(0.01)
        with pytest.raises(ValueError):
            rustyray.get_actor("kept")
"""


def test_work_left_in_a_shared_runtime(suite: Suite) -> None:
    pytest.importorskip("xdist")
    suite.write(
        test_native=SHARED_RUNTIME.replace("TOPOLOGY", '"local"'),
        test_simulated=SHARED_RUNTIME.replace("TOPOLOGY", '"sim"'),
    )
    result = suite.run_parallel("--dist=loadfile")
    result.assert_outcomes(passed=10, errors=2)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_work*",
            "left behind, and put away: refs (1), actors (1), tasks (1), groups (1)",
            "  a ref to object *: stays with whoever refers to it",
            "  actor test_*.Counter named 'kept': killed",
            "  time.sleep, *: cancelled",
            "  placement group 'kept' of {CPU: 1}, {CPU: 0.5}: removed",
        ]
        * 2
    )


def test_what_pytest_still_holds_of_a_test_that_is_over_is_no_leak(suite: Suite) -> None:
    suite.write(
        test_it="""
            import pytest
            import rustyray

            @rustyray.remote
            class Actor:
                def one(self):
                    return 1

            @pytest.fixture
            def actor(rustyray_shared):
                yield Actor.options(num_cpus=0).remote()

            @pytest.mark.parametrize("number", range(2))
            def test_values_of_fixtures(actor, number):
                assert rustyray.get(actor.one.remote()) == 1

            class TestInstances:
                @pytest.fixture(autouse=True)
                def made(self, rustyray_shared):
                    self.actor = Actor.options(num_cpus=0).remote()

                @pytest.mark.parametrize("number", range(2))
                def test_attributes(self, number):
                    assert rustyray.get(self.actor.one.remote()) == 1
        """
    )
    suite.run().assert_outcomes(passed=4)

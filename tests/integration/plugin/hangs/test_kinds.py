"""Each kind of hang is planted, told with its cause, ended, and the next test passes."""

from __future__ import annotations

import pytest

from tests.integration.plugin.conftest import Suite

HANGS = """
    import asyncio, ctypes, threading, time
    import pytest
    import rustyray

    pytestmark = pytest.mark.rustyray(timeout=1.5)

    @pytest.mark.rustyray(timeout=0)
    def test_that_starts_what_all_runtimes_come_from():
        pass

    @pytest.fixture(autouse=True, params=["hangs", "next"])
    def turn(request, rustyray_local):
        if request.param == "next":
            assert rustyray.get(rustyray.remote(abs).remote(-1)) == 1
            pytest.skip("has run")

    @rustyray.remote
    def sleeps():
        time.sleep(1000)

    @rustyray.remote
    def after(nothing):
        pass

    @rustyray.remote
    def spins():
        while True:
            pass

    @rustyray.remote(num_gpus=3)
    def needs_gpus():
        pass

    @rustyray.remote
    class Account:
        def meet(self, other):
            self.other = other

        def ask(self):
            return rustyray.get(self.other.answer.remote())

        def answer(self):
            return rustyray.get(self.other.answer.remote())

    @rustyray.remote
    class Async:
        async def waits(self):
            await asyncio.get_running_loop().create_future()

    def test_task_that_never_ends():
        rustyray.get(after.remote(sleeps.remote()))

    def test_circle():
        one, other = Account.remote(), Account.remote()
        rustyray.get([one.meet.remote(other), other.meet.remote(one)])
        rustyray.get(one.ask.remote())

    def test_lock():
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()

    def test_spins():
        rustyray.wait([spins.remote()])

    def test_async():
        rustyray.get(Async.remote().waits.remote())

    def test_resources():
        rustyray.get(needs_gpus.remote())

    def test_ends_while_it_is_looked_what_it_waits_for(monkeypatch):
        from pytest_rustyray.hangs import looking

        looked, ended, look = threading.Event(), threading.Event(), looking.look

        def looks(root):
            looked.set()
            ended.wait(0.2)
            return look(root)

        monkeypatch.setattr(looking, "look", looks)
        looked.wait()

    def test_c_code_that_nobody_can_look_behind():
        ctypes.PyDLL(None).usleep(1_600_000)
"""


def test_kinds_of_hangs(suite: Suite) -> None:
    result = suite.write(test_it=HANGS).run()
    result.assert_outcomes(passed=1, failed=8, skipped=9)
    driver = "E * the driver at *test_it.py:* in test_{} waits for {}"
    result.stdout.fnmatch_lines(
        [
            "E * Failed: the test took longer than 1.5 s (timeout=1.5, @pytest.mark.rustyray), and was ended. Who *:",
            driver.format("task*", "the result of test_it.after, which waits for its arguments: the result of *sleeps"),
            "E * worker * (test_it.sleeps) at *test_it.py:* in sleeps waits for nothing of the runtime",
            "*test_it.py:*: Failed",
            "* rustyray tasks *",
            "test_it.after waiting for arguments for *, waits for the result of test_it.sleeps, its argument",
            "* rustyray stacks *",
            "driver, pid *, MainThread:",
            "    *test_it.py:* in test_task_that_never_ends: rustyray.get(after.remote(sleeps.remote()))",
            "worker, pid *, MainThread:",
            "    *test_it.py:* in sleeps: time.sleep(1000)",
            "* rustyray events *",
            "??:??:??.??? worker task run began test_it.sleeps *",
            driver.format("circle", "the result of test_it.Account.ask"),
            "E * deadlock: worker * (test_it.Account.a*) → worker * (test_it.Account.a*) → worker * (*)",
            driver.format("lock", "nothing of the runtime"),
            "    *test_it.py:* in test_lock: lock.acquire()",
            driver.format("spins", "the result of test_it.spins"),
            "E * worker * (test_it.spins) at *test_it.py:* in spins waits for nothing of the runtime",
            driver.format("async", "the result of test_it.Async.waits"),
            "E * worker * (test_it.Async.waits) at *test_it.py:* in Async.waits waits for nothing of the runtime",
            driver.format("resources", "*needs_gpus, which is queued: *no node can ever give a worker with*GPU: 3: *"),
            "*test_ends_while_it_is_looked_what_it_waits_for[[]hangs[]]*",
            "the test took longer than 1.5 s (timeout=1.5, @pytest.mark.rustyray), and was ended. Who *:",
            "FAILED test_it.py::test_ends_while_it_is_looked_what_it_waits_for[[]hangs[]]*",
            "FAILED test_it.py::test_c_code_that_nobody_can_look_behind[[]hangs[]]*",
        ]
    )


ENDS_LATE = """
    import time
    import pytest
    import rustyray

    @pytest.fixture
    def runtime():
        rustyray.init(num_cpus=1)
        yield
        rustyray.get(rustyray.remote(time.sleep).remote(1000))

    @pytest.mark.rustyray(timeout=1.5)
    def test_one(runtime):
        pass

    def test_next(rustyray_local):
        assert rustyray.get(rustyray.remote(abs).remote(-1)) == 1
"""


def test_a_deadline_that_interrupts_again_while_the_runtime_is_shut_down(suite: Suite) -> None:
    result = suite.write(test_it=ENDS_LATE).run()
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["E * Failed: the test took longer than 1.5 s *", "test_it.py:*: Failed"])
    result.stdout.no_fnmatch_line("*ExceptionGroup*")


ELSEWHERE = """
    import threading, time
    import pytest
    import rustyray

    pytestmark = pytest.mark.rustyray(timeout=1.5)

    @rustyray.remote
    class Spins:
        def spin(self):
            while True:
                time.sleep(0.01)

    @pytest.mark.rustyray(timeout=0)
    def test_without_a_deadline(rustyray_shared):
        assert rustyray.get(rustyray.remote(abs).remote(-1)) == 1

    def test_in_a_shared_runtime(rustyray_shared):
        rustyray.get(rustyray.remote(time.sleep).remote(1000))

    def test_in_an_actor(rustyray_shared):
        rustyray.get(Spins.remote().spin.remote())

    def test_the_shared_runtime_goes_on(rustyray_shared):
        assert rustyray.get([rustyray.remote(abs).remote(-1) for _ in range(4)]) == [1] * 4
"""
FIXTURES = """
    import threading, time
    import pytest
    import rustyray

    pytestmark = pytest.mark.rustyray(timeout=1.5)

    @pytest.mark.rustyray(timeout=0)
    def test_no_deadline(rustyray_local):
        assert rustyray.get(rustyray.remote(abs).remote(-1)) == 1

    @pytest.fixture
    def hangs_at_first():
        time.sleep(1000)

    @pytest.fixture
    def hangs_at_last():
        yield
        time.sleep(1000)

    def test_setup(rustyray_local, hangs_at_first):
        pass

    def test_teardown(hangs_at_last, rustyray_local):
        pass

    @pytest.mark.rustyray(topology="sim")
    def test_simulated(rustyray_local):
        lock = made_outside
        with lock:
            rustyray.get(rustyray.remote(lambda: None).remote())
            lock.acquire()

    made_outside = threading.Lock()
    also_here = [made_outside]
"""


@pytest.mark.stress
def test_hangs_in_shared_runtimes_and_fixtures_in_parallel(suite: Suite) -> None:
    pytest.importorskip("xdist")
    result = suite.write(test_one=ELSEWHERE, test_other=FIXTURES).run_parallel("--dist=loadfile")
    result.assert_outcomes(passed=4, failed=3, errors=4)
    result.stdout.fnmatch_lines_random(
        [
            "E * the driver at *test_one.py:* in test_in_a_shared_runtime waits for the result of time.sleep",
            "left behind, and put away: tasks (1)",
            "E * worker * (test_one.Spins.spin) at *test_one.py:* in Spins.spin waits for nothing of the runtime",
            "E * the driver at *test_other.py:* in hangs_at_first waits for nothing of the runtime",
            "E * the driver at *test_other.py:* in hangs_at_last waits for nothing of a runtime",
            "    *test_other.py:* in test_simulated: lock.acquire()",
        ]
    )

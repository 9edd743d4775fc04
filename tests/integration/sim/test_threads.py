"""Threads of simulated code: who they are, what is theirs, and locks that live longer than the runtime."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing.pool import ThreadPool

import pytest

import rustyray
from rustyray.exceptions import SimulationError
from tests.integration.sim.conftest import Start

POOL = ThreadPoolExecutor(1)


@pytest.fixture(scope="module", autouse=True)
def _pool_ends() -> Iterator[None]:
    yield
    POOL.shutdown()


def in_thread(use: Callable[[], None]) -> None:
    thread = threading.Thread(target=use)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.usefixtures("sim")
@pytest.mark.parametrize("debug", [False, True])
def test_what_a_loop_waits_for_may_come_from_elsewhere(debug: bool) -> None:
    """In debug mode, as in `unittest.IsolatedAsyncioTestCase`, a loop looks who calls it."""

    @rustyray.remote
    def one() -> int:
        return 1

    async def two() -> int:
        return await one.remote() + await asyncio.to_thread(rustyray.get, one.remote())

    assert asyncio.run(two(), debug=debug) == 2


@pytest.mark.parametrize("again", [False, True])
def test_locks_go_on_after_the_runtime(start: Start, again: bool) -> None:
    start()
    lock, condition, seen = threading.RLock(), threading.Condition(), []
    with lock:
        rustyray.shutdown()
        if again:
            start()

    def use() -> None:
        with lock, lock, condition:
            seen.append(1)
            condition.notify()

    with lock, lock:
        pass
    with condition:
        thread = threading.Thread(target=use)
        thread.start()
        assert condition.wait_for(lambda: seen, 20)
    thread.join(20)
    with pytest.raises(RuntimeError):
        lock.release()


def test_logging_that_was_set_up_inside_goes_on(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start()
    logger, handler = logging.Logger("inside"), logging.StreamHandler(sys.stdout)
    logger.addHandler(handler)
    logger.warning("one")
    rustyray.shutdown()
    logger.warning("two")
    in_thread(lambda: logger.warning("three"))
    assert capsys.readouterr().out == "one\ntwo\nthree\n"


@pytest.mark.usefixtures("sim")
def test_thread_locals_are_each_threads_own() -> None:
    class Mine(threading.local):
        def __init__(self, start: int) -> None:
            self.count = start

    plain, mine, seen = threading.local(), Mine(5), []

    def use(number: int) -> None:
        plain.number = mine.count = number
        time.sleep(3 - number)
        seen.append(plain.number == mine.count == number)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 3
    assert mine.count == 5
    assert not hasattr(plain, "number")


@pytest.mark.usefixtures("sim")
def test_threads_know_who_they_are() -> None:
    seen = []

    def use() -> None:
        me = threading.current_thread()
        seen.append((me.name, me.ident == threading.get_ident(), me in threading.enumerate(), me.is_alive()))
        with pytest.raises(RuntimeError, match="cannot join current thread"):
            me.join()

    before = threading.active_count()
    thread = threading.Thread(target=use, name="bob")
    thread.start()
    assert threading.active_count() == before + 1
    thread.join()
    assert seen == [("bob", True, True, True)]
    assert threading.active_count() == before


@pytest.mark.usefixtures("sim")
def test_a_task_runs_in_the_main_thread_of_its_worker() -> None:
    @rustyray.remote
    def look() -> tuple[bool, int]:
        return threading.current_thread() is threading.main_thread(), threading.active_count()

    @rustyray.remote(max_concurrency=2)
    class Threaded:
        def look(self) -> bool:
            return threading.current_thread() is threading.main_thread()

    before = threading.enumerate()
    assert rustyray.get(look.remote()) == (True, 1)
    assert not rustyray.get(Threaded.remote().look.remote())
    rustyray.shutdown()
    assert threading.enumerate() == before


@pytest.mark.usefixtures("sim")
def test_whatever_a_thread_raises_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))

    def fail() -> None:
        raise KeyboardInterrupt

    async def elsewhere() -> None:
        with pytest.raises(SystemExit):
            await asyncio.to_thread(sys.exit, 3)

    in_thread(fail)
    asyncio.run(elsewhere())
    assert seen == [KeyboardInterrupt]


@pytest.mark.usefixtures("sim")
def test_an_executor_from_before_is_refused() -> None:
    with pytest.raises(
        SimulationError, match=r"made before the simulated runtime was up.*test_threads.py:\d+ in test_"
    ):
        POOL.submit(abs, -1)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(abs, -1).result() == 1


@pytest.mark.usefixtures("sim")
def test_a_thread_pool_of_multiprocessing() -> None:
    with ThreadPool(2) as pool:
        assert pool.map(lambda number: rustyray.get(rustyray.put(number)) + 1, [1, 2, 3]) == [2, 3, 4]


@pytest.mark.usefixtures("sim")
def test_every_way_to_a_new_event_loop() -> None:
    async def wait() -> int:
        return await rustyray.put(1)

    for make in (asyncio.new_event_loop, asyncio.get_event_loop_policy().new_event_loop):
        with closing(make()) as loop:
            assert loop.run_until_complete(wait()) == 1


def test_what_a_module_took_by_name(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("prices")
    module.__file__ = __file__
    exec(
        "from time import sleep, monotonic\nfrom threading import Lock, RLock as Again\nfrom os import _exit",
        vars(module),
    )
    monkeypatch.setitem(sys.modules, "prices", module)
    taken = {name: value for name, value in vars(module).items() if callable(value)}
    start()
    began = module.monotonic()
    module.sleep(3600)
    assert 3600 <= module.monotonic() - began < 3601
    assert repr(module.Lock()) == "<simulated unlocked lock>"
    rustyray.shutdown()
    assert {name: value for name, value in vars(module).items() if callable(value)} == taken


def test_locks_at_the_top_of_a_module(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("guarded")
    module.__file__ = __file__
    exec(
        "from threading import Condition, Lock, RLock\n"
        "lock, again, held, shared = Lock(), RLock(), Lock(), Lock()\n"
        "held.acquire(); condition = Condition(shared)",
        vars(module),
    )
    monkeypatch.setitem(sys.modules, "guarded", module)
    start()
    seen: list[int] = []

    def use(number: int) -> None:
        with module.lock, module.again, module.again:
            seen.append(number)
            time.sleep(10)
            seen.append(number)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [0, 0, 1, 1, 2, 2]
    with module.shared:
        module.condition.notify()
    assert not module.held.acquire(blocking=False)
    rustyray.shutdown()
    assert [type(one).__name__ for one in (module.lock, module.again, module.shared)] == ["lock", "RLock", "lock"]
    assert not any("simulated" in repr(one) for one in vars(module).values() if one is not module.__builtins__)


def test_what_was_put_back_too_late(start: Start) -> None:
    real = time.sleep
    start()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(time, "sleep", lambda seconds: None)
        rustyray.shutdown()
        assert time.sleep is not real  # it is the test's, not ours
    start()
    rustyray.shutdown()
    assert time.sleep is real

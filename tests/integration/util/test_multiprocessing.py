"""``rustyray.util.multiprocessing``."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import time
from collections.abc import Iterator
from typing import Any

import pytest

import rustyray
from rustyray import exceptions
from rustyray.util.multiprocessing import Pool, TimeoutError  # noqa: A004

pytestmark = pytest.mark.usefixtures("shared")


def start(number: int) -> None:
    os.environ["STARTED"] = str(number)


def told(_: int) -> str:
    return os.environ["STARTED"]


def sleeps(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def who(_: int) -> str:
    time.sleep(0.05)
    return rustyray.get_runtime_context().get_worker_id()


def inverse(x: float) -> float:
    return 1 / x


def crash(code: int) -> None:
    os._exit(code)


@pytest.fixture
def pool() -> Iterator[Pool]:
    with Pool(2) as pool:
        yield pool


def test_what_the_standard_library_does(pool: Pool) -> None:
    assert pool.map(inverse, [1, 2, 4]) == [1, 0.5, 0.25]
    assert pool.map(inverse, []) == []
    assert pool.map(lambda x: x + 1, range(100), chunksize=7) == list(range(1, 101))
    assert pool.starmap(pow, [(2, 3), (3, 2)]) == [8, 9]
    assert pool.starmap_async(pow, [(2, 3)]).get(timeout=30) == [8]
    assert pool.apply(pow, (2, 3), {"mod": 5}) == 3
    assert list(pool.imap(inverse, [1, 2, 4, 8])) == [1, 0.5, 0.25, 0.125]
    assert list(pool.imap(inverse, [1, 2, 4], chunksize=2)) == [1, 0.5, 0.25]
    assert sorted(pool.imap_unordered(inverse, iter([1, 2]))) == [0.5, 1]
    assert list(itertools.islice(pool.imap(str, itertools.count()), 3)) == ["0", "1", "2"]
    assert len(set(pool.map(who, range(4), chunksize=1))) == 2
    assert next(pool.imap_unordered(sleeps, [0.4, 0.01])) == 0.01


def test_errors_are_those_of_the_function(pool: Pool) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        pool.map(inverse, [1, 0])
    assert "in inverse" in str(raised.value.__cause__)  # where it was raised
    results = pool.imap(inverse, [1, 0, 2])
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == [0.5]
    told: list[Any] = []
    failing = pool.apply_async(inverse, (0,), error_callback=told.append)
    failing.wait(30)
    assert not failing.successful()
    good = pool.map_async(inverse, [1, 2], callback=told.append)
    assert good.get() == [1, 0.5]
    assert good.successful()
    assert [type(one) for one in told] == [ZeroDivisionError, list]
    with pytest.raises(TypeError, match="pickle"):
        pool.apply(print, ((n for n in range(1)),))


def test_waiting_has_an_end(pool: Pool) -> None:
    slow = pool.apply_async(time.sleep, (0.3,))
    assert not slow.ready()
    with pytest.raises(ValueError, match="not ready"):
        slow.successful()
    with pytest.raises(TimeoutError):
        slow.get(timeout=0.01)
    with pytest.raises(multiprocessing.TimeoutError):
        pool.imap(time.sleep, [0.2]).next(timeout=0.01)
    assert slow.get() is None


def test_processes_begin_and_end_as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STARTED", "never")  # simulated processes share the environment
    with Pool(2, initializer=start, initargs=(7,), maxtasksperchild=1) as pool:
        assert pool.map(told, range(2)) == ["7", "7"]
        assert len(set(pool.map(who, range(4), chunksize=1))) == 4
    with pytest.raises(exceptions.RayActorError):
        Pool(1, initializer=inverse, initargs=(0,))


def test_a_process_that_dies_is_replaced(pool: Pool) -> None:
    with pytest.raises(exceptions.RayActorError):
        pool.map(crash, [1])
    assert pool.map(inverse, [1, 2, 4]) == [1, 0.5, 0.25]


def test_closing_waits_and_terminating_does_not() -> None:
    pool = Pool(2)
    last = pool.map_async(time.sleep, [0.05] * 6, chunksize=1)
    with pytest.raises(ValueError, match="still running"):
        pool.join()
    pool.close()
    with pytest.raises(ValueError, match="closed"):
        pool.map(inverse, [1])
    pool.join()
    assert last.ready()
    pool = Pool(2)
    undone = pool.map_async(time.sleep, [60] * 6, chunksize=1)
    pool.terminate()
    pool.join()
    with pytest.raises(RuntimeError, match="terminated before"):
        undone.get(timeout=10)


def test_what_was_begun_before_closing_is_done_to_its_end() -> None:
    def numbers() -> Iterator[int]:
        yield from range(20)
        raise KeyError("no more")

    pool = Pool(2)
    in_order, any_order, broken = (
        pool.imap(int, range(20)),
        pool.imap_unordered(int, range(20)),
        pool.imap(int, numbers()),
    )
    pool.close()
    pool.join()
    assert list(in_order) == sorted(any_order) == [next(broken) for _ in range(20)] == [*range(20)]
    with pytest.raises(KeyError, match="no more"):
        next(broken)
    assert list(broken) == []


def test_after_terminating_iterators_come_to_their_end() -> None:
    pool = Pool(2)
    results = pool.imap(time.sleep, [60] * 20)
    pool.terminate()
    for _ in range(4):
        with pytest.raises(RuntimeError, match="terminated before"):
            results.next(timeout=10)
    with pytest.raises(ValueError, match="the pool is closed"):
        results.next(timeout=10)
    assert list(results) == []


def test_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="the cluster has 4 CPUs"):
        Pool(5)
    with pytest.raises(ValueError, match="one process or more"):
        Pool(0)
    with Pool(1) as pool, pytest.raises(NotImplementedError):
        pickle.dumps(pool)

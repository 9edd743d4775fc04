"""Functions that one process may run only so often (``max_calls``)."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import rustyray
from rustyray.exceptions import WorkerCrashedError
from tests.integration.drivers import eventually
from tests.integration.runtime.conftest import Start
from tests.integration.runtime.processes import alive


def pids(function: Any, count: int) -> Counter[int]:
    return Counter(rustyray.get([function.remote() for _ in range(count)], timeout=60))


def test_no_process_runs_it_more_often_and_no_call_is_lost(start: Start) -> None:
    start()

    @rustyray.remote(max_calls=3, max_retries=0)
    def limited() -> int:
        return os.getpid()

    @rustyray.remote
    def unlimited() -> int:
        return os.getpid()

    assert max(pids(limited, 20).values()) <= 3
    one_by_one = Counter(rustyray.get(limited.remote(), timeout=60) for _ in range(7))
    assert max(one_by_one.values()) <= 3
    spent = set(one_by_one) - {rustyray.get(unlimited.remote(), timeout=60)}
    assert len(spent) >= 2
    assert len(pids(unlimited, 20)) <= 2

    @rustyray.remote(max_calls=1, max_retries=0)
    def fails() -> None:
        raise KeyError(os.getpid())

    failed = []
    for _ in range(2):
        with pytest.raises(KeyError) as raised:
            rustyray.get(fails.remote(), timeout=60)
        failed.append(raised.value.args[0])
    assert len(set(failed)) == 2, "a run that fails counts"


def test_what_it_put_and_submitted_and_yielded_outlives_it(start: Start) -> None:
    start()

    @rustyray.remote
    def inner(number: int) -> int:
        return number + 1

    @rustyray.remote(max_calls=1)
    def outer(size: int) -> tuple[int, list[Any]]:
        return os.getpid(), [rustyray.put(b"x" * size), inner.remote(size)]

    @rustyray.remote(max_calls=1)
    def counting(to: int) -> Any:
        for number in range(to):
            yield rustyray.put(number)

    pid, refs = rustyray.get(outer.remote(1_000_000), timeout=60)
    _, few = rustyray.get(outer.remote(1), timeout=60)
    assert rustyray.get([*refs, *few], timeout=60) == [b"x" * 1_000_000, 1_000_001, b"x", 2]
    items: Any = counting.remote(5)
    assert [rustyray.get(rustyray.get(ref)) for ref in items] == list(range(5))
    refs.clear()
    assert eventually(lambda: not alive(pid), 5)


def test_one_that_dies_on_the_way_is_retried(start: Start, tmp_path: Path) -> None:
    start()

    @rustyray.remote(max_calls=2, max_retries=1)
    def dies_once(path: Path) -> int:
        if not path.exists():
            path.touch()
            os._exit(1)
        return os.getpid()

    got = rustyray.get([dies_once.remote(tmp_path / str(n)) for n in range(6)], timeout=60)
    assert max(Counter(got).values()) <= 2

    @rustyray.remote(max_calls=2, max_retries=0)
    def dies() -> None:
        os._exit(1)

    with pytest.raises(WorkerCrashedError):
        rustyray.get(dies.remote(), timeout=60)


def test_a_function_with_gpus_gets_a_new_process_each_time(start: Start) -> None:
    """As in Ray: only then is the GPU's memory free again."""
    start(num_gpus=1)

    @rustyray.remote(num_gpus=1)
    def on_gpu() -> int:
        return os.getpid()

    assert set(pids(on_gpu, 3).values()) == {1}

    @rustyray.remote(num_gpus=1, max_calls=0)
    def kept() -> int:
        return os.getpid()

    assert len(pids(kept, 3)) == 1


def test_it_is_a_matter_of_the_function(start: Start) -> None:
    start()

    @rustyray.remote(max_calls=1)
    def f() -> int:
        return os.getpid()

    with pytest.raises(ValueError, match=r"write @remote\(max_calls=2\) above .*f, not \.options"):
        f.options(max_calls=2)  # type: ignore[call-overload]
    assert set(pids(f.options(num_cpus=0.5), 3).values()) == {1}

"""Tasks: arguments, results, options, nesting, and that no task waits for one that waits for it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import rustyray
from tests.integration.drivers import eventually
from tests.integration.runtime.conftest import Start

pytestmark = pytest.mark.usefixtures("local")


def test_arguments_of_every_kind_arrive() -> None:
    @rustyray.remote
    def echo(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    data = {"a": [1, 2.5, None], "b": (b"x", "ü"), 3: {4}}
    assert rustyray.get(echo.remote()) == ((), {})
    assert rustyray.get(echo.remote(1, "two", key=data)) == ((1, "two"), {"key": data})
    assert rustyray.get(echo.remote(rustyray.put(5), key=rustyray.put(data))) == ((5,), {"key": data})


def test_wrong_arguments_are_the_callers_mistake_at_once() -> None:
    @rustyray.remote
    def add(a: int, b: int) -> int:
        return a + b

    with pytest.raises(TypeError, match="b"):
        add.remote(1)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="c"):
        add.remote(1, 2, c=3)  # type: ignore[call-overload]


def test_a_burst_comes_back_in_order() -> None:
    @rustyray.remote
    def square(n: int) -> int:
        return n * n

    assert rustyray.get([square.remote(n) for n in range(3000)]) == [n * n for n in range(3000)]


def test_several_results_have_a_ref_each() -> None:
    @rustyray.remote(num_returns=3)
    def three() -> tuple[int, str, list[int]]:
        return 1, "two", [3]

    refs: Any = three.remote()
    assert len(refs) == 3
    assert rustyray.get(list(refs)) == [1, "two", [3]]
    assert rustyray.get(refs[2]) == [3]


def test_no_result_has_no_ref(tmp_path: Path) -> None:
    @rustyray.remote(num_returns=0)
    def touch(path: Path) -> None:
        path.touch()

    result: Any = touch.remote(tmp_path / "seen")
    assert result is None
    assert eventually((tmp_path / "seen").exists)


@pytest.mark.parametrize(("value", "error", "told"), [((1, 2), ValueError, "2 values"), (7, TypeError, "int")])
def test_a_wrong_number_of_results_is_an_error_of_the_task(value: object, error: type[Exception], told: str) -> None:
    @rustyray.remote(num_returns=3)
    def wrong() -> Any:
        return value

    refs: Any = wrong.remote()
    for ref in refs:
        with pytest.raises(error, match=f"num_returns=3.*{told}"):
            rustyray.get(ref)


def test_a_ref_as_an_argument_becomes_its_value_and_one_inside_a_list_stays() -> None:
    @rustyray.remote
    def kinds(a: object, inside: list[object]) -> tuple[str, str]:
        return type(a).__name__, type(inside[0]).__name__

    ref = rustyray.put(1)
    assert rustyray.get(kinds.remote(ref, [ref])) == ("int", "ObjectRef")


def test_a_chain_of_tasks_passes_its_values_on() -> None:
    @rustyray.remote
    def add(a: int, b: int) -> int:
        return a + b

    ref: Any = 0
    for _ in range(200):
        ref = add.remote(ref, 1)
    assert rustyray.get(ref) == 200


def test_ten_thousand_refs_as_arguments() -> None:
    @rustyray.remote
    def total(*numbers: int) -> int:
        return sum(numbers)

    refs = [rustyray.put(n) for n in range(10_000)]
    assert rustyray.get(total.remote(*refs)) == sum(range(10_000))


def test_closures_and_lambdas_travel() -> None:
    factor = 3
    triple = rustyray.remote(lambda n: n * factor)
    assert rustyray.get(triple.remote(4)) == 12


def test_options_make_a_new_function_and_leave_the_old_one_alone() -> None:
    @rustyray.remote
    def name() -> str:
        return rustyray.get_runtime_context().get_task_name() or ""

    special = name.options(name="special")
    assert rustyray.get(special.remote()) == "special"
    assert rustyray.get(name.remote()) != "special"


def test_tasks_run_beside_each_other(tmp_path: Path) -> None:
    @rustyray.remote
    def meet(mine: str, other: str) -> bool:
        (tmp_path / mine).touch()
        deadline = time.monotonic() + 20
        while not (tmp_path / other).exists():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return True

    assert rustyray.get([meet.remote("a", "b"), meet.remote("b", "a")]) == [True, True]


# --- nesting ----------------------------------------------------------------------------------------------------------


def test_tasks_start_tasks() -> None:
    @rustyray.remote
    def leaf(n: int) -> int:
        return n

    @rustyray.remote
    def branch(n: int) -> int:
        return sum(rustyray.get([leaf.remote(10 * n + k) for k in range(10)]))

    assert rustyray.get([branch.remote(n) for n in range(10)]) == [100 * n + 45 for n in range(10)]


def test_recursion_goes_deeper_than_there_are_cpus(start: Start) -> None:
    @rustyray.remote
    def fib(n: int) -> int:
        if n < 2:
            return n
        return sum(rustyray.get([fib.remote(n - 1), fib.remote(n - 2)]))

    assert rustyray.get(fib.remote(7), timeout=60) == 13


def test_one_cpu_is_enough_for_nested_tasks(start: Start) -> None:
    """A task that waits gives its CPU back."""
    rustyray.shutdown()
    start(num_cpus=1)

    @rustyray.remote
    def down(n: int) -> int:
        return 0 if n == 0 else 1 + int(rustyray.get(down.remote(n - 1)))

    assert rustyray.get(down.remote(4), timeout=60) == 4


def test_waiting_with_wait_gives_the_cpu_back_too(start: Start) -> None:
    rustyray.shutdown()
    start(num_cpus=1)

    @rustyray.remote
    def leaf() -> int:
        return 5

    @rustyray.remote
    def waits() -> int:
        ready, _ = rustyray.wait([leaf.remote()])
        return int(rustyray.get(ready[0]))

    assert rustyray.get(waits.remote(), timeout=60) == 5


def test_a_task_may_wait_for_one_that_was_queued_behind_it(start: Start) -> None:
    """Pipelining must not deadlock: on one worker, A blocks on B, which was pushed to the same worker after it."""
    rustyray.shutdown()
    start(num_cpus=1)

    @rustyray.remote
    def quick(n: int) -> int:
        return n

    @rustyray.remote
    def waits_for(refs: list[Any]) -> int:
        return int(rustyray.get(refs[0]))

    rustyray.get([quick.remote(n) for n in range(500)])  # so short that many are pushed ahead
    assert rustyray.get([waits_for.remote([quick.remote(n)]) for n in range(5)], timeout=60) == [0, 1, 2, 3, 4]

    @rustyray.remote
    def either(path_or_ref: Any) -> int:
        if isinstance(path_or_ref, list):
            return int(rustyray.get(path_or_ref[0]))
        return int(path_or_ref)

    rustyray.get([either.remote(n) for n in range(500)])
    behind: list[Any] = []
    first = either.remote(behind)  # pickled while empty
    assert rustyray.get([*(either.remote(n) for n in range(20))], timeout=60) == list(range(20))
    with pytest.raises(IndexError):
        rustyray.get(first)
    box = rustyray.put(0)
    chain = [either.remote([box])]
    for _ in range(20):
        chain.append(either.remote([chain[-1]]))
    assert rustyray.get(chain, timeout=60) == [0] * 21


def test_short_tasks_do_not_starve_behind_a_long_one(tmp_path: Path) -> None:
    """Many short tasks are pushed ahead, then one turns out long: the other worker takes over what is behind it."""

    @rustyray.remote
    def work(n: int) -> int:
        if n == 500:
            deadline = time.monotonic() + 60
            while not (tmp_path / "go").exists() and time.monotonic() < deadline:
                time.sleep(0.001)
        return n

    rustyray.get([work.remote(1) for _ in range(1000)])
    refs = [work.remote(n) for n in range(1000)]
    long = refs.pop(500)
    assert rustyray.get(refs, timeout=30) == [n for n in range(1000) if n != 500]
    (tmp_path / "go").touch()
    assert rustyray.get(long) == 500


def test_many_threads_submit_and_get_at_once() -> None:
    @rustyray.remote
    def double(n: int) -> int:
        return 2 * n

    wrong: list[object] = []

    def use(base: int) -> None:
        for n in range(base, base + 40):
            got = rustyray.get(double.remote(n))
            wrong.extend([n] if got != 2 * n else [])

    threads = [threading.Thread(target=use, args=(1000 * k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


def test_threads_inside_a_task_use_the_runtime() -> None:
    @rustyray.remote
    def leaf(n: int) -> int:
        return n + 1

    @rustyray.remote
    def spread() -> list[int]:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda n: rustyray.get(leaf.remote(n)), range(20)))

    assert rustyray.get(spread.remote(), timeout=60) == list(range(1, 21))


def test_workers_are_other_processes_with_the_drivers_directory_and_environment(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rustyray.shutdown()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUSTYRAY_TEST_MARK", "here")
    start()

    @rustyray.remote
    def where() -> tuple[int, str, str | None]:
        return os.getpid(), os.getcwd(), os.environ.get("RUSTYRAY_TEST_MARK")

    pid, directory, mark = rustyray.get(where.remote())
    assert pid != os.getpid()
    assert (directory, mark) == (str(tmp_path), "here")

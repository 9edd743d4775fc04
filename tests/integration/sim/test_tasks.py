"""Tasks and objects in a simulated runtime: the same answers as natively, whatever the schedule."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

import rustyray
from rustyray.engines.sim.driver import SimDriver
from rustyray.exceptions import ObjectLostError, RayTaskError
from rustyray.runtime import context
from tests.integration.sim.conftest import Start

pytestmark = pytest.mark.usefixtures("sim")


@rustyray.remote
def double(x: int) -> int:
    return 2 * x


@rustyray.remote
def add_up(count: int) -> int:
    return sum(rustyray.get([double.remote(number) for number in range(count)]))


@rustyray.remote
def fail(text: str) -> None:
    raise ValueError(text)


def test_tasks_and_nested_tasks() -> None:
    assert rustyray.get(double.remote(double.remote(1))) == 4
    assert rustyray.get([add_up.remote(4), add_up.remote(3)]) == [12, 6]


def test_values_are_copies() -> None:
    @rustyray.remote
    def append(to: list[int]) -> list[int]:
        to.append(1)
        return to

    mine: list[int] = []
    ref = rustyray.put(mine)
    assert rustyray.get([append.remote(mine), append.remote(ref)]) == [[1], [1]]
    assert mine == []
    assert rustyray.get(ref) == []


def test_large_arrays_are_read_only() -> None:
    @rustyray.remote
    def ones(count: int) -> np.ndarray:
        return np.ones(count)

    array = rustyray.get(ones.remote(100_000))
    assert array.sum() == 100_000
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 2
    with pytest.raises(ValueError, match="read-only"):
        rustyray.get(rustyray.put(np.zeros(50_000)))[0] = 2


def test_errors_are_instances_of_their_class() -> None:
    with pytest.raises(ValueError, match="boom") as caught:
        rustyray.get(fail.remote("boom"))
    assert isinstance(caught.value, RayTaskError)


def test_several_results_and_none() -> None:
    @rustyray.remote(num_returns=2)
    def two() -> tuple[int, int]:
        return 1, 2

    assert rustyray.get(two.remote()) == [1, 2]
    assert double.options(num_returns=0).remote(1) is None


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_large_values_get_to_wherever_they_are_wanted(start: Start, nodes: int) -> None:
    @rustyray.remote
    def where_and_what(array: np.ndarray) -> tuple[str, np.ndarray]:
        time.sleep(1)
        return rustyray.get_runtime_context().get_node_id(), array + 1

    rustyray.shutdown()
    start(num_nodes=nodes, num_cpus=1)
    large = rustyray.put(np.zeros(100_000))
    results = rustyray.get([where_and_what.remote(large) for _ in range(nodes)])
    assert len({node for node, _ in results}) == nodes
    for _, array in results:
        assert array.sum() == 100_000
        assert not array.flags.writeable


def test_a_ref_of_an_earlier_runtime_is_refused(start: Start) -> None:
    ref = rustyray.put(1)
    rustyray.shutdown()
    start()
    rustyray.put(2)
    with pytest.raises(ObjectLostError, match="its runtime has ended"):
        rustyray.get(ref)


@pytest.mark.parametrize("use", [lambda: double.remote(1), lambda: rustyray.put(1)], ids=["submit", "put"])
def test_what_an_interrupted_program_gets_no_ref_of_is_freed(use: Callable[[], object]) -> None:
    driver = context.engine()
    assert isinstance(driver, SimDriver)
    driver.host.cancelled = True  # as Ctrl-C does while another program runs
    with pytest.raises(KeyboardInterrupt):
        use()
    time.sleep(1)
    assert not driver.core.objects


def test_an_option_of_the_simulator_is_refused_elsewhere() -> None:
    rustyray.shutdown()
    with pytest.raises(ValueError, match="option of the simulator"):
        rustyray.init(seed=1)


def test_it_takes_no_time_to_start() -> None:
    began = time.process_time()
    rustyray.shutdown()
    for _ in range(10):
        with rustyray.init(engine="sim"):
            rustyray.get(double.remote(1))
    assert time.process_time() - began < 2

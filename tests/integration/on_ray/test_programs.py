"""Programs of ours on one real Ray: what the conformance suite does not ask."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import rustyray
from rustyray import exceptions as x
from rustyray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.rustyray(leaks="off")]  # Ray's own


@pytest.fixture(scope="module", autouse=True)
def on_ray() -> Iterator[None]:
    with rustyray.init(engine="ray", num_cpus=2, logging_config=rustyray.LoggingConfig("JSON", "INFO")):
        yield


def values(refs: Any) -> list[Any]:
    return [rustyray.get(ref, timeout=60) for ref in refs]


@rustyray.remote
def count(number: int, fails: bool = False) -> Iterator[int]:
    yield from range(number)
    if fails:
        raise LookupError("no more")


@rustyray.remote
class Source:
    def __init__(self) -> None:
        self.made = 0

    def items(self, number: int) -> Iterator[int]:
        yield from range(number)

    async def slowly(self, number: int) -> AsyncIterator[int]:
        for item in range(number):
            self.made += 1
            yield item

    def how_many(self) -> int:
        return self.made


def test_items_come_in_order_and_an_error_is_the_last_one() -> None:
    source: Any = Source.remote()
    for call in (count.remote, source.items.remote, source.slowly.remote):
        items: Any = call(20)
        assert isinstance(items, rustyray.ObjectRefGenerator)
        assert values(items) == list(range(20))
        assert items.is_finished()
        assert not items.next_ready()
        assert rustyray.get(items.completed()) is None
        with pytest.raises(StopIteration):
            next(items)
    *good, bad = count.remote(2, True)
    assert values(good) == [0, 1]
    with pytest.raises(LookupError, match="no more"):
        rustyray.get(bad)


def test_generators_can_be_waited_for_and_read_in_event_loops() -> None:
    items: Any = count.remote(3)
    other = count.remote(1)
    ref = rustyray.put(1)
    assert rustyray.wait([items, ref], num_returns=2, timeout=60) == ([items, ref], [])

    async def read() -> list[int]:
        return [await one async for one in items]

    assert asyncio.run(read()) == [0, 1, 2]
    with pytest.raises(TypeError, match="a generator cannot be passed on"):
        rustyray.put(other)


def test_a_producer_waits_for_its_reader() -> None:
    source: Any = Source.remote()
    items: Any = source.slowly.options(_generator_backpressure_num_objects=2).remote(100)
    assert values(next(items) for _ in range(3)) == [0, 1, 2]
    assert rustyray.get(source.how_many.remote()) <= 6
    held: Any = Source.options(_actor_generator_backpressure_num_objects=1).remote()
    assert values(held.items.remote(5)) == [0, 1, 2, 3, 4]


def test_so_many_items_and_lists_of_them() -> None:
    source: Any = Source.remote()
    assert values(count.options(num_returns=2).remote(5)) == [0, 1]
    assert values(source.items.options(num_returns=2).remote(5)) == [0, 1]
    assert values([source.items.options(num_returns=1).remote(5)]) == [0]
    refs = rustyray.get(count.options(num_returns="dynamic").remote(3))
    assert isinstance(refs, rustyray.DynamicObjectRefGenerator)
    assert values(refs) == [0, 1, 2]


def test_workers_log_as_they_are_told() -> None:
    @rustyray.remote
    def logs() -> list[str]:
        return [type(handler.formatter).__name__ for handler in logging.getLogger().handlers]

    assert "JsonFormatter" in rustyray.get(logs.remote())


def test_a_task_runs_on_the_node_that_it_names() -> None:
    @rustyray.remote
    def where() -> str:
        return rustyray.get_runtime_context().get_node_id()

    (node,) = rustyray.nodes()
    there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    assert rustyray.get(where.options(scheduling_strategy=there).remote(), timeout=60) == node["NodeID"]


def test_what_ray_refuses_raises_our_exceptions() -> None:
    @rustyray.remote
    class Named:
        pass

    for field, value in {"working_dir": ".", "py_modules": ["."], "worker_process_setup_hook": print}.items():
        with pytest.raises(ValueError, match=f"{field}.*give it to init"):
            count.options(runtime_env={field: value}).remote(1)
    kept = Named.options(name="taken").remote()
    with pytest.raises(ValueError, match="taken"):
        Named.options(name="taken").remote()
    limited: Any = Source.options(max_pending_calls=1, resources={"no such": 1}).remote()
    limited.how_many.remote()
    with pytest.raises(x.PendingCallsLimitExceeded):
        limited.how_many.remote()
    rustyray.kill(kept)
    with pytest.raises(RuntimeError, match=r"ray\.util\.state"):
        rustyray.stats()

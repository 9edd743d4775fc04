"""The stores' bytes come back to zero when the last reference is gone, wherever references have been meanwhile.

(But a remote function that captured one keeps it, as long as the workers that know the function: as in Ray.)
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rustyray
from tests.integration.drivers import eventually

BYTES = 300_000


def large(number: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.full(BYTES, number, np.uint8)


@rustyray.remote
def passes_on(refs: list[rustyray.ObjectRef[Any]]) -> list[rustyray.ObjectRef[Any]]:
    """A borrower of a borrower hands it back."""
    return rustyray.get(lends.remote(refs))


@rustyray.remote
def lends(refs: list[rustyray.ObjectRef[Any]]) -> list[rustyray.ObjectRef[Any]]:
    assert rustyray.get(refs[0])[0] == 7
    return refs


@rustyray.remote(max_retries=0)
def raises(refs: list[rustyray.ObjectRef[Any]]) -> None:
    raise LookupError(refs)


@rustyray.remote
def makes() -> list[rustyray.ObjectRef[Any]]:
    """Owned by the worker."""
    return [rustyray.put(large(7)), rustyray.remote(large).remote(7)]


@rustyray.remote
class Keeper:
    def __init__(self) -> None:
        self.kept: list[Any] = []

    def keep(self, refs: list[rustyray.ObjectRef[Any]]) -> int:
        self.kept.append(refs)
        return len(self.kept)

    def first(self) -> list[rustyray.ObjectRef[Any]]:
        return [self.kept[0][0]]

    def drop(self) -> None:
        self.kept.clear()


def in_a_result() -> None:
    ref = rustyray.put(large(7))
    (back,) = rustyray.get(passes_on.remote([ref]))
    del ref
    assert rustyray.get(back)[0] == 7


def in_an_actor() -> None:
    keeper = Keeper.remote()
    rustyray.get(keeper.keep.remote([rustyray.put(large(7))]))
    (back,) = rustyray.get(keeper.first.remote())
    rustyray.get(keeper.drop.remote())
    assert rustyray.get(back)[0] == 7


def in_an_actor_that_ends() -> None:
    keeper = Keeper.remote()
    rustyray.get(keeper.keep.remote([rustyray.put(large(7))]))
    rustyray.kill(keeper)


def in_an_exception() -> None:
    failed = raises.remote([rustyray.put(large(7))])
    with pytest.raises(rustyray.exceptions.RayTaskError) as caught:
        rustyray.get(failed)
    assert rustyray.get(caught.value.cause.args[0][0])[0] == 7


def owned_by_workers() -> None:
    refs = [ref for refs in rustyray.get([makes.remote() for _ in range(4)]) for ref in refs]
    assert {int(value[0]) for value in rustyray.get(refs)} == {7}


def of_many_tasks() -> None:
    make = rustyray.remote(large)
    total = rustyray.remote(lambda *values: sum(int(value[0]) for value in values))
    made = [make.remote(number) for number in range(10)]
    assert rustyray.get(total.remote(*made)) == 45


WAYS: list[Callable[[], None]] = [
    in_a_result,
    in_an_actor,
    in_an_actor_that_ends,
    in_an_exception,
    owned_by_workers,
    of_many_tasks,
]


@pytest.mark.parametrize("nodes", [1, 2])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_nothing_is_left_in_the_stores(engine: str, way: Callable[[], None], nodes: int) -> None:
    with rustyray.init(engine=engine, num_cpus=1, num_nodes=nodes):
        way()
        gc.collect()
        assert eventually(lambda: left() == (0, 0), 20), f"bytes and objects that are left: {left()}"


def left() -> tuple[int, int]:
    store = rustyray.stats().store
    return store.used, store.objects

"""Nodes whose stores are full of what they give each other: nobody waits for ever."""

from __future__ import annotations

import numpy as np
import pytest

import rustyray
from rustyray.cluster_utils import Cluster

MEGABYTE = 1 << 20
OBJECTS = 24


@rustyray.remote
def make(number: int) -> np.ndarray:
    return np.full(2 * MEGABYTE, number, np.uint8)


@rustyray.remote
def reads(*arrays: np.ndarray) -> list[int]:
    return [int(array[0]) for array in arrays]


@rustyray.remote
def gets(refs: list[rustyray.ObjectRef[np.ndarray]]) -> list[int]:
    return [int(array[0]) for array in rustyray.get(refs)]


@pytest.mark.parametrize("count", [3, 5, 7], ids="{} of 7 that fit".format)
def test_tasks_on_each_node_read_what_the_other_has(count: int) -> None:
    """Each store holds 7 of the objects, and 3 times as many are made; 4 tasks at a time want some on each node."""
    cluster = Cluster(True, True, {"num_cpus": 4, "object_store_memory": 16 * MEGABYTE, "resources": {"here": 1000}})
    try:
        cluster.add_node(num_cpus=4, object_store_memory=16 * MEGABYTE, resources={"there": 1000})
        made = {
            place: [make.options(resources={place: 1}).remote(first + number) for number in range(OBJECTS)]
            for place, first in (("here", 0), ("there", 100))
        }
        wanted, results = [], []
        for number in range(2 * OBJECTS):
            for place, other in (("here", "there"), ("there", "here")):
                refs = [made[other][(number + further) % OBJECTS] for further in range(count)]
                wanted.append([(100 if other == "there" else 0) + (number + k) % OBJECTS for k in range(count)])
                if number % 4 == 3:
                    results.append(gets.options(resources={place: 1}).remote(refs))
                else:
                    results.append(reads.options(resources={place: 1}).remote(*refs))
        assert rustyray.get(results, timeout=60) == wanted
    finally:
        cluster.shutdown()

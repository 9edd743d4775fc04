"""``get``, ``put``, ``wait``, and refs."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, assert_type

import rustyray
from rustyray import ObjectRef


def get_and_put(number: ObjectRef[int], text: ObjectRef[str], numbers: Sequence[ObjectRef[int]]) -> None:
    assert_type(rustyray.put(1), ObjectRef[int])
    assert_type(rustyray.put([1.5]), ObjectRef[list[float]])
    assert_type(rustyray.get(number), int)
    assert_type(rustyray.get([number, number]), list[int])
    assert_type(rustyray.get(numbers, timeout=1), list[int])
    assert_type(rustyray.get((number, number)), list[int])
    mixed: list[ObjectRef[int | str]] = [number, text]
    assert_type(rustyray.get(mixed), list[int | str])


def wait(numbers: list[ObjectRef[int]]) -> None:
    ready, rest = rustyray.wait(numbers, num_returns=2, timeout=1.5)
    assert_type(ready, list[ObjectRef[int]])
    assert_type(rest, list[ObjectRef[int]])


async def awaiting(number: ObjectRef[int]) -> None:
    assert_type(await number, int)
    assert_type(number.future(), Future[int])


def refs_are_covariant(number: ObjectRef[bool]) -> ObjectRef[int]:
    return number


def others(number: ObjectRef[int]) -> None:
    with rustyray.init(num_cpus=2) as session:
        assert_type(session, rustyray.Session)
    assert_type(rustyray.is_initialized(), bool)
    assert_type(rustyray.get_actor("n"), rustyray.ActorHandle[Any])
    assert_type(rustyray.cluster_resources(), dict[str, float])
    rustyray.cancel(number, force=True)


def mistakes(number: ObjectRef[int]) -> None:
    rustyray.get(3)  # type: ignore[call-overload]
    rustyray.wait(number)  # type: ignore[arg-type]
    rustyray.kill(number)  # type: ignore[arg-type]
    rustyray.init(num_cpus="2")  # type: ignore[arg-type]

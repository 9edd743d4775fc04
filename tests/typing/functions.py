"""Remote functions: parameters, refs in their places, results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, assert_type

import rustyray
from rustyray import ObjectRef

T = TypeVar("T")


@rustyray.remote
def nothing() -> None: ...


@rustyray.remote
def square(x: int) -> int:
    return x * x


@rustyray.remote
def label(x: int, text: str = "", *, width: int = 0) -> str:
    return text


@rustyray.remote
def total(*numbers: float) -> float:
    return sum(numbers)


@rustyray.remote
def first(items: Sequence[T]) -> T:
    return items[0]


@rustyray.remote(num_cpus=2, max_retries=-1, retry_exceptions=[OSError], resources={"x": 1})
def careful(x: int) -> int:
    return x


@rustyray.remote(num_returns=2)
def split(x: int) -> tuple[int, str]:
    return x, ""


@rustyray.remote(num_returns=0)
def silent(x: int) -> None: ...


@rustyray.remote(num_returns=1)
def single(x: int) -> int:
    return x


@rustyray.remote(num_returns=3)
def counting() -> Iterator[int]:
    yield from range(3)


def results() -> None:
    assert_type(nothing.remote(), ObjectRef[None])
    assert_type(square.remote(1), ObjectRef[int])
    assert_type(square.remote(x=1), ObjectRef[int])
    assert_type(label.remote(1), ObjectRef[str])
    assert_type(label.remote(1, "a", width=3), ObjectRef[str])
    assert_type(total.remote(1, 2.5), ObjectRef[float])
    assert_type(first.remote([1]), ObjectRef[int])
    assert_type(careful.remote(1), ObjectRef[int])
    assert_type(single.remote(1), ObjectRef[int])


def refs_as_arguments() -> None:
    assert_type(square.remote(square.remote(1)), ObjectRef[int])
    assert_type(label.remote(square.remote(1)), ObjectRef[str])
    assert_type(label.remote(1, label.remote(1)), ObjectRef[str])
    assert_type(label.remote(square.remote(1), label.remote(1)), ObjectRef[str])
    assert_type(total.remote(1, square.remote(1), total.remote()), ObjectRef[float])
    assert_type(careful.remote(rustyray.put(1)), ObjectRef[int])


def several_results() -> None:
    assert_type(split.remote(1), list[ObjectRef[Any]])
    assert_type(silent.remote(1), None)
    assert_type(counting.remote(), list[ObjectRef[Any]])
    assert_type(square.options(num_returns=3).remote(1), list[ObjectRef[Any]])
    assert_type(square.options(num_returns=0).remote(square.remote(1)), None)
    assert_type(square.options(num_returns=1, num_cpus=2).remote(1), ObjectRef[int])
    assert_type(split.options(num_cpus=2).remote(1), list[ObjectRef[Any]])
    assert_type(split.options(num_returns=1).remote(1), ObjectRef[tuple[int, str]])
    assert_type(split.func(1), tuple[int, str])
    one, two = split.remote(1)
    assert_type(one, ObjectRef[Any])
    assert_type(rustyray.get([one, two]), list[Any])


def options() -> None:
    assert_type(square.options(num_cpus=0.5, name="n", max_retries=None).remote(1), ObjectRef[int])
    assert_type(square.options(retry_exceptions=lambda error: True).remote(1), ObjectRef[int])
    assert_type(square.func(2), int)


def mistakes() -> None:
    square.remote("1")  # type: ignore[call-overload]
    square.remote()  # type: ignore[call-overload]
    square.remote(1, 2)  # type: ignore[call-overload]
    square.remote(y=1)  # type: ignore[call-overload]
    square.remote(label.remote(1))  # type: ignore[arg-type]
    label.remote(1, 2)  # type: ignore[call-overload]
    label.remote(1, width="3")  # type: ignore[call-overload]
    split.remote("1")  # type: ignore[call-overload]
    square.options(num_cpu=2)  # type: ignore[call-overload]
    square.options(max_restarts=2)  # type: ignore[call-overload]
    rustyray.remote(num_cpu=2)  # type: ignore[call-overload]
    rustyray.remote(3)  # type: ignore[call-overload]

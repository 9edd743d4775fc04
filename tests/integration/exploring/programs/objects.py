"""Programs of objects: refs inside values, borrowers of borrowers, large objects."""

from __future__ import annotations

from typing import Any

import rustyray
from rustyray.exceptions import ObjectLostError
from tests.integration.exploring.programs.table import got, program

Ref = rustyray.ObjectRef[Any]
#: Too large for messages.
LARGE = 150_000


@rustyray.remote
def square(number: int) -> int:
    return number * number


@rustyray.remote
def start_squares(numbers: list[int]) -> list[Ref]:
    return [square.remote(number) for number in numbers]


@program()
def refs_in_results() -> None:
    """The one who starts a task owns what it returns: when that one dies, it is lost, and says so."""
    refs = got(start_squares.remote([1, 2, 3]), ObjectLostError)
    assert refs is not None, "the list itself is the driver's"
    for number, ref in enumerate(refs, 1):
        assert got(ref, ObjectLostError) in (number * number, None)


@rustyray.remote
def pass_on(refs: list[Ref], times: int) -> list[Ref]:
    if times == 0:
        return refs
    return rustyray.get(pass_on.remote(refs, times - 1))


@rustyray.remote
def read(refs: list[Ref]) -> list[Any]:
    return rustyray.get(refs)


@program()
def borrowers_of_borrowers() -> None:
    """The driver owns them, and lets go of its own refs while others have theirs."""
    refs = [rustyray.put("small"), rustyray.put(bytes(LARGE)), square.remote(3)]
    passed = pass_on.remote(refs, 2)
    reading = read.remote([passed])
    del refs
    (back,) = rustyray.get(reading)
    del passed, reading
    small, large, nine = rustyray.get(read.remote(back))
    assert (small, large, nine) == ("small", bytes(LARGE), 9)


@rustyray.remote
def wrap(ref: list[Ref], deeper: int) -> list[Ref]:
    inner = rustyray.put(ref)
    return [inner] if deeper == 0 else [wrap.remote([inner], deeper - 1)]


@program()
def boxes_in_boxes() -> None:
    """Refs to refs, each box made by another process."""
    boxed: Any = got(wrap.remote([rustyray.put(7)], 1), ObjectLostError)
    while boxed is not None and isinstance(boxed, list):
        boxed = got(boxed[0], ObjectLostError)
    assert boxed in (7, None)


@rustyray.remote
def make(number: int) -> bytes:
    return bytes([number]) * LARGE


@rustyray.remote
def total(*parts: bytes) -> int:
    return sum(part[0] + part[-1] for part in parts)


@rustyray.remote
def total_of(refs: list[Ref]) -> int:
    return sum(rustyray.get(total.remote(ref)) for ref in refs)


@program()
def large_arguments_and_results() -> None:
    """The owner is the driver, so that what a node takes along is made again."""
    mine = rustyray.put(bytes([1]) * LARGE)
    made = [make.remote(number) for number in (2, 3)]
    sums = [total.remote(mine, *made), total_of.remote([mine, *made])]
    assert rustyray.get(made[0]) == bytes([2]) * LARGE
    assert rustyray.get(sums) == [12, 12]


@rustyray.remote
def join(one: bytes, other: bytes) -> bytes:
    return one[: LARGE // 2] + other[: LARGE // 2]


@program()
def large_results_of_large_results() -> None:
    """A chain of lost objects is made again from its beginning."""
    first = join.remote(make.remote(1), make.remote(2))
    second = join.remote(first, make.remote(3))
    del first
    assert rustyray.get(total.remote(second)) == 4
    value = rustyray.get(second)
    assert (value[0], value[LARGE // 2 - 1], value[-1], len(value)) == (1, 1, 3, LARGE)


@rustyray.remote
def fail_with(refs: list[Ref], large: bool) -> None:
    error = ValueError(bytes(LARGE) if large else "small")
    error.refs = [*refs, rustyray.put(1)]  # type: ignore[attr-defined]
    raise error


@program(nodes=(1, 2))
def refs_in_errors() -> None:
    kept: list[list[Ref]] = []
    for large in (False, True):
        try:
            rustyray.get(fail_with.remote([rustyray.put(5)], large))
        except ValueError as error:
            kept.append(error.cause.refs)  # type: ignore[attr-defined]
    assert len(kept) == 2
    for mine, its in kept:
        assert rustyray.get(mine) == 5
        assert got(its, ObjectLostError) in (1, None)

"""Programs of tasks: whatever dies, they are tried again, and the result is right."""

from __future__ import annotations

import time

import rustyray
from rustyray.exceptions import RayTaskError, TaskCancelledError, WorkerCrashedError
from tests.integration.exploring.programs.table import program, raised, trouble


@rustyray.remote
def fibonacci(number: int) -> int:
    if number < 2:
        return number
    return sum(rustyray.get([fibonacci.remote(number - 1), fibonacci.remote(number - 2)]))


@program()
def a_tree_of_tasks() -> None:
    assert rustyray.get(fibonacci.remote(4)) == 3


@rustyray.remote
def add(*numbers: int) -> int:
    return sum(numbers)


@program()
def a_diamond_of_arguments() -> None:
    one = add.remote(1)
    middle = [add.remote(one, number) for number in range(3)]
    refs = [add.remote(*middle, one), add.remote(middle[0], middle[2])]
    del one, middle
    assert rustyray.get(refs) == [7, 4]


@rustyray.remote(num_cpus=0.5)
def pause(number: int) -> int:
    time.sleep(0.05 * (3 - number % 3))
    return number


@program()
def a_loop_over_what_is_ready() -> None:
    left = [pause.remote(number) for number in range(6)]
    results = []
    while left:
        done, left = rustyray.wait(left, num_returns=min(2, len(left)), timeout=0.07)
        results += rustyray.get(done)
    assert sorted(results) == list(range(6))


@rustyray.remote(num_returns=2)
def halves(numbers: list[int]) -> tuple[list[int], list[int]]:
    middle = len(numbers) // 2
    return numbers[:middle], numbers[middle:]


@rustyray.remote(num_cpus=1)
def merge_sort(numbers: list[int]) -> list[int]:
    if len(numbers) < 2:
        return numbers
    parts = [merge_sort.remote(part) for part in halves.remote(numbers)]
    one, other = rustyray.get(parts)
    return sorted(one + other)


@program()
def several_results_and_arguments_of_arguments() -> None:
    assert rustyray.get(merge_sort.remote([3, 1, 2])) == [1, 2, 3]


@rustyray.remote(num_cpus=2)
def alone(number: int) -> int:
    return number + rustyray.get(add.remote(number, 1))


@program(nodes=(1, 2), cpus=2)
def a_whole_machine_for_each() -> None:
    """It lends its CPUs while it waits, or nobody could do what it waits for."""
    refs = [alone.remote(number) for number in range(2)]
    small = add.options(num_cpus=0.25).remote(1, 1)
    assert rustyray.get([*refs, small]) == [1, 3, 2]


# --- errors -----------------------------------------------------------------------------------------------------------


class Refused(Exception):
    pass


@rustyray.remote
def refuse(number: int) -> int:
    if number % 2:
        raise Refused(number)
    return number


@rustyray.remote
def ask(number: int) -> int:
    return rustyray.get(refuse.remote(number))


@program()
def errors_on_their_way() -> None:
    """An error of the program's own is a result like others: it is not tried again, and arrives as what it was."""
    for ref in (refuse.remote(1), ask.remote(1), add.remote(ask.remote(1), 1)):
        error = raised(ref, Refused)
        assert isinstance(error, RayTaskError)
        assert error.cause.args == (1,)
    assert rustyray.get([ask.remote(2), refuse.remote(4)]) == [2, 4]


@rustyray.remote(max_retries=3, retry_exceptions=[Refused])
def refuse_until(moment: float) -> float:
    if time.monotonic() < moment:
        time.sleep(0.01)
        raise Refused
    return moment


@program(nodes=(1, 2))
def errors_that_pass() -> None:
    moment = time.monotonic() + 0.005
    assert rustyray.get([refuse_until.remote(moment), refuse_until.remote(0)]) == [moment, 0]


# --- cancelling -------------------------------------------------------------------------------------------------------


@rustyray.remote
def slow(number: int, *_: object) -> int:
    time.sleep(0.1)
    return number


@rustyray.remote
def slow_child(number: int) -> int:
    return rustyray.get(slow.remote(number))


def value_or(ref: rustyray.ObjectRef[int], *may: type[BaseException]) -> int | None:
    try:
        return rustyray.get(ref)
    except may:
        return None


@program()
def cancelled_wherever_they_are() -> None:
    """Running, queued, waiting for arguments, waiting for others; what is not cancelled is not disturbed."""
    refs = [slow.remote(number) for number in range(4)]
    refs += [slow.remote(4, refs[0]), slow_child.remote(5)]
    rustyray.wait(refs, timeout=0.02)
    for number in (0, 3, 5):
        rustyray.cancel(refs[number])
    assert rustyray.get(refs[1:3]) == [1, 2]
    for number in (0, 3, 5):
        assert value_or(refs[number], TaskCancelledError) in (number, None)
    assert value_or(refs[4], TaskCancelledError) in (4, None)


@program(nodes=(1, 2))
def cancelled_by_force() -> None:
    refs = [slow.remote(number) for number in range(3)]
    rustyray.wait(refs, timeout=0.02)
    rustyray.cancel(refs[0], force=True)
    rustyray.cancel(refs[0])
    assert rustyray.get(refs[1:]) == [1, 2]
    assert value_or(refs[0], TaskCancelledError, WorkerCrashedError) in (0, None)


@rustyray.remote(max_retries=0)
def once(number: int) -> int:
    return rustyray.get(add.remote(number, 1))


@program()
def tried_only_once() -> None:
    """Without retries a task that was under way is lost with its worker, and no other."""
    refs = [once.remote(number) for number in range(4)]
    results = [value_or(ref, WorkerCrashedError) for ref in refs]
    assert all(result in (number + 1, None) for number, result in enumerate(results))
    assert trouble() or results == [1, 2, 3, 4]

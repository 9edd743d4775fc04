"""``rustyray.testing.explore`` on small programs: what it finds, what it tells, what it refuses."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable

import pytest

import rustyray
from rustyray.exceptions import DeadlockError, LivelockError
from rustyray.testing import LeakedRuntime, NotDeterministic, RaceFound, ReplayMismatch, ResultsDiffer, explore, replay


@rustyray.remote
class Counter:
    def __init__(self) -> None:
        self.value = 0

    def get(self) -> int:
        return self.value

    def set(self, value: int) -> None:
        self.value = value

    def add(self) -> int:
        self.value += 1
        return self.value


@rustyray.remote
def increment(counter: rustyray.ActorHandle[Counter]) -> None:
    value = rustyray.get(counter.get.remote())
    rustyray.get(counter.set.remote(value + 1))


@rustyray.remote
def add(counter: rustyray.ActorHandle[Counter]) -> int:
    return rustyray.get(counter.add.remote())


def lost_update() -> None:
    counter = Counter.remote()
    rustyray.get([increment.remote(counter) for _ in range(2)])
    assert rustyray.get(counter.get.remote()) == 2


def no_lost_update() -> int:
    counter = Counter.remote()
    rustyray.get([add.remote(counter) for _ in range(2)])
    value = rustyray.get(counter.get.remote())
    assert value == 2
    return value


@pytest.mark.parametrize("explorer", ["portfolio", "random", "pct", "delay", "exhaustive"])
def test_every_explorer_finds_a_lost_update(explorer: str) -> None:
    with pytest.raises(RaceFound) as caught:
        explore(lost_update, explorer=explorer)
    found = caught.value
    assert (found.departures, found.faults) == (1, 0)
    assert isinstance(found.__cause__, AssertionError)
    assert "`increment(Counter)` starts on worker" in found.story
    assert "test_explore.py" in found.story
    assert "**preempted**" in found.story or "**held back**" in found.story
    assert found.line in str(found)


def test_a_line_is_replayed_exactly_and_as_a_decorator() -> None:
    with pytest.raises(RaceFound) as caught:
        explore(lost_update)
    line = caught.value.line
    for _ in range(2):
        with pytest.raises(AssertionError, match="1 == 2"):
            replay(line).run(lost_update)
    with pytest.raises(AssertionError, match="1 == 2"):
        replay(line)(lost_update)()


def test_a_line_does_not_fit_another_program() -> None:
    with pytest.raises(RaceFound) as caught:
        explore(lost_update)
    with pytest.raises(ReplayMismatch, match="The program has changed"):
        replay(caught.value.line).run(no_lost_update)
    assert replay(caught.value.line, strict=False).run(no_lost_update) == 2


def test_nothing_is_found_where_there_is_nothing() -> None:
    done = explore(no_lost_update, schedules=60)
    assert done.schedules == 60
    assert 1 < done.different <= 60
    assert done.result == 2
    assert not done.complete
    assert "60 schedules were explored" in str(done)


def test_all_schedules_of_a_small_program() -> None:
    done = explore(no_lost_update, explorer="exhaustive", depth=1, schedules=1000)
    assert "at most 1 departure" in done.complete
    assert done.different <= done.schedules < 200


def test_a_crash_is_found_and_told() -> None:
    with pytest.raises(RaceFound) as caught:
        explore(no_lost_update, faults="crash")
    found = caught.value
    assert found.faults == 1
    assert "**crashed**: worker" in found.story
    assert "crash@" in found.line
    with pytest.raises(type(found.__cause__) if found.__cause__ else Exception):
        replay(found.line).run(no_lost_update)


def test_a_deadlock_is_found() -> None:
    @rustyray.remote(num_cpus=0)
    class Left:
        def ask(self, other: object) -> int:
            return rustyray.get(other.answer.remote(rustyray.get_runtime_context().current_actor))  # type: ignore[attr-defined,no-any-return]

        def answer(self, other: object) -> int:
            return 1

    def scenario() -> None:
        left, right = Left.remote(), Left.remote()
        rustyray.get([left.ask.remote(right), right.ask.remote(left)])

    with pytest.raises(RaceFound) as caught:
        explore(scenario, schedules=300)
    assert isinstance(caught.value.__cause__, DeadlockError)


def test_results_that_depend_on_the_order() -> None:
    @rustyray.remote
    def name(text: str) -> str:
        return text

    def scenario() -> str:
        done, _ = rustyray.wait([name.remote("a"), name.remote("b")], num_returns=1)
        return rustyray.get(done[0])

    explore(scenario, schedules=50)
    with pytest.raises(RaceFound) as caught:
        explore(scenario, same_result=True)
    assert isinstance(caught.value.__cause__, ResultsDiffer)


def test_what_is_not_deterministic_is_refused() -> None:
    chance = random.Random(1)

    def scenario() -> None:
        counter = Counter.remote()
        for _ in range(chance.randrange(1, 20)):
            rustyray.get(counter.add.remote())

    with pytest.raises(NotDeterministic, match=r"(?s)went two ways.*Two runs part at step"):
        explore(scenario)


def test_the_first_schedule_may_fail() -> None:
    def scenario() -> None:
        raise KeyError("always")

    with pytest.raises(RaceFound, match=r"KeyError in the first schedule.*\n\nIt takes no departure") as caught:
        explore(scenario)
    assert caught.value.departures == 0
    assert isinstance(caught.value.__cause__, KeyError)


def starts_its_own() -> None:
    rustyray.shutdown()
    rustyray.init(engine="sim", num_cpus=1)


def test_runtimes_do_not_leak() -> None:
    with pytest.raises(LeakedRuntime, match="the scenario started a runtime of its own"):
        explore(starts_its_own)
    assert not rustyray.is_initialized()
    with rustyray.init(engine="sim", num_cpus=1), pytest.raises(LeakedRuntime, match="is up in this process already"):
        explore(no_lost_update)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"schedules": 0}, ValueError, "schedules must be at least 1"),
        ({"schedules": "many"}, TypeError, "schedules must be a whole number"),
        ({"faults": "crash,dely"}, ValueError, "no fault 'dely' .did you mean 'delay'"),
        ({"explorer": "pcd"}, ValueError, "no explorer 'pcd' .did you mean 'pct'"),
        ({"explorer": "exhaustive", "faults": "crash"}, ValueError, "without faults"),
        ({"num_cpus": -1}, ValueError, "num_cpus must be more than 0"),
        ({"unread_errors": False}, ValueError, "unread_errors must be 'raise' or 'ignore', not False"),
    ],
)
def test_options_are_checked(options: dict[str, object], error: type[Exception], says: str) -> None:
    run: Callable[..., object] = explore
    with pytest.raises(error, match=says):
        run(no_lost_update, **options)


def test_going_round_in_circles_is_found() -> None:
    def scenario() -> None:
        counter = Counter.remote()
        while rustyray.get(counter.get.remote()) == 0:
            pass

    with pytest.raises(RaceFound, match="3,000 events, and is not done") as caught:
        explore(scenario, max_steps=3000)
    assert isinstance(caught.value.__cause__, LivelockError)


def test_who_asks_again_and_again_does_not_starve_the_rest() -> None:
    def scenario() -> None:
        counter = Counter.remote()
        adding = add.remote(counter)
        while rustyray.get(counter.get.remote()) == 0:
            pass
        rustyray.get(adding)

    assert explore(scenario, schedules=40).schedules == 40


def test_a_program_without_any_choice_has_one_schedule() -> None:
    done = explore(lambda: rustyray.get(rustyray.put(7)), explorer="exhaustive")
    assert (done.schedules, done.different, done.result) == (1, 1, 7)
    assert str(done).startswith("the only schedule that there is was explored")


def test_a_search_that_is_not_bounded_is_complete() -> None:
    def scenario() -> int:
        return rustyray.get(Counter.remote().add.remote())

    done = explore(scenario, explorer="exhaustive", depth=50, schedules=2000)
    assert done.complete == "that there are"
    assert done.schedules >= done.different > 1


def test_what_a_schedule_leaves_is_collected_while_others_run() -> None:
    explore(no_lost_update, schedules=50)
    before = len(gc.get_objects())
    explore(no_lost_update, schedules=100)
    assert len(gc.get_objects()) - before < 20_000  # each makes about 1,000 that refer to one another

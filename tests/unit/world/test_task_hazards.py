"""What has gone wrong in systems like this one, each on purpose, under many schedules: tasks and pipelines."""

from __future__ import annotations

import pytest

from rustyray.core.owner.records import PUSHED
from rustyray.engines.sim.scripted.driver import Driver
from rustyray.engines.sim.scripted.scripts import (
    Add,
    Cancel,
    Crash,
    Get,
    Pick,
    Put,
    Raise,
    Return,
    Script,
    Step,
    Submit,
    Wait,
    Work,
)
from rustyray.engines.sim.scripted.world import ScriptedWorld
from rustyray.engines.sim.world.chooser import Seeded, Tame
from rustyray.model.ids import object_id, task_id
from tests.unit.world.runs import MOODS, shown

SEEDS = range(6)
#: The next event that is possible, or any other, with delays: see `runs.MOODS`.
UNIT = Script("unit", [Return(1)])
LONG = Script("long", [Work(10.0), Return(100)])


def world(seed: int, *nodes: float) -> ScriptedWorld:
    return ScriptedWorld(Seeded(seed, MOODS[seed % len(MOODS)]) if seed else Tame(), nodes or (2,))


def burst(script: Script, count: int, prefix: str = "u") -> list[Step]:
    return [Submit(f"{prefix}{number}", script) for number in range(count)]


def names(count: int, prefix: str = "u") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def known(script: Script = UNIT) -> list[Step]:
    """Run it once, so that its tasks are pushed ahead from then on."""
    return [Submit("known", script), Get("k", ["known"])]


def outcome(driver: Driver) -> object:
    return shown(driver.outcome)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_task_that_blocks_on_one_pipelined_behind_it(seed: int) -> None:
    """``asks`` is known and short, so it is pushed together with ``late``, which was not ready when it was queued."""
    asks = Script("asks", [Pick("r", "a0"), Get("v", ["r"]), Return("v")])
    late = Script("late", [Add("s", ["a0", 1]), Return("s")])
    main = Script(
        "main",
        [
            *known(),
            Put("one", 1),
            Submit("x", asks, [["one"]]),
            Get("k", ["x"]),
            Submit("slow", Script("slow", [Work(0.001), Return(1)])),
            Submit("late", late, ["slow"]),
            Submit("y", asks, [["late"]]),
            *burst(UNIT, 3),
            Get("v", ["y", *names(3)]),
            Return("v"),
        ],
    )
    there = world(seed, 1)
    driver = there.add_driver(main)
    there.finish()
    assert outcome(driver) == [[2], 1, 1, 1]


@pytest.mark.parametrize("seed", SEEDS)
def test_short_tasks_do_not_wait_behind_a_long_one_while_a_worker_idles(seed: int) -> None:
    main = Script(
        "main",
        [
            *known(),
            *burst(UNIT, 4),
            Submit("long", LONG),
            *burst(UNIT, 12, "v"),
            Get("done", [*names(4), *names(12, "v")]),
            Return("done"),
        ],
    )
    there = world(seed, 2)
    driver = there.add_driver(main)
    there.run()
    assert outcome(driver) == [1] * 16
    records = [entry.record for entry in driver.core.objects.values() if entry.record is not None]
    long = [record.state for record in records if record.plan.name == "long"]
    assert long == [PUSHED], "they waited for the long one"
    there.finish()


def test_the_schedules_cross_what_may_cross() -> None:
    """The hazards above are met: work is given back by blocked workers, taken back, and requests are cancelled."""
    counts: dict[str, int] = {}
    for seed in SEEDS:
        there = world(seed, 2)
        parent = Script("parent", [*burst(UNIT, 6), Get("v", names(6)), Add("s", ["v"]), Return("s")])
        main = Script(
            "main", [*known(), *burst(parent, 6, "p"), *burst(UNIT, 30), Get("v", [*names(6, "p"), *names(30)])]
        )
        there.add_driver(main)
        there.finish()
        for what, count in there.story.counts.items():
            counts[what] = counts.get(what, 0) + count
    assert all(counts.get(what, 0) > 0 for what in ("GiveBack", "TakeBack", "CancelLease", "Blocked", "Unblocked"))


# --- attempts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_poison_among_innocents_blames_only_the_poison(seed: int) -> None:
    innocent = Script("innocent", [Return(1)], max_retries=1)
    poison = Script("poison", [Crash()], max_retries=1)
    main = Script(
        "main",
        [
            *known(innocent),
            *burst(innocent, 4),
            Submit("poison", poison),
            *burst(innocent, 6, "v"),
            Get("good", [*names(4), *names(6, "v")], catch=True),
            Get("bad", ["poison"], catch=True),
            Return(["good", "bad"]),
        ],
    )
    there = world(seed, 1)
    driver = there.add_driver(main)
    there.finish()
    assert outcome(driver) == [[1] * 10, "fault WORKER_CRASHED"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("until", "want"), [(2, [7]), (3, "fault WORKER_CRASHED")])
def test_a_crashing_task_is_tried_as_often_as_it_may(seed: int, until: int, want: object) -> None:
    crashing = Script("crashing", [Crash(until), Return(7)], max_retries=2)
    there = world(seed)
    driver = there.add_driver(Script("main", [Submit("r", crashing), Get("v", ["r"], catch=True), Return("v")]))
    there.finish()
    assert outcome(driver) == want
    ran = there.books.runs[task_id(driver.me, 1)]
    assert [attempt for _, attempt in ran] == [0, 1, 2]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("wanted", "attempts"), [("flaky", 3), ("other", 1), (True, 3), (False, 1)])
def test_exceptions_are_retried_if_the_plan_says_so(seed: int, wanted: bool | str, attempts: int) -> None:
    flaky = Script("f", [Raise("flaky")], max_retries=2, retry_exceptions=wanted, backoff=0.5)
    there = world(seed)
    driver = there.add_driver(Script("main", [Submit("r", flaky), Get("v", ["r"], catch=True), Return("v")]))
    there.finish()
    assert outcome(driver) == "flaky"
    assert len(there.books.runs[task_id(driver.me, 1)]) == attempts
    assert (there.now > 0.5) or attempts == 1


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("force", [False, True])
def test_cancel_races_with_results_retries_and_deaths(seed: int, force: bool) -> None:
    flaky = Script("flaky", [Work(0.001), Crash(1), Return(3)], max_retries=1)
    work = Script("work", [Work(0.002), Return(2)])
    main = Script(
        "main",
        [
            *known(),
            *burst(flaky, 3, "f"),
            *burst(work, 3, "w"),
            *burst(UNIT, 6),
            Wait([*names(3, "f"), *names(6)], seed % 6 + 1),
            *[Cancel(name, force) for name in ("f0", "f1", "w0", "w2", "u1", "u5")],
            *[Get(f"r{name}", [name], catch=True) for name in [*names(3, "f"), *names(3, "w"), *names(6)]],
            Return([f"r{name}" for name in [*names(3, "f"), *names(3, "w"), *names(6)]]),
        ],
    )
    there = world(seed)
    driver = there.add_driver(main)
    there.finish()
    got = outcome(driver)
    assert isinstance(got, list)
    cancelled = ["fault TASK_CANCELLED", "fault WORKER_CRASHED"]
    for value, right, may in zip(got, [3, 3, 3, 2, 2, 2] + [1] * 6, [1, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1], strict=True):
        assert value == [right] or (may and value in cancelled) or (force and value in cancelled), got


# --- nodes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_results_of_a_node_that_died_are_made_again(seed: int) -> None:
    big = Script("big", [Work(0.01), Return(5, big=True)])
    main = Script("main", [*burst(big, 4), Wait(names(4), 4), Work(3.0), Get("v", names(4)), Return("v")])
    there = world(seed, 1, 1)
    driver = there.add_driver(main)
    objects = [object_id(task_id(driver.me, number), 0) for number in range(1, 5)]

    def unmade() -> str:
        entries = [driver.core.objects.get(object_) for object_ in objects]
        return "" if all(entry is not None and entry.value is not None for entry in entries) else "not made"

    there.run_until(unmade)
    there.crash(there.nodes()[1].me, "power")
    there.run()
    assert outcome(driver) == [5] * 4


@pytest.mark.parametrize("seed", SEEDS)
def test_work_spills_to_three_nodes(seed: int) -> None:
    work = Script("work", [Work(0.5), Return(1)])
    main = Script("main", [Work(1.0), *burst(work, 6), Get("v", names(6)), Return("v")])
    there = world(seed, 1, 1, 2)
    driver = there.add_driver(main)
    there.finish()
    assert outcome(driver) == [1] * 6
    assert there.story.counts["LeaseElsewhere"] > 0
    ran_on = {worker[:8] for runs in there.books.runs.values() for worker, _ in runs}
    assert len(ran_on) > 1


@pytest.mark.parametrize("seed", SEEDS)
def test_drivers_of_two_jobs_share_a_node(seed: int) -> None:
    there = world(seed, 2)
    steps = [*known(), *burst(UNIT, 10), Get("v", names(10)), Add("s", ["v"]), Return("s")]
    drivers = [there.add_driver(Script(f"main{number}", steps), number=number * 1000) for number in (0, 1)]
    there.finish()
    assert [outcome(driver) for driver in drivers] == [10, 10]
    assert drivers[0].core.sched.requests.job != drivers[1].core.sched.requests.job
    assert drivers[0].namespace != drivers[1].namespace


@pytest.mark.parametrize("seed", SEEDS)
def test_a_driver_that_dies_leaves_its_work_to_nobody(seed: int) -> None:
    there = world(seed, 2)
    parent = Script("parent", [*burst(LONG, 3), Get("v", names(3)), Return("v")])
    doomed = there.add_driver(Script("doomed", [*burst(parent, 3, "p"), Get("v", names(3, "p")), Return("v")]))
    other = there.add_driver(
        Script("other", [Work(2.0), *burst(UNIT, 5), Get("v", names(5)), Return("v")]), number=1000
    )
    there.rest(1.0)
    there.crash(doomed.me, "it was killed by signal 9 (SIGKILL)")
    there.finish()
    assert outcome(other) == [1] * 5
    assert there.now < 60.0

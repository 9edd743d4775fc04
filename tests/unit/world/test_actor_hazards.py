"""What has gone wrong with actors in systems like this one, each on purpose, under many schedules."""

from __future__ import annotations

import pytest

from rustyray.engines.sim.scripted.scripts import (
    ActorScript,
    Call,
    Create,
    Drop,
    ExitActor,
    Find,
    Get,
    Kill,
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
from rustyray.engines.sim.world.chooser import Seeded
from rustyray.engines.sim.world.faults import Fault, Trouble
from rustyray.model.ids import node_of
from tests.unit.world.runs import MOODS
from tests.unit.world.test_ref_hazards import KEEPS, READS
from tests.unit.world.test_task_hazards import SEEDS, UNIT, outcome, world

ECHO = Script("echo", [Work(0.001), Return("a0")])


def calls(count: int, handle: str = "h", prefix: str = "c") -> list[Step]:
    return [Call(f"{prefix}{number}", handle, ECHO, [number]) for number in range(count)]


def got(count: int, prefix: str = "c") -> list[Step]:
    """Each result, or the name of the error in its place."""
    return [
        *[Get(f"g{prefix}{number}", [f"{prefix}{number}"], catch=True) for number in range(count)],
        Return([f"g{prefix}{number}" for number in range(count)]),
    ]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("retries", [0, 3])
def test_a_restart_keeps_the_order_and_repeats_only_what_it_may(seed: int, retries: int) -> None:
    """`Books` checks order and at-most-once; here, that calls which may be retried all succeed."""
    actor = ActorScript("A", max_restarts=3, max_task_retries=retries)
    caller = Script("caller", [*calls(6, "a0"), *got(6)])
    main = Script(
        "main",
        [Create("h", actor), Submit("other", caller, ["h"]), *calls(12), Get("o", ["other"], catch=True), *got(12)],
    )
    faults = [Fault(60 + 7 * seed, Trouble.CRASH, seed), Fault(140 + 5 * seed, Trouble.CRASH, seed + 1)]
    there = ScriptedWorld(Seeded(seed, MOODS[seed % len(MOODS)]), (2,), faults=faults)
    driver = there.add_driver(main)
    there.finish()
    results = outcome(driver)
    assert isinstance(results, list)
    for number, result in enumerate(results):
        unlucky = result in ("fault ACTOR_UNAVAILABLE", "fault ACTOR_DIED") and not retries
        assert result == [number] or unlucky, results


@pytest.mark.parametrize("seed", SEEDS)
def test_lost_results_of_calls_that_may_be_retried_are_made_again(seed: int) -> None:
    large = Script("large", [Return("a0", big=True)])
    actor = ActorScript("A", max_restarts=-1, max_task_retries=-1)
    made: list[Step] = [Call(f"c{number}", "h", large, [number]) for number in range(4)]
    names = [f"c{number}" for number in range(4)]
    there = world(seed, 0.5, 1, 1)
    driver = there.add_driver(Script("main", [Create("h", actor), *made, Wait(names, 4), Work(20), *got(4)]))
    core = driver.core
    there.run_until(lambda: "" if len(core.tasks.lineage.kept) == 4 else "not made")
    (link,) = core.calls.links.values()
    there.rest(0.001 * (seed % 7))
    there.crash(node_of(link.worker), "the machine is gone")
    there.finish()
    assert outcome(driver) == [[0], [1], [2], [3]]
    assert core.history.counts.rebuilt == 4


@pytest.mark.parametrize("seed", SEEDS)
def test_calls_that_were_made_are_answered_after_the_last_handle_is_gone(seed: int) -> None:
    main = Script(
        "main",
        [
            Create("h", ActorScript("A")),
            Submit("u", UNIT),
            Call("first", "h", ECHO, ["u"]),
            *calls(4),
            Drop("h"),
            *got(4),
        ],
    )
    there = world(seed)
    driver = there.add_driver(main)
    there.finish()
    assert outcome(driver) == [[number] for number in range(4)]


@pytest.mark.parametrize("seed", SEEDS)
def test_an_actor_whose_handle_is_gone_at_once_ends(seed: int) -> None:
    there = world(seed)
    there.add_driver(Script("main", [Create("h", ActorScript("A", cpus=1)), Drop("h"), Work(1.0), Return(0)]))
    there.finish()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_name_belongs_to_one_actor(seed: int) -> None:
    named = ActorScript("A", named="n")
    again = ActorScript("A", named="n", get_if_exists=True)
    main = Script(
        "main",
        [
            Create("h", named),
            Create("taken", named),
            Create("same", again),
            *calls(1),
            *calls(1, "same", "d"),
            Find("found", "n"),
            *calls(1, "found", "e"),
            Find("none", "other"),
            Get("v", ["c0", "d0", "e0"]),
            Return(["taken", "v", "none"]),
        ],
    )
    there = world(seed)
    driver = there.add_driver(main)
    there.finish()
    assert outcome(driver) == [-1, [0, 0, 0], -1]
    assert len({actor for actor, _ in there.books.calls}) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_namespaces_keep_names_apart(seed: int) -> None:
    there = world(seed)
    steps = [Create("h", ActorScript("A", named="n")), *calls(1), Get("v", ["c0"]), Return("v")]
    drivers = [there.add_driver(Script(f"main{number}", steps), number=number * 1000) for number in (0, 1)]
    there.finish()
    assert [outcome(driver) for driver in drivers] == [[0], [0]]
    assert len({actor for actor, _ in there.books.calls}) == 2


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("restarts", [0, 1])
def test_kill_ends_an_actor_at_once_or_restarts_it(seed: int, restarts: int) -> None:
    slow = Script("slow", [Work(30.0), Return(1)])
    actor = ActorScript("A", max_restarts=restarts)
    main = Script(
        "main",
        [
            Create("h", actor),
            *calls(1, prefix="b"),
            Get("before", ["b0"]),
            Call("s", "h", slow),
            Kill("h", no_restart=not restarts),
            Get("killed", ["s"], catch=True),
            Work(5.0),
            *calls(1),
            *got(1),
        ],
    )
    there = world(seed)
    driver = there.add_driver(main)
    there.finish()
    assert outcome(driver) == ([[0]] if restarts else ["fault ACTOR_DIED"])
    assert there.now < 25.0, "it waited for the slow call"


@pytest.mark.parametrize("seed", SEEDS)
def test_exit_actor_ends_it_and_what_is_queued(seed: int) -> None:
    leave = Script("leave", [ExitActor()])
    main = Script(
        "main",
        [
            Create("h", ActorScript("A", max_restarts=5)),
            *calls(2),
            Call("x", "h", leave),
            *calls(2, "h", "d"),
            Get("o", ["c0", "c1"]),
            *got(2, "d"),
        ],
    )
    there = world(seed)
    driver = there.add_driver(main)
    there.finish()
    assert outcome(driver) == ["fault ACTOR_DIED"] * 2


@pytest.mark.parametrize("seed", range(24, 36))
def test_no_finished_call_fails_because_the_news_of_the_end_is_faster(seed: int) -> None:
    main = Script(
        "main", [Create("h", ActorScript("A")), *calls(8), Call("x", "h", Script("x", [ExitActor()])), *got(8)]
    )
    there = world(seed)
    driver = there.add_driver(main)
    there.finish()
    assert outcome(driver) == [[number] for number in range(8)]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("end", [Drop("h"), Call("x", "h", Script("x", [ExitActor()]))], ids=["dropped", "exit"])
def test_what_an_actor_owns_outlives_it_until_nobody_needs_it(seed: int, end: Step) -> None:
    """A value that it put, the result of a task that still runs, and another actor of its own."""
    late = Script("late", [Work(3.0), Return(8)])
    make = Script(
        "make",
        [
            Put("p", 7),
            Submit("s", late),
            Create("other", ActorScript("B")),
            Call("o", "other", ECHO, [9]),
            Return(["p", "s", "o"]),
        ],
    )
    main = Script(
        "main",
        [
            Create("h", ActorScript("A")),
            Call("m", "h", make),
            Get("v", ["m"]),
            end,
            *[Pick(f"r{number}", "v", number) for number in range(3)],
            Work(1.0),
            Get("w", ["r0", "r1", "r2"]),
            Return("w"),
        ],
    )
    there = world(seed)
    driver = there.add_driver(main)
    there.finish()
    assert outcome(driver) == [7, 8, 9]
    there.rest(10.0)
    assert not any(worker.actor for worker in there.workers()), "nobody needs them any more"


@pytest.mark.parametrize("seed", SEEDS)
def test_tasks_of_an_ended_actor_run_to_their_end(seed: int) -> None:
    """Nobody waits for the first; it hands on what it put to an actor that lives on."""
    put = Script("put", [Put("p", 5), Work(1.0), Call("k", "a0", KEEPS, [["p"]]), Get("done", ["k"]), Return(0)])
    begin = Script("begin", [Submit("t", put, ["a0"]), Return(0)])
    main = Script(
        "main",
        [
            Create("keeper", ActorScript("K")),
            Create("h", ActorScript("A")),
            Call("b", "h", begin, ["keeper"]),
            Get("v", ["b"]),
            Drop("h"),
            Work(12.0),
            Call("r", "keeper", READS),
            Get("w", ["r"]),
            Return("w"),
        ],
    )
    there = world(seed)
    driver = there.add_driver(main)
    there.finish()
    assert outcome(driver) == [[5]]


@pytest.mark.parametrize("seed", SEEDS)
def test_an_actor_takes_nothing_along_that_was_there_before_it(seed: int) -> None:
    """A worker that has run tasks, and owns what they put, does not become an actor's."""
    maker = Script("maker", [Put("p", 7), Return(["p"])])
    main = Script(
        "main",
        [
            Submit("m", maker),
            Get("v", ["m"]),
            Work(1.0),
            Create("h", ActorScript("A")),
            *calls(2),
            Get("c", ["c0", "c1"]),
            Drop("h"),
            Work(2.0),
            Pick("p", "v"),
            Get("w", ["p"]),
            Return("w"),
        ],
    )
    there = world(seed, 1)
    driver = there.add_driver(main)
    there.finish()
    assert outcome(driver) == [7]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_constructor_that_raises_ends_all_calls(seed: int) -> None:
    actor = ActorScript("A", Script("init", [Raise("no")]), max_restarts=5)
    there = world(seed)
    driver = there.add_driver(Script("main", [Create("h", actor), *calls(2), *got(2)]))
    there.finish()
    assert outcome(driver) == ["fault ACTOR_INIT_FAILED"] * 2


@pytest.mark.parametrize("seed", SEEDS)
def test_an_actor_ends_with_its_owner_unless_it_is_detached(seed: int) -> None:
    owner = Script(
        "owner",
        [
            Create("d", ActorScript("D", named="stays", detached=True)),
            Create("m", ActorScript("M", named="goes")),
            Work(30.0),
            Return(0),
        ],
        max_retries=0,
    )
    main = Script(
        "main",
        [
            Submit("o", owner),
            Work(15.0),
            Find("d", "stays"),
            Find("m", "goes"),
            *calls(1, "d"),
            Get("v", ["c0"]),
            Kill("d"),
            Return(["v", "m"]),
        ],
    )
    there = world(seed)
    driver = there.add_driver(main)
    there.run_until(lambda: "they start" if sum(worker.actor is not None for worker in there.workers()) < 2 else "")
    for worker in there.workers():
        if worker.actor is None and worker.executor.running:
            there.crash(worker.me, "it was killed by signal 9 (SIGKILL)")
    there.run()
    assert outcome(driver) == [[0], -1]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_constructor_handed_out_before_it_raised_is_alive(seed: int) -> None:
    init = Script("raising", [Put("p", 5), Call("k", "a0", KEEPS, [["p"]]), Get("done", ["k"]), Raise("no")])
    main = Script(
        "main",
        [
            Create("keeper", ActorScript("K")),
            Create("h", ActorScript("A", init), ["keeper"]),
            *calls(1),
            Get("failed", ["c0"], catch=True),
            Work(8.0),
            Call("r", "keeper", READS),
            Get("v", ["r"]),
            Return(["failed", "v"]),
        ],
    )
    there = world(seed)
    driver = there.add_driver(main)
    there.finish()
    assert outcome(driver) == ["fault ACTOR_INIT_FAILED", [[5]]]

"""What has gone wrong with references in systems like this one, each on purpose, under many schedules."""

from __future__ import annotations

import pytest

from rustyray.engines.sim.scripted.driver import Driver
from rustyray.engines.sim.scripted.scripts import (
    ActorScript,
    Add,
    Call,
    Create,
    Drop,
    Get,
    Keep,
    Next,
    Pick,
    Put,
    Raise,
    Recall,
    Return,
    Script,
    Step,
    Submit,
    Work,
    Yield,
)
from rustyray.engines.sim.scripted.world import ScriptedWorld
from rustyray.engines.sim.world.chooser import Tame
from rustyray.engines.sim.world.faults import Fault, Trouble
from rustyray.model.ids import owner_of
from rustyray.model.streams import streaming
from tests.unit.world.test_task_hazards import SEEDS, outcome, world

#: An actor that keeps a ref, and later reads what it refers to.
KEEPS = Script("keeps", [Keep("a0"), Return(0)])
READS = Script("reads", [Recall("k"), Pick("r", "k"), Get("v", ["r"]), Return("v")])


def crash_all(there: ScriptedWorld, driver: Driver, but: bytes) -> None:
    """End all workers that host no actor."""
    for worker in there.workers():
        if worker.me != but and worker.actor is None:
            there.crash(worker.me, "it was killed by signal 9 (SIGKILL)")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_borrowers_borrower_reads_after_the_middle_one_is_gone(seed: int) -> None:
    middle = Script("middle", [Call("c", "a1", KEEPS, ["a0"]), Get("v", ["c"]), Return(0)])
    main = Script(
        "main",
        [
            Create("h", ActorScript("A")),
            Put("p", 42),
            Submit("m", middle, [["p"], "h"]),
            Get("done", ["m"]),
            Drop("p"),
            Work(2.0),
            Call("read", "h", READS),
            Get("v", ["read"]),
            Return("v"),
        ],
    )
    there = world(seed)
    driver = there.add_driver(main)
    there.rest(3.5)
    crash_all(there, driver, b"")
    there.finish()
    assert outcome(driver) == [[42]]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("how", ["list", "exception"])
def test_a_ref_inside_what_a_task_hands_out_is_alive(seed: int, how: str) -> None:
    last = Raise("boom", ["p"]) if how == "exception" else Return([["p"]])
    maker = Script("maker", [Put("p", 7), last])
    main = Script("main", [Submit("r", maker), Get("v", ["r"], catch=True), Work(0.5), Return(0)])
    there = world(seed)
    there.add_driver(main)
    there.run()
    there.rest(1.0)
    (worker,) = [worker for worker in there.workers() if worker.core.objects]
    assert worker.core.unfinished.is_needed(), "the node may not retire it"
    there.finish()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("how", ["result", "exception", "item"])
def test_a_ref_that_goes_back_to_its_owner_is_alive(seed: int, how: str) -> None:
    """The owner's own refs are gone, and those of the actor that returns it go at the same time."""
    gives = Script("gives", [Recall("k"), Raise("boom", "k") if how == "exception" else Return("k")])
    steps: list[Step] = [Call("back", "h", gives), Get("b", ["back"], catch=True)]
    if how == "item":
        gives = Script("gives", [Recall("k"), Yield("k"), Drop("k"), Work(0.1), Return(0)], returns=streaming(0))
        steps = [Call("s", "h", gives), Next("back", "s"), Get("b", ["back"])]
    read: list[Step] = [] if how == "exception" else [Pick("r", "b"), Get("v", ["r"])]
    main = Script(
        "main",
        [
            Create("h", ActorScript("A")),
            Put("p", 42),
            Call("k", "h", KEEPS, [["p"]]),
            Get("done", ["k"]),
            Drop("p"),
            *steps,
            *read,
            Return("b" if how == "exception" else "v"),
        ],
    )
    there = world(seed)
    driver = there.add_driver(main)
    there.finish()
    assert outcome(driver) == ("boom" if how == "exception" else [42])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_ref_in_a_list_is_read_by_whoever_gets_the_list(seed: int) -> None:
    maker = Script("maker", [Put("p", 7), Put("q", ["p"]), Return(["q"])])
    reader = Script("reader", [Pick("q", "a0"), Get("l", ["q"]), Pick("p", "l"), Get("v", ["p"]), Return("v")])
    main = Script("main", [Submit("m", maker), Submit("r", reader, ["m"]), Drop("m"), Get("v", ["r"]), Return("v")])
    there = world(seed)
    driver = there.add_driver(main)
    there.finish()
    assert outcome(driver) == [[7]]


def test_a_get_that_has_to_ask_anew_keeps_no_ref_of_its_first_look() -> None:
    """A node dies at any moment of a get, which reads a ref beside a value that lay there."""
    made = Script("made", [Return(7, big=True)])
    main = Script("main", [Submit("r", made), Put("p", ["r"]), Get("v", ["p", "r"]), Return("v")])
    refused = 0
    for step in range(20, 50):
        there = ScriptedWorld(Tame(), (0.5, 1, 1), faults=[Fault(step, Trouble.NODE, 0)])
        driver = there.add_driver(main)
        there.finish()
        assert outcome(driver) == [["ref"], 7]
        refused += "StoreFailed" in there.story.counts
    assert refused, "the node never died while it was pulled from"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_owners_death_is_told_to_a_borrower_that_waits(seed: int) -> None:
    slow = Script("slow", [Work(20.0), Return(1)])
    maker = Script("maker", [Submit("s", slow), Return(["s"])])
    main = Script(
        "main", [Submit("m", maker), Get("v", ["m"]), Pick("s", "v"), Get("got", ["s"], catch=True), Return("got")]
    )
    there = world(seed)
    driver = there.add_driver(main)
    there.rest(5.0)
    (inner,) = [object_ for object_ in driver.held if owner_of(object_) != driver.me and driver.held[object_] > 1]
    there.crash(owner_of(inner), "it was killed by signal 9 (SIGKILL)")
    there.finish()
    assert outcome(driver) == "fault OWNER_DIED"
    assert there.now < 20.0


@pytest.mark.parametrize("seed", SEEDS)
def test_arguments_of_an_actor_outlive_their_maker_for_restarts(seed: int) -> None:
    init = Script("init", [Pick("r", "a0"), Get("v", ["r"]), Add("s", ["v"]), Keep("s"), Return(0)])
    tell = Script("tell", [Recall("k"), Add("s", ["k"]), Keep("k"), Return("s")])
    actor = ActorScript("A", init, max_restarts=1, max_task_retries=-1)
    main = Script(
        "main",
        [
            Put("p", 9),
            Create("h", actor, [["p"]]),
            Drop("p"),
            Call("one", "h", tell),
            Get("v", ["one"]),
            Work(3.0),
            Call("two", "h", tell),
            Get("w", ["two"]),
            Return(["v", "w"]),
        ],
    )
    there = world(seed)
    driver = there.add_driver(main)
    there.rest(2.0)
    for worker in there.workers():
        if worker.actor is not None:
            there.crash(worker.me, "it was killed by signal 9 (SIGKILL)")
    there.finish()
    assert outcome(driver) == [[9], [9]]

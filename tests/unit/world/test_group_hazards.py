"""Placement groups under many schedules: removal that crosses creation, actors, dying nodes, groups that compete."""

from __future__ import annotations

from typing import Any

import pytest

from rustyray.engines.sim.scripted.scripts import (
    ActorScript,
    Add,
    Call,
    Create,
    Drop,
    Get,
    MakeGroup,
    ReadyGroup,
    RemoveGroup,
    Return,
    Script,
    Step,
    Submit,
    Wait,
    Work,
)
from rustyray.engines.sim.scripted.world import ScriptedWorld
from rustyray.engines.sim.world.chooser import Seeded, Tame
from rustyray.model.messages import GroupState, Packing
from tests.unit.world.runs import MOODS, shown

SEEDS = range(12)
UNIT = Script("unit", [Return(1)])
GONE = "fault GROUP_REMOVED"


def world(seed: int, *nodes: float) -> ScriptedWorld:
    return ScriptedWorld(Seeded(seed, MOODS[seed % len(MOODS)]) if seed else Tame(), nodes)


def outcome(there: ScriptedWorld, steps: list[Step]) -> Any:
    driver = there.add_driver(Script("main", steps))
    there.finish()
    return shown(driver.outcome)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_group_that_is_removed_before_it_is_there(seed: int) -> None:
    there = world(seed, 1, 1)
    steps: list[Step] = [
        MakeGroup("g", (1, 1), Packing.STRICT_SPREAD),
        Submit("u", UNIT, [], "g"),
        ReadyGroup("r", "g"),
        RemoveGroup("g"),
        Submit("late", UNIT, [], "g", 1),
        *(Get(f"v{name}", [name], catch=True) for name in ("u", "r", "late")),
        Return(["vu", "vr", "vlate"]),
    ]
    early, ready, late = outcome(there, steps)
    assert early in ([1], GONE)
    assert ready in ([0], GONE)
    assert late == GONE


@pytest.mark.parametrize("seed", SEEDS)
def test_groups_that_want_everything_get_it_in_turn(seed: int) -> None:
    """Each driver takes both nodes; none may hold one while it waits for the other."""
    there = world(seed, 1, 1)
    for number in range(3):
        task = Script(f"task{number}", [Work(0.01), Return(1)])
        steps: list[Step] = [
            MakeGroup("g", (1, 1), Packing.STRICT_SPREAD),
            Submit("a", task, [], "g", 0),
            Submit("b", task, [], "g", 1),
            Get("v", ["a", "b"]),
            RemoveGroup("g"),
            Add("s", ["v"]),
            Return("s"),
        ]
        there.add_driver(Script(f"main{number}", steps), number=100 + number)
    there.finish()
    assert [driver.outcome for driver in there.clients() if not driver.executes] == [2, 2, 2]  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", SEEDS)
def test_actors_of_a_group_each_find_a_bundle(seed: int) -> None:
    there = world(seed, 1, 1, 1)
    actor = ActorScript("A", cpus=1)
    answer = Script("answer", [Return(1)])
    steps: list[Step] = [MakeGroup("g", (1, 1, 1), Packing.SPREAD)]
    for number in range(3):
        steps += [Create(f"h{number}", actor, [], "g"), Call(f"c{number}", f"h{number}", answer)]
    steps += [Get("v", ["c0", "c1", "c2"]), RemoveGroup("g"), Add("s", ["v"]), Return("s")]
    assert outcome(there, steps) == 3


@pytest.mark.parametrize("seed", SEEDS)
def test_a_removed_group_takes_its_actors_and_tasks_along(seed: int) -> None:
    there = world(seed, 2, 1)
    endless = Script("endless", [Work(1e6), Return(1)])
    answer = Script("answer", [Return(1)])
    actor = ActorScript("A", cpus=0.5, max_restarts=-1, max_task_retries=-1)
    steps: list[Step] = [
        MakeGroup("g", (1, 1), Packing.STRICT_SPREAD),
        Submit("t", endless, [], "g", 0),
        Create("h", actor, [], "g", 1),
        Call("c", "h", answer),
        Wait(["c"], 1),
        RemoveGroup("g"),
        Call("d", "h", answer),
        Get("vt", ["t"], catch=True),
        Get("vd", ["d"], catch=True),
        Return(["vt", "vd"]),
    ]
    assert outcome(there, steps) == [GONE, "fault ACTOR_DIED"]


@pytest.mark.parametrize("seed", SEEDS)
def test_bundles_whose_node_dies_are_placed_again(seed: int) -> None:
    there = world(seed, 1, 1, 1)
    task = Script("task", [Work(0.05), Return(1)], max_retries=-1)
    steps: list[Step] = [MakeGroup("g", (1, 1), Packing.STRICT_SPREAD), ReadyGroup("r", "g"), Get("x", ["r"])]
    steps += [Submit(f"t{number}", task, [], "g", number % 2) for number in range(8)]
    steps += [Get("v", [f"t{number}" for number in range(8)]), Add("s", ["v"]), Return("s")]
    driver = there.add_driver(Script("main", steps))
    head = there.nodes()[0].head
    assert head is not None
    groups = head._actors.groups
    there.run_until(lambda: "" if any(g.state is GroupState.CREATED for g in groups.living.values()) else "not there")
    (group,) = groups.living.values()
    there.rest(0.02)
    victim = next(node for node in group.nodes if node != there.head)
    there.crash(victim, "the machine is gone")
    there.finish()
    assert driver.outcome == 8
    assert victim not in group.nodes
    assert group.state is GroupState.CREATED


@pytest.mark.parametrize("seed", SEEDS)
def test_an_actor_beside_a_group_does_not_wait_for_the_groups_room(seed: int) -> None:
    """The actor finds no room at first, and its node gives half of itself to the group. A task that comes last gets the
    actor's room.
    """
    there = world(seed, 1, 1)
    long = Script("long", [Work(0.2), Return(1)])
    answer = Script("answer", [Return(1)])
    steps: list[Step] = [
        Submit("a", long),
        Submit("b", Script("longer", [Work(0.4), Return(1)])),
        Create("h", ActorScript("A", cpus=1)),
        Call("c", "h", answer),
        MakeGroup("g", (0.5,)),
        Get("w", ["c"]),
        Drop("h"),
        Get("v", ["a", "b"]),
        Return(["v", "w"]),
    ]
    assert outcome(there, steps) == [[1, 1], [1]]

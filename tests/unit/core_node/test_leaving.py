"""A node that the head refuses, or that has lost it: what ends, what is said, and whether another takes its place."""

from __future__ import annotations

import pytest

from rustyray.core.effects import Refusal
from rustyray.core.node import NodeLimits
from rustyray.model.ids import worker_id
from rustyray.model.messages import (
    HEAD,
    HeadEnds,
    NodeAccepted,
    NodeEnds,
    NodeRefused,
    RegisterAgain,
    RegisterDriver,
    RegisterNode,
    Shutdown,
)
from tests.unit.core_node.world import DRIVER, NODE, OTHER, World

SILENT = NodeRefused(NODE, "it was silent for 10 s")
LIMITS = NodeLimits(restarts=3, restart_pause=0.5, restart_window=100.0, call_head=1.0, head_away=60.0)


def refused(*before: float) -> World:
    """A node that several drivers share is refused at 100; those before it were at these times."""
    world = World(limits=LIMITS, shared=True, refusals=[Refusal(OTHER, at) for at in before])
    world.say(HEAD, SILENT)
    return world


def test_no_process_of_a_refused_node_goes_on() -> None:
    world = World(embedded=False)
    worker = world.lease().worker
    world.say(HEAD, SILENT)
    assert world.ended == [(worker, True)]
    assert world.stopped
    assert world.again is None, "a node that a program has started ends"
    assert not world.take(HEAD, NodeEnds)


@pytest.mark.parametrize(
    ("before", "pause", "known"), [([], 0.5, 1), ([99.0], 1.0, 2), ([50.0, 99.0], 2.0, 3), ([-5.0, 0.0, 99.0], 1.0, 2)]
)
def test_another_takes_its_place_later_each_time(before: list[float], pause: float, known: int) -> None:
    world = refused(*before)
    assert world.stopped
    assert world.again is not None
    assert world.again.pause == pause
    assert len(world.again.refusals) == known, "what is long ago does not count"
    assert world.again.refusals[-1] == Refusal(NODE, 100.0)
    says = f"another takes its place in {pause:g} s"
    assert world.one(HEAD, NodeEnds) == NodeEnds(NODE, says)
    assert world.one(DRIVER, NodeEnds).reason == f"it was silent for 10 s; {says}" == world.warnings[-1]


def test_what_is_refused_again_and_again_gives_up() -> None:
    world = refused(10.0, 50.0, 99.0)
    assert world.stopped
    assert world.again is None
    reason = world.one(HEAD, NodeEnds).reason
    assert "that has happened 4 times within 100 s, so no other takes its place" in reason
    assert "'rustyray start --address=" in reason
    assert reason in world.warnings[-1]


def test_a_node_that_is_told_to_end_has_no_successor() -> None:
    world = World(limits=LIMITS)
    worker = world.lease().worker
    world.say(DRIVER, Shutdown(60.0))
    world.say(HEAD, SILENT)
    assert (worker, True) in world.ended
    assert world.again is None


def test_only_the_head_can_refuse_a_node_and_only_this_one() -> None:
    world = World(limits=LIMITS, shared=True)
    world.say(OTHER, SILENT)
    world.say(HEAD, NodeRefused(OTHER, "it was silent"))
    assert not world.stopped


def test_a_node_says_whose_place_it_has_taken() -> None:
    world = World(limits=LIMITS, shared=True, refusals=[Refusal(b"node-old", 1.0), Refusal(OTHER, 2.0)])
    assert world.take(HEAD, RegisterNode)[0].replaces == OTHER
    assert World().take(HEAD, RegisterNode)[0].replaces == b""


def lose_head(world: World) -> None:
    """For good: it cannot be reached whenever it is called."""
    for _ in range(62):
        world.lose(HEAD)
        world.wait(1.0)


def test_drivers_hear_why_the_head_has_ended_and_what_the_node_ends_of() -> None:
    world = World(limits=LIMITS, shared=True)
    world.say(HEAD, HeadEnds("its disk is full"))
    assert world.one(DRIVER, HeadEnds).reason == "its disk is full" == world.warnings[-1]
    lose_head(world)
    assert world.stopped
    assert world.again is None
    why = world.one(DRIVER, NodeEnds).reason
    assert why == f"the head could not be reached for 60 s (its disk is full): node {NODE.hex()} ends"


def test_a_head_that_came_back_is_not_blamed() -> None:
    world = World(limits=LIMITS, shared=True)
    world.say(HEAD, HeadEnds("its disk is full"))
    world.lose(HEAD)
    world.say(HEAD, RegisterAgain(NODE))
    world.say(HEAD, NodeAccepted(NODE))
    lose_head(world)
    assert "disk" not in world.one(DRIVER, NodeEnds).reason


def test_who_joins_while_there_is_no_head_hears_why() -> None:
    world = World(limits=LIMITS, shared=True)
    world.say(HEAD, HeadEnds("its disk is full"))
    late = worker_id(NODE, 99)
    world.say(late, RegisterDriver(1, ""))
    assert world.one(late, HeadEnds).reason == "its disk is full"

"""Many nodes that want one object: they are sent on to one another, and come back when that fails."""

from __future__ import annotations

import pytest

from rustyray.core.effects import SendChunk
from rustyray.core.node import THROWN_AWAY
from rustyray.core.node.serving import FANOUT, PAUSE
from rustyray.core.node.transfers import WINDOW
from rustyray.model.messages import (
    HEAD,
    Chunk,
    ClusterView,
    NodeDied,
    PullChunk,
    PullDone,
    PullElsewhere,
    PullFailed,
    StoreFailed,
    StoreFree,
    StorePin,
    StorePinned,
    StoreUnpin,
)
from rustyray.model.values import Fault, FaultKind
from tests.unit.core_node.test_cluster_view import info
from tests.unit.core_node.test_transfers import LIMITS, Pulling
from tests.unit.core_node.world import DRIVER, OTHER, PAGE, obj

NODES = [f"node-{number:03}".encode() for number in range(10)]
LOST = Fault(FaultKind.OBJECT_LOST, "it is gone")


class Serving(Pulling):
    """Knows ten nodes more."""

    def meet(self) -> None:
        self.say(HEAD, ClusterView([info(node, 0) for node in (OTHER, *NODES)]))

    def ask(self, node: bytes, number: int = 1, pull: int = 7, direct: bool = False, begin: int = 0) -> bytes:
        """``node`` wants the object; who serves it."""
        self.moved.clear()
        self.say(node, PullChunk(obj(number), pull, begin, 100, 0, direct))
        sent_on = self.take(node, PullElsewhere)
        assert len(sent_on) + len(self.moved) == 1
        return sent_on[0].node if sent_on else b""


@pytest.fixture
def world() -> Serving:
    return Serving()


# --- the node with the original ---------------------------------------------------------------------------------------


def test_nobody_sends_an_object_more_often_than_others(world: Serving) -> None:
    world.put(1, 1)
    served = [world.ask(node) for node in NODES]
    assert served[:FANOUT] == [b""] * FANOUT
    assert served[FANOUT:] == [node for node in NODES for _ in range(FANOUT)][: len(NODES) - FANOUT]


def test_who_was_sent_on_is_not_answered_twice(world: Serving) -> None:
    world.put(1, 1)
    for node in NODES[:FANOUT]:
        world.ask(node)
    assert world.ask(NODES[5]) == NODES[0]
    world.moved.clear()
    world.say(NODES[5], PullChunk(obj(1), 7, 100, 100))
    assert not world.moved
    assert not world.take(NODES[5], PullElsewhere)


def test_who_comes_back_is_served(world: Serving) -> None:
    world.put(1, 1)
    for node in NODES[:FANOUT]:
        world.ask(node)
    assert world.ask(NODES[5]) == NODES[0]
    assert world.ask(NODES[5], pull=8, direct=True) == b""
    world.say(DRIVER, StoreFree([obj(1)]))
    assert world.used == 1, "it is pinned for those who pull it"
    for node in (*NODES[:FANOUT], NODES[5]):
        world.say(node, PullDone(obj(1)))
        assert world.one(node, StoreFree).objects == [obj(1)]
    assert world.used == 0


def test_who_is_sent_on_is_told_when_the_object_is_freed(world: Serving) -> None:
    world.put(1, 1)
    for node in NODES[:3]:
        world.ask(node)
        world.say(node, PullDone(obj(1)))
    world.say(DRIVER, StoreFree([obj(1)]))
    assert [world.one(node, StoreFree).objects for node in NODES[:3]] == [[obj(1)]] * 3


def test_nobody_is_sent_to_the_dead_or_to_itself(world: Serving) -> None:
    world.put(1, 1)
    for node in NODES[:FANOUT]:
        world.ask(node)
    world.say(HEAD, NodeDied(NODES[0], "it is gone"))
    assert world.ask(NODES[5]) == NODES[1]
    assert world.ask(NODES[1], pull=8) == b"", "its own place is free"
    assert world.ask(NODES[6], pull=8) == NODES[1]


def test_nobody_is_sent_to_whom_it_serves(world: Serving) -> None:
    """The first pulls anew what the others still get from it."""
    world.put(1, 1)
    served = [world.ask(node) for node in NODES[:4]]
    assert served[2:] == [NODES[0], NODES[0]]
    world.say(NODES[4], PullChunk(obj(1), 7, 0, 100, 0, True))
    assert world.ask(NODES[0], pull=8) == NODES[1]


# --- a node that passes it on -----------------------------------------------------------------------------------------


def test_pieces_are_passed_on_as_they_come(world: Serving) -> None:
    world.pin(1, 2500)
    first, second, third = world.take(OTHER, PullChunk)
    world.say(NODES[0], PullChunk(obj(1), 7, 0, 1000))
    world.say(NODES[0], PullChunk(obj(1), 7, 1000, 1000))
    assert world.moved == []
    world.bring(first)
    assert world.moved == [SendChunk(NODES[0], obj(1), 7, 0, 0, 1000, copied=True)], "the extent may be gone before"
    world.bring(second)
    world.bring(third)
    world.say(NODES[0], PullChunk(obj(1), 7, 2000, 500))
    assert world.moved[1:] == [
        SendChunk(NODES[0], obj(1), 7, 0, 1000, 1000, copied=True),
        SendChunk(NODES[0], obj(1), 7, 0, 2000, 500),
    ]
    world.say(DRIVER, StoreUnpin([obj(1)]))
    world.pin(2, 8 * PAGE)
    assert not world.take(OTHER, PullChunk), "it is pinned for the one who pulls it"
    world.say(NODES[0], PullDone(obj(1)))
    world.wait(LIMITS.store_wait)
    world.pin(3, 8 * PAGE)
    assert world.take(OTHER, PullChunk)


def test_who_waits_for_pieces_is_told_that_none_will_come(world: Serving) -> None:
    world.pin(1, 2500)
    ask = world.take(OTHER, PullChunk)[0]
    world.say(NODES[0], PullChunk(obj(1), 7, 0, 1000))
    world.say(OTHER, PullFailed(obj(1), ask.pull, LOST))
    assert world.one(NODES[0], PullFailed).pull == 7


def test_another_attempts_copy_is_not_passed_on(world: Serving) -> None:
    world.pull(1, 500)
    world.say(NODES[0], PullChunk(obj(1), 7, 0, 500, attempt=1))
    assert world.one(NODES[0], PullFailed).object == obj(1)
    world.pin(2, 500)
    world.say(NODES[0], PullChunk(obj(2), 8, 0, 500, attempt=1))
    assert world.one(NODES[0], PullFailed).object == obj(2)
    assert world.moved == []


# --- a node that is sent on -------------------------------------------------------------------------------------------


def sent_on(world: Serving, got: int = 0) -> list[PullChunk]:
    """The source has sent this node on to another; ``got`` pieces have come from there. What was asked for last."""
    world.pin(1, 2500)
    world.say(OTHER, PullElsewhere(obj(1), world.take(OTHER, PullChunk)[0].pull, NODES[0]))
    asked = world.take(NODES[0], PullChunk)
    assert [ask.begin for ask in asked] == [0, 1000, 2000]
    for ask in asked[:got]:
        world.bring(ask, NODES[0])
    return asked


def test_it_comes_from_there_and_both_are_told(world: Serving) -> None:
    sent_on(world, 3)
    world.one(DRIVER, StorePinned)
    assert world.one(OTHER, PullDone).object == world.one(NODES[0], PullDone).object == obj(1)


@pytest.mark.parametrize("how", ["lost", "dead", "failed", "silent"])
def test_the_source_supplies_what_is_missing(world: Serving, how: str) -> None:
    late = sent_on(world, 1)[1]
    if how == "lost":
        world.lose(NODES[0])
    elif how == "dead":
        world.say(HEAD, NodeDied(NODES[0], "it is gone"))
    elif how == "failed":
        world.say(NODES[0], PullFailed(obj(1), late.pull, LOST))
    else:
        world.wait(LIMITS.stall - 0.5)
        assert not world.take(OTHER, PullChunk)
        world.wait(LIMITS.stall)
    asked = world.take(OTHER, PullChunk)
    assert [(ask.begin, ask.direct) for ask in asked] == [(1000, True), (2000, True)]
    if how == "silent":
        world.bring(late, NODES[0])
        assert world.written[-1][0] is THROWN_AWAY, "it is too late"
    for ask in asked:
        world.bring(ask)
    world.one(DRIVER, StorePinned)


def test_who_is_unknown_is_not_asked(world: Serving) -> None:
    world.pin(1, 500)
    world.say(OTHER, PullElsewhere(obj(1), world.one(OTHER, PullChunk).pull, b"node-xyz"))
    assert world.one(OTHER, PullChunk).direct


def test_nobody_but_the_source_sends_on(world: Serving) -> None:
    asked = sent_on(world)
    world.say(NODES[0], PullElsewhere(obj(1), asked[0].pull, NODES[1]))
    assert not world.take(NODES[1], PullChunk)


def test_a_source_that_says_nothing_is_given_up(world: Serving) -> None:
    world.pin(1, 2500)
    world.bring(world.take(OTHER, PullChunk)[0])
    world.wait(LIMITS.mapped_wait + LIMITS.stall - 1)
    assert not world.take(DRIVER, StoreFailed)
    world.wait(LIMITS.stall)
    fault = world.one(DRIVER, StoreFailed).fault
    assert fault.kind is FaultKind.OBJECT_LOST
    assert "has sent nothing of it for 70 s; 1000 of 2500 bytes are here" in fault.message
    assert world.used == 0


def test_one_that_sends_something_else_meanwhile_is_only_slow(world: Serving) -> None:
    world.pin(1, 500)
    world.pin(2, 4000)
    first = world.take(OTHER, PullChunk)
    for ask in first[1:4]:
        world.wait(2 * LIMITS.stall)
        world.bring(ask)
    assert not world.take(DRIVER, StoreFailed)


def test_many_pulls_ask_for_less_ahead_each() -> None:
    world = Serving(pages=200)
    for number in range(1, 21):
        world.pin(number, 20_000)
    asked = [message.object for to, message in world.sent if to == OTHER and isinstance(message, PullChunk)]
    assert [asked.count(obj(number)) for number in (1, 4, 8, 20)] == [WINDOW, WINDOW, WINDOW // 2, 1]


def test_no_more_than_one_copy_is_on_its_way(world: Serving) -> None:
    """Whoever asks, and from wherever they think it comes."""
    world.pin(1, 2500)
    for client, node in ((DRIVER, OTHER), (DRIVER, NODES[3])):
        world.say(client, StorePin(9, obj(1), node, 2500))
    asked = [message for _, message in world.sent if isinstance(message, PullChunk)]
    assert [ask.begin for ask in asked] == [0, 1000, 2000]
    for ask in asked:
        world.say(OTHER, Chunk(ask.object, ask.pull, ask.begin, ask.size))
    assert len(world.take(DRIVER, StorePinned)) == 3


# --- links that break -------------------------------------------------------------------------------------------------


def test_a_node_is_told_again_what_is_freed_whenever_the_connection_breaks(world: Serving) -> None:
    world.meet()
    freed = [StoreFree([obj(number)], NODES[0]) for number in range(2)]
    for message in freed:
        world.say(DRIVER, message)
    assert world.take(NODES[0], StoreFree) == freed
    world.lose(NODES[1])
    assert world.take(NODES[0], StoreFree) == []
    for _ in range(2):
        for _ in range(2):  # before the pause is over
            world.lose(NODES[0])
        assert world.take(NODES[0], StoreFree) == []
        world.wait(PAUSE)
        assert world.take(NODES[0], StoreFree) == freed


@pytest.mark.parametrize(
    ("sizes", "again"), [([300, 300, 200], [300, 200]), ([300, 1000], [1000]), ([1] * 600, [1] * 512)]
)
def test_how_much_a_node_is_told_again_goes_by_the_number_of_objects(
    world: Serving, sizes: list[int], again: list[int]
) -> None:
    world.meet()
    for size in sizes:
        world.say(DRIVER, StoreFree([obj(number) for number in range(size)], NODES[0]))
    world.take(NODES[0], StoreFree)
    world.lose(NODES[0])
    world.wait(PAUSE)
    assert [len(message.objects) for message in world.take(NODES[0], StoreFree)] == again


def test_a_dead_node_is_told_nothing(world: Serving) -> None:
    world.meet()
    world.say(DRIVER, StoreFree([obj(1)], NODES[0]))
    world.take(NODES[0], StoreFree)
    world.say(HEAD, NodeDied(NODES[0], "power"))
    world.lose(NODES[0])
    world.wait(PAUSE)
    assert world.take(NODES[0], StoreFree) == []

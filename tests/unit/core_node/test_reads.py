"""Who needs several objects at once: it waits without holding any, unless there is room for all."""

from __future__ import annotations

import pytest

from rustyray.core.effects import RestoreObject
from rustyray.model.messages import (
    HEAD,
    ClusterView,
    PullChunk,
    PullDone,
    PullFailed,
    StoreFailed,
    StoreFree,
    StorePin,
    StorePinAll,
    StorePinned,
    StoreUnpin,
)
from rustyray.model.values import Fault, FaultKind
from tests.unit.core_node.test_cluster_view import info
from tests.unit.core_node.test_spilling import Spilling
from tests.unit.core_node.test_transfers import Pulling
from tests.unit.core_node.world import DRIVER, OTHER, PAGE, STRANGER, World, obj

SMALLER = b"node-a00"
LOST = Fault(FaultKind.OBJECT_LOST, "it is gone")


def pin_all(world: World, client: bytes, *numbers: int, node: bytes = OTHER, pages: int = 2) -> None:
    pins = [StorePin(number, obj(number, STRANGER), node, pages * PAGE) for number in numbers]
    world.say(client, StorePinAll(pins))


def asked_for(world: World, node: bytes = OTHER) -> list[bytes]:
    """The objects that were asked for first."""
    return [ask.object for ask in world.take(node, PullChunk) if ask.begin == 0]


@pytest.fixture
def world() -> Pulling:
    return Pulling(pages=16)


def test_what_there_is_room_for_is_gathered_at_once(world: Pulling) -> None:
    pin_all(world, DRIVER, 1, 2)
    pin_all(world, STRANGER, 3, 4)
    assert asked_for(world) == [obj(number, STRANGER) for number in (1, 2, 3, 4)]


def test_others_wait_without_holding_anything(world: Pulling) -> None:
    world.put(9, 1)
    pin_all(world, DRIVER, 1, 2, 3, 4)
    world.say(STRANGER, StorePinAll([StorePin(9, obj(9)), StorePin(5, obj(5, STRANGER), OTHER, 14 * PAGE)]))
    assert not world.take(STRANGER, StorePinned), "not even what is here"
    assert obj(5, STRANGER) not in asked_for(world)
    pin_all(world, STRANGER, 6, pages=1)
    assert asked_for(world) == [obj(6, STRANGER)], "what fits may overtake"


def test_they_begin_when_the_others_have_what_they_wanted_or_will_not_get_it(world: Pulling) -> None:
    pin_all(world, DRIVER, 1, 2, pages=5)
    asks = world.take(OTHER, PullChunk)
    pin_all(world, STRANGER, 3, 4, pages=5)
    for ask in asks:
        if ask.object == obj(1, STRANGER):
            world.bring(ask)
    world.give(1)
    world.wait(1)
    assert not world.take(OTHER, PullChunk)
    world.say(OTHER, PullFailed(obj(2, STRANGER), asks[-1].pull, LOST))
    assert world.one(DRIVER, StoreFailed).fault == LOST
    world.wait(0)
    assert asked_for(world) == [obj(3, STRANGER), obj(4, STRANGER)]


def test_they_begin_when_the_others_let_go(world: Pulling) -> None:
    world.pull(1, 12 * PAGE)
    pin_all(world, STRANGER, 2, pages=1)
    pin_all(world, STRANGER, 3, pages=4)
    assert asked_for(world) == [obj(2, STRANGER)]
    world.say(DRIVER, StoreUnpin([obj(1)]))
    world.wait(0)
    assert asked_for(world) == [obj(3, STRANGER)]


def test_who_holds_something_is_let_through(world: Pulling) -> None:
    world.put(9, 1)
    pin_all(world, STRANGER, 1, 2, pages=5)
    world.say(DRIVER, StorePin(9, obj(9)))
    pin_all(world, DRIVER, 3, 4)
    assert asked_for(world) == [obj(number, STRANGER) for number in (1, 2, 3, 4)]


def test_no_one_is_overtaken_for_long(world: Pulling) -> None:
    pin_all(world, STRANGER, 1, pages=5)
    pin_all(world, DRIVER, 2, pages=12)
    pin_all(world, OTHER + b"worker-1", 3, pages=1)
    assert asked_for(world) == [obj(1, STRANGER), obj(3, STRANGER)]
    world.wait(1.5)
    pin_all(world, OTHER + b"worker-2", 4, pages=1)
    assert not asked_for(world)
    for client in (STRANGER, OTHER + b"worker-1"):
        world.lose(client)
    world.wait(0)
    assert world.core._store.transfers.pulls.keys() >= {obj(2, STRANGER)}


def test_the_end_of_who_gathers_lets_others_begin(world: Pulling) -> None:
    pin_all(world, STRANGER, 1, pages=12)
    pin_all(world, DRIVER, 2, pages=12)
    assert asked_for(world) == [obj(1, STRANGER)]
    world.lose(STRANGER)
    world.wait(0)
    world.give(1)
    world.wait(0)
    assert obj(2, STRANGER) in world.core._store.transfers.pulls


# --- nodes that wait for each other -----------------------------------------------------------------------------------


class Circle(Spilling):
    """It has objects 1 and 2 in its spill file, and its arena is kept for pulls of which nothing has come."""

    def __init__(self, source: bytes) -> None:
        super().__init__()
        self.say(HEAD, ClusterView([info(OTHER, 0), info(SMALLER, 0)]))
        self.away(1, 2)
        pin_all(self, DRIVER, 11, 12, 13, 14, node=source)
        assert len(asked_for(self, source)) == 4
        assert self.used == 8


def test_a_pull_gives_way_to_what_another_node_waits_for() -> None:
    world = Circle(OTHER)
    world.say(OTHER, PullChunk(obj(1), 1, 0, 100))
    world.wait(0)
    assert world.take(OTHER, PullDone) == [PullDone(obj(14, STRANGER))]
    assert isinstance(world.work[0], RestoreObject)
    assert not asked_for(world)
    world.restore()
    world.say(OTHER, PullDone(obj(1)))
    world.wait(0)
    assert asked_for(world) == [obj(14, STRANGER)], "it has its turn again"


def test_it_does_not_give_way_when_the_other_node_does() -> None:
    world = Circle(SMALLER)
    world.say(SMALLER, PullChunk(obj(1), 1, 0, 100))
    world.wait(0)
    assert not world.work
    world.say(STRANGER, StoreFree([obj(12, STRANGER)]))
    world.lose(DRIVER)
    assert world.used == 8, "the pull goes on, and then is thrown away"


def test_it_does_not_give_way_to_a_process_of_this_node() -> None:
    world = Circle(OTHER)
    world.pin(1)
    world.wait(0)
    assert not world.work
    assert not world.take(OTHER, PullDone)

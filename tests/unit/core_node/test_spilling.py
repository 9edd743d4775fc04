"""What leaves a full arena for the spill file, and comes back: in which order, and what if the disk does not."""

from __future__ import annotations

import pytest

from rustyray.core.effects import Effect, FreeExtent, RestoreObject, SpillObject, TrimArena, TrimSpilled
from rustyray.core.node import NodeLimits
from rustyray.model.messages import (
    HEAD,
    Chunk,
    ClusterView,
    ObjectLost,
    PullChunk,
    PullDone,
    PullFailed,
    Shutdown,
    StoreCreate,
    StoreCreated,
    StoreFailed,
    StoreFree,
    StorePin,
    StorePinned,
    StoreSeal,
    StoreUnpin,
)
from rustyray.model.values import FaultKind
from tests.unit.core_node.test_cluster_view import info
from tests.unit.core_node.world import DRIVER, NODE, OTHER, PAGE, STRANGER, World, obj

LIMITS = NodeLimits(spill_capacity=100 * PAGE)


class Spilling(World):
    """Its disk does nothing by itself: `spill` and `restore` answer what was asked first."""

    def __init__(self, pages: int = 8, limits: NodeLimits = LIMITS) -> None:
        self.work: list[SpillObject | RestoreObject] = []
        self.given_back: list[Effect] = []
        super().__init__(store_pages=pages, limits=limits)

    def note(self, effect: Effect) -> None:
        if isinstance(effect, SpillObject | RestoreObject):
            self.work.append(effect)
        elif isinstance(effect, FreeExtent | TrimArena | TrimSpilled):
            self.given_back.append(effect)
        super().note(effect)

    def spill(self, problem: str = "") -> SpillObject:
        work = self.work.pop(0)
        assert isinstance(work, SpillObject)
        self.core.spilled(work.place, 1000 + work.offset, problem, self.now)
        self.settle()
        return work

    def restore(self, problem: str = "") -> RestoreObject:
        work = self.work.pop(0)
        assert isinstance(work, RestoreObject)
        self.core.restored(work.place, problem, self.now)
        self.settle()
        return work

    def pin(self, number: int, client: bytes = DRIVER) -> None:
        self.say(client, StorePin(number, obj(number)))

    def away(self, *numbers: int) -> None:
        """These objects, two pages each, are written and spilled."""
        for number in numbers:
            self.put(number, 2)
        self.create(99, 8)
        for _ in numbers:
            self.spill()
        self.one(DRIVER, StoreCreated)
        self.say(DRIVER, StoreFree([obj(99)]))
        self.say(DRIVER, StoreSeal(obj(99)))
        assert self.used == 0

    @property
    def used(self) -> int:
        return self.core._store.arena.used // PAGE

    @property
    def spilled(self) -> int:
        return self.core._store.room.spilling.file.used // PAGE


@pytest.fixture
def world() -> Spilling:
    return Spilling()


# --- out --------------------------------------------------------------------------------------------------------------


def test_what_was_used_longest_ago_is_spilled_and_some_more(world: Spilling) -> None:
    for number in range(4):
        world.put(number, 2)
    world.pin(0)
    world.say(DRIVER, StoreUnpin([obj(0)]))
    assert world.create(7, 2) is None
    ahead = SpillObject(2 * PAGE, 4 * PAGE, 2 * PAGE)  # a quarter of the store is to be ready to leave
    assert world.work == [SpillObject(0, 2 * PAGE, 2 * PAGE), ahead]
    world.spill()
    assert world.one(DRIVER, StoreCreated).offset == 2 * PAGE
    assert (world.used, world.spilled) == (8, 4)
    assert world.spill() == ahead
    world.say(DRIVER, StoreSeal(obj(7)))
    assert world.create(8, 2) == 4 * PAGE, "at once"
    assert len(world.work) == 1, "and the next is made ready"


def test_small_objects_lie_next_to_one_another_in_the_file(world: Spilling) -> None:
    for number in range(4):
        world.put(number, 2)
    world.create(7, 7)
    assert [work.place // PAGE for work in world.work] == [0, 2, 4, 6]


def test_spares_go_before_anything_is_spilled(world: Spilling) -> None:
    world.say(HEAD, ClusterView([info(OTHER, 0)]))
    world.put(1, 4)
    world.say(DRIVER, StorePin(2, obj(2, STRANGER), OTHER, 4 * PAGE))
    world.say(OTHER, Chunk(obj(2, STRANGER), 1, 0, 4 * PAGE))
    world.say(DRIVER, StoreUnpin([obj(2, STRANGER)]))
    assert world.create(3, 4) == 4 * PAGE
    assert not world.work


def test_what_somebody_maps_stays(world: Spilling) -> None:
    world.put(1, 4)
    world.put(2, 4)
    world.pin(1, STRANGER)
    world.create(3, 8)
    assert [work.offset for work in world.work] == [4 * PAGE]
    world.spill()
    assert world.used == 4, "room for a part is of no use to who waits for all of it"
    world.wait(59.0)
    assert not world.take(DRIVER, StoreFailed), "somebody else may be done with it"
    world.wait(5.0)
    fault = world.one(DRIVER, StoreFailed).fault
    assert fault.kind is FaultKind.STORE_FULL
    assert "mapped by readers 0.0164 MB" in fault.message
    assert "spilled 0.0164 MB" in fault.message


def test_what_is_mapped_while_it_is_written_stays_and_goes_at_once_later(world: Spilling) -> None:
    world.put(1, 8)
    world.create(2, 8)
    world.pin(1)
    world.spill()
    assert world.one(DRIVER, StorePinned).offset == 0
    assert not world.take(DRIVER, StoreCreated)
    world.say(DRIVER, StoreUnpin([obj(1)]))
    assert world.one(DRIVER, StoreCreated).offset == 0
    assert not world.work


def test_what_is_freed_while_it_is_written_leaves_nothing(world: Spilling) -> None:
    world.put(1, 8)
    world.create(2, 8)
    world.say(DRIVER, StoreFree([obj(1)]))
    assert world.one(DRIVER, StoreCreated).offset == 0
    assert world.spilled == 8, "the disk is at it still"
    world.spill()
    assert world.spilled == 0


def test_spilled_objects_are_freed_as_others(world: Spilling) -> None:
    world.away(1, 2)
    assert world.spilled == 4
    world.say(DRIVER, StoreFree([obj(1), obj(2)]))
    assert world.spilled == 0


def test_the_dead_leave_nothing_in_the_file(world: Spilling) -> None:
    world.put(1, 8, owner=STRANGER)
    world.create(2, 8)
    world.spill()
    world.lose(STRANGER)
    world.core._store.owners_gone(STRANGER, world.now)
    world.settle()
    assert world.spilled == 0


def test_nothing_is_spilled_where_that_is_switched_off() -> None:
    world = Spilling(limits=NodeLimits())
    world.put(1, 8)
    assert world.create(2, 1) is None
    assert not world.work


# --- and back ---------------------------------------------------------------------------------------------------------


def test_what_is_wanted_again_comes_back_once_for_all(world: Spilling) -> None:
    world.away(1)
    world.pin(1)
    world.pin(1, STRANGER)
    assert world.work == [RestoreObject(0, 0, 2 * PAGE, 1000)]
    world.restore()
    assert world.one(DRIVER, StorePinned) == world.one(STRANGER, StorePinned) == StorePinned(1, 0, 2 * PAGE)


def test_and_leaves_again_without_being_written(world: Spilling) -> None:
    world.away(1)
    world.pin(1)
    world.restore()
    world.say(DRIVER, StoreUnpin([obj(1)]))
    assert world.create(2, 8) == 0
    assert not world.work
    assert world.spilled == 2


def test_coming_back_may_spill_others(world: Spilling) -> None:
    world.away(1)
    world.put(2, 8)
    world.pin(1)
    world.spill()
    world.restore()
    world.one(DRIVER, StorePinned)


def test_there_may_be_no_room_to_come_back_to(world: Spilling) -> None:
    world.away(1)
    world.put(2, 8)
    world.pin(2)
    world.one(DRIVER, StorePinned)
    world.pin(1)
    world.wait(3.0)
    assert world.one(DRIVER, StoreFailed).fault.kind is FaultKind.STORE_FULL
    world.say(DRIVER, StoreFree([obj(2)]))
    world.say(DRIVER, StoreUnpin([obj(2)]))
    world.pin(1)
    world.restore()
    world.one(DRIVER, StorePinned)


def test_what_is_freed_on_its_way_back_is_gone_when_it_is_there(world: Spilling) -> None:
    world.away(1)
    world.pin(1)
    world.say(DRIVER, StoreFree([obj(1)]))
    assert world.used == 2, "the disk writes there"
    world.restore()
    assert (world.used, world.spilled) == (0, 0)
    assert world.one(DRIVER, StoreFailed).fault.kind is FaultKind.OBJECT_LOST


def test_what_is_freed_before_it_has_room_to_come_back_to(world: Spilling) -> None:
    world.away(1)
    world.put(2, 8)
    world.pin(2, STRANGER)
    world.pin(1)
    world.say(DRIVER, StoreFree([obj(1)]))
    world.one(DRIVER, StoreFailed)
    assert world.spilled == 0


def test_bad_bytes_are_an_object_that_is_lost_and_its_owner_is_told(world: Spilling) -> None:
    world.away(1)
    world.pin(1, STRANGER)
    world.restore("its checksum is wrong")
    assert world.one(STRANGER, StoreFailed).fault.kind is FaultKind.OBJECT_LOST
    lost = world.one(DRIVER, ObjectLost)
    assert (lost.object, lost.node, lost.attempt) == (obj(1), NODE, 0)
    assert "its checksum is wrong" in lost.reason
    assert (world.used, world.spilled) == (0, 0)


def test_an_owner_elsewhere_hears_it_from_its_own_node(world: Spilling) -> None:
    world.say(HEAD, ClusterView([info(OTHER, 0)]))
    world.put(1, 8, owner=STRANGER)
    world.create(2, 8)
    world.spill()
    world.say(DRIVER, StoreFree([obj(2)]))
    world.say(DRIVER, StoreSeal(obj(2)))
    world.say(DRIVER, StorePin(3, obj(1, STRANGER)))
    world.restore("its checksum is wrong")
    message = world.one(OTHER, ObjectLost)
    assert not world.take(STRANGER, ObjectLost)
    there = World()
    there.say(OTHER, ObjectLost(obj(1), OTHER, 0, "its checksum is wrong"))
    assert there.one(DRIVER, ObjectLost).reason == "its checksum is wrong"
    assert message.object == obj(1, STRANGER)


def test_other_nodes_pull_what_is_spilled(world: Spilling) -> None:
    world.say(HEAD, ClusterView([info(OTHER, 0)]))
    world.away(1)
    world.say(OTHER, PullChunk(obj(1), 1, 0, PAGE))
    world.say(OTHER, PullChunk(obj(1), 1, PAGE, PAGE))
    world.wait(0.0)
    assert len(world.work) == 1
    world.restore()
    assert world.core._store.objects[obj(1)].pins == 1
    assert not world.take(OTHER, PullFailed)


def test_and_are_told_when_it_is_bad_or_has_no_room(world: Spilling) -> None:
    world.say(HEAD, ClusterView([info(OTHER, 0)]))
    world.away(1, 2)
    world.say(OTHER, PullChunk(obj(1), 1, 0, PAGE))
    world.wait(0.0)
    world.restore("its checksum is wrong")
    assert world.one(OTHER, PullFailed).fault.kind is FaultKind.OBJECT_LOST
    world.put(3, 8)
    world.pin(3)
    world.say(OTHER, PullChunk(obj(2), 1, 0, PAGE))
    world.wait(64.0)
    assert world.one(OTHER, PullFailed).fault.kind is FaultKind.STORE_FULL


def test_spares_of_what_is_bad_are_freed_elsewhere(world: Spilling) -> None:
    """What it was spilled from is lost, and nobody may ever free it: its owner has an error in its place."""
    world.say(HEAD, ClusterView([info(OTHER, 0)]))
    world.put(1, 2)
    world.say(OTHER, PullChunk(obj(1), 1, 0, 2 * PAGE))
    world.say(OTHER, PullDone(obj(1)))
    world.create(99, 8)
    world.spill()
    world.say(DRIVER, StoreFree([obj(99)]))
    world.say(DRIVER, StoreSeal(obj(99)))
    world.pin(1)
    world.restore("its checksum is wrong")
    freed = world.one(OTHER, StoreFree)
    assert (freed.objects, freed.node, freed.attempts) == ([obj(1)], b"", [0])


# --- disks that do not do their part ----------------------------------------------------------------------------------


def test_a_full_disk_is_named_when_time_is_up(world: Spilling) -> None:
    world.put(1, 8)
    world.create(2, 8)
    world.spill("/spill: No space left on device (0 of 5 MB free)")
    world.wait(0.9)
    assert not world.work, "it is left alone for a while"
    world.wait(0.2)
    world.spill("/spill: No space left on device (0 of 5 MB free)")
    world.wait(3.0)
    fault = world.one(DRIVER, StoreFailed).fault
    assert fault.kind is FaultKind.OUT_OF_DISK
    assert "No space left on device (0 of 5 MB free)" in fault.message
    assert "capacity 0.0328 MB" in fault.message


def test_a_disk_that_has_room_again_is_used(world: Spilling) -> None:
    world.put(1, 8)
    world.create(2, 8)
    world.spill("full")
    world.wait(1.1)
    world.spill()
    world.one(DRIVER, StoreCreated)
    assert world.core._store.room.spilling.problem == ""


def test_the_file_has_its_limit() -> None:
    world = Spilling(limits=NodeLimits(spill_capacity=4 * PAGE))
    world.put(1, 8)
    world.create(2, 8)
    assert not world.work
    world.wait(3.0)
    assert "reached its limit of 0.0164 MB" in world.one(DRIVER, StoreFailed).fault.message


def test_who_waits_for_a_slow_disk_waits_but_not_for_one_that_is_silent(world: Spilling) -> None:
    world.put(1, 8)
    world.create(2, 8)
    world.wait(50.0)
    assert not world.take(DRIVER, StoreFailed)
    world.wait(15.0)
    fault = world.one(DRIVER, StoreFailed).fault
    assert fault.kind is FaultKind.OUT_OF_DISK
    assert "has not answered for 60 s" in fault.message


def test_whoever_waits_is_told_of_the_end(world: Spilling) -> None:
    world.away(1)
    world.put(2, 8)
    world.lease()
    world.pin(1)
    world.say(DRIVER, Shutdown(1.0))
    assert world.one(DRIVER, StoreFailed).fault.kind is FaultKind.SHUT_DOWN


# --- order and memory -------------------------------------------------------------------------------------------------


def test_a_large_one_is_not_overtaken_for_ever(world: Spilling) -> None:
    world.put(1, 6)
    world.pin(1)
    assert world.create(2, 4) is None
    assert world.create(3, 1) is not None
    world.wait(1.5)
    assert world.create(4, 1) is None, "there is room, and somebody has waited for more of it"
    world.say(DRIVER, StoreFree([obj(1)]))
    world.say(DRIVER, StoreUnpin([obj(1)]))
    assert [created.request for created in world.take(DRIVER, StoreCreated)] == [2, 4]


def test_free_memory_is_given_back_when_nothing_happens(world: Spilling) -> None:
    world.put(1, 3)
    world.put(2, 2)
    world.say(DRIVER, StoreFree([obj(1)]))
    world.wait(9.0)
    world.put(3, 1)
    world.wait(9.0)
    assert not any(isinstance(effect, TrimArena) for effect in world.given_back)
    world.wait(5.0)
    assert world.given_back[-1] == TrimArena([(PAGE, 2 * PAGE)])
    world.say(DRIVER, StoreCreate(4, obj(4), 2 * PAGE))
    assert world.one(DRIVER, StoreCreated).touched == 0


def test_so_is_disk(world: Spilling) -> None:
    world.away(1, 2)
    world.say(DRIVER, StoreFree([obj(1)]))
    world.wait(30.0)
    assert TrimSpilled([(0, 2 * PAGE)]) in world.given_back

"""The store's index: who may write, map and free what, in whatever order they say so."""

from __future__ import annotations

import pytest

from rustyray.core.effects import FreeExtent
from rustyray.core.node import NodeLimits
from rustyray.model.messages import (
    HEAD,
    NodeDied,
    OwnerDied,
    Shutdown,
    StoreAbort,
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
from tests.unit.core_node.world import DRIVER, OTHER, PAGE, STRANGER, World, obj


@pytest.fixture
def world() -> World:
    return World(store_pages=8)


def used(world: World) -> int:
    return world.core._store.arena.used // PAGE


def test_an_object_is_written_sealed_mapped_unmapped_and_freed(world: World) -> None:
    one = world.put(1, 2.5)
    world.say(DRIVER, StorePin(7, one))
    pinned = world.one(DRIVER, StorePinned)
    assert (pinned.request, pinned.offset, pinned.size) == (7, 0, int(2.5 * PAGE))
    world.say(DRIVER, StoreFree([one]))
    assert used(world) == 3, "it is still mapped"
    world.say(DRIVER, StoreUnpin([one]))
    assert used(world) == 0


def test_word_that_is_late_does_not_free_what_a_later_attempt_has_made(world: World) -> None:
    world.say(STRANGER, StoreCreate(1, obj(1), PAGE, 1))
    world.say(STRANGER, StoreSeal(obj(1)))
    world.say(DRIVER, StoreFree([obj(1)], attempts=[0]))
    assert used(world) == 1
    world.say(DRIVER, StoreFree([obj(1)], attempts=[1]))
    assert used(world) == 0


def test_a_copy_that_is_late_does_not_replace_what_a_later_attempt_has_made(world: World) -> None:
    for writer, attempt in ((STRANGER, 1), (DRIVER, 0)):
        world.say(writer, StoreCreate(1, obj(1), PAGE, attempt))
        world.say(writer, StoreSeal(obj(1)))
    assert used(world) == 1
    world.say(DRIVER, StoreFree([obj(1)], attempts=[0]))
    assert used(world) == 1


def test_the_host_is_told_of_free_extents(world: World) -> None:
    one = world.put(1, 2)
    world.core.on_message(DRIVER, StoreFree([one]), world.now)
    assert world.core.out == [FreeExtent(0, 2 * PAGE)]


def test_touched_pages_are_said_to_be(world: World) -> None:
    world.say(DRIVER, StoreFree([world.put(1, 3)]))
    world.say(DRIVER, StoreCreate(2, obj(2), 5 * PAGE))
    created = world.one(DRIVER, StoreCreated)
    assert (created.offset, created.touched) == (0, 3 * PAGE)


def test_a_reader_of_what_is_being_written_waits_for_the_seal(world: World) -> None:
    world.create(1, 1)
    world.say(STRANGER, StorePin(5, obj(1)))
    assert not world.take(STRANGER, StorePinned)
    world.say(DRIVER, StoreSeal(obj(1)))
    assert world.one(STRANGER, StorePinned).request == 5


def test_and_is_told_when_the_writer_gives_up(world: World) -> None:
    world.create(1, 1)
    world.say(STRANGER, StorePin(5, obj(1)))
    world.say(DRIVER, StoreAbort(obj(1)))
    failed = world.one(STRANGER, StoreFailed)
    assert (failed.request, failed.fault.kind) == (5, FaultKind.OBJECT_LOST)
    assert used(world) == 0


def test_what_is_not_here_cannot_be_mapped(world: World) -> None:
    world.say(DRIVER, StorePin(1, obj(1)))
    fault = world.one(DRIVER, StoreFailed).fault
    assert fault.kind is FaultKind.OBJECT_LOST
    assert obj(1).hex() in fault.message


def test_what_was_freed_cannot_be_mapped_any_more(world: World) -> None:
    one = world.put(1, 1)
    world.say(STRANGER, StorePin(1, one))
    world.say(DRIVER, StoreFree([one]))
    world.say(STRANGER, StorePin(2, one))
    assert world.one(STRANGER, StoreFailed).fault.kind is FaultKind.OBJECT_FREED


def test_only_the_owner_frees(world: World) -> None:
    one = world.put(1, 1)
    world.say(STRANGER, StoreFree([one]))
    assert used(world) == 1


def test_pins_are_counted_per_client(world: World) -> None:
    one = world.put(1, 1)
    for request in range(3):
        world.say(STRANGER, StorePin(request, one))
    world.say(DRIVER, StoreFree([one]))
    world.say(DRIVER, StoreUnpin([one, one, one]))
    assert used(world) == 1, "those were not the driver's to take back"
    world.say(STRANGER, StoreUnpin([one, one]))
    assert used(world) == 1
    world.say(STRANGER, StoreUnpin([one, one]))
    assert used(world) == 0


def test_a_dead_client_leaves_no_pins_no_unsealed_objects_and_no_wishes(world: World) -> None:
    one = world.put(1, 1)
    world.create(2, 1, writer=STRANGER)
    world.say(STRANGER, StorePin(1, one))
    world.say(DRIVER, StorePin(2, obj(2)))
    world.say(DRIVER, StoreFree([one]))
    assert used(world) == 2
    world.lose(STRANGER)
    assert used(world) == 0
    assert world.one(DRIVER, StoreFailed).request == 2


def test_a_dead_client_does_not_wait_for_what_others_still_wait_for(world: World) -> None:
    world.create(1, 1)
    for reader in (STRANGER, DRIVER):
        world.say(reader, StorePin(1, obj(1)))
    world.lose(STRANGER)
    world.say(DRIVER, StoreSeal(obj(1)))
    world.one(DRIVER, StorePinned)
    assert not world.take(STRANGER, StorePinned)
    world.create(2, 1)
    world.say(STRANGER, StorePin(2, obj(2)))
    world.lose(STRANGER)
    world.say(DRIVER, StoreSeal(obj(2)))
    assert not world.take(STRANGER, StorePinned)


def test_objects_of_a_dead_owner_are_freed_when_nobody_maps_them() -> None:
    world = World(store_pages=8)
    worker = world.lease().worker
    one = world.put(1, 1, writer=worker, owner=worker)
    world.say(DRIVER, StorePin(1, one))
    world.end(worker)
    assert used(world) == 1
    world.say(DRIVER, StoreUnpin([one]))
    assert used(world) == 0


@pytest.mark.parametrize("whole_node", [False, True])
def test_objects_of_an_owner_that_died_elsewhere_are_freed(world: World, whole_node: bool) -> None:
    world.put(1, 1, owner=STRANGER)
    world.create(2, 1, owner=STRANGER)
    world.say(HEAD, NodeDied(OTHER, "power") if whole_node else OwnerDied(STRANGER, "crash"))
    assert used(world) == 1, "the second is still being written"
    world.say(DRIVER, StoreSeal(obj(2, STRANGER)))
    assert used(world) == 0
    world.put(3, 1, owner=STRANGER)
    assert used(world) == 0, "nobody will ever free what a dead owner gets"


def test_a_free_that_overtakes_the_seal_is_not_lost(world: World) -> None:
    """The writer's and the owner's connections are read in any order."""
    worker = world.lease().worker
    world.create(1, 1, writer=worker)
    world.say(DRIVER, StoreFree([obj(1)]))
    assert used(world) == 1, "it is still being written"
    world.say(worker, StoreSeal(obj(1)))
    assert used(world) == 0


def test_two_attempts_may_write_the_same_object(world: World) -> None:
    first, second = world.lease(1).worker, world.lease(2).worker
    a = world.create(1, 1, writer=first)
    b = world.create(1, 1, writer=second)
    assert a != b
    world.say(second, StoreSeal(obj(1)))
    world.say(DRIVER, StorePin(1, obj(1)))
    assert world.one(DRIVER, StorePinned).offset == b
    world.say(first, StoreSeal(obj(1)))
    assert used(world) == 1, "the late copy is dropped, because the other is mapped"
    world.say(DRIVER, StoreFree([obj(1)]))
    world.say(DRIVER, StoreUnpin([obj(1)]))
    assert used(world) == 0


def test_a_newer_copy_replaces_one_that_nobody_maps(world: World) -> None:
    world.put(1, 1)
    offset = world.create(1, 2)
    world.say(DRIVER, StoreSeal(obj(1)))
    assert used(world) == 2
    world.say(DRIVER, StorePin(1, obj(1)))
    assert world.one(DRIVER, StorePinned).offset == offset


def test_doubled_messages_change_nothing(world: World) -> None:
    assert world.create(1, 1) == world.create(1, 1) == 0
    for _ in range(2):
        world.say(DRIVER, StoreSeal(obj(1)))
    assert used(world) == 1
    for _ in range(2):
        world.say(DRIVER, StoreFree([obj(1), obj(1)]))
    assert used(world) == 0


def test_the_same_writer_may_start_over_with_another_size(world: World) -> None:
    world.create(1, 1)
    world.create(1, 3)
    assert used(world) == 3


def test_a_full_store_waits_for_frees(world: World) -> None:
    one = world.put(1, 6)
    assert world.create(2, 4) is None
    world.wait(0.5)
    world.say(DRIVER, StoreFree([one]))
    assert world.one(DRIVER, StoreCreated).request == 2


def test_and_says_what_fills_it_when_none_come(world: World) -> None:
    one = world.put(1, 6)
    world.say(DRIVER, StorePin(1, one))
    world.one(DRIVER, StorePinned)
    assert world.create(2, 4) is None
    world.wait(1.9)
    assert not world.take(DRIVER, StoreFailed)
    world.wait(0.2)
    fault = world.one(DRIVER, StoreFailed).fault
    assert fault.kind is FaultKind.STORE_FULL
    for part in ("capacity 0.0328 MB", "used 0.0246 MB", "mapped by readers 0.0246 MB", one.hex(), DRIVER.hex()):
        assert part in fault.message


def test_what_can_never_fit_fails_at_once(world: World) -> None:
    world.create(1, 9)
    assert world.one(DRIVER, StoreFailed).fault.kind is FaultKind.STORE_FULL


def test_who_waited_for_room_and_died_gets_none(world: World) -> None:
    one = world.put(1, 6)
    world.create(2, 4, writer=STRANGER)
    world.lose(STRANGER)
    world.say(DRIVER, StoreFree([one]))
    assert used(world) == 0


def test_who_waited_for_room_and_gives_up_gets_none(world: World) -> None:
    one = world.put(1, 6)
    assert world.create(2, 4) is None
    world.say(DRIVER, StoreAbort(obj(2)))
    world.say(DRIVER, StoreFree([one]))
    assert not world.take(DRIVER, StoreCreated)
    assert used(world) == 0


@pytest.mark.parametrize("dies", [True, False])
def test_nobody_waits_behind_one_who_waited_for_long_and_gave_up(world: World, dies: bool) -> None:
    world.put(1, 6)
    assert world.create(2, 4, writer=STRANGER) is None
    world.wait(1.5)
    assert world.create(3, 1) is None, "the one in front starves"
    if dies:
        world.lose(STRANGER)
    else:
        world.say(STRANGER, StoreAbort(obj(2)))
    world.wait(0.0)
    assert world.one(DRIVER, StoreCreated).request == 3


def test_small_ones_need_not_wait_behind_large_ones(world: World) -> None:
    world.put(1, 6)
    assert world.create(2, 4) is None
    assert world.create(3, 1) is not None


def test_no_wait_when_none_is_wanted() -> None:
    world = World(store_pages=2, limits=NodeLimits(store_wait=0))
    world.put(1, 2)
    world.create(2, 1)
    assert world.one(DRIVER, StoreFailed).fault.kind is FaultKind.STORE_FULL


def test_who_waits_for_room_is_refused_at_shutdown(world: World) -> None:
    world.put(1, 8)
    world.lease()
    world.create(2, 1)
    world.say(DRIVER, Shutdown(1.0))
    assert world.one(DRIVER, StoreFailed).fault.kind is FaultKind.SHUT_DOWN
    world.create(3, 1)
    assert world.one(DRIVER, StoreFailed).fault.kind is FaultKind.SHUT_DOWN

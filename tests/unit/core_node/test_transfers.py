"""Objects of other nodes: pulled in pieces, once for all who need them, and let go of when either end is lost."""

from __future__ import annotations

import pytest

from rustyray.core.effects import Effect, SendChunk
from rustyray.core.node import THROWN_AWAY, NodeLimits, Place
from rustyray.core.node.transfers import WINDOW
from rustyray.model.messages import (
    HEAD,
    Chunk,
    ClusterView,
    NodeDied,
    PullChunk,
    PullDone,
    PullFailed,
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
from rustyray.model.values import Fault, FaultKind
from tests.unit.core_node.test_cluster_view import THIRD, info
from tests.unit.core_node.world import DRIVER, NODE, OTHER, PAGE, STRANGER, World, obj

LIMITS = NodeLimits(chunk=1000)
STRANGER_HERE = NODE + b"\x00\x00\x00\x09"


class Pulling(World):
    """Knows two more nodes, and remembers which bytes were to be moved, and where to (and the first of how many)."""

    def __init__(self, pages: int = 8, known: bool = True) -> None:
        self.moved: list[Effect] = []
        self.written: list[tuple[Place | None, int, int]] = []
        super().__init__(store_pages=pages, limits=LIMITS)
        if known:
            self.meet()

    def meet(self) -> None:
        self.say(HEAD, ClusterView([info(OTHER, 0), info(THIRD, 0)]))

    def note(self, effect: Effect) -> None:
        if isinstance(effect, SendChunk):
            self.moved.append(effect)
        super().note(effect)

    def pin(self, number: int, size: int, client: bytes = DRIVER) -> None:
        self.say(client, StorePin(number, obj(number), OTHER, size))

    def give(self, number: int) -> None:
        """The other node answers everything it was asked."""
        for ask in self.take(OTHER, PullChunk):
            self.bring(ask)
        if any(isinstance(message, PullChunk) for to, message in self.sent if to == OTHER):
            self.give(number)

    def bring(self, ask: PullChunk, sender: bytes = OTHER) -> None:
        """The bytes that were asked for arrive."""
        chunk = Chunk(ask.object, ask.pull, ask.begin, ask.size)
        self.written.append((self.core.place(sender, chunk), ask.begin, ask.size))
        self.say(sender, chunk)

    def pull(self, number: int, size: int) -> None:
        self.pin(number, size)
        self.give(number)
        self.one(DRIVER, StorePinned)

    @property
    def used(self) -> int:
        return self.core._store.arena.used // PAGE


@pytest.fixture
def world() -> Pulling:
    return Pulling()


# --- pulling ----------------------------------------------------------------------------------------------------------


def test_an_object_comes_in_pieces_and_is_pinned_when_it_is_whole(world: Pulling) -> None:
    world.pin(1, 2500)
    asked = world.take(OTHER, PullChunk)
    assert [(ask.begin, ask.size) for ask in asked] == [(0, 1000), (1000, 1000), (2000, 500)]
    for ask in asked:
        assert not world.take(DRIVER, StorePinned)
        world.bring(ask)
    assert world.written == [(Place(0, False), ask.begin, ask.size) for ask in asked]
    assert world.one(DRIVER, StorePinned) == StorePinned(1, 0, 2500)
    assert world.take(OTHER, PullDone) == [PullDone(obj(1))]


def test_few_pieces_are_asked_for_ahead() -> None:
    world = Pulling(pages=100)
    world.pin(1, 300_000)
    asked = world.take(OTHER, PullChunk)
    assert len(asked) == WINDOW
    for ask in asked[: WINDOW // 2 - 1]:
        world.bring(ask)
    assert not world.take(OTHER, PullChunk)
    world.bring(asked[WINDOW // 2 - 1])
    more = [ask.begin for ask in world.take(OTHER, PullChunk)]
    assert more == [(WINDOW + number) * 1000 for number in range(WINDOW // 2)]


def test_pages_that_were_written_before_are_said_to_be(world: Pulling) -> None:
    world.put(2, 2)
    world.say(DRIVER, StoreFree([obj(2)]))
    world.pull(1, 2 * PAGE)
    assert world.written[0][0] == Place(0, True)


def test_all_who_need_it_wait_for_one_pull(world: Pulling) -> None:
    world.pin(1, 500)
    world.pin(1, 500, client=STRANGER)
    world.pin(1, 500)
    world.bring(world.one(OTHER, PullChunk))
    assert len(world.take(DRIVER, StorePinned)) == 2
    assert len(world.take(STRANGER, StorePinned)) == 1
    world.pin(1, 500)
    assert not world.take(OTHER, PullChunk), "it is here already"


def test_what_is_not_there_any_more_is_told(world: Pulling) -> None:
    fault = Fault(FaultKind.OBJECT_LOST, "it is gone")
    world.pin(1, 2500)
    late = world.take(OTHER, PullChunk)[2]
    world.say(OTHER, PullFailed(obj(1), late.pull, fault))
    assert world.one(DRIVER, StoreFailed) == StoreFailed(1, fault)
    assert world.used == 0
    world.say(OTHER, PullFailed(obj(1), late.pull, fault))
    world.bring(late)
    assert world.written == [(THROWN_AWAY, 2000, 500)]
    assert PullDone(obj(1)) in world.take(OTHER, PullDone), "what comes late was pinned for us"


@pytest.mark.parametrize("how", ["lost", "dead"])
def test_the_source_is_lost(world: Pulling, how: str) -> None:
    world.pin(1, 2500)
    assert world.take(OTHER, PullChunk)
    if how == "lost":
        world.lose(OTHER)
    else:
        world.say(HEAD, NodeDied(OTHER, "it is gone"))
    assert world.one(DRIVER, StoreFailed).fault.kind is FaultKind.OBJECT_LOST
    assert world.used == 0
    world.pin(2, 10)
    assert bool(world.take(OTHER, PullChunk)) is (how == "lost"), "it may be there again, or never"


def test_a_node_that_is_not_known_yet_is_waited_for() -> None:
    world = Pulling(known=False)
    world.pin(1, 500)
    assert not world.take(OTHER, PullChunk)
    world.meet()
    assert len(world.take(OTHER, PullChunk)) == 1
    world = Pulling(known=False)
    world.pin(1, 500)
    world.wait(LIMITS.meet)
    assert "nothing is known here of node" in world.one(DRIVER, StoreFailed).fault.message


def test_it_waits_for_room_and_spares_make_room(world: Pulling) -> None:
    world.pull(1, 4 * PAGE)
    mine = world.put(2, 3)
    world.pin(3, 3 * PAGE)
    assert not world.take(OTHER, PullChunk), "what is mapped stays"
    world.say(DRIVER, StoreUnpin([obj(1)]))
    world.say(DRIVER, StoreCreate(9, obj(9), PAGE))  # there was a page left; whoever waits is served at the next chance
    world.say(DRIVER, StoreAbort(obj(9)))
    assert world.take(OTHER, PullChunk)
    world.give(3)
    assert obj(1) not in world.core._store.objects
    assert mine in world.core._store.objects, "originals are never evicted"


def test_there_is_no_room(world: Pulling) -> None:
    world.put(1, 8)
    world.pin(2, 2 * PAGE)
    world.wait(LIMITS.store_wait)
    assert world.one(DRIVER, StoreFailed).fault.kind is FaultKind.STORE_FULL
    world.pin(3, 2 * PAGE)
    world.say(DRIVER, Shutdown(0))
    assert world.one(DRIVER, StoreFailed).fault.kind is FaultKind.SHUT_DOWN


def test_an_object_that_is_freed_while_it_comes_is_not_kept(world: Pulling) -> None:
    world.pin(1, 2500)
    asked = world.take(OTHER, PullChunk)
    world.say(DRIVER, StoreFree([obj(1)], OTHER))
    assert world.take(OTHER, StoreFree) == [StoreFree([obj(1)], OTHER)], "the original is there"
    for ask in asked:
        world.bring(ask)
    assert world.one(DRIVER, StoreFailed).fault.kind is FaultKind.OBJECT_LOST
    assert world.used == 0


def test_another_attempts_original_outlives_the_spare(world: Pulling) -> None:
    world.pull(1, 500)
    world.put(1, 1)
    world.say(DRIVER, StoreUnpin([obj(1)]))
    world.say(DRIVER, StoreFree([obj(1)], OTHER))
    assert world.used == 1, "that was about the copy of the attempt before"
    world.say(DRIVER, StoreFree([obj(1)], NODE))
    assert world.used == 0


def test_what_is_made_again_while_the_spare_is_mapped_takes_its_place(world: Pulling) -> None:
    world.pull(1, 500)
    world.say(HEAD, NodeDied(OTHER, "it is gone"))
    world.say(DRIVER, StoreCreate(5, obj(1), 500, 1))
    world.say(DRIVER, StoreSeal(obj(1)))
    world.say(DRIVER, StoreUnpin([obj(1)]))
    world.say(DRIVER, StorePin(6, obj(1), NODE, 500, 1))
    assert world.one(DRIVER, StorePinned).request == 6
    world.say(DRIVER, StoreUnpin([obj(1)]))
    world.say(DRIVER, StoreFree([obj(1)], NODE, attempts=[1]))
    assert world.used == 0


def test_spares_go_with_the_node_that_has_the_originals(world: Pulling) -> None:
    world.pull(1, 500)
    world.pull(2, 500)
    world.say(DRIVER, StoreUnpin([obj(2)]))
    world.say(HEAD, NodeDied(OTHER, "it is gone"))
    assert world.used == 1, "one is still mapped"
    world.say(DRIVER, StoreUnpin([obj(1)]))
    assert world.used == 0


@pytest.mark.parametrize(
    ("pull", "begin", "size"), [(1, 0, 2600), (1, 2000, 1000), (2, 0, 1000), (0, 0, 1000), (-1, 0, 1000)]
)
def test_bytes_that_nobody_asked_for_have_no_place(world: Pulling, pull: int, begin: int, size: int) -> None:
    world.pin(1, 2500)
    assert world.core.place(OTHER, Chunk(obj(1), 1, 0, 1000)) == Place(0, False)
    assert world.core.place(OTHER, Chunk(obj(1), pull, begin, size)) is None
    assert world.core.place(STRANGER, Chunk(obj(1), 1, 0, 1000)) is None, "a process that is no node"
    world.bring(world.take(OTHER, PullChunk)[0])
    assert world.core.place(OTHER, Chunk(obj(1), 1, 0, 1000)) is None, "it is here already"


def test_a_gap_ends_the_pull(world: Pulling) -> None:
    world.pin(1, 2500)
    world.bring(world.take(OTHER, PullChunk)[1])
    assert "with a gap" in world.one(DRIVER, StoreFailed).fault.message
    assert world.used == 0


def test_what_is_late_of_an_earlier_pull_is_no_part_of_the_next(world: Pulling) -> None:
    world.pin(1, 2500)
    late = world.take(OTHER, PullChunk)
    world.lose(OTHER)
    world.one(DRIVER, StoreFailed)
    world.pin(1, 2500)
    world.bring(late[0])
    assert world.written == [(THROWN_AWAY, 0, 1000)]
    assert not world.take(OTHER, PullDone), "the next one needs the pin"
    world.give(1)
    world.one(DRIVER, StorePinned)


def test_a_full_memory_ends_the_pull_with_an_error(world: Pulling) -> None:
    world.pin(1, 2500)
    first, second, _ = world.take(OTHER, PullChunk)
    world.core.not_written(OTHER, Chunk(obj(1), first.pull, 0, 1000), "No space left on device", world.now)
    world.settle()
    fault = world.one(DRIVER, StoreFailed).fault
    assert fault.kind is FaultKind.STORE_FULL
    assert "2500 bytes: No space left on device" in fault.message
    assert world.one(OTHER, PullDone).object == obj(1)
    assert world.used == 0
    world.bring(first)
    world.bring(second)
    assert world.written == [(THROWN_AWAY, 0, 1000), (THROWN_AWAY, 1000, 1000)]


# --- being pulled from ------------------------------------------------------------------------------------------------


def test_what_another_node_pulls_is_pinned_until_it_has_it(world: Pulling) -> None:
    one = world.put(1, 1)
    world.say(OTHER, PullChunk(one, 7, 0, 1000))
    world.say(OTHER, PullChunk(one, 7, 1000, 500))
    assert world.moved == [SendChunk(OTHER, one, 7, 0, 0, 1000), SendChunk(OTHER, one, 7, 0, 1000, 500)]
    world.say(DRIVER, StoreFree([one]))
    assert world.used == 1
    world.say(OTHER, PullDone(one))
    assert world.used == 0
    assert world.take(OTHER, StoreFree) == [StoreFree([one], attempts=[0])], "it has a copy"


@pytest.mark.parametrize("how", ["lost", "dead"])
def test_the_node_that_pulls_is_lost(world: Pulling, how: str) -> None:
    one = world.put(1, 1)
    world.say(OTHER, PullChunk(one, 7, 0, 1000))
    world.say(DRIVER, StoreFree([one]))
    if how == "lost":
        world.lose(OTHER)
    else:
        world.say(HEAD, NodeDied(OTHER, "it is gone"))
    assert world.used == 0


def test_what_is_not_here_or_not_so_large_is_refused(world: Pulling) -> None:
    world.say(OTHER, PullChunk(obj(1), 7, 0, 10))
    assert world.one(OTHER, PullFailed).fault.kind is FaultKind.OBJECT_LOST
    one = world.put(1, 1)
    world.say(OTHER, PullChunk(one, 7, PAGE - 5, 10))
    assert world.one(OTHER, PullFailed).object == one
    assert world.moved == []


def test_what_is_still_being_written_is_waited_for(world: Pulling) -> None:
    world.say(STRANGER, StoreCreate(1, obj(1), 100))
    world.one(STRANGER, StoreCreated)
    world.say(OTHER, PullChunk(obj(1), 7, 0, 100))
    world.say(THIRD, PullChunk(obj(1), 7, 0, 100))
    assert world.moved == []
    world.lose(THIRD)
    world.say(STRANGER, StoreSeal(obj(1)))
    assert world.moved == [SendChunk(OTHER, obj(1), 7, 0, 0, 100)]


def test_nodes_do_not_wait_for_each_other(world: Pulling) -> None:
    world.pin(1, 500)
    world.say(OTHER, PullChunk(obj(1), 7, 0, 100))
    assert world.one(OTHER, PullFailed).object == obj(1)


def test_an_owner_that_does_not_know_where_frees_everywhere(world: Pulling) -> None:
    world.put(1, 1)
    world.say(DRIVER, StoreFree([obj(1)], anywhere=True))
    assert world.used == 0
    for node in (OTHER, THIRD):
        assert world.take(node, StoreFree) == [StoreFree([obj(1)], anywhere=True)]
    world.put(2, 1)
    world.say(OTHER, StoreFree([obj(2)], anywhere=True))
    assert world.used == 0


def test_a_spare_whose_source_died_can_be_had_while_somebody_maps_it(world: Pulling) -> None:
    world.pull(1, 2500)
    world.say(HEAD, NodeDied(OTHER, "it is gone"))
    world.say(STRANGER_HERE, StorePin(7, obj(1), THIRD, 2500, 1))
    assert world.one(STRANGER_HERE, StorePinned).offset == 0
    world.say(DRIVER, StoreUnpin([obj(1)]))
    assert world.used == 1
    world.say(STRANGER_HERE, StoreUnpin([obj(1)]))
    assert world.used == 0

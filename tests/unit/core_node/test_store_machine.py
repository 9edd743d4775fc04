"""The store under any sequence of writers, readers, owners and their deaths."""

from __future__ import annotations

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from rustyray.core.node.store import Store
from rustyray.model import ids
from rustyray.model.messages import (
    HEAD,
    OwnerDied,
    RequestLease,
    StoreAbort,
    StoreCreate,
    StoreFree,
    StorePin,
    StorePinAll,
    StoreSeal,
    StoreUnpin,
)
from rustyray.model.resources import UNIT
from tests.unit.core_node.machine import LIMITS, REMOTES, Machine, pick
from tests.unit.core_node.world import DRIVER, JOB, PAGE, obj


class StoreMachine(Machine):
    @property
    def store(self) -> Store:
        return self.world.core._store

    def written(self) -> list[tuple[bytes, bytes]]:
        return [(client, object_) for client, mine in self.store._writing.items() for object_ in mine]

    def object(self, which: int) -> bytes:
        """One that is there, or that is being written, or that is not."""
        objects = [*self.store.objects, *[object_ for _, object_ in self.written()], obj(99)]
        return objects[which % len(objects)]

    @rule(which=pick)
    def more_clients(self, which: int) -> None:
        self.world.say(DRIVER, RequestLease(self.next_request(), JOB, {"CPU": UNIT}))
        self.ready(which)

    @rule(which=pick, owner=pick, number=st.integers(0, 3), pages=st.integers(1, 5))
    def create(self, which: int, owner: int, number: int, pages: int) -> None:
        object_ = obj(number, self.client(owner))
        self.world.say(self.client(which), StoreCreate(self.next_request(), object_, pages * PAGE))

    @rule(which=pick, aborts=st.booleans())
    def finish(self, which: int, aborts: bool) -> None:
        written = self.written()
        if written:
            client, object_ = written[which % len(written)]
            self.world.say(client, StoreAbort(object_) if aborts else StoreSeal(object_))

    @rule(which=pick, by=pick)
    def pin(self, which: int, by: int) -> None:
        self.world.say(self.client(by), StorePin(self.next_request(), self.object(which)))

    @rule(which=st.lists(pick, min_size=2, max_size=4), by=pick)
    def pin_all(self, which: list[int], by: int) -> None:
        objects = dict.fromkeys(map(self.object, which))
        pins = [StorePin(self.next_request(), object_, size=self.size(object_)) for object_ in objects]
        self.world.say(self.client(by), StorePinAll(pins))

    def size(self, object_: bytes) -> int:
        copy = self.store.objects.get(object_)
        return copy.size if copy is not None else PAGE

    @rule(which=pick, by=pick)
    def unpin(self, which: int, by: int) -> None:
        mapped = [key for key, offsets in self.world.mapped.items() if offsets]
        client, object_ = mapped[which % len(mapped)] if mapped else (self.client(by), self.object(which))
        self.world.say(client, StoreUnpin([object_]))

    @rule(which=pick)
    def free(self, which: int) -> None:
        object_ = self.object(which)
        self.world.say(ids.owner_of(object_), StoreFree([object_]))

    def teardown(self) -> None:
        """When everybody lets go, the arena is empty."""
        world = self.world
        for client in self.clients()[1:]:
            world.lose(client)
        for worker in self.processes():
            world.end(worker)
        for remote in REMOTES:
            world.say(HEAD, OwnerDied(remote, "it crashed"))
        world.wait(10.0)
        while world.disk_work:
            world.disk_answers("")
            world.wait(10.0)
        for client, object_ in list(world.mapped):
            world.say(client, StoreUnpin([object_] * 100))
        world.say(DRIVER, StoreFree(list(self.store.objects)))
        while written := self.written():  # whoever waited for room has it then
            for client, object_ in written:
                world.say(client, StoreAbort(object_))
        while world.disk_work:
            world.disk_answers("")
        assert not world.extents
        assert self.store.arena.used == 0
        assert self.store.room.spilling.file.used == 0


class SpillingMachine(StoreMachine):
    """Beside a disk that answers when it likes, and not always well."""

    limits = msgspec.structs.replace(LIMITS, spill_capacity=20 * PAGE, trim=1.0)

    @rule(problem=st.sampled_from(["", "", "", "it is full or bad"]))
    def disk(self, problem: str) -> None:
        if self.world.disk_work:
            self.world.disk_answers(problem)


SpillingMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
test_any_sequence_beside_a_disk = SpillingMachine.TestCase
StoreMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=50, deadline=None)
test_any_sequence = StoreMachine.TestCase

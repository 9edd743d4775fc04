"""Leases, workers and actors under any sequence of requests, deaths, doubled and late messages."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from rustyray.core.node.workers import WorkerState
from rustyray.model import ids
from rustyray.model.messages import (
    HEAD,
    ActorExited,
    ActorStarted,
    Blocked,
    CancelLease,
    ClusterView,
    KillWorker,
    NodeInfo,
    RequestLease,
    Resumed,
    ReturnLease,
    StopActor,
    WorkerStays,
)
from rustyray.model.resources import resource_set
from rustyray.model.values import Failed
from tests.unit.core_node.machine import Machine, pick
from tests.unit.core_node.world import DRIVER, JOB, OTHER

SHAPES = [
    {"CPU": 1.0},
    {"CPU": 2.0},
    {"CPU": 0.5},
    {},
    {"CPU": 1.0, "GPU": 1.0},
    {"GPU": 0.5},
    {"GPU": 2.0},
    {"CPU": 9.0},
]


class LeaseMachine(Machine):
    @rule(which=pick, shape=st.sampled_from(SHAPES), local=st.booleans())
    def request(self, which: int, shape: dict[str, float], local: bool) -> None:
        message = RequestLease(self.next_request(), JOB, resource_set(shape), local_only=local)
        self.world.say(self.client(which), message)

    @rule(which=pick)
    def cancel(self, which: int) -> None:
        mine = [(client, request) for client, claims in self.world.core._desk._claims.items() for request in claims]
        if mine:
            client, request = mine[which % len(mine)]
            self.world.say(client, CancelLease(request))

    @rule(which=pick, what=st.sampled_from(["return", "return", "return broken", "block", "block", "resume", "kill"]))
    def with_a_lease(self, which: int, what: str) -> None:
        if not self.world.leased:
            return
        worker, (owner, lease) = list(self.world.leased.items())[which % len(self.world.leased)]
        if what == "block":
            self.world.say(worker, Blocked())
        elif what == "resume":
            self.world.say(worker, Resumed())
        elif what == "kill":
            self.world.say(owner, KillWorker(worker, "cancelled"))
        else:
            self.world.say(owner, ReturnLease(lease, what == "return"))

    @rule(which=pick)
    def stay(self, which: int) -> None:
        self.world.say(self.client(which), WorkerStays())

    @rule(number=st.integers(0, 2), incarnation=st.integers(0, 2), cpus=st.sampled_from([0, 1, 2]))
    def start_actor(self, number: int, incarnation: int, cpus: float) -> None:
        self.world.start_actor(100 + number, incarnation, cpus)

    @rule(number=st.integers(0, 2), incarnation=st.integers(0, 2), graceful=st.booleans())
    def stop_actor(self, number: int, incarnation: int, graceful: bool) -> None:
        actor = ids.task_id(DRIVER, 100 + number)
        self.world.say(HEAD, StopActor(actor, incarnation, graceful, "told to"))

    @rule(which=pick, what=st.sampled_from(["up", "up", "failed", "exited"]))
    def actor_says(self, which: int, what: str) -> None:
        hosted = [hosted for hosted in self.world.core._actors.hosted.values() if hosted.worker]
        if hosted:
            it = hosted[which % len(hosted)]
            failed = Failed(b"", "f", "t") if what == "failed" else None
            started = ActorStarted(it.actor, it.incarnation, it.worker, "", 0, failed)
            said = ActorExited(it.actor, it.incarnation, "done") if what == "exited" else started
            self.world.say(it.worker, said)

    @rule(free=st.integers(0, 2))
    def view(self, free: int) -> None:
        other = NodeInfo(OTHER, "tcp:other:1", True, resource_set({"CPU": 4}), resource_set({"CPU": free}))
        self.world.say(HEAD, ClusterView([other]))

    def teardown(self) -> None:
        """When workers come up, end when told, and are returned, all who can be served are; then nothing is held."""
        world, desk = self.world, self.world.core._desk
        for _ in range(200):
            for worker in self.processes():
                self.behave(worker)
            for owner, lease in list(world.leased.values()):
                world.say(owner, ReturnLease(lease))
            for hosted in list(world.core._actors.hosted.values()):
                world.say(HEAD, StopActor(hosted.actor, hosted.incarnation, False, "over"))
            world.wait(0.1)
            # Orphaned workers keep what they hold until they are killed.
            left = [claim.need for claim in desk.queue.all() if desk.accounts.fits_ever(claim.need)]
            if not (left or desk.waiting or world.leased or world.core._actors.hosted):
                break
        assert not left, f"never served: {left}"
        world.wait(10.0)
        for worker, known in world.core._pool.workers.items():
            ending = known.state in {WorkerState.STOPPING, WorkerState.RETIRING}
            assert not ending or (worker, True) in world.ended, f"{worker.hex()} was told to stop and may run for ever"
        for client in self.clients()[1:]:
            world.lose(client)
        for worker in self.processes():
            world.end(worker)
        assert world.core._accounts.free == world.core._accounts.total

    def behave(self, worker: bytes) -> None:
        known = self.world.core._pool.workers.get(worker)
        if known is None:
            self.world.alive.pop(worker, None)
        elif (worker, True) in self.world.ended or known.lost:
            self.world.end(worker)
        elif self.world.alive[worker]:
            self.world.say(worker, Resumed())
        else:
            self.come_up(worker)


LeaseMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=50, deadline=None)
test_any_sequence = LeaseMachine.TestCase

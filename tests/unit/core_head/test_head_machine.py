"""The head and three nodes under any interleaving of messages, doubled ones, deaths and broken connections.

The cores' invariants hold after every step. Beyond them: what a watcher hears of an actor is a possible life, in
order; and when all is quiet again, the head's belief and the nodes' reality agree, with no actor in two places.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rustyray.core.head.packing import place
from rustyray.core.node.actors import HostedState
from rustyray.core.node.bundles import BundleState
from rustyray.model import ids
from rustyray.model.messages import (
    HEAD,
    ActorInfo,
    ActorState,
    CreateActor,
    CreateGroup,
    FindActor,
    GroupInfo,
    GroupSpec,
    GroupState,
    JobFinished,
    KillActor,
    Message,
    Packing,
    RegisterDriver,
    RemoveGroup,
    WatchActor,
    WatchGroup,
)
from rustyray.model.resources import resource_set
from rustyray.model.strategies import Strategy
from tests.unit.core_head.world import DRIVER, NODES, OTHER_DRIVER, Cluster, make_spec

pick = st.integers(0, 1000)
OWNERS = [DRIVER, OTHER_DRIVER]


class HeadMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.it = Cluster(cpus=1)
        self.requests = 0
        self.actors: list[bytes] = []
        self.groups: list[bytes] = []
        for driver in OWNERS:
            self.it.send(driver, ids.node_of(driver), RegisterDriver(1, "ns"))
        self.it.run()

    # --- clients ------------------------------------------------------------------------------------------------------

    def living(self, owners: list[bytes]) -> list[bytes]:
        return [owner for owner in owners if owner in self.it.workers or ids.node_of(owner) in self.it.nodes]

    def ask(self, who: bytes, message: Message) -> None:
        self.it.send(who, HEAD, message)

    @rule(
        which=pick,
        max_restarts=st.sampled_from([0, 1, -1]),
        cpus=st.sampled_from([0, 0, 1, 2]),
        name=st.sampled_from(["", "", "a"]),
        existing=st.booleans(),
        detached=st.booleans(),
        group=pick,
    )
    def create(
        self, which: int, max_restarts: int, cpus: int, name: str, existing: bool, detached: bool, group: int
    ) -> None:
        owners = self.living([*OWNERS, *self.it.workers])
        if not owners:
            return
        owner = owners[which % len(owners)]
        self.requests += 1
        spec = make_spec(self.requests, owner=owner, cpus=cpus, max_restarts=max_restarts, name=name, detached=detached)
        if self.groups and group % 2:
            spec.strategy = Strategy(group=self.groups[group % len(self.groups)], bundle=min(cpus, 1) - 1)
            spec.placement = spec.resources = resource_set({"CPU": min(cpus, 1)})
        self.actors.append(spec.actor)
        self.ask(owner, CreateActor(self.requests, spec, existing))

    @rule(which=pick, who=pick, no_restart=st.booleans(), graceful=st.booleans())
    def kill(self, which: int, who: int, no_restart: bool, graceful: bool) -> None:
        if self.actors:
            actor = self.actors[which % len(self.actors)]
            self.ask(OWNERS[who % 2], KillActor(actor, no_restart or graceful, graceful, "killed"))

    @rule(who=pick, packing=st.sampled_from(Packing), bundles=st.integers(1, 3), detached=st.booleans(), made=pick)
    def create_group(self, who: int, packing: Packing, bundles: int, detached: bool, made: int) -> None:
        owner = OWNERS[who % 2]
        if owner not in self.living(OWNERS):
            return
        self.requests += 1
        spec = GroupSpec(
            ids.task_id(owner, self.requests),
            b"\0\0\0\1" if owner == DRIVER else b"\0\0\0\2",
            [resource_set({"CPU": 1 if packing is Packing.STRICT_SPREAD else 0.5})] * bundles,
            packing,
            name="g" if who % 3 == 0 else "",
            detached=detached,
            creator=self.actors[made % len(self.actors)] if self.actors and made % 2 else b"",
        )
        self.groups.append(spec.group)
        self.ask(owner, CreateGroup(self.requests, spec))

    @rule(which=pick, who=pick, what=st.sampled_from(["remove", "remove", "watch"]))
    def ask_about_group(self, which: int, who: int, what: str) -> None:
        if self.groups:
            self.requests += 1
            group = self.groups[which % len(self.groups)]
            self.ask(OWNERS[who % 2], RemoveGroup(self.requests, group) if what == "remove" else WatchGroup(group))

    @rule(which=pick, who=pick)
    def watch(self, which: int, who: int) -> None:
        if self.actors:
            self.ask(OWNERS[who % 2], WatchActor(self.actors[which % len(self.actors)]))

    @rule(who=pick)
    def find(self, who: int) -> None:
        self.requests += 1
        self.ask(OWNERS[who % 2], FindActor(self.requests, "a", "ns"))

    @rule(who=st.sampled_from([0, 0, 0, 1]))
    def finish_job(self, who: int) -> None:
        driver = OWNERS[1]
        if who:
            self.ask(driver, JobFinished(b"\0\0\0\2", driver))

    # --- links --------------------------------------------------------------------------------------------------------

    def link(self, which: int) -> tuple[bytes, bytes] | None:
        links = list(self.it.links)
        return links[which % len(links)] if links else None

    @rule(order=st.lists(pick, min_size=1, max_size=8))
    def deliver(self, order: list[int]) -> None:
        for which in order:
            link = self.link(which)
            if link is not None:
                self.it.deliver(*link)

    @rule()
    def deliver_all(self) -> None:
        self.it.run()

    @rule(which=pick)
    def double(self, which: int) -> None:
        """A message to the head or a node comes again, behind what is under way on its link now."""
        last = [entry for entry in self.it.last if entry[1] == HEAD or entry[1] in self.it.nodes]
        if last:
            self.it.send(*last[which % len(last)])

    @rule(seconds=st.sampled_from([0.0, 0.2, 1.5]))
    def wait(self, seconds: float) -> None:
        self.it.wait(seconds)

    # --- trouble ------------------------------------------------------------------------------------------------------

    @rule(which=pick)
    def crash_worker(self, which: int) -> None:
        workers = list(self.it.workers)
        if workers:
            self.it.end(workers[which % len(workers)], "it was killed by signal 9 (SIGKILL)")

    @rule(which=pick, kind=st.sampled_from(["worker", "worker", "node", "connection"]))
    def crash(self, which: int, kind: str) -> None:
        """The first node stays, so that there is always somebody to place things on."""
        nodes = [node for node in self.it.nodes if node != NODES[0]]
        if kind == "worker" or not nodes:
            self.crash_worker(which)
            return
        node = nodes[which % len(nodes)]
        if kind == "node":
            self.it.crash_node(node)
        else:
            self.it.links.pop((HEAD, node), None)
            self.it.links.pop((node, HEAD), None)
            self.it.nodes[node].on_peer_lost(HEAD, "connection reset by peer", self.it.now)
        self.it.head.on_peer_lost(node, "connection reset by peer", self.it.now)
        if kind == "node":
            self.it.head.on_peer_lost(node, "connection refused", self.it.now, reached=False)
        self.it.collect()

    # --- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def news_are_a_possible_life(self) -> None:
        for peer in OWNERS:
            lives: dict[bytes, ActorInfo] = {}
            alive: dict[bytes, ActorInfo] = {}
            for info in self.it.heard(peer, ActorInfo):
                before = lives.get(info.actor)
                if before is not None:
                    assert info.incarnation >= before.incarnation, f"back in time: {before} {info}"
                    assert before.state is not ActorState.DEAD or info.state is ActorState.DEAD, f"rose: {info}"
                lives[info.actor] = info
                if info.state is ActorState.ALIVE:
                    last = alive.setdefault(info.actor, info)
                    same = (last.worker == info.worker) == (last.incarnation == info.incarnation)
                    assert same, f"moved without a word: {last} {info}"
                    alive[info.actor] = info

    def teardown(self) -> None:
        """All is delivered and time passes: belief and reality agree."""
        for _ in range(20):
            self.it.run()
            self.it.wait(1.0)
        self.it.run()
        registry = self.it.head._actors.registry
        hosted = {
            hosted.actor: (node, hosted)
            for node, core in self.it.nodes.items()
            if not core.stopped
            for hosted in core._actors.hosted.values()
        }
        running = sum(len(core._actors.hosted) for core in self.it.nodes.values() if not core.stopped)
        assert running == len(hosted), "an actor is in two places"
        for actor in hosted:
            assert actor in registry.living, f"{actor.hex()} lives on though the head says that it is dead"
        for actor, record in registry.living.items():
            if record.state is ActorState.ALIVE:
                node, it = hosted[actor]
                assert (node, it.worker) == (record.node, record.worker)
                assert it.state in {HostedState.RUNNING, HostedState.ENDING}
                assert record.worker in self.it.workers, f"{actor.hex()} is said to be alive in a dead process"
            elif record.node:
                assert hosted[actor][0] == record.node
            elif record.spec.strategy is None:
                assert record.spec.resources.get("CPU", 0) > 10_000, f"{actor.hex()} was never placed"
            else:
                group = self.it.head._actors.groups.living[record.spec.strategy.group]
                assert group.state is not GroupState.CREATED, f"{actor.hex()} was never placed in its group"
        self.groups_agree()
        for core in self.it.nodes.values():
            if core.stopped:
                assert not core._pool.workers or not any(w in self.it.workers for w in core._pool.workers)

    def groups_agree(self) -> None:
        """What the head believes is what the nodes have reserved; who waits has no room."""
        living = self.it.head._actors.groups.living
        believed = {
            (group.id, number, node)
            for group in living.values()
            for number, node in enumerate(group.nodes)
            if node in self.it.nodes
        }
        reserved = {
            (group, number, node)
            for node, core in self.it.nodes.items()
            if not core.stopped
            for group, known in core._bundles.groups.items()
            for number, bundle in known.bundles.items()
            if bundle.state is BundleState.IN_USE
        }
        left = sum(
            len(known.bundles)
            for core in self.it.nodes.values()
            if not core.stopped
            for known in core._bundles.groups.values()
        )
        assert reserved == believed, f"reserved are {reserved}, and should be {believed}"
        assert left == len(reserved), "bundles are reserved for nobody"
        usable = self.it.head._nodes.usable()
        for group in living.values():
            assert group.state is not GroupState.PREPARING, f"{group.what} hangs"
            if group.state is not GroupState.CREATED:
                assert place(group.spec, group.placed(), usable) is None, f"{group.what} was never placed"

    @invariant()
    def groups_change_in_order(self) -> None:
        for peer in OWNERS:
            versions: dict[bytes, GroupInfo] = {}
            for info in self.it.heard(peer, GroupInfo):
                before = versions.get(info.spec.group)
                if before is not None:
                    assert info.version >= before.version, f"back in time: {before} {info}"
                    assert before.state is not GroupState.REMOVED or info.state is GroupState.REMOVED, f"rose: {info}"
                versions[info.spec.group] = info


HeadMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=50, deadline=None)
test_any_interleaving = HeadMachine.TestCase

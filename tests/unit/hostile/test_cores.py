"""Peers that are authenticated and talk nonsense: what the cores do to whoever says it, and to the others.

A host cuts off a peer whose message makes a core raise (`rustyray.engines.native.network.nonsense`). What is shown here
is that this is enough: nothing is raised later, at a deadline or when that peer is gone, and others are served as
before.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rustyray.core.head import HeadCore
from rustyray.core.node import NodeCore
from rustyray.core.owner import OwnerCore
from rustyray.model import ids
from rustyray.model.messages import (
    HEAD,
    ClusterDescription,
    CreateActor,
    DescribeCluster,
    LeaseGranted,
    PrepareBundles,
    RequestLease,
    WorkerReady,
)
from rustyray.model.resources import resource_set
from tests.unit.core_head import world as heads
from tests.unit.core_node import world as nodes
from tests.unit.core_owner import owner as owners
from tests.unit.hostile import made

PAUSES = [0.0, 0.0, 0.0, 0.5, 20.0]
OUTSIDERS = [nodes.OTHER, nodes.STRANGER, ids.worker_id(nodes.OTHER, 1)]
INSIDERS = [nodes.DRIVER, HEAD, ids.worker_id(nodes.NODE, 1), ids.worker_id(nodes.NODE, 2), nodes.OTHER]
EXAMPLES = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

Steps = list[tuple[bytes, Any, float]]


def steps(senders: list[bytes], pauses: list[float] = PAUSES) -> st.SearchStrategy[Steps]:
    """Who says what, and how much later."""
    return st.lists(st.tuples(st.sampled_from(senders), made.any_message(), st.sampled_from(pauses)), max_size=12)


def suffer(world: Any, core: HeadCore | NodeCore | OwnerCore, what: Steps) -> None:
    """Hand all of it to ``core`` as a host does. Whatever it raises may only come from a message."""
    lost: set[bytes] = set()
    for sender, message, pause in what:
        arrived = made.as_it_arrives(message)
        if arrived is None or sender in lost:
            continue
        world.now += pause
        try:
            core.on_message(sender, arrived, world.now)
        except Exception:  # noqa: BLE001 - the host cuts it off, whatever it is
            lost.add(sender)
            core.on_peer_lost(sender, "was cut off", world.now)
        core.out.clear()
        core.on_time(world.now)
        core.out.clear()


def let_go(world: Any, core: HeadCore | NodeCore, senders: list[bytes], seconds: float = 60) -> None:
    """They are all gone; time passes."""
    for sender in senders:
        core.on_peer_lost(sender, "end of file", world.now)
    until = world.now + seconds
    for _ in range(1000):
        core.out.clear()
        due = core.next_deadline()
        if due is None or due > until:
            break
        world.now = max(due, world.now)
        core.on_time(world.now)
    core.out.clear()


@EXAMPLES
@given(steps(OUTSIDERS))
def test_a_node_serves_its_own_whatever_strangers_say(what: Steps) -> None:
    world = nodes.World()
    world.lease(1)
    suffer(world, world.core, what)
    let_go(world, world.core, OUTSIDERS)
    world.sent.clear()
    world.core.on_message(nodes.DRIVER, RequestLease(77, nodes.JOB, resource_set({"CPU": 1})), world.now)
    for _ in range(20):  # workers that strangers were given end first
        for effect in [*world.core.out]:
            world.note(effect)
        world.core.out.clear()
        if any(to == nodes.DRIVER and isinstance(message, LeaseGranted) for to, message in world.sent):
            return
        for worker, _ in world.ended:
            world.core.process_ended(worker, "it was killed", world.now)
        for worker in world.forked:
            world.core.on_message(worker, WorkerReady(worker, 1, "unix:@w"), world.now)
        world.ended.clear()
        world.forked.clear()
        world.now += 1.0
        world.core.on_time(world.now)
    raise AssertionError(f"no lease: {world.sent}")


@EXAMPLES
@given(steps(INSIDERS))
def test_a_node_raises_nothing_but_at_the_message(what: Steps) -> None:
    world = nodes.World(prestart=2)
    world.ready_all()
    world.put(1, 2)
    world.start_actor(5)
    suffer(world, world.core, what)
    let_go(world, world.core, [nodes.DRIVER, HEAD, nodes.OTHER])


@EXAMPLES
@given(steps([heads.NODES[2], heads.OTHER_DRIVER, ids.worker_id(heads.NODES[2], 3)], [0.0, 0.0, 0.5]))
def test_a_head_serves_the_others_whatever_one_says(what: Steps) -> None:
    world = heads.World(nodes=3)
    suffer(world, world.head, what)
    let_go(world, world.head, [heads.NODES[2], heads.OTHER_DRIVER], seconds=2)
    world.sent.clear()
    world.head.on_message(heads.DRIVER, DescribeCluster(5), world.now)
    (answer,) = [effect.message for effect in world.head.out if effect.to == heads.DRIVER]  # type: ignore[attr-defined]
    assert isinstance(answer, ClusterDescription)
    assert {info.node for info in answer.nodes} >= set(heads.NODES)


@EXAMPLES
@given(steps([*owners.WORKERS[:3], owners.NODE, HEAD, nodes.STRANGER]))
def test_an_owner_raises_nothing_but_at_the_message(what: Steps) -> None:
    owner = owners.Owner()
    owner.submit(owners.plan())
    owner.flush()
    suffer(owner, owner.core, what)
    for sender in (*owners.WORKERS[:3], nodes.STRANGER):
        owner.core.on_peer_lost(sender, "end of file", owner.now)
        owner.core.out.clear()
    owner.core.flush(owner.now)
    owner.core.unfinished.fail("the node is gone", owner.now)
    owner.core.out.clear()


@pytest.mark.parametrize("kind", made.messages(), ids=lambda kind: kind.__name__)
def test_every_type_is_made(kind: Any) -> None:
    """What is not made is not tried."""
    found: list[Any] = []

    @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(made.one(kind))
    def draw(message: Any) -> None:
        found.append(made.as_it_arrives(message))

    draw()
    assert any(type(message) is kind for message in found)


def test_who_asks_for_less_than_nothing_is_cut_off() -> None:
    """Or it would make room out of nothing."""
    below = {"CPU": -1}
    assert made.as_it_arrives(RequestLease(1, nodes.JOB, {"CPU": 0})) is not None
    assert made.as_it_arrives(RequestLease(1, nodes.JOB, below)) is None
    spec = heads.make_spec()
    for name in ("resources", "placement"):
        assert made.as_it_arrives(CreateActor(1, msgspec.structs.replace(spec, **{name: below}))) is None
    assert made.as_it_arrives(PrepareBundles(b"group", 1, {0: below})) is None

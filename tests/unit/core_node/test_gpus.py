"""Which GPUs a lease, an actor or a bundle gets: nobody ever has more of one than there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rustyray.core.node.accounts import Accounts
from rustyray.core.node.gpus import Gpus
from rustyray.model import ids
from rustyray.model.bundles import in_bundle
from rustyray.model.messages import (
    HEAD,
    ActorSpec,
    BundlesPrepared,
    GroupState,
    Heartbeat,
    LeaseGranted,
    NodeAccepted,
    PrepareBundles,
    RequestLease,
    StartActor,
)
from rustyray.model.resources import UNIT, ResourceSet, resource_set
from rustyray.model.strategies import Strategy
from tests.unit.core_node.test_bundles import GROUP, Groups
from tests.unit.core_node.world import DRIVER, JOB, NODE, World


def gpus(amount: float) -> ResourceSet:
    return resource_set({"GPU": amount})


def numbers(accounts: Accounts, amount: float) -> list[int]:
    return sorted(accounts.hold(gpus(amount)))


def test_whole_ones_are_handed_out_in_order_and_come_back() -> None:
    accounts = Accounts(gpus(3))
    first = accounts.hold(gpus(2))
    assert sorted(first) == [0, 1]
    assert numbers(accounts, 1) == [2]
    assert not accounts.fits_now(gpus(1))
    accounts.release(gpus(2), first)
    assert numbers(accounts, 1) == [0]


def test_fractions_share_the_fullest_and_leave_whole_ones_whole() -> None:
    accounts = Accounts(gpus(2))
    assert [numbers(accounts, part) for part in (0.5, 0.25, 0.25)] == [[0], [0], [0]]
    assert numbers(accounts, 1) == [1]


def test_pieces_of_two_are_not_one() -> None:
    accounts = Accounts(gpus(2))
    first, second = accounts.hold(gpus(0.6)), accounts.hold(gpus(0.6))
    assert (sorted(first), sorted(second)) == ([0], [1])
    assert accounts.free == gpus(0.8)
    assert not accounts.fits_now(gpus(0.8))
    assert accounts.fits_now(gpus(0.4))
    accounts.release(gpus(0.6), first)
    assert numbers(accounts, 1.4) == [0, 1], "as whole ones and a part"


@pytest.mark.parametrize(("there", "left"), [(0, {}), (0.5, {"GPU": {0: 5_000}}), (1.5, {"GPU": {0: UNIT, 1: 5_000}})])
def test_a_node_may_have_a_part_of_one_or_none(there: float, left: dict[str, dict[int, int]]) -> None:
    assert Gpus(gpus(there).get("GPU", 0)).left == left


def test_a_bundles_gpus_are_those_of_its_group() -> None:
    accounts = Accounts(resource_set({"CPU": 4, "GPU": 3}))
    held = accounts.hold(gpus(1))
    got = accounts.reserve([gpus(1), gpus(1)])
    assert got is not None
    assert [sorted(one) for one in got] == [[1], [2]]
    names = [in_bundle(GROUP, number, gpus(1)) for number in range(2)]
    for name, shares in zip(names, got, strict=True):
        accounts.open(name, shares)
    second = in_bundle(GROUP, 1, gpus(0.5))
    inside = accounts.hold(second)
    assert sorted(inside) == [2]
    anywhere = accounts.hold(in_bundle(GROUP, -1, gpus(1)))
    assert sorted(anywhere) == [1]
    assert not accounts.fits_now(names[0])
    for name, shares in zip(names, got, strict=True):
        accounts.close(name, shares)
    accounts.release(second, inside)
    accounts.release(in_bundle(GROUP, -1, gpus(1)), anywhere)
    for name, shares in zip(names, got, strict=True):
        accounts.forget(name)
        accounts.free_reserved(gpus(1), shares)
    accounts.release(gpus(1), held)
    assert accounts.gpus.left == {"GPU": dict.fromkeys(range(3), UNIT)}
    assert accounts.free == accounts.total


@given(st.integers(1, 4), st.lists(st.sampled_from([0.1, 0.25, 0.5, 1, 2, -1, -2, -3]), max_size=40))
def test_nobody_ever_has_more_of_one_than_there_is(there: int, steps: list[float]) -> None:
    accounts = Accounts(gpus(there))
    held: list[tuple[ResourceSet, dict[int, int]]] = []
    for step in steps:
        if step < 0:
            if held:
                accounts.release(*held.pop(int(-step) % len(held)))
        elif accounts.fits_now(gpus(step)):
            held.append((gpus(step), accounts.hold(gpus(step))))
            assert sum(held[-1][1].values()) == gpus(step)["GPU"]
        accounts.gpus.check(accounts.free)
        assert all(0 <= units <= UNIT for units in accounts.gpus.left["GPU"].values())


# --- on a node --------------------------------------------------------------------------------------------------------


def ask(world: World, number: int, amount: float, bundle: int | None = None) -> None:
    strategy = Strategy(group=GROUP, bundle=bundle) if bundle is not None else None
    world.say(DRIVER, RequestLease(number, JOB, gpus(amount), strategy=strategy))
    world.ready_all()


def granted(world: World) -> list[list[int]]:
    return [grant.gpus for grant in world.take(DRIVER, LeaseGranted)]


def test_a_lease_says_which_it_has_and_waits_for_whole_ones() -> None:
    world = World(cpus=9, GPU=2)
    ask(world, 1, 0.6)
    one = world.one(DRIVER, LeaseGranted)
    ask(world, 2, 0.6)
    assert (one.gpus, granted(world)) == ([0], [[1]])
    ask(world, 3, 0.8)
    assert granted(world) == []
    world.end(one.worker)
    world.ready_all()
    assert granted(world) == [[0]]


def test_an_actor_is_told_which_it_has() -> None:
    world = World(cpus=2, GPU=3)
    ask(world, 1, 1)
    spec = ActorSpec(ids.task_id(DRIVER, 100), JOB, b"c", b"code", "C", "unix:@driver", [])
    spec.resources = spec.placement = gpus(2)
    world.say(HEAD, StartActor(spec, 0))
    (worker,) = world.ready_all()
    assert world.one(worker, StartActor).gpus == [1, 2]
    world.end(worker)
    ask(world, 2, 2)
    assert granted(world) == [[0], [1, 2]]


def test_a_group_is_refused_pieces_and_the_head_does_not_ask_again_at_once() -> None:
    world = Groups(9, GPU=2)
    world.say(HEAD, NodeAccepted(NODE))
    ask(world, 1, 0.6)
    ask(world, 2, 0.6)
    world.say(HEAD, PrepareBundles(GROUP, 1, {0: gpus(0.8)}))
    refused = world.one(HEAD, BundlesPrepared)
    assert not refused.reserved
    assert refused.available.get("GPU") == 0
    world.wait(5)
    assert world.take(HEAD, Heartbeat)[-1].available["GPU"] == gpus(0.8)["GPU"]
    world.say(HEAD, PrepareBundles(GROUP, 2, {0: gpus(0.4), 1: gpus(0.4)}))
    assert world.one(HEAD, BundlesPrepared).reserved


def test_who_runs_in_a_bundle_has_its_gpus_until_the_group_is_removed() -> None:
    world = Groups(9, GPU=3)
    ask(world, 1, 1)
    assert world.prepare(1, {0: gpus(1), 1: gpus(1)})
    world.news(GroupState.CREATED, NODE, NODE, each=gpus(1))
    world.take(DRIVER, LeaseGranted)
    ask(world, 2, 0.5, bundle=1)
    ask(world, 3, 0.5, bundle=1)
    ask(world, 4, 1, bundle=-1)
    *inside, last = world.take(DRIVER, LeaseGranted)
    assert [grant.gpus for grant in (*inside, last)] == [[2], [2], [1]]
    world.news(GroupState.REMOVED, NODE, NODE)
    for grant in (*inside, last):
        world.end(grant.worker)
    ask(world, 5, 2)
    assert granted(world) == [[1, 2]]

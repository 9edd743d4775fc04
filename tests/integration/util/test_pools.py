"""``ActorPool``, ``ActorGroup``, ``as_completed``, ``map_unordered``, and the small things of `rustyray.util`."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

import rustyray
from rustyray import exceptions, util
from rustyray.util import debug
from rustyray.util.actor_group import ActorGroup

pytestmark = pytest.mark.usefixtures("shared")


class Plain:
    def __init__(self, add: int = 0) -> None:
        self.add = add

    def double(self, value: float) -> float:
        return 2 * value + self.add

    def slowly(self, value: float) -> float:
        time.sleep(value)
        return value

    def crash(self, value: float) -> None:
        os._exit(1)

    def ask(self, other: Any) -> Any:
        return rustyray.get(other.double.remote(1))

    def get_actor_metadata(self) -> str:
        return f"adds {self.add}"


Worker = rustyray.remote(Plain)


@rustyray.remote
def slowly(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def double(actor: Any, value: float) -> Any:
    return actor.double.remote(value)


def test_a_pool_maps_in_order_and_as_it_comes() -> None:
    pool = util.ActorPool([Worker.remote(), Worker.remote()])
    assert list(pool.map(double, range(5))) == [0, 2, 4, 6, 8]
    assert sorted(pool.map_unordered(double, range(5))) == [0, 2, 4, 6, 8]
    pool.submit(double, 100)  # given up by the next map
    assert list(pool.map(double, [1])) == [2]
    assert list(pool.map_unordered(lambda actor, value: actor.slowly.remote(value), [0.5, 0.01])) == [0.01, 0.5]


def test_a_pool_gives_results_in_time_or_says_so() -> None:
    first = Worker.remote()
    pool = util.ActorPool([first])
    with pytest.raises(StopIteration, match="no more results"):
        pool.get_next()
    assert pool.has_free()
    pool.submit(lambda actor, value: actor.slowly.remote(value), 0.3)
    pool.submit(double, 2)
    assert not pool.has_free()
    assert pool.pop_idle() is None
    with pytest.raises(TimeoutError, match="not there in time"):
        pool.get_next(timeout=0)
    with pytest.raises(ValueError, match="in the pool already"):
        pool.push(first)
    assert pool.get_next() == 0.3
    assert pool.get_next_unordered() == 4
    pool.submit(lambda actor, value: actor.slowly.remote(value), 0.3)
    with pytest.raises(TimeoutError, match="given up"):
        pool.get_next_unordered(timeout=0, ignore_if_timedout=True)
    assert not pool.has_next()
    assert pool.pop_idle() == first
    rustyray.get(first.double.remote(0))  # behind what was given up


def test_an_actor_that_died_leaves_the_pool() -> None:
    pool = util.ActorPool([Worker.remote(), Worker.remote()])
    for function in (lambda actor, value: actor.crash.remote(value), double, double):
        pool.submit(function, 1)
    with pytest.raises(exceptions.ActorDiedError):
        pool.get_next()
    assert [pool.get_next(), pool.get_next()] == [2, 2]
    assert pool.pop_idle() is not None
    assert pool.pop_idle() is None


def test_one_that_met_the_death_of_another_stays_in_the_pool() -> None:
    dead = Worker.remote()
    with pytest.raises(exceptions.ActorDiedError):
        rustyray.get(dead.crash.remote(1))
    pool = util.ActorPool([Worker.remote(), Worker.remote()])
    for value in range(4):
        pool.submit(lambda actor, value: actor.ask.remote(dead) if value < 2 else actor.double.remote(value), value)
    for _ in range(2):
        with pytest.raises(exceptions.ActorDiedError):
            pool.get_next()
    assert [pool.get_next(), pool.get_next()] == [4, 6]


def test_a_group_is_called_together() -> None:
    group = ActorGroup(Plain, num_actors=2, num_cpus_per_actor=0, init_args=(1,))
    assert rustyray.get(group.double.remote(2)) == [5, 5]
    assert group.actor_metadata == ["adds 1", "adds 1"]
    with pytest.raises(TypeError, match=r"write group\.double\.remote"):
        group.double(2)
    group.add_actors(1)
    group.remove_actors([0])
    assert len(group) == 2
    last = group[0].actor
    group.shutdown()
    with pytest.raises(RuntimeError, match=r"call start\(\) first"):
        group.double.remote(2)
    with pytest.raises(exceptions.RayActorError):
        rustyray.get(last.double.remote(1))
    group.start()
    assert rustyray.get(group.double.remote(1)) == [3, 3]
    group.shutdown(patience_s=0)
    with pytest.raises(ValueError, match="1 or more"):
        ActorGroup(Plain, num_actors=0)


def test_results_come_as_they_are_ready() -> None:
    refs = [slowly.remote(seconds) for seconds in (0.5, 0.01)]
    assert list(util.as_completed(refs, chunk_size=1)) == [0.01, 0.5]
    assert set(util.as_completed(refs, yield_obj_refs=True)) == set(refs)
    assert sorted(util.map_unordered(slowly, [0.02, 0.01, 0], backpressure_size=2, chunk_size=1)) == [0, 0.01, 0.02]
    assert list(util.map_unordered(slowly, [])) == []
    with pytest.raises(ValueError, match="chunk_size says how many"):
        list(util.as_completed(refs, num_returns=1))
    with pytest.raises(ValueError, match="must be positive"):
        list(util.map_unordered(slowly, [1], backpressure_size=0))


def test_names_and_places() -> None:
    board = Worker.options(name="board").remote()
    rustyray.get(board.__ray_ready__.remote())
    assert util.list_named_actors() == ["board"]
    assert util.list_named_actors(all_namespaces=True) == [{"name": "board", "namespace": "util"}]
    assert util.get_node_ip_address() == "127.0.0.1"


def test_what_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    debug.reset_log_once()
    assert [util.log_once("slow"), util.log_once("slow"), util.log_once("other")] == [True, False, True]
    debug.reset_log_once("slow")
    assert util.log_once("slow")
    monkeypatch.setitem(debug._settings, "periodic", True)
    monkeypatch.setattr(debug, "PERIOD", -1)
    assert util.log_once("slow")
    monkeypatch.setitem(debug._settings, "disabled", True)
    assert not util.log_once("new")


def test_the_debugger_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match=r"Write breakpoint\(\)"):
        util.pdb.set_trace()

"""Actors that have a name, and those that need no handle."""

from __future__ import annotations

import pytest

import rustyray
from tests.integration.drivers import eventually
from tests.integration.runtime.conftest import Start
from tests.integration.runtime.counter import Counter
from tests.integration.runtime.processes import alive

pytestmark = pytest.mark.usefixtures("local")


# --- names ------------------------------------------------------------------------------------------------------------


def test_named_actors_are_found_and_unique() -> None:
    counter = Counter.options(name="the counter").remote()
    rustyray.get(counter.add.remote())
    assert rustyray.get(rustyray.get_actor("the counter").add.remote()) == 2
    with pytest.raises(ValueError, match="the counter"):
        Counter.options(name="the counter").remote()
    with pytest.raises(ValueError, match="other"):
        rustyray.get_actor("other")

    @rustyray.remote
    def find() -> int:
        return int(rustyray.get(rustyray.get_actor("the counter").add.remote()))

    assert rustyray.get(find.remote()) == 3
    rustyray.kill(counter)
    assert eventually(lambda: not named("the counter"))
    assert rustyray.get(Counter.options(name="the counter").remote(5).add.remote()) == 6


def named(name: str) -> bool:
    try:
        rustyray.get_actor(name)
    except ValueError:
        return False
    return True


def test_namespaces_keep_names_apart(start: Start) -> None:
    rustyray.shutdown()
    start(namespace="here")
    here = Counter.options(name="one").remote(1)
    there = Counter.options(name="one", namespace="there").remote(100)
    assert rustyray.get([here.add.remote(), there.add.remote()]) == [2, 101]
    assert rustyray.get(rustyray.get_actor("one").add.remote()) == 3
    assert rustyray.get(rustyray.get_actor("one", namespace="there").add.remote()) == 102


def test_get_if_exists_finds_or_makes() -> None:
    first = Counter.options(name="shared", get_if_exists=True).remote(10)
    again = Counter.options(name="shared", get_if_exists=True).remote(999)
    assert rustyray.get(first.add.remote()) == 11
    assert rustyray.get(again.add.remote()) == 12


def test_many_at_once_get_the_same_actor() -> None:
    @rustyray.remote
    def use() -> str:
        counter = Counter.options(name="shared", get_if_exists=True, lifetime="detached").remote()
        rustyray.get(counter.add.remote())
        return "used"

    assert rustyray.get([use.remote() for _ in range(8)], timeout=60) == ["used"] * 8
    assert rustyray.get(rustyray.get_actor("shared").add.remote()) == 9


def test_a_name_alone_does_not_keep_an_actor_alive() -> None:
    counter = Counter.options(name="soon gone").remote()
    pid = rustyray.get(counter.pid.remote())
    del counter
    assert eventually(lambda: not named("soon gone"))
    assert eventually(lambda: not alive(pid))


def test_a_detached_actor_needs_no_handle_and_ends_with_the_runtime() -> None:
    @rustyray.remote
    def make() -> None:
        rustyray.get(Counter.options(name="detached", lifetime="detached").remote(41).add.remote())

    rustyray.get(make.remote())
    counter = rustyray.get_actor("detached")
    pid = rustyray.get(counter.pid.remote())
    del counter
    assert rustyray.get(rustyray.get_actor("detached").add.remote()) == 43
    rustyray.shutdown()
    assert eventually(lambda: not alive(pid), 5)

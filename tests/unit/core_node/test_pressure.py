"""Who asked is told when the store fills up, once for each time."""

from __future__ import annotations

import pytest

from rustyray.model.messages import StoreFree, StorePressure, UnwatchPressure, WatchPressure
from tests.unit.core_node.world import DRIVER, PAGE, STRANGER, World, obj


@pytest.fixture
def world() -> World:
    world = World(store_pages=20)
    world.say(DRIVER, WatchPressure(7, 0.5))
    return world


def test_it_is_told_when_the_use_passes_the_fraction(world: World) -> None:
    world.put(1, 9)
    assert not world.take(DRIVER, StorePressure)
    world.put(2, 1)
    assert world.one(DRIVER, StorePressure) == StorePressure(7, 10 * PAGE, 20 * PAGE)


def test_once_until_the_use_was_clearly_lower(world: World) -> None:
    world.put(1, 8)
    world.put(2, 1)
    world.put(3, 1)
    world.one(DRIVER, StorePressure)
    world.say(DRIVER, StoreFree([obj(3)]))
    world.put(4, 5)
    assert not world.take(DRIVER, StorePressure), "it went to and fro around the mark"
    world.say(DRIVER, StoreFree([obj(2), obj(4)]))
    world.put(5, 2)
    world.one(DRIVER, StorePressure)


def test_at_once_when_the_store_is_as_full_already(world: World) -> None:
    world.put(1, 10)
    world.say(STRANGER, WatchPressure(1, 0.4))
    assert world.one(STRANGER, StorePressure).used == 10 * PAGE


def test_not_who_has_changed_its_mind_or_is_gone(world: World) -> None:
    world.say(DRIVER, WatchPressure(8, 0.5))
    world.say(STRANGER, WatchPressure(1, 0.5))
    world.say(DRIVER, UnwatchPressure(7))
    world.lose(STRANGER)
    world.put(1, 10)
    assert world.one(DRIVER, StorePressure).number == 8
    assert not world.take(STRANGER, StorePressure)

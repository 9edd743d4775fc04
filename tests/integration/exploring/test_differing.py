"""Scenarios that are not deterministic: what is said about how two runs differ."""

from __future__ import annotations

import random
from typing import Any

import pytest

import rustyray
from rustyray.testing import NotDeterministic, RaceFound, ReplayMismatch, explore, replay


@rustyray.remote(num_cpus=0)
class Log:
    def __init__(self) -> None:
        self.items: list[float] = []

    def add(self, item: float) -> float:
        self.items.append(item)
        return item

    def clear(self) -> None:
        self.items.clear()


class Something:
    """With a hash that is another one in each run, as an address is."""

    addresses = random.Random(1)

    def __init__(self) -> None:
        self.address = self.addresses.getrandbits(48)

    def __hash__(self) -> int:
        return self.address

    def __eq__(self, other: object) -> bool:
        return self is other


def told(scenario: Any) -> str:
    with pytest.raises(NotDeterministic) as caught:
        explore(scenario, schedules=20)
    text = str(caught.value)
    assert text.startswith("the scenario is not deterministic: the same schedule went two ways.\n")
    return text


def test_random_steps() -> None:
    chance = random.Random(1)

    def scenario() -> None:
        log = Log.remote()
        for _ in range(chance.randrange(1, 20)):
            rustyray.get(log.add.remote(1))

    text = told(scenario)
    assert "\nTwo runs part at step " in text
    assert "    the driver goes on, and waits at test_differing.py:" in text
    assert "    the end" in text
    assert "One does what the other does not. Look for random numbers (seed them in the scenario)" in text


def test_seeded_in_the_scenario() -> None:
    def scenario() -> None:
        chance = random.Random(1)
        log = Log.remote()
        for _ in range(chance.randrange(1, 20)):
            rustyray.get(log.add.remote(1))

    assert explore(scenario).schedules == 500


def test_random_values() -> None:
    chance = random.Random(1)

    def scenario() -> None:
        log = Log.remote()
        rustyray.get(log.add.remote(chance.random()))
        assert chance.random() < 0.8

    text = told(scenario)
    assert "`Log.add(0." in text
    assert "It is the same step with another value. Look for random numbers" in text


def test_the_order_of_a_set() -> None:
    def scenario() -> None:
        logs = [Log.remote() for _ in range(2)]
        things = [Something() for _ in range(40)]
        numbers = {thing: number for number, thing in enumerate(things)}
        for thing in set(things):
            rustyray.get(logs[numbers[thing] % 2].add.remote(0))

    assert "The same happens in both, in another order. Look for the order of a set" in told(scenario)


def test_a_cache() -> None:
    cache: list[float] = []

    def scenario() -> None:
        if not cache:
            cache.append(rustyray.get(Log.remote().add.remote(1)))
        rustyray.get(Log.remote().clear.remote())

    text = told(scenario)
    assert "Only the first run went another way, so something is kept for the later ones. Look for caches" in text


def test_what_changes_in_the_middle_of_a_search_is_noticed() -> None:
    runs = 0

    def scenario() -> None:
        nonlocal runs
        runs += 1
        log = Log.remote()
        rustyray.get([log.add.remote(1) for _ in range(1 if runs < 15 else 2)])
        if runs > 15:
            rustyray.get(log.clear.remote())

    assert "Only the first run went another way" in told(scenario)


def fails() -> None:
    log = Log.remote()
    rustyray.get(log.add.remote(1))
    raise AssertionError


def test_a_line_for_what_is_not_deterministic() -> None:
    with pytest.raises(RaceFound) as caught:
        explore(fails)
    chance = random.Random(1)

    def scenario() -> None:
        for _ in range(chance.randrange(2, 20)):
            rustyray.get(Log.remote().add.remote(1))

    with pytest.raises(NotDeterministic, match="Two runs part"):
        replay(caught.value.line).run(scenario)
    with pytest.raises(ReplayMismatch, match="the order of a set of strings"):
        replay(caught.value.line).run(lambda: rustyray.get([Log.remote().add.remote(1) for _ in range(3)]))

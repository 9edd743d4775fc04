"""A hundred thousand schedules of the simulated world for each kind of fault, all invariants checked after every event.

In parts, each with seeds of its own. ``RUSTYRAY_SCHEDULES`` says how many there are for each kind (100,000); ``-rP``
shows how often the faults hit, and in how many schedules their effects were seen. A failure says how to repeat it.
"""

from __future__ import annotations

import os

import pytest

from tests.stress.worlds import explore, lines
from tests.unit.world.faulty import KINDS

SCHEDULES = int(os.environ.get("RUSTYRAY_SCHEDULES", "100000"))
PARTS = 10
#: In so many schedules every effect is seen, and so is every fault.
ENOUGH = 2_000


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", KINDS)
def test_nothing_breaks(name: str, part: int) -> None:
    size = SCHEDULES // PARTS
    told = explore(name, range(part * size, (part + 1) * size))
    print(*lines(name, told), sep="\n")
    assert told["schedules"] == size
    kind = KINDS[name]
    troubles = {trouble for profile in kind.profiles for trouble in profile.troubles}
    if size >= ENOUGH:
        assert not [effect for effect in kind.effects if not told[effect]]
        assert not [trouble for trouble in troubles if not told[f"hit: {trouble.name.lower()}"]]
        assert not troubles or told["hit"] > size // 2

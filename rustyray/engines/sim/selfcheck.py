"""Is a program deterministic? It is run twice with the same seed, and the first event that differs is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from rustyray.engines.sim.driver import SimDriver
from rustyray.engines.sim.world.story import line
from rustyray.runtime import context

if TYPE_CHECKING:
    from rustyray.engines.sim.world.story import Story

#: So many of the events before the first difference are told.
BEFORE = 5


class Recorded(NamedTuple):
    """One run: its fingerprint, and all that happened."""

    trace: str
    story: Story


def record(run: Callable[[], object], start: Callable[..., Any], **options: Any) -> Recorded:
    """Run a program in a simulated runtime of its own.

    Args:
        run: the program; the runtime is up while it runs.
        start: `rustyray.init`, or something like it.
        options: of ``start``: the seed and others.
    """
    with start(engine="sim", _system_config={"record": True}, **options):
        driver = context.engine()
        assert isinstance(driver, SimDriver)
        run()
    world = driver.simulation.world
    return Recorded(world.trace(), world.story)


def first_difference(one: Recorded, other: Recorded) -> str:
    """Where two runs part, as a text for people; empty if they do not."""
    if one.trace == other.trace:
        return ""
    first, second = one.story.all or [], other.story.all or []
    number = next((at for at, pair in enumerate(zip(first, second, strict=False)) if pair[0][:4] != pair[1][:4]), None)
    if number is None:
        number = min(len(first), len(second))
    lines = [f"event {number} is not the same in two runs with the same seed:"]
    for name, events in (("first", first), ("second", second)):
        lines.append(f"  {name} run: {line(*events[number]) if number < len(events) else 'there is none'}")
    lines.append("before that:")
    lines += [f"  {line(*event)}" for event in first[max(0, number - BEFORE) : number]]
    return "\n".join(lines)

"""Each fault in a hundred thousand schedules of the simulated world, and what is counted in them.

python -m tests.stress.worlds "worker death" 17         repeats a schedule that failed
python -m tests.stress.worlds "worker death" 0 100000   goes through many, and tells what it found
"""

from __future__ import annotations

import gc
import sys
import time
from collections import Counter
from collections.abc import Iterable

from rustyray.engines.sim.scripted.world import ScriptedWorld
from rustyray.engines.sim.world.process import OwnerProcess
from tests.unit.world.faulty import KINDS
from tests.unit.world.runs import run


def effects(world: ScriptedWorld) -> Counter[str]:
    """What can be seen of faults in a run that is over; messages by their names."""
    found = Counter(world.story.counts)
    for process in world.processes.values():
        if isinstance(process, OwnerProcess):
            history = process.core.history
            found["retried"] += history.counts.retried + history.call_counts.retried
            found["rebuilt"] += history.counts.rebuilt + history.call_counts.rebuilt
    actors = Counter(actor for actor, _ in world.books.calls)
    found["restarted"] = sum(count > 1 for count in actors.values())
    found["failed"] = sum(error.startswith("fault") for error in world.books.errors)
    for host in world.nodes():
        counts = host.core._store.room.spilling.counts
        found["spilled"] += counts[0]
        found["restored"] += counts[2]
    found["late"] = world.now > 1.0
    for trouble, hits in world.troubles.hits.items():
        found[f"hit: {trouble.name.lower()}"] = hits
    return found


def explore(name: str, seeds: Iterable[int]) -> Counter[str]:
    """Run a kind of fault under the schedules of these seeds. In how many of them each effect was to be seen."""
    profiles = KINDS[name].profiles
    told = Counter[str]()
    gc.disable()  # what runs leave is collected after a few of them, while it is in the caches
    for seed in seeds:
        if told["schedules"] % 250 == 0:
            gc.collect()
            gc.freeze()  # what is here now stays
        try:
            world = run(profiles[seed % len(profiles)], seed)
        except BaseException as error:
            error.add_note(f'to repeat it: python -m tests.stress.worlds "{name}" {seed}')
            raise
        told["schedules"] += 1
        told["steps"] += world.steps
        found = effects(world)
        told.update(effect for effect, count in found.items() if count)
        told["hit"] += any(world.troubles.hits.values())
        del world
        if seed % 5 == 0:
            gc.collect()
    gc.enable()
    gc.unfreeze()
    return told


def lines(name: str, told: Counter[str]) -> list[str]:
    """For people."""
    wanted = ["steps", "hit", *sorted(what for what in told if what.startswith("hit: ")), *KINDS[name].effects]
    return [f"{name}: {told['schedules']} schedules", *(f"  {what}: {told[what]}" for what in wanted)]


if __name__ == "__main__":
    fault, first, count = sys.argv[1], int(sys.argv[2]), int((sys.argv[3:] or ["1"])[0])
    began = time.perf_counter()
    print("\n".join(lines(fault, explore(fault, range(first, first + count)))))
    print(f"  {time.perf_counter() - began:.1f} s")

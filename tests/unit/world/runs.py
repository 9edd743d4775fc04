"""Runs of random programs, each drawn from one seed, and what their outcomes may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from rustyray.core.node import NodeLimits
from rustyray.engines.sim.scripted import scripts as s
from rustyray.engines.sim.scripted.scripts import ActorScript, Script
from rustyray.engines.sim.scripted.values import Plain, Ref
from rustyray.engines.sim.scripted.world import ScriptedWorld
from rustyray.engines.sim.world import faults
from rustyray.engines.sim.world.chooser import Chooser, Seeded
from rustyray.engines.sim.world.faults import Trouble
from rustyray.engines.sim.world.node import RESTARTS, STORE
from tests.unit.world.limits import Limits
from tests.unit.world.programs import BOOM, Maker
from tests.unit.world.sequential import INIT_FAILED, expected

#: How a schedule departs from the tame one: seldom, now and then, or all the time.
MOODS = (
    {"delay": 0.0, "stall": 0.0, "next": 1.0},
    {"delay": 0.02, "stall": 0.02, "next": 1.0},
    {"delay": 0.2, "stall": 0.1, "next": 0.3},
    {"delay": 0.02, "stall": 0.02, "next": 0.1},
)
#: What may become of a result when processes die, connections break, or somebody cancels.
FAULTS = frozenset(
    f"fault {name}"
    for name in "WORKER_CRASHED TASK_CANCELLED ACTOR_DIED ACTOR_UNAVAILABLE OWNER_DIED OBJECT_LOST OBJECT_FREED "
    "MAX_ATTEMPTS GROUP_REMOVED STORE_FULL OUT_OF_DISK".split()
)
#: Of a ref that dangles.
FREED = "fault OBJECT_FREED"


@dataclass(frozen=True)
class Profile:
    """A kind of run: what programs do, where, and what goes wrong.

    ``exact``: the outcome is the sequential one, unless a node is given up that lives. ``others``: so many more
    drivers, which may die. ``wait``: seconds that an object waits for room in a store. ``moods``: how schedules depart
    from the tame one. ``within``: the steps by which all faults have happened, of even and odd seeds; ``least``: so
    many do.
    """

    limits: Limits = field(default_factory=Limits)
    nodes: Sequence[float] = (2,)
    troubles: tuple[Trouble, ...] = ()
    count: int = 0
    exact: bool = True
    store: int = STORE
    apart: bool = False
    others: int = 0
    wait: float = 60.0
    moods: Sequence[Mapping[str, float]] = MOODS
    within: tuple[int, int] = (80, 400)
    least: int = 0


SMALL = (1, 0.5)
PROFILES = {
    "tasks": Profile(Limits(actors=False, errors=False)),
    "errors": Profile(Limits(actors=False)),
    "actors": Profile(Limits(keep=True)),
    "nodes": Profile(Limits(keep=True), (1, 1, 2)),
    "broadcasts": Profile(Limits(cpus=SMALL, keep=True), (1, 0.5, 0.5, 0.5, 0.5, 0.5)),
    "broken broadcasts": Profile(
        Limits(cpus=SMALL), (1, 0.5, 0.5, 0.5, 0.5), (Trouble.NODE, Trouble.CRASH), count=2, exact=False
    ),
    "doubled": Profile(Limits(keep=True), troubles=(Trouble.TWICE, Trouble.AGAIN), count=6),
    "retried": Profile(Limits(actors=False, refs_out=False, max_retries=-1), troubles=(Trouble.CRASH,), count=3),
    "cancelled": Profile(
        Limits(cancels=True, kills=True, keep=True, max_restarts=1, max_task_retries=1),
        troubles=(Trouble.CRASH,),
        count=2,
        exact=False,
    ),
    "crashes": Profile(
        Limits(keep=True, max_restarts=1, max_task_retries=1), troubles=(Trouble.CRASH,), count=3, exact=False
    ),
    "no retries": Profile(Limits(keep=True, max_retries=0), troubles=(Trouble.CRASH,), count=3, exact=False),
    "cuts": Profile(Limits(max_restarts=1, max_task_retries=1), troubles=(Trouble.CUT,), count=2, exact=False),
    "dying nodes": Profile(Limits(cpus=SMALL), (1, 1, 2), (Trouble.NODE, Trouble.CRASH), count=2, exact=False),
    "spilling": Profile(Limits(keep=True, actors=False, steps=12), (1, 2), store=2 * 4096),
    "full stores": Profile(Limits(keep=True, actors=False, steps=12, cpus=SMALL), (1, 1, 1), store=3 * 4096),
    "bad disks": Profile(
        Limits(actors=False, refs_out=False, max_retries=-1, steps=12),
        (1, 2),
        (Trouble.ROT, Trouble.FULL),
        count=6,
        exact=False,
        store=2 * 4096,
    ),
    "groups": Profile(Limits(cpus=SMALL, groups=True, refs_out=False), (2, 1, 1)),
    "removed groups": Profile(
        Limits(cpus=SMALL, groups=True, kills=True, max_restarts=1),
        (2, 1, 1),
        (Trouble.CRASH, Trouble.TWICE, Trouble.AGAIN),
        count=3,
        exact=False,
    ),
    "dying nodes and groups": Profile(
        Limits(cpus=SMALL, groups=True, kills=True, max_restarts=1, max_task_retries=1),
        (2, 1, 1),
        (Trouble.NODE, Trouble.CRASH, Trouble.TWICE, Trouble.AGAIN),
        count=3,
        exact=False,
    ),
    "apart": Profile(Limits(keep=True), (1, 1, 2), apart=True),
    "dying heads": Profile(Limits(keep=True), (1, 1, 2), (Trouble.HEAD,), count=4, apart=True),
    "lonely heads": Profile(Limits(keep=True), (1, 1, 2), (Trouble.APART, Trouble.HEAD), count=6, apart=True),
    "dying heads and groups": Profile(
        Limits(cpus=SMALL, groups=True, refs_out=False),
        (2, 1, 1),
        (Trouble.HEAD, Trouble.APART),
        count=4,
        apart=True,
    ),
    "dying heads and nodes": Profile(
        Limits(cpus=SMALL, keep=True, max_restarts=1, max_task_retries=1),
        (1, 1, 2),
        (Trouble.HEAD, Trouble.APART, Trouble.NODE, Trouble.CRASH),
        count=4,
        exact=False,
        apart=True,
    ),
    "streams": Profile(Limits(keep=True, streams=True), (1, 1, 2)),
    "retried streams": Profile(
        Limits(actors=False, refs_out=False, max_retries=-1, streams=True),
        troubles=(Trouble.CRASH, Trouble.TWICE, Trouble.AGAIN),
        count=4,
    ),
    "broken streams": Profile(
        Limits(cpus=SMALL, keep=True, streams=True, max_restarts=1, max_task_retries=1),
        (1, 1, 2),
        (Trouble.NODE, Trouble.CRASH, Trouble.CUT),
        count=3,
        exact=False,
    ),
    "cancelled streams": Profile(
        Limits(cpus=SMALL, cancels=True, kills=True, keep=True, streams=True, max_restarts=1, max_task_retries=2),
        (2, 1),
        tuple(Trouble),
        count=4,
        exact=False,
    ),
    "recycled": Profile(Limits(keep=True, streams=True, recycled=True), (1, 1, 2)),
    "recycled and cancelled": Profile(
        Limits(cpus=SMALL, keep=True, streams=True, recycled=True, cancels=True, kills=True),
        (1, 2),
        (Trouble.CRASH, Trouble.CUT, Trouble.TWICE, Trouble.AGAIN),
        count=3,
        exact=False,
    ),
    "silent nodes": Profile(
        Limits(cpus=SMALL, keep=True, streams=True, max_restarts=1, max_task_retries=1),
        (2, 1, 1),
        (Trouble.PAUSE, Trouble.SPLIT),
        count=3,
        exact=False,
    ),
    "slow peers": Profile(
        Limits(cpus=SMALL, keep=True, streams=True, max_restarts=1, max_task_retries=1),
        (2, 1, 1),
        (Trouble.SLOW, Trouble.HALF, Trouble.LINK),
        count=4,
        exact=False,
    ),
    "silent heads": Profile(
        Limits(cpus=SMALL, groups=True, kills=True, max_restarts=1, max_task_retries=1),
        (2, 1, 1),
        (Trouble.PAUSE, Trouble.SPLIT, Trouble.SLOW, Trouble.HALF, Trouble.LINK, Trouble.HEAD),
        count=4,
        exact=False,
        apart=True,
    ),
    "dying drivers": Profile(
        Limits(cpus=SMALL, keep=True, streams=True), (1, 1, 2), (Trouble.DRIVER,), count=2, others=2
    ),
    "broken disks": Profile(
        Limits(keep=True, steps=12),
        (1, 2),
        (Trouble.FULL, Trouble.FULL, Trouble.ROT),
        count=6,
        exact=False,
        store=2 * 4096,
        wait=0.5,
    ),
    "everything": Profile(
        Limits(cpus=SMALL, keep=True, cancels=True, kills=True, max_restarts=1, max_task_retries=2),
        (2, 1),
        tuple(Trouble),
        count=4,
        exact=False,
    ),
}


def shown(value: Plain) -> object:
    """A value without the identity of what it refers to."""
    if isinstance(value, list):
        return [shown(part) for part in value]
    return "ref" if isinstance(value, Ref) else value


def agrees(got: object, want: object, faults: Set[str] = FAULTS) -> bool:
    """Whether each result is what it should be, or says which fault took its place."""
    if got == want or (isinstance(got, str) and (got in faults or got == BOOM)):
        return True
    if isinstance(got, list) and isinstance(want, list) and len(got) == len(want):
        return all(agrees(part, other, faults) for part, other in zip(got, want, strict=True))
    return False


def check(
    program: Script,
    profile: Profile,
    chooser: Chooser,
    plan: Sequence[faults.Fault] = (),
    others: Sequence[Script] = (),
) -> ScriptedWorld:
    """Run ``program``, and beside it ``others``, to its end, and see that the outcome is right and nothing is left."""
    limits = NodeLimits(
        chunk=1500,
        spill_capacity=1 << 30,
        store_wait=profile.wait,
        max_failed_starts=1000,
        restarts=RESTARTS if profile.apart else 0,
    )
    world = ScriptedWorld(
        chooser,
        profile.nodes,
        faults=plan,
        limits=limits,
        store=profile.store,
        apart=profile.apart,
        shared=bool(others),
    )
    programs = [program, *others]
    drivers = [
        world.add_driver(program, number % len(profile.nodes), 1000 * number, "one" if others else "")
        for number, program in enumerate(programs)
    ]
    world.finish()
    for driver, program in zip(drivers, programs, strict=True):
        if driver.alive:
            got, want = shown(driver.outcome), expected(program)
            if profile.exact and not world.books.given_up:
                assert got == want, f"{got} should be {want}\n{world.describe()}"
            else:
                allowed = FAULTS | {INIT_FAILED} if profile.limits.built else FAULTS
                if not world.books.may_dangle:
                    allowed -= {FREED}
                assert agrees(got, want, allowed), f"{got} should be {want}, or faults\n{world.describe()}"
    return world


def run(profile: Profile, seed: int) -> ScriptedWorld:
    """One run, all of it drawn from ``seed``."""
    program = Maker(Seeded(7 * seed + 1), profile.limits).program()
    plan: list[faults.Fault] = []
    if profile.count:
        chooser = Seeded(seed + 5)
        plan = faults.draw(chooser, profile.within[seed % 2], profile.count, profile.troubles, profile.least)
    others = [
        meeting(
            Maker(Seeded(7 * seed + 1 + number), profile.limits, count=10_000 * number).program(), f"driver{number}"
        )
        for number in range(1, 1 + profile.others)
    ]
    if others:
        program = meeting(program, "driver")
    return check(program, profile, Seeded(seed, profile.moods[seed % len(profile.moods)]), plan, others)


def meeting(program: Script, name: str) -> Script:
    """A driver that does what ``program`` does, and leaves something with an actor that outlives all drivers."""
    keep = Script("keep", [s.Keep("a0"), s.Return(1)])
    actor = ActorScript("Keeper", named="keeper", detached=True, get_if_exists=True)
    *steps, end = program.steps
    assert isinstance(end, s.Return)
    assert isinstance(end.value, list)
    before: list[s.Step] = [
        s.Create("keeper", actor),
        s.Put("mine", 1, big=len(steps) % 2 == 1),
        s.Call("kept", "keeper", keep, [["mine"]]),
    ]
    after: list[s.Step] = [s.Call("again", "keeper", keep, [["mine"]]), s.Get("told", ["kept", "again"], catch=True)]
    return Script(name, [*before, *steps, *after, s.Return([*end.value, "told"])])

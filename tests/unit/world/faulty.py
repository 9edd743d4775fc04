"""Kinds of runs for each kind of fault: small programs, so that many schedules can be gone through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rustyray.engines.sim.world.faults import Trouble
from tests.unit.world.limits import Limits
from tests.unit.world.runs import Profile

T = Trouble
CPUS = (1, 0.5)
#: Messages and programs are held up again and again, so that what comes from different places changes its order.
DELAYED = ({"delay": 0.4, "stall": 0.1, "next": 1.0}, {"delay": 0.8, "stall": 0.02, "next": 0.3})

SHORT = Limits(depth=2, steps=4, cpus=CPUS, keep=True, streams=True, max_restarts=1, max_task_retries=1)
ACTORS = replace(SHORT, favour=("actor",))
#: Their constructors have arguments, which may be errors, or raise.
BUILT = replace(ACTORS, built=True)
PLAIN = replace(SHORT, actors=False, refs_out=False, streams=False, max_retries=-1)
#: All results and many puts go through the store.
STORED = replace(PLAIN, bigs=1, favour=("put", "submit", "get"))
SEVERAL_RESULTS = replace(STORED, several=True)
#: As much of it as fits is in the store, and nobody waits for some of it any more.
CANCELLED = replace(STORED, cancels=True, kills=True, actors=True, refs_out=True, streams=True)
GROUPS = replace(SHORT, groups=True, kills=True)
#: Programs whose outcome no fault may change, where the head or messages are all that suffers.
SURE = replace(SHORT, max_restarts=0, max_task_retries=0)
#: All but what excuses leaks.
SEVERAL = tuple(trouble for trouble in T if trouble is not T.CUT)


@dataclass(frozen=True)
class Kind:
    """A kind of fault: the profiles that it is met in, in turns, and the effects that must be seen now and then."""

    profiles: tuple[Profile, ...]
    effects: tuple[str, ...]


def _sure(limits: Limits, nodes: Sequence[float], troubles: tuple[Trouble, ...], count: int, **more: Any) -> Profile:
    """At least one fault happens, and soon."""
    return Profile(limits, nodes, troubles, count, within=(50, 160), least=1, **more)


def _loose(limits: Limits, troubles: tuple[Trouble, ...], count: int, **more: Any) -> Profile:
    """On three nodes; faults may take the place of results."""
    return _sure(limits, (2, 1, 1), troubles, count, exact=False, **more)


KINDS = {
    "worker death": Kind(
        (
            _loose(ACTORS, (T.CRASH,), 2),
            _sure(PLAIN, (1, 1), (T.CRASH,), 3),
            _loose(replace(SHORT, cancels=True, kills=True), (T.CRASH,), 2),
        ),
        ("WorkerDied", "OwnerDied", "retried", "restarted", "failed"),
    ),
    "node death": Kind(
        (_loose(ACTORS, (T.NODE,), 2), _loose(GROUPS, (T.NODE, T.CRASH), 2)),
        ("NodeDied", "retried", "restarted", "failed"),
    ),
    "head death": Kind(
        (
            _sure(SURE, (1, 1, 2), (T.HEAD,), 3, apart=True),
            _sure(replace(SURE, groups=True, refs_out=False), (2, 1, 1), (T.HEAD,), 3, apart=True),
            _loose(GROUPS, (T.HEAD, T.NODE, T.CRASH), 3, apart=True),
        ),
        ("RegisterAgain", "retried", "restarted"),
    ),
    "cut connections": Kind(
        (
            _loose(SHORT, (T.CUT,), 2),
            _loose(SHORT, (T.LINK,), 3),
            _loose(GROUPS, (T.LINK,), 3),
            _loose(STORED, (T.LINK,), 3),
            _sure(SURE, (1, 1, 2), (T.APART,), 3, apart=True),
        ),
        ("lost", "RegisterAgain", "retried"),
    ),
    "delayed and reordered messages": Kind(
        (
            Profile(SURE, (1, 1, 2), moods=DELAYED),
            Profile(SURE, (1, 1, 2), moods=DELAYED, apart=True),
            Profile(CANCELLED, (1, 1, 2), moods=DELAYED, exact=False, store=3 * 4096),
        ),
        ("late",),
    ),
    "slow peers and half-open connections": Kind(
        (
            _loose(SHORT, (T.SLOW, T.HALF), 2),
            _loose(GROUPS, (T.SLOW, T.HALF, T.APART), 2, apart=True),
            _sure(replace(SURE, bigs=2), (1, 1, 1), (T.LINK,), 3, moods=DELAYED),
            _loose(replace(SHORT, bigs=2), (T.LINK, T.HALF), 3, moods=DELAYED),
        ),
        ("lost", "late", "retried", "NodeRefused"),
    ),
    "doubled messages": Kind(
        (
            _sure(SURE, (1, 1, 2), (T.TWICE, T.AGAIN), 6),
            _sure(replace(SURE, groups=True, refs_out=False), (2, 1, 1), (T.TWICE, T.AGAIN), 6, apart=True),
            _loose(SHORT, (T.TWICE, T.AGAIN, T.CRASH), 6),
        ),
        (),
    ),
    "parted nodes": Kind(
        (_loose(SHORT, (T.SPLIT,), 2), _loose(GROUPS, (T.SPLIT, T.CRASH), 2, apart=True)),
        ("NodeDied", "NodeRefused", "retried"),
    ),
    "nodes that come back from the dead": Kind(
        (_loose(ACTORS, (T.PAUSE,), 2), _loose(GROUPS, (T.PAUSE, T.HEAD), 2, apart=True)),
        ("NodeDied", "NodeRefused", "retried", "restarted"),
    ),
    "full stores and bad disks": Kind(
        (
            _sure(replace(STORED, refs_out=True), (1, 1), (T.FULL,), 2, store=3 * 4096),
            _sure(STORED, (1, 1), (T.ROT, T.FULL), 4, exact=False, store=2 * 4096),
            _sure(
                replace(SHORT, bigs=1, favour=("put",)),
                (1, 1),
                (T.FULL, T.ROT),
                4,
                exact=False,
                store=2 * 4096,
                wait=0.5,
            ),
            _loose(CANCELLED, (T.FULL, T.ROT, T.LINK), 3, store=3 * 4096, moods=DELAYED),
        ),
        ("spilled", "restored", "ObjectLost", "rebuilt", "failed"),
    ),
    "lost objects": Kind(
        (
            _sure(replace(STORED, big_puts=False), (0.5, 1, 1), (T.NODE,), 1),
            _sure(replace(STORED, streams=True), (0.5, 1, 1, 1), (T.NODE, T.ROT), 2, store=3 * 4096, exact=False),
            _loose(CANCELLED, (T.NODE, T.CRASH, T.LINK), 3, store=4 * 4096),
        ),
        ("rebuilt", "retried"),
    ),
    "some of several results lost": Kind(
        (
            _sure(SEVERAL_RESULTS, (0.5, 1, 1, 1), (T.NODE, T.ROT), 2, store=3 * 4096, exact=False),
            _sure(SEVERAL_RESULTS, (1, 1), (T.CRASH, T.ROT), 4, store=2 * 4096, exact=False),
            _loose(replace(ACTORS, several=True), (T.CRASH, T.NODE), 2),
        ),
        ("rebuilt", "retried", "ObjectLost"),
    ),
    "actors that may not come up": Kind(
        (
            _loose(replace(BUILT, kills=True), (T.CRASH,), 2),
            _loose(BUILT, (T.NODE, T.CRASH), 2),
            _loose(replace(BUILT, kills=True), (T.HEAD, T.APART), 3, apart=True),
            _loose(replace(BUILT, cancels=True, kills=True, several=True), (T.LINK, T.PAUSE, T.HALF), 2),
            _loose(BUILT, (T.DRIVER, T.HEAD), 2, others=1, apart=True),
        ),
        ("retried", "restarted", "failed", "NodeDied", "JobOver"),
    ),
    "driver death": Kind(
        (
            _sure(SURE, (1, 1, 2), (T.DRIVER,), 2, others=2),
            _sure(SURE, (2, 1), (T.DRIVER, T.HEAD, T.APART), 3, others=1, apart=True),
        ),
        ("JobOver", "OwnerDied"),
    ),
    "several at once": Kind(
        (
            _loose(SHORT, SEVERAL, 4, others=1, apart=True),
            _loose(ACTORS, (T.PAUSE, T.SPLIT, T.DRIVER, T.NODE), 3, others=1),
            _loose(STORED, (T.PAUSE, T.SPLIT, T.SLOW, T.LINK, T.ROT, T.FULL), 3, store=3 * 4096),
            _loose(GROUPS, (T.SLOW, T.PAUSE, T.LINK, T.TWICE, T.AGAIN), 4),
            _loose(replace(GROUPS, cancels=True), SEVERAL, 4, apart=True),
            _loose(replace(STORED, streams=True, refs_out=True), (T.NODE, T.LINK, T.SLOW), 3),
        ),
        ("NodeRefused", "RegisterAgain", "JobOver", "retried", "restarted", "rebuilt", "failed"),
    ),
}

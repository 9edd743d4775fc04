"""What can be done to a runtime. Each fault says what it did, and what undoes it after its time."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from random import Random
from typing import Any, Final, NamedTuple

from pytest_rustyray.chaos.targets import PATIENCE, NothingToHit, NotYet, Targets


class Done(NamedTuple):
    """A fault that has happened: in words, and how it ends after so many ``seconds``."""

    what: str
    seconds: float = 0.0
    undo: Callable[[], None] | None = None


class Fault(NamedTuple):
    """Something to be done, by `Chaos.at`, `Chaos.when` or `Chaos.rate`."""

    name: str
    do: Callable[[Targets, Random], Done]


def kill_worker(node: int | None = None, actors: bool | None = None) -> Fault:
    """Kill a worker that runs something (SIGKILL).

    Args:
        node: on the node with this number; on any.
        actors: True: one with an actor; False: one with tasks; None: any.
    """

    def do(targets: Targets, rng: Random) -> Done:
        worker = targets.worker(rng, node, actors)
        try:
            os.kill(worker.pid, signal.SIGKILL)
        except ProcessLookupError:
            raise NothingToHit("the worker has ended by itself") from None
        return Done(f"kill worker {worker.pid} on {targets.name(worker.node_id)}")

    return Fault("kill_worker", do)


def kill_node(node: int | None = None) -> Fault:
    """Kill a node and its workers: the one with this number, or any but the first."""

    def do(targets: Targets, rng: Random) -> Done:
        victim = targets.node(rng, node, first=False)
        targets.cluster.kill_node(targets.listed(victim))
        return Done(f"kill {targets.name(victim)}")

    return Fault("kill_node", do)


def pause(seconds: float = 0.5, node: int | None = None) -> Fault:
    """Stop a node and its workers for so long: the one with this number, or any but the first."""

    def do(targets: Targets, rng: Random) -> Done:
        victim = targets.listed(targets.node(rng, node, first=False))
        targets.cluster.pause(victim)
        what = f"pause {targets.name(victim.node_id)} for {seconds:g} s"
        return Done(what, seconds, lambda: _resume(targets.cluster, victim))

    return Fault("pause", do)


def delay(seconds: float = 0.2) -> Fault:
    """What two nodes send each other arrives so much later."""
    return _apart("delay", seconds)


def partition(seconds: float = 2.0) -> Fault:
    """Two nodes hear nothing of each other for so long."""
    return _apart("partition", seconds)


def _apart(name: str, seconds: float) -> Fault:
    def do(targets: Targets, rng: Random) -> Done:
        one, other = map(targets.listed, targets.pair(rng))
        targets.cluster.partition(one, other)
        what = f"{name} {targets.name(one.node_id)} and {targets.name(other.node_id)} for {seconds:g} s"
        return Done(what, seconds, lambda: _heal(targets.cluster, one, other))

    return Fault(name, do)


def _heal(cluster: Any, one: Any, other: Any) -> None:
    if one in cluster.nodes and other in cluster.nodes:  # not killed meanwhile
        if cluster.is_paused(one) or cluster.is_paused(other):
            raise NotYet
        cluster.heal(one, other)


def _resume(cluster: Any, node: Any) -> None:
    if node in cluster.nodes:
        cluster.resume(node)


def drop() -> Fault:
    """The connections between two nodes end, and what was on its way is lost."""

    def do(targets: Targets, rng: Random) -> Done:
        one, other = targets.pair(rng)
        targets.engine.cut_connections(bytes.fromhex(one), bytes.fromhex(other))
        return Done(f"drop the connections of {targets.name(one)} and {targets.name(other)}")

    return Fault("drop", do)


def fill_disk(seconds: float = 1.0, node: int | None = None) -> Fault:
    """Nothing more can be written to disk by a node for so long: spilling fails."""

    def do(targets: Targets, rng: Random) -> Done:
        import resource

        victim = targets.node(rng, node, first=True)
        pid = targets.pid(victim)
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
        undo = _if_there(lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, before))
        return Done(f"fill the disk of {targets.name(victim)} for {seconds:g} s", seconds, undo)

    return Fault("fill_disk", do)


#: Parts of the store that are put at a time.
_PARTS: Final = 32


def fill_store(seconds: float = 0.5, fraction: float = 0.9) -> Fault:
    """So much of the first node's store is taken for so long, as far as there is room."""

    def do(targets: Targets, rng: Random) -> Done:
        import rustyray
        from rustyray.exceptions import ObjectStoreFullError, OutOfDiskError

        here = targets.engine.process().node.hex()
        capacity = next(node.store.capacity for node in rustyray.stats(timeout=PATIENCE).nodes if node.node == here)
        kept: list[Any] = []
        try:
            kept.extend(rustyray.put(bytes(capacity // _PARTS)) for _ in range(int(_PARTS * fraction)))
        except (ObjectStoreFullError, OutOfDiskError):
            pass  # it is full: that is what this is for
        return Done(f"fill the store for {seconds:g} s", seconds, kept.clear)

    return Fault("fill_store", do)


def _if_there(undo: Callable[[], Any]) -> Callable[[], None]:
    def careful() -> None:
        try:
            undo()
        except ProcessLookupError:
            pass  # the node has died meanwhile

    return careful

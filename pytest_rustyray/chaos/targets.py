"""Whom a fault may hit."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final, TypeVar

T = TypeVar("T")
#: Seconds for which those are waited for that do not answer, as they are paused, say: what lasts is to end in time.
PATIENCE: Final = 0.1


class NothingToHit(Exception):
    """There is nobody whom the fault could hit at the moment."""


class NotYet(Exception):
    """What lasts cannot be ended at the moment."""


class Targets:
    """The nodes of a test's runtime, by the order in which they were added, and their workers."""

    def __init__(self, engine: Any, cluster: Any) -> None:
        self.engine = engine
        #: A `ClusterUnderTest`, or None if the test has another runtime.
        self.cluster = cluster
        self._known: list[str] = []

    def nodes(self) -> list[str]:
        """The ids of the nodes that are alive. A node keeps its number when others die."""
        if self.cluster is not None:
            alive = [node.node_id for node in self.cluster.nodes]
        else:
            alive = [about["NodeID"] for about in self.engine.nodes() if about["Alive"]]
        self._known += [node for node in alive if node not in self._known]
        return [node for node in self._known if node in alive]

    def node(self, rng: Random, number: int | None, first: bool) -> str:
        """That with this number (0: the first that was added), or any; the ``first`` only if that is fine."""
        alive, draw = self.nodes(), rng.random()
        if number is not None:
            if number >= len(self._known) or self._known[number] not in alive:
                raise NothingToHit(f"there is no node {number} (any more)")
            return self._known[number]
        others = alive if first else [node for node in alive if node != self._known[0]]
        return _pick(others, draw, "there is no node but the first")

    def pair(self, rng: Random) -> tuple[str, str]:
        """Two nodes, of which none is paused."""
        alive, draws = self.nodes(), (rng.random(), rng.random())
        one = _pick(alive, draws[0], "there are no two nodes")
        other = _pick([node for node in alive if node != one], draws[1], "there are no two nodes")
        for node in (one, other):
            if self.cluster is None or self.cluster.is_paused(self.listed(node)):
                raise NothingToHit(f"{self.name(node)} is paused")
        return one, other

    def worker(self, rng: Random, number: int | None, actors: bool | None) -> Any:
        """A worker that runs something: an actor's (``actors``), a task's (False), or any (None)."""
        from rustyray.util.state import list_workers

        draw, alive = rng.random(), self.nodes()
        where = None if number is None else self.node(rng, number, first=True)
        kinds = {None: ("LEASED", "ACTOR"), True: ("ACTOR",), False: ("LEASED",)}[actors]
        known = list_workers(timeout=PATIENCE, limit=10_000, raise_on_missing_output=False)
        up = [worker for worker in known if worker.pid > 0]  # the others' processes are on their way
        there = [worker for worker in up if worker.node_id in (alive if where is None else [where])]
        held = [worker for worker in there if worker.state in kinds]
        # A lease outlasts its tasks for a while. Who does not answer, as it is stopped or just came, counts as busy.
        found = [worker for worker in held if worker.state == "ACTOR" or worker.runs or not worker.answers] or held
        found.sort(key=lambda worker: worker.worker_id)
        return _pick(found, draw, "there is no such worker")

    def name(self, node: str) -> str:
        return f"node {self._known.index(node)} ({node})"

    def pid(self, node: str) -> int:
        """Of a node's process."""
        return next(int(about["Pid"]) for about in self.engine.nodes() if about["NodeID"] == node)

    def listed(self, node: str) -> Any:
        """The cluster's own object for it."""
        if self.cluster is None:
            raise NothingToHit("only rustyray_cluster has nodes to do this to")
        return next(each for each in self.cluster.nodes if each.node_id == node)


def _pick(some: Sequence[T], draw: float, otherwise: str) -> T:
    """``draw`` is from 0 to 1, so that the same one is the choice among as many."""
    if not some:
        raise NothingToHit(otherwise)
    return some[int(draw * len(some))]

"""What the head writes down, so that another head can go on where it ended: one record for each thing, by kind and key.

The host keeps the records and gives them back. What is told to others is written down before. Not written down is what
others say again when the head comes back: what is free on the nodes, who watches what, which processes there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import msgspec

from rustyray.core.effects import Keep
from rustyray.core.head.actor import Actor
from rustyray.core.head.entries import Entry
from rustyray.core.head.group import Group
from rustyray.core.head.jobs import Job
from rustyray.core.head.nodes import Node, NodeState
from rustyray.model.ids import JobID, NodeID, WorkerID
from rustyray.model.messages import ActorSpec, ActorState, GroupSpec, GroupState, JobSetup, NodeInfo
from rustyray.model.messages.base import Part
from rustyray.model.values import Fault

if TYPE_CHECKING:
    from rustyray.core.head.actors import Actors
    from rustyray.core.head.base import HeadBase
    from rustyray.core.head.entries import Entries
    from rustyray.core.head.jobs import Jobs
    from rustyray.core.head.nodes import Nodes


class NodeRecord(Part, tag="node"):
    info: NodeInfo


class JobRecord(Part, tag="job"):
    id: JobID
    driver: WorkerID
    namespace: str
    pid: int
    setup: JobSetup | None
    finished: str
    over: bool


class ActorRecord(Part, tag="actor"):
    spec: ActorSpec
    state: ActorState
    incarnation: int
    restarts: int
    node: NodeID
    worker: WorkerID
    address: str
    pid: int
    fault: Fault | None
    stopping: str
    killed: str
    was_created: bool = False


class GroupRecord(Part, tag="group"):
    spec: GroupSpec
    state: GroupState
    nodes: list[NodeID]
    rounds: int
    version: int
    reason: str
    was_created: bool
    over: str


class EntryRecord(Part, tag="entry"):
    namespace: bytes
    key: bytes
    value: bytes


Record = NodeRecord | JobRecord | ActorRecord | GroupRecord | EntryRecord
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Record).decode


def keep(base: HeadBase) -> None:
    """Have what has changed written down, before anything that is said."""
    if not base.changes:
        return
    changes, base.changes = base.changes, {}
    base.out[:0] = [
        Keep(kind, key, None if what is None else _encode(_record(what))) for (kind, key), what in changes.items()
    ]


def _record(what: object) -> Record:
    match what:
        case Node():
            return NodeRecord(what.info)
        case Job():
            return JobRecord(what.id, what.driver, what.namespace, what.pid, what.setup, what.finished, what.over)
        case Actor():
            return ActorRecord(
                what.spec,
                what.state,
                what.incarnation,
                what.restarts,
                what.node,
                what.worker,
                what.address,
                what.pid,
                what.fault,
                what.stopping,
                what.killed,
                what.was_created,
            )
        case Group():
            state = GroupState.PENDING if what.round is not None and not what.was_created else what.state
            state = GroupState.RESCHEDULING if what.round is not None and what.was_created else state
            rest = what.rounds, what.version, what.reason, what.was_created, what.over
            return GroupRecord(what.spec, state, list(what.nodes), *rest)
        case Entry():
            return EntryRecord(what.namespace, what.key, what.value)
    raise TypeError(f"a head cannot write down {what!r}")


def restore(kept: Iterable[bytes], nodes: Nodes, jobs: Jobs, actors: Actors, entries: Entries, now: float) -> None:
    """Put everything back; ``kept`` are the values of what `keep` wanted written down, in the order in which they were
    first written."""
    records = [_decode(value) for value in kept]
    for record in records:
        if isinstance(record, JobRecord):
            job = Job(record.id, record.driver, record.namespace, record.pid, record.setup)
            job.finished, job.over = record.finished, record.over
            jobs.restore(job)
    for record in records:
        if isinstance(record, ActorRecord):
            actors.restore(_actor(record))
        elif isinstance(record, GroupRecord):
            actors.groups.restore(_group(record))
        elif isinstance(record, EntryRecord):
            entries.restore(Entry(record.namespace, record.key, record.value))
    for record in records:
        if isinstance(record, NodeRecord):
            node = Node(record.info, now)
            if not record.info.alive:
                node.state = NodeState.DEAD
            nodes.restore(node, now)


def _actor(record: ActorRecord) -> Actor:
    actor = Actor(record.spec)
    actor.state, actor.incarnation, actor.restarts = record.state, record.incarnation, record.restarts
    actor.node, actor.worker, actor.address, actor.pid = record.node, record.worker, record.address, record.pid
    actor.fault, actor.stopping, actor.killed = record.fault, record.stopping, record.killed
    actor.was_created = record.was_created
    return actor


def _group(record: GroupRecord) -> Group:
    group = Group(record.spec)
    group.state, group.nodes, group.rounds = record.state, record.nodes, record.rounds
    group.version, group.reason = record.version, record.reason
    group.was_created, group.over = record.was_created, record.over
    return group

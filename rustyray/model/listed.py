"""What a runtime consists of, a row for each thing: what its processes tell of when they are asked for lists."""

from __future__ import annotations

import msgspec

from rustyray.model.events import Inside


class ActorRow(Inside, frozen=True, kw_only=True, gc=False):
    """An actor, as the head sees it; ``restarts`` counts those so far, ``cause`` says why it is dead or restarting.

    ``was_created``: its constructor has come to its end.
    """

    actor_id: str
    class_name: str
    state: str
    name: str
    namespace: str
    job_id: str
    node_id: str
    worker_id: str
    pid: int
    detached: bool
    restarts: int
    cause: str
    resources: dict[str, float] = msgspec.field(default_factory=dict)
    placement_group_id: str = ""
    was_created: bool = False


class JobRow(Inside, frozen=True, kw_only=True, gc=False):
    """A driver's stay; ``finished`` says why it is over."""

    job_id: str
    driver: str
    namespace: str
    pid: int
    finished: str


class ObjectRow(Inside, frozen=True, kw_only=True, gc=False):
    """An object, as its owner sees it: ``size`` in bytes (-1 while it has no value), the ``task`` that makes it.

    ``node`` is where its original lies, empty for one that the owner keeps itself. ``local`` counts the owner's own
    refs, ``holds`` the tasks and objects that need it, ``borrowers`` the other processes with refs.
    """

    object_id: str
    owner: str
    task: str
    size: int
    node: str
    local: int
    holds: int
    borrowers: int
    failed: bool = False


class CopyRow(Inside, frozen=True, kw_only=True, gc=False):
    """An object in a node's store: the original or a ``spare``; mapped ``pins`` times."""

    object_id: str
    node: str
    size: int
    state: str
    spare: bool
    pins: int


class MetricRow(Inside, frozen=True, kw_only=True, gc=False):
    """What one process has recorded under a name and tags.

    ``kind`` is ``"counter"``, ``"gauge"`` or ``"histogram"``; ``value`` the sum, the last value, or the sum of what
    was observed, which ``counts`` has by class, the last one being what is above all ``boundaries``. ``time`` is when
    it was recorded last, in seconds since the epoch.
    """

    name: str
    kind: str
    description: str
    tags: dict[str, str]
    value: float
    time: float
    boundaries: list[float] = msgspec.field(default_factory=list)
    counts: list[int] = msgspec.field(default_factory=list)

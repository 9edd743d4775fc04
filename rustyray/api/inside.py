"""Looking inside a running runtime: what happened in its processes, and what they count."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, TypeVar

from rustyray.runtime import context

if TYPE_CHECKING:
    from rustyray.model.events import Event, Inside
    from rustyray.model.stats import LatencyStats, Stats

#: Events that are asked of each process, at most.
LIMIT = 10_000

T = TypeVar("T", bound="Inside")


def events(
    *,
    kind: str | Iterable[str] = (),
    about: str = "",
    since: float | None = None,
    limit: int = LIMIT,
    timeout: float = 5.0,
) -> list[Event]:
    """What happened in all processes of the runtime, as far as they remember it, in the order of time.

    Each process keeps its last events only: those of the last 4096 tasks, and the last 1024 of everything else of
    one kind. What a dead worker remembered is lost; its node and those that it worked for tell their part. A process
    that does not answer is itself an event of the kind ``"fault"``, the last in the list.

    Args:
        kind: one or some of ``"task"``, ``"actor"``, ``"object"``, ``"node"``, ``"worker"``, ``"lease"``,
            ``"placement_group"``, ``"lifecycle"`` and ``"fault"``; all if none is given.
        about: an id in hexadecimal; only what happened to whom or what has it.
        since: seconds since the epoch; only what happened later.
        limit: of each process, the newest so many at most.
        timeout: seconds to wait for processes that do not answer.

    Raises:
        RuntimeError: The runtime is not up.
        TypeError, ValueError: An argument is not what it should be.
    """
    import msgspec

    from rustyray.model import options as opt
    from rustyray.model.events import KINDS, Event, Query

    engine = context.require_engine("events()")
    kinds = (kind,) if isinstance(kind, str) else tuple(kind)
    for one in kinds:
        if one not in KINDS:
            raise ValueError(f"there are no events of the kind {one!r}{opt.hint(str(one), KINDS)}: {', '.join(KINDS)}")
    if not isinstance(about, str):
        raise TypeError(f"events(): about must be an id in hexadecimal, such as ref.hex(), got {about!r}")
    # Until they look, some time passes: they may tell more than is wanted.
    age = float("inf") if since is None else max(0.0, time.time() - since) + timeout
    found = engine.inspect(Query(opt.at_least(1)("limit", limit), kinds, about, age), timeout)
    told = [
        msgspec.structs.replace(event, time=event.time + shift)
        for report, shift in found.timed()
        for event in report.events
        if since is None or event.time + shift >= since
    ]
    told = named(sorted(told, key=lambda event: event.time))
    now = time.time()
    for role, process in found.silent:
        cause = f"the {role} did not answer in {timeout:g} s, so what it remembers is missing"
        worker, node = (process.hex() if role == kind else "" for kind in ("worker", "node"))
        told.append(Event(time=now, kind="fault", what="does not answer", cause=cause, worker=worker, node=node))
    return told


def named(events: list[Event]) -> list[Event]:
    """Workers do not remember what the tasks are called that they ran; their owners do."""
    import msgspec

    known = {event.task: event for event in events if event.name and event.task}
    named = []
    for event in events:
        if event.task and not event.name and event.task in known:
            owners = known[event.task]
            event = msgspec.structs.replace(event, name=owners.name, actor=owners.actor, job=owners.job)
        named.append(event)
    return named


def stats(*, timeout: float = 5.0) -> Stats:
    """What the runtime counts of tasks, calls, objects, workers, actors, stores: by process, by node, and in sum.

    The counterpart of what Ray's core workers and raylets export. What a process counted that is gone is gone with it.
    To count the bytes of its objects a process looks at each, so this is not for every millisecond.

    Args:
        timeout: seconds to wait for processes that do not answer; these are in ``silent``.

    Raises:
        RuntimeError: The runtime is not up.
    """
    from rustyray.model.events import Query
    from rustyray.model.stats import ObjectStats, Stats, StoreStats, TaskStats

    found = context.require_engine("stats()").inspect(Query(stats=True), timeout)
    processes = [report.stats for report in found.reports if report.stats is not None]
    nodes = [report.node_stats for report in found.reports if report.node_stats is not None]
    return Stats(
        tasks=_sum(TaskStats(), [process.tasks for process in processes]),
        calls=_sum(TaskStats(), [process.calls for process in processes]),
        objects=_sum(ObjectStats(), [process.objects for process in processes]),
        latency=_latency([process.latency.classes for process in processes]),
        store=_sum(StoreStats(), [node.store for node in nodes]),
        processes=processes,
        nodes=nodes,
        head=next((report.head_stats for report in found.reports if report.head_stats is not None), None),
        silent=found.named(),
    )


def _sum(zero: T, parts: Sequence[T]) -> T:
    """Field by field."""
    values = [sum(getattr(part, field) for part in parts) for field in zero.__struct_fields__]
    return type(zero)(**dict(zip(zero.__struct_fields__, values, strict=True)))


def _latency(parts: Sequence[tuple[int, ...]]) -> LatencyStats:
    from rustyray.model.stats import LatencyStats

    return LatencyStats(classes=tuple(map(sum, zip_longest(*parts, fillvalue=0))))

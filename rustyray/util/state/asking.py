"""Rows out of what the processes tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from rustyray.api.states import workers_of
from rustyray.model.resources import as_amounts
from rustyray.util.state.rows import (
    ActorState,
    ClusterEventState,
    JobState,
    NodeState,
    ObjectState,
    PlacementGroupState,
    RuntimeEnvState,
    WorkerState,
)

if TYPE_CHECKING:
    from rustyray.model.events import Event
    from rustyray.model.messages import GroupInfo, Report
    from rustyray.runtime.engine import Engine, Inspection

#: States of a worker whose environment is there.
_SET_UP: Final = ("IDLE", "LEASED", "ACTOR", "ORPHANED", "RETIRING", "KEPT")
_ACTOR_STATES: Final = {"PENDING": "PENDING_CREATION"}


def actors(found: Inspection) -> Iterator[ActorState]:
    for row in (row for report in found.reports for row in report.actors):
        cause = {"error_message": row.cause} if row.cause else None
        yield ActorState(
            actor_id=row.actor_id,
            class_name=row.class_name.rpartition(".")[2],
            state=_ACTOR_STATES.get(row.state, row.state),
            job_id=row.job_id,
            name=row.name,
            node_id=row.node_id or None,
            pid=row.pid or None,
            ray_namespace=row.namespace,
            required_resources=row.resources,
            death_cause=cause,
            is_detached=row.detached,
            placement_group_id=row.placement_group_id or None,
            num_restarts=row.restarts,
            worker_id=row.worker_id or None,
        )


def cluster_events(happened: Iterable[Event]) -> Iterator[ClusterEventState]:
    for number, event in enumerate(happened):
        bad = event.kind == "fault" or event.what in ("died", "failed", "dead")
        yield ClusterEventState(
            severity="ERROR" if bad else "INFO",
            time=event.time,
            source_type=event.kind.upper(),
            message=f"{event.kind} {event.what}{f': {event.cause}' if event.cause else ''}",
            event_id=f"{event.process}-{number}",
            custom_fields={name: id_ for name in ("job", "node", "worker", "actor") if (id_ := getattr(event, name))},
        )


def jobs(found: Inspection) -> Iterator[JobState]:
    for row in (row for report in found.reports for row in report.jobs):
        good = not row.finished or row.finished == "its driver is done"
        yield JobState(
            job_id=row.job_id,
            submission_id=None,
            type="DRIVER",
            status="RUNNING" if not row.finished else "SUCCEEDED" if good else "FAILED",
            entrypoint="",
            message=row.finished,
            driver_info={"id": row.driver, "pid": str(row.pid), "node_ip_address": "127.0.0.1"},
            namespace=row.namespace,
        )


def nodes(found: Inspection, engine: Engine) -> Iterator[NodeState]:
    told = [node for report in found.reports for node in report.nodes]
    about = engine.nodes() if told else []  # who has not told of its nodes has not told of itself, and would not now
    known: dict[str, Mapping[str, Any]] = {node["NodeID"]: node for node in about}
    first = about[0]["NodeID"] if about else ""
    for node in told:
        more = known.get(node.node_id, {})
        yield NodeState(
            node_id=node.node_id,
            node_ip=more.get("NodeManagerAddress", ""),
            is_head_node=node.node_id == first,
            state=node.state,
            state_message=node.reason or None,
            node_name=node.node_name,
            resources_total=dict(more.get("Resources", {})),
            labels=dict(more.get("Labels", {})),
            pid=node.pid,
            silent=node.silent,
            queued=node.queued,
        )


def workers(found: Inspection) -> Iterator[WorkerState]:
    for worker in workers_of(found):
        alive = worker.state != "DEAD"
        yield WorkerState(
            worker_id=worker.worker_id,
            is_alive=alive,
            worker_type="WORKER",
            exit_type=None if alive else "SYSTEM_ERROR",
            node_id=worker.node_id,
            ip="127.0.0.1",
            pid=worker.pid,
            exit_detail=worker.reason,
            state=worker.state,
            seconds=worker.seconds,
            actor_id=worker.actor_id,
            answers=worker.answers,
            runs=worker.runs,
        )


def runtime_envs(found: Inspection) -> Iterator[RuntimeEnvState]:
    import json

    from rustyray.model import environments

    counts = Counter((worker.node_id, worker.env) for worker in workers_of(found) if worker.state in _SET_UP)
    for (node, env), count in counts.items():
        given = json.loads(environments.decode(env).given) if env else {}
        if given:
            yield RuntimeEnvState(runtime_env=given, success=True, creation_time_ms=None, node_id=node, ref_cnt=count)


def objects(found: Inspection) -> Iterator[ObjectState]:
    pids = {worker.worker_id: worker.pid for worker in workers_of(found)}
    copies: dict[str, list[str]] = {}
    for copy in (copy for report in found.reports for copy in report.copies if copy.state != "WRITING"):
        copies.setdefault(copy.object_id, []).append(copy.node)
    for report in found.reports:
        for row in report.objects:
            yield ObjectState(
                object_id=row.object_id,
                object_size=row.size,
                task_status="FAILED" if row.failed else "FINISHED" if row.size >= 0 else "PENDING",
                reference_type=_reference(row.local, row.holds, row.borrowers),
                call_site="disabled",
                type=report.role.upper(),
                pid=_pid(report, pids),
                ip="127.0.0.1",
                owner=row.owner,
                task_name=row.task,
                node_ids=copies.get(row.object_id, []),
            )


def _pid(report: Report, pids: Mapping[str, int]) -> int:
    return report.pid or pids.get(report.process.hex(), 0)


def _reference(local: int, holds: int, borrowers: int) -> str:
    if holds:
        return "USED_BY_PENDING_TASK"
    if local:
        return "LOCAL_REFERENCE"
    return "BORROWED" if borrowers else "UNKNOWN_STATUS"


def groups(infos: list[GroupInfo]) -> Iterator[PlacementGroupState]:
    for info in infos:
        state = info.state.name
        if state == "PREPARING":  # as in `placement_group_table`
            state = "RESCHEDULING" if any(info.nodes) else "PENDING"
        places = [*info.nodes, *[b""] * len(info.spec.bundles)]
        yield PlacementGroupState(
            placement_group_id=info.spec.group.hex(),
            name=info.spec.name,
            creator_job_id=info.spec.job.hex(),
            state=state,
            bundles=[
                {"bundle_id": number, "unit_resources": as_amounts(bundle), "node_id": places[number].hex()}
                for number, bundle in enumerate(info.spec.bundles)
            ],
            is_detached=info.spec.detached,
            stats={"scheduling_state": info.reason} if info.reason else {},
        )

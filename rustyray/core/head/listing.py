"""The actors and jobs that the head knows, a row for each."""

from __future__ import annotations

from rustyray.core.head.actor import Actor
from rustyray.core.head.jobs import Job
from rustyray.model.listed import ActorRow, JobRow
from rustyray.model.resources import as_amounts


def actor_row(actor: Actor) -> ActorRow:
    spec = actor.spec
    return ActorRow(
        actor_id=actor.id.hex(),
        class_name=spec.class_name,
        state=actor.state.name,
        name=spec.name,
        namespace=spec.namespace,
        job_id=spec.job.hex(),
        node_id=actor.node.hex(),
        worker_id=actor.worker.hex(),
        pid=actor.pid,
        detached=spec.detached,
        restarts=actor.restarts,
        cause=actor.fault.message if actor.fault is not None else "",
        resources=as_amounts(spec.resources),
        placement_group_id=spec.strategy.group.hex() if spec.strategy is not None else "",
        was_created=actor.was_created,
    )


def job_row(job: Job) -> JobRow:
    return JobRow(
        job_id=job.id.hex(), driver=job.driver.hex(), namespace=job.namespace, pid=job.pid, finished=job.finished
    )

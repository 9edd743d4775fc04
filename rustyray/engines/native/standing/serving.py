"""What a node answers of the jobs of its machine."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Final

from rustyray.engines.native.standing import jobs
from rustyray.engines.native.standing.places import Place
from rustyray.model.messages import AskJobs, JobAction, JobsTold, SubmittedJob

if TYPE_CHECKING:
    from rustyray.engines.native.processes.boot import NodeBoot

#: The most that one answer has of what a job has written, in bytes.
MOST: Final = 1 << 20


def answer(boot: NodeBoot, asked: AskJobs) -> JobsTold:
    """Do what is asked; a mistake of whoever asks is told, not raised."""
    place = Place(boot.session_dir)
    told = JobsTold([])
    if not boot.shared:
        return JobsTold([], error="this node is one program's own, and runs no jobs")
    try:
        match asked.action:
            case JobAction.LIST:
                told.jobs = [described(job, boot.node.hex()) for job in jobs.jobs(place)]
            case JobAction.SUBMIT if asked.job is not None:
                job, cluster = asked.job, place.cluster()
                job.directory = job.directory or os.path.expanduser("~")
                jobs.submit(place, "" if cluster is None else cluster.address, job)
            case JobAction.UPLOAD:
                jobs.upload(place, asked.name, asked.offset, asked.data)
            case JobAction.OUTPUT:
                told.output = jobs.output(place, asked.name, asked.offset, MOST)
            case JobAction.STOP | JobAction.KILL:
                number = signal.SIGTERM if asked.action is JobAction.STOP else signal.SIGKILL
                found = jobs.ask_to_end(place, asked.name, number)
                told.jobs = [] if found is None else [described(found, boot.node.hex())]
            case JobAction.DELETE:
                jobs.delete(place, asked.name)
    except (OSError, ValueError) as error:
        told.error = str(error)
    return told


def described(job: jobs.JobFile, node: str) -> SubmittedJob:
    """Without what its environment has of the machine's."""
    return SubmittedJob(
        submission_id=job.submission_id,
        entrypoint=job.entrypoint,
        directory=job.directory,
        metadata=job.metadata,
        env_vars=job.env_vars,
        status=job.status,
        message=job.message,
        start_time=job.start_time,
        end_time=job.end_time,
        exit_code=job.exit_code,
        node=node,
    )

"""Jobs: one per driver. A job numbers itself, has a namespace, and ends with its driver."""

from __future__ import annotations

from typing import Final

from rustyray.core.head.base import HeadBase
from rustyray.model.ids import JOB_ID_SIZE, JobID, WorkerID
from rustyray.model.messages import DescribeJob, JobAccepted, JobDescribed, JobOver, JobSetup, RegisterJob

#: So many finished jobs are remembered.
FINISHED: Final = 1_000


class Job:
    """A driver's stay in the cluster. It is *finished* when the driver is gone, and *over* when its last detached actor
    is gone too: then ``setup`` is of no use any more."""

    __slots__ = ("driver", "finished", "id", "namespace", "over", "pid", "setup")

    def __init__(self, id_: JobID, driver: WorkerID, namespace: str, pid: int, setup: JobSetup | None) -> None:
        self.id = id_
        self.driver = driver
        self.namespace = namespace
        self.pid = pid
        self.setup = setup
        self.finished = ""
        self.over = False


class Jobs:
    """All jobs, in the order in which they came."""

    __slots__ = ("_base", "_count", "_of_driver", "jobs")

    def __init__(self, base: HeadBase) -> None:
        self._base = base
        self._count = 0
        self.jobs: dict[JobID, Job] = {}
        self._of_driver: dict[WorkerID, Job] = {}

    def register(self, sender: bytes, message: RegisterJob, now: float) -> None:
        """Number the job of a driver; without a namespace it gets one that nobody else has (as in Ray)."""
        job = self._of_driver.get(message.driver)
        if job is None:
            if self._base.why_gone(message.driver) is not None:
                return
            self._count += 1
            id_ = self._count.to_bytes(JOB_ID_SIZE, "big")
            namespace = message.namespace or f"anonymous-{message.driver.hex()}"
            job = self.jobs[id_] = Job(id_, message.driver, namespace, message.pid, message.setup)
            self._of_driver[message.driver] = job
            self._base.changed("job", id_, job)
        self._base.send(sender, JobAccepted(message.driver, job.id, job.namespace))

    def finish(self, driver: WorkerID, reason: str) -> Job | None:
        """The driver is gone. Returns its job, if it was still running."""
        job = self._of_driver.pop(driver, None)
        if job is None:
            return None
        job.finished = reason
        self._base.changed("job", job.id, job)
        return job

    def end(self, job: Job) -> None:
        """Nothing of it is left."""
        job.over, job.setup = True, None
        self._base.changed("job", job.id, job)
        over = [other for other in self.jobs.values() if other.over]
        for old in over[:-FINISHED]:
            del self.jobs[old.id]
            self._base.changed("job", old.id, None)

    def restore(self, job: Job) -> None:
        self.jobs[job.id] = job
        self._count = max(self._count, int.from_bytes(job.id, "big"))
        if not job.finished:
            self._of_driver[job.driver] = job

    def describe(self, sender: bytes, message: DescribeJob, now: float) -> None:
        """A node needs workers for the job."""
        job = self.jobs.get(message.job)
        if job is None or job.over:
            reason = job.finished if job is not None else "nothing is known of it"
            self._base.send(sender, JobOver(message.job, reason))
        else:
            self._base.send(sender, JobDescribed(job.id, job.driver, job.namespace, job.setup))

    def why_over(self, job: JobID) -> str | None:
        """Why the job is finished; None while it runs, or when it was never heard of."""
        known = self.jobs.get(job)
        return known.finished or None if known is not None else None

    def drivers(self) -> list[WorkerID]:
        return list(self._of_driver)

    def check(self) -> None:
        for driver, job in self._of_driver.items():
            assert self.jobs.get(job.id) is job, f"job {job.id.hex()} of driver {driver.hex()} is not listed"
            assert not job.finished, f"job {job.id.hex()} is finished and still has a driver"
        running = sum([not job.finished for job in self.jobs.values()])
        assert running == len(self._of_driver), f"{running} jobs run, but {len(self._of_driver)} drivers have one"

"""Whose workers a node has. A node that belongs to one driver need not tell them apart; one that is shared does.

A worker takes over the directory, the import path and the environment of its job's driver, so it serves that job alone.
What those are the head knows. Nobody gets a worker before it has said so.
"""

from __future__ import annotations

from rustyray.core.node.base import NodeBase
from rustyray.model.ids import JobID
from rustyray.model.messages import DescribeJob, JobDescribed

#: What a node that is not shared calls every job.
ANY: JobID = b""


class Jobs:
    """What the node knows of the jobs that run on it."""

    __slots__ = ("_asked", "_base", "_known", "shared")

    def __init__(self, base: NodeBase, shared: bool) -> None:
        self._base = base
        self.shared = shared
        self._known: dict[JobID, JobDescribed] = {}
        self._asked: dict[JobID, None] = {}

    def of(self, job: JobID) -> JobID:
        """The job by which workers are told apart here."""
        return job if self.shared else ANY

    def may_fork(self, job: JobID) -> bool:
        """Whether a worker for it can be started now; if not, the head is asked for what is missing."""
        if not self.shared or job in self._known:
            return True
        if job not in self._asked:
            self._asked[job] = None
            self._base.tell_head(DescribeJob(job))
        return False

    def described(self, job: JobID) -> JobDescribed | None:
        return self._known.get(job)

    def known(self) -> list[JobID]:
        return list(self._known)

    def learn(self, message: JobDescribed) -> None:
        self._asked.pop(message.job, None)
        self._known[message.job] = message

    def forget(self, job: JobID) -> None:
        self._asked.pop(job, None)
        self._known.pop(job, None)

    def ask_again(self) -> None:
        """The head may not have got the questions, or its answers are lost."""
        for job in self._asked:
            self._base.tell_head(DescribeJob(job))

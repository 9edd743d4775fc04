"""The jobs of a whole cluster: each machine knows its own, and a node there is asked.

It needs the cluster's key and no runtime: any process that can reach the nodes may ask.
"""

from __future__ import annotations

import codecs
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rustyray.engines.native.standing import jobs
from rustyray.engines.native.standing.asking import describe, silence
from rustyray.engines.native.standing.caller import Caller
from rustyray.engines.native.standing.places import Place
from rustyray.model import resources as res
from rustyray.model.messages import AskJobs, JobAction, JobsTold, SubmittedJob

if TYPE_CHECKING:
    from rustyray.engines.native.standing.places import ClusterFile

#: Seconds between two looks at a job.
LOOK: Final = 0.05
#: Bytes of a folder that are sent at a time.
PART: Final = 8 << 20


class Everywhere:
    """The jobs of a cluster. Methods raise ConnectionError when nobody of it can be reached."""

    def __init__(self, cluster: ClusterFile) -> None:
        self.cluster = cluster
        self._place = Place.of(cluster)

    def submit(self, job: SubmittedJob, package: bytes = b"") -> None:
        """Start it: on this machine if a node is here, with this process' environment; else where the first node is.

        Args:
            job: what is to run.
            package: the folder in a copy of which it is to run, as a zip file; without, in ``job.directory``.

        Raises:
            RuntimeError: It could not be started.
            ValueError: The name is taken or cannot be one, the directory does not exist there, or no node has what the
                job is to hold.
        """
        name = job.submission_id
        chosen = self._node_with(job.holds) if job.holds else None
        job.node = "" if chosen is None else chosen[0].hex()
        if name in self._found():
            raise ValueError(f"there is a job {name!r} already: give it another --submission-id, or delete that one")
        job.uploaded = bool(package)
        if any(process.node == job.node or not job.node for process in self._place.processes() if process.node):
            if package:
                jobs.upload(self._place, name, 0, package)
            job.directory = job.directory or os.getcwd()
            jobs.submit(self._place, self.cluster.address, job)
        else:
            node, where = chosen or self._nodes()[0]
            for start in range(0, len(package), PART):
                self._ask(node, where, AskJobs(JobAction.UPLOAD, name, start, data=package[start : start + PART]))
            self._ask(node, where, AskJobs(JobAction.SUBMIT, job=job))
        deadline = time.monotonic() + jobs.PATIENCE
        while (found := self.find(name)).message == jobs.STARTS:
            if time.monotonic() > deadline:
                break
            time.sleep(LOOK)
        if found.status == jobs.FAILED and found.exit_code is None:
            raise RuntimeError(f"job {name!r}: {found.message}\n{self.output(name)[-2000:]}")

    def all(self) -> list[SubmittedJob]:
        """All of them, in the order in which they were submitted."""
        return sorted((job for job, _, _ in self._found().values()), key=lambda job: job.start_time)

    def find(self, name: str) -> SubmittedJob:
        """The job of that name. Raises ValueError when there is none."""
        return self._where(name)[0]

    def output(self, name: str) -> str:
        """What it has written so far. Raises ValueError when there is none."""
        _, node, where = self._where(name)
        return "".join(self._written(name, node, where, codecs.getincrementaldecoder("utf-8")("replace"), 0)[0])

    def follow(self, name: str) -> Iterator[str]:
        """What it writes, until it is over; empty while there is nothing new. Raises ValueError if there is no job."""
        job, node, where = self._where(name)
        decoder, offset = codecs.getincrementaldecoder("utf-8")("replace"), 0
        while True:
            over = job.status != jobs.RUNNING
            texts, offset = self._written(name, node, where, decoder, offset)
            yield "".join(texts)
            if over:
                return
            time.sleep(LOOK)
            job = self._again(name, node, where)

    def stop(self, name: str) -> bool:
        """Have it end; kill it if it does not in time. Returns whether it ran. Raises ValueError when there is none."""
        _, node, where = self._where(name)
        if not self._ask(node, where, AskJobs(JobAction.STOP, name)).jobs:
            return False
        deadline = time.monotonic() + jobs.GRACE + jobs.SUPERVISOR
        while self._again(name, node, where).status == jobs.RUNNING:
            if time.monotonic() > deadline:
                self._ask(node, where, AskJobs(JobAction.KILL, name))
                break
            time.sleep(LOOK)
        return True

    def delete(self, name: str) -> None:
        """Forget one that is over, with what it has written. Raises ValueError while it runs, and if there is none."""
        _, node, where = self._where(name)
        self._ask(node, where, AskJobs(JobAction.DELETE, name))

    def _node_with(self, holds: dict[str, float]) -> tuple[bytes, str]:
        """A node with all that, free if possible, and on this machine if possible, and its address."""
        demand = res.resource_set(holds)
        here = {process.node for process in self._place.processes()}
        known = describe(self.cluster)
        if known is None:
            raise ConnectionError(silence(self.cluster))
        found = [info for info in known if info.alive and res.fits(demand, info.total)]
        if not found:
            raise ValueError(f"no node has {res.describe(demand)}: ask for less, or add such a node")
        best = max(found, key=lambda info: (res.fits(demand, info.available), info.node.hex() in here))
        return best.node, best.address

    # --- the nodes ----------------------------------------------------------------------------------------------------

    def _nodes(self) -> list[tuple[bytes, str]]:
        """Those that live, with their addresses: as the head says, or those of this machine if it is away."""
        known = describe(self.cluster)
        living = [(info.node, info.address) for info in known or () if info.alive]
        if known is not None and not living:
            raise ConnectionError(
                f"the cluster at {self.cluster.address} has no node that lives, and jobs are on its nodes: start one "
                f"with 'rustyray start --address={self.cluster.address}'"
            )
        if living:
            return living
        here = [(bytes.fromhex(one.node), one.address) for one in self._place.processes() if one.node]
        if not here:
            raise ConnectionError(silence(self.cluster))
        return here

    def _found(self) -> dict[str, tuple[SubmittedJob, bytes, str]]:
        """All jobs by name, with a node of their machine and its address."""
        found: dict[str, tuple[SubmittedJob, bytes, str]] = {}
        for node, where in self._nodes():
            try:
                told = self._ask(node, where, AskJobs(JobAction.LIST))
            except ConnectionError:
                continue  # it ends at this moment, and its machine's jobs with it, unless another node is there
            for job in told.jobs:
                found.setdefault(job.submission_id, (job, node, where))
        return found

    def _where(self, name: str) -> tuple[SubmittedJob, bytes, str]:
        found = self._found()
        if name not in found:
            raise ValueError(f"no job {name!r} was submitted to this cluster; there is {', '.join(found) or 'none'}")
        return found[name]

    def _again(self, name: str, node: bytes, where: str) -> SubmittedJob:
        """As `find`, where it is known to be."""
        told = self._ask(node, where, AskJobs(JobAction.LIST))
        found = next((job for job in told.jobs if job.submission_id == name), None)
        return found or self.find(name)

    def _ask(self, node: bytes, where: str, message: AskJobs) -> JobsTold:
        with Caller(self.cluster, where, node) as caller:
            told, _ = caller.ask(message)
        if not isinstance(told, JobsTold):
            raise ConnectionError(f"the node at {where} answered {told!r}")
        if told.error:
            raise ValueError(told.error)
        return told

    def _written(
        self, name: str, node: bytes, where: str, decoder: codecs.IncrementalDecoder, offset: int
    ) -> tuple[list[str], int]:
        """What was written from ``offset`` on, and where that ends."""
        texts = []
        while data := self._ask(node, where, AskJobs(JobAction.OUTPUT, name, offset)).output:
            offset += len(data)
            texts.append(decoder.decode(data))
        return texts, offset

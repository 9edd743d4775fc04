"""``JobSubmissionClient``: submits programs, and asks after them. Methods, and what they raise, are Ray's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from rustyray.job_submission.details import JobDetails, JobErrorType, JobStatus, JobType
from rustyray.missing import OF_JOBS
from rustyray.model.messages import SubmittedJob
from rustyray.model.resources import resource_set
from rustyray.runtime import addresses

_LOOPBACK: Final = ("127.0.0.1", "localhost", "0.0.0.0", "::1")


class JobSubmissionClient:
    """Submits programs to a cluster that ``rustyray start`` has started, and asks after them, from any process.

    A program runs on this machine if a node of the cluster does, with this process' environment, else on the machine of
    the cluster's first node. It ends with the cluster.

    Args:
        address: "host:port" of the head; None or "auto": what ``RUSTYRAY_ADDRESS`` says, else the only cluster on this
            machine. So does the address of a dashboard on this machine (``http://127.0.0.1:8265``): there is none.
        metadata: texts to be remembered with every program.
        cookies, headers, verify, create_cluster_if_needed: of no effect: there is no HTTP on the way.

    Raises:
        ConnectionError: There is no such cluster.
        ValueError: It is the address of another machine's dashboard.
    """

    def __init__(
        self,
        address: str | None = None,
        create_cluster_if_needed: bool = False,
        cookies: Mapping[str, Any] | None = None,
        metadata: Mapping[str, str] | None = None,
        headers: Mapping[str, Any] | None = None,
        verify: str | bool | None = True,
    ) -> None:
        from rustyray.engines.native.standing.everywhere import Everywhere
        from rustyray.engines.native.standing.places import find

        if address is not None and not isinstance(address, str):
            raise TypeError(f"address must be a string, got {address!r}")
        self._metadata = dict(metadata or {})
        self._jobs = Everywhere(find(_cluster_at(address)))

    def get_address(self) -> str:
        """The address of the cluster's head."""
        return self._jobs.cluster.address

    def submit_job(
        self,
        *,
        entrypoint: str,
        job_id: str | None = None,
        runtime_env: Mapping[str, Any] | None = None,
        metadata: Mapping[str, str] | None = None,
        submission_id: str | None = None,
        entrypoint_num_cpus: float | None = None,
        entrypoint_memory: int | None = None,
        entrypoint_resources: Mapping[str, float] | None = None,
        **options: object,
    ) -> str:
        """Start a program, and return its name.

        Args:
            entrypoint: a command for the shell.
            runtime_env: its ``env_vars``; ``working_dir``, a folder or zip file in a copy of which it and its workers
                run; ``excludes``, what of that is left out. Without a folder it runs in this process' directory.
            metadata: texts to be remembered with it.
            submission_id: its name, which no other has; one is made up. ``job_id`` is an older word for it.
            entrypoint_num_cpus, entrypoint_memory, entrypoint_resources: what it holds as long as it runs, of the node
                on whose machine it then runs (memory in bytes). It is "PENDING" until that node has it free.
            options: Ray's others, which are refused.

        Raises:
            RuntimeError: It could not be started, or no node has what it is to hold.
            ValueError: An option is refused.
        """
        for option, value in options.items():
            if option not in OF_JOBS:
                raise TypeError(f"submit_job() has no option {option!r}")
            if value:
                raise ValueError(f"submit_job({option}={value!r}): {OF_JOBS[option]}")
        environment = dict(runtime_env or {})
        refuse_for_jobs("submit_job(runtime_env=…)", environment)
        name = submission_id or job_id or f"raysubmit_{os.urandom(8).hex()}"
        variables = dict(environment.get("env_vars") or {})
        job = SubmittedJob(name, entrypoint, "", {**(metadata or {}), **self._metadata}, variables)
        job.holds = to_hold(entrypoint_num_cpus, entrypoint_memory, entrypoint_resources)
        with _as_ray_raises():
            self._jobs.submit(job, packed_for_job(environment))
        return name

    def stop_job(self, job_id: str) -> bool:
        """Have a program end; it is killed if it does not in 3 s. Returns whether it ran. Raises as `get_job_info`."""
        with _as_ray_raises():
            return self._jobs.stop(job_id)

    def delete_job(self, job_id: str) -> bool:
        """Forget a program that is over, with what it has written. Raises RuntimeError while it runs, or if there is
        none."""
        with _as_ray_raises():
            self._jobs.delete(job_id)
        return True

    def get_job_info(self, job_id: str) -> JobDetails:
        """What has become of a program. Raises RuntimeError when there is none of that name."""
        with _as_ray_raises():
            return _details(self._jobs.find(job_id))

    def get_job_status(self, job_id: str) -> JobStatus:
        """The status of `get_job_info`."""
        return self.get_job_info(job_id).status

    def list_jobs(self) -> list[JobDetails]:
        """All programs that were submitted to the cluster (Ray has other drivers as well), in that order."""
        return [_details(job) for job in self._jobs.all()]

    def get_job_logs(self, job_id: str) -> str:
        """What a program has written so far. Raises as `get_job_info`."""
        with _as_ray_raises():
            return self._jobs.output(job_id)

    async def tail_job_logs(self, job_id: str) -> AsyncIterator[str]:
        """What a program writes, in pieces, until it is over. Raises as `get_job_info`."""
        written = self._jobs.follow(job_id)
        while True:
            with _as_ray_raises():
                text = await asyncio.to_thread(next, written, None)
            if text is None:
                return
            if text:
                yield text


def to_hold(cpus: float | None, memory: float | None, resources: Mapping[str, float] | None) -> dict[str, float]:
    """Amounts of a node's resources, without those that are nothing. Raises ValueError for amounts that cannot be."""
    for name in ("CPU", "GPU", "memory"):
        if name in (resources or {}):
            raise ValueError(f"entrypoint_resources are custom resources, got {name!r}")
    amounts = {"CPU": cpus, "memory": memory, **(resources or {})}
    given = {name: amount for name, amount in amounts.items() if amount}
    resource_set(given)
    return given


def refuse_for_jobs(where: str, environment: Mapping[str, Any]) -> None:
    """Raise ValueError for fields of an environment that programs which are submitted cannot have."""
    unknown = sorted(set(environment) - {"env_vars", "working_dir", "excludes"})
    if unknown:
        raise ValueError(
            f"{where} takes env_vars, working_dir and excludes; {', '.join(unknown)} give to init() in the program"
        )


def packed_for_job(environment: Mapping[str, Any]) -> bytes:
    """The ``working_dir``, if there is one, as a zip file. Raises ValueError when it is no folder or zip file here."""
    from rustyray.runtime import packages

    folder = environment.get("working_dir")
    if not folder:
        return b""
    folder = os.fspath(folder)
    if "://" in folder:
        raise ValueError(f"working_dir={folder!r} is on another machine: fetch it first, and give the local path")
    if not os.path.exists(os.path.expanduser(folder)):
        raise ValueError(f"the working directory {folder} does not exist")
    return packages.pack(folder, environment.get("excludes") or ())


@contextmanager
def _as_ray_raises() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise RuntimeError(str(error)) from error


def _cluster_at(address: str | None) -> str:
    """What `find` understands."""
    address = addresses.of_environment() or address or "auto"
    if address.startswith(("http://", "https://")):
        if urlsplit(address).hostname not in _LOOPBACK:
            raise ValueError(
                f"JobSubmissionClient({address!r}): there is no dashboard, and no HTTP: give the address of the "
                "cluster's head (host:port), and its key file in RUSTYRAY_KEY_FILE"
            )
        return "auto"
    return address


def _details(job: SubmittedJob) -> JobDetails:
    environment: dict[str, Any] = {"env_vars": job.env_vars} if job.env_vars else {}
    status = JobStatus(job.shown_status)
    error = None
    if status is JobStatus.FAILED:
        ran = job.exit_code is not None
        error = JobErrorType.JOB_ENTRYPOINT_COMMAND_ERROR if ran else JobErrorType.JOB_ENTRYPOINT_COMMAND_START_ERROR
    return JobDetails(
        type=JobType.SUBMISSION,
        submission_id=job.submission_id,
        status=status,
        entrypoint=job.entrypoint,
        message=job.message,
        start_time=int(job.start_time * 1000),
        end_time=int(job.end_time * 1000) or None,
        metadata=job.metadata,
        runtime_env=environment | {"working_dir": job.directory},
        error_type=error,
        driver_exit_code=job.exit_code,
        driver_node_id=job.node,
    )

"""What is told of a program that was submitted; fields have the names of Ray's."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple


class JobStatus(StrEnum):
    """What has become of it."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"

    def is_terminal(self) -> bool:
        """Whether it is over."""
        return self in {JobStatus.STOPPED, JobStatus.SUCCEEDED, JobStatus.FAILED}


class JobErrorType(StrEnum):
    """Why it failed."""

    JOB_ENTRYPOINT_COMMAND_START_ERROR = "JOB_ENTRYPOINT_COMMAND_START_ERROR"
    JOB_ENTRYPOINT_COMMAND_ERROR = "JOB_ENTRYPOINT_COMMAND_ERROR"


class JobType(StrEnum):
    """How it came to run."""

    SUBMISSION = "SUBMISSION"
    DRIVER = "DRIVER"


class DriverInfo(NamedTuple):
    """A driver that a program has started."""

    id: str
    node_ip_address: str
    pid: str


class JobDetails(NamedTuple):
    """A program that was submitted. Times are in milliseconds since the epoch; ``end_time`` is None while it runs.

    ``driver_node_id`` is a node of the machine that it runs on. Which drivers it has is not known.
    """

    type: JobType
    submission_id: str
    status: JobStatus
    entrypoint: str
    message: str
    start_time: int
    end_time: int | None
    metadata: dict[str, str]
    runtime_env: dict[str, Any]
    error_type: JobErrorType | None
    driver_exit_code: int | None
    driver_node_id: str
    job_id: str | None = None
    driver_info: DriverInfo | None = None
    driver_agent_http_address: str | None = None


#: Ray has two names for nearly the same.
JobInfo = JobDetails

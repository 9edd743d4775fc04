"""Programs that were submitted: those of a machine are asked of a node there."""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from rustyray.model.messages.base import Part


class JobAction(enum.IntEnum):
    """What is to be done. ``STOP`` asks a program to end, ``KILL`` ends it; ``UPLOAD`` comes before ``SUBMIT``."""

    LIST = 1
    SUBMIT = 2
    OUTPUT = 3
    STOP = 4
    KILL = 5
    DELETE = 6
    UPLOAD = 7


#: What is said of a job that runs when it does not yet.
WAITS: Final = "it waits for the resources that it is to hold"


class SubmittedJob(Part):
    """A program, and what became of it. Times are in seconds since the epoch; ``end_time`` is 0 while it runs.

    ``uploaded``: its directory was sent before, and ``directory`` is empty until it is there. ``holds`` are amounts of
    the resources of ``node``, which it has as long as it runs.
    """

    submission_id: str
    entrypoint: str
    directory: str
    metadata: dict[str, str]
    env_vars: dict[str, str]
    status: str = ""
    message: str = ""
    start_time: float = 0.0
    end_time: float = 0.0
    exit_code: int | None = None
    node: str = ""
    uploaded: bool = False
    holds: dict[str, float] = msgspec.field(default_factory=dict)

    @property
    def shown_status(self) -> str:
        return "PENDING" if self.message == WAITS else self.status


class AskJobs(msgspec.Struct, array_like=True, gc=False, tag=140):
    """Anyone → node. ``job`` is the one to ``SUBMIT``; otherwise ``name`` says which. Answered by `JobsTold`.

    ``data`` is a part of the zip file to ``UPLOAD``, from ``offset`` on.
    """

    action: JobAction
    name: str = ""
    offset: int = 0
    job: SubmittedJob | None = None
    data: bytes = b""


class JobsTold(msgspec.Struct, array_like=True, gc=False, tag=141):
    """The ``jobs``, or what one has written from an offset on (not all, if it is much), or what is wrong."""

    jobs: list[SubmittedJob]
    output: bytes = b""
    error: str = ""

"""Jobs that are submitted: programs that a cluster's machine runs, each under a supervisor, with its own log.

What is known of a job lies in the cluster's directory on that machine:

    job-NAME.json    what it is, and what became of it
    job-NAME.log     what it has written
    job-NAME.zip     the folder that it is to run in, on its way
    job-NAME.files   that folder
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from rustyray.engines.native.processes import kernel, texts
from rustyray.engines.native.standing.places import Place, ProcessFile, write
from rustyray.model.messages import SubmittedJob
from rustyray.runtime import packages

RUNNING: Final = "RUNNING"
SUCCEEDED: Final = "SUCCEEDED"
FAILED: Final = "FAILED"
STOPPED: Final = "STOPPED"
#: Of a job: until its supervisor has started the program.
STARTS: Final = "it starts"
#: The environment variable with a job's own name.
NAME_VARIABLE: Final = "RUSTYRAY_JOB_SUBMISSION_ID"
#: The environment variable with the folder that was sent with a job, which its workers are to have as well.
FOLDER_VARIABLE: Final = "RUSTYRAY_JOB_WORKING_DIR"
#: Seconds that a job has to end when it is asked to, before it is killed; and its supervisor after that.
GRACE: Final = 3.0
SUPERVISOR: Final = 2.0
#: Seconds that a supervisor has to start.
PATIENCE: Final = 30.0
#: Those that this process has started and that it has not seen end, by their pids.
_supervisors: Final[list[int]] = []


class JobFile(msgspec.Struct, kw_only=True):
    """A job. ``environment`` is all of it, ``env_vars`` what was given with the job. ``supervisor`` is the process that
    looks after it, ``group`` its own process group; times are in seconds since the epoch. It ``holds`` amounts of the
    resources of ``node``."""

    submission_id: str
    entrypoint: str
    directory: str
    environment: dict[str, str]
    env_vars: dict[str, str]
    metadata: dict[str, str]
    status: str = RUNNING
    message: str = STARTS
    start_time: float = 0.0
    end_time: float = 0.0
    exit_code: int | None = None
    group: int = 0
    supervisor: ProcessFile | None = None
    holds: dict[str, float] = msgspec.field(default_factory=dict)
    node: str = ""


def path_of(place: Place, name: str) -> str:
    return os.path.join(place.path, f"job-{name}.json")


def _check_name(place: Place, name: str) -> None:
    if not name or not all(char.isalnum() or char in "-_." for char in name):
        raise ValueError(f"the name of a job is made of letters, digits, '-', '_' and '.', got {name!r}")
    if os.path.exists(path_of(place, name)):
        raise ValueError(f"there is a job {name!r} already: give it another --submission-id, or delete that one")


def upload(place: Place, name: str, offset: int, data: bytes) -> None:
    """Take a part of the folder that the job ``name`` is to run in, as a zip file. Raises ValueError as `submit`."""
    _check_name(place, name)
    path = _upload_of(place, name)
    with open(path, "r+b" if offset else "wb", opener=_private) as file:
        file.seek(offset)
        file.write(data)


def _upload_of(place: Place, name: str) -> str:
    return os.path.join(place.path, f"job-{name}.zip")


def _folder_of(place: Place, name: str) -> str:
    return os.path.join(place.path, f"job-{name}.files")


def _unpacked(place: Place, name: str) -> str:
    """The folder that was uploaded for the job."""
    path = _upload_of(place, name)
    with open(path, "rb") as file:
        folder = packages.unpacked(file.read(), "working_dir", _folder_of(place, name))
    os.remove(path)
    return folder


def submit(place: Place, address: str, asked: SubmittedJob) -> None:
    """Start a job.

    Raises:
        ValueError: The name is taken or cannot be one, or the directory does not exist.
    """
    name = asked.submission_id
    _check_name(place, name)
    variables = {**os.environ, **asked.env_vars}
    variables |= {"RUSTYRAY_ADDRESS": address, NAME_VARIABLE: name, "PYTHONUNBUFFERED": "1"}
    directory = asked.directory
    if asked.uploaded:
        directory = variables[FOLDER_VARIABLE] = _unpacked(place, name)
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, [directory, variables.get("PYTHONPATH")]))
    if not os.path.isdir(directory):
        raise ValueError(f"the working directory {directory} does not exist")
    job = JobFile(
        submission_id=name,
        entrypoint=asked.entrypoint,
        directory=directory,
        environment=texts.environment(variables),
        env_vars=asked.env_vars,
        metadata=asked.metadata,
        start_time=time.time(),
        holds=asked.holds,
        node=asked.node,
    )
    write(path_of(place, name), job)
    _supervisors[:] = [pid for pid in _supervisors if _runs(pid)]
    _supervisors.append(_supervise(place, name))


def supervisors() -> list[int]:
    """The pids of those that this process has started, for the program that takes its place to `adopt`."""
    return list(_supervisors)


def adopt(pids: Sequence[int]) -> None:
    _supervisors.extend(pids)


def _runs(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return False  # somebody else has waited for it, or it is the child of the process that has forked this one


def _supervise(place: Place, name: str) -> int:
    """Start the supervisor of a job; its pid."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    with open(place.log(f"job-{name}"), "ab", opener=_private) as log:
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "rustyray.engines.native.standing.supervising", place.path, name],
            {**os.environ, "PYTHONPATH": path},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
            ],
        )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def find(place: Place, name: str) -> JobFile:
    """The job of that name. Raises ValueError when there is none on this machine."""
    job = _read(path_of(place, name))
    if job is None:
        there = ", ".join(one.submission_id for one in jobs(place)) or "none"
        raise ValueError(f"no job {name!r} was submitted on this machine; there is {there}")
    return job


def jobs(place: Place) -> list[JobFile]:
    """Those that were submitted on this machine, in the order in which they were."""
    names = [entry for entry in os.listdir(place.path) if entry.startswith("job-") and entry.endswith(".json")]
    found = [_read(os.path.join(place.path, entry)) for entry in names]
    return sorted((job for job in found if job is not None), key=lambda job: job.start_time)


#: Made here, as msgspec crashes when two threads are the first to decode something of one type.
_JOB_FILES: Final = msgspec.json.Decoder(JobFile)


def _read(path: str) -> JobFile | None:
    """With the truth about a job whose supervisor was killed."""
    try:
        with open(path, "rb") as file:
            job = _JOB_FILES.decode(file.read())
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    if job.status != RUNNING:
        return job
    if job.supervisor is None and time.time() > job.start_time + PATIENCE:
        job.status, job.message = FAILED, "it could not be started"
    if job.supervisor is not None and not job.supervisor.is_alive():
        job.status, job.message = FAILED, "its supervisor was killed"
    return job


def ask_to_end(place: Place, name: str, number: signal.Signals = signal.SIGTERM) -> JobFile | None:
    """Send the signal to the supervisor; returns the job if it ran. Raises ValueError when there is none."""
    job = find(place, name)
    if job.status != RUNNING or job.supervisor is None:
        return None
    try:
        os.kill(job.supervisor.pid, number)
    except ProcessLookupError:
        return None  # it ended at this moment
    return job


def stop(place: Place, name: str) -> None:
    """Ask a job to end, kill it if it does not. Raises ValueError when there is none."""
    job = ask_to_end(place, name)
    if job is None or job.supervisor is None:
        return
    if not kernel.wait_for_end(job.supervisor.pid, GRACE + SUPERVISOR):
        os.kill(job.supervisor.pid, signal.SIGKILL)


def stop_all(place: Place) -> None:
    """End all jobs of a cluster that ends."""
    for job in jobs(place):
        if job.status == RUNNING:
            stop(place, job.submission_id)
        elif job.message == "its supervisor was killed" and job.group:
            end_group(job.group, signal.SIGKILL)


def end_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass  # nothing of it is left


def delete(place: Place, name: str) -> None:
    """Forget a job that is over, and remove its log and folder. Raises ValueError while it runs."""
    if find(place, name).status == RUNNING:
        raise ValueError(f"job {name!r} runs: stop it first")
    for path in (path_of(place, name), place.log(f"job-{name}")):
        os.remove(path)
    shutil.rmtree(_folder_of(place, name), ignore_errors=True)


def output(place: Place, name: str, offset: int, most: int) -> bytes:
    """``most`` bytes of what a job has written, from ``offset`` on. Raises ValueError when there is none."""
    find(place, name)
    with open(place.log(f"job-{name}"), "rb") as file:
        file.seek(offset)
        return file.read(most)

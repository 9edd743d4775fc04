"""The supervisor of a job, a process of its own: it starts the program, ends it when it is told to, and notes the end.

``python -m rustyray.engines.native.standing.supervising PLACE NAME``
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from rustyray.engines.native.processes import kernel, texts
from rustyray.engines.native.standing import jobs
from rustyray.engines.native.standing.places import Place, ProcessFile, started, write
from rustyray.model.messages.jobs import WAITS

#: Seconds between two looks whether the cluster is still there.
LOOK: Final = 1.0


#: Have what the program is to hold.
_holders: Final[list[subprocess.Popen[bytes]]] = []


class Stopping(Exception):
    """The job is to end."""


def main(path: str, name: str) -> None:
    """Run the job ``name`` of the cluster at ``path``; returns when it is over."""
    os.setsid()  # it goes on when the terminal is closed
    place = Place(path)
    job = jobs.find(place, name)
    signal.signal(signal.SIGTERM, _stop)
    tied = partial(kernel.set_parent_death_signal, signal.SIGKILL, os.getpid())
    job.supervisor = ProcessFile(pid=os.getpid(), started=started(os.getpid()))
    if job.holds and not _hold(place, job, tied):
        job.end_time = time.time()
        write(jobs.path_of(place, name), job)
        return
    guard = _guard()
    try:
        child = subprocess.Popen(
            ["/bin/sh", "-c", job.entrypoint],
            cwd=job.directory,
            env={texts.received(name): texts.received(value) for name, value in job.environment.items()},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=tied,  # noqa: PLW1509 - this process has one thread
        )
    except OSError as error:
        job.status, job.message, job.end_time = jobs.FAILED, f"it could not be started: {error}", time.time()
        write(jobs.path_of(place, name), job)
        return
    os.write(guard, f"{child.pid}\n".encode())
    job.message = "it runs"
    job.group = child.pid
    write(jobs.path_of(place, name), job)
    try:
        job.status, job.message = _watch(place, child)
        job.exit_code = child.returncode
    except Stopping as why:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _end(child)
        job.status, job.message = jobs.STOPPED, str(why)
    jobs.end_group(child.pid, signal.SIGKILL)
    os.write(guard, b"over\n")
    job.end_time = time.time()
    if os.path.isdir(place.path):
        write(jobs.path_of(place, name), job)


def _guard() -> int:
    """Fork a process that ends the program when this one was killed: the kernel ends none but the first process of it.

    Returns the descriptor on which it is told the program's group, and that all of it has ended.
    """
    told, tell = os.pipe()
    if os.fork():
        os.close(told)
        return tell
    try:
        kernel.set_name("rr-guard")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.close(tell)
        with open(told) as file:
            said = file.read().split()
        if len(said) == 1:
            jobs.end_group(int(said[0]), signal.SIGKILL)
    finally:
        os._exit(0)


def _hold(place: Place, job: jobs.JobFile, tied: Callable[[], None]) -> bool:
    """Wait until another process has the resources, which it lets go of when this one ends. False if the job ends."""
    job.message = WAITS
    write(jobs.path_of(place, job.submission_id), job)
    environment = {key: value for key, value in os.environ.items() if key != jobs.FOLDER_VARIABLE}
    command = [sys.executable, "-m", "rustyray.job_submission.holding", job.environment["RUSTYRAY_ADDRESS"], job.node]
    try:
        holder = subprocess.Popen(
            [*command, json.dumps(job.holds)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=tied,  # noqa: PLW1509 - this process has one thread
        )
        if holder.stdout is not None and holder.stdout.readline() == b"held\n":
            _holders.append(holder)
            return True
    except Stopping as why:
        job.status, job.message = jobs.STOPPED, str(why)
    else:
        job.status, job.message = jobs.FAILED, "what it is to hold could not be had: its log says why"
    return False


def _watch(place: Place, child: subprocess.Popen[bytes]) -> tuple[str, str]:
    while True:
        try:
            code = child.wait(LOOK)
        except subprocess.TimeoutExpired:
            if not place.processes():
                raise Stopping("the cluster has ended") from None
            continue
        if code == 0:
            return jobs.SUCCEEDED, "it has finished"
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return jobs.FAILED, f"it ended with {how}"


def _stop(number: int, frame: object) -> None:
    raise Stopping("it was stopped")


def _end(child: subprocess.Popen[bytes]) -> None:
    jobs.end_group(child.pid, signal.SIGTERM)
    try:
        child.wait(jobs.GRACE)
    except subprocess.TimeoutExpired:
        jobs.end_group(child.pid, signal.SIGKILL)
        child.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])

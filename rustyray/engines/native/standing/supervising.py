"""The supervisor of a job, a process of its own: it starts the program, ends it when it is told to, and notes the end.

``python -m rustyray.engines.native.standing.supervising PLACE NAME``
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from typing import Final

from rustyray.engines.native.processes import kernel
from rustyray.engines.native.standing import jobs
from rustyray.engines.native.standing.places import Place, ProcessFile, started, write

#: Seconds between two looks whether the cluster is still there.
LOOK: Final = 1.0


class Stopping(Exception):
    """The job is to end."""


def main(path: str, name: str) -> None:
    """Run the job ``name`` of the cluster at ``path``; returns when it is over."""
    os.setsid()  # it goes on when the terminal is closed
    place = Place(path)
    job = jobs.find(place, name)
    signal.signal(signal.SIGTERM, _stop)
    tied = partial(kernel.set_parent_death_signal, signal.SIGKILL, os.getpid())
    try:
        child = subprocess.Popen(
            ["/bin/sh", "-c", job.entrypoint],
            cwd=job.directory,
            env=job.environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=tied,  # noqa: PLW1509 - this process has one thread
        )
    except OSError as error:
        job.status, job.message, job.end_time = jobs.FAILED, f"it could not be started: {error}", time.time()
        write(jobs.path_of(place, name), job)
        return
    job.message = "it runs"
    job.group = child.pid
    job.supervisor = ProcessFile(pid=os.getpid(), started=started(os.getpid()))
    write(jobs.path_of(place, name), job)
    try:
        job.status, job.message = _watch(place, child)
        job.exit_code = child.returncode
    except Stopping as why:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _end(child)
        job.status, job.message = jobs.STOPPED, str(why)
    jobs.end_group(child.pid, signal.SIGKILL)
    job.end_time = time.time()
    if os.path.isdir(place.path):
        write(jobs.path_of(place, name), job)


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

"""Runs the measuring processes, one at a time, and sees to it that none hangs and none stays behind.

Each process of a round gets a session of its own and a deadline per probe. When one overruns or dies, its probe is
marked, everything that it started is killed, and a new process takes the probes that are left.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from benchmarks.metrics import Sample
from benchmarks.plan import Probe, Stage
from benchmarks.processes import kill_descendants
from benchmarks.records import Record, Status

ROOT = Path(__file__).resolve().parent.parent
START_DEADLINE = 60.0
STOP_DEADLINE = 30.0
POLL = 0.25
"""Seconds between looks at whether a silent process still lives."""

GRACE = 3.0
"""Seconds that a system's processes may outlive the process that started them, to notice and to clean up."""


@dataclass(slots=True)
class Round:
    """What one system did in one round."""

    samples: dict[str, Sample] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    unsupported: set[str] = field(default_factory=set)
    troubles: list[str] = field(default_factory=list)
    """What went wrong after the last figure was in: a bad end, or processes that stayed."""

    def add(self, probe: Probe, record: Record) -> None:
        """Files what a probe reported under its metrics."""
        match record.status:
            case Status.MEASURED:
                self.samples.update(record.samples)
            case Status.UNSUPPORTED:
                self.unsupported.update(probe.metrics)
            case Status.FAILED:
                self.failures.update(dict.fromkeys(probe.metrics, record.message))


def run_round(system: str, probes: Sequence[Probe]) -> Round:
    """Takes one system through all of ``probes``."""
    result = Round()
    for stage in Stage:
        remaining = [probe for probe in probes if probe.stage is stage]
        while remaining:
            batch = remaining if stage is Stage.SESSION else remaining[:1]
            ran = _run_process(system, batch, result)
            remaining = remaining[ran:]
    return result


def _run_process(system: str, probes: Sequence[Probe], result: Round) -> int:
    """Runs one process and returns how many of ``probes`` are settled, which is at least one."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch, Path(scratch, "log").open("w+b") as log:
        reader, writer = os.pipe()
        process = _spawn(system, probes, writer, log, scratch)
        os.close(writer)
        settled, begun = 0, False
        try:
            for record in _records(process, reader, probes):
                begun = True
                if record.status is not Status.BEGUN:
                    result.add(probes[settled], record)
                    settled += 1
        except TimeoutError as error:
            failure = str(error)
        else:
            failure = f"exit code {process.returncode}: {_tail(log)}"
        os.close(reader)
        cut_short = process.poll() is None
        process.kill()
        process.wait()
        killed = kill_descendants(GRACE)
        if killed and not cut_short:
            result.troubles.append(f"left {killed} processes behind, which were killed")
        if settled == len(probes):
            if process.returncode != 0:
                result.troubles.append(f"did not shut down: {failure}")
            return settled
        # A system that does not even start will not do so for the next probe either.
        lost = probes[settled : settled + 1] if begun else probes
        for probe in lost:
            result.add(probe, Record(probe.name, Status.FAILED, message=failure))
        return settled + len(lost)


def _spawn(system: str, probes: Sequence[Probe], writer: int, log: IO[bytes], scratch: str) -> subprocess.Popen[bytes]:
    stage = probes[0].stage
    names = [probe.name for probe in probes]
    arguments = [system, str(writer), *names] if stage is Stage.SESSION else [names[0], system, str(writer)]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", stage.value, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=[writer],
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": scratch},
        start_new_session=True,
    )


def _records(process: subprocess.Popen[bytes], reader: int, probes: Sequence[Probe]) -> Iterator[Record]:
    """Yields a process' records until it has ended; raises ``TimeoutError`` when a probe overruns its deadline."""
    buffer = b""
    settled = 0
    limit = START_DEADLINE if probes[0].stage is Stage.SESSION else probes[0].deadline
    deadline = time.monotonic() + limit
    while True:
        # Looked at first: what is in the pipe after that is all there will ever be.
        ended = process.poll() is not None
        data = b""
        if select.select([reader], [], [], 0 if ended else POLL)[0]:
            data = os.read(reader, 65536)
            if not data and not ended:
                time.sleep(POLL)  # it has closed the pipe and is about to end
        *lines, buffer = (buffer + data).split(b"\n")
        for record in map(Record.parse, lines):
            settled += record.status is not Status.BEGUN
            limit = probes[settled].deadline if settled < len(probes) else STOP_DEADLINE
            deadline = time.monotonic() + limit
            yield record
        if ended and not data:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"no answer within {limit:g} s")


def _tail(log: IO[bytes]) -> str:
    """The last lines that a process printed, as one."""
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()
    return " | ".join(line.strip() for line in lines[-3:])

"""A place of each test's own for what stands by itself, and the command line in processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from rustyray.engines.native.processes import kernel
from rustyray.engines.native.standing import places, stopping
from rustyray.engines.native.standing.places import Place

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 60.0


class Commands:
    """Runs ``rustyray …`` and drivers, all of which look for clusters in ``directory``."""

    #: What comes before every command.
    prefix: Sequence[str] = ()

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.environment = os.environ | {places.DIRECTORY_VARIABLE: directory, "PYTHONPATH": str(ROOT)}

    def try_(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run(["-m", "rustyray", *arguments])

    def run(self, *arguments: str) -> str:
        """What a command that succeeds prints."""
        done = self.try_(*arguments)
        assert done.returncode == 0, f"rustyray {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def driver(self, program: str, *arguments: str, cwd: str | None = None, **environment: str) -> str:
        """What a program prints that is run as a driver."""
        done = self.try_driver(program, *arguments, cwd=cwd, **environment)
        assert done.returncode == 0, f"{program}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def try_driver(
        self, program: str, *arguments: str, cwd: str | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return self._run(["-c", program, *arguments], cwd, environment)

    def _run(
        self, arguments: list[str], cwd: str | None = None, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.prefix, sys.executable, *arguments],
            env=self.environment | (environment or {}),
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def place(self) -> Place:
        """The only cluster."""
        (place,) = places.places()
        return place

    @property
    def address(self) -> str:
        cluster = self.place().cluster()
        assert cluster is not None
        return cluster.address


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    directory = tmp_path / "places"
    monkeypatch.setenv(places.DIRECTORY_VARIABLE, str(directory))
    yield Commands(str(directory))
    monkeypatch.setenv(places.DIRECTORY_VARIABLE, str(directory))  # whatever the test has made of it
    for place in places.places():
        stopping.stop(place, force=True)


@pytest.fixture
def cluster(commands: Commands) -> Commands:
    """A head and a node with two CPUs."""
    commands.run("start", "--head", "--port=0", "--num-cpus=2")
    return commands


def kill_head(commands: Commands) -> None:
    head = commands.place().processes()[0]
    assert not head.node
    os.kill(head.pid, signal.SIGKILL)
    assert kernel.wait_for_end(head.pid, 10)

"""Starts a keeper: the process that starts a cluster, and ends it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest


class KeeperError(RuntimeError):
    """The cluster could not be started; the text says why."""


class Keeper(NamedTuple):
    """A keeper that runs. ``started`` tells its process from a later one with the same number."""

    pid: int
    started: str
    address: str


def start(folder: Path, options: Mapping[str, Any], pipe: str | int) -> Keeper:
    """Start a keeper with its cluster, and return when that can be joined.

    Args:
        folder: where it writes down what it does; it has to be there.
        options: of `rustyray.init`, and ``store``; with ``temporary`` the folder is removed at the end.
        pipe: the cluster ends when nobody has this pipe open for writing: its path, or the end to read from.

    Raises:
        KeeperError: That failed.
    """
    log = os.open(folder / "keeper.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "pytest_rustyray.keeper.program", str(folder), json.dumps(options)]
    with records(folder):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    actions: list[Any] = [
        (os.POSIX_SPAWN_OPEN, 0, pipe, os.O_RDONLY, 0) if isinstance(pipe, str) else (os.POSIX_SPAWN_DUP2, pipe, 0),
        (os.POSIX_SPAWN_DUP2, writing, 1),
        (os.POSIX_SPAWN_DUP2, log, 2),
    ]
    os.posix_spawn(sys.executable, command, environment, file_actions=actions, setsid=True)
    os.close(writing)
    os.close(log)
    with open(reading, encoding="utf-8") as said:
        text = said.readline()
    if not text:
        written = folder / "keeper.log"
        raise KeeperError(f"{written.read_text(errors='replace').strip().rpartition(chr(10))[2]} (see {written})")
    return Keeper(*json.loads(text))


def running(folder: Path) -> Keeper | None:
    """The keeper that writes to ``folder``, if there is one and its cluster is up."""
    from rustyray.engines.native.standing.places import started

    try:
        found = Keeper(*json.loads((folder / "keeper.json").read_text()))
    except FileNotFoundError:
        return None
    return found if started(found.pid) == found.started else None


def has_said(folder: Path) -> bool:
    """Whether a keeper has written something that somebody may want to read."""
    log = folder / "keeper.log"
    return log.exists() and log.stat().st_size > 0


@contextmanager
def records(folder: Path) -> Iterator[None]:
    """While in ``with``, clusters are looked for in the folder of a keeper."""
    from rustyray.engines.native.standing.places import DIRECTORY_VARIABLE

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(DIRECTORY_VARIABLE, str(folder / "clusters"))
        yield

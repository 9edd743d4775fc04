"""What the state machines have a runtime do: imported by workers, so nothing of Hypothesis is here."""

from __future__ import annotations

import os
import time
from typing import Any, Final

import rustyray

#: Seconds that work takes which is still going on when something ends it.
LONG: Final = 60.0
#: Bytes of a value that lies in the object store.
LARGE: Final = 200_000


def mark(path: str, number: int) -> None:
    """Note that a task has run."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, f"{number}\n".encode())
    os.close(fd)


@rustyray.remote(num_cpus=0)
def double(number: int) -> int:
    return 2 * number


@rustyray.remote(num_cpus=0)
def where() -> int:
    """The pid of a worker."""
    return os.getpid()


@rustyray.remote(max_retries=0)
def long(path: str, number: int, *needed: Any) -> None:
    mark(path, number)
    time.sleep(LONG)


@rustyray.remote(max_retries=0)
def nests(path: str, number: int) -> None:
    mark(path, number)
    rustyray.get([long.remote(path, number + part) for part in (1, 2)])


@rustyray.remote(max_retries=0)
def short(path: str, number: int) -> None:
    mark(path, number)


@rustyray.remote(num_cpus=0)
class Sleeper:
    def sleep(self, path: str, number: int) -> None:
        mark(path, number)
        time.sleep(LONG)


def begin(kind: str, path: str, number: int) -> list[Any]:
    """Start work of a kind (`rustyray.testing.strategies.lifecycles.WORK`): what keeps it alive, refs first.

    Runs are marked with numbers from ``number`` on; there are fewer than a hundred.
    """
    if kind == "runs":
        return [long.remote(path, number)]
    if kind == "waits":
        first = long.remote(path, number)
        return [long.remote(path, number + 1, first), first]
    if kind == "nests":
        return [nests.remote(path, number)]
    if kind == "calls":
        sleeper = Sleeper.remote()
        return [sleeper.sleep.remote(path, number), sleeper.sleep.remote(path, number + 1), sleeper]
    if kind == "stored":
        return [rustyray.put(bytes(LARGE))]
    return [short.remote(path, number + part) for part in range(20)]


@rustyray.remote(num_cpus=0)
class Echo:
    def echo(self, value: Any) -> Any:
        return value


def everything(patience: float) -> None:
    """Tasks, an actor, the store and a wait, each for at most so many seconds."""
    echo = Echo.remote()
    refs = [double.remote(number) for number in range(10)]
    large = rustyray.put(bytes(LARGE))
    assert rustyray.get(refs, timeout=patience) == [2 * number for number in range(10)]
    assert len(rustyray.get(echo.echo.remote(large), timeout=patience)) == LARGE
    rustyray.wait(refs, num_returns=3, timeout=patience)

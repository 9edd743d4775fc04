"""Drivers of their own: a function that runs as a program, in a fresh process, for tests that kill or end one.

The function travels by value, so it may be defined inside a test and use what is around it. (By cloudpickle:
``multiprocess`` would use dill, which takes along whole modules.)
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import cloudpickle
import multiprocess

PATIENCE = 30.0
_spawn = multiprocess.get_context("spawn")
_FAILED = 1


class Ended(NamedTuple):
    """How a driver ended: what its function returned, its exit code (minus a signal's number), what it wrote."""

    result: Any
    exitcode: int
    stdout: str
    stderr: str


def eventually(condition: Callable[[], object], deadline: float = PATIENCE) -> bool:
    """Whether the condition holds within ``deadline`` seconds."""
    until = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def run_driver(function: Callable[..., Any], *args: Any, deadline: float = PATIENCE) -> Ended:
    """Call ``function(*args)`` in a process of its own, and wait for its end. Raises TimeoutError."""
    with driver(function, *args) as running:
        return running.wait(deadline)


@contextmanager
def driver(function: Callable[..., Any], *args: Any) -> Iterator[Driver]:
    """A driver that runs meanwhile: ``function(connection, *args)`` if it wants to talk (`Driver.talks`)."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        running = Driver(function, args, out, err)
        try:
            yield running
        finally:
            running.end()


class Driver:
    """A running driver. What its function sends with ``tell(value)``, given as its first argument, `hear` returns."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], out: Any, err: Any) -> None:
        self._out, self._err = out, err
        self._ours, theirs = _spawn.Pipe()
        os.set_inheritable(out.fileno(), True)
        os.set_inheritable(err.fileno(), True)
        work = cloudpickle.dumps((function, args))
        paths = (f"/proc/{os.getpid()}/fd/{out.fileno()}", f"/proc/{os.getpid()}/fd/{err.fileno()}")
        self._process = _spawn.Process(target=_main, args=(theirs, work, paths), daemon=False)
        self._process.start()
        theirs.close()
        self.pid: int = self._process.pid

    def hear(self, deadline: float = PATIENCE) -> Any:
        """The next value that the function told. Raises TimeoutError, or EOFError if it ended without a word."""
        if not self._ours.poll(deadline):
            raise TimeoutError(f"the driver said nothing within {deadline} s; it wrote:\n{self._read(self._err)}")
        try:
            kind, value = self._ours.recv()
        except EOFError:
            raise EOFError(f"the driver ended without a word; it wrote:\n{self._read(self._err)}") from None
        assert kind == "told", f"the driver's function ended: {value}"
        return value

    def say(self, value: object) -> None:
        """What the function's ``tell.hear()`` returns."""
        self._ours.send(value)

    def kill(self, signum: int) -> None:
        os.kill(self.pid, signum)

    def wait(self, deadline: float = PATIENCE) -> Ended:
        """Wait for its end. Raises TimeoutError, and what the function raised."""
        result: Any = None
        until = time.monotonic() + deadline
        while True:
            if not self._ours.poll(max(0.0, until - time.monotonic())):
                raise TimeoutError(f"the driver runs after {deadline} s; it wrote:\n{self._read(self._err)}")
            try:
                kind, value = self._ours.recv()
            except (EOFError, ConnectionResetError):
                break
            if kind == "raised":
                raise AssertionError(f"the driver's function raised:\n{value}")
            if kind == "returned":
                result = value
                break
        self._process.join(max(0.0, until - time.monotonic()))
        if self._process.exitcode is None:
            raise TimeoutError(f"the driver does not exit; it wrote:\n{self._read(self._err)}")
        return Ended(result, self._process.exitcode, self._read(self._out), self._read(self._err))

    def end(self) -> None:
        if self._process.exitcode is None:
            self._process.kill()
        self._process.join(PATIENCE)
        self._process.close()
        self._ours.close()

    @staticmethod
    def _read(file: Any) -> str:
        file.seek(0)
        text: str = file.read()
        return text


class Tell:
    """Given to a driver's function that asks for it (first parameter named ``tell``): says things to the test."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __call__(self, value: object) -> None:
        self._connection.send(("told", value))

    def hear(self) -> Any:
        return self._connection.recv()


def _main(connection: Any, work: bytes, paths: tuple[str, str]) -> None:
    for number, path in enumerate(paths, 1):
        fd = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.dup2(fd, number)
        os.close(fd)
    function, args = cloudpickle.loads(work)
    code = function.__code__
    if code.co_varnames[:1] == ("tell",):
        args = (Tell(connection), *args)
    try:
        result = function(*args)
    except KeyboardInterrupt:
        raise
    except Exception:  # noqa: BLE001 - it is told to the test
        connection.send(("raised", traceback.format_exc()))
        sys.exit(_FAILED)
    connection.send(("returned", result))

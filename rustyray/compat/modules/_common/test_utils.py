"""``ray._common.test_utils``: what suites that were written for Ray wait with, and start drivers with."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import rustyray
from rustyray.compat.installing import environment

#: Seconds that a driver may take.
DRIVER_TIMEOUT: Final = 300.0
__all__ = ["Semaphore", "SignalActor", "async_wait_for_condition", "run_string_as_driver", "wait_for_condition"]


class _Signal:
    """Tasks and actors wait for it, and somebody sends it."""

    def __init__(self) -> None:
        self._sent = asyncio.Event()
        self._waiting = 0

    def send(self, clear: bool = False) -> None:
        """Let all go on who wait, and with ``clear`` only those; otherwise later ones, too."""
        self._sent.set()
        if clear:
            self._sent.clear()

    async def wait(self, should_wait: bool = True) -> None:
        """Wait for `send`, unless ``should_wait`` is false."""
        if should_wait:
            self._waiting += 1
            await self._sent.wait()
            self._waiting -= 1

    async def cur_num_waiters(self) -> int:
        """How many calls of `wait` have not ended."""
        return self._waiting


class _Semaphore:
    """Lets ``value`` callers in at a time."""

    def __init__(self, value: int = 1) -> None:
        self._inner = asyncio.Semaphore(value)

    async def acquire(self) -> None:
        """Wait until there is room."""
        await self._inner.acquire()

    async def release(self) -> None:
        """Make room for one."""
        self._inner.release()

    async def locked(self) -> bool:
        """Whether there is no room."""
        return self._inner.locked()


SignalActor: Any = rustyray.remote(num_cpus=0)(_Signal)
Semaphore: Any = rustyray.remote(num_cpus=0)(_Semaphore)


class _Failures:
    """Says whether to try once more, and what the last attempt raised, in the end."""

    def __init__(self, timeout: float) -> None:
        self._deadline = time.monotonic() + timeout
        self.last = ""

    def in_time(self) -> bool:
        return time.monotonic() <= self._deadline

    def error(self) -> RuntimeError:
        told = f" Last exception: {self.last}" if self.last else ""
        return RuntimeError(f"The condition wasn't met before the timeout expired.{told}")


def wait_for_condition(
    condition_predictor: Callable[..., Any],
    timeout: float = 10,
    retry_interval_ms: float = 100,
    raise_exceptions: bool = False,
    **kwargs: Any,
) -> None:
    """Wait until ``condition_predictor(**kwargs)`` is true; as Ray's.

    Args:
        condition_predictor: asked again and again; that it raises counts as false.
        timeout: the most seconds to wait.
        retry_interval_ms: milliseconds between two attempts; the first ones are closer together.
        raise_exceptions: let through what it raises.

    Raises:
        RuntimeError: It was not true in time.
    """
    failures, pause = _Failures(timeout), 0.001
    while failures.in_time():
        try:
            if condition_predictor(**kwargs):
                return
        except Exception as error:
            if raise_exceptions:
                raise
            failures.last = repr(error)
        time.sleep(pause)
        pause = min(2 * pause, retry_interval_ms / 1000)
    raise failures.error()


async def async_wait_for_condition(
    condition_predictor: Callable[..., Any],
    timeout: float = 10,  # noqa: ASYNC109 - Ray's signature
    retry_interval_ms: float = 100,
    **kwargs: Any,
) -> None:
    """As `wait_for_condition`, on an event loop; the function may be a coroutine function."""
    failures, pause = _Failures(timeout), 0.001
    while failures.in_time():
        try:
            found = condition_predictor(**kwargs)
            if await found if inspect.isawaitable(found) else found:
                return
        except Exception as error:  # noqa: BLE001 - counts as false, and is told in the end
            failures.last = repr(error)
        await asyncio.sleep(pause)
        pause = min(2 * pause, retry_interval_ms / 1000)
    raise failures.error()


def run_string_as_driver(
    driver_script: str, env: dict[str, str] | None = None, encode: str = "utf-8", timeout: float | None = DRIVER_TIMEOUT
) -> str:
    """Run a program in a process of its own, and return what it wrote; ``import ray`` means there what it means here.

    Args:
        driver_script: its text.
        env: its environment; this process'.
        encode: of its text and its output.
        timeout: the most seconds that it may take.

    Raises:
        subprocess.CalledProcessError: It failed; ``output`` has what it wrote.
        subprocess.TimeoutExpired: It took longer, and was killed.
    """
    done = subprocess.run(
        [sys.executable, "-"],
        input=driver_script.encode(encode),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(env),
        timeout=timeout,
        check=False,
    )
    output = done.stdout.decode(encode, errors="replace")
    if done.returncode:
        print(output)
        raise subprocess.CalledProcessError(done.returncode, done.args, done.stdout)
    return output

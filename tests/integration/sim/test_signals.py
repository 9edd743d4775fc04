"""Signals of simulated processes stay inside of the simulation."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

import rustyray
from rustyray.exceptions import SimulationError, WorkerCrashedError

pytestmark = pytest.mark.usefixtures("sim")


def test_handlers_are_each_workers_own() -> None:
    @rustyray.remote
    class Actor:
        def __init__(self) -> None:
            self.seen: list[int] = []

        def handle(self) -> bool:
            before = signal.signal(signal.SIGUSR1, lambda number, frame: self.seen.append(number))
            return before == signal.SIG_DFL

        def send(self) -> list[int]:
            os.kill(os.getpid(), signal.SIGUSR1)
            signal.raise_signal(signal.SIGUSR1)
            return self.seen

        def ignore(self) -> bool:
            handler = signal.getsignal(signal.SIGUSR1)
            return signal.signal(signal.SIGUSR1, signal.SIG_IGN) is handler

    real = signal.getsignal(signal.SIGUSR1)
    actor = Actor.remote()
    assert rustyray.get(actor.handle.remote())
    assert rustyray.get(actor.send.remote()) == [signal.SIGUSR1] * 2
    assert rustyray.get(actor.ignore.remote())
    assert rustyray.get(actor.send.remote()) == [signal.SIGUSR1] * 2
    assert signal.getsignal(signal.SIGUSR1) is real


def test_deadly_ones_end_the_worker() -> None:
    @rustyray.remote(max_retries=0)
    def kill(how: Callable[[int], None], number: int) -> None:
        how(number)

    for how, number in ((signal.raise_signal, signal.SIGUSR1), (lambda number: os.kill(os.getpid(), number), 1)):
        with pytest.raises(WorkerCrashedError, match=signal.Signals(number).name):
            rustyray.get(kill.remote(how, number))


def test_what_would_concern_the_real_process_is_refused() -> None:
    @rustyray.remote
    def set_timer() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.1)

    @rustyray.remote
    def kill_group() -> None:
        os.killpg(os.getpgrp(), 0)

    @rustyray.remote(max_concurrency=2)
    class Threaded:
        def handle(self) -> None:
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    with pytest.raises(SimulationError, match=r"signals cannot be simulated: .*test_signals.py:\d+ .*set_timer sets a"):
        rustyray.get(set_timer.remote())
    with pytest.raises(SimulationError, match="kill_group sends one to a process group"):
        rustyray.get(kill_group.remote())
    with pytest.raises(ValueError, match="only works in main thread"):
        rustyray.get(Threaded.remote().handle.remote())

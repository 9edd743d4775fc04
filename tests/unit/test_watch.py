"""How a hub learns whether to look out before it sleeps: on pretended cores, in pretended time."""

from __future__ import annotations

import pytest

from rustyray.engines.native.network.watch import LOOK, ROUND, Watch

READY = [(3, 1)]


class Cores:
    """Answers come ``answer`` seconds after a wait begins; a sleeper wakes ``waking`` seconds after that.

    A look takes ``look`` seconds: where others want the core, much longer than the look itself.
    """

    def __init__(self, answer: float, waking: float, look: float = 1e-6) -> None:
        self.answer = answer
        self.waking = waking
        self.look = look
        self.now = 0.0
        self.looks = 0
        self.due = 0.0

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        if timeout == 0.0:
            self.looks += 1
            self.now += self.look
            return READY if self.now >= self.due else []
        wake = max(self.now, self.due) + self.waking
        if timeout is not None and wake > self.now + timeout:
            self.now += timeout
            return []
        self.now = wake
        return READY

    def usually_looks(self, watch: Watch, waits: int) -> float:
        """The share of so many waits in which it looked."""
        looked = 0
        for _ in range(waits):
            before, self.due = self.looks, self.now + self.answer
            assert watch.wait(None) == READY
            looked += self.looks > before
        return looked / waits


def on(cores: Cores) -> Watch:
    return Watch(cores.poll, lambda: cores.now)


def test_it_looks_where_waking_up_takes_longer_than_the_answer() -> None:
    cores = Cores(answer=30e-6, waking=80e-6)
    watch = on(cores)
    cores.usually_looks(watch, 10 * ROUND)
    assert cores.usually_looks(watch, 100 * ROUND) > 0.9


@pytest.mark.parametrize(
    "cores",
    [
        pytest.param(Cores(answer=30e-6, waking=5e-6, look=60e-6), id="the cores are busy"),
        pytest.param(Cores(answer=10e-3, waking=80e-6), id="answers take long"),
    ],
)
def test_it_sleeps_where_looking_gains_nothing(cores: Cores) -> None:
    watch = on(cores)
    cores.usually_looks(watch, 10 * ROUND)
    assert cores.usually_looks(watch, 100 * ROUND) < 0.1


def test_it_changes_its_mind_when_the_machine_changes() -> None:
    cores = Cores(answer=30e-6, waking=80e-6)
    watch = on(cores)
    cores.usually_looks(watch, 1000 * ROUND)
    cores.look, cores.waking = 60e-6, 5e-6
    cores.usually_looks(watch, 100 * ROUND)
    assert cores.usually_looks(watch, 100 * ROUND) < 0.1
    cores.look, cores.waking = 1e-6, 80e-6
    cores.usually_looks(watch, 100 * ROUND)
    assert cores.usually_looks(watch, 100 * ROUND) > 0.9


def test_it_waits_no_longer_than_it_may() -> None:
    cores = Cores(answer=1.0, waking=1e-6)
    watch = on(cores)
    for timeout in (LOOK / 10, LOOK / 2, 10 * LOOK):
        for _ in range(20 * ROUND):
            begun, cores.due = cores.now, cores.now + 1.0
            assert watch.wait(timeout) == []
            assert cores.now - begun == pytest.approx(timeout, abs=2e-6)

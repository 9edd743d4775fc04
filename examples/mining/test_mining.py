"""Whoever loses the race, or is no longer wanted, stops, and its CPU is free again."""

from __future__ import annotations

from pathlib import Path

import pytest

import rustyray
from examples.limits.limits import Latch
from examples.mining.mine import first_of, mine, mine_together, zero_bits
from rustyray.exceptions import TaskCancelledError, WorkerCrashedError

pytestmark = [pytest.mark.usefixtures("rustyray_local"), pytest.mark.rustyray(num_cpus=2)]

BLOCK = b"the block"
IMPOSSIBLE = 256


@rustyray.remote
def mine_for_ever(started: rustyray.ActorHandle[Latch]) -> int:
    rustyray.get(started.count.remote())
    number = 0
    while zero_bits(BLOCK, number) < IMPOSSIBLE:
        number += 1
    return number


@rustyray.remote
def supervise(started: rustyray.ActorHandle[Latch], miners: int) -> list[int]:
    return rustyray.get([mine_for_ever.remote(started) for _ in range(miners)])


@rustyray.remote
def touch(path: Path) -> str:
    path.touch()
    return path.name


def both_cpus_are_free(tmp_path: Path) -> bool:
    """Whether two tasks that need a CPU each are run, which no endless miner would let happen."""
    names = rustyray.get([touch.remote(tmp_path / name) for name in ("free1", "free2")], timeout=20)
    return names == ["free1", "free2"]


def test_the_winner_has_a_proof() -> None:
    nonce, losers = first_of([mine.remote(BLOCK, 12, start, 4) for start in range(4)])
    assert zero_bits(BLOCK, nonce) >= 12
    assert len(losers) == 3


def test_miners_inside_a_task_find_a_proof() -> None:
    blocks = (b"first", b"second")
    nonces = rustyray.get([mine_together.remote(block, 10, 2) for block in blocks])
    assert [zero_bits(block, nonce) >= 10 for block, nonce in zip(blocks, nonces, strict=True)] == [True, True]


def test_a_running_loser_is_cancelled(tmp_path: Path) -> None:
    started = Latch.remote(1)
    endless = mine_for_ever.remote(started)
    rustyray.get(started.wait.remote())
    nonce, losers = first_of([endless, mine.remote(BLOCK, 8, 0, 1)])
    assert zero_bits(BLOCK, nonce) >= 8
    assert losers == [endless]
    with pytest.raises(TaskCancelledError):
        rustyray.get(endless, timeout=20)
    assert both_cpus_are_free(tmp_path)


def test_a_queued_task_that_is_cancelled_never_starts(tmp_path: Path) -> None:
    started = Latch.remote(2)
    miners = [mine_for_ever.remote(started) for _ in range(2)]
    rustyray.get(started.wait.remote())
    queued = touch.remote(tmp_path / "never")
    rustyray.cancel(queued)
    with pytest.raises(TaskCancelledError):
        rustyray.get(queued, timeout=20)
    for miner in miners:
        rustyray.cancel(miner)
    assert both_cpus_are_free(tmp_path)
    assert not (tmp_path / "never").exists()


def test_cancelling_a_task_cancels_its_children(tmp_path: Path) -> None:
    started = Latch.remote(2)
    parent = supervise.remote(started, 2)
    rustyray.get(started.wait.remote())
    rustyray.cancel(parent)
    with pytest.raises(TaskCancelledError):
        rustyray.get(parent, timeout=20)
    assert both_cpus_are_free(tmp_path)


def test_force_kills_the_worker_at_once(tmp_path: Path) -> None:
    started = Latch.remote(1)
    miner = mine_for_ever.remote(started)
    rustyray.get(started.wait.remote())
    rustyray.cancel(miner, force=True)
    with pytest.raises((TaskCancelledError, WorkerCrashedError)):
        rustyray.get(miner, timeout=20)
    assert both_cpus_are_free(tmp_path)

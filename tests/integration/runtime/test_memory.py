"""Workers that use too much memory: who is ended, what becomes of the work, and what the error says.

The nodes here have a few hundred MB of memory, of which the machine knows nothing.
"""

from __future__ import annotations

import time

import pytest

import rustyray
from rustyray.exceptions import ActorDiedError, OutOfMemoryError
from tests.integration.runtime.conftest import Start

pytestmark = pytest.mark.native_only("simulated workers use no memory of their own")

MB = 1 << 20
LOOK = {"memory_monitor_refresh_ms": 50}


@rustyray.remote
def use(megabytes: int, seconds: float) -> int:
    held = bytes(range(256)) * (4096 * megabytes)  # written, so that it is there
    time.sleep(seconds)
    return len(held) // MB


def test_all_work_is_done_although_not_all_fits_at_once(start: Start) -> None:
    start(num_cpus=3, _system_config={"memory_limit": 400 * MB, **LOOK})
    first = use.remote(150, 1.0)
    assert rustyray.get([first, *(use.remote(150, 0.5) for _ in range(3))], timeout=60) == [150] * 4


def test_what_alone_is_too_large_fails_with_the_numbers(start: Start) -> None:
    start(_system_config={"memory_limit": 200 * MB, **LOOK})
    began = time.monotonic()
    with pytest.raises(OutOfMemoryError, match=r"of 210 MB of memory, over its threshold of 95%.* workers: pid"):
        rustyray.get(use.options(max_retries=1).remote(300, 30.0), timeout=60)
    assert time.monotonic() - began < 30
    with pytest.raises(OutOfMemoryError, match=r"attempt 1/1"):
        rustyray.get(use.options(max_retries=0).remote(300, 30.0), timeout=60)
    assert rustyray.get(use.remote(10, 0.0), timeout=30) == 10


def test_the_threshold(start: Start) -> None:
    start(_system_config={"memory_limit": 400 * MB, "memory_usage_threshold": 0.25, **LOOK})
    with pytest.raises(OutOfMemoryError, match="threshold of 25%"):
        rustyray.get(use.options(max_retries=0).remote(150, 30.0), timeout=60)


def test_what_was_asked_for_is_the_limit_when_that_is_enforced(start: Start) -> None:
    start(enforce_memory=True, memory=1000 * MB, _system_config=LOOK)
    assert rustyray.get(use.options(memory=300 * MB).remote(100, 0.3), timeout=30) == 100
    assert rustyray.get(use.remote(150, 0.3), timeout=30) == 150, "it asked for nothing in particular"
    greedy = use.options(memory=100 * MB, max_retries=0).remote(150, 30.0)
    with pytest.raises(OutOfMemoryError, match=r"used 1\d\d MB of memory.* memory=104857600 \(105 MB\)"):
        rustyray.get(greedy, timeout=60)


def test_an_actor_too(start: Start) -> None:
    @rustyray.remote(memory=100 * MB)
    class Hoard:
        def add(self, megabytes: int) -> None:
            self.held = bytes(range(256)) * (4096 * megabytes)
            time.sleep(30.0)

    start(enforce_memory=True, memory=1000 * MB, _system_config=LOOK)
    with pytest.raises(ActorDiedError, match=r"used 1\d\d MB of memory"):
        rustyray.get(Hoard.remote().add.remote(150), timeout=60)


def test_it_is_not_unless_that_is_asked_for(start: Start) -> None:
    start(memory=1000 * MB, _system_config=LOOK)
    assert rustyray.get(use.options(memory=100 * MB).remote(150, 0.3), timeout=30) == 150


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"memory_usage_threshold": 1.5}, "between 0 and 1, got 1.5"),
        ({"memory_monitor_refresh_ms": -1}, "zero or more"),
    ],
)
def test_what_makes_no_sense_is_refused(start: Start, config: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        start(_system_config=config)

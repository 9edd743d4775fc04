"""The watchdog calls at the last deadline that it was given, and at no other."""

from __future__ import annotations

import queue
from time import monotonic

import pytest

from pytest_rustyray.hangs.watchdog import NEVER, Watchdog

PATIENCE = 10.0


def test_a_deadline_that_was_moved_does_not_count() -> None:
    calls: queue.Queue[float] = queue.Queue()
    dog = Watchdog(lambda: calls.put(monotonic()))
    dog.set(0.05)
    dog.set(NEVER)
    began = monotonic()
    dog.set(0.2)
    assert calls.get(timeout=PATIENCE) - began >= 0.2
    dog.set(60.0)
    dog.set(0.0)  # sooner than what it sleeps for
    assert calls.get(timeout=PATIENCE) - began < 60.0
    with pytest.raises(queue.Empty):
        calls.get_nowait()

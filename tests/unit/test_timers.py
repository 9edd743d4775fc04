"""The cores' timers."""

from __future__ import annotations

from rustyray.core.timers import Timers


def test_calls_run_in_the_order_of_their_times_and_equal_ones_as_asked() -> None:
    timers, called = Timers(), list[str]()
    for when, name in ((2.0, "b"), (1.0, "a"), (2.0, "c"), (9.0, "never")):
        timers.at(when, lambda now, name=name: called.append(name))  # type: ignore[misc]
    assert timers.next() == 1.0
    timers.run(0.5)
    assert called == []
    timers.run(3.0)
    assert called == ["a", "b", "c"]
    assert timers.next() == 9.0


def test_a_call_that_asks_for_another_at_once_does_not_spin() -> None:
    timers, called = Timers(), list[float]()

    def again(now: float) -> None:
        called.append(now)
        timers.at(now, again)

    timers.at(1.0, again)
    timers.run(1.0)
    assert called == [1.0]
    timers.run(1.0)
    assert called == [1.0, 1.0]


def test_cleared_timers_have_nothing_to_do() -> None:
    timers = Timers()
    timers.at(1.0, lambda now: None)
    timers.clear()
    assert timers.next() is None

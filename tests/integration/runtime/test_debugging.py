"""breakpoint() in a task: a worker has no terminal, and says what to do; a simulated one is where the program is."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import rustyray
from rustyray.exceptions import RayTaskError
from tests.integration.runtime.conftest import Start


@rustyray.remote
def stops(value: int) -> int:
    breakpoint()  # noqa: T100 - that is what this is about
    return value


@pytest.mark.native_only("simulated tasks run in the program's own process")
def test_a_worker_refuses_and_says_what_to_do(start: Start) -> None:
    start()
    with pytest.raises(RayTaskError, match=r"which has no terminal\. Call the plain function, as f\.func"):
        rustyray.get(stops.remote(1))


@pytest.mark.native_only("simulated tasks run in the program's own process")
def test_the_environment_may_name_a_debugger_or_none(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONBREAKPOINT", "0")
    start()
    assert rustyray.get(stops.remote(1)) == 1


def test_simulated_tasks_and_plain_functions_stop_in_the_program_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[str] = []

    def stop(*arguments: Any, **named: Any) -> None:
        stopped.append(sys._getframe(1).f_code.co_name)

    monkeypatch.setattr(sys, "breakpointhook", stop)
    with rustyray.init(engine="sim"):
        assert rustyray.get(stops.remote(1)) == 1
    assert stops.func(2) == 2
    assert stopped == ["stops", "stops"]

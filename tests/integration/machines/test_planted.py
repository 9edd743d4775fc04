"""The state machines' checks can fail: a planted bug is met by its line, which without the bug passes.

That the machines find these bugs, and make them small, the stress tier shows for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rustyray.exceptions import RayError
from rustyray.testing import LifecycleMachine
from tests.integration.machines import planted
from tests.integration.machines.planted import BUGS, NAMES, Bug


@pytest.fixture(autouse=True)
def _end_of_planted_threads() -> Iterator[None]:
    planted.stop.clear()
    yield
    planted.stop.set()


@pytest.mark.parametrize("bug", BUGS, ids=NAMES)
def test_a_bug_is_met(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    if bug.plant is not planted.nothing:
        bug.machine.replay(bug.line)
    bug.plant(monkeypatch)
    with pytest.raises((AssertionError, RayError)) as met:
        bug.machine.replay(bug.line)
    assert bug.told in str(met.value)
    assert met.value.__notes__ == [f'To run this again: {bug.machine.__name__}.replay("{bug.line}")']


def test_what_cannot_be_done_is_left_out() -> None:
    LifecycleMachine.replay(f"kill_node(); task(number=1); {planted.UP}; task(number=1)")


def test_a_line_is_checked() -> None:
    with pytest.raises(ValueError, match="has no step 'begin'"):
        LifecycleMachine.replay("begin()")
    with pytest.raises(ValueError, match="is no step: those read"):
        LifecycleMachine.replay("init(1)")

"""Runs state machines as tests do, and looks at what they find."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from rustyray.testing import Machine


def profile(examples: int, steps: int = 15) -> settings:
    """The same programs in each run."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=True,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )


class Found:
    """The smallest program that fails: its error, its steps, and the line that runs it again."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        (note,) = [one for one in getattr(error, "__notes__", []) if one.startswith("To run this again: ")]
        read = re.fullmatch(r'To run this again: (\w+)\.replay\("(.*)"\)', note)
        assert read is not None, note
        self.machine = read[1]
        self.line = read[2]
        self.steps = self.line.split("; ") if self.line else []


def find(machine: type[Machine], examples: int = 300, steps: int = 7) -> Found:
    """What the machine finds; replaying it fails in the same way."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the machine finds
        run_state_machine_as_test(machine, settings=profile(examples, steps))
    found = Found(caught.value)
    with pytest.raises(type(caught.value)) as again:
        machine.replay(found.line)
    assert str(again.value).partition(":")[0] == str(caught.value).partition(":")[0]
    return found

"""``replay``: run a scenario under the schedule that a line stands for, now or as a regression test."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from rustyray.testing.exploring.differing import not_deterministic
from rustyray.testing.exploring.lines import Line, parse
from rustyray.testing.exploring.sites import Sites
from rustyray.testing.exploring.trial import Plan, Scenario, Trial, run_plan

F = TypeVar("F", bound=Callable[..., Any])


class ReplayMismatch(AssertionError):
    """A line does not fit the scenario (any more): even without departures it does something else."""


class Replay:
    """What a line stands for; as a decorator, it makes a function run under that schedule whenever it is called."""

    def __init__(self, line: Line, strict: bool) -> None:
        self._line = line
        self._strict = strict

    def run(self, scenario: Scenario) -> object:
        """Run the scenario once; returns what it returns, and raises what it raises.

        Raises:
            ReplayMismatch: The line is of another program, or the program has changed too much since.
            NotDeterministic: The scenario's behaviour depends on something else than the schedule.
        """
        line = self._line
        if self._strict:
            tame = run_plan(scenario, Plan(), line.setup)
            if tame.fingerprint != line.fingerprint:
                again = run_plan(scenario, Plan(), line.setup)
                if again.fingerprint != tame.fingerprint:
                    prints = tame.fingerprint, again.fingerprint
                    raise not_deterministic(lambda telling: run_plan(scenario, Plan(), line.setup, telling), prints)
                raise ReplayMismatch(
                    f"the line does not fit: without any departure, this program now runs as {tame.fingerprint}, and "
                    f"the line was made when it ran as {line.fingerprint}. The program has changed, or RustyRay has: "
                    "explore again to get a new line, or replay with strict=False to run it as near as it goes. If "
                    "neither has, it does what differs from one process to the next: look for the order of a set of "
                    "strings (sort it), environment variables, files"
                )
        trial: Trial = run_plan(scenario, line.plan, line.setup, sites=Sites())
        if trial.error is not None:
            raise trial.error
        return trial.result

    def __call__(self, function: F) -> F:
        @functools.wraps(function)
        def under_schedule(*args: Any, **kwargs: Any) -> Any:
            return self.run(lambda: function(*args, **kwargs))

        return under_schedule  # type: ignore[return-value] # as far as callers see


def replay(line: str, *, strict: bool = True) -> Replay:
    """The schedule of a line that `explore` has printed: ``replay(line).run(scenario)``, or ``@replay(line)``.

    Args:
        line: begins with ``rr1:``.
        strict: whether a program that has changed since is refused.

    Raises:
        ValueError: The line is damaged, or comes from another version.
        TypeError: It is no text.
    """
    if not isinstance(line, str):
        raise TypeError(f"replay() takes the line of a report as a text, got {line!r}")
    return Replay(parse(line), strict)

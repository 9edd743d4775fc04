"""``explore``: run a scenario under many schedules, and tell the first failure in its smallest form."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from rustyray.engines.sim.stdlib import stage
from rustyray.exceptions import LivelockError
from rustyray.model.options import hint
from rustyray.testing.exploring.differing import not_deterministic
from rustyray.testing.exploring.exhaustive import Branching
from rustyray.testing.exploring.explorers import EXPLORERS, Space, faults_of
from rustyray.testing.exploring.lines import Line
from rustyray.testing.exploring.shrinking import Shrinker
from rustyray.testing.exploring.sites import Sites
from rustyray.testing.exploring.telling import Teller, report
from rustyray.testing.exploring.trial import Plan, Scenario, Setup, Trial, Watching, run, run_plan
from rustyray.testing.exploring.unread import RAISE, UnreadErrors, check_unread

#: Schedules after which the run without departures is looked at again: is it still the same?
CHECK: Final = 250
#: Options of `explore`, which the marker takes too, with their defaults.
OPTIONS: Final[dict[str, object]] = {
    "schedules": 500,
    "faults": "",
    "depth": 3,
    "seed": 0,
    "explorer": "portfolio",
    "num_cpus": 2,
    "num_nodes": 1,
    "same_result": False,
    "max_steps": 20_000,
    "unread_errors": RAISE,
}


class RaceFound(AssertionError):
    """A schedule under which a scenario fails. It is raised from the scenario's own error.

    ``line`` replays the schedule; ``story`` tells it; ``departures`` and ``faults`` count what it takes; ``schedules``
    says how many were tried before it was met, ``shrinking`` how many to make it small.
    """

    def __init__(self, text: str, line: str, story: str, plan: Plan, schedules: int, shrinking: int) -> None:
        super().__init__(text)
        self.line = line
        self.story = story
        self.departures = len(plan.deviations)
        self.faults = len(plan.faults)
        self.schedules = schedules
        self.shrinking = shrinking


class ResultsDiffer(AssertionError):
    """The scenario returns one thing under one schedule and another under another."""


class Exploration(NamedTuple):
    """What was explored without a failure: how many schedules, and how many really different ones among them.

    ``complete`` says of what these are all, if they are; it is empty where more could be explored. ``steps`` is the
    number of events of the run without departures, ``result`` what the scenario returned in it.
    """

    schedules: int
    different: int
    complete: str
    seconds: float
    steps: int
    result: object

    def __str__(self) -> str:
        if self.complete and self.schedules == 1:
            return f"the only schedule that there is was explored, in {self.seconds:.1f} s, and it did not fail"
        all_ = f"all {self.schedules:,} schedules {self.complete} were explored"
        some = f"{self.schedules:,} schedules were explored, {self.different:,} of them really different"
        return f"{all_ if self.complete else some}, in {self.seconds:.1f} s, and none failed"


def explore(
    scenario: Scenario,
    *,
    schedules: int = 500,
    faults: str = "",
    depth: int = 3,
    seed: int = 0,
    explorer: str = "portfolio",
    num_cpus: float = 2,
    num_nodes: int = 1,
    same_result: bool = False,
    max_steps: int = 20_000,
    unread_errors: UnreadErrors = RAISE,
) -> Exploration:
    """Run a scenario under many schedules, each in a simulated runtime of its own, and stop at the first failure.

    A failure is anything that the scenario raises. Deadlocks, going round in circles, and errors that nobody reads
    raise by themselves.

    Args:
        scenario: takes no arguments, and uses the whole API; `init` and `shutdown` are called around it.
        schedules: the most schedules to run.
        faults: what may go wrong: some of "crash" (a worker dies), "delay" (messages and programs are held up),
            "partition" (connections break), "node" (a node dies, other than the first), with commas between them.
        depth: the most departures from running to completion, and faults, that an explorer plans for a schedule.
        seed: other seeds meet schedules in another order.
        explorer: "portfolio" (all of them in turn), "random", "pct", "delay" or "exhaustive".
        num_cpus: CPUs of each simulated node.
        num_nodes: how many nodes there are.
        same_result: what the scenario returns must not depend on the schedule.
        max_steps: events after which a run is taken to go round in circles.
        unread_errors: "raise" an `UnreadError` if the scenario succeeds, and a task or call has raised whose ref was
            never got, awaited or passed on; or "ignore" such errors.

    Raises:
        RaceFound: A schedule fails; the message has the shrunk schedule as a story, and one line to replay it.
        NotDeterministic: The scenario's behaviour depends on something else than the schedule.
        TypeError: An option has the wrong type.
        ValueError: An option is out of range, or there is no such explorer or fault.
    """
    names = check_options(
        {
            "schedules": schedules,
            "faults": faults,
            "depth": depth,
            "seed": seed,
            "explorer": explorer,
            "num_cpus": num_cpus,
            "num_nodes": num_nodes,
            "max_steps": max_steps,
            "unread_errors": unread_errors,
        }
    )
    if not callable(scenario):
        raise TypeError(f"explore() takes a function without arguments, got {scenario!r}")
    setup = Setup(num_cpus, num_nodes, max_steps, unread_errors)
    with stage.kept():
        return _explored(scenario, setup, schedules, explorer, Space({}, 0, depth, seed, names), same_result)


def _explored(
    scenario: Scenario, setup: Setup, schedules: int, explorer: str, space: Space, same_result: bool
) -> Exploration:
    began = time.perf_counter()
    first = run_plan(scenario, Plan(), setup)
    finder = _Finder(scenario, setup, first, same_result)
    finder.see(first)
    finder.check()
    if explorer == "exhaustive":
        finder.schedules = 0  # it begins with the same
    search = EXPLORERS[explorer](space._replace(lengths=first.lengths, steps=first.steps))
    complete = ""
    trial: Trial | None = None
    while True:
        try:
            guide, planned = next(search) if trial is None else search.send(trial)
        except StopIteration as ended:
            complete = ended.value
            break
        if finder.schedules >= schedules:
            break
        trial = run(scenario, guide, planned, setup, guide if isinstance(guide, Branching) else None)
        finder.see(trial)
        if not finder.schedules % CHECK:
            finder.check()
    finder.check()
    seconds = time.perf_counter() - began
    return Exploration(finder.schedules, len(finder.different), complete, seconds, first.steps, first.result)


def check_options(given: Mapping[str, object]) -> tuple[str, ...]:
    """The names of the faults; raises as `explore` for options that are wrong."""
    for name in given:
        if name not in OPTIONS:
            raise TypeError(f"there is no option {name!r}{hint(name, OPTIONS)}. Valid ones are {', '.join(OPTIONS)}.")
    options = OPTIONS | dict(given)
    for name, least in (("schedules", 1), ("depth", 1), ("num_nodes", 1), ("max_steps", 1), ("seed", 0)):
        number = options[name]
        if not isinstance(number, int) or isinstance(number, bool):
            raise TypeError(f"{name} must be a whole number, not {number!r}")
        if number < least:
            raise ValueError(f"{name} must be at least {least}, not {number}")
    cpus = options["num_cpus"]
    if not isinstance(cpus, int | float) or isinstance(cpus, bool):
        raise TypeError(f"num_cpus must be a number, not {cpus!r}")
    if cpus <= 0:
        raise ValueError(f"num_cpus must be more than 0, not {cpus}")
    faults, explorer = options["faults"], options["explorer"]
    if not isinstance(faults, str) or not isinstance(explorer, str):
        raise TypeError(f"faults and explorer must be texts, not {faults!r} and {explorer!r}")
    if explorer not in EXPLORERS:
        valid = ", ".join(EXPLORERS)
        raise ValueError(f"there is no explorer {explorer!r}{hint(explorer, EXPLORERS)}. Valid ones are {valid}.")
    check_unread(options["unread_errors"])
    names = faults_of(faults)
    if names and explorer == "exhaustive":
        raise ValueError("the exhaustive explorer goes through schedules without faults: leave faults out")
    return names


class _Finder:
    """Looks at runs; the first that fails is shrunk, told and raised."""

    def __init__(self, scenario: Scenario, setup: Setup, tame: Trial, same_result: bool) -> None:
        self._scenario = scenario
        self._setup = setup
        self._tame = tame
        self._same_result = same_result
        self.schedules = 0
        self.different: set[str] = set()

    def check(self) -> None:
        """Raise NotDeterministic if the run without departures has become another one."""
        again = run_plan(self._scenario, Plan(), self._setup)
        if again.fingerprint != self._tame.fingerprint:
            prints = self._tame.fingerprint, again.fingerprint
            raise not_deterministic(self._rerun(Plan()), prints)

    def _rerun(self, plan: Plan) -> Callable[[Watching], Trial]:
        return lambda watching: run_plan(self._scenario, plan, self._setup, watching)

    def see(self, trial: Trial) -> None:
        self.schedules += 1
        self.different.add(trial.fingerprint)
        trial = self._judged(trial)
        if trial.error is not None:
            self._raise(trial)

    def _judged(self, trial: Trial) -> Trial:
        tame = self._tame
        if self._same_result and trial.error is None and tame.error is None and trial.result != tame.result:
            text = f"the scenario returned {trial.result!r}, and without departures it returns {tame.result!r}"
            return trial._replace(error=ResultsDiffer(text))
        return trial

    def _raise(self, trial: Trial) -> None:
        wanted = trial.kind
        shrinker = Shrinker(
            lambda plan: self._judged(run_plan(self._scenario, plan, self._setup)),
            trial,
            lambda other: other.kind == wanted,
        )
        best = shrinker.shrink() if len(trial.plan) else trial
        teller = Teller()
        last = self._judged(run_plan(self._scenario, best.plan, self._setup, teller, Sites(lambda: len(teller.lines))))
        passed_before = not len(last.plan) and self._tame.error is None
        if last.kind != wanted or passed_before:
            raise not_deterministic(self._rerun(best.plan)) from best.error
        line = str(Line(self._tame.fingerprint, self._setup, last.plan))
        assert last.error is not None
        story = teller.text(beginning=isinstance(last.error, LivelockError))
        text = report(last.error, story, last.plan, line, self.schedules, shrinker.runs)
        raise RaceFound(text, line, story, last.plan, self.schedules, shrinker.runs) from last.error

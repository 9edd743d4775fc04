"""When faults happen: at a time, at an event, or by rate."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, Final, NamedTuple

from pytest_rustyray.chaos.faults import Fault
from pytest_rustyray.chaos.targets import PATIENCE, NothingToHit, NotYet, Targets

#: Seconds between two looks at what has happened, while a fault waits for an event.
LOOK: Final = 0.02


class Rule:
    """A fault, or one of several, that happens at some time. Its draws do not depend on those of other rules."""

    def __init__(self, number: int, seed: int, faults: tuple[Fault, ...], per_second: float = 0.0) -> None:
        self.rng = Random(f"{seed}/{number}")
        self.faults = faults
        self.per_second = per_second

    def pause(self) -> float:
        """Seconds until the next, of a rule by rate."""
        return self.rng.expovariate(self.per_second)


class Awaited(NamedTuple):
    """An event for which a rule waits, and how many of its kind have to have happened."""

    rule: Rule
    kind: str
    what: str
    name: str
    node: int | None
    times: int


class Chaos:
    """Faults on purpose, drawn from ``seed``, while a test runs.

    The same seed decides the same: which faults, in which order, after which pauses, and the how manieth of those that
    could be hit. What the program does meanwhile is its own. ``happened`` lists what was done, in words, and what
    could not be.
    """

    def __init__(self, targets: Targets, seed: int) -> None:
        self.seed = seed
        self.happened: list[str] = []
        #: How many of those lines are about faults that have hit somebody.
        self._count = 0
        self.error: BaseException | None = None
        self._targets = targets
        self._began, self._began_at = time.monotonic(), time.time()
        self._rules = 0
        #: What to do, by time; the number keeps the order.
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._entries = 0
        self._awaited: list[Awaited] = []
        #: What ends the faults that last.
        self._undo: dict[int, Callable[[], None]] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._over = False

    # --- what a test says ---------------------------------------------------------------------------------------------

    def at(self, seconds: float, fault: Fault) -> None:
        """``seconds`` from now, this happens."""
        rule = self._rule(fault)
        self._plan(seconds, lambda: self._do(rule))

    def rate(self, per_second: float, *faults: Fault) -> None:
        """So often on average, one of these happens, each as likely as the others.

        Raises:
            ValueError: No faults, or a rate that is not above 0.
        """
        if not faults or per_second <= 0:
            raise ValueError("rate() takes how often per second, above 0, and some faults: rate(2, kill_worker())")
        rule = self._rule(*faults, per_second=per_second)
        self._plan(rule.pause(), lambda: self._repeat(rule))

    def when(
        self, what: str, fault: Fault, *, kind: str = "task", name: str = "", node: int | None = None, count: int = 1
    ) -> None:
        """This happens as soon as an event has, counted from the beginning of the chaos.

        Args:
            what: what happened, as in `rustyray.events`: ``"run began"``, ``"finished"``, ``"started"``.
            fault: what is done then.
            kind: of the event: ``"task"``, ``"actor"``, ``"worker"``, ``"node"``, …
            name: a part of its name, such as the function's.
            node: on the node with this number.
            count: when it has happened so often.
        """
        with self._changed:
            self._awaited.append(Awaited(self._rule(fault), kind, what, name, node, count))
        self._plan(0.0, lambda: None)  # there is something to look at

    def wait_for(self, count: int = 1, timeout: float = 30.0) -> None:
        """Wait until so many faults have happened; TimeoutError otherwise."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._count >= count or self.error is not None, timeout):
                told = "".join(f"\n{line}" for line in self.happened)
                raise TimeoutError(f"{self._count} faults have happened in {timeout:g} s, not {count}{told}")
        self._raise()

    def stop(self) -> None:
        """No more of it, and what lasts ends now. Raises what went wrong in doing faults."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        while self._undo:
            for entry in list(self._undo):
                self._end(entry)
        self._raise()

    def told(self) -> str:
        """What happened, and how to have the same decided again, for a report."""
        waiting = [f"has not happened: {awaited.what} ({awaited.kind}), {awaited.times}×" for awaited in self._awaited]
        lines = [f"seed {self.seed}: --rustyray-seed {self.seed} decides the same", *self.happened, *waiting]
        return "\n".join(lines)

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _rule(self, *faults: Fault, per_second: float = 0.0) -> Rule:
        self._rules += 1
        return Rule(self._rules, self.seed, faults, per_second)

    def _plan(self, seconds: float, what: Callable[[], None]) -> int:
        with self._changed:
            self._entries += 1
            heapq.heappush(self._due, (time.monotonic() + seconds, self._entries, what))
            if self._thread is None and not self._over:
                self._thread = threading.Thread(target=self._run, name="rustyray-chaos", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return self._entries

    def _run(self) -> None:
        try:
            while (what := self._next()) is not None:
                what()
                self._look()
        except BaseException as error:  # noqa: BLE001 - the test is to hear of it
            with self._changed:
                self.error = error
                self._changed.notify_all()

    def _next(self) -> Callable[[], None] | None:
        """What is due; None at the end."""
        with self._changed:
            while not self._over:
                now = time.monotonic()
                if self._due and self._due[0][0] <= now:
                    return heapq.heappop(self._due)[2]
                if self._awaited:
                    self._changed.wait(min(LOOK, self._due[0][0] - now if self._due else LOOK))
                    return lambda: None
                self._changed.wait(self._due[0][0] - now if self._due else None)
            return None

    def _repeat(self, rule: Rule) -> None:
        self._do(rule)
        self._plan(rule.pause(), lambda: self._repeat(rule))

    def _do(self, rule: Rule) -> None:
        fault = rule.faults[int(rule.rng.random() * len(rule.faults))]
        try:
            done = fault.do(self._targets, rule.rng)
        except NothingToHit as nothing:
            self._note(f"{fault.name}: nothing, as {nothing}")
            return
        if done.undo is not None:
            entry = self._plan(done.seconds, lambda: self._end(entry))
            self._undo[entry] = done.undo
        self._note(done.what, hit=True)

    def _end(self, entry: int) -> None:
        undo = self._undo.pop(entry, None)
        if undo is None:
            return
        try:
            undo()
        except NotYet:
            again = self._plan(LOOK, lambda: self._end(again))
            self._undo[again] = undo

    def _note(self, what: str, hit: bool = False) -> None:
        with self._changed:
            self._count += hit
            self.happened.append(f"{time.monotonic() - self._began:.3f} s {what}")
            self._changed.notify_all()

    def _look(self) -> None:
        """Whether what is waited for has happened."""
        with self._changed:
            waiting = list(self._awaited)
        if not waiting:
            return
        import rustyray

        kinds = sorted({awaited.kind for awaited in waiting})
        events = rustyray.events(kind=kinds, since=self._began_at, timeout=PATIENCE)
        nodes = self._targets.nodes()
        for awaited in waiting:
            where = "" if awaited.node is None else nodes[awaited.node] if awaited.node < len(nodes) else "none"
            if sum(_is_it(event, awaited, where) for event in events) >= awaited.times:
                with self._changed:
                    self._awaited.remove(awaited)
                self._do(awaited.rule)

    def _raise(self) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error


def _is_it(event: Any, awaited: Awaited, node: str) -> bool:
    if (event.kind, event.what) != (awaited.kind, awaited.what) or awaited.name not in event.name:
        return False
    return not node or _node_of(event) == node


def _node_of(event: Any) -> str:
    """Where it happened: the first part of the id of the worker, or of the process that noted it, is its node's."""
    who: Iterable[str] = (event.node, event.worker, event.process)
    return next((each[:16] for each in who if each), "")

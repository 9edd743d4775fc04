"""What there is in this process, before and after: each source looks at things of one sort."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Collection, Hashable, Iterator
from typing import Any, Final, NamedTuple, Protocol

from pytest_rustyray.leaks import origins

#: Seconds in which what is on its way out may go.
GRACE: Final = 0.3
LOOK: Final = 0.01
#: What other processes put away, and how many seconds they have for it.
ENDED_ELSEWHERE: Final = ("actors", "groups", "tasks")
ENDED: Final = 5.0


class Leak(NamedTuple):
    """A thing that should be gone.

    ``clean`` puts it away, and says what it did, nothing if it was gone by then. ``owner`` finds the object behind it.
    ``ends``: another process ends it anyway.
    """

    kind: str
    text: str
    clean: Callable[[], str]
    owner: Callable[[], object] = lambda: None
    ends: bool = False


class Source(Protocol):
    """Where things of one sort are found. Only a runtime can make those of a source that is not ``cheap``."""

    @property
    def cheap(self) -> bool: ...

    def look(self) -> Collection[Hashable]:
        """What there is."""

    def leak(self, thing: Any) -> Leak | None:
        """What is to be said of a new thing; None if it is there by design, or gone by now."""


Seen = dict[Source, frozenset[Hashable]]


def look(sources: Collection[Source], last: Seen | None = None) -> Seen:
    """What there is; where no runtime has been up since ``last``, what it says of sources that are not cheap."""
    return {source: frozenset(source.look()) if last is None or source.cheap else last[source] for source in sources}


class Search:
    """What is new since ``before``, and that ``judge`` does not let pass."""

    def __init__(self, before: Seen, judge: Callable[[Leak], bool]) -> None:
        self._before = before
        self._judge = judge
        #: What there is, if nothing was found.
        self.clean: Seen | None = None

    def leaks(self) -> list[Leak]:
        """What has not gone within `GRACE`, or `ENDED` if it is elsewhere that it goes."""
        now = look(self._before)
        if not any(now[source] - known for source, known in self._before.items()):
            self.clean = now
            return []
        if not any(self._now()):
            return []
        gc.collect()
        left = self._wait(lambda leak: True, GRACE)
        if any(leak.ends for leak in left):
            self._wait(lambda leak: leak.ends, ENDED)
            left = [*self._now()]
        return left

    def put_away(self, leaks: list[Leak]) -> list[str]:
        """Put all away; a line for each of what it was and what was done."""
        lines = []
        for leak in leaks:
            made = origins.made_at(leak.owner()) if origins.is_known() else ""
            try:
                done = leak.clean()
            except Exception as error:  # noqa: BLE001 - whatever it is, the others are to be put away too
                done = f"could not be put away: {type(error).__name__}: {error}"
            if done:
                lines.append(f"  {leak.text}{made}: {done}")
        self._wait(lambda leak: leak.kind in ENDED_ELSEWHERE, ENDED)
        return lines

    def _wait(self, concerns: Callable[[Leak], bool], seconds: float) -> list[Leak]:
        """Until nothing of the kind is left, or for so long; what is left."""
        deadline = time.perf_counter() + seconds
        while (left := [leak for leak in self._now() if concerns(leak)]) and time.perf_counter() < deadline:
            time.sleep(LOOK)  # virtual in a simulated runtime, which goes on meanwhile
        return left

    def _now(self) -> Iterator[Leak]:
        for source, known in self._before.items():
            for thing in source.look():
                if thing not in known and (leak := source.leak(thing)) is not None and self._judge(leak):
                    yield leak


def runtime_module(name: str) -> Any:
    """A module of the runtime, if that was imported: what was not cannot have made anything."""
    return sys.modules.get(f"rustyray.{name}")

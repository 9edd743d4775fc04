"""``tqdm`` for tasks and actors: each bar is a line now and then, as many processes write to one terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from operator import length_hint
from typing import Any, Final

#: Seconds between two lines of a bar, at least.
INTERVAL: Final = 1.0


def safe_print(*args: object, **kwargs: Any) -> None:
    """As ``print`` (Ray's has to hide the bars first)."""
    print(*args, **kwargs)


class tqdm:  # noqa: N801 - its name everywhere
    """Says on standard error how far something has come: ``for item in tqdm(items, desc="reads")`` (as in Ray).

    Args:
        iterable: what is counted as it is iterated over; without it, call `update`.
        desc: what is done.
        total: how many there will be; by default ``len(iterable)``, if it has a length.
        unit: what is counted.
        position: of no effect: there is no bar that stays in its place.
        flush_interval_s: seconds between two lines, at least; 1.
    """

    def __init__(
        self,
        iterable: Iterable[Any] | None = None,
        desc: str | None = None,
        total: int | None = None,
        unit: str | None = None,
        position: int | None = None,
        flush_interval_s: float | None = None,
    ) -> None:
        self._iterable = iterable
        self._desc = desc or ""
        self.total = total or length_hint(iterable, 0) or None
        self._unit = unit or "it"
        self._interval = INTERVAL if flush_interval_s is None else flush_interval_s
        self._told = time.monotonic()
        self._began = self._told
        self._closed = False
        self.n = 0

    def set_description(self, desc: str) -> None:
        """From now on, this is what is done."""
        self._desc = desc

    def update(self, n: int = 1) -> None:
        """So many more are done."""
        self.n += n
        if time.monotonic() - self._told >= self._interval:
            self.refresh()

    def refresh(self) -> None:
        """Say it now."""
        self._told = time.monotonic()
        print(self._line(), file=sys.stderr, flush=True)

    def close(self) -> None:
        """Say it for the last time."""
        if not self._closed:
            self._closed = True
            self.refresh()

    def _line(self) -> str:
        seconds = time.monotonic() - self._began
        of = f"/{self.total} ({self.n / self.total:.0%})" if self.total else ""
        rate = f", {self.n / seconds:.3g} {self._unit}/s" if seconds > 0 else ""
        return f"{self._desc or 'progress'}: {self.n}{of} {self._unit} in {seconds:.1f} s{rate}"

    def __iter__(self) -> Iterator[Any]:
        if self._iterable is None:
            raise ValueError("there is nothing to iterate over: give tqdm(iterable), or call update()")
        for item in self._iterable:
            yield item
            self.update()
        self.close()

    def __enter__(self) -> tqdm:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def __getattr__(name: str) -> object:
    from rustyray.missing import absent

    raise absent(__name__, name)

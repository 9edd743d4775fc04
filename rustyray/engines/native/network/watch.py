"""How a hub waits: asleep, or looking out for a moment first.

On idle cores it takes longer to wake a sleeping core than to do a whole small task, so whoever expects an answer soon
does better to look a few times before it sleeps. On busy cores the same looking takes time from those that would
answer. Nobody can tell beforehand which it is, so both are tried, and what has given shorter waits is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from rustyray.engines.native.network.poller import Events

#: Seconds for which it looks before it sleeps.
LOOK: Final = 0.0001
#: A wait of more seconds than this counts as one of so many: it says nothing about how to wait.
LONG: Final = 0.0005
#: Waits that are compared at a time.
ROUND: Final = 32
#: After so many rounds the other way is tried for one round; at first, and at most.
PATIENCE: Final = 4
MOST_PATIENCE: Final = 64
#: So much shorter, as a ratio, the waits of a round must be for the other way to become the usual one.
BETTER: Final = 0.9


class Watch:
    """Waits with ``poll(timeout)``; learns from how long that took."""

    __slots__ = ("_best", "_clock", "_left", "_looks", "_patience", "_poll", "_rounds", "_total", "_usual")

    def __init__(self, poll: Callable[[float | None], Events], clock: Callable[[], float] = time.monotonic) -> None:
        self._poll = poll
        self._clock = clock
        #: The way of the present round: whether it looks first.
        self._looks = False
        #: The way that seems better, and what its last round took.
        self._usual = False
        self._best = LONG * ROUND
        self._total = 0.0
        self._left = ROUND
        self._rounds = 0
        self._patience = PATIENCE

    def wait(self, timeout: float | None) -> Events:
        """What ``poll(timeout)`` returns."""
        clock = self._clock
        begun = now = clock()
        events: Events = []
        if self._looks:
            until = begun + (LOOK if timeout is None else min(LOOK, timeout))
            while not events and now < until:
                events = self._poll(0.0)
                now = clock()
        if not events:
            events = self._poll(timeout if timeout is None else max(0.0, timeout - (now - begun)))
            now = clock()
        self._total += min(now - begun, LONG)
        self._left -= 1
        if self._left <= 0:  # not ``== 0``: several threads may wait
            self._compare()
        return events

    def _compare(self) -> None:
        """A round is over: go on as usual, try the other way for a round, or make that the usual one."""
        total, self._total, self._left = self._total, 0.0, ROUND
        if self._looks is self._usual:
            self._best = total
            self._rounds += 1
            if self._rounds < self._patience:
                return
            self._looks = not self._usual
        elif total < BETTER * self._best:
            self._usual, self._best, self._patience = self._looks, total, PATIENCE
        else:
            self._looks = self._usual
            self._patience = min(MOST_PATIENCE, 2 * self._patience)
        self._rounds = 0

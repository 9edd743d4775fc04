"""``ActorPool``: work handed to whichever actor of several is idle."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import rustyray
from rustyray.exceptions import ActorDiedError, RayTaskError

_Function: TypeAlias = Callable[[Any, Any], Any]


class ActorPool:
    """A fixed set of actors that work is handed to as they become idle (as in Ray).

    An actor is busy until the ref that the function returns is ready **and was taken** with `get_next` or
    `get_next_unordered`. One that died leaves the pool.

    Args:
        actors: the handles.
    """

    def __init__(self, actors: Iterable[Any]) -> None:
        self._idle = list(actors)
        self._waiting: deque[tuple[_Function, Any]] = deque()
        #: What runs, by its number, in the order of submission: the ref (or list of refs), and the actor.
        self._running: dict[int, tuple[Any, Any]] = {}
        self._submitted = 0
        self._next = 0

    def map(self, fn: _Function, values: Iterable[Any]) -> Iterator[Any]:
        """The results of ``fn(actor, value)`` in the order of ``values``; whatever ran before is given up.

        Args:
            fn: takes an actor and a value, and returns a ref: ``lambda actor, value: actor.double.remote(value)``.
            values: what it is called with, all at once.
        """
        return self._map(fn, values, self.get_next)

    def map_unordered(self, fn: _Function, values: Iterable[Any]) -> Iterator[Any]:
        """As `map`, but the results come as they are ready."""
        return self._map(fn, values, self.get_next_unordered)

    def _map(self, fn: _Function, values: Iterable[Any], take: Callable[[], Any]) -> Iterator[Any]:
        while self.has_next():
            number = next(iter(self._running))
            _, actor = self._running.pop(number)
            self._next = number + 1
            self._is_idle(actor)
        for value in values:
            self.submit(fn, value)

        def results() -> Iterator[Any]:
            while self.has_next():
                yield take()

        return results()

    def submit(self, fn: _Function, value: Any) -> None:
        """Have ``fn(actor, value)`` called with an idle actor, now or when there is one."""
        if not self._idle:
            self._waiting.append((fn, value))
            return
        actor = self._idle.pop()
        self._running[self._submitted] = fn(actor, value), actor
        self._submitted += 1

    def has_next(self) -> bool:
        """Whether there is a result to wait for."""
        return bool(self._running)

    def get_next(self, timeout: float | None = None, ignore_if_timedout: bool = False) -> Any:
        """The result of what was submitted first; raises what the task raised.

        Args:
            timeout: seconds to wait at most; None: as long as it takes.
            ignore_if_timedout: give that result up if it is not there in time; its actor counts as idle.

        Raises:
            StopIteration: Nothing was submitted, or all results were taken.
            TimeoutError: It was not there in time.
            ValueError: Results of later ones were taken with `get_next_unordered`.
        """
        if not self.has_next():
            raise StopIteration("there are no more results to get")
        if self._next not in self._running:
            raise ValueError("get_next() cannot be called after get_next_unordered(): the order is lost")
        return self._take(self._next, self._ready(self._running[self._next][0], timeout), ignore_if_timedout)

    def get_next_unordered(self, timeout: float | None = None, ignore_if_timedout: bool = False) -> Any:
        """The result that is ready first; arguments and errors as of `get_next`."""
        if not self.has_next():
            raise StopIteration("there are no more results to get")
        firsts = {_first(future): number for number, (future, _) in self._running.items()}
        done, _ = rustyray.wait(list(firsts), timeout=timeout)
        number = firsts[done[0]] if done else next(iter(self._running))
        return self._take(number, bool(done), ignore_if_timedout)

    def _ready(self, future: Any, timeout: float | None) -> bool:
        return timeout is None or bool(rustyray.wait([_first(future)], timeout=timeout)[0])

    def _take(self, number: int, ready: bool, ignore_if_timedout: bool) -> Any:
        if not ready and not ignore_if_timedout:
            raise TimeoutError("the result was not there in time")
        future, actor = self._running.pop(number)
        self._next = max(self._next, number + 1)
        if not ready:
            self._is_idle(actor)
            raise TimeoutError(f"the result was not there in time, and {future!r} is given up")
        try:
            result = rustyray.get(future)
        except BaseException as error:
            if _is_death_of(actor, error):
                self._start_waiting()
            else:
                self._is_idle(actor)
            raise
        self._is_idle(actor)
        return result

    def _is_idle(self, actor: Any) -> None:
        self._idle.append(actor)
        self._start_waiting()

    def _start_waiting(self) -> None:
        if self._waiting and self._idle:
            self.submit(*self._waiting.popleft())

    def has_free(self) -> bool:
        """Whether an actor is idle and nothing waits for one."""
        return bool(self._idle) and not self._waiting

    def pop_idle(self) -> Any:
        """Take an idle actor out of the pool; None if none is idle."""
        return self._idle.pop() if self.has_free() else None

    def push(self, actor: Any) -> None:
        """Put another actor into the pool.

        Raises:
            ValueError: It is in the pool already.
        """
        if actor in self._idle or any(actor == busy for _, busy in self._running.values()):
            raise ValueError(f"{actor!r} is in the pool already")
        self._is_idle(actor)


def _is_death_of(actor: Any, error: BaseException) -> bool:
    """Whether it is the actor itself that has died, and not another that it called or was given the result of."""
    if isinstance(error, RayTaskError):
        return False
    return isinstance(error, ActorDiedError) and error.actor_id == actor._actor_id.hex()


def _first(future: Any) -> Any:
    """What to wait for: of several refs of one task, any."""
    return future[0] if isinstance(future, list) else future

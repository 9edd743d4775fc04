"""What a `Pool` returns: results to wait for, and iterators over results."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import TimeoutError  # noqa: A004 - its name in the standard library
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from rustyray.util.multiprocessing.pool import Chunk

#: One value, or what was raised instead: ``(True, value)`` or ``(False, error)``.
Outcome: TypeAlias = tuple[bool, Any]


class AsyncResult:
    """What becomes of one call, or of the items of a `Pool.map_async` (as in the standard library)."""

    def __init__(
        self,
        chunks: int,
        single: bool,
        callback: Callable[[Any], object] | None,
        error_callback: Callable[[BaseException], object] | None,
    ) -> None:
        self._single = single
        self._callbacks = callback, error_callback
        self._outcomes: list[list[Outcome]] = [[] for _ in range(chunks)]
        self._missing = chunks
        self._lock = threading.Lock()
        self._done = threading.Event()
        if chunks == 0:
            self._finish()

    def put(self, number: int, outcomes: list[Outcome]) -> None:
        """What a chunk has come to."""
        with self._lock:
            self._outcomes[number] = outcomes
            self._missing -= 1
            missing = self._missing
        if missing == 0:
            self._finish()

    def _finish(self) -> None:
        callback, error_callback = self._callbacks
        error = self._error()
        try:
            if error is None and callback is not None:
                callback(self._value())
            elif error is not None and error_callback is not None:
                error_callback(error)
        finally:
            self._done.set()

    def _error(self) -> BaseException | None:
        return next((value for chunk in self._outcomes for good, value in chunk if not good), None)

    def _value(self) -> Any:
        values = [value for chunk in self._outcomes for _, value in chunk]
        return values[0] if self._single else values

    def wait(self, timeout: float | None = None) -> None:
        """Wait until everything is there, for so many seconds at most."""
        self._done.wait(timeout)

    def get(self, timeout: float | None = None) -> Any:
        """The value, or the list of values; raises the first error.

        Raises:
            multiprocessing.TimeoutError: Not everything was there in so many seconds.
        """
        self.wait(timeout)
        if not self.ready():
            raise TimeoutError(f"not everything was there in {timeout} s")
        error = self._error()
        if error is not None:
            raise error
        return self._value()

    def ready(self) -> bool:
        """Whether everything is there."""
        return self._done.is_set()

    def successful(self) -> bool:
        """Whether nothing raised. Raises ValueError while something is missing."""
        if not self.ready():
            raise ValueError(f"{self!r} is not ready: wait() for it first")
        return self._error() is None


class IMapIterator:
    """The results of a function over items, which are taken as far as results are: twice as many chunks as processes
    are under way at most.

    Args:
        chunks: what is to be done.
        ahead: so many chunks may be under way.
        ordered: whether the results come in the order of the items.
        submit: has a chunk done, and its outcomes passed on.
    """

    def __init__(
        self,
        chunks: Iterator[Chunk],
        ahead: int,
        ordered: bool,
        submit: Callable[[Chunk, Callable[[list[Outcome]], None]], None],
    ) -> None:
        self._chunks = chunks
        self._ahead = ahead
        self._ordered = ordered
        self._submit = submit
        self._there = threading.Condition()
        self._finished: dict[int, list[Outcome]] = {}
        self._outcomes: deque[Outcome] = deque()
        self._submitted = self._taken = 0
        self._filling = threading.Lock()
        #: Whether everything is under way.
        self.exhausted = False
        self._fill(ahead)

    def submit_all(self) -> None:
        """Have the rest done, whatever is taken: the pool is about to take no more."""
        self._fill(math.inf)

    def _fill(self, ahead: float) -> None:
        with self._filling:
            while not self.exhausted and self._submitted - self._taken < ahead:
                number = self._submitted
                tell = partial(self._put, number)
                try:
                    chunk = next(self._chunks, None)
                    if chunk is not None:
                        self._submit(chunk, tell)
                        self._submitted += 1
                except Exception as error:  # noqa: BLE001 - of the iterable, or the pool is closed: the last outcome
                    chunk = None
                    self._submitted += 1
                    tell([(False, error)])
                self.exhausted = chunk is None

    def _put(self, number: int, outcomes: list[Outcome]) -> None:
        with self._there:
            self._finished[number] = outcomes
            self._there.notify_all()

    def __iter__(self) -> IMapIterator:
        return self

    def __next__(self) -> Any:
        return self.next()

    def next(self, timeout: float | None = None) -> Any:
        """The next result; raises what the function raised for that item.

        Raises:
            StopIteration: There are no more.
            multiprocessing.TimeoutError: It was not there in so many seconds.
        """
        while not self._outcomes:
            self._fill(self._ahead)
            if self._taken == self._submitted:
                raise StopIteration
            with self._there:
                if not self._there.wait_for(self._has_next, timeout):
                    raise TimeoutError(f"the next result was not there in {timeout} s")
                number = self._taken if self._ordered else next(iter(self._finished))
                self._outcomes.extend(self._finished.pop(number))
            self._taken += 1
        good, value = self._outcomes.popleft()
        if not good:
            raise value
        return value

    def _has_next(self) -> bool:
        return self._taken in self._finished if self._ordered else bool(self._finished)

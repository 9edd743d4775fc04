"""``Pool``: a drop-in for ``multiprocessing.Pool``. Its processes are actors; each has one chunk at a time."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from itertools import islice
from multiprocessing.pool import ExceptionWithTraceback  # type: ignore[attr-defined]
from types import TracebackType
from typing import Any, TypeAlias

import rustyray
from rustyray.util.multiprocessing.results import AsyncResult, IMapIterator, Outcome

#: Arguments and keyword arguments of some calls.
Chunk: TypeAlias = list[tuple[tuple[Any, ...], dict[str, Any]]]
_Tell: TypeAlias = Callable[[list[Outcome]], None]


class PoolActor:
    """A process of a pool."""

    def __init__(self, initializer: Callable[..., object] | None, initargs: Iterable[Any]) -> None:
        if initializer is not None:
            initializer(*initargs)

    def run(self, func: Callable[..., Any], chunk: Chunk) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for args, kwargs in chunk:
            try:
                outcomes.append((True, func(*args, **kwargs)))
            except Exception as error:  # noqa: BLE001 - it is the caller's
                outcomes.append((False, ExceptionWithTraceback(error, error.__traceback__)))
        return outcomes


class _Child:
    """An actor, and how many chunks it has had."""

    __slots__ = ("actor", "ran")

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.ran = 0


class Pool:
    """Functions and methods of ``multiprocessing.Pool``, on the cluster (as in Ray).

    A chunk goes to whichever actor is idle. One that dies is replaced, and what it did raises a
    `RayActorError`. Used in ``with``, it is terminated at the end.

    Args:
        processes: how many; as many as the cluster has CPUs.
        initializer, initargs: called first in each of them.
        maxtasksperchild: a process ends after so many chunks, and another takes its place.
        context: ignored, and said so in the log.
        ray_address: the cluster to connect to if RustyRay is not up; with ``"local"`` or none, one is started.
        ray_remote_args: options of the actors, such as ``{"num_cpus": 1}``; they hold no CPU otherwise.

    Raises:
        ValueError: There are to be no processes, or more than the cluster has CPUs.
        RayActorError: The initializer raised.
    """

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        maxtasksperchild: int | None = None,
        context: object = None,
        ray_address: str | None = None,
        ray_remote_args: Mapping[str, Any] | None = None,
    ) -> None:
        if context is not None:
            logging.getLogger("rustyray").warning("Pool(context=…) does nothing: its processes are actors")
        if not rustyray.is_initialized():
            rustyray.init(ray_address, num_cpus=processes if ray_address in (None, "local") else None)
        cpus = int(rustyray.cluster_resources().get("CPU", 0))
        processes = cpus if processes is None else processes
        if processes <= 0:
            raise ValueError(f"a pool needs one process or more, got processes={processes!r}")
        if processes > cpus:
            raise ValueError(f"a pool of {processes} processes was asked for, but the cluster has {cpus} CPUs")
        self._size = processes
        self._chunks_per_child = maxtasksperchild or 0
        plain: Any = rustyray.remote(PoolActor)
        actor = plain.options(**{"num_cpus": 0, **(ray_remote_args or {})})
        self._new_actor = partial(actor.remote, initializer, tuple(initargs or ()))
        self._changed = threading.Condition(threading.RLock())
        self._queue: deque[tuple[Any, Chunk, _Tell]] = deque()
        self._busy: dict[_Child, _Tell] = {}
        self._ending: list[Any] = []
        #: Iterators over results that may have more to submit.
        self._open: list[IMapIterator] = []
        self._closed = self._terminated = False
        self._idle = [_Child(self._new_actor()) for _ in range(processes)]
        rustyray.get([child.actor.__ray_ready__.remote() for child in self._idle])

    # --- calls --------------------------------------------------------------------------------------------------------

    def apply(self, func: Callable[..., Any], args: Iterable[Any] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        """``func(*args, **kwargs)`` in one of the processes."""
        return self.apply_async(func, args, kwargs).get()

    def apply_async(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] | None = (),
        kwargs: Mapping[str, Any] | None = None,
        callback: Callable[[Any], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> AsyncResult:
        """As `apply`, at once. ``callback`` gets the value, or ``error_callback`` the error, in some thread."""
        result = AsyncResult(1, True, callback, error_callback)
        self._submit(func, [(tuple(args or ()), dict(kwargs or {}))], partial(result.put, 0))
        return result

    def map(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int | None = None) -> list[Any]:
        """``[func(item) for item in iterable]``, a chunk of items at a time in each process."""
        values: list[Any] = self.map_async(func, iterable, chunksize).get()
        return values

    def map_async(
        self,
        func: Callable[[Any], Any],
        iterable: Iterable[Any],
        chunksize: int | None = None,
        callback: Callable[[list[Any]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> AsyncResult:
        """As `map`, at once; callbacks as in `apply_async`."""
        return self._map(func, [((item,), {}) for item in iterable], chunksize, callback, error_callback)

    def starmap(
        self, func: Callable[..., Any], iterable: Iterable[Iterable[Any]], chunksize: int | None = None
    ) -> list[Any]:
        """``[func(*item) for item in iterable]``, as `map`."""
        values: list[Any] = self.starmap_async(func, iterable, chunksize).get()
        return values

    def starmap_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        callback: Callable[[list[Any]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> AsyncResult:
        """As `starmap`, at once; callbacks as in `apply_async`."""
        return self._map(func, [(tuple(item), {}) for item in iterable], chunksize, callback, error_callback)

    def imap(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int = 1) -> IMapIterator:
        """The results of ``func(item)`` in order, one by one. Items are taken as results are."""
        return self._imap(func, iterable, chunksize, ordered=True)

    def imap_unordered(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int = 1) -> IMapIterator:
        """As `imap`, in the order in which they are ready."""
        return self._imap(func, iterable, chunksize, ordered=False)

    def _map(
        self,
        func: Callable[..., Any],
        calls: Chunk,
        chunksize: int | None,
        callback: Callable[[list[Any]], object] | None,
        error_callback: Callable[[BaseException], object] | None,
    ) -> AsyncResult:
        self._check_running()
        size = -(-len(calls) // (4 * self._size)) if chunksize is None else chunksize
        chunks = [calls[start : start + size] for start in range(0, len(calls), max(1, size))]
        result = AsyncResult(len(chunks), False, callback, error_callback)
        shared = rustyray.put(func) if len(chunks) > 1 else func
        for number, chunk in enumerate(chunks):
            self._submit(shared, chunk, partial(result.put, number))
        return result

    def _imap(
        self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int | None, ordered: bool
    ) -> IMapIterator:
        self._check_running()
        items = iter(iterable)

        def chunks() -> Iterator[Chunk]:
            while taken := list(islice(items, chunksize or 1)):
                yield [((item,), {}) for item in taken]

        results = IMapIterator(chunks(), 2 * self._size, ordered, partial(self._submit, rustyray.put(func)))
        self._open = [*(one for one in self._open if not one.exhausted), results]
        return results

    # --- the processes ------------------------------------------------------------------------------------------------

    def _check_running(self) -> None:
        if self._closed:
            raise ValueError("the pool is closed")

    def _submit(self, func: Any, chunk: Chunk, tell: _Tell) -> None:
        self._check_running()
        with self._changed:
            self._queue.append((func, chunk, tell))
        self._hand_out()

    def _hand_out(self) -> None:
        """Give what waits to whom is idle."""
        while True:
            with self._changed:
                if not (self._queue and self._idle):
                    return
                child = self._idle.pop()
                func, chunk, tell = self._queue.popleft()
                self._busy[child] = tell
                child.ran += 1
            try:
                ref = child.actor.run.remote(func, chunk)
            except Exception as error:  # noqa: BLE001 - it cannot be pickled, or the runtime is down
                self._is_idle(child, [(False, error)])
            else:
                ref.future().add_done_callback(partial(self._done, child))

    def _done(self, child: _Child, future: Future[list[Outcome]]) -> None:
        error = future.exception()
        if isinstance(error, rustyray.exceptions.RayActorError):
            child.ran = -1
        self._is_idle(child, future.result() if error is None else [(False, error)])

    def _is_idle(self, child: _Child, outcomes: list[Outcome]) -> None:
        with self._changed:
            tell = self._busy.pop(child, None)  # nobody is to be told after `terminate`
            if tell is not None:
                self._idle.append(self._successor(child))
        if tell is None:
            return
        self._hand_out()
        tell(outcomes)
        with self._changed:
            self._end_if_done()
            self._changed.notify_all()

    def _successor(self, child: _Child) -> _Child:
        """Who takes the next chunk."""
        if child.ran >= 0 and not 0 < self._chunks_per_child <= child.ran:
            return child
        if child.ran >= 0:
            self._ending.append(child.actor.__ray_terminate__.remote())
        return _Child(self._new_actor())

    def _end_if_done(self) -> None:
        if self._closed and not self._queue and not self._busy:
            self._ending += [child.actor.__ray_terminate__.remote() for child in self._idle]
            self._idle.clear()

    # --- the end ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Take no more work; the processes end when they have done what there is."""
        for results in self._open:
            results.submit_all()
        self._open = []
        with self._changed:
            self._closed = True
            self._end_if_done()

    def terminate(self) -> None:
        """End the processes at once; what is not done raises a RuntimeError."""
        with self._changed:
            self._closed = True
            self._open = []
            children = [*self._idle, *self._busy]
            undone = [*(tell for _, _, tell in self._queue), *self._busy.values()]
            self._queue.clear()
            self._busy.clear()
            self._idle.clear()
            self._changed.notify_all()
        if rustyray.is_initialized():
            for child in children:
                rustyray.kill(child.actor)
        for tell in undone:
            tell([(False, RuntimeError("the pool was terminated before this was done"))])

    def join(self) -> None:
        """Wait until the processes have ended. Raises ValueError unless `close` or `terminate` was called."""
        if not self._closed:
            raise ValueError("the pool is still running: call close() or terminate() before join()")
        with self._changed:
            self._changed.wait_for(lambda: not self._queue and not self._busy)
            ending, self._ending = self._ending, []
        if ending and rustyray.is_initialized():
            rustyray.wait(ending, num_returns=len(ending))

    def __enter__(self) -> Pool:
        self._check_running()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminate()

    def __reduce__(self) -> Any:
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")

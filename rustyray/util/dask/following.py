"""dask's own callbacks, such as its ``ProgressBar``: they are told of a task when it is submitted (as in Ray)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from dask.callbacks import local_callbacks
from dask.local import finish_task, start_state_from_dask
from dask.order import order

#: What one callback has: ``start``, ``start_state``, ``pretask``, ``posttask`` and ``finish``, or None.
_Callback: TypeAlias = tuple[Any, Any, Any, Any, Any]


class Follower:
    """Keeps the state of a graph that dask's schedulers keep, for the callbacks to look at."""

    def __init__(self, callbacks: list[_Callback], graph: dict[Hashable, Any], wanted: Iterable[Hashable]) -> None:
        self._callbacks = callbacks
        self._graph = graph
        self._wanted = set(wanted)
        self._state: dict[str, Any] = {}

    def start(self) -> None:
        for start, *_ in self._callbacks:
            if start:
                start(self._graph)
        self._order = order(self._graph).get
        self._state = start_state_from_dask(self._graph, keys=self._wanted, sortkey=self._order)
        for _, start_state, *_ in self._callbacks:
            if start_state:
                start_state(self._graph, self._state)

    def submits(self, key: Hashable) -> None:
        self._state["ready"].remove(key)
        self._state["running"].add(key)
        for _, _, before, *_ in self._callbacks:
            if before:
                before(key, self._graph, self._state)

    def submitted(self, key: Hashable, ref: Any) -> None:
        self._state["cache"][key] = ref
        finish_task(self._graph, key, self._state, self._wanted, self._order)
        for _, _, _, after, _ in self._callbacks:
            if after:
                after(key, ref, self._graph, self._state, None)

    def finish(self, failed: bool) -> None:
        for *_, finish in self._callbacks:
            if finish:
                finish(self._graph, self._state, failed)


@contextmanager
def followed(
    graph: dict[Hashable, Any], wanted: Iterable[Hashable], callbacks: Iterable[_Callback] | None
) -> Iterator[Follower | None]:
    """What is to be told of the tasks of a graph, if anybody wants to know: ``callbacks``, or else the active ones."""
    with local_callbacks(callbacks) as found:
        told = [callback for callback in found if any(callback)]
        if not told:
            yield None
            return
        follower, failed = Follower(told, graph, wanted), True
        try:
            follower.start()
            yield follower
            failed = False
        finally:
            follower.finish(failed)

"""``ray_dask_get``: each task of a dask graph becomes a task here, and its inputs the refs of those that it depends on.

Everything is submitted at once, in dask's own order; intermediate results stay where they were made.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeAlias

import dask
from dask._task_spec import Alias, DataNode, convert_legacy_graph
from dask.core import flatten
from dask.order import order

import rustyray
from rustyray.util.dask.callbacks import RayCallbacks, local_ray_callbacks, unpack_ray_callbacks
from rustyray.util.dask.following import Follower, followed

_Graph: TypeAlias = dict[Hashable, Any]
_Pairs: TypeAlias = list[tuple[Callable[..., Any] | None, Callable[..., Any] | None]]
_RESOURCES = (
    "resources={…} is not what tasks take: write ray_remote_args={'resources': {…}}, as an argument of compute() or in "
    "dask.annotate(…)"
)


def enable_dask_on_ray(shuffle: str | None = "tasks", use_shuffle_optimization: bool | None = True) -> Any:
    """Have dask compute its collections on RustyRay from now on, or within a ``with`` block (as in Ray).

    Args:
        shuffle: how data frames are shuffled.
        use_shuffle_optimization: of no effect, as in Ray with the present versions of dask.
    """
    return dask.config.set({"scheduler": ray_dask_get, "dataframe.shuffle.method": shuffle})


def disable_dask_on_ray() -> Any:
    """Have dask compute with its own schedulers again."""
    return dask.config.set({"scheduler": None, "dataframe.shuffle.method": None})


def ray_dask_get(dsk: Any, keys: Any, **options: Any) -> Any:
    """Compute these keys of a graph, with a task here for each of its tasks (as in Ray).

    Args:
        dsk: dask's graph, or an expression that has one.
        keys: a key, or lists of keys in lists.
        options: ``ray_remote_args``: options of all tasks, such as ``{"num_cpus": 2}`` (those of some:
            ``dask.annotate(ray_remote_args=…)``); ``ray_callbacks``: instead of the active ones; ``ray_persist``:
            return refs, not values; ``callbacks``: dask's own, instead of the active ones. Others, which are for dask's
            own schedulers, have no effect.

    Raises:
        ValueError: ``resources`` was given outside ``ray_remote_args``.
        Exception: What a task raised: a `RayTaskError` that is an instance of that exception's class too.
    """
    if "resources" in options or "resources" in dask.get_annotations():
        raise ValueError(_RESOURCES)
    graph = _graph_of(dsk)
    of_tasks = _options_by_key(graph, options.get("ray_remote_args") or {})
    with local_ray_callbacks(options.get("ray_callbacks")) as active:
        callbacks = unpack_ray_callbacks(active)
        converted: _Graph = convert_legacy_graph(graph)
        wanted = list(flatten([keys], container=list))
        with followed(converted, wanted, options.get("callbacks")) as follower:
            found = _Submission(converted, of_tasks, callbacks, follower).of(wanted)
            for call in callbacks.ray_postsubmit_all_cbs:
                call([found[key] for key in wanted], converted)
            if not options.get("ray_persist"):
                refs = {key: ref for key, ref in found.items() if isinstance(ref, rustyray.ObjectRef)}
                found |= zip(refs, rustyray.get(list(refs.values())), strict=True)
        result = [_arranged(key, found) for key in keys] if isinstance(keys, list) else found[keys]
        for call in callbacks.ray_finish_cbs:
            call(result)
    return result


#: Ray's scheduler that submits in the calling thread, as this one always does.
ray_dask_get_sync = ray_dask_get


def _graph_of(dsk: Any) -> Any:
    if isinstance(dsk, Mapping):
        return dsk
    return dsk._optimized_dsk if hasattr(dsk, "_optimized_dsk") else dsk.__dask_graph__()


def _options_by_key(graph: Any, given: Mapping[str, Any]) -> Callable[[Hashable], dict[str, Any]]:
    """The options of each task: of its layer, of ``dask.annotate`` around all, of this call."""
    common = {**given, **dask.get_annotations().get("ray_remote_args", {})}
    by_key: dict[Hashable, dict[str, Any]] = {}
    for layer in getattr(graph, "layers", {}).values():
        annotations = layer.annotations or {}
        if "resources" in annotations:
            raise ValueError(_RESOURCES)
        if "ray_remote_args" in annotations:
            merged = {**common, **annotations["ray_remote_args"]}
            by_key |= dict.fromkeys(layer.get_output_keys(), merged)
    return lambda key: by_key.get(key, common)


class _Submission:
    """Submits what some keys of a graph need."""

    def __init__(
        self,
        graph: _Graph,
        options: Callable[[Hashable], dict[str, Any]],
        callbacks: RayCallbacks,
        follower: Follower | None,
    ) -> None:
        self._graph = graph
        self._options = options
        self._callbacks = callbacks
        self._follower = follower
        self._pairs: _Pairs = list(zip(callbacks.ray_pretask_cbs, callbacks.ray_posttask_cbs, strict=True))
        #: A ref for each key, or a value: of the graph, or that a callback gave.
        self._found: _Graph = {}
        #: The refs of those values of the graph that a task has needed.
        self._stored: _Graph = {}

    def of(self, wanted: list[Hashable]) -> _Graph:
        """A ref, or a value, for each of these."""
        needed = _needed(self._graph, wanted)
        for key in sorted(needed, key=order(needed).__getitem__):
            if isinstance(needed[key], DataNode):
                self._found[key] = needed[key].value
                continue
            if self._follower is not None:
                self._follower.submits(key)
            self._found[key] = self._submitted(key, needed[key])
            if self._follower is not None:
                self._follower.submitted(key, self._found[key])
        return {key: self._found[key] for key in wanted}

    def _submitted(self, key: Hashable, task: Any) -> Any:
        deps = {other: self._given(other) for other in task.dependencies}
        given = [call(task, key, deps) for call in self._callbacks.ray_presubmit_cbs]
        instead = next((value for value in given if value is not None), None)
        if instead is not None:
            return instead
        if isinstance(task, Alias):
            return self._found[task.target]
        named = {"name": f"dask:{key!s}", **self._options(key)}
        ref = _run.options(**named).remote(task, key, self._pairs, list(deps), *deps.values())
        for call in self._callbacks.ray_postsubmit_cbs:
            call(task, key, deps, ref)
        return ref

    def _given(self, key: Hashable) -> Any:
        """What a task is given that needs this key: values of the graph travel once."""
        value = self._found[key]
        while isinstance(self._graph[key], Alias) and self._found[self._graph[key].target] is value:
            key = self._graph[key].target
        if not isinstance(self._graph[key], DataNode) or isinstance(value, rustyray.ObjectRef):
            return value
        if key not in self._stored:
            self._stored[key] = rustyray.put(value)
        return self._stored[key]


def _needed(graph: _Graph, wanted: list[Hashable]) -> _Graph:
    found: _Graph = {}
    left = list(wanted)
    while left:
        key = left.pop()
        if key not in found:
            found[key] = graph[key]
            left += graph[key].dependencies
    return found


@rustyray.remote
def _run(task: Any, key: Hashable, pairs: _Pairs, names: list[Hashable], *values: Any) -> Any:
    states = [before(key, values) if before is not None else None for before, _ in pairs]
    result = task(dict(zip(names, values, strict=True)))
    for (_, after), state in zip(pairs, states, strict=True):
        if after is not None:
            after(key, result, state)
    return result


def _arranged(keys: Any, found: _Graph) -> Any:
    """What was found, in tuples where keys are in inner lists (as in dask)."""
    return tuple(_arranged(key, found) for key in keys) if isinstance(keys, list) else found[keys]

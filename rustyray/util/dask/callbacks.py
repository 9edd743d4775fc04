"""``RayDaskCallback``: what is to be called for each dask task, where it is submitted and where it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final, NamedTuple

from dask.callbacks import Callback

NAMES: Final = ("presubmit", "postsubmit", "pretask", "posttask", "postsubmit_all", "finish")


class RayCallback(NamedTuple):
    """The functions of one `RayDaskCallback`; None for those that it does not have."""

    ray_presubmit: Callable[..., Any] | None
    ray_postsubmit: Callable[..., Any] | None
    ray_pretask: Callable[..., Any] | None
    ray_posttask: Callable[..., Any] | None
    ray_postsubmit_all: Callable[..., Any] | None
    ray_finish: Callable[..., Any] | None


class RayCallbacks(NamedTuple):
    """The functions of all callbacks, by kind. Those of a task are in pairs: before and after."""

    ray_presubmit_cbs: list[Callable[..., Any]]
    ray_postsubmit_cbs: list[Callable[..., Any]]
    ray_pretask_cbs: list[Callable[..., Any] | None]
    ray_posttask_cbs: list[Callable[..., Any] | None]
    ray_postsubmit_all_cbs: list[Callable[..., Any]]
    ray_finish_cbs: list[Callable[..., Any]]


class RayDaskCallback(Callback):  # type: ignore[misc]
    """Inherit from it and define some of the methods below, or give functions to it (as in Ray).

    ``_ray_presubmit(task, key, deps)``: before a task is submitted; what it returns, unless None, is its result.
    ``_ray_postsubmit(task, key, deps, object_ref)``: after that.
    ``_ray_pretask(key, values)``: in the worker, before it runs.
    ``_ray_posttask(key, result, pre_state)``: after that; with what ``_ray_pretask`` returned.
    ``_ray_postsubmit_all(object_refs, dsk)``: when all tasks are submitted.
    ``_ray_finish(result)``: when the results are there.

    Args:
        ray_presubmit, …: functions, as these methods without ``self``.
    """

    ray_active: ClassVar[set[RayCallback]] = set()

    def __init__(self, **functions: Any) -> None:
        for name in NAMES:
            function = functions.pop(f"ray_{name}", None)
            if function is not None:
                setattr(self, f"_ray_{name}", function)
        super().__init__(**functions)

    @property
    def _ray_callback(self) -> RayCallback:
        return RayCallback(*(getattr(self, f"_ray_{name}", None) for name in NAMES))

    def __enter__(self) -> RayDaskCallback:
        RayDaskCallback.ray_active.add(self._ray_callback)
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        RayDaskCallback.ray_active.discard(self._ray_callback)

    def __getstate__(self) -> dict[str, Any]:
        """Without what dask keeps in a ``with`` block: that refers back to this, and would stay in workers for long."""
        return {name: value for name, value in self.__dict__.items() if name != "_cm"}

    def register(self) -> None:
        """Call it from now on, outside ``with`` too."""
        RayDaskCallback.ray_active.add(self._ray_callback)
        super().register()

    def unregister(self) -> None:
        """Call it no more."""
        RayDaskCallback.ray_active.discard(self._ray_callback)
        super().unregister()


def unpack_ray_callbacks(callbacks: Iterable[RayCallback | RayDaskCallback] | None) -> RayCallbacks:
    """The functions of callbacks by their kind."""
    found = [one if isinstance(one, RayCallback) else one._ray_callback for one in callbacks or ()]
    in_pairs = [(one.ray_pretask, one.ray_posttask) for one in found if one.ray_pretask or one.ray_posttask]
    return RayCallbacks(
        [one.ray_presubmit for one in found if one.ray_presubmit],
        [one.ray_postsubmit for one in found if one.ray_postsubmit],
        [before for before, _ in in_pairs],
        [after for _, after in in_pairs],
        [one.ray_postsubmit_all for one in found if one.ray_postsubmit_all],
        [one.ray_finish for one in found if one.ray_finish],
    )


@contextmanager
def local_ray_callbacks(
    callbacks: Iterable[RayCallback | RayDaskCallback] | None = None,
) -> Iterator[Iterable[RayCallback | RayDaskCallback]]:
    """These callbacks, or else the active ones, which are not called for what is computed inside the block."""
    if callbacks is not None:
        yield callbacks
        return
    active, RayDaskCallback.ray_active = RayDaskCallback.ray_active, set()
    try:
        yield active
    finally:
        RayDaskCallback.ray_active = active

"""``persist`` on RustyRay: the results stay in the cluster, and the collection refers to them."""

from __future__ import annotations

from typing import Any

import dask
import dask.base

from rustyray.util.dask.scheduler import ray_dask_get

_persist = dask.persist
_persist_method = dask.base.DaskMethodsMixin.persist


def ray_dask_persist(*args: Any, **kwargs: Any) -> Any:
    """As ``dask.persist``, which it stands in for once this is imported; with `ray_dask_get` the results are refs."""
    return _persist(*args, **_with_refs(kwargs))


def _persist_here(self: Any, **kwargs: Any) -> Any:
    return _persist_method(self, **_with_refs(kwargs))


def _with_refs(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Other schedulers are not to hear of it."""
    chosen = dask.base.get_scheduler(scheduler=kwargs.get("scheduler"))
    return {**kwargs, "ray_persist": True} if chosen is ray_dask_get else kwargs


dask.persist = ray_dask_persist
dask.base.DaskMethodsMixin.persist = _persist_here

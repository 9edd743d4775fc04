"""dask's graphs as tasks: ``enable_dask_on_ray()``, or ``compute(scheduler=ray_dask_get)`` (as in Ray).

scheduler.py   a graph becomes tasks; how they are collected
callbacks.py   what is called on the way
progress.py    how far a graph has come
persisting.py  ``persist`` leaves its results in the cluster
"""

from __future__ import annotations

from rustyray.util.dask.callbacks import RayDaskCallback, local_ray_callbacks, unpack_ray_callbacks
from rustyray.util.dask.persisting import ray_dask_persist
from rustyray.util.dask.progress import ProgressBarCallback
from rustyray.util.dask.scheduler import disable_dask_on_ray, enable_dask_on_ray, ray_dask_get, ray_dask_get_sync

__all__ = [
    "ProgressBarCallback",
    "RayDaskCallback",
    "disable_dask_on_ray",
    "enable_dask_on_ray",
    "local_ray_callbacks",
    "ray_dask_get",
    "ray_dask_get_sync",
    "ray_dask_persist",
    "unpack_ray_callbacks",
]


def __getattr__(name: str) -> object:
    from rustyray.missing import absent

    raise absent(__name__, name)

"""A pytest plugin: dask's schedulers by name, and by default, are `ray_dask_get`, and a runtime is up."""

from collections.abc import Iterator

import dask
import dask.base
import pytest

import rustyray
from rustyray.util.dask import persisting, ray_dask_get

for name in ("sync", "synchronous", "single-threaded", "threads", "threading", "processes", "multiprocessing"):
    dask.base.named_schedulers[name] = ray_dask_get
dask.config.set(scheduler=ray_dask_get)
# Their checks look at the values in what persist() returns, where there are refs.
dask.persist = persisting._persist
dask.base.DaskMethodsMixin.persist = persisting._persist_method


@pytest.fixture(autouse=True, scope="session")
def runtime() -> Iterator[None]:
    with rustyray.init(num_cpus=4):
        yield

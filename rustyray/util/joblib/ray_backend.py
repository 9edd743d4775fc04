"""The backend: joblib's batches run in the actors of a `Pool`. Large arguments are stored once for all of a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from joblib._parallel_backends import (
    AutoBatchingMixin,
    FallbackToBackend,
    ParallelBackendBase,
    PoolManagerMixin,
    SequentialBackend,
)

import rustyray
from rustyray.util.joblib import register_ray
from rustyray.util.multiprocessing import Pool

#: Arguments of so many bytes are stored once, and read by all (as joblib maps them into memory).
STORED_FROM: Final = 100_000


class RayBackend(PoolManagerMixin, AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """joblib's calls on the cluster.

    Args:
        ray_remote_args: options of the actors that run them, such as ``{"num_cpus": 1}``.
    """

    supports_retrieve_callback = True

    def __init__(
        self,
        nesting_level: int | None = None,
        inner_max_num_threads: int | None = None,
        ray_remote_args: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads, **options)
        self._ray_remote_args = ray_remote_args
        self._stored: dict[int, tuple[Any, Any]] = {}

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """How many processes: all CPUs of the cluster for -1, all but one for -2, and so on.

        Raises:
            ValueError: 0 means nothing.
        """
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        if n_jobs > 0:
            return n_jobs
        if not rustyray.is_initialized():
            rustyray.init()
        return max(1, int(rustyray.cluster_resources().get("CPU", 1)) + 1 + n_jobs)

    def configure(
        self,
        n_jobs: int = 1,
        parallel: Any = None,
        prefer: str | None = None,
        require: str | None = None,
        ray_remote_args: Mapping[str, Any] | None = None,
        **memmapping: Any,
    ) -> int:
        """Start the pool (joblib calls this); joblib's options for memory maps have no use here."""
        n_jobs = self.effective_n_jobs(n_jobs)
        if n_jobs == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        self.parallel = parallel
        self._pool = Pool(n_jobs, ray_remote_args=ray_remote_args or self._ray_remote_args)
        return n_jobs

    def submit(self, func: Any, callback: Callable[[Any], object] | None = None) -> Any:
        """Have a batch done (joblib calls this)."""
        items = getattr(func, "items", None)
        if items is not None:
            func.items = [
                (call, [self._store(arg) for arg in args], {name: self._store(arg) for name, arg in kwargs.items()})
                for call, args, kwargs in items
            ]
        return super().submit(_Reading(func), callback)

    def _store(self, value: Any) -> Any:
        if getattr(value, "nbytes", 0) < STORED_FROM:
            return value
        known = self._stored.get(id(value))
        if known is None:
            known = self._stored[id(value)] = value, _Stored(rustyray.put(value))
        return known[1]

    def terminate(self) -> None:
        """End the pool (joblib calls this)."""
        self.reset_batch_stats()
        self._stored.clear()
        super().terminate()


class _Stored:
    """An argument that is in the store."""

    __slots__ = ("ref",)

    def __init__(self, ref: Any) -> None:
        self.ref = ref


class _Reading:
    """A batch that reads its stored arguments where it runs."""

    __slots__ = ("batch",)

    def __init__(self, batch: Any) -> None:
        self.batch = batch

    def __call__(self) -> Any:
        register_ray()  # what runs here may use joblib with this backend itself
        items = getattr(self.batch, "items", None)
        if items is not None:
            self.batch.items = [
                (call, [_read(arg) for arg in args], {name: _read(arg) for name, arg in kwargs.items()})
                for call, args, kwargs in items
            ]
        return self.batch()

    def __len__(self) -> int:
        return len(self.batch)


def _read(value: Any) -> Any:
    return rustyray.get(value.ref) if isinstance(value, _Stored) else value

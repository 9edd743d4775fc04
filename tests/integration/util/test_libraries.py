"""joblib and dask on top."""

from __future__ import annotations

import time
from operator import add
from pathlib import Path
from typing import Any

import dask
import joblib
import numpy as np
import pytest
from dask import delayed
from dask.callbacks import Callback

import rustyray
from rustyray.util.dask import (
    ProgressBarCallback,
    RayDaskCallback,
    disable_dask_on_ray,
    enable_dask_on_ray,
    ray_dask_get,
    ray_dask_get_sync,
)
from rustyray.util.joblib import register_ray

pytestmark = pytest.mark.usefixtures("shared")


def inverse(x: float) -> float:
    return 1 / x


def total(array: Any, factor: int) -> float:
    return float(array.sum() * factor)


def resources(_: object = None) -> dict[str, float]:
    return rustyray.get_runtime_context().get_assigned_resources()


@pytest.mark.parametrize("backend", ["ray", "rustyray"])
def test_joblib(backend: str) -> None:
    register_ray()
    large = np.ones(50_000)
    with joblib.parallel_config(backend=backend, n_jobs=3):
        assert joblib.Parallel()(joblib.delayed(inverse)(x) for x in (1, 2, 4)) == [1, 0.5, 0.25]
        assert joblib.Parallel()(joblib.delayed(total)(large, factor=n) for n in range(4)) == [0, 5e4, 1e5, 1.5e5]
        with pytest.raises(ZeroDivisionError):
            joblib.Parallel()(joblib.delayed(inverse)(x) for x in (1, 0))
        assert joblib.effective_n_jobs(-1) == 4
    with joblib.parallel_config(backend=backend, ray_remote_args={"num_cpus": 0.5}, n_jobs=2):
        assert joblib.Parallel()(joblib.delayed(resources)(n) for n in range(2)) == [{"CPU": 0.5}] * 2


def test_dask_graphs() -> None:
    graph = {"a": 1, "b": (add, "a", 10), "c": (sum, ["a", "b"]), "unwanted": (inverse, 0), "same": "c"}
    for get in (ray_dask_get, ray_dask_get_sync):
        assert get(graph, "c") == 12
        assert get(graph, [["a", "b"], ["same"]]) == [(1, 11), (12,)]
    with pytest.raises(ZeroDivisionError):
        ray_dask_get(graph, ["unwanted"])
    with pytest.raises(RuntimeError, match=r"[Cc]ycle"):
        ray_dask_get({"a": (inverse, "b"), "b": (inverse, "a")}, "a")


def test_dask_collections() -> None:
    with enable_dask_on_ray():
        assert delayed(sum)([delayed(inverse)(1), delayed(inverse)(2)]).compute() == 1.5
        [kept] = dask.persist(delayed(np.ones)(10))
        assert isinstance(dict(kept.dask)[kept.key], rustyray.ObjectRef)
        assert (kept + 1).sum().compute() == 20
    with dask.config.set(scheduler="sync"):
        [kept] = dask.persist(delayed(inverse)(2))
        assert kept.compute() == 0.5
    disable_dask_on_ray()


def test_dask_options() -> None:
    with enable_dask_on_ray():
        assert delayed(resources)().compute(ray_remote_args={"num_cpus": 2}) == {"CPU": 2}
        with dask.annotate(ray_remote_args={"num_cpus": 0.5}):
            small = delayed(resources)()
        assert small.compute(optimize_graph=False) == {"CPU": 0.5}
        with pytest.raises(ValueError, match="write ray_remote_args="):
            delayed(resources)().compute(resources={"a": 1})


class Told(RayDaskCallback):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []

    def _ray_presubmit(self, task: Any, key: str, deps: dict[str, Any]) -> Any:
        self.told.append(("presubmit", key))
        return 100 if key == "given" else None

    def _ray_postsubmit(self, task: Any, key: str, deps: dict[str, Any], object_ref: Any) -> None:
        self.told.append(("postsubmit", key, sorted(deps)))

    def _ray_finish(self, result: Any) -> None:
        self.told.append(("finish", result))


def before(key: str, values: tuple[Any, ...]) -> float:
    return time.monotonic()


def test_dask_callbacks(tmp_path: Path) -> None:
    graph = {"given": (inverse, 1), "b": (add, "given", 1)}
    with Told() as told:
        assert ray_dask_get(graph, "b") == 101
    assert told.told[0] == ("presubmit", "given")
    assert ("postsubmit", "b", ["given"]) in told.told
    assert told.told[-1] == ("finish", 101)
    file = tmp_path / "told"
    path = str(file)

    def here(key: str, result: Any, began: float) -> None:
        with open(path, "a") as told_file:
            told_file.write(f"{key} {result} {began <= time.monotonic()}\n")

    assert ray_dask_get(graph, "b", ray_callbacks=[RayDaskCallback(ray_pretask=before, ray_posttask=here)]) == 2
    assert file.read_text().splitlines()[-1] == "b 2.0 True"
    assert ray_dask_get(graph, "b") == 2


def test_dasks_own_callbacks() -> None:
    told: list[Any] = []
    graph = {"one": 1, "given": (inverse, "one"), "same": "given", "b": (add, "same", 1)}

    def before(key: str, *of: Any) -> None:
        told.append(key)

    def after(key: str, ref: Any, graph: Any, state: dict[str, Any], worker: Any) -> None:
        told.append((key, len(state["finished"])))

    def finish(graph: Any, state: Any, failed: bool) -> None:
        told.append(failed)

    with Callback(pretask=before, posttask=after, finish=finish):
        assert ray_dask_get(graph, "b") == 2
        assert told == ["given", ("given", 1), "same", ("same", 2), "b", ("b", 3), False]
        with pytest.raises(ZeroDivisionError):
            ray_dask_get({"a": (inverse, 0)}, "a")
        assert told[-1] is True
    value = object()
    assert ray_dask_get({"a": value, "b": "a"}, ["a", ["b"]]) == [value, (value,)]


def test_dask_progress(capfd: pytest.CaptureFixture[str]) -> None:
    first = ProgressBarCallback()
    for progress in (first, ProgressBarCallback()):  # the second uses the actor of the first
        rustyray.get(progress.pb.reset.remote())
        with progress:
            assert ray_dask_get({"a": (inverse, 2), "b": (add, "a", 1)}, "b") == 1.5
        assert rustyray.get(progress.pb.result.remote()) == (2, 2)
        report = rustyray.get(progress.pb.report.remote())
        assert sorted(key for key, _ in report.pop("submission_order")) == sorted(report) == ["a", "b"]
        assert all(time >= 0 for row in report.values() for time in row.values())
    assert capfd.readouterr().out.count("All tasks are completed.") == 2

"""``ProgressBarCallback``: an actor that knows how far a graph has come, for whoever shows it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import rustyray
from rustyray.util.dask.callbacks import RayDaskCallback

#: The actor's name.
NAME: Final = "_dask_on_ray_pb"


class Progress:
    """When each dask task was submitted, began, and ended (seconds since the epoch)."""

    def __init__(self) -> None:
        self.submitted: dict[Any, float] = {}
        self.began: dict[Any, float] = {}
        self.ended: dict[Any, float] = {}

    def submit(self, key: Any, now: float) -> None:
        self.submitted[key] = now

    def task_scheduled(self, key: Any, now: float) -> None:
        self.began[key] = now

    def finish(self, key: Any, now: float) -> None:
        self.ended[key] = now

    def result(self) -> tuple[int, int]:
        """How many were submitted, and how many of them have ended."""
        return len(self.submitted), len(self.ended)

    def report(self) -> dict[Any, Any]:
        """For each that ended, how long it waited and ran, in seconds; and in which order they were submitted."""
        report: dict[Any, Any] = {
            key: {
                "execution_time": ended - self.began[key],
                # It may have begun before its driver looked at the clock.
                "scheduling_time": max(0.0, self.began[key] - self.submitted[key]),
            }
            for key, ended in self.ended.items()
        }
        report["submission_order"] = list(self.submitted.items())
        return report

    def reset(self) -> None:
        self.__init__()  # type: ignore[misc]

    def ready(self) -> None:
        """There it is."""


class ProgressBarCallback(RayDaskCallback):
    """Counts the tasks of the graphs that are computed in its block (as in Ray; there is no bar, either).

    ``get(callback.pb.result.remote())`` tells how many tasks were submitted and how many are done;
    ``callback.pb.report`` how long they took. The actor is called "_dask_on_ray_pb" and is used again.
    """

    def __init__(self) -> None:
        super().__init__()
        try:
            self.pb = rustyray.get_actor(NAME)
            rustyray.get(self.pb.reset.remote())
        except ValueError:
            self.pb = rustyray.remote(Progress).options(name=NAME).remote()
            rustyray.get(self.pb.ready.remote())

    def _ray_postsubmit(self, task: Any, key: Any, deps: Mapping[Any, Any], object_ref: Any) -> None:
        self.pb.submit.remote(key, time.time())

    def _ray_pretask(self, key: Any, object_refs: Any) -> None:
        self.pb.task_scheduled.remote(key, time.time())

    def _ray_posttask(self, key: Any, result: Any, pre_state: Any) -> None:
        rustyray.get(self.pb.finish.remote(key, time.time()))  # known before the result is

    def _ray_finish(self, result: Any) -> None:
        print("All tasks are completed.")

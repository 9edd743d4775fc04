"""Generators of Ray's as ours."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from typing import Any

import ray

from rustyray.engines.ray.parcels import our_ref
from rustyray.exceptions import GetTimeoutError
from rustyray.runtime.generator import ObjectRefGenerator
from rustyray.runtime.ref import ObjectRef


class Stream:
    """A generator of Ray's, read through one of ours (`rustyray.runtime.generator.Reader`)."""

    def __init__(self, theirs: ray.ObjectRefGenerator) -> None:
        self.theirs = theirs
        self._lock = threading.Lock()
        self._runtime = _runtime()

    def take(self, generator: ObjectRefGenerator[Any], deadline: float | None) -> ObjectRef[Any] | None:
        self.check_open()
        if deadline is not None:
            ready, _ = ray.wait([self.theirs], timeout=max(0.0, deadline - time.monotonic()), fetch_local=False)
            if not ready:
                raise GetTimeoutError("next() waited, and the generator has not yielded another item")
        with self._lock:  # Ray's own is for one thread
            ref = next(self.theirs, None)
        return None if ref is None else our_ref(ref)

    def await_item(self, generator: ObjectRefGenerator[Any]) -> Generator[Any, None, ObjectRef[Any] | None]:
        self.check_open()
        try:
            ref = yield from self.theirs.__anext__().__await__()
        except StopAsyncIteration:
            return None
        return our_ref(ref)

    def next_of(self, task: bytes) -> bytes:
        self.check_open()
        found: bytes = self.theirs._get_next_object_id_binary()
        return found

    def item_state(self, generator: ObjectRefGenerator[Any]) -> tuple[bool, bool]:
        self.check_open()
        return self.theirs.next_ready(), self.theirs.is_finished()

    def check_open(self) -> None:
        """Ray's own process would end where a generator is read that it does not know."""
        if self._runtime is not _runtime():
            raise RuntimeError("this generator is of an earlier runtime of this program: its runtime has ended")


def _runtime() -> Any:
    return getattr(ray._private.worker.global_worker, "core_worker", None)


def our_generator(theirs: ray.ObjectRefGenerator) -> ObjectRefGenerator[Any]:
    completed = theirs.completed()
    return ObjectRefGenerator(Stream(theirs), completed.task_id().binary(), our_ref(completed), _nothing)


def _nothing(_id: bytes) -> None:
    """Ray's generator goes with its `Stream`, and takes what was not read with it."""

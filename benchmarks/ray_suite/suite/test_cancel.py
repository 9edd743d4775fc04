"""Cancelling tasks."""

import asyncio
import time

import pytest
import ray
from ray.exceptions import RayError, TaskCancelledError


@ray.remote
class Signal:
    def __init__(self):
        self.event = asyncio.Event()

    async def send(self):
        self.event.set()

    async def wait(self):
        await self.event.wait()


@ray.remote
def sleeper(started):
    started.touch()
    while True:
        time.sleep(0.01)


def wait_for(path):
    end = time.time() + 30
    while not path.exists():
        assert time.time() < end
        time.sleep(0.01)


@pytest.fixture
def started(tmp_path):
    return tmp_path / "started"


@ray.remote
def identity(x):
    return x


def test_a_running_task(ray_start_2_cpus, started):
    ref = sleeper.remote(started)
    wait_for(started)
    ray.cancel(ref)
    with pytest.raises(TaskCancelledError):
        ray.get(ref)


def test_a_queued_task(ray_start_regular, started):
    running = sleeper.remote(started)
    wait_for(started)
    queued = identity.remote(1)
    ray.cancel(queued)
    with pytest.raises(TaskCancelledError):
        ray.get(queued)
    ray.cancel(running, force=True)


def test_with_force(ray_start_regular, started):
    ref = sleeper.remote(started)
    wait_for(started)
    ray.cancel(ref, force=True)
    with pytest.raises(RayError):
        ray.get(ref)
    assert ray.get(identity.remote(1)) == 1


def test_a_finished_task_is_left_alone(ray_start_regular):
    ref = identity.remote(1)
    assert ray.get(ref) == 1
    ray.cancel(ref)
    assert ray.get(ref) == 1


def test_a_dependent_task(ray_start_regular, started):
    first = sleeper.remote(started)
    second = identity.remote(first)
    wait_for(started)
    ray.cancel(first)
    with pytest.raises(RayError):
        ray.get(second)


def test_an_async_method(ray_start_regular):
    signal = Signal.remote()
    ref = signal.wait.remote()
    ray.get(signal.__ray_ready__.remote())
    ray.cancel(ref)
    with pytest.raises((TaskCancelledError, RayError)):
        ray.get(ref)
    ray.get(signal.send.remote())


def test_an_actor_task_with_force_is_refused(ray_start_regular):
    signal = Signal.remote()
    ref = signal.wait.remote()
    with pytest.raises(ValueError):
        ray.cancel(ref, force=True)
    ray.get(signal.send.remote())


def test_children_are_cancelled_too(ray_start_4_cpus, started):
    @ray.remote
    def parent():
        return ray.get(sleeper.remote(started))

    ref = parent.remote()
    wait_for(started)
    ray.cancel(ref, recursive=True)
    with pytest.raises(RayError):
        ray.get(ref)


def test_cleanup_of_a_cancelled_task(ray_start_2_cpus, started, tmp_path):
    path = tmp_path / "cleaned"

    @ray.remote
    def careful():
        try:
            started.touch()
            while True:
                time.sleep(0.01)
        finally:
            path.write_text("yes")

    ref = careful.remote()
    wait_for(started)
    ray.cancel(ref)
    with pytest.raises(TaskCancelledError):
        ray.get(ref)
    wait_for(path)


def test_what_is_no_ref_is_refused(ray_start_regular):
    with pytest.raises(TypeError):
        ray.cancel(42)

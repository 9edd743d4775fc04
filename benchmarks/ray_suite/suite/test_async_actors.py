"""Actors whose methods are coroutines, and actors with threads."""

import asyncio
import threading
import time

import pytest
import ray


@ray.remote
class AsyncSignal:
    def __init__(self):
        self.event = asyncio.Event()

    async def send(self):
        self.event.set()

    async def wait(self):
        await self.event.wait()
        return "seen"


@ray.remote
class Threaded:
    def __init__(self):
        self.barrier = threading.Barrier(2)
        self.running = self.most = 0
        self.lock = threading.Lock()

    def meet(self):
        return self.barrier.wait(timeout=30)

    def work(self):
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        time.sleep(0.05)
        with self.lock:
            self.running -= 1

    def peak(self):
        return self.most


def test_coroutine_method(ray_start_regular):
    @ray.remote
    class Worker:
        async def double(self, x):
            await asyncio.sleep(0)
            return 2 * x

    assert ray.get(Worker.remote().double.remote(4)) == 8


def test_calls_overlap(ray_start_regular):
    signal = AsyncSignal.remote()
    waiting = [signal.wait.remote() for _ in range(5)]
    assert ray.wait(waiting, timeout=0.1)[0] == []
    ray.get(signal.send.remote())
    assert ray.get(waiting) == ["seen"] * 5


def test_a_task_waits_for_a_signal(ray_start_2_cpus):
    @ray.remote
    def waiter(signal):
        return ray.get(signal.wait.remote())

    signal = AsyncSignal.remote()
    ref = waiter.remote(signal)
    ray.get(signal.send.remote())
    assert ray.get(ref) == "seen"


def test_max_concurrency_of_an_async_actor(ray_start_regular):
    @ray.remote(max_concurrency=2)
    class Limited:
        def __init__(self):
            self.running = self.most = 0

        async def work(self):
            self.running += 1
            self.most = max(self.most, self.running)
            await asyncio.sleep(0.02)
            self.running -= 1

        async def peak(self):
            return self.most

    actor = Limited.remote()
    ray.get([actor.work.remote() for _ in range(10)])
    assert ray.get(actor.peak.remote()) == 2


def test_await_a_ref_in_an_actor(ray_start_2_cpus):
    @ray.remote
    def double(x):
        return 2 * x

    @ray.remote
    class Worker:
        async def ask(self, x):
            return await double.remote(x) + 1

    assert ray.get(Worker.remote().ask.remote(3)) == 7


def test_gather_in_an_actor(ray_start_2_cpus):
    @ray.remote
    def double(x):
        return 2 * x

    @ray.remote
    class Worker:
        async def ask(self, n):
            return await asyncio.gather(*[double.remote(i) for i in range(n)])

    assert ray.get(Worker.remote().ask.remote(4)) == [0, 2, 4, 6]


def test_an_error_of_a_coroutine(ray_start_regular):
    @ray.remote
    class Worker:
        async def bad(self):
            raise KeyError("k")

    with pytest.raises(KeyError):
        ray.get(Worker.remote().bad.remote())


def test_sync_methods_of_an_async_actor_run_in_its_loop(ray_start_regular):
    @ray.remote
    class Mixed:
        def plain(self):
            return threading.current_thread().ident

        async def loop(self):
            return threading.current_thread().ident

    actor = Mixed.remote()
    assert ray.get(actor.plain.remote()) == ray.get(actor.loop.remote())


def test_a_background_task_of_an_actor(ray_start_regular):
    @ray.remote
    class Background:
        def __init__(self):
            self.ticks = 0
            self.enough = None

        async def start(self):
            self.enough = asyncio.Event()
            self.task = asyncio.get_running_loop().create_task(self.run())

        async def run(self):
            while self.ticks < 5:
                await asyncio.sleep(0.01)
                self.ticks += 1
            self.enough.set()

        async def result(self):
            await self.enough.wait()
            return self.ticks

    actor = Background.remote()
    ray.get(actor.start.remote())
    assert ray.get(actor.result.remote()) == 5


def test_threads_meet(ray_start_regular):
    actor = Threaded.options(max_concurrency=2).remote()
    assert sorted(ray.get([actor.meet.remote(), actor.meet.remote()])) == [0, 1]


def test_threads_are_limited(ray_start_regular):
    actor = Threaded.options(max_concurrency=3).remote()
    ray.get([actor.work.remote() for _ in range(9)])
    assert 2 <= ray.get(actor.peak.remote()) <= 3


def test_one_thread_by_default(ray_start_regular):
    actor = Threaded.remote()
    ray.get([actor.work.remote() for _ in range(4)])
    assert ray.get(actor.peak.remote()) == 1


def test_concurrency_groups(ray_start_regular):
    @ray.remote(concurrency_groups={"io": 2, "compute": 1})
    class Grouped:
        def __init__(self):
            self.event = asyncio.Event()

        @ray.method(concurrency_group="io")
        async def wait(self):
            await self.event.wait()
            return "io"

        @ray.method(concurrency_group="compute")
        async def compute(self):
            self.event.set()
            return "compute"

    actor = Grouped.remote()
    waiting = [actor.wait.remote(), actor.wait.remote()]
    assert ray.get(actor.compute.remote()) == "compute"
    assert ray.get(waiting) == ["io", "io"]


def test_many_calls_of_an_async_actor(ray_start_regular):
    @ray.remote
    class Echo:
        async def say(self, x):
            return x

    actor = Echo.remote()
    assert ray.get([actor.say.remote(i) for i in range(200)]) == list(range(200))


def test_await_an_actor_from_the_driver(ray_start_regular):
    async def main():
        signal = AsyncSignal.remote()
        waiting = asyncio.ensure_future(asyncio.wrap_future(signal.wait.remote().future()))
        await signal.send.remote()
        return await waiting

    assert asyncio.run(main()) == "seen"


def test_async_context_manager_state(ray_start_regular):
    @ray.remote
    class Guarded:
        def __init__(self):
            self.lock = asyncio.Lock()
            self.value = 0

        async def add(self):
            async with self.lock:
                value = self.value
                await asyncio.sleep(0.001)
                self.value = value + 1
            return self.value

    actor = Guarded.remote()
    ray.get([actor.add.remote() for _ in range(20)])
    assert ray.get(actor.add.remote()) == 21

"""dask distributed: a ``LocalCluster`` of processes with one thread each."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmarks import work
from benchmarks.system import WORKERS, Actor, Caller, Handle, System

if TYPE_CHECKING:
    from benchmarks.work import Array


def spread(width: int) -> int:
    """The nested task: its client submits from inside the worker and gives the worker's thread back meanwhile."""
    with import_module("distributed").worker_client() as client:
        client.gather(client.map(work.identity, range(width), pure=False))
    return width


def spread_twice(width: int) -> int:
    """The tree's root."""
    with import_module("distributed").worker_client() as client:
        return sum(client.gather(client.map(spread, [width] * width, pure=False)))


def drive(actors: list[Any], calls: int) -> int:
    """One client of the mesh."""
    answers = [actors[index % len(actors)].add(1) for index in range(calls)]
    return sum(answer.result() > 0 for answer in answers)


class DaskActor(Actor):
    """A dask actor's future and its proxy, asked for when it is first called."""

    def __init__(self, future: Any) -> None:
        self.future = future
        self._proxy: Any = None

    def proxy(self) -> Any:
        if self._proxy is None:
            self._proxy = self.future.result()
        return self._proxy

    def call(self, amount: int) -> int:
        value: int = self.proxy().add(amount).result()
        return value

    def burst(self, calls: int) -> int:
        add = self.proxy().add
        answers = [add(1) for _ in range(calls)]
        return sum(answer.result() > 0 for answer in answers)

    def stop(self) -> None:
        self._proxy = None
        self.future.release()


class DaskMesh(Caller):
    """Client tasks that call the same actors."""

    def __init__(self, client: Any, actors: list[DaskActor], clients: int) -> None:
        self._client = client
        self._actors = actors
        self._clients = clients

    def burst(self, calls: int) -> int:
        proxies = [actor.proxy() for actor in self._actors]
        share = calls // self._clients
        futures = [self._client.submit(drive, proxies, share, pure=False) for _ in range(self._clients)]
        return sum(self._client.gather(futures))

    def stop(self) -> None:
        for actor in self._actors:
            actor.stop()


class DaskSystem(System):
    """Bursts go through ``Client.map``, dask's own way to submit many tasks; they remain separate tasks."""

    def __init__(self) -> None:
        self._distributed = import_module("distributed")
        self._queued: list[object] = []

    def start(self) -> None:
        cluster = self._distributed.LocalCluster
        self._cluster = cluster(n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=None)
        self._client: Any = self._distributed.Client(self._cluster)

    def stop(self) -> None:
        self._client.close()
        self._cluster.close()

    def call(self, value: int) -> int:
        result: int = self._client.submit(work.identity, value, pure=False).result()
        return result

    def burst(self, tasks: int) -> int:
        return sum(self._client.gather(self._submit(tasks)))

    def blocks(self, tasks: int, nbytes: int) -> int:
        results = self._client.gather(self._client.map(work.block, [nbytes] * tasks, pure=False))
        return sum(result.nbytes for result in results)

    def queue(self, tasks: int) -> None:
        self._queued += self._submit(tasks)

    def queue_hold(self, gate: str, index: int) -> None:
        self._queued.append(self._client.submit(work.hold, gate, index, pure=False))

    def share(self, value: Array) -> Handle:
        return self.put(value)

    def total(self, shared: Handle) -> float:
        result: float = self._client.submit(work.total, shared, pure=False).result()
        return result

    def length(self, shared: Handle) -> int:
        result: int = self._client.submit(work.length, shared, pure=False).result()
        return result

    def wait_each(self, tasks: int) -> int:
        pending = set(self._submit(tasks))
        seen = 0
        while pending:
            done = self._distributed.wait(pending, return_when="FIRST_COMPLETED").done
            pending.remove(next(iter(done)))
            seen += 1
        return seen

    def put(self, value: object) -> Handle:
        handle: Handle = self._client.scatter(value, hash=False)
        return handle

    def get(self, handle: Any) -> object:
        value: object = handle.result()
        return value

    def count(self, handles: list[Handle]) -> int:
        result: int = self._client.submit(work.count, *handles, pure=False).result()
        return result

    def nested(self, width: int) -> int:
        result: int = self._client.submit(spread, width, pure=False).result()
        return result

    def tree(self, width: int) -> int:
        result: int = self._client.submit(spread_twice, width, pure=False).result()
        return result

    def actors(self, number: int) -> list[Actor]:
        return [*self._actors(number)]

    def mesh(self, clients: int, actors: int) -> Caller:
        return DaskMesh(self._client, self._actors(actors), clients)

    def _actors(self, number: int) -> list[DaskActor]:
        return [DaskActor(self._client.submit(work.Counter, actor=True, pure=False)) for _ in range(number)]

    def _submit(self, tasks: int) -> list[Any]:
        futures: list[Any] = self._client.map(work.identity, range(tasks), pure=False)
        return futures


def create() -> System:
    """The cluster."""
    return DaskSystem()

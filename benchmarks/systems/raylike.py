"""Ray and RustyRay have one API, so they share one adapter: only the module and ``init``'s options differ."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmarks import work
from benchmarks.system import Actor, Caller, Handle, System

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.work import Array


@cache
def remote(module: str, function: Callable[..., object]) -> Any:
    """``function`` (or class) as a remote one, made once per process."""
    return import_module(module).remote(function)


def spread(module: str, width: int) -> int:
    """The nested task."""
    identity = remote(module, work.identity)
    import_module(module).get([identity.remote(value) for value in range(width)])
    return width


def spread_twice(module: str, width: int) -> int:
    """The tree's root."""
    inner = remote(module, spread)
    return sum(import_module(module).get([inner.remote(module, width) for _ in range(width)]))


def drive(module: str, actors: list[Any], calls: int) -> int:
    """One client of the mesh."""
    answers = [actors[index % len(actors)].add.remote(1) for index in range(calls)]
    return sum(value > 0 for value in import_module(module).get(answers))


class RayActor(Actor):
    """One actor's handle."""

    def __init__(self, api: Any, handle: Any) -> None:
        self._api = api
        self.handle = handle

    def call(self, amount: int) -> int:
        value: int = self._api.get(self.handle.add.remote(amount))
        return value

    def burst(self, calls: int) -> int:
        add = self.handle.add
        return sum(value > 0 for value in self._api.get([add.remote(1) for _ in range(calls)]))

    def stop(self) -> None:
        self._api.kill(self.handle)


class RayMesh(Caller):
    """Client tasks that call the same actors."""

    def __init__(self, api: Any, actors: list[RayActor], clients: int) -> None:
        self._api = api
        self._actors = actors
        self._clients = clients

    def burst(self, calls: int) -> int:
        handles = [actor.handle for actor in self._actors]
        client, name = remote(self._api.__name__, drive), self._api.__name__
        refs = [client.remote(name, handles, calls // self._clients) for _ in range(self._clients)]
        return sum(self._api.get(refs))

    def stop(self) -> None:
        for actor in self._actors:
            actor.stop()


class RayLike(System):
    """A module with Ray's API."""

    def __init__(self, module: str, options: Mapping[str, object]) -> None:
        self._module = module
        self._options = options
        self._api: Any = import_module(module)
        self._identity = remote(module, work.identity)
        self._block = remote(module, work.block)
        self._queued: list[object] = []

    def start(self) -> None:
        self._api.init(**self._options)

    def stop(self) -> None:
        self._queued.clear()
        self._api.shutdown()

    def call(self, value: int) -> int:
        result: int = self._api.get(self._identity.remote(value))
        return result

    def burst(self, tasks: int) -> int:
        return sum(self._api.get(self._submit(tasks)))

    def blocks(self, tasks: int, nbytes: int) -> int:
        results = self._api.get([self._block.remote(nbytes) for _ in range(tasks)])
        return sum(result.nbytes for result in results)

    def queue(self, tasks: int) -> None:
        self._queued += self._submit(tasks)

    def queue_hold(self, gate: str, index: int) -> None:
        self._queued.append(remote(self._module, work.hold).remote(gate, index))

    def share(self, value: Array) -> Handle:
        return self.put(value)

    def total(self, shared: Handle) -> float:
        result: float = self._run(work.total, shared)
        return result

    def length(self, shared: Handle) -> int:
        result: int = self._run(work.length, shared)
        return result

    def wait_each(self, tasks: int) -> int:
        wait, pending = self._api.wait, self._submit(tasks)
        seen = 0
        while pending:
            ready, pending = wait(pending, num_returns=1)
            seen += len(ready)
        return seen

    def put(self, value: object) -> Handle:
        handle: Handle = self._api.put(value)
        return handle

    def get(self, handle: Handle) -> object:
        value: object = self._api.get(handle)
        return value

    def count(self, handles: list[Handle]) -> int:
        result: int = self._run(work.count, *handles)
        return result

    def nested(self, width: int) -> int:
        result: int = self._run(spread, self._module, width)
        return result

    def tree(self, width: int) -> int:
        result: int = self._run(spread_twice, self._module, width)
        return result

    def actors(self, number: int) -> list[Actor]:
        return [*self._actors(number)]

    def mesh(self, clients: int, actors: int) -> Caller:
        return RayMesh(self._api, self._actors(actors), clients)

    def _actors(self, number: int) -> list[RayActor]:
        counter = remote(self._module, work.Counter)
        return [RayActor(self._api, counter.remote()) for _ in range(number)]

    def _run(self, function: Callable[..., object], *arguments: object) -> Any:
        return self._api.get(remote(self._module, function).remote(*arguments))

    def _submit(self, tasks: int) -> list[Any]:
        submit = self._identity.remote
        return [submit(value) for value in range(tasks)]

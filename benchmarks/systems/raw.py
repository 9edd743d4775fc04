"""The raw limit: bare Python processes, a socketpair, pickled messages, and nothing else.

No futures, retries, references or scheduling: this is what the machine allows, measured in the same run as the systems
that are compared with it. Arrays go through one shared mapping: ``put`` is a copy into it, ``get`` a view of it. A
burst goes to one process in batches of ``BATCH`` tasks, a lone task in a message of its own.
"""

from __future__ import annotations

import mmap
import os
import pickle
import socket
from typing import TYPE_CHECKING, NamedTuple, cast

from benchmarks import work
from benchmarks.system import WORKERS, Actor, Handle, System, Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.work import Array

ARENA = 256 << 20
BATCH = 1000
HEADER = 4
READ = 1 << 18


class Extent(NamedTuple):
    """A float64 array in the shared mapping."""

    offset: int
    nbytes: int


class Channel:
    """One end of a socketpair carrying pickled messages, each behind its length."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._rest = b""

    def send(self, message: object) -> None:
        data = pickle.dumps(message, 5)
        self._socket.sendall(len(data).to_bytes(HEADER) + data)

    def receive(self) -> object:
        data = self._rest or self._read()
        while len(data) < HEADER:
            data += self._read()
        size = HEADER + int.from_bytes(data[:HEADER])
        while len(data) < size:
            data += self._read()
        self._rest = data[size:]
        return pickle.loads(memoryview(data)[HEADER:size])

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> bytes:
        data = self._socket.recv(READ)
        if not data:
            raise EOFError
        return data


class Worker:
    """A forked process that answers ``(method, argument)`` messages until it is told to stop."""

    def __init__(self, methods: dict[str, Callable[..., object]]) -> None:
        near, far = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            near.close()
            self._serve(Channel(far), methods)
        far.close()
        self.channel = Channel(near)

    @staticmethod
    def _serve(channel: Channel, methods: dict[str, Callable[..., object]]) -> None:
        # The copy of the driver must never return into the driver's code, whatever happens.
        try:
            while True:
                method, argument = cast("tuple[str, object]", channel.receive())
                if method == "stop":
                    return
                channel.send(methods[method](argument))
        finally:
            os._exit(0)

    def ask(self, method: str, argument: object) -> object:
        self.channel.send((method, argument))
        return self.channel.receive()

    def ask_many(self, method: str, count: int) -> int:
        """Sends ``range(count)`` in batches, one batch ahead of the answers, and returns the sum of the results."""
        batches = [range(start, min(start + BATCH, count)) for start in range(0, count, BATCH)]
        result = 0
        for index, batch in enumerate(batches):
            self.channel.send((method, list(batch)))
            if index:
                result += sum(cast("list[int]", self.channel.receive()))
        return result + sum(cast("list[int]", self.channel.receive()))

    def stop(self) -> None:
        # Closing the socket would not do: workers forked later hold copies of this end.
        self.channel.send(("stop", None))
        os.waitpid(self.pid, 0)
        self.channel.close()


class RawActor(Actor):
    """A process with one counter."""

    def __init__(self) -> None:
        counter = work.Counter()
        self._worker = Worker({"add": counter.add, "add_many": lambda amounts: [counter.add(1) for _ in amounts]})

    def call(self, amount: int) -> int:
        return cast("int", self._worker.ask("add", amount))

    def burst(self, calls: int) -> int:
        self._worker.ask_many("add_many", calls)
        return calls

    def stop(self) -> None:
        self._worker.stop()


class RawSystem(System):
    """Workers forked from the driver; single tasks all go to the first one."""

    def __init__(self) -> None:
        self._queued: dict[int, bytes] = {}

    def start(self) -> None:
        self._arena = mmap.mmap(-1, ARENA)
        self._workers: list[Worker] = []
        # The last one first: the others are forked with a way to reach it, which nested tasks take.
        for index in reversed(range(WORKERS)):
            self._workers.insert(0, Worker(self._methods(index)))

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()

    def call(self, value: int) -> int:
        return cast("int", self._workers[0].ask("identity", value))

    def burst(self, tasks: int) -> int:
        return self._workers[0].ask_many("identity_many", tasks)

    def blocks(self, tasks: int, nbytes: int) -> int:
        received = 0
        for start in range(0, tasks, WORKERS):
            asked = self._workers[: tasks - start]
            for worker in asked:
                worker.channel.send(("block", nbytes))
            for worker in asked:
                received += self._view(cast("Extent", worker.channel.receive())).nbytes
        return received

    def queue(self, tasks: int) -> None:
        for value in range(tasks):
            self._queued[len(self._queued)] = pickle.dumps(("identity", value), 5)

    def queue_hold(self, gate: str, index: int) -> None:
        self._workers[index].channel.send(("hold", (gate, index)))

    def share(self, value: Array) -> Handle:
        return self.put(value)

    def total(self, shared: Handle) -> float:
        return cast("float", self._workers[0].ask("total", shared))

    def length(self, shared: Handle) -> int:
        return cast("int", self._workers[0].ask("length", shared))

    def wait_each(self, tasks: int) -> int:
        self.burst(tasks)
        return tasks

    def put(self, value: object) -> Handle:
        import numpy as np

        if not isinstance(value, np.ndarray):
            raise Unsupported
        return self._store(value, 0)

    def get(self, handle: Handle) -> object:
        return self._view(cast("Extent", handle))

    def nested(self, width: int) -> int:
        self._workers[0].ask("nested", width)
        return width

    def actors(self, number: int) -> list[Actor]:
        return [RawActor() for _ in range(number)]

    def _methods(self, index: int) -> dict[str, Callable[..., object]]:
        slot = ARENA // 2 + index * (ARENA // 2 // WORKERS)
        return {
            "identity": work.identity,
            "identity_many": lambda values: [work.identity(value) for value in values],
            "block": lambda nbytes: self._store(work.block(nbytes), slot),
            "total": lambda extent: work.total(self._view(Extent(*extent))),
            "length": lambda extent: work.length(self._view(Extent(*extent))),
            "nested": lambda width: self._workers[-1].ask_many("identity_many", width),
            "hold": lambda arguments: work.hold(*arguments),
        }

    def _store(self, array: Array, offset: int) -> Extent:
        extent = Extent(offset, array.nbytes)
        self._view(extent)[:] = array
        return extent

    def _view(self, extent: Extent) -> Array:
        import numpy as np

        return np.frombuffer(self._arena, np.float64, extent.nbytes // 8, extent.offset)


def create() -> System:
    """The bare processes."""
    return RawSystem()

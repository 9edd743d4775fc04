"""What the common client needs from the engine around it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from rustyray.engines.client.waiter import Waiter
from rustyray.model.ids import ActorID, JobID, NodeID, WorkerID
from rustyray.model.messages import Message
from rustyray.model.values import Value
from rustyray.runtime.serialization import Serialized

if TYPE_CHECKING:
    import asyncio

    from rustyray.core.executor import ExecutorCore
    from rustyray.core.jobs import Job
    from rustyray.core.owner import OwnerCore
    from rustyray.engines.client.actor_host import ActorHost
    from rustyray.engines.client.running import Runner
    from rustyray.engines.client.store import Store


class Hub(Protocol):
    """The process' connections. ``send`` may keep a message until ``flush``; both are called with the pump's lock."""

    def send(self, to: bytes, message: Message, address: str = "") -> None: ...

    def flush(self) -> object: ...

    def wake(self) -> None:
        """Without the lock: have the thread that waits look at its waiter again."""


class Pump(Protocol):
    """Messages in and out, and waiting. Methods are called with ``lock`` held, but for those that say otherwise.

    ``handlers`` take the messages that are not the owner core's, by type; ``waiting`` is who waits for which object.
    ``dropped`` and ``unpinned`` are the objects whose refs and views the program has let go of, ``interrupted`` says
    that `check_interrupt` has something to raise, ``head`` is the peer with the head, which listens at
    ``head_address``, ``clock`` gives seconds.
    """

    handlers: dict[type, Callable[[bytes, Any, float], None]]
    waiting: dict[bytes, list[Waiter]]
    dropped: deque[bytes]
    unpinned: deque[bytes]
    head: bytes
    head_address: str
    interrupted: bool
    closed: bool

    @property
    def lock(self) -> AbstractContextManager[Any]: ...

    @property
    def hub(self) -> Hub: ...

    @property
    def clock(self) -> Callable[[], float]: ...

    def settle(self) -> None:
        """Count off what was dropped since the last time."""

    def carry_out(self) -> None:
        """Do what the cores left in ``out``, and send it."""

    def flush(self) -> None:
        """Somebody is about to wait: settle, and send everything that waited for company."""

    def watch(self, object_: bytes, waiter: Waiter) -> None:
        """``waiter`` waits for this object, which has no value yet."""

    def unwatch(self, objects: Iterable[bytes], waiter: Waiter) -> None: ...

    def expect(self) -> tuple[int, Waiter]:
        """A new request number and the waiter for its reply."""

    def forget(self, request: int) -> None:
        """Nobody waits for the reply any more."""

    def finish(self, waiter: Waiter) -> None:
        """What ``waiter`` waited for has happened."""

    def wait(self, waiter: Waiter, deadline: float | None) -> bool:
        """Without the lock: block until ``waiter`` is done; False when the deadline passed first.

        Raises:
            KeyboardInterrupt: the running task was cancelled.
        """

    def turn(self, timeout: float | None) -> None:
        """Without the lock: take in what arrives within ``timeout`` seconds."""

    def poll(self) -> None:
        """Without the lock: a look at what has arrived, by a program that is too busy to wait."""

    def run_deferred(self) -> None:
        """Without the lock: run callbacks, and questions to the user's code."""

    def check_interrupt(self) -> None:
        """Without the lock: raise what was asked for."""


class Arena(Protocol):
    """The memory that a node's large values live in."""

    def write(self, offset: int, serialized: Serialized, touched: bool = False) -> int:
        """Write a value at ``offset``. Raises OSError when there is no memory left for it."""

    def read(self, offset: int, size: int, on_release: Callable[[], None]) -> Any:
        """The value at ``offset``; ``on_release`` is called when the last view of these bytes is gone."""


class Place(Protocol):
    """Which worker this is."""

    @property
    def job(self) -> JobID: ...

    @property
    def node(self) -> NodeID: ...

    @property
    def worker(self) -> WorkerID: ...

    @property
    def address(self) -> str: ...


class Pool(Protocol):
    """Runs the calls of a threaded actor; as `concurrent.futures.Executor`."""

    def submit(self, fn: Callable[[Any], None], job: Any, /) -> object: ...

    def shutdown(self, wait: bool = True) -> None: ...


class Host(Protocol):
    """A worker, as the parts that run user code see it. ``pid`` is its process' number for people."""

    functions: dict[bytes, tuple[bytes, str]]
    executor: ExecutorCore
    core: OwnerCore
    store: Store
    runner: Runner
    actor: ActorHost | None
    pid: int

    @property
    def place(self) -> Place: ...

    @property
    def pump(self) -> Pump: ...

    def load(self, value: Value | None) -> Any:
        """Unpickle a value that came inside a message."""

    def abandon(self, job: Job) -> None:
        """Without the lock: the job has ended, and nobody is to be told what it came to."""

    def block(self, waiter: Waiter) -> None:
        """Without the lock: have the thread that runs the user's code wait, as in `get`."""

    def own_variables(self) -> None:
        """What is changed in `os.environ` from now on is changed for this process alone."""

    def say_last(self) -> None:
        """Without the lock: send what has gathered, and wait until the owners of refs that were passed on know it."""

    def leave(self, reason: str) -> None:
        """End by an own wish: nothing that is queued or still comes is run."""

    def exit_with(self, code: int) -> NoReturn:
        """Without the lock: end the process, after its exit hooks."""

    def start_loop(self) -> asyncio.AbstractEventLoop:
        """An event loop that runs, beside the worker's main program."""

    def start_pool(self, size: int, actor: ActorID) -> Pool:
        """Run up to ``size`` calls at once, beside the worker's main program."""

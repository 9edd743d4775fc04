"""What generators return: refs to their items, as they come (`ObjectRefGenerator`), or all at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar
from zlib import crc32

from rustyray.model.ids import OBJECT_ID_SIZE, item_id, stream_id
from rustyray.runtime import context
from rustyray.runtime.ref import ObjectRef

if TYPE_CHECKING:
    from typing import Protocol, TypeAlias

    class Reader(Protocol):
        """What an engine does for generators."""

        def take(self, generator: ObjectRefGenerator[Any], deadline: float | None) -> ObjectRef[Any] | None:
            """The next item; None when there is none. Raises GetTimeoutError when there is not by the ``deadline``."""

        def await_item(self, generator: ObjectRefGenerator[Any]) -> Generator[Any, None, ObjectRef[Any] | None]:
            """As `take`, in an event loop."""

        def next_of(self, task: bytes) -> bytes:
            """The object that is the next item, or stands for the end."""

        def item_state(self, generator: ObjectRefGenerator[Any]) -> tuple[bool, bool]:
            """Whether an item is ready, and whether all have been taken."""


T_co = TypeVar("T_co", covariant=True)


class ObjectRefGenerator(Generic[T_co]):
    """Refs to the items of a remote generator, each as soon as it has been yielded (as in Ray).

    It is what ``.remote()`` of a generator function or method returns: an iterator and an async iterator. An exception
    in the generator is the last item's: `get` raises it. `rustyray.wait` takes it like a ref: it is ready when `next`
    does not have to wait. It cannot be passed on; the refs can. When it is dropped, the items that nobody has taken are
    freed, and (other than in Ray) the remote generator is closed at its next ``yield``, unless somebody holds
    `completed`. Safe in several threads: each item is taken once.
    """

    __slots__ = ("__weakref__", "_completed", "_drop", "_reader", "_task")

    def __init__(self, reader: Reader, task: bytes, completed: ObjectRef[Any], drop: Callable[[bytes], None]) -> None:
        self._reader = reader
        self._task = task
        self._completed = completed
        self._drop = drop

    def __del__(self) -> None:
        self._drop(stream_id(self._task))

    @property
    def _id(self) -> bytes:
        return self._reader.next_of(self._task)

    def __iter__(self) -> ObjectRefGenerator[T_co]:
        return self

    def __next__(self) -> ObjectRef[T_co]:
        """The next item's ref; waits until it has been yielded.

        Raises:
            StopIteration: The generator has come to its end.
            RuntimeError: The runtime has ended.
        """
        ref = self._reader.take(self, None)
        if ref is None:
            raise StopIteration
        return ref

    def _next_sync(self, timeout_s: float | None = None) -> ObjectRef[T_co]:
        """As `next`, but a ref to nothing if that would take longer than ``timeout_s`` seconds (as in Ray)."""
        if timeout_s is not None and timeout_s >= 0:
            ready, _ = context.require_engine("next").wait([self], 1, timeout_s, False)  # type: ignore[list-item] # as `wait` does
            if not ready:
                return ObjectRef(bytes(OBJECT_ID_SIZE), "", _of_nothing)
        return next(self)

    def __aiter__(self) -> ObjectRefGenerator[T_co]:
        return self

    async def __anext__(self) -> ObjectRef[T_co]:
        """As `next`, in an event loop. Raises StopAsyncIteration at the end."""
        ref = await _Awaited(self._reader.await_item(self))
        if ref is None:
            raise StopAsyncIteration
        return ref

    def completed(self) -> ObjectRef[None]:
        """A ref that is ready when the remote generator has ended, to None, even if that raised.

        A failure of the runtime (a worker that died, a cancellation) is raised by `get`.
        """
        return self._completed

    def next_ready(self) -> bool:
        """Whether the next item is there. Returns at once; False at the end."""
        return self._reader.item_state(self)[0]

    def is_finished(self) -> bool:
        """Whether all items have been taken, so that `next` raises StopIteration. Returns at once."""
        return self._reader.item_state(self)[1]

    def hex(self) -> str:
        """The id of what `completed` returns, in hexadecimal."""
        return self._completed.hex()

    def task_id(self) -> bytes:
        """The id of the task or call that yields the items."""
        return self._task

    def __hash__(self) -> int:
        return crc32(self._task)

    def __eq__(self, other: object) -> bool:
        return self._task == other._task if isinstance(other, ObjectRefGenerator) else NotImplemented

    def __repr__(self) -> str:
        return f"ObjectRefGenerator({self._task.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a generator cannot be passed on or returned (as in Ray): pass the refs that it yields")

    def send(self, value: object) -> NoReturn:
        raise NotImplementedError("`gen.send` is not supported: a remote generator takes nothing in")

    def throw(self, value: object) -> NoReturn:
        raise NotImplementedError("`gen.throw` is not supported: write rustyray.cancel(gen) to interrupt it")

    def close(self) -> NoReturn:
        raise NotImplementedError("`gen.close` is not supported: drop the generator, or write rustyray.cancel(gen)")

    async def asend(self, value: object) -> NoReturn:
        self.send(value)

    async def athrow(self, value: object) -> NoReturn:
        self.throw(value)

    async def aclose(self) -> NoReturn:
        self.close()


def _of_nothing(object_id: bytes) -> None:
    """What is to happen when a ref to nothing is dropped."""


class _Awaited:
    """Makes a generator awaitable."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Generator[Any, None, ObjectRef[Any] | None]) -> None:
        self._steps = steps

    def __await__(self) -> Generator[Any, None, ObjectRef[Any] | None]:
        return self._steps


class DynamicObjectRefGenerator(Generic[T_co]):
    """The refs to all items of a generator that was called with ``num_returns="dynamic"`` (as in Ray).

    Iterating it hands each ref out once. If the generator raised, the last ref raises that.
    """

    def __init__(self, refs: Iterable[ObjectRef[T_co]]) -> None:
        self._refs = deque(refs)

    def __iter__(self) -> Iterator[ObjectRef[T_co]]:
        while self._refs:
            yield self._refs.popleft()

    def __len__(self) -> int:
        return len(self._refs)


if TYPE_CHECKING:
    #: What type checkers know of generators that are asked for by ``num_returns``.
    Streamed: TypeAlias = ObjectRefGenerator[Any]
    Listed: TypeAlias = ObjectRef[DynamicObjectRefGenerator[Any]]


class Listing:
    """Stands for the refs to the first ``count`` items of a task, where those are not known: pickles as the list."""

    def __init__(self, task: bytes, count: int) -> None:
        self.task = task
        self.count = count

    def __reduce__(self) -> tuple[Callable[[bytes, int], DynamicObjectRefGenerator[Any]], tuple[bytes, int]]:
        return _list_items, (self.task, self.count)


def _list_items(task: bytes, count: int) -> DynamicObjectRefGenerator[Any]:
    engine = context.require_engine("unpickling a generator")
    return DynamicObjectRefGenerator([engine.adopt(item_id(task, index), "") for index in range(count)])

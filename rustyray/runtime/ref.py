"""``ObjectRef``: a future value that some process owns, counted in every process that holds it.

Dropping a ref must be safe anywhere, inside a garbage collection in the middle of our own locks too. So ``__del__``
only appends the id to a deque; the engine settles the count at its next safe point.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar
from zlib import crc32

from rustyray.model import ids
from rustyray.runtime import context

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

T_co = TypeVar("T_co", covariant=True)


class ObjectRef(Generic[T_co]):
    """A reference to a value that exists or will exist somewhere in the cluster (as in Ray).

    Get the value with `rustyray.get`, or ``await`` the ref. Refs are made by ``.remote()`` and `rustyray.put`, compare
    equal when they mean the same object, and keep it alive while any process holds one.
    """

    __slots__ = ("__weakref__", "_drop", "_id", "_owner_address")

    def __init__(self, object_id: bytes, owner_address: str, drop: Callable[[bytes], None]) -> None:
        self._id = object_id
        self._owner_address = owner_address
        self._drop = drop

    def __del__(self) -> None:
        self._drop(self._id)

    if not TYPE_CHECKING:  # which would take any name for one that is there

        def __getattr__(self, name: str) -> NoReturn:
            from rustyray.missing import member

            raise AttributeError(member("ray.ObjectRef", name))

    def binary(self) -> bytes:
        """The object's id as bytes."""
        return self._id

    def hex(self) -> str:
        """The object's id in hexadecimal."""
        return self._id.hex()

    def task_id(self) -> bytes:
        """The id of the task that makes the object (for ``put``: a number of the owner's own)."""
        return ids.task_of(self._id)

    def is_nil(self) -> bool:
        """Whether it is a ref to nothing, such as a generator gives that was not to wait any longer."""
        return not any(self._id)

    @classmethod
    def size(cls) -> int:
        """How many bytes `binary` has."""
        return ids.OBJECT_ID_SIZE

    def owner_address(self) -> bytes:
        """Where the process is that owns the object."""
        return self._owner_address.encode()

    def call_site(self) -> str:
        """Empty: where a ref was made is not written down (as in Ray, unless it is told to)."""
        return ""

    def as_future(self) -> asyncio.Future[T_co]:
        """A future of the running event loop that ends as `future` does. Cancelling it does not cancel the task."""
        import asyncio

        return asyncio.wrap_future(self.future())

    def future(self) -> Future[T_co]:
        """A ``concurrent.futures.Future`` that ends with the object's value or its exception."""
        return context.require_engine("ObjectRef.future").future(self)

    def __await__(self) -> Generator[Any, None, T_co]:
        return context.require_engine("await ref").await_ref(self)

    def __hash__(self) -> int:
        return crc32(self._id)  # the order of a set of refs is the same in any process

    def __eq__(self, other: object) -> bool:
        return self._id == other._id if isinstance(other, ObjectRef) else NotImplemented

    def __repr__(self) -> str:
        return f"ObjectRef({self._id.hex()})"

    def __reduce__(self) -> tuple[Callable[[bytes, str], ObjectRef[Any]], tuple[bytes, str]]:
        context.note_pickled_ref(self)
        return rebuild, (self._id, self._owner_address)


def rebuild(object_id: bytes, owner_address: str) -> ObjectRef[Any]:
    """Make the ref that came out of a pickle known to this process' engine."""
    return context.require_engine("unpickling an ObjectRef").adopt(object_id, owner_address)

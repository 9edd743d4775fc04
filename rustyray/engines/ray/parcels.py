"""Values on their way through Ray.

We pickle a value, as on our own engines, and Ray carries the pickle with the Ray refs and handles of what is inside, so
that Ray counts them. Our refs know each other by Ray's ids: what a pickle names is found among the `Holding`s, which
stand beside it in the parcel.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from weakref import WeakValueDictionary

import ray

from rustyray.runtime.generator import DynamicObjectRefGenerator
from rustyray.runtime.ref import ObjectRef
from rustyray.runtime.serialization import Serialized, dumps, dumps_args, loads, loads_args

#: What Ray counts, with the id by which pickles name it.
Things = list[tuple[bytes, Any]]


#: What follows the id of an actor in the name of a handle that does not keep it alive.
UNCOUNTED: Final = b"uncounted"


class Holding:
    """A ref or a handle of Ray's, kept as long as our ref for it. It is the ref's ``_drop``: nothing is left to do."""

    __slots__ = ("__weakref__", "thing")

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __call__(self, _id: bytes) -> None:
        """The ref is gone, and the thing with it."""


#: Those that this process has, by the ids of their refs.
_held: Final[WeakValueDictionary[bytes, Holding]] = WeakValueDictionary()


def our_ref(thing: Any, name: bytes | None = None) -> ObjectRef[Any]:
    """Our ref for a ref of Ray's, or (with a ``name``) for a handle."""
    name = thing.binary() if name is None else name
    holding = _held.get(name)
    if holding is None:
        _held[name] = holding = Holding(thing)
    return ObjectRef(name, "", holding)


def known(*names: bytes) -> ObjectRef[Any]:
    """Our ref for what a pickle names, by the first name that is known. Raises ValueError if none came along."""
    for name in names:
        if (holding := _held.get(name)) is not None:
            return ObjectRef(name, "", holding)
    raise ValueError(
        f"{names[0].hex()} came here outside of Ray's sight, in bytes that the program pickled itself: pass the ref or "
        "handle as an argument, or return it"
    )


def our_value(found: Any) -> Any:
    """A value that Ray has handed out: a list of a generator's items is Ray's own, all others are unpacked parcels."""
    if isinstance(found, ray.DynamicObjectRefGenerator):
        return DynamicObjectRefGenerator(map(our_ref, found))
    return found


def rays(ref: ObjectRef[Any]) -> Any:
    """Ray's ref (or handle) behind ours. Raises ValueError if it is one of another engine."""
    holding = ref._drop
    if not isinstance(holding, Holding):
        raise ValueError(f"{ref!r} is of an earlier runtime of this program: its runtime has ended, so has it")
    return holding.thing


def things(refs: Iterable[ObjectRef[Any]]) -> Things:
    return [(ref._id, rays(ref)) for ref in refs]


class Parcel:
    """A value that unpickles, wherever Ray does that, to the value itself."""

    __slots__ = ("_packed",)

    def __init__(self, value: Any, name: str = "value") -> None:
        self._packed = dumps(value, name)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _unpack, _parts(self._packed)


class Arguments:
    """The arguments of a call; those that are refs travel beside it, in ``deps``, for Ray to resolve."""

    __slots__ = ("_buffers", "_data", "_things")

    def __init__(self, data: bytes, buffers: Sequence[Any], found: Things) -> None:
        self._data = data
        self._buffers = buffers
        self._things = found

    def values(self, deps: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        kept = [our_ref(thing, name) for name, thing in self._things]
        found = loads_args(self._data, self._buffers, list(map(our_value, deps)))
        del kept
        return found

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Arguments, (self._data, self._buffers, self._things)


def pack_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """What Ray is to be given for them. Raises TypeError if one cannot be pickled."""
    if not args and not kwargs:
        return (_NO_ARGUMENTS,)
    serialized, deps = dumps_args(args, kwargs)
    if serialized is None:
        return (_NO_ARGUMENTS,)
    return Arguments(*_parts(serialized)), *[rays(dep) for dep in deps]


_NO_ARGUMENTS: Final = Arguments(b"", (), [])


def _parts(packed: Serialized) -> tuple[bytes, list[pickle.PickleBuffer], Things]:
    return packed.data, [pickle.PickleBuffer(buffer) for buffer in packed.buffers], things(packed.refs)


def _unpack(data: bytes, buffers: Sequence[Any], found: Things) -> Any:
    from rustyray.engines.ray.hosting import attach

    attach()
    kept = [our_ref(thing, name) for name, thing in found]
    value = loads(data, buffers)
    del kept
    return value


class Code:
    """A pickled function or class, opened once for each process."""

    __slots__ = ("_blob", "_fn", "_things")

    def __init__(self, fn: bytes, blob: bytes, found: Things) -> None:
        self._fn = fn
        self._blob = blob
        self._things = found

    def open(self) -> Any:
        found = _opened.get(self._fn)
        if found is None:
            kept = [our_ref(thing, name) for name, thing in self._things]
            _opened[self._fn] = found = loads(self._blob)
            del kept
        return found

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Code, (self._fn, self._blob, self._things)


_opened: Final[dict[bytes, Any]] = {}

"""Turn the user's values into bytes and back: plain pickle in C where it will do, cloudpickle where it will not.

Big buffers (NumPy arrays, memoryviews) stay out of the pickle and are not copied here: whoever stores or sends the
value copies them once, to where they belong. What comes back out of them is read-only. Object refs found inside a
value are listed, so that the sender can count them before it lets go.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from rustyray.model.values import Packed, RefInfo
from rustyray.runtime import context
from rustyray.runtime import serialization_by_value as by_value
from rustyray.runtime.ref import ObjectRef
from rustyray.runtime.serialization_by_value import register_by_value, registered_by_value, unregister_by_value
from rustyray.runtime.serialization_explain import explain_arguments, explain_unpicklable

__all__ = [
    "INLINE_MAX",
    "Serialized",
    "dumps",
    "dumps_args",
    "dumps_function",
    "explain_unpicklable",
    "loads",
    "loads_args",
    "pack",
    "ref_infos",
    "register_by_value",
    "registered_by_value",
    "to_value",
    "unregister_by_value",
]

#: Values of up to this many bytes travel inside messages; larger ones go to the arena (the limit is Ray's).
INLINE_MAX: Final = 100 * 1024

Buffer = bytes | bytearray | memoryview | pickle.PickleBuffer


class Serialized(NamedTuple):
    """A pickled value: ``buffers`` are flat byte views of the user's own memory, ``refs`` the refs inside, in order."""

    data: bytes
    buffers: Sequence[memoryview]
    refs: Sequence[ObjectRef[Any]]
    size: int


#: The most bytes that a function or class may have when it is pickled.
MOST_CODE: Final = 100 * 10**6

_dumps = pickle.dumps
_loads = pickle.loads
_pickling = context._pickling  # `collecting_refs`, without its two calls
_new = tuple.__new__  # a NamedTuple's own constructor takes twice as long
_ATOMS: Final = frozenset({type(None), bool, int, float, str, bytes, complex})
_NONE: Final = _dumps(None, 5)
_TRUE: Final = _dumps(True, 5)
_FALSE: Final = _dumps(False, 5)
_STACK_GLOBAL: Final = b"\x93"  # the opcode of every reference to a class or function: mostly absent


def dumps(value: object, name: str = "value") -> Serialized:
    """Serialize ``value``; ``name`` is what an error calls it.

    Raises:
        TypeError: It cannot be pickled; the message names the culprit inside and what to do.
    """
    packed = pack(value, name)
    return packed if type(packed) is Serialized else _new(Serialized, (packed, (), (), len(packed)))


def pack(value: object, name: str = "value") -> bytes | Serialized:
    """As `dumps`, but a value without buffers and refs comes back as its bare pickle: the fastest way for those."""
    kind = type(value)
    if kind in _ATOMS:
        if value is None:
            return _NONE
        if value is True:
            return _TRUE
        if value is False:
            return _FALSE
        if kind is not bytes or len(value) <= INLINE_MAX:  # type: ignore[arg-type]
            return _dumps(value, 5)
    if (kind is bytes or kind is bytearray) and len(value) > INLINE_MAX:  # type: ignore[arg-type]
        return _dumps_large(value)  # type: ignore[arg-type]
    try:
        data, buffers, refs = _pickle(value)
        return _serialized(data, buffers, refs) if buffers or refs else data
    except MemoryError:
        raise
    except Exception as error:
        raise TypeError(explain_unpicklable(value, name, error)) from error


def loads(data: bytes | memoryview, buffers: Sequence[Buffer] | None = None) -> Any:
    """The value; what lives in ``buffers`` is used in place, read-only where the buffer is."""
    return _loads(data, buffers=buffers) if buffers else _loads(data)


def dumps_args(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Serialized | None, list[ObjectRef[Any]]]:
    """Serialize the arguments of a call: None when there are none, and the refs among them that are to be resolved.

    A ref given as an argument of its own is taken out, and its value is put in by `loads_args`; a ref inside a
    container stays a ref (both as in Ray).

    Raises:
        TypeError: An argument cannot be pickled; the message names the culprit inside and what to do.
    """
    if not kwargs:
        if not args:
            return None, []
        for arg in args:
            if type(arg) not in _ATOMS:
                break
        else:
            data = _dumps(args, 5)
            return _new(Serialized, (data, (), (), len(data))), []
    deps: list[ObjectRef[Any]] = []
    where: list[int] = []
    names: list[str] = []
    simple = True
    for index, arg in enumerate(args):
        if type(arg) is ObjectRef:
            deps.append(arg)
            where.append(index)
        elif type(arg) not in _ATOMS:
            simple = False
    for key, arg in kwargs.items() if kwargs else ():
        if type(arg) is ObjectRef:
            deps.append(arg)
            names.append(key)
        elif type(arg) not in _ATOMS:
            simple = False
    payload: object = args
    if deps:
        rest_args, rest_kwargs = list(args), dict(kwargs)
        for index in where:
            rest_args[index] = None
        for key in names:
            rest_kwargs[key] = None
        payload = [rest_args, rest_kwargs, where, names]
    elif kwargs:
        payload = [args, kwargs]
    if simple:
        data = _dumps(payload, 5)
        return _new(Serialized, (data, (), (), len(data))), deps
    try:
        return _serialized(*_pickle(payload)), deps
    except MemoryError:
        raise
    except Exception as error:
        raise TypeError(explain_arguments(args, kwargs, error)) from error


def loads_args(
    data: bytes | memoryview, buffers: Sequence[Buffer] | None, values: Sequence[Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments that `dumps_args` serialized, with ``values`` (of its deps, in order) put in their places.

    No variable of a frame that is there while they are loaded refers to them. Loading imports modules, and one that
    keeps an ImportError keeps all frames of its import, for ever.
    """
    return _arranged(loads(data, buffers), values) if data else ((), {})


def _arranged(payload: Any, values: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if type(payload) is tuple:
        return payload, {}
    if len(payload) == 2:
        return payload[0], payload[1]
    args, kwargs, where, names = payload
    for index, value in zip(where, values):  # noqa: B905 - the values of named arguments follow
        args[index] = value
    if names:
        kwargs.update(zip(names, values[len(where) :], strict=True))
    return tuple(args), kwargs


def dumps_function(obj: object, name: str = "") -> tuple[bytes, list[ObjectRef[Any]]]:
    """Serialize a function or class for workers, and list the refs that its closure and globals carry.

    Importable ones travel as a name, unless their module is registered by value. `loads` brings it back.

    Raises:
        TypeError: Something it needs cannot be pickled; the message names it and what to do.
        ValueError: It is larger than `MOST_CODE`.
    """
    called = name or getattr(obj, "__qualname__", type(obj).__name__)
    with context.collecting_refs() as refs:
        try:
            blob = by_value.dumps_by_value(obj, None)
        except MemoryError:
            raise
        except Exception as error:
            raise TypeError(explain_unpicklable(obj, called, error)) from error
    if len(blob) > MOST_CODE:
        raise ValueError(
            f"{called} has {len(blob) / 1e6:.3g} MB with the globals and closures that it uses, and may have "
            f"{MOST_CODE / 1e6:.3g} MB (as in Ray): put() what is large, and give it the ref as an argument"
        )
    return blob, refs


def to_value(serialized: Serialized) -> bytes | Packed:
    """The value as messages carry it; buffers are copied."""
    data, buffers, refs, _ = serialized
    if not buffers and not refs:
        return data
    return Packed(data, [bytes(buffer) for buffer in buffers] or None, ref_infos(refs))


def ref_infos(refs: Sequence[ObjectRef[Any]]) -> list[RefInfo] | None:
    """What messages say about refs inside a value; None for none."""
    return [RefInfo(ref._id, ref._owner_address) for ref in refs] or None


def _pickle(value: object) -> tuple[bytes, list[pickle.PickleBuffer], list[ObjectRef[Any]]]:
    """Plain pickle first. Its attempt may have collected buffers and refs before it failed: those are forgotten."""
    buffers: list[pickle.PickleBuffer] = []
    refs: list[ObjectRef[Any]] = []
    outer = _pickling.refs
    _pickling.refs = refs
    try:
        try:
            if by_value.foreign:
                data = by_value.careful_dumps(value, buffers.append)
            else:
                data = _dumps(value, 5, buffer_callback=buffers.append)
            if _STACK_GLOBAL not in data and not by_value.EXTENSIONS:
                return data, buffers, refs
            if not by_value.refers_by_value(data):
                return data, buffers, refs
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001, S110 - whatever made plain pickle give up, cloudpickle has the last word
            pass
        buffers.clear()
        refs.clear()
        return by_value.dumps_by_value(value, buffers.append), buffers, refs
    finally:
        _pickling.refs = outer


def _serialized(data: bytes, buffers: Sequence[pickle.PickleBuffer], refs: list[ObjectRef[Any]]) -> Serialized:
    views = [buffer.raw() for buffer in buffers]
    size = len(data)
    for view in views:
        size += view.nbytes
    return _new(Serialized, (data, views, refs, size))


def _dumps_large(value: bytes | bytearray) -> Serialized:
    """A large byte string by itself: a pickle would be one copy more."""
    data = _BYTES if type(value) is bytes else _BYTEARRAY
    return _new(Serialized, (data, [memoryview(value)], (), len(data) + len(value)))


class _OutOfBand:
    """Pickles as ``kind(a buffer kept apart)``."""

    def __init__(self, kind: type[bytes | bytearray]) -> None:
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        return self.kind, (pickle.PickleBuffer(b""),)


def _ignore(buffer: pickle.PickleBuffer) -> None:
    """A buffer callback: keep the buffer out of the pickle."""


_BYTES: Final = _dumps(_OutOfBand(bytes), 5, buffer_callback=_ignore)
_BYTEARRAY: Final = _dumps(_OutOfBand(bytearray), 5, buffer_callback=_ignore)

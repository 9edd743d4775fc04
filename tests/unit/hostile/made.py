"""Messages that are well-formed and wrong: every type, with contents of the right kinds that make no sense."""

from __future__ import annotations

import re
import typing
from collections.abc import Sequence
from functools import cache
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st
from msgspec import inspect

from rustyray.model import ids
from rustyray.model.messages import HEAD, Alone, Chunk, Message
from rustyray.wire.codec import decode, decode_chunk, encode
from rustyray.wire.errors import ProtocolError

NODES = [b"node-one", b"node-two", b"node-3rd"]
DRIVER = ids.worker_id(NODES[0], 0)
WORKERS = [ids.worker_id(node, number) for node in NODES[:2] for number in range(3)]
TASKS = [ids.task_id(worker, number) for worker in WORKERS[:4] for number in (1, 2)]
OBJECTS = [ids.object_id(task, index) for task in TASKS[:4] for index in (0, 1)] + [ids.handle_id(TASKS[0])]
JOBS = [b"\0\0\0\1", b"\0\0\0\2"]
#: What a field with such a name in its type mostly holds.
POOLS: dict[str, Sequence[bytes]] = {
    "NodeID": NODES,
    "WorkerID": WORKERS,
    "TaskID": TASKS,
    "ActorID": TASKS,
    "GroupID": TASKS,
    "ObjectID": OBJECTS,
    "JobID": JOBS,
}
ODD = [b"", b"\0", b"short", bytes(64), HEAD]
NUMBERS = [0, 1, 2, 3, 4096, -1, 2**31, 2**63 - 1, -(2**63)]
TEXTS = ["", "CPU", "x", "unix:@nobody", "tcp:127.0.0.1:1", "tcp:10.0.0.1:99999", "nonsense", "a\0b", "é" * 40]
REALS = [0.0, 1.0, -1.0, 1e300, float("inf"), float("nan")]


def messages() -> list[type[Any]]:
    """The types of all messages."""
    return [*typing.get_args(Alone), Chunk]


def any_message() -> st.SearchStrategy[Any]:
    return st.sampled_from(messages()).flatmap(one)


@cache
def one(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Messages of one type (or parts of them)."""
    info: Any = inspect.type_info(kind)
    hints: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        hints |= getattr(base, "__annotations__", {})
    fields = {field.name: _value(field.type, hints.get(field.name, "")) for field in info.fields}

    def build(**values: Any) -> Any:
        try:
            return kind(**values)
        except ValueError:
            reject()  # it cannot be decoded either

    return st.builds(build, **fields)


def _value(info: Any, hint: str) -> st.SearchStrategy[Any]:
    match info:
        case inspect.BytesType():
            pools = [pool for name, pool in POOLS.items() if re.search(rf"\b{name}\b", hint)]
            known = [each for pool in pools for each in pool]
            return st.sampled_from(known or [b"", b"code", *TASKS[:2]]) | st.sampled_from(ODD)
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType():
            return st.sampled_from(NUMBERS[:4]) | st.sampled_from(NUMBERS)
        case inspect.FloatType():
            return st.sampled_from(REALS)
        case inspect.StrType():
            return st.sampled_from(TEXTS)
        case inspect.NoneType():
            return st.none()
        case inspect.ListType(item_type=item):
            return st.lists(_value(item, hint), max_size=3)
        case inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(_value(key, hint), _value(value, hint), max_size=2)
        case inspect.TupleType(item_types=items):
            return st.tuples(*(_value(item, hint) for item in items))
        case inspect.VarTupleType(item_type=item):
            return st.lists(_value(item, hint), max_size=3).map(tuple)
        case inspect.UnionType(types=types):
            return st.one_of(*(_value(each, hint) for each in types))
        case inspect.EnumType(cls=cls):
            return st.sampled_from(list(cls))
        case inspect.LiteralType(values=values):
            return st.sampled_from(list(values))
        case inspect.StructType():
            return st.deferred(lambda: one(info.cls))
        case _:
            raise TypeError(f"messages with a field of type {info!r} are not made here")


def as_it_arrives(message: Any) -> Message | None:
    """What the receiver gets; None if it cannot be sent, or is refused on arrival."""
    try:
        data = encode(message)
        return decode_chunk(data) if isinstance(message, Chunk) else decode(data)
    except (ProtocolError, OverflowError):
        return None


def plainest(kind: type[Any]) -> Any:
    """One message of this type, the same each time, with little in it."""
    return _plainest(inspect.type_info(kind))


def _plainest(info: Any) -> Any:
    match info:
        case inspect.StructType():
            return info.cls(**{field.name: _plainest(field.type) for field in info.fields})
        case inspect.ListType(item_type=item):
            return [_plainest(item)]
        case inspect.DictType(key_type=key, value_type=value):
            return {_plainest(key): _plainest(value)}
        case inspect.TupleType(item_types=items):
            return tuple(_plainest(item) for item in items)
        case inspect.VarTupleType():
            return ()
        case inspect.UnionType(types=types):
            return None if inspect.NoneType() in types else _plainest(types[0])
        case inspect.EnumType(cls=cls):
            return next(iter(cls))
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.BytesType():
            return b"id"
        case inspect.StrType():
            return "text"
        case inspect.BoolType():
            return True
        case inspect.IntType() | inspect.FloatType():
            return 1
        case _:
            raise TypeError(f"messages with a field of type {info!r} are not made here")

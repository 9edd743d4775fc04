"""The values of scripted programs: numbers, texts, refs, handles and lists of these, and how they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from rustyray.model.ids import ActorID, ObjectID, handle_id
from rustyray.model.values import RefInfo


class Ref:
    """A counted reference held by a scripted program: one local count of ``object``, until it is dropped.

    ``actor`` marks the handle of an actor, counted like any object.
    """

    __slots__ = ("actor", "dropped", "object", "owner_address")

    def __init__(self, object_: ObjectID, owner_address: str, actor: ActorID = b"") -> None:
        self.object = object_
        self.owner_address = owner_address
        self.actor = actor
        self.dropped = False


Plain: TypeAlias = "int | str | Ref | list[Any]"
#: Makes a ref that came in a value a counted one.
Adopt: TypeAlias = Callable[[RefInfo, ActorID], Ref]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def write(value: Plain, deps: list[Ref] | None = None) -> tuple[bytes, list[Ref]]:
    """A value as bytes, and the refs inside it. With ``deps``, refs at the top of a list are arguments, put there."""
    inside: list[Ref] = []

    def one(part: Plain) -> object:
        if isinstance(part, Ref):
            if not part.owner_address:
                return {"ref": -1, "actor": part.actor}  # a handle that was found by name is not counted
            inside.append(part)
            return {"ref": len(inside) - 1, "actor": part.actor}
        if isinstance(part, list):
            return [one(item) for item in part]
        return part

    if deps is None or not isinstance(value, list):
        return _encode(one(value)), inside
    top: list[object] = []
    for part in value:
        if isinstance(part, Ref) and not part.actor:
            top.append({"dep": len(deps)})
            deps.append(part)
        else:
            top.append(one(part))
    return _encode(top), inside


def read(data: bytes, infos: list[RefInfo] | None, adopt: Adopt, deps: list[Plain] | None = None) -> Plain:
    """The value in ``data``; its refs are adopted, its arguments are taken from ``deps``."""

    def one(part: Any) -> Plain:
        if isinstance(part, dict):
            if "dep" in part:
                return (deps or [])[part["dep"]]
            if part["ref"] < 0:
                return Ref(handle_id(part["actor"]), "", part["actor"])
            return adopt((infos or [])[part["ref"]], part["actor"])
        if isinstance(part, list):
            return [one(item) for item in part]
        assert isinstance(part, int | str)
        return part

    return one(_decode(data))


def infos(refs: list[Ref]) -> list[RefInfo] | None:
    return [RefInfo(ref.object, ref.owner_address) for ref in refs] or None


def refs_in(value: Plain) -> list[Ref]:
    if isinstance(value, Ref):
        return [value]
    if isinstance(value, list):
        return [ref for item in value for ref in refs_in(item)]
    return []


def total(value: Plain) -> int:
    """All numbers in a value, added up; refs count as nothing."""
    if isinstance(value, int):
        return value
    if isinstance(value, list):
        return sum(total(item) for item in value)
    return 0

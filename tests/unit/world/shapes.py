"""The shapes of values in random programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class RefTo:
    """The shape of a ref whose value has the shape ``of``."""

    of: Shape


@dataclass(frozen=True)
class Handle:
    """The shape of an actor's handle."""

    actor: str


@dataclass
class Stream:
    """What a script that streams returned: its items that have not been taken have the shapes ``items``."""

    items: list[Shape]


#: 0 is a number, a list is a list.
Shape: TypeAlias = "int | RefTo | Handle | Stream | tuple[Shape, ...]"


def refs_inside(shape: Shape) -> list[RefTo]:
    """The refs in a value of this shape, in the order in which `values.refs_in` finds them; handles are refs, too."""
    if isinstance(shape, RefTo):
        return [shape]
    if isinstance(shape, tuple):
        return [ref for part in shape for ref in refs_inside(part)]
    return []


def has_handle(shape: Shape) -> bool:
    if isinstance(shape, tuple):
        return any(has_handle(part) for part in shape)
    return isinstance(shape, Handle | Stream)

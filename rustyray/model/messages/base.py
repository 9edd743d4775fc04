"""The ground of all messages: who may speak, and what messages are made of."""

from __future__ import annotations

import enum
from typing import Annotated, Final, TypeAlias

import msgspec

#: The name under which every process addresses the head, wherever it runs.
HEAD: Final = b"head"


class Role(enum.StrEnum):
    """What a peer claims to be when it connects; the claim is inside the handshake's MAC."""

    DRIVER = "driver"
    WORKER = "worker"
    NODE = "node"
    HEAD = "head"


#: What somebody asks for. Less than nothing is refused when it is decoded; what is *free* may be that for a while.
Demand: TypeAlias = dict[str, Annotated[int, msgspec.Meta(ge=0)]]


class Part(msgspec.Struct, array_like=True, gc=False):
    """Base of the pieces that messages are made of."""

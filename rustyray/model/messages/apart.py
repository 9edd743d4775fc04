"""For tests: a driver keeps nodes of its own runtime apart, as if their cable were pulled."""

from __future__ import annotations

import msgspec

from rustyray.model.ids import NodeID


class KeepApart(msgspec.Struct, array_like=True, gc=False, tag=104):
    """Driver → node → its workers: from now on exchange nothing with ``nodes`` and their workers; none: with all.

    With ``cut`` the connections with them end now, once, and nothing else.
    """

    nodes: list[NodeID]
    cut: bool = False


class KeptApart(msgspec.Struct, array_like=True, gc=False, tag=105):
    """The answer, when it is so; a node's, when it is so for its workers too."""

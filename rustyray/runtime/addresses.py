"""Which cluster a program is meant for."""

from __future__ import annotations

import os
from typing import Final

#: Names the cluster that a program joins unless it says otherwise (in Ray, RAY_ADDRESS).
VARIABLE: Final = "RUSTYRAY_ADDRESS"
_OF_RAY: Final = "RAY_ADDRESS"
AS_RAY: Final = "RUSTYRAY_AS_RAY"


def shown(head: str) -> str:
    """A head's address as other programs name it in ``init(address=…)``: "host:port"."""
    return head.removeprefix("tcp:")


def of_environment() -> str:
    """What the variable says, or Ray's where ``import ray`` means RustyRay; nothing if it says nothing."""
    return os.environ.get(VARIABLE) or (os.environ.get(_OF_RAY, "") if os.environ.get(AS_RAY) == "1" else "")

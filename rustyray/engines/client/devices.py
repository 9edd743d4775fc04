"""The GPUs of a worker's process, as libraries find them: in ``CUDA_VISIBLE_DEVICES``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

_VARIABLE: Final = "CUDA_VISIBLE_DEVICES"
#: Set by who chooses devices for themselves (Ray's name for it).
_LEAVE: Final = "RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES"


class Devices:
    """What the environment said before anything was shown holds: only those devices are named (as in Ray)."""

    def __init__(self) -> None:
        self._before = os.environ.get(_VARIABLE)

    def show(self, numbers: Sequence[int]) -> list[int] | list[str]:
        """Set the variable for these GPUs of the node, or restore it if they are none; returns them by name."""
        named = self._named(list(numbers))
        if os.environ.get(_LEAVE, "").lower() not in {"1", "true"}:
            if numbers:
                os.environ[_VARIABLE] = ",".join(map(str, named))
            elif self._before is None:
                os.environ.pop(_VARIABLE, None)
            else:
                os.environ[_VARIABLE] = self._before
        return named

    def _named(self, numbers: list[int]) -> list[int] | list[str]:
        if self._before is None:
            return numbers
        given = [] if self._before in {"", "NoDevFiles"} else self._before.split(",")
        inside = all(number < len(given) for number in numbers)
        return [given[number] for number in numbers] if inside else given

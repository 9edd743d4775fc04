"""Which GPU is whose: what is taken of a node's GPUs is taken of certain ones, which are counted from 0.

A fraction is a part of one GPU, a whole number so many that nobody else has anything of (as in Ray). GPUs that bundles
have reserved can be had under their names, as everything that bundles hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from rustyray.model.bundles import OF
from rustyray.model.resources import GPU, UNIT, ResourceSet

#: Units of each GPU, by its number.
Shares: TypeAlias = dict[int, int]
NONE: Final[Shares] = {}


class Gpus:
    """The part of the node's accounts that tells one GPU from another; ``left`` is what is free, by resource."""

    __slots__ = ("left",)

    def __init__(self, total: int) -> None:
        whole, part = divmod(total, UNIT)
        shares = dict.fromkeys(range(whole), UNIT)
        if part:
            shares[whole] = part
        self.left: dict[str, Shares] = {GPU: shares} if shares else {}

    def fits(self, demand: ResourceSet) -> bool:
        return not self.left or self._find(demand) is not None

    def take(self, demand: ResourceSet) -> Shares:
        """Those that it gets, taken off. It has to fit."""
        if not self.left:
            return NONE
        found = self._find(demand)
        assert found is not None, f"no GPUs are left for {demand}"
        self._add(filter(is_gpu, demand), found, -1)
        return found

    def give_back(self, demand: ResourceSet, shares: Shares) -> None:
        if shares:
            self._add(filter(is_gpu, demand), shares, 1)

    def open(self, names: ResourceSet, shares: Shares) -> None:
        """These can be had under the names as well."""
        self._add(filter(is_gpu, names), shares, 1)

    def close(self, names: ResourceSet, shares: Shares) -> None:
        self._add(filter(is_gpu, names), shares, -1)

    def forget(self, names: ResourceSet) -> None:
        """Nobody has anything under those of the names that were closed."""
        for name in names:
            if name in self.left and not any(self.left[name].values()):
                del self.left[name]

    def _add(self, names: Iterable[str], shares: Shares, sign: int) -> None:
        for name in names:
            left = self.left.setdefault(name, {})
            for number, units in shares.items():
                left[number] = left.get(number, 0) + sign * units

    def _find(self, demand: ResourceSet) -> Shares | None:
        """For a fraction the GPU that has the least left; None if there is none."""
        names = [name for name in demand if is_gpu(name)]
        if not names:
            return NONE
        first, *others = [self.left.get(name, NONE) for name in names]
        free = {number: min([units, *(left.get(number, 0) for left in others)]) for number, units in first.items()}
        whole, part = divmod(demand[names[0]], UNIT)
        full = [number for number, units in free.items() if units == UNIT]
        if len(full) < whole:
            return None
        found = dict.fromkeys(full[:whole], UNIT)
        if part:
            able = [(units, number) for number, units in free.items() if units >= part and number not in found]
            if not able:
                return None
            found[min(able)[1]] = part
        return found

    def check(self, free: ResourceSet) -> None:
        for name, units in free.items():
            if name.startswith(GPU) and is_gpu(name):
                left = sum(self.left.get(name, NONE).values())
                assert left == units, f"{left} of {name} are left by their numbers, by the accounts {units}"


def is_gpu(name: str) -> bool:
    """Whether these are GPUs, the node's own or a bundle's."""
    return name == GPU or name.startswith(GPU + OF)

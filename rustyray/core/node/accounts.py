"""The node's resources: what there is, what is free, and the arithmetic of taking and giving back."""

from __future__ import annotations

from rustyray.model.resources import CPU, ResourceSet, add, fits, subtract


class Accounts:
    """Fixed-point accounts. ``free`` may go below zero for a while, when a blocked worker takes its CPUs back."""

    __slots__ = ("free", "total")

    def __init__(self, total: ResourceSet) -> None:
        self.total = dict(total)
        self.free = dict(total)

    def fits_now(self, demand: ResourceSet) -> bool:
        return fits(demand, self.free)

    def fits_ever(self, demand: ResourceSet) -> bool:
        return fits(demand, self.total)

    def hold(self, demand: ResourceSet) -> None:
        subtract(self.free, demand)

    def release(self, demand: ResourceSet) -> None:
        add(self.free, demand)

    def lend_cpus(self, held: ResourceSet) -> None:
        """The holder waits: others may use its CPUs. Its GPUs and all else stay its own (as in Ray)."""
        if CPU in held:
            self.free[CPU] += held[CPU]

    def take_cpus_back(self, held: ResourceSet) -> None:
        if CPU in held:
            self.free[CPU] -= held[CPU]

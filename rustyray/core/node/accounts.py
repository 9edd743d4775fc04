"""The node's resources: what there is, what is free, and the arithmetic of taking and giving back.

What bundles of placement groups hold is ``reserved``: taken from the node's own, and to be had under names of theirs.
"""

from __future__ import annotations

from rustyray.model.bundles import is_cpu, is_in_bundle
from rustyray.model.resources import ResourceSet, add, fits, subtract


class Accounts:
    """Fixed-point accounts. ``free`` may go below zero for a while, when a blocked worker takes its CPUs back."""

    __slots__ = ("free", "reserved", "total")

    def __init__(self, total: ResourceSet) -> None:
        self.total = dict(total)
        self.free = dict(total)
        self.reserved: ResourceSet = {}

    def own(self) -> ResourceSet:
        """What there is, bundles counted as what they took."""
        return {name: units for name, units in self.total.items() if not is_in_bundle(name)}

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
        self.release(cpus(held))

    def take_cpus_back(self, held: ResourceSet) -> None:
        self.hold(cpus(held))

    # --- bundles ------------------------------------------------------------------------------------------------------

    def reserve(self, bundle: ResourceSet) -> None:
        subtract(self.free, bundle)
        add(self.reserved, bundle)

    def free_reserved(self, bundle: ResourceSet) -> None:
        add(self.free, bundle)
        subtract(self.reserved, bundle)

    def open(self, names: ResourceSet) -> None:
        """What is reserved can be had under these names."""
        add(self.total, names)
        add(self.free, names)

    def close(self, names: ResourceSet) -> None:
        """Not any more. What is still held of it is missing until it is given back."""
        subtract(self.total, names)
        subtract(self.free, names)

    def forget(self, names: ResourceSet) -> None:
        """Nobody holds anything of what was closed."""
        for name in names:
            if not self.total.get(name):
                self.total.pop(name, None)
                self.free.pop(name, None)


def cpus(held: ResourceSet) -> ResourceSet:
    """The CPUs among them, the node's own or a bundle's."""
    return {name: units for name, units in held.items() if is_cpu(name)}

"""The node's resources: what there is, what is free, and the arithmetic of taking and giving back.

What bundles of placement groups hold is ``reserved``: taken from the node's own, and to be had under names of theirs.
"""

from __future__ import annotations

from rustyray.core.node.gpus import Gpus, Shares
from rustyray.model.bundles import is_cpu, is_in_bundle
from rustyray.model.resources import GPU, ResourceSet, add, fits, subtract


class Accounts:
    """Fixed-point accounts. ``free`` may go below zero for a while, when a blocked worker takes its CPUs back.

    Of what is held and reserved they tell which GPUs those are.
    """

    __slots__ = ("free", "gpus", "reserved", "total")

    def __init__(self, total: ResourceSet) -> None:
        self.gpus = Gpus(total.get(GPU, 0))
        self.total = dict(total)
        self.free = dict(total)
        self.reserved: ResourceSet = {}

    def own(self) -> ResourceSet:
        """What there is, bundles counted as what they took."""
        return {name: units for name, units in self.total.items() if not is_in_bundle(name)}

    def fits_now(self, demand: ResourceSet) -> bool:
        return fits(demand, self.free) and self.gpus.fits(demand)

    def fits_ever(self, demand: ResourceSet) -> bool:
        return fits(demand, self.total)

    def hold(self, demand: ResourceSet) -> Shares:
        """It has to fit; returns the GPUs that it got."""
        subtract(self.free, demand)
        return self.gpus.take(demand)

    def release(self, demand: ResourceSet, gpus: Shares) -> None:
        add(self.free, demand)
        self.gpus.give_back(demand, gpus)

    def lend_cpus(self, held: ResourceSet) -> None:
        """The holder waits: others may use its CPUs. Its GPUs and all else stay its own (as in Ray)."""
        add(self.free, cpus(held))

    def take_cpus_back(self, held: ResourceSet) -> None:
        subtract(self.free, cpus(held))

    # --- bundles ------------------------------------------------------------------------------------------------------

    def reserve(self, bundles: list[ResourceSet]) -> list[Shares] | None:
        """All of them or nothing; returns the GPUs that each got."""
        got: list[Shares] = []
        for bundle in bundles:
            if not self.fits_now(bundle):
                for other, gpus in zip(bundles, got, strict=False):
                    self.free_reserved(other, gpus)
                return None
            got.append(self.hold(bundle))
            add(self.reserved, bundle)
        return got

    def free_reserved(self, bundle: ResourceSet, gpus: Shares) -> None:
        self.release(bundle, gpus)
        subtract(self.reserved, bundle)

    def open(self, names: ResourceSet, gpus: Shares) -> None:
        """What is reserved can be had under these names."""
        add(self.total, names)
        add(self.free, names)
        self.gpus.open(names, gpus)

    def close(self, names: ResourceSet, gpus: Shares) -> None:
        """Not any more. What is still held of it is missing until it is given back."""
        subtract(self.total, names)
        subtract(self.free, names)
        self.gpus.close(names, gpus)

    def forget(self, names: ResourceSet) -> None:
        """Nobody holds anything of what was closed."""
        self.gpus.forget(names)
        for name in names:
            if not self.total.get(name):
                self.total.pop(name, None)
                self.free.pop(name, None)


def cpus(held: ResourceSet) -> ResourceSet:
    """The CPUs among them, the node's own or a bundle's."""
    return {name: units for name, units in held.items() if is_cpu(name)}

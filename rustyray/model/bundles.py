"""What a bundle holds, under names of its own: so it is an account beside the node's, in the same books.

A node that has bundles of a group has each of their resources twice: once for the bundle, once for the group, which is
the sum over its bundles there. Whoever runs in a certain bundle takes from both, whoever runs in any takes from the
group's. So neither is ever given out twice. (Ray does it the same way.)
"""

from __future__ import annotations

from typing import Final

from rustyray.model.ids import GroupID
from rustyray.model.resources import CPU, ResourceSet, fits

#: Stands between a resource and the bundle whose it is.
OF: Final = " of group "
#: What those take who need no resources: there is a number of them in each bundle.
PLACE: Final = "place"


def in_group(group: GroupID, resources: ResourceSet) -> ResourceSet:
    """As demanded of any bundle."""
    return {f"{name}{OF}{group.hex()}": units for name, units in resources.items()}


def in_bundle(group: GroupID, bundle: int, resources: ResourceSet) -> ResourceSet:
    """As demanded of one bundle; of any, if that is -1."""
    both = in_group(group, resources)
    if bundle >= 0:
        both.update({f"{name}{OF}{group.hex()}:{bundle}": units for name, units in resources.items()})
    return both


def is_in_bundle(name: str) -> bool:
    """Whether a resource is a bundle's (or a group's), not the node's own."""
    return OF in name


def is_cpu(name: str) -> bool:
    return name == CPU or name.startswith(CPU + OF)


def hold(bundles: list[ResourceSet], bundle: int, resources: ResourceSet) -> bool:
    """Whether ``resources`` fit into the bundle; into any of them, if that is -1."""
    return any(fits(resources, bundles[number]) for number in range(len(bundles)) if bundle in {-1, number})

"""Resources in fixed point: 1 CPU is 10,000 units, so that 0.1 + 0.2 CPUs are exactly 0.3 (as in Ray).

A ``ResourceSet`` is a plain ``dict[str, int]`` of units without zero entries. Plain dicts travel in messages as they
are; the functions here are the only arithmetic done on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

ResourceSet: TypeAlias = dict[str, int]

UNIT: Final = 10_000
#: More than any machine has; beyond it, units would not fit into the 64 bits that they have in messages.
MOST: Final = 10**14
CPU: Final = "CPU"
GPU: Final = "GPU"
MEMORY: Final = "memory"
OBJECT_STORE_MEMORY: Final = "object_store_memory"
#: What nodes have one of under their addresses, and the first of all nodes under this name (as in Ray).
OF_NODE: Final = "node:"
HEAD_NODE: Final = "node:__internal_head__"


def to_units(name: str, amount: float) -> int:
    """Convert an amount (CPUs, GPUs, bytes of memory, or a custom resource's own measure) to fixed-point units.

    Raises:
        ValueError: the amount is negative, not finite, above 10^14, or finer than 1/10,000.
    """
    if not (0 <= amount < float("inf")):
        raise ValueError(f"resource {name!r}: the amount must be zero or more and finite, got {amount!r}")
    if amount > MOST:
        raise ValueError(f"resource {name!r}: the amount must be {MOST:g} or less, got {amount:g}")
    units = round(amount * UNIT)
    if abs(units - amount * UNIT) > 1e-3 * max(1.0, amount * 1e-9):
        raise ValueError(f"resource {name!r}: {amount!r} is finer than the smallest share, 1/{UNIT}")
    return units


def from_units(units: int) -> float:
    return units / UNIT


def resource_set(amounts: Mapping[str, float]) -> ResourceSet:
    """A resource set from amounts as users write them; zero amounts are dropped. Raises ValueError as `to_units`."""
    return {name: units for name, amount in amounts.items() if (units := to_units(name, amount))}


def as_amounts(resources: ResourceSet) -> dict[str, float]:
    return {name: from_units(units) for name, units in resources.items()}


def of_node(given: ResourceSet, store: int, host: str, first: bool) -> ResourceSet:
    """All that a node has that was ``given`` these: its store's bytes, and the names by which tasks can ask for it."""
    names = {f"{OF_NODE}{host}": UNIT} | ({HEAD_NODE: UNIT} if first else {})
    return {**given, OBJECT_STORE_MEMORY: store * UNIT, **names}


def host_of(total: ResourceSet) -> str:
    """The address of the node that has this."""
    names = [name for name in total if name.startswith(OF_NODE) and name != HEAD_NODE]
    return names[0].removeprefix(OF_NODE) if names else "127.0.0.1"


def fits(demand: ResourceSet, available: ResourceSet) -> bool:
    return all(available.get(name, 0) >= units for name, units in demand.items())


def add(into: ResourceSet, other: ResourceSet) -> None:
    for name, units in other.items():
        into[name] = into.get(name, 0) + units


def total(sets: Iterable[ResourceSet]) -> ResourceSet:
    both: ResourceSet = {}
    for one in sets:
        add(both, one)
    return both


def subtract(from_: ResourceSet, other: ResourceSet) -> None:
    """Take ``other`` away. An account may go below zero for a while, when a blocked worker wakes up (as in Ray)."""
    for name, units in other.items():
        from_[name] = from_.get(name, 0) - units


def describe(resources: ResourceSet) -> str:
    return ", ".join(f"{name}: {readable(name, units)}" for name, units in sorted(resources.items())) or "nothing"


def describe_node(total: ResourceSet) -> str:
    """What a node has, without what each node has by itself."""
    return describe({name: units for name, units in total.items() if not is_every_nodes(name)})


def is_every_nodes(name: str) -> bool:
    return name == OBJECT_STORE_MEMORY or name.startswith(OF_NODE)


def readable(name: str, units: int) -> str:
    """An amount for people: memory is in GB, unless it is little."""
    amount = from_units(units)
    return f"{amount / 1e9:.3g} GB" if name == MEMORY and amount >= 1e8 else f"{amount:g}"

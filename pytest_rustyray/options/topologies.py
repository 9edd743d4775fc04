"""The kinds of runtimes that a test can have: ``local``, ``constrained``, ``cluster:3``, ``sim:3``, ``ray``."""

from __future__ import annotations

from typing import Any, Final

from pytest_rustyray.options.rules import hint

KINDS: Final = ("local", "constrained", "cluster", "sim", "ray")
#: What a constrained runtime has, of what is given nowhere.
CONSTRAINED: Final[dict[str, object]] = {
    "num_cpus": 1,
    "cpu_quota": True,
    "memory": 512 * 2**20,
    "memory_limit": 512 * 2**20,
    "object_store_memory": 64 * 2**20,
    "spill_limit": 128 * 2**20,
    "descriptors": 256,
}
#: Those that take a number of nodes, and how many there are without one.
COUNTED: Final = {"cluster": 2, "sim": 1, "ray": 1}
#: Those whose engine has their name.
ENGINES: Final = ("sim", "ray")


def names(value: object) -> list[str]:
    """A topology, or several, as a list."""
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]


def split(topology: str) -> tuple[str, int]:
    """The kind, and the number of nodes."""
    kind, _, count = topology.partition(":")
    return kind, int(count or COUNTED.get(kind, 1))


def arguments(topology: str, nodes: int | None) -> dict[str, Any]:
    """What ``rustyray.init`` is to be told for it; it has ``nodes`` nodes unless its name says how many."""
    kind, count = split(topology)
    found: dict[str, Any] = {"engine": kind} if kind in ENGINES else {}
    if kind in COUNTED:
        found["num_nodes"] = nodes if nodes is not None and takes_nodes(topology) else count
    return found


def defaults(topology: str) -> dict[str, object]:
    """Options that it has where nothing else is given."""
    return CONSTRAINED if topology == "constrained" else {}


def takes_nodes(topology: str) -> bool:
    """Whether the number of its nodes is for another option to say."""
    return topology in COUNTED


def problem_with(value: object) -> str:
    """What is wrong with the value of the option, or nothing."""
    if not names(value):
        return "names no topology"
    for one in value if isinstance(value, list | tuple) else [value]:
        problem = _problem_with_one(one)
        if problem:
            return problem
    if len(set(names(value))) < len(names(value)):
        return f"names a topology twice: {value!r}"
    return ""


def _problem_with_one(value: object) -> str:
    kind, colon, count = str(value).partition(":")
    if value in KINDS or (kind in COUNTED and count.isdecimal() and int(count) > 0):
        return ""
    if kind in COUNTED and colon:
        return f"is {value!r}: behind the colon is the number of nodes, as in '{kind}:3'"
    valid = ", ".join(map(repr, KINDS))
    return f"{value!r} does not exist{hint(value, KINDS)}. Valid are {valid}, and with a number of nodes 'cluster:3'"

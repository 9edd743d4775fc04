"""The options there are: what they are called, what they are for, and their values where nobody gives one.

It is read in every run of pytest; how each option is read and checked is in `reading.py`, for runs that give some.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: How an option is written outside of markers: the option's name follows.
FLAG: Final = "--rustyray-"
VARIABLE: Final = "RUSTYRAY_"
INI: Final = "rustyray_"
MARKER: Final = "@pytest.mark.rustyray"

#: A value, and where it was given, such as ``--rustyray-num-cpus``; nowhere for a default.
Given = tuple[object, str]
#: By name.
Options = Mapping[str, Given]

#: The default of ``object_store_memory``, in bytes.
STORE: Final = 256 * 2**20
#: What a test may leave behind.
LEAKS: Final = (
    *("processes", "threads", "descriptors", "memory", "sockets", "folders"),
    *("actors", "refs", "tasks", "groups"),
)

#: What each takes, with an example: its help.
OPTIONS: Final[Mapping[str, str]] = {
    "num_cpus": "CPUs to share out among tasks and actors, such as 4",
    "num_gpus": "GPUs to share out, which need not be there: 1",
    "memory": "memory to share out among tasks that ask for some: 4GiB",
    "object_store_memory": "the most that large objects may take: 1GiB",
    "resources": "custom resources: license=2,disk=1.5",
    "labels": "labels of the node: zone=a,disk=ssd",
    "namespace": "where names of actors are unique",
    "logging_level": "level of the runtime's own messages: INFO",
    "engine": 'what runs it, unless the topology says: "native", "sim" or "ray"',
    "seed": "of a simulated runtime (another order of events for each), and of rustyray_chaos: 7",
    "enforce_memory": "end workers that use more memory than their task asked for: true",
    "topology": 'what to start; "local": one node; "constrained": one with little; "cluster:3": three, in processes; '
    '"sim", "sim:3": one, or three, simulated; "ray": a real Ray; several for tests that run in each: local,cluster:3',
    "nodes": "how many nodes a cluster has whose topology says none: 3",
    "cpu_quota": "workers run on as many CPUs as there are in num_cpus: true",
    "memory_limit": "what a node's workers and its store may take: 1GiB",
    "descriptors": "files that each process of a node may open: 256",
    "spill_limit": "what a node may write to disk when its store is full: 1GiB",
    "store": "where the head keeps what it knows: memory, sqlite, redis, redis://…",
    "timeout": "seconds that a test may take, 0 for no limit",
    "leaks": "what becomes of a test that leaves something behind: fail, warn or off",
    "allow_leaks": f"what tests may leave behind: true, or some of {', '.join(LEAKS)}",
    "keep": "whose session folder stays: never, failed or always",
}
#: Of those that have one.
DEFAULTS: Final[Mapping[str, object]] = {
    "num_cpus": 2,
    "object_store_memory": STORE,
    "topology": "local",
    "store": "memory",
    "timeout": 300,
    "leaks": "fail",
    "allow_leaks": False,
    "keep": "never",
}
#: Those of the plugin alone; all others are for the runtime.
OURS: Final = ("topology", "nodes", "store", "timeout", "leaks", "allow_leaks", "keep")
#: Those that are about a test, whatever runtime it uses.
OF_TESTS: Final = ("timeout", "leaks", "allow_leaks", "keep")
#: Those that a runtime takes in ``_system_config``.
LIMITS: Final = ("cpu_quota", "memory_limit", "descriptors", "spill_limit")

#: Those that are numbers of bytes.
SIZES: Final = ("memory", "object_store_memory", "memory_limit", "spill_limit")
UNITS: Final = {"TiB": 2**40, "GiB": 2**30, "MiB": 2**20, "KiB": 2**10}


def shown(name: str, value: object) -> str:
    """An option's value as a person would write it."""
    if name in SIZES and isinstance(value, int) and value:
        for unit, factor in UNITS.items():
            if value % factor == 0:
                return f"{value // factor}{unit}"
    if isinstance(value, Mapping):
        return ",".join(f"{key}={inner}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)

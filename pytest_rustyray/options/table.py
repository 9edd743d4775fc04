"""The options there are.

Those that ``rustyray.init`` has are checked by the runtime's own rules, so that both speak with one voice; the others
have a rule here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pytest_rustyray.options import rules, texts, topologies
from pytest_rustyray.options.rules import LEAKS, one_of

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


class Option:
    """How to read an option from text, what its help says, its value where nobody gives one, and what values it takes.

    ``rule`` says what is wrong with a value, without the option's name, or nothing. An option without one is an
    argument of ``rustyray.init``.
    """

    __slots__ = ("default", "help", "parse", "rule")

    def __init__(
        self,
        parse: Callable[[str], object],
        help: str,  # noqa: A002 - pytest's word
        default: object = None,
        rule: Callable[[object], str] | None = None,
    ) -> None:
        self.parse = parse
        self.help = help
        self.default = default
        self.rule = rule


OPTIONS: Final[dict[str, Option]] = {
    "num_cpus": Option(texts.number, "CPUs to share out among tasks and actors, such as 4", 2),
    "num_gpus": Option(texts.number, "GPUs to share out, which need not be there: 1"),
    "memory": Option(texts.size, "memory to share out among tasks that ask for some: 4GiB"),
    "object_store_memory": Option(texts.size, "the most that large objects may take: 1GiB", STORE),
    "resources": Option(texts.numbers, "custom resources: license=2,disk=1.5"),
    "labels": Option(texts.texts, "labels of the node: zone=a,disk=ssd"),
    "namespace": Option(str, "where names of actors are unique"),
    "logging_level": Option(str, "level of the runtime's own messages: INFO"),
    "engine": Option(str, 'what runs it, unless the topology says: "native", "sim" or "ray"'),
    "seed": Option(int, "of a simulated runtime (another order of events for each), and of rustyray_chaos: 7"),
    "enforce_memory": Option(texts.flag, "end workers that use more memory than their task asked for: true"),
    "topology": Option(
        texts.words,
        'what to start; "local": one node; "constrained": one with little; "cluster:3": three, in processes; "sim", '
        '"sim:3": one, or three, simulated; "ray": a real Ray; several for tests that run in each: local,cluster:3',
        "local",
        topologies.problem_with,
    ),
    "nodes": Option(int, "how many nodes a cluster has whose topology says none: 3", None, rules.nodes),
    "cpu_quota": Option(texts.flag, "workers run on as many CPUs as there are in num_cpus: true", None, rules.quota),
    "memory_limit": Option(texts.size, "what a node's workers and its store may take: 1GiB", None, rules.size),
    "descriptors": Option(int, "files that each process of a node may open: 256", None, rules.descriptors),
    "spill_limit": Option(texts.size, "what a node may write to disk when its store is full: 1GiB", None, rules.size),
    "store": Option(str, "where the head keeps what it knows: memory, sqlite, redis, redis://…", "memory", rules.store),
    "timeout": Option(texts.number, "seconds that a test may take, 0 for no limit", 300, rules.seconds),
    "leaks": Option(
        str,
        "what becomes of a test that leaves something behind: fail, warn or off",
        "fail",
        one_of("fail", "warn", "off"),
    ),
    "allow_leaks": Option(
        texts.flag_or_words, f"what tests may leave behind: true, or some of {', '.join(LEAKS)}", False, rules.leaks
    ),
    "keep": Option(
        str, "whose session folder stays: never, failed or always", "never", one_of("never", "failed", "always")
    ),
}
#: Those of the plugin alone; all others are for the runtime.
OURS: Final = ("topology", "nodes", "store", "timeout", "leaks", "allow_leaks", "keep")
#: Those that are about a test, whatever runtime it uses.
OF_TESTS: Final = ("timeout", "leaks", "allow_leaks", "keep")
#: Those that a runtime takes in ``_system_config``.
LIMITS: Final = ("cpu_quota", "memory_limit", "descriptors", "spill_limit")


def shown(name: str, value: object) -> str:
    """An option's value as a person would write it."""
    return texts.shown(value, bytes_=OPTIONS[name].parse is texts.size)

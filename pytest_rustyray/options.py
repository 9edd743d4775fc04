"""What a test's runtime is made with: the options, where each can be given, and which of those wins.

A marker beats the command line, which beats the environment, which beats the ini file. Texts are turned into values
here; whether a value makes sense is for the runtime's own checks to say, so that both speak with one voice. Those are
imported only when a test asks for a runtime.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest

#: How an option is written outside of markers: the option's name follows.
FLAG: Final = "--rustyray-"
VARIABLE: Final = "RUSTYRAY_"
INI: Final = "rustyray_"


class Option:
    """How to read an option from text, what its help says, and its value where nobody gives one."""

    __slots__ = ("default", "help", "parse")

    def __init__(self, parse: Callable[[str], object], help: str, default: object = None) -> None:  # noqa: A002 - pytest's word
        self.parse = parse
        self.help = help
        self.default = default


#: A value, and where it was given, such as ``--rustyray-num-cpus``; nowhere for a default.
Given = tuple[object, str]
#: By name.
Options = Mapping[str, Given]

# --- text to values ---------------------------------------------------------------------------------------------------

_UNITS: Final = {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40, "kb": 10**3, "mb": 10**6, "gb": 10**9}


def number(text: str) -> int | float:
    """``2`` or ``0.5``."""
    try:
        return int(text)
    except ValueError:
        return float(text)


def size(text: str) -> int:
    """Bytes, or ``256MiB``."""
    lower = text.lower().strip()
    for unit, factor in _UNITS.items():
        if lower.endswith(unit):
            return int(float(lower.removesuffix(unit)) * factor)
    return int(lower)


def texts(text: str) -> dict[str, str]:
    """``name=value,other=value``."""
    pairs = [pair.split("=", 1) for pair in text.split(",") if pair.strip()]
    return {name.strip(): value.strip() for name, value in pairs}


def numbers(text: str) -> dict[str, int | float]:
    """``name=2,other=0.5``."""
    return {name: number(value) for name, value in texts(text).items()}


OPTIONS: Final[dict[str, Option]] = {
    "num_cpus": Option(number, "CPUs to share out among tasks and actors, such as 4", 2),
    "num_gpus": Option(number, "GPUs to share out, which are plain numbers: 1"),
    "memory": Option(size, "memory to share out among tasks that ask for some: 4GiB"),
    "object_store_memory": Option(size, "the most that large objects may take: 1GiB", 256 * 2**20),
    "resources": Option(numbers, "custom resources: license=2,disk=1.5"),
    "labels": Option(texts, "labels of the node: zone=a,disk=ssd"),
    "namespace": Option(str, "where names of actors are unique"),
    "logging_level": Option(str, "level of the runtime's own messages: INFO"),
    "topology": Option(
        str,
        'what to start; "local": one node; "cluster:3": three, in processes; "sim", "sim:3": one, or three, simulated',
        "local",
    ),
    "engine": Option(str, 'what runs it, unless the topology says: "native", or "sim"'),
    "seed": Option(int, "of a simulated runtime: another order of events, and delays, for each number: 7"),
}

_TOPOLOGIES: Final = ("local", "cluster", "sim")
#: Those that take a number of nodes, and how many there are without one.
_COUNTED: Final = {"cluster": 2, "sim": 1}
_LATER: Final = ("constrained", "ray")
_MARKER: Final = "@pytest.mark.rustyray"


# --- where options come from ------------------------------------------------------------------------------------------


def declare(parser: pytest.Parser) -> None:
    """Add the flags and their twins in the ini file."""
    group = parser.getgroup("rustyray", "RustyRay: runtimes for tests")
    for name, option in OPTIONS.items():
        default = f" (default: {shown(name, option.default)})" if option.default is not None else ""
        group.addoption(
            FLAG + name.replace("_", "-"), dest=INI + name, default=None, metavar="X", help=option.help + default
        )
        parser.addini(INI + name, option.help + default, default=None)


def given(config: pytest.Config) -> Options:
    """What the command line, the environment and the ini file say, with the defaults for the rest.

    Raises:
        pytest.UsageError: A text cannot be read; the message names the place.
    """
    found: dict[str, Given] = {}
    for name, option in OPTIONS.items():
        for text, source in _texts(config, name):
            if text:
                found[name] = _parsed(option, text, source), source
                break
        else:
            if option.default is not None:
                found[name] = option.default, ""
    return found


def _texts(config: pytest.Config, name: str) -> Iterator[tuple[str | None, str]]:
    yield config.getoption(INI + name), FLAG + name.replace("_", "-")
    variable = VARIABLE + name.upper()
    yield os.environ.get(variable), variable
    try:
        ini: str | None = config.getini(INI + name)
    except TypeError as error:  # a TOML file with a number instead of a string
        raise pytest.UsageError(str(error)) from None
    yield ini, f"{INI}{name} in the ini file"


def _parsed(option: Option, text: str, source: str) -> object:
    try:
        return option.parse(text)
    except ValueError:
        raise pytest.UsageError(f"{source}: cannot make sense of {text!r}; it takes {option.help}") from None


def for_node(common: Options, node: pytest.Item | pytest.Collector) -> Options:
    """The options for a test, or for a module, whose markers are checked already: the closest marker wins."""
    merged = dict(common)
    for mark in reversed(list(node.iter_markers("rustyray"))):
        merged |= {name: (value, _MARKER) for name, value in mark.kwargs.items()}
    return merged


def for_init(options: Options) -> dict[str, Any]:
    """The arguments of ``rustyray.init``.

    Raises:
        pytest.UsageError: A value makes no sense; the message names where it was given.
    """
    for name, (value, source) in options.items():
        problem = problem_with(name, value)
        if problem:
            raise pytest.UsageError(f"{source}: {problem}")
    arguments = {name: value for name, (value, _) in options.items() if name != "topology"}
    kind, _, count = str(options.get("topology", ("local", ""))[0]).partition(":")
    if kind == "sim":
        arguments["engine"] = "sim"
    if kind in _COUNTED:
        arguments["num_nodes"] = int(count or _COUNTED[kind])
    simulated = arguments.get("engine") == "sim"
    if "seed" in arguments and not simulated:
        if options["seed"][1] == _MARKER and arguments["seed"] is not None:
            raise pytest.UsageError(f'{_MARKER}: seed is for simulated runtimes: add topology="sim", or leave it out')
        del arguments["seed"]  # it was given for all tests, and this one has no use for it
    return arguments


# --- checks -----------------------------------------------------------------------------------------------------------


def problem_with_marker(mark: pytest.Mark) -> str:
    """What is wrong with a ``rustyray`` marker, or nothing."""
    if mark.args:
        return f"@pytest.mark.rustyray takes keyword arguments only, such as num_cpus=4; got {mark.args[0]!r}"
    for name, value in mark.kwargs.items():
        problem = problem_with(name, value)
        if problem:
            return f"@pytest.mark.rustyray: {problem}"
    return ""


def problem_with(name: str, value: object) -> str:
    """What is wrong with an option, or nothing. Imports the runtime, whose rules these are."""
    from rustyray.model import settings
    from rustyray.model.options import hint

    if name not in OPTIONS:
        return f"there is no option {name!r}{hint(name, OPTIONS)}. Valid ones are {', '.join(OPTIONS)}."
    if value is None:
        return ""
    if name == "topology":
        return _problem_with_topology(value)
    if name == "engine":
        return _problem_with_engine(value)
    plain: dict[str, Any] = {"num_cpus": 0, "num_gpus": 0, "memory": 0, "logging_level": "WARNING"}
    others = dict.fromkeys(("resources", "object_store_memory", "namespace", "labels", "system_config"))
    try:
        engine = "sim" if name == "seed" else "native"
        settings.settings(**(plain | others | {"engine": engine, name: value}))
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


def _problem_with_topology(value: object) -> str:
    from rustyray.model.options import hint

    kind, colon, count = str(value).partition(":")
    if value in _TOPOLOGIES or (kind in _COUNTED and count.isdecimal() and int(count) > 0):
        return ""
    if kind in _COUNTED and colon:
        return f"topology={value!r}: behind the colon is the number of nodes, as in '{kind}:3'."
    if kind in _LATER:
        return f"topology={value!r} is not supported yet, only {', '.join(map(repr, _TOPOLOGIES))} are."
    return f"there is no topology {value!r}{hint(str(value), _TOPOLOGIES)}. Valid are 'local', 'cluster:3' and 'sim:3'."


def _problem_with_engine(value: object) -> str:
    from rustyray.api.engines import ENGINES
    from rustyray.model.options import hint

    if value in ENGINES:
        return ""
    return f"there is no engine {value!r}{hint(str(value), ENGINES)}. Valid are {', '.join(map(repr, ENGINES))}."


# --- for the eye ------------------------------------------------------------------------------------------------------


def shown(name: str, value: object) -> str:
    """An option's value as a person would write it."""
    if OPTIONS[name].parse is size and isinstance(value, int):
        for unit in ("TiB", "GiB", "MiB", "KiB"):
            factor = _UNITS[unit.lower()]
            if value and value % factor == 0:
                return f"{value // factor}{unit}"
    if isinstance(value, Mapping):
        return ",".join(f"{key}={inner}" for key, inner in value.items())
    return str(value)


def header(options: Options) -> str:
    """The line for the head of pytest's output."""
    parts = [
        f"{name}={shown(name, value)}" + (f" ({source})" if source else "")
        for name, (value, source) in options.items()
        if name != "topology" or source
    ]
    return f"rustyray: {', '.join(parts)}"

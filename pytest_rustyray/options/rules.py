"""What values an option takes, where the runtime has no rule of its own: each says what is wrong, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from pytest_rustyray.options.table import LEAKS

STORES: Final = ("memory", "sqlite", "redis")
LEAST_DESCRIPTORS: Final = 64


def hint(value: object, valid: Iterable[str]) -> str:
    from difflib import get_close_matches  # only where something is wrong

    close = get_close_matches(str(value), valid, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def one_of(*valid: str) -> Callable[[object], str]:
    listed = ", ".join(map(repr, valid[:-1])) + f" or {valid[-1]!r}"

    def rule(value: object) -> str:
        return "" if value in valid else f"must be {listed}, got {value!r}{hint(value, valid)}"

    return rule


def seconds(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        return f"must be a number of seconds, zero (no limit) or more, got {value!r}"
    return ""


def size(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        return f"must be a number of bytes, 1 or more, got {value!r}"
    return ""


def descriptors(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int) or value < LEAST_DESCRIPTORS:
        return f"must be a number, {LEAST_DESCRIPTORS} or more, which is what the runtime itself needs; got {value!r}"
    return ""


def nodes(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return "" if value > 0 else f"must be 1 or more, got {value}"
    if not isinstance(value, list | tuple) or not value or not all(isinstance(one, dict) for one in value):
        return f"must be a number of nodes, or a list of dicts with the options of each, got {value!r}"
    from rustyray.cluster_utils import NODE_OPTIONS

    for name in [name for one in value for name in one]:
        if name not in NODE_OPTIONS:
            return f"has a node with an option {name!r}{hint(name, NODE_OPTIONS)}. Valid are {', '.join(NODE_OPTIONS)}"
    return ""


def quota(value: object) -> str:
    if isinstance(value, bool) or (isinstance(value, list) and value and all(type(cpu) is int for cpu in value)):
        return ""
    return f"must be True or False, or a list of CPUs, got {value!r}"


def store(value: object) -> str:
    if value in STORES or (isinstance(value, str) and value.startswith(("redis://", "rediss://"))):
        return ""
    return f"must be one of {', '.join(map(repr, STORES))} or the address of a server, redis://…; got {value!r}" + hint(
        value, STORES
    )


def leaks(value: object) -> str:
    if isinstance(value, bool):
        return ""
    if not isinstance(value, str | list | tuple | set | frozenset):
        return f"must be True, or kinds of leaks such as ['threads'], got {value!r}"
    for kind in [value] if isinstance(value, str) else value:
        if kind not in LEAKS:
            return f"has no kind {kind!r}{hint(kind, LEAKS)}. Valid ones are {', '.join(LEAKS)}, and True for all"
    return ""

"""Which part of a value cannot be pickled, as in Ray's ``ray.util.check_serialize``."""

from __future__ import annotations

from typing import Any, NamedTuple

from rustyray.runtime.serialization_explain import explain_unpicklable, find_unpicklable


class FailureTuple(NamedTuple):
    """What cannot be pickled: the object, how one gets to it, and the value it was looked for in."""

    obj: Any
    name: str
    parent: Any


def inspect_serializability(
    base_obj: Any, name: str | None = None, depth: int = 3, print_file: Any = None
) -> tuple[bool, list[FailureTuple]]:
    """Whether a value can be passed to tasks; if not, what in it is to blame is printed and returned.

    Args:
        base_obj: the value.
        name: what to call it.
        depth: taken as in Ray, and not needed: the deepest culprit is found.
        print_file: where to print; standard output without.

    Returns:
        Whether it can be pickled, and the culprit (Ray returns a set, which not all objects can be in).
    """
    called = name or getattr(base_obj, "__qualname__", None) or type(base_obj).__name__
    print(explain_unpicklable(base_obj, called), file=print_file)
    found = find_unpicklable(base_obj, called)
    if found is None:
        return True, []
    path, culprit = found
    return False, [FailureTuple(culprit, path, base_obj)]

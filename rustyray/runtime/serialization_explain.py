"""Find the part of a value that will not pickle, and say what to do about it.

Pickle's own message names a type (``cannot pickle '_thread.lock' object``), not the place. This walks from the value
down to the deepest part that still fails, the way pickle itself would go. It runs on errors only, so it may be slow.
"""

from __future__ import annotations

import dis
import functools
import pickle
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, MethodType
from typing import Any

from rustyray.runtime import context
from rustyray.runtime.serialization_by_value import dumps_by_value

#: How many parts are tried at most before the outermost known culprit has to do.
_MOST_ATTEMPTS = 2000
_ATOMS = (type(None), bool, int, float, complex, str, bytes, bytearray)
_SKIPPED = frozenset({"__dict__", "__weakref__", "__module__", "__doc__", "__qualname__", "__annotations__"})

_MAKE_INSIDE = "Make it inside the task, or in the actor's __init__, and leave it out of what is passed."
_ADVICE = {
    "lock": f"Locks work within one process only. {_MAKE_INSIDE}",
    "RLock": f"Locks work within one process only. {_MAKE_INSIDE}",
    "socket": f"Open connections belong to one process. {_MAKE_INSIDE}",
    "Connection": f"Open connections belong to one process. {_MAKE_INSIDE}",
    "TextIOWrapper": "Pass the path and open the file where it is used.",
    "BufferedReader": "Pass the path and open the file where it is used.",
    "BufferedWriter": "Pass the path and open the file where it is used.",
    "BufferedRandom": "Pass the path and open the file where it is used.",
    "FileIO": "Pass the path and open the file where it is used.",
    "generator": "Pass a list of its items, or make the generator inside the task.",
    "async_generator": "Make the generator inside the task.",
    "coroutine": "Pass the function and its arguments, and await it inside the task.",
}
_OTHERWISE = (
    "Make it inside the task or actor, leave it out in the class's __getstate__, or give the class a __reduce__."
)


def explain_unpicklable(value: object, name: str, error: BaseException | None = None) -> str:
    """One line: the path from ``name`` to the culprit inside ``value``, why it cannot be pickled, what to do.

    ``error`` is what pickling raised, if that is known already.
    """
    if error is None:
        error = _failure(value)
        if error is None:
            return f"{name} can be pickled"
    if _is_too_deep(error):
        return f"{name}: nested too deeply to be pickled. Flatten it, or raise sys.setrecursionlimit()."
    path, culprit, cause = _Search().deepest(name, value, error)
    why = str(cause) or type(cause).__name__
    if not isinstance(cause, (TypeError, pickle.PicklingError, AttributeError)):
        why = f"pickling it raised {type(cause).__name__}: {why}"
    advice = _ADVICE.get(type(culprit).__name__, _OTHERWISE)
    return f"{path}: {why.rstrip('.')}. {advice}"


def find_unpicklable(value: object, name: str) -> tuple[str, object] | None:
    """The path from ``name`` to the culprit inside ``value``, and the culprit; None if ``value`` can be pickled."""
    error = _failure(value)
    return None if error is None else _Search().deepest(name, value, error)[:2]


def explain_arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any], error: BaseException) -> str:
    """As `explain_unpicklable`, for the arguments of a call: the path starts at ``args`` or ``kwargs``."""
    for name, part in (("args", args), ("kwargs", dict(kwargs))):
        failed = _failure(part)
        if failed is not None:
            return explain_unpicklable(part, name, failed)
    return explain_unpicklable((args, kwargs), "arguments", error)


def _failure(value: object) -> Exception | None:
    with context.collecting_refs():
        try:
            dumps_by_value(value, lambda buffer: None)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - reducers are the user's code
            return error
    return None


def _is_too_deep(error: BaseException) -> bool:
    return isinstance(error, RecursionError) or isinstance(error.__cause__, RecursionError)


class _Search:
    """Depth first, each part once: the culprit is a part that fails although none of its own parts does."""

    def __init__(self) -> None:
        self.seen: dict[int, object] = {}
        self.attempts = 0

    def deepest(self, path: str, value: object, error: BaseException) -> tuple[str, object, BaseException]:
        return self.inside(path, value, error) or (path, value, error)

    def inside(self, path: str, value: object, error: BaseException) -> tuple[str, object, BaseException] | None:
        """None when the failure comes from a part that is being searched already (a cycle)."""
        self.seen[id(value)] = value
        blameless = True
        for step, part in _parts(value):
            if isinstance(part, _ATOMS):
                continue
            if id(part) in self.seen:
                blameless = blameless and _failure(part) is None
                continue
            self.attempts += 1
            if self.attempts > _MOST_ATTEMPTS:
                break
            failed = _failure(part)
            if failed is not None:
                blameless = False
                found = self.inside(path + step, part, failed)
                if found is not None:
                    return found
        return (path, value, error) if blameless else None


def _parts(value: object) -> Iterator[tuple[str, object]]:
    """What pickle would descend into, each with how one writes the way there."""
    if isinstance(value, dict):
        for key, item in list(value.items()):
            yield f"[{key!r}]", item
            yield f".<key {key!r}>", key
    if isinstance(value, (list, tuple)):
        yield from ((f"[{index}]", item) for index, item in enumerate(list(value)))
    elif isinstance(value, (set, frozenset)):
        yield from ((f".<element {item!r}>", item) for item in list(value))
    elif isinstance(value, FunctionType):
        yield from _function_parts(value)
    elif isinstance(value, MethodType):
        yield ".__self__", value.__self__
        yield ".__func__", value.__func__
    elif isinstance(value, functools.partial):
        yield ".func", value.func
        yield ".args", value.args
        yield ".keywords", value.keywords
    elif isinstance(value, (staticmethod, classmethod)):
        yield ".__func__", value.__func__
    elif isinstance(value, property):
        yield from ((f".{name}", getattr(value, name)) for name in ("fget", "fset", "fdel"))
    elif isinstance(value, type):
        yield from ((f".{name}", item) for name, item in list(vars(value).items()) if name not in _SKIPPED)
        yield from ((f".<base {base.__name__}>", base) for base in value.__bases__)
    if type(value) not in (dict, list, tuple, set, frozenset, functools.partial) and not isinstance(
        value, (FunctionType, MethodType, staticmethod, classmethod, property, type)
    ):
        yield from _reduced_parts(value)


def _function_parts(function: FunctionType) -> Iterator[tuple[str, object]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield f".<closure>.{name}", cell.cell_contents
        except ValueError:  # an empty cell: not assigned yet
            continue
    for name in _global_names(function.__code__):
        if name in function.__globals__:
            yield f".<globals>.{name}", function.__globals__[name]
    yield from ((f".<default {index}>", item) for index, item in enumerate(function.__defaults__ or ()))
    yield from ((f".<default {name}>", item) for name, item in (function.__kwdefaults__ or {}).items())
    yield from ((f".{name}", item) for name, item in list(vars(function).items()))
    yield from ((f".<annotation {name}>", item) for name, item in list(function.__annotations__.items()))


def _global_names(code: CodeType) -> list[str]:
    names = {str(step.argval): None for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names.update(dict.fromkeys(_global_names(constant)))
    return list(names)


def _reduced_parts(value: object) -> Iterator[tuple[str, object]]:
    """Through the object's own reducer, so that what ``__getstate__`` leaves out is not blamed."""
    try:
        reduced = value.__reduce_ex__(5)
    except Exception:  # noqa: BLE001 - then the object itself is the culprit
        return
    if not isinstance(reduced, tuple):
        return
    function, args, state, *rest = (*reduced, None, None, None, None)[:5]
    yield ".__reduce__()[0]", function
    if isinstance(value, BaseException):
        yield from ((f".args[{index}]", item) for index, item in enumerate(args))
    elif isinstance(args, tuple):
        yield from ((f".__reduce__()[1][{index}]", item) for index, item in enumerate(args))
    for part in state if isinstance(state, tuple) and len(state) == 2 else (state,):
        if isinstance(part, dict):
            yield from ((f".{name}", item) for name, item in list(part.items()))
        elif part is not None:
            yield ".__getstate__()", part
    if isinstance(value, (list, dict)):
        return
    items, pairs = rest
    yield from ((f"[{index}]", item) for index, item in enumerate(items or ()))
    yield from ((f"[{key!r}]", item) for key, item in (pairs or ()))

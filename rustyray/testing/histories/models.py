"""Sequential models: what one operation at a time does to a state.

The search for a legal order asks for the same step again and again. So states are numbered, equal ones alike, and each
step is worked out once.
"""

from __future__ import annotations

import copy
import enum
import inspect
import pickle
import types
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Protocol

from rustyray.testing.histories.operations import Operation, Outcome, Raised, Returned, shown


class Model(Protocol):
    """A state to start with, and what an operation does to one."""

    def start(self) -> object:
        """A new state, as before the first operation."""

    def step(self, state: object, operation: Operation) -> tuple[object, Outcome]:
        """The state after the operation, and how it ends; ``state`` itself stays as it is."""

    def key(self, state: object) -> Hashable:
        """The same for equal states only."""

    def check(self, operation: Operation) -> None:
        """Raises ValueError if the model cannot say anything about it."""


class ClassModel:
    """An object's methods are the operations, and the object is the state: each step is done to a copy."""

    def __init__(self, model: object, key: Callable[[Any], Hashable] | None) -> None:
        self._model = model
        self._key = key
        self._class = model if isinstance(model, type) else type(model)

    def start(self) -> object:
        return self._model() if isinstance(self._model, type) else copy.deepcopy(self._model)

    def check(self, operation: Operation) -> None:
        method = None if operation.name.startswith("__") else getattr(self._class, operation.name, None)
        called = f"{self._class.__name__}.{operation.name}"
        if not callable(method):
            has = ", ".join(
                name for name in dir(self._class) if name[0] != "_" and callable(getattr(self._class, name))
            )
            raise ValueError(f"The model has no operation {called}, which {operation.client} called; it has: {has}")
        if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
            raise ValueError(f"The model's {called} is async: a model is sequential, so write a plain method")
        try:
            # A state need not be at hand here: whatever stands for `self` will do.
            plain = isinstance(inspect.getattr_static(self._class, operation.name), types.FunctionType)
            arguments = (None, *operation.args) if plain else operation.args
            inspect.signature(method).bind(*arguments, **operation.kwargs)
        except TypeError as error:
            raise ValueError(f"The model's {called} does not take {operation}: {error}") from None

    def step(self, state: object, operation: Operation) -> tuple[object, Outcome]:
        try:
            after, args, kwargs = copy.deepcopy((state, operation.args, dict(operation.kwargs)))
        except Exception as error:
            raise TypeError(
                f"The model's state cannot be copied, and each step needs a copy: {error}. Keep locks, files and the "
                "like out of the model."
            ) from error
        try:
            return after, Returned(getattr(after, operation.name)(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whatever the operation raises is how it ends
            return after, Raised(error)

    def key(self, state: object) -> Hashable:
        return frozen(state) if self._key is None else _checked_key(self._key, state)


class StepModel:
    """A pure function ``step(state, name, args) -> (state, result)``."""

    def __init__(self, step: Callable[[Any, str, Any], Any], initial: object, key: Callable[[Any], Hashable] | None):
        self._step = step
        self._initial = initial
        self._key = key

    def start(self) -> object:
        return self._initial

    def check(self, operation: Operation) -> None:
        if operation.kwargs:
            raise ValueError(
                f"{operation.client} called {operation} with keywords, and step(state, op, args) takes positional "
                "arguments only: call it without keywords, or use a class as the model"
            )

    def step(self, state: object, operation: Operation) -> tuple[object, Outcome]:
        try:
            answer = self._step(state, operation.name, operation.args)
        except Exception as error:  # noqa: BLE001 - whatever the operation raises is how it ends
            return state, Raised(error)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise TypeError(f"The model's step() must return (state, result), got {shown(answer)} for {operation}")
        return answer[0], Returned(answer[1])

    def key(self, state: object) -> Hashable:
        if self._key is not None:
            return _checked_key(self._key, state)
        try:
            hash(state)
        except TypeError:
            raise TypeError(
                f"The model's states must be hashable, got {shown(state)}: use tuples and frozensets, give "
                "key=lambda state: …, or use a class as the model"
            ) from None
        return state


def _checked_key(key: Callable[[Any], Hashable], state: object) -> Hashable:
    found = key(state)
    try:
        hash(found)
    except TypeError:
        raise TypeError(f"key(state) must return something hashable, got {shown(found)} for {shown(state)}") from None
    return found


# --- equal states -----------------------------------------------------------------------------------------------------

_PLAIN = frozenset({int, float, complex, str, bytes, bool, type(None)})
_ATOMS = (int, str, bytes, enum.Enum, type, range, types.FunctionType, types.BuiltinFunctionType, types.EllipsisType)


class _NotATree(Exception):
    """Two paths lead to the same mutable object, so that changing it at one end changes it at the other."""


def frozen(value: object) -> Hashable:
    """The same for equal values, whatever they are made of; the order of dicts and sets does not count.

    Raises:
        TypeError: It cannot even be pickled.
    """
    try:
        return _frozen(value, {})
    except (_NotATree, RecursionError, TypeError):
        pass
    try:
        return pickle.dumps(value)
    except Exception as error:  # noqa: BLE001 - pickling runs the user's code
        raise TypeError(
            f"Cannot tell whether two states of the model are equal: {shown(value)} can be neither compared by its "
            f"parts nor pickled ({error}). Give key=lambda state: … with something hashable."
        ) from None


def _frozen(value: Any, seen: dict[int, object]) -> Hashable:
    cls = type(value)
    if cls in _PLAIN or isinstance(value, _ATOMS):
        return value  # type: ignore[no-any-return] # all of them are hashable
    if cls is tuple:
        return tuple([_frozen(item, seen) for item in value])
    if cls is frozenset:
        return value  # type: ignore[no-any-return]
    if id(value) in seen:
        raise _NotATree
    seen[id(value)] = value  # which also keeps it from being freed, and its id from being used again
    if cls is list:
        return cls, tuple([_frozen(item, seen) for item in value])
    if cls is dict:
        return cls, frozenset([(key, _frozen(item, seen)) for key, item in value.items()])
    if cls is set:
        return cls, frozenset(value)
    return cls, _parts(value, seen)


def _parts(value: Any, seen: dict[int, object]) -> Hashable:
    """What pickle would make it of."""
    reduced = value.__reduce_ex__(4)
    if isinstance(reduced, str):
        return reduced
    make, args, state, items, pairs = (*reduced, None, None, None)[:5]
    seen[id(reduced)] = reduced
    entries = [(key, _frozen(item, seen)) for key, item in pairs or ()]
    return (
        make,
        _frozen(args, seen),
        _frozen(state, seen),
        tuple([_frozen(item, seen) for item in items or ()]),
        tuple(entries) if isinstance(value, OrderedDict) else frozenset(entries),
    )

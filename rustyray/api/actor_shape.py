"""What a handle knows of its actor's class: the methods, what they take, and their options.

It travels with every handle, as bytes that the cores do not look into, so that a process can call an actor without
importing its class. (msgspec is imported at the first need only: it is most of what ``import rustyray`` would cost.)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rustyray.api.signatures import Arguments, Parameter, parameters_of
from rustyray.model import options as opt
from rustyray.model.plans import MethodPlan, RetryPolicy

#: The attribute in which `rustyray.method` leaves a method's options.
OPTIONS_ATTRIBUTE = "__rustyray_options__"

_GENERATOR = 0x20
_COROUTINE = 0x80
_ASYNC_GENERATOR = 0x200


class MethodShape(NamedTuple):
    """One method. ``flags`` are its code's; ``retry`` is what ``retry_exceptions`` was, pickled unless it is a bool;
    None stands for options that were not given."""

    parameters: tuple[Parameter, ...]
    flags: int = 0
    returns: int | None = None
    max_task_retries: int | None = None
    retry: bool | bytes = False


class ActorShape(NamedTuple):
    """An actor's class: ``called`` is its name with its module."""

    called: str
    methods: dict[str, MethodShape]


class Method:
    """A method ready to be called through a handle."""

    __slots__ = ("arguments", "plan")

    def __init__(self, arguments: Arguments, plan: MethodPlan) -> None:
        self.arguments = arguments
        self.plan = plan


class Shape:
    """A decoded `ActorShape`, shared by all handles of a class in a process, with the plans made so far."""

    def __init__(self, meta: bytes) -> None:
        from msgspec import msgpack

        decoded = msgpack.decode(meta, type=ActorShape)
        self.called = decoded.called
        self.name = decoded.called.rpartition(".")[2]
        self.methods = {**_EVERY_ACTORS, **decoded.methods}
        self._ready: dict[tuple[str, int], Method] = {}

    def method(self, name: str, max_task_retries: int) -> Method | None:
        """The method for handles of actors with these retries; None if there is no such method."""
        ready = self._ready.get((name, max_task_retries))
        if ready is None:
            shape = self.methods.get(name)
            if shape is None:
                return None
            arguments = Arguments(f"{self.name}.{name}", shape.parameters)
            ready = Method(arguments, self.plan(name, shape, {}, max_task_retries))
            self._ready[name, max_task_retries] = ready
        return ready

    def plan(self, name: str, shape: MethodShape, options: Mapping[str, Any], max_task_retries: int) -> MethodPlan:
        """The plan of a method with more options; ``max_task_retries`` are the actor's own."""
        returns = options.get("num_returns")
        if returns is None:
            returns = shape.returns
        if returns is None and shape.flags & (_GENERATOR | _ASYNC_GENERATOR):
            raise ValueError(
                f"{self.name}.{name} is a generator: streaming its items is not supported yet. Return a list, or give "
                "num_returns=<the number of items>."
            )
        retries = options.get("max_task_retries")
        if retries is None:
            retries = max_task_retries if shape.max_task_retries is None else shape.max_task_retries
        retry = opt.retry_policy(options) if options.get("retry_exceptions") is not None else _policy(shape.retry)
        return MethodPlan(name, 1 if returns is None else returns, retries, retry)


@functools.lru_cache(maxsize=512)
def shape_of(meta: bytes) -> Shape:
    return Shape(meta)


def describe_class(cls: type, called: str) -> tuple[bytes, list[str], bool]:
    """The shape of a class as bytes, the names of its methods, and whether any of them is async."""
    from msgspec import msgpack

    shapes = {}
    for name, (function, bound) in _functions_of(cls).items():
        options: Mapping[str, Any] = getattr(function, OPTIONS_ATTRIBUTE, {})
        retry = options.get("retry_exceptions") or False
        shapes[name] = MethodShape(
            parameters_of(function, skip_first=bound),
            getattr(getattr(function, "__code__", None), "co_flags", 0),
            options.get("num_returns"),
            options.get("max_task_retries"),
            retry if isinstance(retry, bool) else _pickled(retry, f"{called}.{name}: retry_exceptions"),
        )
    is_async = any(shape.flags & (_COROUTINE | _ASYNC_GENERATOR) for shape in shapes.values())
    return msgpack.encode(ActorShape(called, shapes)), list(shapes), is_async


def _functions_of(cls: type) -> dict[str, tuple[Callable[..., Any], bool]]:
    """The functions in a class and its bases, each with whether its first parameter is the instance or class."""
    found: dict[str, tuple[Callable[..., Any], bool]] = {}
    for base in reversed(cls.__mro__[:-1]):
        for name, thing in vars(base).items():
            found.pop(name, None)
            if isinstance(thing, staticmethod):
                found[name] = thing.__func__, False
            elif isinstance(thing, classmethod):
                found[name] = thing.__func__, True
            elif callable(thing) and hasattr(thing, "__get__") and not isinstance(thing, type):
                found[name] = thing, True
    return found


#: What every actor answers besides its own methods (as in Ray); whoever runs calls knows how.
_EVERY_ACTORS = {
    "__ray_ready__": MethodShape(()),
    "__ray_call__": MethodShape((("function", 0, False), ("args", 2, False), ("kwargs", 4, False))),
    "__ray_terminate__": MethodShape(()),
}


def _pickled(retry: Any, name: str) -> bytes:
    from rustyray.runtime.serialization import dumps_function

    return dumps_function(retry, name)[0]


def _policy(retry: bool | bytes) -> RetryPolicy | None:
    if isinstance(retry, bytes):
        from rustyray.runtime.serialization import loads

        return RetryPolicy(loads(retry))
    return RetryPolicy(True) if retry else None

"""What a handle knows of its actor's class: the methods, what they take, and their options.

It travels with every handle, as bytes that the cores do not look into, so that a process can call an actor without
importing its class. (msgspec is imported at the first need only: it is most of what ``import rustyray`` would cost.)
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rustyray.api.signatures import Arguments, Parameter, parameters_of
from rustyray.model import options as opt
from rustyray.model import plan_parts as parts
from rustyray.model.plans import MethodPlan, RetryPolicy

#: The attribute in which `rustyray.method` leaves a method's options.
OPTIONS_ATTRIBUTE = "__rustyray_options__"

AHEAD = "_generator_backpressure_num_objects"

_GENERATOR = 0x20
_COROUTINE = 0x80
_ASYNC_GENERATOR = 0x200


class MethodShape(NamedTuple):
    """One method. ``flags`` are its code's; ``retry`` is what ``retry_exceptions`` was, pickled unless it is a bool;
    None stands for options that were not given; ``ahead`` is how many items a generator may make ahead."""

    parameters: tuple[Parameter, ...]
    flags: int = 0
    returns: int | str | None = None
    max_task_retries: int | None = None
    retry: bool | bytes = False
    group: str = ""
    ahead: int | None = None


class ActorShape(NamedTuple):
    """An actor's class: ``called`` is its name with its module. The rest is as in `MethodPlan`, with all groups."""

    called: str
    methods: dict[str, MethodShape]
    groups: tuple[str, ...] = ()
    unordered: bool = False
    max_pending: int = 0
    paced: bool = False


class Method:
    """A method ready to be called through a handle."""

    __slots__ = ("arguments", "plan")

    def __init__(self, arguments: Arguments, plan: MethodPlan) -> None:
        self.arguments = arguments
        self.plan = plan


class Shape:
    """A decoded `ActorShape`, shared by all handles of a class in a process, with the plans made so far."""

    def __init__(self, meta: bytes) -> None:
        decoded = _decoder()(meta)
        self.called = decoded.called
        self.name = decoded.called.rpartition(".")[2]
        self.methods = {**_EVERY_ACTORS, **decoded.methods}
        self._shape = decoded
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
        own = {"num_returns": shape.returns, AHEAD: shape.ahead}
        given = {**own, **{option: value for option, value in options.items() if value is not None}}
        is_generator = bool(shape.flags & (_GENERATOR | _ASYNC_GENERATOR))
        returns = parts.returns_of(given, f"{self.name}.{name}", is_generator)
        retries = options.get("max_task_retries")
        if retries is None:
            retries = max_task_retries if shape.max_task_retries is None else shape.max_task_retries
        retry = parts.retry_policy(options) if options.get("retry_exceptions") is not None else _policy(shape.retry)
        group = options.get("concurrency_group") or shape.group
        actor = self._shape
        _check_group(self.name, name, group, actor.groups)
        named = options.get("name") or ""
        most = actor.max_pending
        return MethodPlan(name, returns, retries, retry, group, actor.unordered, most, named, actor.paced)


#: Two threads that are the first to decode something of one type crash msgspec, which looks at the type meanwhile.
_decoding = threading.Lock()
_decode: Callable[[bytes], ActorShape] | None = None


def _decoder() -> Callable[[bytes], ActorShape]:
    global _decode
    with _decoding:
        if _decode is None:
            from msgspec import msgpack

            _decode = msgpack.Decoder(ActorShape).decode
        return _decode


@functools.lru_cache(maxsize=512)
def shape_of(meta: bytes) -> Shape:
    return Shape(meta)


def describe_class(cls: type, called: str, options: Mapping[str, Any]) -> tuple[bytes, list[str], bool]:
    """The shape of a class with an actor's options as bytes, the names of its methods, and whether any is async.

    Raises:
        ValueError: A method is for a concurrency group that the actor has not, or the actor cannot keep the order.
    """
    from msgspec import msgpack

    shapes = {}
    groups = tuple(options.get("concurrency_groups") or ())
    for name, (function, bound) in _functions_of(cls).items():
        given: Mapping[str, Any] = getattr(function, OPTIONS_ATTRIBUTE, {})
        retry = given.get("retry_exceptions") or False
        group = given.get("concurrency_group") or ""
        _check_group(cls.__name__, name, group, groups)
        shapes[name] = MethodShape(
            parameters_of(function, skip_first=bound),
            getattr(getattr(function, "__code__", None), "co_flags", 0),
            given.get("num_returns"),
            given.get("max_task_retries"),
            retry if isinstance(retry, bool) else _pickled(retry, f"{called}.{name}: retry_exceptions"),
            group,
            given.get(AHEAD),
        )
    is_async = any(shape.flags & (_COROUTINE | _ASYNC_GENERATOR) for shape in shapes.values())
    unordered = _is_unordered(called, options, is_async)
    max_pending = max(0, opt.value_of(options, "max_pending_calls"))
    paced = opt.value_of(options, "_actor_generator_backpressure_num_objects") > 0
    shape = ActorShape(called, shapes, groups, unordered, max_pending, paced)
    return msgpack.encode(shape), list(shapes), is_async


def _is_unordered(called: str, options: Mapping[str, Any], is_async: bool) -> bool:
    """Whether a call may overtake those before it that wait for their arguments (as in Ray)."""
    several = is_async or (options.get("max_concurrency") or 1) > 1
    given = options.get("allow_out_of_order_execution")
    if several and given is False:
        raise ValueError(
            f"allow_out_of_order_execution=False: {called} is {'async' if is_async else 'multi-threaded'}, so that its "
            "calls cannot run in order. Leave that out, or make it a plain actor."
        )
    return several if given is None else given


def _check_group(actor: str, method: str, group: str, groups: tuple[str, ...]) -> None:
    if group and group not in groups:
        known = ", ".join(map(repr, groups)) or "none"
        raise ValueError(
            f"{actor}.{method}: the actor has no concurrency group {group!r}{opt.hint(group, groups)}. Write "
            f"@remote(concurrency_groups={{{group!r}: 2, …}}) on the class; there are {known}."
        )


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

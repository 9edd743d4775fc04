"""Which options exist, what they apply to and what they accept: one table, and the few rules between options.

Options are checked when they are given, never when a task is submitted. An option is accepted only if it is honoured:
what Ray has and RustyRay does not (yet) is in a table of its own, and refused with a sentence saying what to do
instead. Names, defaults and meanings are Ray's.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rustyray.model import resources as res

if TYPE_CHECKING:
    from rustyray.model.strategies import PlacementGroupSchedulingStrategy, Strategy


class Scope(enum.Flag):
    """What an option applies to; the value of each is how messages call it."""

    TASK = enum.auto()
    ACTOR = enum.auto()
    METHOD = enum.auto()


MOST_INTEGER: Final = 2**63 - 1
#: Each is an object from the start, for its owner.
MOST_RETURNS: Final = 1_000_000
#: What ``num_returns`` is for generators.
STREAMING: Final = "streaming"
DYNAMIC: Final = "dynamic"

_NAMES = {Scope.TASK: "remote functions", Scope.ACTOR: "actor classes", Scope.METHOD: "actor methods"}

#: Checks a value that is not None, and returns it in its plain form.
Check = Callable[[str, Any], Any]


class Option(NamedTuple):
    """One option: ``default`` is what leaving it out, or None, means."""

    scopes: Scope
    check: Check
    default: object = None


class Unsupported(NamedTuple):
    """An option of Ray's that is refused, except for values that ask for nothing."""

    scopes: Scope
    harmless: tuple[object, ...]
    instead: str


# --- checks -----------------------------------------------------------------------------------------------------------


def _wrong_type(name: str, expected: str, value: object) -> TypeError:
    return TypeError(f"{name} must be {expected}, got {value!r} ({type(value).__name__})")


def integer(name: str, value: Any) -> int:
    """An int (or anything that is one exactly, such as NumPy's integers), but not a bool."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise _wrong_type(name, "an integer", value)
    number = int(value.__index__())
    if not -MOST_INTEGER <= number <= MOST_INTEGER:
        raise ValueError(f"{name} must fit into 64 bits, got a number of {number.bit_length()}")
    return number


def at_least(minimum: int, meaning: str = "") -> Check:
    def check(name: str, value: Any) -> int:
        number = integer(name, value)
        if number < minimum:
            raise ValueError(f"{name} must be {minimum} or more{meaning}, got {number}")
        return number

    return check


def amount(name: str, value: Any) -> float:
    """An amount of a resource: a real number, 0 or more, not finer than 1/10,000."""
    if isinstance(value, bool | str | bytes) or not hasattr(value, "__float__"):
        raise _wrong_type(name, "a number", value)
    try:
        number = float(value)
    except OverflowError:  # an int beyond all floats
        number = math.inf if value > 0 else -math.inf
    if number < 0:
        raise ValueError(f"{name} must be zero or more, got {value!r}")
    res.to_units(name, number)
    return number


def whole_gpus(name: str, value: Any) -> float:
    number = amount(name, value)
    if number > 1 and number != math.floor(number):
        raise ValueError(f"{name} above 1 must be a whole number, got {value!r}")
    return number


def flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong_type(name, "True or False", value)
    return value


def text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong_type(name, "a string", value)
    if not value:
        raise ValueError(f"{name} must not be empty; leave it out instead")
    return value


def one_of(*allowed: str) -> Check:
    def check(name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise _wrong_type(name, "a string", value)
        if value not in allowed:
            raise ValueError(f"{name} must be {' or '.join(map(repr, allowed))}, got {value!r}{hint(value, allowed)}")
        return value

    return check


_OWN_OPTION = {
    res.CPU: "num_cpus",
    res.GPU: "num_gpus",
    res.MEMORY: "memory",
    res.OBJECT_STORE_MEMORY: "object_store_memory",
}


def custom_resources(name: str, value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise _wrong_type(name, "a dict such as {'license': 1}", value)
    checked = {}
    for key, quantity in value.items():
        if not isinstance(key, str) or not key:
            raise TypeError(f"{name}: the name of a resource must be a string that is not empty, got {key!r}")
        if key in _OWN_OPTION:
            raise ValueError(f"{name}: {key!r} has an option of its own, write {_OWN_OPTION[key]}={quantity!r}")
        checked[key] = amount(f"{name}[{key!r}]", quantity)
    return checked


def label_selector(name: str, value: Any) -> Strategy | None:
    """A dict of labels: a value, ``!value``, ``in(a, b)`` or ``!in(a, b)`` for each (as in Ray)."""
    from rustyray.model.strategies import Strategy, selected

    return Strategy(hard=selected(name, value)) if value != {} else None


def fallback_strategy(name: str, value: Any) -> Any:
    """A list of dicts of options, one of which counts where the ones before cannot; ``label_selector`` alone so far (as
    in Ray)."""
    from rustyray.model.strategies import selected

    example = "such as [{'label_selector': {'zone': 'b'}}]"
    if not isinstance(value, list | tuple):
        raise _wrong_type(name, f"a list of dicts {example}", value)
    for number, options in enumerate(value):
        if not isinstance(options, Mapping) or options.keys() != {"label_selector"}:
            raise ValueError(f"{name} takes dicts with a label_selector and nothing else, {example}, got {options!r}")
        selected(f"{name}[{number}]", options["label_selector"])
    return tuple(selected(name, options["label_selector"]) for options in value)


def placement_group(name: str, value: Any) -> Any:
    if value != "default" and not hasattr(value, "bundle_specs"):
        raise _wrong_type(name, "what placement_group(…) returns", value)
    return None if value == "default" else value


def runtime_env(name: str, value: Any) -> dict[str, Any]:
    from rustyray.model.environments import checked  # which few programs need

    return checked(name, value)


def concurrency_groups(name: str, value: Any) -> dict[str, int]:
    if value == []:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong_type(name, "a dict such as {'io': 2}", value)
    for group in value:
        text(f"{name}: the name of a group", group)
    return {group: at_least(1)(f"{name}[{group!r}]", calls) for group, calls in value.items()}


def num_returns(name: str, value: Any) -> int | str:
    if isinstance(value, str):
        if value not in (STREAMING, DYNAMIC):
            raise ValueError(f"{name} must be a number, {STREAMING!r} or {DYNAMIC!r}, got {value!r}")
        return value
    number = integer(name, value)
    if number < 0:
        raise ValueError(f"{name} must be zero or more, got {number}")
    if number > MOST_RETURNS:
        raise ValueError(f"{name} must be {MOST_RETURNS} or less, got {number}; a generator has no such limit")
    return number


def items_ahead(name: str, value: Any) -> int:
    """How many items a generator may make before they are read; -1 for any number (as in Ray)."""
    number = integer(name, value)
    if number < -1 or number == 0:
        raise ValueError(f"{name} must be 1 or more, or -1 for no limit, got {number}")
    return number


class ExceptionIn:
    """Whether an exception is of one of ``types``: what ``retry_exceptions=[…]`` means."""

    __slots__ = ("types",)

    def __init__(self, types: tuple[type[BaseException], ...]) -> None:
        self.types = types

    def __call__(self, error: BaseException) -> bool:
        return isinstance(error, self.types)

    def __repr__(self) -> str:
        return f"ExceptionIn({', '.join(cls.__qualname__ for cls in self.types)})"


def retry_exceptions(name: str, value: Any) -> bool | Callable[[BaseException], bool]:
    """True, False, exception classes, or (more than Ray has) a function that decides on the exception."""
    if isinstance(value, bool | ExceptionIn):
        return value
    if isinstance(value, type):
        raise _wrong_type(name, f"a list of exception classes ([{value.__name__}])", value)
    if isinstance(value, list | tuple | set | frozenset):
        for cls in value:
            if not (isinstance(cls, type) and issubclass(cls, BaseException)):
                raise ValueError(str(_wrong_type(name, "a list of exception classes", cls)))  # as in Ray
        return ExceptionIn(tuple(value)) if value else False
    if callable(value):
        decide: Callable[[BaseException], bool] = value
        return decide
    raise _wrong_type(name, "True, False, a list of exception classes, or a function of an exception", value)


def retry_backoff(name: str, value: Any) -> tuple[float, float, float]:
    """Seconds before the first retry, or (first, factor, most): each pause is ``factor`` times the one before."""
    given = value if isinstance(value, tuple | list) else (value,)
    if len(given) not in (1, 3) or not all(
        isinstance(part, int | float) and not isinstance(part, bool) for part in given
    ):
        raise _wrong_type(name, "a number of seconds, or (first, factor, most)", value)
    first, factor, most = map(float, given if len(given) == 3 else (*given, 2.0, 30.0))
    if not (first >= 0 and factor >= 1 and most >= 0) or not math.isfinite(first + factor + most):
        raise ValueError(f"{name} needs seconds of zero or more, and a factor of one or more, got {value!r}")
    return first, factor, most


def scheduling_strategy(name: str, value: Any) -> Strategy | PlacementGroupSchedulingStrategy:
    """The text "DEFAULT" or "SPREAD", or one of the classes in `rustyray.util.scheduling_strategies`."""
    from rustyray.model import strategies as known  # which few programs need

    if isinstance(value, known.Strategy | known.PlacementGroupSchedulingStrategy):
        return value
    if isinstance(value, known.NodeAffinitySchedulingStrategy | known.NodeLabelSchedulingStrategy):
        return value.strategy
    if not isinstance(value, str):
        raise _wrong_type(name, "a string, or a class of rustyray.util.scheduling_strategies", value)
    chosen = one_of(known.DEFAULT, known.SPREAD)(name, value)
    return known.Strategy(spread=chosen == known.SPREAD)


# --- the tables -------------------------------------------------------------------------------------------------------

_T, _A, _M = Scope.TASK, Scope.ACTOR, Scope.METHOD
_ENDLESS = " (-1: without end)"

OPTIONS: dict[str, Option] = {
    "num_cpus": Option(_T | _A, amount),
    "num_gpus": Option(_T | _A, whole_gpus),
    "memory": Option(_T | _A, amount),
    "resources": Option(_T | _A, custom_resources),
    "name": Option(_T | _A | _M, text),
    "num_returns": Option(_T | _M, num_returns),
    "max_retries": Option(_T, at_least(-1, _ENDLESS), 3),
    "max_calls": Option(_T, at_least(0, " (0: any number)"), 0),
    "retry_exceptions": Option(_T | _M, retry_exceptions, False),
    "retry_backoff": Option(_T, retry_backoff, (0.0, 2.0, 30.0)),
    "max_restarts": Option(_A, at_least(-1, _ENDLESS), 0),
    "max_task_retries": Option(_A | _M, at_least(-1, _ENDLESS), 0),
    "max_concurrency": Option(_A, at_least(1)),
    "lifetime": Option(_A, one_of("detached", "non_detached"), "non_detached"),
    "namespace": Option(_A, text),
    "get_if_exists": Option(_A, flag, False),
    "concurrency_groups": Option(_A, concurrency_groups),
    "concurrency_group": Option(_M, text),
    "allow_out_of_order_execution": Option(_A, flag),
    "max_pending_calls": Option(_A, at_least(-1, _ENDLESS), -1),
    "scheduling_strategy": Option(_T | _A, scheduling_strategy),
    "_generator_backpressure_num_objects": Option(_T | _M, items_ahead, -1),
    "_actor_generator_backpressure_num_objects": Option(_A, items_ahead, -1),
    "runtime_env": Option(_T | _A, runtime_env),
    "label_selector": Option(_T | _A, label_selector),
    "fallback_strategy": Option(_T | _A, fallback_strategy),
    "placement_group": Option(_T | _A, placement_group),
    "placement_group_bundle_index": Option(_T | _A, at_least(-1, " (-1: any)"), -1),
    "placement_group_capture_child_tasks": Option(_T | _A, flag, False),
    "accelerator_type": Option(_T | _A, text),
}

_STRATEGY = "Write scheduling_strategy=NodeLabelSchedulingStrategy(…)"
_GROUPED = "Items are sent together by themselves when they come fast; yield a list, or leave it out"

UNSUPPORTED: dict[str, Unsupported] = {
    "_labels": Unsupported(_T | _A, ({},), _STRATEGY),
    "object_store_memory": Unsupported(_T | _A, (), "The store's size is set once, with init(object_store_memory=…)"),
    # There are no task events, so that not recording them is no lie, and recording them is only the default.
    "enable_task_events": Unsupported(_T | _A | _M, (True, False), "Give True or False"),
    "_num_objects_per_yield": Unsupported(_T | _M, (1,), _GROUPED),
    "enable_tensor_transport": Unsupported(_A, (False,), "Tensors travel like any other value; leave it out"),
    "tensor_transport": Unsupported(_M, ("object_store",), "Tensors travel like any other value; leave it out"),
}


# --- checking what was given ------------------------------------------------------------------------------------------


def hint(name: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)``, or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def check_options(scope: Scope, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options in their plain form; one given as None counts as its default.

    Raises:
        ValueError: There is no such option (the message names the nearest), it is not for this scope or not supported
            yet, or its value is out of range.
        TypeError: The value has the wrong type.
    """
    checked: dict[str, Any] = {}
    for name, value in given.items():
        option = OPTIONS.get(name)
        if option is None or scope not in option.scopes:
            _refuse(scope, name, value)
        else:
            checked[name] = value if value is None else option.check(name, value)
    return checked


def _refuse(scope: Scope, name: str, value: object) -> None:
    """Raise, unless the option asks for nothing."""
    unsupported = UNSUPPORTED.get(name)
    if unsupported is not None and scope in unsupported.scopes:
        if value is None or any(type(value) is type(same) and value == same for same in unsupported.harmless):
            return
        raise ValueError(f"{name}={value!r} is not supported yet. {unsupported.instead}.")
    valid = [other for other, option in OPTIONS.items() if scope in option.scopes]
    elsewhere = OPTIONS.get(name) or unsupported
    if elsewhere is not None:
        owners = " and ".join(_NAMES[other] for other in Scope if other in elsewhere.scopes)
        raise ValueError(f"{name!r} is an option of {owners}, not of {_NAMES[scope]}, which take {', '.join(valid)}.")
    raise ValueError(
        f"{_NAMES[scope].capitalize()} have no option {name!r}{hint(name, valid)}. Valid ones are {', '.join(valid)}."
    )


def value_of(options: Mapping[str, Any], name: str) -> Any:
    """An option's value, or its default where it was left out or is None."""
    value = options.get(name)
    return OPTIONS[name].default if value is None else value


def check_actor_options(options: Mapping[str, Any]) -> None:
    """The rules between an actor's options, once all of them are known. Raises ValueError."""
    if value_of(options, "get_if_exists") and not options.get("name"):
        raise ValueError("get_if_exists=True needs a name: .options(name='…', get_if_exists=True)")

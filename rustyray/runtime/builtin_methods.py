"""Methods that every actor has besides its own (as in Ray); whoever executes a call looks here first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rustyray.runtime import context


def _ready(instance: object) -> bool:
    """Answers once the constructor has returned."""
    return True


def _call(instance: object, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Runs a function with the actor's instance as its first argument."""
    return function(instance, *args, **kwargs)


def _terminate(instance: object) -> None:
    """Ends the actor after the calls before this one."""
    context.require_engine("__ray_terminate__").exit_actor()


#: Name to function; its first argument is the actor's instance.
BUILTIN_METHODS: dict[str, Callable[..., Any]] = {
    "__ray_ready__": _ready,
    "__ray_call__": _call,
    "__ray_terminate__": _terminate,
}

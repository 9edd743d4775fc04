"""``ray.actor``."""

from typing import TypeVar

from rustyray import ActorClass, ActorHandle, ActorMethod, exit_actor, method

__all__ = ["ActorClass", "ActorHandle", "ActorMethod", "ActorProxy", "exit_actor", "method"]

T = TypeVar("T")
#: A handle, for type checkers that are to know the methods of its class.
ActorProxy = ActorHandle[T] | type[T]

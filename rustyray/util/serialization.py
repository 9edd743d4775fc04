"""How values of a class are pickled, where that is for the program to say, as in Ray's ``ray.util.serialization``."""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from typing import Any


class _Serializer:
    """Reduces values of a class to what ``serializer`` makes of them, and the function that turns that back."""

    def __init__(self, serializer: Callable[[Any], Any], deserializer: Callable[[Any], Any]) -> None:
        self._serializer = serializer
        self._deserializer = deserializer

    def __call__(self, value: Any) -> tuple[Callable[[Any], Any], tuple[Any]]:
        return self._deserializer, (self._serializer(value),)


def register_serializer(cls: type, *, serializer: Callable[[Any], Any], deserializer: Callable[[Any], Any]) -> None:
    """Have values of ``cls`` (not of its subclasses) pickled by a function of one's own, as in Ray.

    What is pickled brings its ``deserializer`` along, so that readers need not register. It counts in the process that
    calls it: values that workers make need it there, too (``worker_process_setup_hook``). Unlike in Ray it is the
    process' own pickle that learns it, not the runtime's alone.

    Args:
        cls: the class.
        serializer: takes a value, and returns something that can be pickled.
        deserializer: takes that, and returns a value like the first.
    """
    if not isinstance(cls, type):
        raise TypeError(f"register_serializer() takes a class, got {cls!r}")
    for name, function in (("serializer", serializer), ("deserializer", deserializer)):
        if not callable(function):
            raise TypeError(f"{name} must be a function of one value, got {function!r}")
    copyreg.pickle(cls, _Serializer(serializer, deserializer))


class StandaloneSerializationContext:
    """Serializers for programs without a runtime (as in Ray): they serve every runtime of this process, too."""

    def _register_cloudpickle_serializer(
        self, cls: type, custom_serializer: Callable[[Any], Any], custom_deserializer: Callable[[Any], Any]
    ) -> None:
        register_serializer(cls, serializer=custom_serializer, deserializer=custom_deserializer)

    def _unregister_cloudpickle_reducer(self, cls: type) -> None:
        deregister_serializer(cls)


def deregister_serializer(cls: type) -> None:
    """Undo `register_serializer`; nothing happens where that was not called."""
    if isinstance(copyreg.dispatch_table.get(cls), _Serializer):
        del copyreg.dispatch_table[cls]

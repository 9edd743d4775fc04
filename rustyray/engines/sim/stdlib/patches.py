"""Stands in for functions of the standard library while a simulated runtime is up, and puts them back.

A stand-in asks who calls: simulated code gets what is simulated, everybody else (other threads, and everybody once the
runtime has ended) the real thing.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from importlib import import_module
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rustyray.engines.sim.host import UserProcess
    from rustyray.engines.sim.simulation import Simulation

#: Makes a stand-in of the real function.
Make = Callable[[Any], Any]


class Patches:
    """What is replaced at present; for ``simulation``, while there is one."""

    def __init__(self) -> None:
        self.simulation: Simulation | None = None
        self._undo: list[tuple[Any, str, Any]] = []
        #: Where the real functions have their names, which pickles refer to.
        self._names: dict[Any, tuple[str, str]] = {}
        self._reducer = copyreg.dispatch_table.get(BuiltinFunctionType)
        copyreg.pickle(BuiltinFunctionType, self._reduce)

    def current(self) -> UserProcess | None:
        """Which process calls, if the caller is simulated."""
        return None if self.simulation is None else self.simulation.current()

    def replace(self, where: Any, name: str, stand_in: Any, copy: bool = False) -> None:
        """Set ``where.name``, until `restore`. Pickles then refer to it by that name, unless it is a mere ``copy``."""
        if not copy and isinstance(stand_in, FunctionType):
            of_class = isinstance(where, type)
            stand_in.__module__ = where.__module__ if of_class else where.__name__
            stand_in.__qualname__ = f"{where.__qualname__}.{name}" if of_class else name
            stand_in.__name__ = name
        if not copy and isinstance(where, ModuleType):
            self._names[getattr(where, name)] = where.__name__, name
        self._undo.append((where, name, getattr(where, name)))
        setattr(where, name, stand_in)

    def restore(self) -> None:
        """Put everything back that nobody has replaced since."""
        while self._undo:
            where, name, real = self._undo.pop()
            setattr(where, name, real)
        if self._reducer is None:
            copyreg.dispatch_table.pop(BuiltinFunctionType, None)
        else:
            copyreg.dispatch_table[BuiltinFunctionType] = self._reducer

    def _reduce(self, function: Any) -> str | tuple[Any, ...]:
        """How a function in C is pickled: one that a program took by name before it was replaced arrives replaced."""
        name = self._names.get(function)
        reduced: str | tuple[Any, ...] = function.__reduce__() if name is None else (named, name)
        return reduced


def named(module: str, name: str) -> Any:
    """What has this name here and now."""
    return getattr(import_module(module), name)

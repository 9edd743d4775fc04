"""Stands in for functions of the standard library while a simulated runtime is up, and puts them back.

A stand-in asks who calls: simulated code gets what is simulated, everybody else (other threads, and everybody once the
runtime has ended) the real thing.
"""

from __future__ import annotations

import copyreg
import os
import sys
from importlib import import_module
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from rustyray.runtime import context

if TYPE_CHECKING:
    from rustyray.engines.sim.host import UserProcess
    from rustyray.engines.sim.simulation import Simulation

#: Where modules are that are not the user's: the runtime, the standard library; and what is installed beside it.
_NOT_USERS: Final = (
    os.path.dirname(os.path.dirname(context.__file__)) + os.sep,
    os.path.dirname(os.__file__) + os.sep,
    os.path.dirname(os.path.dirname(os.path.dirname(context.__file__))) + os.sep + "pytest_rustyray" + os.sep,
)
_INSTALLED: Final = ("site-packages", "dist-packages")
_REPLACED: Final = (BuiltinFunctionType, FunctionType, type)


class _Up:
    """The simulation that is up, in the whole process; it outlives each `Patches`, whose stand-ins may be kept."""

    simulation: Simulation | None = None


_up: Final = _Up()
#: What was replaced last: where, under which name, by what, and the real thing.
_last: list[tuple[Any, str, Any, Any]] = []


def current() -> UserProcess | None:
    """Which process calls, if the caller is simulated."""
    simulation = _up.simulation
    return None if simulation is None else simulation.current()


def simulated(simulation: Simulation | None) -> None:
    """From now on this one is up; or none is."""
    _up.simulation = simulation


class Patches:
    """What is replaced at present."""

    def __init__(self) -> None:
        _put_back(_last)
        self._undo: list[tuple[Any, str, Any, Any]] = []
        #: Where the real functions have their names, which pickles refer to.
        self._names: dict[Any, tuple[str, str]] = {}
        self._reducer = copyreg.dispatch_table.get(BuiltinFunctionType)
        copyreg.pickle(BuiltinFunctionType, self._reduce)

    def current(self) -> UserProcess | None:
        """Which process calls, if the caller is simulated."""
        return current()

    def replace(self, where: Any, name: str, stand_in: Any, copy: bool = False) -> None:
        """Set ``where.name``, until `restore`. Pickles then refer to it by that name, unless it is a mere ``copy``."""
        real = getattr(where, name)
        if not copy and isinstance(stand_in, FunctionType):
            of_class = isinstance(where, type)
            stand_in.__module__ = where.__module__ if of_class else where.__name__
            stand_in.__qualname__ = f"{where.__qualname__}.{name}" if of_class else name
            stand_in.__name__ = name
        if not copy and isinstance(where, ModuleType):
            self._names[real] = where.__name__, name
        self._undo.append((where, name, stand_in, real))
        setattr(where, name, stand_in)

    def replace_copies(self) -> None:
        """Replace also what modules of the user's have taken by name (``from time import sleep``)."""
        stand_ins = {real: stand_in for where, _, stand_in, real in self._undo if isinstance(where, ModuleType)}
        for module in users_modules():
            for name, value in list(vars(module).items()):
                if type(value) in _REPLACED and value in stand_ins:
                    self.replace(module, name, stand_ins[value], copy=True)

    def restore(self) -> None:
        """Put everything back that nobody has replaced since."""
        _put_back(self._undo)
        _last[:] = self._undo
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


def users_modules() -> list[ModuleType]:
    """Those that are neither a library's nor the runtime's."""
    return [module for module in list(sys.modules.values()) if _is_users(module)]


def _put_back(replaced: list[tuple[Any, str, Any, Any]]) -> None:
    """Whoever replaced something himself meanwhile, and put back what he had found, has left a stand-in there."""
    for where, name, stand_in, real in reversed(replaced):
        if getattr(where, name, None) is stand_in:
            setattr(where, name, real)


def _is_users(module: object) -> bool:
    if not isinstance(module, ModuleType):
        return False
    file = vars(module).get("__file__")
    return (
        isinstance(file, str) and not file.startswith(_NOT_USERS) and not any(folder in file for folder in _INSTALLED)
    )

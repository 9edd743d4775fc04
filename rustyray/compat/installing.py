"""A finder for ``ray`` in this process, and places on the import path and PATH for all processes that it starts.

Workers take the import path over from their driver, so they find ``on_path/ray.py``, which installs the finder there.
Drivers that a program starts get the place with PYTHONPATH. A ``sitecustomize`` of somebody else is not in the way.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final, NoReturn

from rustyray import missing
from rustyray.compat import names
from rustyray.compat.names import RAY
from rustyray.runtime.addresses import AS_RAY

#: The folder in which ``ray`` is found.
PLACE: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "on_path")
#: The folder in which the command ``ray`` is found, and what names the Python that it runs.
COMMANDS: Final = os.path.join(os.path.dirname(PLACE), "commands")
PYTHON: Final = "RUSTYRAY_PYTHON"
#: By variable, what is put first there.
_FIRST: Final = {"PYTHONPATH": PLACE, "PATH": COMMANDS}


def install() -> None:
    """Let ``import ray`` mean RustyRay, in this process, in workers, and in programs that this process starts.

    For those programs the command ``ray`` means ``rustyray``, too.

    It does not matter whether Ray is installed. ``import ray`` then gives a module with RustyRay's own objects, so
    ``ray.ObjectRef is rustyray.ObjectRef``; ``ray.__version__`` is that of the Ray whose API this is. A second call
    does nothing.

    Raises:
        RuntimeError: Ray itself was imported already.
    """
    if installed():
        return
    loaded = sys.modules.get(RAY)
    if loaded is not None:
        raise RuntimeError(
            f"Ray itself was imported already, from {getattr(loaded, '__file__', None) or 'somewhere'}: call "
            "rustyray.compat.install() before anything imports ray"
        )
    sys.meta_path.insert(0, _FINDER)
    if PLACE not in sys.path:
        sys.path.insert(0, PLACE)
    os.environ |= environment(os.environ)


def uninstall() -> None:
    """Undo `install`. What was imported as ``ray`` stays with whoever has it; the next import finds Ray, if there.

    Workers of a runtime that is up are not told.
    """
    if not installed():
        return
    sys.meta_path.remove(_FINDER)
    for name in [name for name in sys.modules if name == RAY or name.startswith(RAY + ".")]:
        del sys.modules[name]
    sys.path[:] = [entry for entry in sys.path if entry != PLACE]
    for variable, place in _FIRST.items():
        rest = [entry for entry in os.environ.get(variable, "").split(os.pathsep) if entry not in ("", place)]
        os.environ.pop(variable, None)
        if rest:
            os.environ[variable] = os.pathsep.join(rest)
    for variable in (AS_RAY, PYTHON):
        os.environ.pop(variable, None)


def installed() -> bool:
    """Whether ``import ray`` means RustyRay in this process."""
    return _FINDER in sys.meta_path


def environment(given: Mapping[str, str] | None) -> dict[str, str]:
    """The environment of a program in which ``ray`` means RustyRay as well, as it does here."""
    env = dict(os.environ if given is None else given)
    if installed():
        for variable, place in _FIRST.items():
            given_path = env.get(variable, os.defpath if variable == "PATH" else "")
            path = [entry for entry in given_path.split(os.pathsep) if entry and entry != place]
            env[variable] = os.pathsep.join([place, *path])
        env |= {AS_RAY: "1", PYTHON: sys.executable}
    return env


class _Finder(MetaPathFinder):
    """Finds RustyRay's modules under Ray's names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != RAY and not fullname.startswith(RAY + "."):
            return None
        return ModuleSpec(fullname, _Alias(names.target(fullname)), is_package=True)


class _Alias(Loader):
    """Loads a module by putting another in its place, which is what ``import`` then gives."""

    def __init__(self, target: str) -> None:
        self._target = target

    def exec_module(self, module: ModuleType) -> None:
        found = import_module(self._target)
        sys.modules[module.__name__] = found
        vars(found).setdefault("__getattr__", partial(_missing, module.__name__))
        # Those it has imported get their names here. Otherwise import would do so later, and set them as attributes of
        # their package: over the function ray.util.placement_group, which has its module's name.
        for name in [name for name in sys.modules if name.startswith("rustyray.")]:
            if alias := names.alias(name):
                there = sys.modules.setdefault(alias, sys.modules[name])
                vars(there).setdefault("__getattr__", partial(_missing, alias))


def _missing(module: str, name: str) -> NoReturn:
    raise missing.absent(module, name)


_FINDER: Final = _Finder()

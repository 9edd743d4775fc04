"""How code of test modules and conftests reaches workers: by value, since they could not import it.

A worker that imported a test module by name would run it a second time, without pytest's assertion rewriting, or, with
two modules of one name, find the wrong one. So the runtime is given their names. It may be imported before or after
they are, even in the middle of a test; if after, it is told as soon as that happens.

Where ``import ray`` means the runtime, tests expect that workers import their modules. So they do, from the same files,
with their assertions rewritten, when the first function or class comes that can be found there by its name.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

import pytest

_RUNTIME: Final = "rustyray"
#: The module that has to be told; it is imported before anything is pickled.
_SERIALIZATION: Final = "rustyray.runtime.serialization"
_IS_TEST_MODULE: Final = pytest.StashKey[bool]()


class ByValue:
    """Gathers a session's test modules and conftests, and has their functions and classes travel by value."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._finder = _RuntimeFinder(self._tell)
        sys.meta_path.insert(0, self._finder)

    def pytest_plugin_registered(self, plugin: object) -> None:
        """Conftests are plugins. Those that came first are told of too."""
        if isinstance(plugin, ModuleType) and os.path.basename(plugin.__file__ or "") == "conftest.py":
            self._add(plugin)

    @pytest.hookimpl(wrapper=True)
    def pytest_pycollect_makemodule(self) -> Generator[None, pytest.Module | None, pytest.Module | None]:
        """Tell test modules from collectors of other kinds, such as those that search any module for doctests."""
        module = yield
        if module is not None:
            module.stash[_IS_TEST_MODULE] = True
        return module

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        if isinstance(collector, pytest.Module) and report.passed and collector.stash.get(_IS_TEST_MODULE, False):
            self._add(collector.obj)
        return report

    def pytest_unconfigure(self) -> None:
        sys.meta_path.remove(self._finder)
        if (serialization := sys.modules.get(_SERIALIZATION)) is not None:
            for name in self._names:
                serialization.unregister_by_value(name)

    def _add(self, module: ModuleType) -> None:
        name = module.__name__
        if name not in self._names:
            self._names.append(name)
            if (serialization := sys.modules.get(_SERIALIZATION)) is not None:
                self._register(serialization, name)

    def _tell(self, serialization: ModuleType) -> None:
        for name in self._names:
            self._register(serialization, name)

    def _register(self, serialization: ModuleType, name: str) -> None:
        from pytest_rustyray import as_ray

        if as_ray.is_on():
            import pytest_rustyray.in_workers.assertions  # noqa: F401 - for simulated workers, which import modules here

        serialization.register_by_value(name, members_by_name=as_ray.is_on())


class _RuntimeFinder:
    """Finds the runtime's modules as Python itself would, and calls ``then`` once the one of interest is imported.

    Being first, it also keeps pytest from rewriting the runtime's assertions, which pytest does to all packages of a
    distribution that has a plugin: that helps nobody, and makes the first import several times slower.
    """

    def __init__(self, then: Callable[[ModuleType], None]) -> None:
        self._then = then

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] != _RUNTIME:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if name == _SERIALIZATION and spec is not None and spec.loader is not None:
            spec.loader = _ThenLoader(spec, self._then)  # type: ignore[assignment]
        return spec


class _ThenLoader:
    """The loader of ``spec``, which calls ``then`` with the module at the end."""

    def __init__(self, spec: ModuleSpec, then: Callable[[ModuleType], None]) -> None:
        self._spec = spec
        self._loader: Any = spec.loader
        self._then = then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        self._spec.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._then(module)

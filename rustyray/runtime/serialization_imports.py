"""Importing a module from its file, where plain import would find none, another one, or the same one anew.

Test modules are imported so, if they are to be in workers as on Ray: under the names that they have in the test
process, which depend on how pytest imports, and of which there may be several.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from types import CodeType, ModuleType
from typing import Any, Protocol


class _Loader(Protocol):
    def get_code(self, name: str) -> CodeType | None: ...


def _code(path: str, loader: _Loader, name: str) -> CodeType | None:
    return loader.get_code(name)


#: Gives the code of a module: its file, its loader and its name. A test harness has its assertions rewritten.
code_of: Callable[[str, Any, str], CodeType | None] = _code


def fresh(name: str, file: str, shared: bool) -> ModuleType:
    """A new module of that name, not filled in yet; `fill` does that. ``shared``: other modules may import it by name.

    Raises ImportError if the file is none of Python.
    """
    path = [os.path.dirname(file)] if os.path.basename(file) == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=path)
    if spec is None or not hasattr(spec.loader, "get_code"):
        raise ImportError(f"the module {name} cannot be imported from {file}", name=name, path=file)
    if shared:
        _have_parent(name, file)
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(name, module)
        return module
    return importlib.util.module_from_spec(spec)


def fill(module: ModuleType) -> None:
    """Run the code of the module. What that raises, this raises."""
    spec: Any = module.__spec__
    code = code_of(spec.origin, spec.loader, spec.name)
    if code is not None:
        exec(code, vars(module))


def _have_parent(name: str, file: str) -> None:
    """For relative imports: the package that it is in, if only as a folder."""
    parent = name.rpartition(".")[0]
    if not parent or parent in sys.modules:
        return
    with suppress(ImportError):
        import_module(parent)
        return
    folder = os.path.dirname(file)
    package = ModuleType(parent)
    package.__path__ = [os.path.dirname(folder) if os.path.basename(file) == "__init__.py" else folder]
    sys.modules[parent] = package

"""``rustyray_patch``: what a test patches is patched in its workers, too."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Final

import pytest

from pytest_rustyray.variables import PATCHES

_ABSENT: Final = object()
_BY_VALUE: Final = (
    "the code of {} reaches workers by value, so that there is no such module to patch: "
    "patch what it calls, in a module that can be imported"
)
_PRELOAD: Final = ("pytest_rustyray.in_workers.patches",)


class RustyRayPatch:
    """Changes attributes of modules and classes, and environment variables, here and in all workers, for one test.

    As pytest's ``monkeypatch``. A worker is patched before its next task, call or constructor; code that runs already
    goes on as it is. What is patched has to be importable: workers have copies of anything else. Replacements are
    pickled by value, so functions of the test, lambdas and classes do.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._here = pytest.MonkeyPatch()
        self._patches: list[tuple[str, tuple[object, ...]]] = []

    def setattr(self, target: str | object, name: object, value: object = _ABSENT) -> None:
        """``setattr("shop.prices.fetch", replacement)``, or ``setattr(prices, "fetch", replacement)``.

        Raises:
            AttributeError: There is no such attribute.
            TypeError: Workers cannot import the target, or the replacement cannot be pickled.
        """
        self._patch("setattr", target, *((name,) if value is _ABSENT else (name, value)))

    def delattr(self, target: str | object, *name: str) -> None:
        """``delattr("shop.prices.fetch")``, or ``delattr(prices, "fetch")``; raises as `setattr`."""
        self._patch("delattr", target, *name)

    def setenv(self, name: str, value: str) -> None:
        """Set an environment variable."""
        self._patch("setenv", name, value)

    def delenv(self, name: str) -> None:
        """Remove an environment variable; KeyError if there is none."""
        self._patch("delenv", name)

    def undo(self) -> None:
        """Undo everything; the end of the test does, too."""
        self._here.undo()
        self._patches.clear()
        self._tell()

    def _patch(self, how: str, target: object, *arguments: object) -> None:
        if isinstance(target, str):
            _check_name(target)
        else:
            _check(target)
        getattr(self._here, how)(target, *arguments)
        self._patches.append((how, (target, *arguments)))
        try:
            self._tell()
        except BaseException:
            self._patches.pop()
            self._here.undo()
            for name, again in self._patches:
                getattr(self._here, name)(*again)
            raise

    def _tell(self) -> None:
        """Replace the file, so that who looks finds the one or the other."""
        if not self._patches:
            if os.path.exists(self._path):
                os.unlink(self._path)
            return
        from rustyray.runtime.serialization import dumps_function

        blob, refs = dumps_function(self._patches, "the replacement")
        if refs:
            raise TypeError("a replacement cannot hold object refs: it is there before and after any runtime")
        fresh = f"{self._path}.fresh"
        with open(fresh, "wb") as file:
            file.write(blob)
        os.replace(fresh, self._path)


def _check(target: object) -> None:
    """Raise unless workers can import it."""
    from rustyray.runtime.serialization_by_value import registered_by_value

    module = target.__name__ if isinstance(target, ModuleType) else getattr(target, "__module__", "")
    importable = isinstance(target, ModuleType | type) and module in sys.modules and module != "__main__"
    if not importable:
        raise TypeError(
            f"workers would patch a copy of {target!r}: name what they can import, "
            'such as rustyray_patch.setattr("package.module.name", replacement)'
        )
    if module in registered_by_value():
        raise TypeError(_BY_VALUE.format(module))


def _check_name(target: str) -> None:
    """The same for ``package.module.name``."""
    from rustyray.runtime.serialization_by_value import registered_by_value

    for module in registered_by_value():
        if target.startswith(f"{module}."):
            raise TypeError(_BY_VALUE.format(module))


@contextmanager
def patching() -> Iterator[RustyRayPatch]:
    """What is patched inside is so until its end."""
    patch = RustyRayPatch(os.environ[PATCHES])
    try:
        yield patch
    finally:
        patch.undo()


def prepare(config: pytest.Config) -> tuple[str, ...]:
    """Some test uses the fixture: workers are told where to look, whichever runtime they belong to.

    Returns what they import for that.
    """
    directory = tempfile.mkdtemp(prefix="rustyray-patches-")
    os.environ[PATCHES] = os.path.join(directory, "patches")
    config.add_cleanup(lambda: _forget(directory))
    return _PRELOAD


def _forget(directory: str) -> None:
    os.environ.pop(PATCHES, None)
    shutil.rmtree(directory, ignore_errors=True)

"""What a case is, and where the cases are."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

#: The runtime that a subject's cases share, where the module does not name another as its ``TOPOLOGY``.
LOCAL = "local"


class Case(NamedTuple):
    """A sentence (the docstring of ``check``) and the function that checks it, which takes ``needs`` as arguments."""

    subject: str
    name: str
    check: Callable[..., Any]
    topology: str
    needs: tuple[str, ...]

    @property
    def id(self) -> str:
        return f"{self.subject}-{self.name}"

    @property
    def sentence(self) -> str:
        return " ".join((self.check.__doc__ or "").split())


def cases() -> list[Case]:
    """All cases, by subject, each in the order in which its module has them."""
    from rustyray.testing.conformance import subjects  # not before pytest knows that it has assertions to explain

    found: list[Case] = []
    for info in pkgutil.iter_modules(subjects.__path__):
        found += _cases_of(import_module(f"{subjects.__name__}.{info.name}"), info.name)
    return found


def _cases_of(module: ModuleType, subject: str) -> Iterator[Case]:
    topology = getattr(module, "TOPOLOGY", LOCAL)
    for name, value in vars(module).items():
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_"):
            yield Case(subject, name, value, topology, tuple(inspect.signature(value).parameters))

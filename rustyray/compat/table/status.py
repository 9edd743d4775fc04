"""Which of Ray's names RustyRay has, found in its code, and of the others why not, and what to do instead."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module
from typing import NamedTuple

from rustyray import missing
from rustyray.compat.names import target
from rustyray.compat.table import names


class Row(NamedTuple):
    """A name, whether it is ``there``, and if not, what to know about it."""

    name: str
    there: bool
    note: str = ""


def module(name: str) -> list[Row]:
    """The names in one of Ray's modules."""
    try:
        found = import_module(target(name))
    except ModuleNotFoundError:
        found = None
    return [_row(f"{name}.{one}", hasattr(found, one)) for one in names.MODULES[name].split()]


def members(name: str) -> list[Row]:
    """The methods and attributes of one of Ray's classes."""
    owner, _, last = name.rpartition(".")
    found = getattr(import_module(target(owner)), last)
    set_later = found.__init__.__code__.co_names if hasattr(found.__init__, "__code__") else ()
    return [_row(f"{name}.{one}", hasattr(found, one) or one in set_later) for one in names.CLASSES[name].split()]


def options(of: str) -> list[Row]:
    """The options of "task", "actor" or "init"."""
    from rustyray.model import options, settings

    if of == "init":
        refused = {name: instead for name, (_, instead) in settings.UNSUPPORTED.items()}
        return [
            _option(name, name in (*settings.VALID, *settings.WITHOUT_EFFECT, "address"), refused)
            for name in names.INIT.split()
        ]
    scope = options.Scope.TASK if of == "task" else options.Scope.ACTOR
    given = names.TASK if of == "task" else names.ACTOR
    known = {name for name, option in options.OPTIONS.items() if scope in option.scopes}
    refused = {name: option.instead for name, option in options.UNSUPPORTED.items() if scope in option.scopes}
    # That of which both values are taken, as neither asks for anything.
    known |= {name for name in refused if all(value in options.UNSUPPORTED[name].harmless for value in (True, False))}
    return [_option(name, name in known, refused) for name in given.split()]


def commands(there: Collection[str]) -> list[Row]:
    """The commands of ``ray``; ``there`` are those of ``rustyray``."""
    return [
        Row(name, True) if name in there else Row(name, False, missing.COMMANDS.get(name, missing.OTHERWISE))
        for name in names.COMMANDS.split()
    ]


def _row(name: str, there: bool) -> Row:
    return Row(name, True) if there else Row(name, False, missing.reason(name) or missing.OTHERWISE)


def _option(name: str, there: bool, refused: dict[str, str]) -> Row:
    note = f"refused: {refused[name]}" if name in refused else "is unknown, and refused"
    return Row(name, True) if there else Row(name, False, note)

"""Errors that nobody reads: tasks and calls that raised, of whose results nobody heard."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from rustyray.engines.sim.driver import SimDriver
from rustyray.exceptions import RayError, SimulationError, UnserializableException
from rustyray.runtime.faults import task_error
from rustyray.runtime.serialization import loads
from rustyray.testing.exploring.telling import plain

if TYPE_CHECKING:
    from rustyray.engines.sim.errors import Failure
    from rustyray.runtime.engine import Engine
    from rustyray.testing.exploring.sites import Sites

#: What to do about errors that nobody reads.
UnreadErrors: TypeAlias = Literal["raise", "ignore"]
RAISE: Final = "raise"
IGNORE: Final = "ignore"
#: So many are told one by one.
TOLD: Final = 5

_LINE: Final = re.compile(r'File "(.+)", line (\d+)')


class UnreadError(AssertionError):
    """A task or a call raised, and nobody has looked: its ref was never got, awaited or passed on.

    ``where`` says which function raised what, and at which line.
    """

    def __init__(self, text: str, where: str) -> None:
        super().__init__(text)
        self.where = where


def check_unread(option: object) -> None:
    """Raise ValueError if it is not one of the two."""
    if option not in (RAISE, IGNORE):
        raise ValueError(f"unread_errors must be {RAISE!r} or {IGNORE!r}, not {option!r}")


def unread_error(engine: Engine | None, sites: Sites | None = None) -> UnreadError | None:
    """What the scenario that has just ended has left unread in its runtime; None if nothing.

    An error of the runtime's own, such as that of a task whose actor has died, is no news: it comes of a fault that the
    explorer, or the scenario, has brought about.
    """
    if not isinstance(engine, SimDriver):
        return None  # the scenario has ended it
    found: list[tuple[str, str, BaseException]] = []
    for failure in engine.simulation.errors.unread(engine.simulation):
        cause = task_error(failure.value, loads).cause
        if not isinstance(cause, RayError) or isinstance(cause, SimulationError | UnserializableException):
            site = sites.submitted.get(failure.task) if sites is not None else None
            found.append((_where(failure, cause), f"; it was submitted at {site}" if site is not None else "", cause))
    if not found:
        return None
    found.sort(key=lambda one: one[:2])
    error = UnreadError(_text(found), found[0][0])
    error.__cause__ = found[0][2]
    return error


def _where(failure: Failure, cause: BaseException) -> str:
    lines = _LINE.findall(failure.value.traceback)
    at = f" at {os.path.basename(lines[-1][0])}:{lines[-1][1]}" if lines else ""
    return f"`{plain(failure.name)}` raised {type(cause).__name__}{at}"


def _text(found: Sequence[tuple[str, str, BaseException]]) -> str:
    told = []
    for where, site, cause in found[:TOLD]:
        says = (str(cause).splitlines() or [""])[0]
        told.append(f"{where}{': ' * bool(says)}{says}{site}")
    told += [f"… and {len(found) - TOLD} more"] * (len(found) > TOLD)
    lines = "".join(f"\n  {line}" for line in told)
    return (
        f"nobody has read the error of a task: its ref was never got, awaited or passed on:{lines}\n"
        "Get the ref. Or, where errors may be lost, submit with .options(num_returns=0), or explore with "
        f'unread_errors="{IGNORE}"'
    )

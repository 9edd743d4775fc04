"""Programs that are ordinary code: each runs in a greenlet, and gives way only where it waits.

The world's steps run in a greenlet of their own, the hub. The driver's program is the code that called ``init``; it is
not started by anybody, and goes on where it waits. All other programs begin here. To the world each looks like the
generators of scripted programs: ``next`` lets it go on, and returns what it wants before it goes on again.
"""

from __future__ import annotations

from asyncio import _get_running_loop, _set_running_loop
from collections.abc import Callable
from os import environ
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from cloudpickle import cloudpickle
from greenlet import GreenletExit, getcurrent, greenlet

from rustyray.engines.sim.world.process import Sleep, Until
from rustyray.runtime import context
from rustyray.runtime import serialization_stand_ins as stand_ins

if TYPE_CHECKING:
    from rustyray.engines.sim.host import UserProcess

_pickling = context._pickling


class ProcessEnded(GreenletExit):
    """Raised where a program waits whose process has ended: it unwinds, and nobody hears of it."""


class KnownCode:
    """The classes and modules that a process has got by value, or given away so: each is one per process.

    In a simulation each process has its own, so that a class that travels is another one where it arrives.
    """

    __slots__ = ("by_class", "by_id", "modules")

    def __init__(self, by_class: Any, by_id: Any, modules: stand_ins.StandIns) -> None:
        self.by_class = by_class
        self.by_id = by_id
        self.modules = modules

    @classmethod
    def present(cls) -> KnownCode:
        """Those of the process that runs."""
        known = cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS, cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID
        return cls(*known, stand_ins.present)

    @classmethod
    def none(cls, process: bytes) -> KnownCode:
        """Those of a new process."""
        return cls(WeakKeyDictionary(), WeakValueDictionary(), stand_ins.StandIns(process, may_be_home=False))

    def enter(self) -> None:
        """Let pickling use these."""
        stand_ins.present = self.modules
        cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS = self.by_class
        cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID = self.by_id


def variables() -> dict[Any, Any]:
    """Where `os.environ` has what it has at present."""
    return environ._data  # type: ignore[attr-defined,no-any-return]


def set_variables(those: dict[Any, Any]) -> None:
    """Let `os.environ` have what is in there."""
    if environ._data is not those:  # type: ignore[attr-defined]
        environ._data = those  # type: ignore[attr-defined]


def enter(process: UserProcess) -> None:
    """From now on the code that runs is this process'."""
    context._engine = process.engine  # type: ignore[assignment] # only drivers and workers are made
    process.code.enter()
    set_variables(process.variables)
    if process.quiet is not None:
        process.quiet.enter(process.executes)


class Green:
    """A program in a greenlet.

    Args:
        hub: where the world's steps run.
        process: what it is a program of.
        run: the code.
    """

    def __init__(self, hub: greenlet, process: UserProcess, run: Callable[[], object]) -> None:
        self.process = process
        self.greenlet = greenlet(run, hub)
        #: What is the thread's, not the greenlet's, and so must be put away while it does not run.
        self._loop: Any = None
        self._refs: Any = None

    def __next__(self) -> Sleep | Until:
        return self._switch(self.greenlet.switch)

    def throw(self, error: BaseException) -> Sleep | Until:
        return self._switch(self.greenlet.throw, error)

    def _switch(self, into: Callable[..., Any], *args: object) -> Sleep | Until:
        enter(self.process)
        if self._loop is not None or self._refs is not None:
            self._take_up()
        wants = into(*args)
        if self.greenlet.dead:
            raise StopIteration
        if _pickling.refs is not None or _get_running_loop() is not None:
            self._put_away()
        assert isinstance(wants, Sleep | Until), f"a program of {self.process.name} left its greenlet with {wants!r}"
        return wants

    def _put_away(self) -> None:
        self._refs, _pickling.refs = _pickling.refs, None
        self._loop = _get_running_loop()
        if self._loop is not None:
            _set_running_loop(None)

    def _take_up(self) -> None:
        _pickling.refs, self._refs = self._refs, None
        if self._loop is not None:
            _set_running_loop(self._loop)
            self._loop = None

    def close(self) -> None:
        """Unwind the program: its process has ended. What it does meanwhile with the runtime raises `ProcessEnded`."""
        if not self.greenlet.dead and self.greenlet is not getcurrent():
            before, theirs = context._engine, variables()
            code = KnownCode.present()
            enter(self.process)
            self.greenlet.parent = getcurrent()
            try:
                self.greenlet.throw(ProcessEnded())
            finally:
                context._engine = before
                code.enter()
                set_variables(theirs)


class MainProgram(Green):
    """The driver's own program, which is there already, and goes on when the runtime has ended."""

    def __init__(self, process: UserProcess) -> None:
        self.process = process
        self.greenlet = getcurrent()
        self._loop = self._refs = None

    def close(self) -> None:
        """It is not the runtime's to end."""

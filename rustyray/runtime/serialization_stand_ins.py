"""What modules whose code travels by value are in processes that cannot import them: each has one stand-in there.

A *member* of such a module can be found in it by its name: a function, a method, a class. In a process that gets them,
members behave as if it had imported the module: their functions have the same globals, each arrives as one object, and
a class is filled in once. So what one task keeps in a global or in a class, the next one in that process finds. Where
the module is at home they are the module's own. What has no such name (a lambda, a local function, the function that
``@remote`` wraps) has globals of its own in each pickle, as cloudpickle does it (both as in Ray).

Where a module is *to be imported*, as on Ray, its members travel as names instead, and the process that gets the first
one imports the module from its file. Otherwise a global or an attribute of a class comes along as it is when a member
that uses it is pickled. It is taken where there is none yet, or where the process that gave it has bound the name to
something else since. Each name has a stamp for that.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary, ref

from rustyray.runtime import serialization_imports

_BASICS: Final = ("__package__", "__name__", "__path__", "__file__")
_ATOMS: Final = frozenset({type(None), bool, int, float, str, bytes})
#: What cloudpickle gives a class apart from its attributes.
_REGISTRY: Final = "_abc_impl"


class Key(NamedTuple):
    """Which module: there may be several of one name."""

    module: str
    file: str | None


class Stamp(NamedTuple):
    """Who gave a name its value first, and when: of two numbers of one origin the higher one is the newer one."""

    origin: bytes
    number: int


@dataclass
class Known:
    """The stamps of the names of a module or class, and what tells whether one that was given here has changed."""

    stamps: dict[str, Stamp] = field(default_factory=dict)
    unchanged: dict[str, Callable[[object], bool]] = field(default_factory=dict)

    def newer(self, name: str, stamp: Stamp) -> bool:
        known = self.stamps.get(name)
        return known is not None and known.origin == stamp.origin and known.number < stamp.number


@dataclass
class StandIn:
    """One module here; where it is at home only what is ``known`` of its globals is used."""

    globals: dict[str, Any] = field(default_factory=dict)
    functions: dict[str, FunctionType] = field(default_factory=dict)
    known: Known = field(default_factory=Known)

    def begin(self, basics: Mapping[str, Any]) -> dict[str, Any]:
        """The globals, with what is needed for relative imports."""
        for name in _BASICS:
            if name in basics:
                self.globals.setdefault(name, basics[name])
        return self.globals

    def take(self, values: Mapping[str, Any], stamps: Mapping[str, Stamp]) -> None:
        for name, value in values.items():
            if name not in self.globals or self.known.newer(name, stamps[name]):
                self.globals[name] = value
                self.known.stamps[name] = stamps[name]


class StandIns:
    """Those of one process. A simulated one has its own.

    Args:
        origin: the process, in the stamps of what it gives; made up when it is needed, if empty.
        may_be_home: whether what this process has imported is its own.
    """

    def __init__(self, origin: bytes = b"", may_be_home: bool = True) -> None:
        self._origin = origin
        self._may_be_home = may_be_home
        self._modules: dict[Key, StandIn] = {}
        self._classes: WeakKeyDictionary[type, Known] = WeakKeyDictionary()
        #: Where the members that came from elsewhere are from.
        self._keys: WeakKeyDictionary[object, Key] = WeakKeyDictionary()
        #: Those that were imported because a member of theirs came.
        self._loaded: dict[Key, ModuleType] = {}
        self._number = 0

    def of(self, key: Key) -> StandIn:
        return self._modules.setdefault(key, StandIn())

    def known(self, cls: type) -> Known:
        return self._classes.setdefault(cls, Known())

    def knows(self, cls: type) -> bool:
        return cls in self._keys

    def came(self, member: object, key: Key) -> None:
        self._keys[member] = key

    def key(self, member: Any) -> Key | None:
        """The module that it is a member of; None if it is none."""
        name = member.__module__
        for key in self._loaded:
            if key.module == name and self.own(key, member.__qualname__) is member:
                return key
        key = Key(name, getattr(sys.modules.get(name), "__file__", None))
        return key if self.own(key, member.__qualname__) is member else self._keys.get(member)

    def own(self, key: Key, name: str) -> object:
        """What the module that this process has imported has by that name; None if it has not."""
        found: Any = self._imported(key)
        for part in name.split("."):
            # By `vars`, as code of the user's may answer any name.
            found = vars(found).get(part) if hasattr(found, "__dict__") else None
            if isinstance(found, staticmethod | classmethod):
                found = found.__func__
        return found

    def are_of(self, variables: dict[str, Any], key: Key) -> bool:
        """Whether these are the globals of that module, here."""
        return variables is self.of(key).globals or variables is getattr(self._imported(key), "__dict__", None)

    def load(self, key: Key) -> ModuleType:
        """The module itself, which is imported if it was not. Raises what its code raises."""
        with _loading:
            module = self._imported(key)
            if module is None:
                name, file = key.module, str(key.file)
                module = self._loaded[key] = serialization_imports.fresh(name, file, self._may_be_home)
                try:
                    serialization_imports.fill(module)
                except BaseException:
                    del self._loaded[key]
                    if sys.modules.get(name) is module:
                        del sys.modules[name]
                    raise
            return module

    def is_loaded(self, key: Key) -> bool:
        return key in self._loaded

    def _imported(self, key: Key) -> ModuleType | None:
        if key in self._loaded:
            return self._loaded[key]
        module = sys.modules.get(key.module) if self._may_be_home else None
        return module if getattr(module, "__file__", None) == key.file else None

    def give(self, known: Known, values: Mapping[str, Any]) -> dict[str, Stamp]:
        """The stamps with which these go out."""
        for name, value in values.items():
            if name in known.stamps:
                unchanged = known.unchanged.get(name)
                if unchanged is None or unchanged(value):  # None: it came from elsewhere
                    continue
            self._origin = self._origin or os.urandom(8)
            self._number += 1
            known.stamps[name] = Stamp(self._origin, self._number)
            known.unchanged[name] = _recogniser(value)
        return {name: known.stamps[name] for name in values}


#: Reentrant, as modules import one another.
_loading = threading.RLock()
#: This process'. A simulation exchanges it.
present = StandIns()


def _recogniser(value: object) -> Callable[[object], bool]:
    """Tells whether another value is this one, which it does not keep alive."""
    kind = type(value)
    if kind in _ATOMS:
        return lambda other: type(other) is kind and other == value
    try:
        weak = ref(value)
    except TypeError:  # a list, a dict, a tuple: another one may get its place, but only when this one is gone
        place = id(value)
        return lambda other: id(other) == place
    return lambda other: weak() is other


def reduce_member(member: Any, reduced: tuple[Any, ...], by_name: bool) -> tuple[Any, ...]:
    """How a function or class is pickled, given cloudpickle's way; that way itself, if it is no member.

    ``by_name``: its module is one to be imported.
    """
    key = present.key(member)
    if key is None:
        return reduced
    if key.file is not None and (by_name or present.is_loaded(key)):
        return _member_by_name, (tuple(key), member.__qualname__)
    make, arguments, state, _, _, fill = reduced
    if not isinstance(member, FunctionType):
        stamps = present.give(present.known(member), state[0])
        given = tuple(key), member.__qualname__, make, arguments
        return _member_class, given, (tuple(key), state, stamps, fill), None, None, _fill_class
    shares = present.are_of(member.__globals__, key)
    stamps = present.give(present.of(key).known, state[1]["__globals__"]) if shares else {}
    name = member.__qualname__
    return (
        _member_function,
        (tuple(key), name, shares, make, arguments),
        (tuple(key), name, shares, state, stamps, fill),
        None,
        None,
        _fill_function,
    )


def _member_by_name(key: tuple[str, str], name: str) -> object:
    """Raises AttributeError if the module that is imported here lacks it."""
    module = present.load(Key(*key))
    found = present.own(Key(*key), name)
    if found is None:
        raise AttributeError(
            f"the module {module.__name__} ({module.__file__}) has no {name!r} where it was imported anew"
        )
    return found


def _member_function(
    key: tuple[str, str | None], name: str, shares: bool, make: Callable[..., FunctionType], arguments: tuple[Any, ...]
) -> FunctionType:
    """The function of that name: this process' own, the one that came before, or a new one to be filled in."""
    own = present.own(Key(*key), name)
    if isinstance(own, FunctionType):
        return own
    stand_in = present.of(Key(*key))
    code, basics, *rest = arguments
    before = stand_in.functions.get(name)
    if before is not None and before.__code__ == code:
        return before
    return make(code, stand_in.begin(basics) if shares else basics, *rest)


def _member_class(
    key: tuple[str, str | None], name: str, make: Callable[..., type], arguments: tuple[Any, ...]
) -> type:
    """The class of that name: this process' own, or what cloudpickle makes of it, which is one class each time."""
    own = present.own(Key(*key), name)
    if isinstance(own, type):
        return own
    import cloudpickle

    known = cloudpickle.cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID.get(arguments[-2])
    # Made anew it would be registered by its bases and its metaclass once more.
    return known if known is not None else make(*arguments)


def _fill_function(function: FunctionType, given: tuple[Any, ...]) -> FunctionType:
    key, name, shares, state, stamps, fill = given
    if present.own(Key(*key), name) is function:
        return function
    stand_in = present.of(Key(*key))
    if shares:
        values, state[1]["__globals__"] = state[1]["__globals__"], {}
        stand_in.take(values, stamps)
    if stand_in.functions.get(name) is not function:
        fill(function, state)
        stand_in.functions[name] = function
        present.came(function, Key(*key))
    return function


def _fill_class(cls: type, given: tuple[Any, ...]) -> type:
    key, state, stamps, fill = given
    if present.own(Key(*key), cls.__qualname__) is cls:
        return cls
    known = present.known(cls)
    if not present.knows(cls):
        fill(cls, state)
        known.stamps.update(stamps)
        present.came(cls, Key(*key))
        return cls
    for name, value in state[0].items():
        if name != _REGISTRY and known.newer(name, stamps[name]):
            known.stamps[name] = stamps[name]
            setattr(cls, name, value)
    return cls

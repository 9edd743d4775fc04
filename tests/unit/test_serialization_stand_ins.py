"""What arrives of one module by value, in one or several pickles, is one module in the process that gets it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from rustyray.engines.sim.green import KnownCode
from rustyray.runtime.serialization import dumps_function, loads, register_by_value, unregister_by_value

SOURCE = """
import abc
import enum
import functools

KEPT = {}
LIMIT = 1

def put(key):
    KEPT[key] = 1

def read():
    return sorted(KEPT)

def limit():
    return LIMIT

def raise_limit(to):
    global LIMIT
    LIMIT = to

def make():
    global made
    made = 7

def read_made():
    return made

def keep(value, kept=[]):
    kept.append(value)
    return kept

def local():
    def inner():
        return LIMIT
    return inner

def decorate(function):
    @functools.wraps(function)
    def decorated():
        return function()
    return decorated

@decorate
def decorated():
    return limit()

class Shared:
    seen = 0
    def note(self):
        type(self).seen += 1
        put("noted")
        return type(self).seen
    @staticmethod
    def put(key):
        put(key)
    @classmethod
    def read(cls):
        return cls.seen

class Base(abc.ABC): ...

class Color(enum.Enum):
    RED = 1

def colors():
    return Color
"""


class Process:
    """A process that cannot import the module, as far as pickling is concerned: as simulations have it."""

    def __init__(self) -> None:
        self._code = KnownCode.none(b"")

    def __call__(self, blob: bytes) -> Any:
        with self._entered():
            return loads(blob)

    def sends(self, member: object) -> bytes:
        with self._entered():
            return sent(member)

    @contextmanager
    def _entered(self) -> Iterator[None]:
        before = KnownCode.present()
        self._code.enter()
        try:
            yield
        finally:
            before.enter()


def sent(member: object) -> bytes:
    return dumps_function(member)[0]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made = ModuleType("rr_members")
    made.__file__ = "/somewhere/rr_members.py"
    monkeypatch.setitem(sys.modules, "rr_members", made)
    exec(SOURCE, made.__dict__)
    register_by_value("rr_members")
    yield made
    unregister_by_value("rr_members")


def test_functions_of_several_pickles_have_the_same_globals(module: Any) -> None:
    one, other = Process(), Process()
    one(sent(module.put))("a")
    assert one(sent(module.read))() == ["a"]
    assert other(sent(module.read))() == []
    assert module.KEPT == {}


def test_a_function_arrives_as_one_object(module: Any) -> None:
    one = Process()
    keep = one(sent(module.keep))
    assert keep(1) == [1]
    assert one(sent([module.keep]))[0] is keep
    assert keep(2) == [1, 2]
    assert loads(one.sends(keep)) is module.keep


def test_what_was_made_there_stays(module: Any) -> None:
    one = Process()
    one(sent(module.make))()
    one(sent(module.raise_limit))(5)
    assert one(sent(module.read_made))() == 7
    assert one(sent(module.limit))() == 5
    assert not hasattr(module, "made")


def test_a_name_that_was_bound_anew_goes_out_again(module: Any) -> None:
    one = Process()
    blob = sent(module.limit)
    one(blob)
    module.LIMIT = 9
    assert one(sent(module.limit))() == 9
    one(sent(module.raise_limit))(11)
    assert one(sent(module.limit))() == 11
    assert one(blob)() == 11


def test_values_of_each_kind_are_recognised(module: Any) -> None:
    for value in ([1], {"a": 1}, (1,), frozenset({1}), module.Shared(), 2.5, b"x", None, True, "text", float("nan")):
        one = Process()
        module.LIMIT = value
        one(sent(module.limit))
        one(sent(module.raise_limit))("theirs")
        there = one(sent(module.limit))()
        assert there == "theirs" or value != value


def test_classes_are_filled_in_once(module: Any) -> None:
    one = Process()
    shared = one(sent(module.Shared))
    assert shared().note() == 1
    assert one(sent(module.Shared)) is shared
    assert shared.read() == 1
    assert one(sent(module.read))() == ["noted"]


def test_an_attribute_that_was_bound_anew_goes_out_again(module: Any) -> None:
    one = Process()
    shared = one(sent(module.Shared))
    shared.seen = 3
    module.Shared.note = lambda self: "new"
    assert one(sent(module.Shared))().note() == "new"
    assert shared.seen == 3
    module.Shared.seen = 100
    one(sent(module.Shared))
    assert shared.seen == 100


def test_methods_are_members(module: Any) -> None:
    one = Process()
    one(sent(module.Shared.put))("b")
    one(sent(module.Shared().put))("c")
    assert one(sent(module.read))() == ["b", "c"]


def test_at_home_everything_is_the_modules_own(module: Any) -> None:
    one = Process()
    note, put = module.Shared.__dict__["note"], module.put
    ours = [put, module.Shared, module.decorated, module.Base, module.Color]
    back = loads(one.sends(one(sent(ours))))
    assert all(came is own for came, own in zip(back, ours, strict=True))
    assert module.Shared.__dict__["note"] is note
    assert note.__globals__ is vars(module)


def test_a_local_function_has_globals_of_its_own(module: Any) -> None:
    one = Process()
    one(sent(module.raise_limit))(5)
    assert one(sent(module.local()))() == 1
    assert one(sent(module.limit))() == 5


def test_what_passes_through_others_keeps_its_stamp(module: Any) -> None:
    one, other = Process(), Process()
    passed = one.sends(one(sent(module.limit)))
    module.LIMIT = 2
    assert other(sent(module.limit))() == 2
    assert other(passed)() == 2


def test_a_function_written_anew_replaces_the_old_one(module: Any) -> None:
    one = Process()
    old = one(sent(module.limit))
    exec("def limit():\n    return -LIMIT", vars(module))
    assert one(sent(module.limit))() == -1
    assert old() == 1


def test_a_decorated_function_is_a_member(module: Any) -> None:
    one = Process()
    one(sent(module.raise_limit))(5)
    assert one(sent(module.decorated))() == 5


def test_modules_of_one_name_are_told_apart_by_their_files(module: Any) -> None:
    one = Process()
    one(sent(module.put))("a")
    module.__file__ = "/elsewhere/rr_members.py"
    assert one(sent(module.read))() == []

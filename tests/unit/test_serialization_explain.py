"""What will not pickle is named by the path to it, with the reason and what to do."""

import collections
import functools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rustyray.runtime.serialization import (
    dumps,
    dumps_function,
    explain_unpicklable,
    register_by_value,
    unregister_by_value,
)

LOCK = threading.Lock()
CONFIG = {"conn": LOCK}


def uses_global() -> object:
    return CONFIG


def uses_inner_global() -> object:
    return lambda: CONFIG


def has_default(x: object = LOCK, *, y: object = 1) -> object:
    return x, y


def make_closure() -> Callable[[], object]:
    held = [1, LOCK]
    return lambda: held


class Plain:
    def __init__(self, **state: object) -> None:
        self.__dict__.update(state)

    def method(self) -> object:
        return self


class Slotted:
    __slots__ = ("lock",)

    def __init__(self) -> None:
        self.lock = LOCK


class Careful:
    def __init__(self) -> None:
        self.lock = LOCK
        self.rest: object = 1

    def __getstate__(self) -> dict[str, object]:
        return {"rest": self.rest}


class Angry:
    def __reduce__(self) -> str | tuple[Any, ...]:
        raise ValueError("not today")


class Listy(list[Any]):
    """A subclass goes through its reducer, its items through the reducer's list items."""


def cycle() -> Plain:
    top = Plain()
    top.__dict__.update(child=Plain(parent=top), lock=LOCK)
    return top


class TestExplanations:
    @pytest.mark.parametrize(
        ("value", "path"),
        [
            (LOCK, "v: cannot pickle '_thread.lock'"),
            ([1, {"conn": (LOCK,)}], "v[1]['conn'][0]: cannot pickle '_thread.lock'"),
            ({LOCK: 1}, "v.<key <unlocked _thread.lock"),
            (Plain(a=1, sock=LOCK), "v.sock: cannot pickle"),
            ([Slotted()], "v[0].lock: cannot pickle"),
            (Plain(f=Plain(x=1).method, m=Plain(lock=LOCK).method), "v.m.__self__.lock: cannot"),
            (functools.partial(print, LOCK), "v.args[0]: cannot"),
            (ValueError("x", LOCK), "v.args[1]: cannot"),
            (collections.OrderedDict(a=LOCK), "v['a']: cannot"),
            (collections.deque([1, LOCK]), "v[1]: cannot"),
            (Listy([LOCK]), "v[0]: cannot"),
            (cycle(), "v.lock: cannot"),
            ([Angry()], "v[0]: pickling it raised ValueError: not today"),
            (np.array([1, LOCK], dtype=object), "v.__getstate__()"),
            ((x for x in "ab"), "v: cannot pickle 'generator' object. Pass a list"),
        ],
        ids=lambda parameter: parameter[:40] if isinstance(parameter, str) else "",
    )
    def test_the_path_leads_to_the_culprit(self, value: object, path: str) -> None:
        told = explain_unpicklable(value, "v")
        assert told.startswith(path)
        with pytest.raises(TypeError) as caught:
            dumps(value, "v")
        assert str(caught.value) == told

    @pytest.mark.parametrize(
        ("function", "path"),
        [
            (uses_global, "uses_global.<globals>.CONFIG['conn']: cannot"),
            (uses_inner_global, "uses_inner_global.<globals>.CONFIG['conn']: cannot"),
            (has_default, "has_default.<default 0>: cannot"),
            (make_closure(), "make_closure.<locals>.<lambda>.<closure>.held[1]: cannot"),
        ],
    )
    def test_functions(self, function: Callable[..., object], path: str) -> None:
        register_by_value(__name__)
        try:
            with pytest.raises(TypeError) as caught:
                dumps_function(function)
        finally:
            unregister_by_value(__name__)
        assert str(caught.value).startswith(path)
        assert caught.value.__cause__ is not None

    def test_a_class_by_value(self) -> None:
        class Local:
            lock = LOCK

            def use(self) -> object:
                return CONFIG

        with pytest.raises(TypeError, match=r"<locals>.Local.lock: cannot pickle"):
            dumps_function(Local)

    def test_what_a_getstate_leaves_out_is_not_blamed(self) -> None:
        careful = Careful()
        careful.rest = [LOCK]
        assert explain_unpicklable(careful, "v").startswith("v.rest[0]: ")

    def test_advice_fits_the_kind(self) -> None:
        assert "within one process" in explain_unpicklable(LOCK, "v")
        with open(__file__, "rb") as file:
            assert "Pass the path" in explain_unpicklable(file, "v")
        assert "__getstate__" in explain_unpicklable(Angry(), "v")

    def test_too_deep_a_value_says_so(self) -> None:
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        with pytest.raises(TypeError, match="nested too deeply"):
            dumps(deep)
        while deep:  # freed step by step
            deep = deep[0]

    def test_a_search_ends_early_in_a_huge_value(self) -> None:
        huge: list[Any] = [Plain(x=1) for _ in range(3000)]
        assert explain_unpicklable([*huge[:1000], LOCK], "v").startswith("v[1000]: cannot pickle")
        assert explain_unpicklable([*huge, LOCK], "v").startswith("v: cannot pickle")

    def test_a_picklable_value(self) -> None:
        assert explain_unpicklable([1], "v") == "v can be pickled"

    def test_memory_errors_stay_what_they_are(self) -> None:
        class Hungry:
            def __reduce__(self) -> str | tuple[Any, ...]:
                raise MemoryError

        with pytest.raises(MemoryError):
            dumps(Hungry())

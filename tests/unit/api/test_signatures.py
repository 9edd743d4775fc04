"""Arguments are checked as Python would, in its words, and cheaply."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rustyray.api.signatures import Arguments, parameters_of


def nothing() -> None: ...
def plain(a: int, b: int) -> None: ...
def defaults(a: int, b: int = 2, c: int = 3) -> None: ...
def positional_only(a: int, b: int = 2, /, c: int = 3) -> None: ...
def keyword_only(a: int, *, b: int, c: int = 3) -> None: ...
def optional_keyword_only(a: int = 1, *, b: int = 2) -> None: ...
def var_args(a: int, *rest: int) -> None: ...
def var_kwargs(a: int, /, **rest: int) -> None: ...
def everything(a: int, /, b: int, c: int = 3, *rest: int, d: int, e: int = 5, **more: int) -> None: ...
def required_keyword_after_args(*rest: int, d: int) -> None: ...


@functools.wraps(plain)
def wrapped(*args: Any, **kwargs: Any) -> None: ...


FUNCTIONS: list[Callable[..., None]] = [
    nothing,
    plain,
    defaults,
    positional_only,
    keyword_only,
    optional_keyword_only,
    var_args,
    var_kwargs,
    everything,
    required_keyword_after_args,
    wrapped,
    lambda a, b=1: None,
    functools.partial(plain, 1),
]


def fits(function: Callable[..., None], args: tuple[int, ...], kwargs: dict[str, int]) -> bool:
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return False
    return True


@given(
    function=st.sampled_from(FUNCTIONS),
    count=st.integers(0, 6),
    names=st.sets(st.sampled_from(["a", "b", "c", "d", "e", "rest", "other"]), max_size=4),
)
def test_a_call_fits_exactly_when_python_says_so(function: Callable[..., None], count: int, names: set[str]) -> None:
    arguments = Arguments("f", parameters_of(function))
    args, kwargs = tuple(range(count)), dict.fromkeys(sorted(names), 0)
    expected = fits(function, args, kwargs)
    if not kwargs and arguments.low <= count <= arguments.high:
        assert expected
    if expected:
        arguments.check(args, kwargs)
    else:
        with pytest.raises(TypeError, match=r"^f\.remote\(\): "):
            arguments.check(args, kwargs)


@given(function=st.sampled_from([one for one in FUNCTIONS if one is not keyword_only]), count=st.integers(0, 6))
def test_most_calls_are_settled_by_counting(function: Callable[..., None], count: int) -> None:
    arguments = Arguments("f", parameters_of(function))
    assert (arguments.low <= count <= arguments.high) == fits(function, tuple(range(count)), {})


def test_the_message_is_pythons_with_the_signature() -> None:
    arguments = Arguments("mod.f", parameters_of(defaults))
    with pytest.raises(TypeError) as caught:
        arguments.check((), {"b": 1})
    assert str(caught.value) == "mod.f.remote(): missing a required argument: 'a'; it takes (a, b=..., c=...)"
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'x'"):
        arguments.check((1,), {"x": 1})
    with pytest.raises(TypeError, match="too many positional arguments"):
        arguments.check((1, 2, 3, 4), {})


def test_self_is_left_out() -> None:
    class C:
        def method(self, a: int) -> None: ...
        def loose(*args: int) -> None: ...

    assert [name for name, _, _ in parameters_of(C.method, skip_first=True)] == ["a"]
    assert [name for name, _, _ in parameters_of(C.loose, skip_first=True)] == ["args"]


def test_what_cannot_be_inspected_takes_anything() -> None:
    arguments = Arguments("f", parameters_of(type("Odd", (), {"__call__": 3})()))
    arguments.check((1, 2), {"x": 3})

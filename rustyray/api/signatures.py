"""Does a call fit the function's signature? Asked on every ``.remote()``, so it must cost next to nothing.

Most calls are settled by counting their positional arguments; ``inspect`` only words the refusal of others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

#: One parameter as it travels with an actor's handle: name, kind, and whether it has a default.
Parameter = tuple[str, int, bool]

_POSITIONAL_ONLY, _POSITIONAL_OR_KEYWORD, _VAR_POSITIONAL, _KEYWORD_ONLY, _VAR_KEYWORD = range(5)
_ANYTHING: tuple[Parameter, ...] = (("args", _VAR_POSITIONAL, False), ("kwargs", _VAR_KEYWORD, False))
_MANY = 1 << 30


class Arguments:
    """What a function takes. ``low`` to ``high`` positional arguments without keywords fit; for others `check`."""

    __slots__ = ("called", "high", "low", "parameters")

    def __init__(self, called: str, parameters: Sequence[Parameter]) -> None:
        self.called = called
        self.parameters = tuple(parameters)
        kinds = [kind for _, kind, _ in parameters]
        positional = [has_default for _, kind, has_default in parameters if kind <= _POSITIONAL_OR_KEYWORD]
        self.low = sum(not has_default for has_default in positional)
        self.high = _MANY if _VAR_POSITIONAL in kinds else len(positional)
        if any(kind == _KEYWORD_ONLY and not has_default for _, kind, has_default in parameters):
            self.low, self.high = 1, 0  # no call without keywords fits

    def check(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Raises TypeError in Python's own words when the call does not fit."""
        if self._fits(len(args), kwargs):
            return
        from inspect import Parameter as Full
        from inspect import Signature

        kinds = (
            Full.POSITIONAL_ONLY,
            Full.POSITIONAL_OR_KEYWORD,
            Full.VAR_POSITIONAL,
            Full.KEYWORD_ONLY,
            Full.VAR_KEYWORD,
        )
        signature = Signature(
            [
                Full(name, kinds[kind], default=_Default() if has_default else Full.empty)
                for name, kind, has_default in self.parameters
            ]
        )
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.called}.remote(): {error}; it takes {signature}") from None

    def _fits(self, count: int, kwargs: Mapping[str, Any]) -> bool:
        """What ``Signature.bind`` decides, without building anything."""
        index = used = 0
        for name, kind, has_default in self.parameters:
            if kind <= _POSITIONAL_OR_KEYWORD:
                if index < count:
                    if kind and name in kwargs:
                        return False
                elif kind and name in kwargs:
                    used += 1
                elif not has_default:
                    return False
                index += 1
            elif kind == _KEYWORD_ONLY:
                if name in kwargs:
                    used += 1
                elif not has_default:
                    return False
            elif kind == _VAR_POSITIONAL:
                index = _MANY
            else:
                used = len(kwargs)
        return count <= index and used == len(kwargs)


class _Default:
    """Stands for a default that stayed with the function."""

    def __repr__(self) -> str:
        return "..."


def parameters_of(function: Callable[..., Any], skip_first: bool = False) -> tuple[Parameter, ...]:
    """The parameters of a function, without ``self`` if asked; of one that cannot be inspected: anything."""
    code = getattr(function, "__code__", None)
    if code is None or hasattr(function, "__wrapped__") or hasattr(function, "__signature__"):
        return _inspected(function, skip_first)
    names = code.co_varnames
    count, keyword_only = code.co_argcount, code.co_kwonlyargcount
    first_default = count - len(function.__defaults__ or ())
    keyword_defaults = function.__kwdefaults__ or {}
    found = [
        (name, int(index >= code.co_posonlyargcount), index >= first_default)
        for index, name in enumerate(names[:count])
    ]
    rest = count + keyword_only
    if code.co_flags & 0x04:
        found.append((names[rest], _VAR_POSITIONAL, False))
        rest += 1
    found += [(name, _KEYWORD_ONLY, name in keyword_defaults) for name in names[count : count + keyword_only]]
    if code.co_flags & 0x08:
        found.append((names[rest], _VAR_KEYWORD, False))
    return _without_first(found) if skip_first else tuple(found)


def _inspected(function: Callable[..., Any], skip_first: bool) -> tuple[Parameter, ...]:
    """Decorated and built-in functions: through ``inspect``, which takes its time to import."""
    from inspect import signature

    try:
        found = [
            (parameter.name, int(parameter.kind), parameter.default is not parameter.empty)
            for parameter in signature(function).parameters.values()
        ]
    except (TypeError, ValueError):
        return _ANYTHING
    return _without_first(found) if skip_first else tuple(found)


def _without_first(found: list[Parameter]) -> tuple[Parameter, ...]:
    if found and found[0][1] <= _POSITIONAL_OR_KEYWORD:
        return tuple(found[1:])
    return tuple(found)  # *args takes self

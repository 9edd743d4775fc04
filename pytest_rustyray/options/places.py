"""Where options can be given, and which of those wins.

A marker beats the command line, which beats the environment, which beats the ini file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

import pytest

from pytest_rustyray.options.table import (
    DEFAULTS,
    FLAG,
    INI,
    MARKER,
    OPTIONS,
    OURS,
    STORE,
    VARIABLE,
    Given,
    Options,
    shown,
)

_MARKED: Final = "rustyray"
#: So alike are the name of an option and what somebody has meant by it, from 0 to 1.
_NEARLY: Final = 0.8


def given(config: pytest.Config) -> Options:
    """What the command line, the environment and the ini file say, with the defaults for the rest.

    Raises:
        pytest.UsageError: A text cannot be read, or the name of a variable is nearly one of ours; the message names the
            place.
    """
    _check_variables()
    found: dict[str, Given] = {}
    defaults = DEFAULTS
    if hasattr(config, "workerinput"):  # a process of pytest-xdist
        from pytest_rustyray.options import shares

        defaults = {**DEFAULTS, **shares.of(config, STORE)}
    for name in OPTIONS:
        for text, source in _texts(config, name):
            if text:
                found[name] = _parsed(name, text, source), source
                break
        else:
            if name in defaults:
                found[name] = defaults[name], ""
    return found


def _check_variables() -> None:
    """pytest tells of unknown flags and lines of the ini file, and nobody of unknown variables."""
    for variable in os.environ:
        if variable.startswith(VARIABLE) and variable.removeprefix(VARIABLE).lower() not in OPTIONS:
            from difflib import get_close_matches

            name = variable.removeprefix(VARIABLE).lower()
            for meant in get_close_matches(name, OPTIONS, n=1, cutoff=_NEARLY):
                raise pytest.UsageError(
                    f"{variable} in the environment: there is no such option (did you mean {VARIABLE}{meant.upper()}?)"
                )


def _texts(config: pytest.Config, name: str) -> Iterator[tuple[str | None, str]]:
    yield config.getoption(INI + name), FLAG + name.replace("_", "-")
    variable = VARIABLE + name.upper()
    yield os.environ.get(variable), variable
    try:
        ini: str | None = config.getini(INI + name)
    except TypeError as error:  # a TOML file with a number instead of a string
        raise pytest.UsageError(str(error)) from None
    yield ini, f"{INI}{name} in the ini file"


def _parsed(name: str, text: str, source: str) -> object:
    from pytest_rustyray.options.reading import PARSE, RULES

    try:
        value = PARSE[name](text)
    except ValueError:
        raise pytest.UsageError(f"{source}: cannot make sense of {text!r}; it takes {OPTIONS[name]}") from None
    problem = RULES[name](value) if name in RULES else ""
    if problem:
        raise pytest.UsageError(f"{source}: {name} {problem}")
    return value


def whole(options: Options) -> Options:
    """The same, with the defaults for the whole machine instead of those for this process' share of it."""
    defaults = {name: (value, "") for name, value in DEFAULTS.items()}
    return defaults | {name: given for name, given in options.items() if given[1]}


def for_node(common: Options, node: pytest.Item | pytest.Collector) -> Options:
    """The options for a test, or for a module, whose markers are checked already: the closest marker wins."""
    from pytest_rustyray.categories.table import usual

    merged = dict(common)
    for name, value in usual(node).items():
        if not merged[name][1]:
            merged[name] = (value, "")
    for mark in reversed(list(node.iter_markers(_MARKED))):
        for name, value in mark.kwargs.items():
            merged[name] = (DEFAULTS.get(name), "") if value is None and name in OURS else (value, MARKER)
    return merged


def header(options: Options) -> str:
    """The line for the head of pytest's output."""
    parts = [
        f"{name}={shown(name, value)}" + (f" ({source})" if source else "")
        for name, (value, source) in options.items()
        if source or name not in OURS
    ]
    return f"rustyray: {', '.join(parts)}"

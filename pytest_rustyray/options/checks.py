"""What is wrong with a value. Imports the runtime for the options that are its own."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_rustyray.options.reading import RULES
from pytest_rustyray.options.rules import hint
from pytest_rustyray.options.table import MARKER, OPTIONS


def problem_with_marker(mark: pytest.Mark) -> str:
    """What is wrong with a ``rustyray`` marker, or nothing."""
    if mark.args:
        return f"{MARKER} takes keyword arguments only, such as num_cpus=4; got {mark.args[0]!r}"
    for name, value in mark.kwargs.items():
        problem = problem_with(name, value)
        if problem:
            return f"{MARKER}: {problem}"
    return ""


def problem_with(name: str, value: object) -> str:
    """What is wrong with an option, or nothing."""
    if name not in OPTIONS:
        return f"there is no option {name!r}{hint(name, OPTIONS)}. Valid ones are {', '.join(OPTIONS)}."
    if value is None:
        return ""
    if name in RULES:
        problem = RULES[name](value)
        return f"{name} {problem}" if problem else ""
    if name == "engine":
        return _problem_with_engine(value)
    return _problem_for_init(name, value)


def _problem_for_init(name: str, value: object) -> str:
    from rustyray.model import settings

    plain: dict[str, Any] = {"num_cpus": 0, "num_gpus": 0, "memory": 0, "logging_level": "WARNING"}
    others = dict.fromkeys(("resources", "object_store_memory", "namespace", "labels", "system_config"))
    try:
        engine = "sim" if name == "seed" else "native"
        settings.settings(**(plain | others | {"engine": engine, name: value}))
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


def _problem_with_engine(value: object) -> str:
    from rustyray.api.engines import ENGINES

    if value in ENGINES:
        return ""
    return f"there is no engine {value!r}{hint(value, ENGINES)}. Valid are {', '.join(map(repr, ENGINES))}."

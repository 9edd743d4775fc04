"""Marks that libraries written for Ray put on their own functions and classes; they say it, and change nothing."""

from __future__ import annotations

from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")


class AnnotationType(Enum):
    """What a mark says."""

    PUBLIC_API = "PublicAPI"
    DEVELOPER_API = "DeveloperAPI"
    DEPRECATED = "Deprecated"
    UNKNOWN = "Unknown"


class RayDeprecationWarning(DeprecationWarning):
    """Something that is to go away is used."""


def _mark(args: tuple[Any, ...]) -> Any:
    """For ``@Mark`` and for ``@Mark(…)``."""
    if len(args) == 1 and callable(args[0]):
        return args[0]
    return lambda thing: thing


def PublicAPI(*args: Any, **kwargs: Any) -> Any:  # noqa: N802 - Ray's name
    """For users, and stable."""
    return _mark(args)


def DeveloperAPI(*args: Any, **kwargs: Any) -> Any:  # noqa: N802
    """For those who build on top."""
    return _mark(args)


def Deprecated(*args: Any, **kwargs: Any) -> Any:  # noqa: N802
    """To go away."""
    return _mark(args)


def RayInternal(*args: Any, **kwargs: Any) -> Any:  # noqa: N802
    """For nobody else."""
    return _mark(args)

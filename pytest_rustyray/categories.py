"""Tests by category: the folder that a test lives in gives it its marker, so that ``-m unit`` and friends select."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

CATEGORIES: Final = {
    "unit": "pure: no process, no socket, no sleep",
    "integration": "real processes, sockets and shared memory",
    "stress": "long or heavy",
}


def assign(items: Iterable[pytest.Item], root: Path) -> None:
    """Mark each test below ``root`` by the outermost folder on its way that has a category's name.

    A test that carries one of the markers already keeps it as its only one.
    """
    for item in items:
        if not item.path.is_relative_to(root) or any(item.get_closest_marker(name) for name in CATEGORIES):
            continue
        for folder in item.path.relative_to(root).parts[:-1]:
            if folder in CATEGORIES:
                item.add_marker(folder)
                break

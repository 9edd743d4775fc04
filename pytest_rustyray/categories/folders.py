"""The folder that a test lives in gives it its category's marker, so that ``-m unit`` and friends select."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_rustyray.categories.table import by_folder
from pytest_rustyray.options.declaring import CATEGORIES


def assign(items: Iterable[pytest.Item], root: Path) -> None:
    """Mark each test below ``root`` by the outermost folder on its way that has a category's name.

    A test that carries one of the markers already keeps it as its only one.
    """
    for item in items:
        if not any(item.get_closest_marker(name) for name in CATEGORIES):
            category = by_folder(item.path, root)
            if category:
                item.add_marker(category)

"""The categories there are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from pytest_rustyray.options.declaring import CATEGORIES

#: The options of their tests, where nobody gives others.
_USUAL: Final[Mapping[str, Mapping[str, object]]] = {
    "unit": {"timeout": 60, "topology": "sim"},
    "integration": {"timeout": 300},
    "stress": {"timeout": 3600},
}
#: Whether tests have categories in this run.
USED: Final = pytest.StashKey[bool]()


def of(node: pytest.Item | pytest.Collector) -> str:
    """The category of a test, by its marker or its folder; empty if the ini file does not ask for categories."""
    if not node.config.stash.get(USED, False):
        return ""
    marked = next((name for name in CATEGORIES if node.get_closest_marker(name) is not None), "")
    return marked or by_folder(node.path, node.config.rootpath)


def by_folder(path: Path, root: Path) -> str:
    """The name of the outermost folder below ``root`` on the way to ``path`` that is a category's; or nothing."""
    if not path.is_relative_to(root):
        return ""
    return next((folder for folder in path.relative_to(root).parts[:-1] if folder in CATEGORIES), "")


def usual(node: pytest.Item | pytest.Collector) -> Mapping[str, object]:
    """The options that tests of its category have."""
    return _USUAL.get(of(node), {})

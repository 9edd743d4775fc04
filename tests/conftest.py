"""Gives every test the marker of its folder, so that `-m unit` and friends select a tier."""

from pathlib import Path

import pytest

TIERS = ("unit", "integration", "stress")
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            tier = item.path.relative_to(HERE).parts[0]
            if tier in TIERS:
                item.add_marker(tier)

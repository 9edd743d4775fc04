"""Tests have categories where the ini file asks for that. Those of stress tests run when they are asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from pytest_rustyray.categories import table
from pytest_rustyray.categories.folders import assign
from pytest_rustyray.options.declaring import STRESS, STRESS_FLAG

#: How many stress tests were left out.
_LEFT_OUT: Final = pytest.StashKey[int]()


def begin(config: pytest.Config) -> None:
    """Tests have categories in this run."""
    from pytest_rustyray.categories.summary import Summary

    config.stash[table.USED] = True
    config.pluginmanager.register(Summary(), "rustyray_summary")


def sort(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give the tests their categories, and leave the stress tests out unless somebody asks for them."""
    assign(items, config.rootpath)
    if _asked(config):
        return
    stress = [item for item in items if table.of(item) == "stress"]
    if stress:
        config.hook.pytest_deselected(items=stress)
        items[:] = [item for item in items if item not in stress]
    config.stash[_LEFT_OUT] = len(stress)


def _asked(config: pytest.Config) -> bool:
    """Whether by the flag, by ``-m`` with the word in it, or by the path of one of them."""
    if config.getoption(STRESS) or re.search(r"\bstress\b", config.option.markexpr):
        return True
    return any("stress" in Path(argument.split("::")[0]).parts for argument in config.args)


def tell_left_out(config: pytest.Config) -> None:
    """In a process of pytest-xdist: for the one that tells."""
    output = getattr(config, "workeroutput", None)
    if output is not None:
        output[STRESS] = config.stash.get(_LEFT_OUT, 0)


def hear_left_out(config: pytest.Config, output: Mapping[str, Any]) -> None:
    """In the one that tells. All of them have left out the same."""
    config.stash[_LEFT_OUT] = max(config.stash.get(_LEFT_OUT, 0), output.get(STRESS, 0))


def left_out(config: pytest.Config) -> str:
    """A line about the stress tests that were left out; empty if none were."""
    count = config.stash.get(_LEFT_OUT, 0)
    what = "1 stress test was" if count == 1 else f"{count} stress tests were"
    return f"rustyray: {what} left out; {STRESS_FLAG} runs them" if count else ""

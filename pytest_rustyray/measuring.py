"""Tells workers to measure which lines they run, where pytest-cov does so in the process that runs the tests."""

from __future__ import annotations

import json
import os
from typing import Any, Final

import pytest

from pytest_rustyray.variables import COVERAGE

#: What the process that workers are forked from imports, so that no worker has to.
_PRELOAD: Final = ("coverage",)


def prepare(config: pytest.Config) -> tuple[str, ...]:
    """If pytest-cov is at work, workers will measure, too. Returns what they import for that."""
    plugin = config.pluginmanager.getplugin("_cov")
    controller: Any = getattr(plugin, "cov_controller", None)
    if controller is None or getattr(controller, "cov", None) is None:
        return ()
    measured = controller.cov.config
    how = {
        "data_file": os.path.abspath(measured.data_file),
        "config_file": measured.config_file or False,
        "branch": measured.branch,
        "source": controller.cov_source or None,
    }
    os.environ[COVERAGE] = json.dumps(how)
    config.add_cleanup(_stop)
    return _PRELOAD


def save(config: pytest.Config) -> None:
    """In a child that was forked from a process which measures, and ends: write down what ran here, for that one."""
    plugin = config.pluginmanager.getplugin("_cov")
    measured: Any = getattr(getattr(plugin, "cov_controller", None), "cov", None)
    if measured is not None:
        measured.stop()
        measured.save()


def _stop() -> None:
    os.environ.pop(COVERAGE, None)

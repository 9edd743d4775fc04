"""Gives every test the marker of its folder, so that ``-m unit`` and friends select a tier."""

import gc
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from pytest_rustyray import categories

pytest_plugins = ["pytester"]
HERE = Path(__file__).parent

# How long something takes on a busy machine says nothing about whether it is right.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs with SIGINT ignored, and programs inherit that: Ctrl-C could not be tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # As the plugin does where the ini file has rustyray_categories; but this works where it is not loaded, too.
    categories.assign(items, HERE)


def pytest_collection_finish() -> None:
    # Many tests collect garbage to see that refs are gone; what was imported and collected until now stays for ever.
    gc.collect()
    gc.freeze()

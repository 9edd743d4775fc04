"""``--rustyray-as-ray``: ``import ray`` means RustyRay in a run of pytest, and Ray's own fixtures are there.

fixtures.py  the fixtures that Ray's tests use, by Ray's names
running.py   the runtimes behind them
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Final

import pytest

FLAG: Final = "--rustyray-as-ray"
INI: Final = "rustyray_as_ray"
VARIABLE: Final = "RUSTYRAY_AS_RAY"
#: What workers would import with their first ``import ray``.
_PRELOAD: Final = ("rustyray.compat.modules",)


def declare(parser: pytest.Parser) -> None:
    """Add the flag and its twin in the ini file."""
    help_ = "let 'import ray' mean RustyRay, and have fixtures with the names of Ray's"
    parser.getgroup("rustyray").addoption(FLAG, dest=INI, action="store_true", default=False, help=help_)
    parser.addini(INI, help_, type="bool", default=False)


def install(config: pytest.Config, given: argparse.Namespace) -> None:
    """Let ``import ray`` mean RustyRay until the run ends, if that is wanted.

    Raises:
        pytest.UsageError: Ray itself was imported already.
    """
    if not (getattr(given, INI, False) or os.environ.get(VARIABLE, "0") not in ("", "0") or config.getini(INI)):
        return
    from rustyray import compat

    if compat.installed():
        return
    try:
        compat.install()
    except RuntimeError:
        origin = getattr(sys.modules["ray"], "__file__", None) or "somewhere"
        raise pytest.UsageError(
            f"{FLAG}: Ray itself was imported already, from {origin}. A plugin or a conftest.py did that before this "
            "plugin was loaded: load it first, with -p rustyray on the command line"
        ) from None
    config.add_cleanup(compat.uninstall)


def configure(config: pytest.Config) -> None:
    """Add the fixtures, if they are wanted. Raises as `install`."""
    install(config, config.option)
    if preload():
        from pytest_rustyray.as_ray import fixtures

        config.pluginmanager.register(fixtures, "rustyray_as_ray")


def preload() -> tuple[str, ...]:
    """The modules that all processes of runtimes need early; none unless ``import ray`` means RustyRay."""
    compat = sys.modules.get("rustyray.compat")
    return _PRELOAD if compat is not None and compat.installed() else ()

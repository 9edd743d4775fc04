"""``--rustyray-as-ray``: ``import ray`` means RustyRay in a run of pytest, and Ray's own fixtures are there.

fixtures.py  the fixtures that Ray's tests use, by Ray's names
running.py   the runtimes behind them
"""

from __future__ import annotations

import sys
from typing import Final

import pytest

from pytest_rustyray.options.declaring import AS_RAY_FLAG

#: What workers would import with their first ``import ray``, and with the first test module.
_PRELOAD: Final = ("rustyray.compat.modules", "pytest")


def install(config: pytest.Config) -> None:
    """Let ``import ray`` mean RustyRay until the run ends.

    Raises:
        pytest.UsageError: Ray itself was imported already.
    """
    from rustyray import compat

    if compat.installed():
        return
    try:
        compat.install()
    except RuntimeError:
        origin = getattr(sys.modules["ray"], "__file__", None) or "somewhere"
        raise pytest.UsageError(
            f"{AS_RAY_FLAG}: Ray itself was imported already, from {origin}. A plugin or a conftest.py did that before "
            "this plugin was loaded: load it first, with -p rustyray on the command line"
        ) from None
    config.add_cleanup(compat.uninstall)


def configure(config: pytest.Config, wanted: bool) -> None:
    """Install it, if that is wanted, and add the fixtures, whoever has installed it. Raises as `install`."""
    if wanted:
        install(config)
    if preload():
        from pytest_rustyray.as_ray import fixtures

        config.pluginmanager.register(fixtures, "rustyray_as_ray")


def is_on() -> bool:
    """Whether ``import ray`` means RustyRay."""
    compat = sys.modules.get("rustyray.compat")
    return compat is not None and bool(compat.installed())


def preload() -> tuple[str, ...]:
    """The modules that all processes of runtimes need early; none unless ``import ray`` means RustyRay."""
    return _PRELOAD if is_on() else ()

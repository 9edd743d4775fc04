"""Ray's fixtures from Ray, unless RustyRay gives them."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("rustyray_as_ray", False):
        from benchmarks.ray_suite import fixtures

        config.pluginmanager.register(fixtures, "ray_fixtures")

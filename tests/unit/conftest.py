"""Unit tests start from the state of a plain program, whatever the plugin has registered for the session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rustyray.runtime.serialization import register_by_value, registered_by_value, unregister_by_value


@pytest.fixture(autouse=True)
def _no_module_by_value() -> Iterator[None]:
    names = sorted(registered_by_value())
    for name in names:
        unregister_by_value(name)
    yield
    for name in names:
        register_by_value(name)

"""The engines that a program can choose from, each imported only when it is chosen.

An engine is a module with ``start(settings: Settings) -> Engine``, and perhaps a ``join(address, namespace,
log_to_driver, environment) -> Engine``. It may leave the program's environment to its ``set_environment``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from rustyray.model.options import hint

if TYPE_CHECKING:
    from types import ModuleType

    from rustyray.model.settings import Settings
    from rustyray.runtime.engine import Engine

#: Name to module.
ENGINES = {"native": "rustyray.engines.native", "sim": "rustyray.engines.sim", "ray": "rustyray.engines.ray"}


def start(settings: Settings) -> Engine:
    """Start the engine that the settings name.

    Raises:
        ValueError: There is no engine of that name.
        ImportError: What it needs is not installed.
    """
    engine: Engine = _module(settings.engine).start(settings)
    return engine


def join(name: str, address: str, namespace: str, log_to_driver: bool, environment: Mapping[str, Any]) -> Engine:
    """Connect to the cluster at ``address``. Raises as `start`, and ConnectionError when that cannot be."""
    module = _module(name)
    if not hasattr(module, "join"):
        raise ValueError(f"init(address={address!r}) does not go with engine={name!r}: leave one of them out")
    engine: Engine = module.join(address, namespace, log_to_driver, environment)
    return engine


def _module(name: str) -> ModuleType:
    if name not in ENGINES:
        known = " or ".join(map(repr, ENGINES))
        raise ValueError(f"There is no engine {name!r}{hint(name, ENGINES)}. Use engine={known}.")
    return import_module(ENGINES[name])

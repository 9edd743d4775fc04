"""The engine "ray": the same programs on a real Ray, whose workers run them (Ray 2.60; the extra ``rustyray[ray]``).

A task of ours is a task of Ray's, an actor an actor, a ref holds a ref. Values are pickled by us and carried by Ray
(`parcels`), so that they arrive as they would elsewhere; in Ray's workers (`hosting`) the same engine serves what runs
there. This is the only place that imports ``ray``.

engine.py     what a program asks for
groups.py     placement groups, nodes, resources
parcels.py    values on their way
hosting.py    what Ray's workers run
choices.py    our options as Ray's
streams.py    Ray's generators as ours
errors.py     Ray's exceptions as ours
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rustyray.engines.ray.engine import RayEngine
    from rustyray.model.settings import Settings


def start(settings: Settings) -> RayEngine:
    """Start a Ray on this machine.

    Raises:
        ImportError: Ray is not installed.
        RuntimeEnvSetupError: The environment cannot be had.
        ValueError: Something was asked for that Ray does not do.
    """
    _require_ray()
    for name, asked in (("_tracing_startup_hook", settings.tracing_hook), ("enforce_memory", settings.enforce_memory)):
        if asked:
            raise ValueError(f"init({name}=…) does not go with engine='ray': leave it out, or use engine='native'")
    from rustyray.engines.ray.engine import RayEngine
    from rustyray.engines.ray.starting import start_local

    return RayEngine(start_local(settings))


def join(address: str, namespace: str, log_to_driver: bool, environment: Mapping[str, Any]) -> RayEngine:
    """Connect to a Ray cluster. Raises ConnectionError if there is none, ImportError if Ray is not installed."""
    _require_ray()
    from rustyray.engines.ray.engine import RayEngine
    from rustyray.engines.ray.starting import connect

    return RayEngine(connect(address, namespace, log_to_driver, environment))


def _require_ray() -> None:
    if find_spec("ray") is None:
        raise ImportError("engine='ray' needs Ray itself, which is not installed here: pip install 'rustyray[ray]'")

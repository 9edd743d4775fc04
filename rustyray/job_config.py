"""What a program says of itself when it starts (module path and names as in Ray)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rustyray.model import environments
from rustyray.model.logging_config import LoggingConfig
from rustyray.model.options import text


class JobConfig:
    """Passed to `rustyray.init` as ``job_config`` (as in Ray).

    Args:
        runtime_env: what the program's workers are to have (`rustyray.runtime_env.RuntimeEnv`).
        ray_namespace: where its actors have their names; an anonymous namespace by default.
        metadata: strings about the program, kept in this object.
        default_actor_lifetime: "detached" or "non_detached": how the actors live that do not say it themselves.
        others: Ray's other fields (for Java and C++) are refused unless they ask for nothing.

    Raises:
        TypeError, ValueError: A value is wrong, or not supported.
    """

    def __init__(
        self,
        *,
        runtime_env: Mapping[str, Any] | None = None,
        ray_namespace: str | None = None,
        metadata: Mapping[str, str] | None = None,
        default_actor_lifetime: str = "non_detached",
        **others: Any,
    ) -> None:
        for name, value in others.items():
            if name not in _HARMLESS:
                raise TypeError(f"JobConfig has no field {name!r}")
            if value not in _HARMLESS[name]:
                raise ValueError(f"JobConfig({name}={value!r}) is not supported: {_WHY[name]}")
        self.set_default_actor_lifetime(default_actor_lifetime)
        self.py_logging_config: LoggingConfig | None = None
        self.runtime_env: dict[str, Any] = {}
        self.set_runtime_env(runtime_env)
        self.ray_namespace = ray_namespace if ray_namespace is None else text("ray_namespace", ray_namespace)
        self.metadata: dict[str, str] = {}
        for key, value in (metadata or {}).items():
            self.set_metadata(key, value)

    def set_runtime_env(self, runtime_env: Mapping[str, Any] | None, validate: bool = True) -> None:
        """Replace the runtime environment. It is always checked."""
        self.runtime_env = environments.checked("runtime_env", runtime_env or {})

    def set_ray_namespace(self, ray_namespace: str) -> None:
        self.ray_namespace = text("ray_namespace", ray_namespace)

    def set_default_actor_lifetime(self, default_actor_lifetime: str) -> None:
        """Replace the default. Raises ValueError unless it is "detached" or "non_detached"."""
        if default_actor_lifetime not in ("detached", "non_detached"):
            raise ValueError(
                f"default_actor_lifetime must be 'detached' or 'non_detached', got {default_actor_lifetime!r}"
            )
        self._default_actor_lifetime = default_actor_lifetime

    def set_py_logging_config(self, logging_config: LoggingConfig | None = None) -> None:
        """How the driver and the workers log, unless ``init`` is given a ``logging_config``."""
        if logging_config is not None and not isinstance(logging_config, LoggingConfig):
            raise TypeError(f"logging_config must be a rustyray.LoggingConfig, got {logging_config!r}")
        self.py_logging_config = logging_config

    def ensure_logging_config(self, logging_config: Mapping[str, Any] | LoggingConfig | None = None) -> None:
        """As `set_py_logging_config`, also from a dict with the fields; nothing if that was said already."""
        if logging_config is None or self.py_logging_config is not None:
            return
        if isinstance(logging_config, Mapping):
            logging_config = LoggingConfig(**logging_config)
        self.set_py_logging_config(logging_config)

    def set_metadata(self, key: str, value: str) -> None:
        self.metadata[text("a key of metadata", key)] = text(f"metadata[{key!r}]", value)

    @classmethod
    def from_json(cls, job_config_json: Mapping[str, Any]) -> JobConfig:
        """From a dict with the fields as keys, as it is read from JSON; ``metadata`` and ``runtime_env`` are dicts."""
        return cls(**job_config_json)


_LANGUAGE = "only Python runs here"
_HARMLESS: dict[str, tuple[Any, ...]] = {
    "jvm_options": (None, []),
    "code_search_path": (None, []),
    "py_driver_sys_path": (None, []),
    "client_job": (False,),
    "_client_job": (False,),
}
_WHY = {
    "jvm_options": _LANGUAGE,
    "code_search_path": _LANGUAGE,
    "py_driver_sys_path": "workers have the driver's sys.path already",
    "client_job": "every driver is a full one",
    "_client_job": "every driver is a full one",
}

__all__ = ["JobConfig"]

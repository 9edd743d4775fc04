"""The options of ``init``: what a runtime is made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from rustyray.model import options as opt
from rustyray.model import resources as res
from rustyray.model.logging_config import LoggingConfig
from rustyray.model.resources import ResourceSet

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Settings(NamedTuple):
    """Checked options of a runtime; engines start from these.

    ``resources`` are the node's, complete (CPU, GPU, memory, custom ones; units as in `model.resources`).
    ``object_store_memory`` is in bytes, None for the engine's default. ``namespace`` is empty for an anonymous one.
    ``system_config`` holds an engine's own knobs, which the engine checks. Each of ``num_nodes`` nodes has the
    resources. ``seed`` is the simulator's: 0 is the tame schedule. Objects are spilled to files in
    ``spill_directory``, None for the engine's default. With ``enforce_memory`` a worker may use no more memory than its
    task or actor has asked for. Drivers and workers log by ``logging``, and trace after the pickled ``tracing_hook``.
    """

    engine: str
    resources: ResourceSet
    object_store_memory: int | None
    namespace: str
    labels: dict[str, str]
    log_level: str
    system_config: dict[str, Any]
    seed: int = 0
    num_nodes: int = 1
    spill_directory: str | None = None
    enforce_memory: bool = False
    logging: LoggingConfig | None = None
    tracing_hook: bytes = b""


#: Options that only this engine has.
SIMULATED = "sim"

_LOGS = "Output of workers goes straight to the driver's own; redirect that"
_DASHBOARD = "There is no dashboard; leave it out"
_LIMITS = "Limit the whole program from outside, with a control group"

UNSUPPORTED: dict[str, tuple[tuple[object, ...], str]] = {
    "local_mode": ((False,), "Write engine='sim', which runs everything in this process"),
    "include_dashboard": ((False,), _DASHBOARD),
    "dashboard_host": (("127.0.0.1",), _DASHBOARD),
    "dashboard_port": ((), _DASHBOARD),
    "configure_logging": ((True, False), "Give True or False"),
    "logging_format": ((), "Give logging_config=rustyray.LoggingConfig(…)"),
    "log_to_driver": ((True,), _LOGS),
    "enable_resource_isolation": ((False,), _LIMITS),
    "cgroup_path": ((), _LIMITS),
    "system_reserved_cpu": ((), _LIMITS),
    "system_reserved_memory": ((), _LIMITS),
    "proxy_server_url": ((), _DASHBOARD),
}

VALID = (
    "num_cpus",
    "num_gpus",
    "memory",
    "resources",
    "object_store_memory",
    "object_spilling_directory",
    "enforce_memory",
    "namespace",
    "labels",
    "engine",
    "seed",
    "num_nodes",
    "ignore_reinit_error",
    "logging_level",
    "logging_config",
    "runtime_env",
    "job_config",
    "_tracing_startup_hook",
    "_system_config",
)


def refuse_unknown(given: Mapping[str, object]) -> None:
    """Raise for every option that ``init`` does not have, except for Ray's where they ask for nothing.

    Raises:
        TypeError: There is no such option; the message names the nearest.
        ValueError: Ray has it, and RustyRay does not, yet.
    """
    for name, value in given.items():
        if name not in UNSUPPORTED:
            raise TypeError(f"init() has no option {name!r}{opt.hint(name, VALID)}. Valid ones are {', '.join(VALID)}.")
        harmless, instead = UNSUPPORTED[name]
        if value is not None and not any(type(value) is type(same) and value == same for same in harmless):
            raise ValueError(f"init({name}={value!r}) is not supported yet. {instead}.")


def settings(
    *,
    engine: Any,
    num_cpus: Any,
    num_gpus: Any,
    memory: Any,
    resources: Any,
    object_store_memory: Any,
    namespace: Any,
    labels: Any,
    logging_level: Any,
    system_config: Any,
    seed: Any = None,
    num_nodes: Any = None,
    object_spilling_directory: Any = None,
    enforce_memory: Any = None,
) -> Settings:
    """Check the options of ``init``; amounts are given, or worked out from the machine. Raises as `check_options`."""
    total: dict[str, float] = opt.custom_resources("resources", resources) if resources is not None else {}
    total |= {res.CPU: opt.amount("num_cpus", num_cpus), res.MEMORY: opt.amount("memory", memory)}
    total[res.GPU] = opt.amount("num_gpus", num_gpus)
    _check_simulated(engine, seed=seed)
    return Settings(
        engine=opt.text("engine", engine),
        resources=res.resource_set(total),
        object_store_memory=None
        if object_store_memory is None
        else opt.at_least(1)("object_store_memory", object_store_memory),
        namespace="" if namespace is None else opt.text("namespace", namespace),
        labels={} if labels is None else _labels(labels),
        log_level=_level(logging_level),
        system_config={} if system_config is None else _mapping("_system_config", system_config),
        seed=0 if seed is None else opt.at_least(0)("seed", seed),
        num_nodes=1 if num_nodes is None else opt.at_least(1)("num_nodes", num_nodes),
        spill_directory=None
        if object_spilling_directory is None
        else opt.text("object_spilling_directory", object_spilling_directory),
        enforce_memory=False if enforce_memory is None else _flag("enforce_memory", enforce_memory),
    )


def _check_simulated(engine: object, **options: object) -> None:
    for name, value in options.items():
        if value is not None and engine != SIMULATED:
            raise ValueError(
                f"init({name}={value!r}) is an option of the simulator: write init(engine={SIMULATED!r}, "
                f"{name}={value!r}), or leave it out"
            )


def _level(level: Any) -> str:
    if isinstance(level, int) and not isinstance(level, bool):
        return _LEVELS[min(max(level // 10 - 1, 0), 4)]
    if not isinstance(level, str):
        raise TypeError(f"logging_level must be a level of the logging module or its name, got {level!r}")
    if level.upper() not in _LEVELS:
        raise ValueError(
            f"logging_level must be one of {', '.join(_LEVELS)}, got {level!r}{opt.hint(level.upper(), _LEVELS)}"
        )
    return level.upper()


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return value


def _labels(labels: Any) -> dict[str, str]:
    checked = _mapping("labels", labels)
    for key, value in checked.items():
        if not isinstance(value, str):
            raise TypeError(f"labels[{key!r}] must be a string, got {value!r}")
    return checked


def _mapping(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise TypeError(f"{name} must be a dict with strings as keys, got {value!r}")
    return dict(value)

"""The options of ``init``: what a runtime is made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from rustyray.model import options as opt
from rustyray.model import resources as res
from rustyray.model.logging_config import LoggingConfig
from rustyray.model.resources import ResourceSet
from rustyray.model.strategies import RESERVED_LABELS

DEFAULT_LEVEL = "WARNING"
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Settings(NamedTuple):
    """Checked options of a runtime; engines start from these.

    ``resources`` are the node's, complete (CPU, GPU, memory, custom ones; units as in `model.resources`).
    ``object_store_memory`` is in bytes, None for the engine's default. ``namespace`` is empty for an anonymous one.
    ``system_config`` holds an engine's own knobs, which the engine checks. Each of ``num_nodes`` nodes has the
    resources. ``seed`` is the simulator's: 0 is the tame schedule. Objects are spilled to files in
    ``spill_directory``, None for the engine's default. With ``enforce_memory`` a worker may use no more memory than its
    task or actor has asked for. Drivers and workers log by ``logging``, and trace after the pickled ``tracing_hook``.
    The runtime's own messages have ``log_level`` and ``log_format``. What workers print goes nowhere without
    ``log_to_driver``. The program has the runtime ``environment``, for an engine that has to know it at its start.
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
    log_format: str = ""
    log_to_driver: bool = True
    environment: Mapping[str, Any] = {}

    @property
    def says_how_to_log(self) -> bool:
        """Whether anything differs from what logging is without being told."""
        return bool(self.logging is not None or self.log_format or self.log_level != DEFAULT_LEVEL)


#: Options that only this engine has.
SIMULATED = "sim"

_DASHBOARD = "There is no dashboard (as in a Ray without its extra 'default'); leave it out"
_METRICS = "'rustyray metrics' and rustyray.util.metrics.prometheus_text() tell what there is to be scraped"
_LIMITS = "Limit the whole program from outside, with a control group"

UNSUPPORTED: dict[str, tuple[tuple[object, ...], str]] = {
    "local_mode": ((False,), "Write engine='sim', which runs everything in this process"),
    "include_dashboard": ((False,), _DASHBOARD),
    "enable_resource_isolation": ((False,), _LIMITS),
    "cgroup_path": ((), _LIMITS),
    "system_reserved_cpu": ((), _LIMITS),
    "system_reserved_memory": ((), _LIMITS),
    "proxy_server_url": ((), _DASHBOARD),
    "_driver_object_store_memory": ((), "The store's size is set once, with object_store_memory=…"),
    "_metrics_export_port": ((), _METRICS),
    "_node_name": ((), "Give labels={'name': …}, which nodes() shows, and which tasks can ask for"),
}

#: Options of Ray's for what RustyRay has none of, so that nothing is lost: a dashboard, which a Ray without its extra
#: 'default' does not start either; Redis; an address among the node's own processes; a directory for shared memory.
WITHOUT_EFFECT = frozenset(
    {
        "dashboard_host",
        "dashboard_port",
        "_enable_object_reconstruction",
        "_node_ip_address",
        "_plasma_directory",
        "_redis_password",
        "_redis_username",
        "_skip_env_hook",
    }
)

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
    "configure_logging",
    "logging_level",
    "logging_format",
    "logging_config",
    "log_to_driver",
    "runtime_env",
    "job_config",
    "_temp_dir",
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
        if name in WITHOUT_EFFECT:
            continue
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
    logging_format: Any = None,
    log_to_driver: Any = None,
) -> Settings:
    """Check the options of ``init``; amounts are given, or worked out from the machine. Raises as `check_options`."""
    total: dict[str, float] = opt.custom_resources("resources", resources) if resources is not None else {}
    total |= {res.CPU: opt.amount("num_cpus", num_cpus), res.MEMORY: opt.amount("memory", memory)}
    total[res.GPU] = opt.amount("num_gpus", num_gpus)
    _check_simulated(engine, seed=seed)
    config = {} if system_config is None else _mapping("_system_config", system_config)
    if config and engine != "ray":
        from rustyray.model import tuning

        object_spilling_directory = object_spilling_directory or tuning.spilling_directory(config)
        config = tuning.ours(config)
    return Settings(
        engine=opt.text("engine", engine),
        resources=res.resource_set(total),
        object_store_memory=None if object_store_memory is None else _bytes("object_store_memory", object_store_memory),
        namespace="" if namespace is None else opt.text("namespace", namespace),
        labels={} if labels is None else _labels(labels),
        log_level=_level(logging_level),
        system_config=config,
        seed=0 if seed is None else opt.at_least(0)("seed", seed),
        num_nodes=1 if num_nodes is None else opt.at_least(1)("num_nodes", num_nodes),
        spill_directory=None
        if object_spilling_directory is None
        else opt.text("object_spilling_directory", object_spilling_directory),
        log_format="" if logging_format is None else opt.text("logging_format", logging_format),
        log_to_driver=True if log_to_driver is None else _flag("log_to_driver", log_to_driver),
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


def _bytes(name: str, value: Any) -> int:
    number: int = opt.at_least(1)(name, value)
    if number > res.MOST:
        raise ValueError(f"{name} must be {res.MOST:g} bytes or less, got {number}")
    return number


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return value


def _labels(labels: Any) -> dict[str, str]:
    checked = _mapping("labels", labels)
    for key, value in checked.items():
        if not isinstance(value, str):
            raise TypeError(f"labels[{key!r}] must be a string, got {value!r}")
        if key.startswith(RESERVED_LABELS):
            raise ValueError(
                f"labels[{key!r}]: what begins with {RESERVED_LABELS} are labels that nodes have by themselves"
            )
    return checked


def _mapping(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise TypeError(f"{name} must be a dict with strings as keys, got {value!r}")
    return dict(value)

"""The options of ``init``: what they mean together, and what does not go with a cluster that runs already."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rustyray.job_config import JobConfig
    from rustyray.model.settings import Settings


def of_job(
    job_config: JobConfig | None, runtime_env: Mapping[str, Any] | None, namespace: str | None
) -> tuple[dict[str, Any] | None, str | None]:
    """The environment and the namespace of the program. Raises ValueError where two were given that differ."""
    if runtime_env is None and job_config is None:
        return None, namespace
    from rustyray.job_config import JobConfig
    from rustyray.model import environments

    environment = environments.checked("runtime_env", runtime_env or {})
    if job_config is None:
        return environment or None, namespace
    if not isinstance(job_config, JobConfig):
        raise TypeError(f"job_config must be a rustyray.job_config.JobConfig, got {job_config!r}")
    environment = environments.without_conflict(job_config.runtime_env, environment)
    if job_config._default_actor_lifetime == "detached":
        environment[environments.LIFETIME] = "detached"
    if namespace is not None and job_config.ray_namespace not in (None, namespace):
        raise ValueError(
            f"the job's namespace is {job_config.ray_namespace!r} and that of init() is {namespace!r}: give one of them"
        )
    return environment or None, job_config.ray_namespace if namespace is None else namespace


def in_the_jobs_folder(environment: dict[str, Any] | None) -> dict[str, Any] | None:
    """With the folder that was sent with this program, if it was submitted with one, for its workers anywhere.

    Raises ValueError where ``environment`` has another (as in Ray).
    """
    folder = os.environ.get("RUSTYRAY_JOB_WORKING_DIR")
    if not folder:
        return environment
    from rustyray.model import environments

    return environments.without_conflict({"working_dir": folder}, environment or {})


def refuse_observing(address: str, *options: object) -> None:
    """Raise ValueError if there are any: they are how a cluster that runs observes what it does."""
    if any(option is not None for option in options):
        raise ValueError(
            f"init(address={address!r}) connects to a cluster whose workers log and trace as they were started to: "
            "logging_config and _tracing_startup_hook are for runtimes that init starts itself"
        )


_OPTIONAL = (
    "resources",
    "object_store_memory",
    "object_spilling_directory",
    "enforce_memory",
    "namespace",
    "labels",
    "seed",
    "num_nodes",
    "logging_format",
    "log_to_driver",
)


def checked(
    *,
    engine: str = "native",
    num_cpus: float | None = None,
    num_gpus: float | None = None,
    memory: float | None = None,
    logging_level: int | str = "WARNING",
    **options: Any,
) -> Settings:
    """The options of `init` without those about an existing runtime, completed. Raises as `init`."""
    from rustyray.model import settings

    given = dict.fromkeys(_OPTIONAL) | options
    temporary = given.pop("_temp_dir", None)
    if temporary is not None:
        os.makedirs(temporary, exist_ok=True)
        given["object_spilling_directory"] = given["object_spilling_directory"] or temporary
    return settings.settings(
        engine=engine,
        num_cpus=_cpus(engine) if num_cpus is None else num_cpus,
        num_gpus=0 if num_gpus is None else num_gpus,
        memory=_memory(engine) if memory is None else memory,
        logging_level=logging_level,
        system_config=given.pop("_system_config", None),
        **given,
    )


def refuse_for_nodes(address: str, of_nodes: Mapping[str, object]) -> None:
    """Raise ValueError if anything is said of nodes that are there already."""
    for name, value in of_nodes.items():
        if value is not None:
            raise ValueError(
                f"init(address={address!r}) connects to a cluster whose nodes have their {name} already: give it to "
                "'rustyray start', or to Cluster(head_node_args=…) or add_node()"
            )


def _cpus(engine: str) -> int:
    if engine == "sim":
        return 4  # a simulated machine is the same everywhere
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory(engine: str) -> int:
    if engine == "sim":
        return 8 * 2**30
    return int(0.7 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))

"""Starting a Ray, or connecting to one; what is returned ends it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
import ray
from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_put

from rustyray.engines.ray import errors
from rustyray.model import environments
from rustyray.model import resources as res
from rustyray.model.logging_config import LoggingConfig

if TYPE_CHECKING:
    from rustyray.model.settings import Settings

#: Where Ray keeps how workers are to log.
LOGGING: Final = b"rustyray:logging"
#: What is our business, or nobody's, in every case.
_QUIET: Final[dict[str, Any]] = {"configure_logging": False}


def start_local(settings: Settings) -> Callable[[], None]:
    """A Ray of this program's own, with the nodes and resources that the settings name."""
    node = _node(settings)
    ours = {**_QUIET, "log_to_driver": settings.log_to_driver}
    end = _end
    if settings.num_nodes == 1:
        ours |= {"address": "local", "include_dashboard": False, "_system_config": settings.system_config or None}
        ours |= node
    else:
        cluster = _start_cluster(settings.num_nodes, node)
        ours["address"] = cluster.address

        def end() -> None:
            ray.shutdown()
            cluster.shutdown()

    _init(end, settings.namespace, settings.environment, ours)
    if settings.logging is not None:
        _internal_kv_put(LOGGING, msgspec.msgpack.encode((settings.logging.plain(), settings.log_level)))
    return end


def _start_cluster(num_nodes: int, node: dict[str, Any]) -> Any:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=node)
    for _ in range(num_nodes - 1):
        cluster.add_node(**node)
    cluster.wait_for_nodes()
    return cluster


def _init(end: Callable[[], None], namespace: str, environment: Mapping[str, Any], ours: dict[str, Any]) -> None:
    """Ray's, which uploads what the environment has of this machine. Ends what was started where that fails."""
    environment = dict(environment)
    if lifetime := environment.pop(environments.LIFETIME, None):
        ours["job_config"] = ray.job_config.JobConfig(default_actor_lifetime=lifetime)
    try:
        ray.init(namespace=namespace or None, runtime_env=environment or None, **ours)
    except BaseException as error:
        end()
        raised = errors.ours(error)
        if raised is error:
            raise
        raise raised from error


def log_as_told() -> None:
    """In a worker: log as the program has said that started this Ray, if it has."""
    told = _internal_kv_get(LOGGING)
    if told is not None:
        from rustyray.runtime import logs

        config, level = msgspec.msgpack.decode(told)
        logs.configure(LoggingConfig(*config), level)


def connect(address: str, namespace: str, log_to_driver: bool, environment: Mapping[str, Any]) -> Callable[[], None]:
    """To the cluster at this address; it goes on when this program leaves."""
    _check_somebody_listens(address)
    ours: dict[str, Any] = {} if log_to_driver else {"log_to_driver": False}
    if not address.startswith("ray://"):
        ours |= _QUIET
    _init(_end, namespace, environment, ours | {"address": address})
    return _end


def _check_somebody_listens(address: str) -> None:
    """Ray itself would try for minutes. Raises ConnectionError."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except OSError as error:
            raise ConnectionError(f"nobody listens at init(address={address!r}): {error}") from None


def _end() -> None:
    ray.shutdown()


def _node(settings: Settings) -> dict[str, Any]:
    amounts = res.as_amounts(settings.resources)
    cpus, gpus = amounts.pop(res.CPU, 0), amounts.pop(res.GPU, 0)
    memory = int(amounts.pop(res.MEMORY, 0))
    found: dict[str, Any] = {"num_cpus": cpus, "num_gpus": gpus, "resources": amounts, "labels": settings.labels}
    if memory:
        found["_memory" if settings.num_nodes == 1 else "memory"] = memory
    if settings.object_store_memory is not None:
        found["object_store_memory"] = settings.object_store_memory
    if settings.spill_directory is not None:
        found["object_spilling_directory"] = settings.spill_directory
    return found

"""Starting a Ray, or connecting to one; what is returned ends it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec
import ray
from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_put

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
    namespace = settings.namespace or None
    ours = {**_QUIET, "log_to_driver": settings.log_to_driver}
    end = _end
    if settings.num_nodes == 1:
        ray.init(
            address="local",
            namespace=namespace,
            include_dashboard=False,
            _system_config=settings.system_config or None,
            **node,
            **ours,
        )
    else:
        end = _start_cluster(settings, node, namespace, ours)
    if settings.logging is not None:
        _internal_kv_put(LOGGING, msgspec.msgpack.encode((settings.logging.plain(), settings.log_level)))
    return end


def _start_cluster(
    settings: Settings, node: dict[str, Any], namespace: str | None, ours: dict[str, Any]
) -> Callable[[], None]:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=node)
    for _ in range(settings.num_nodes - 1):
        cluster.add_node(**node)
    cluster.wait_for_nodes()
    ray.init(address=cluster.address, namespace=namespace, **ours)

    def end() -> None:
        ray.shutdown()
        cluster.shutdown()

    return end


def log_as_told() -> None:
    """In a worker: log as the program has said that started this Ray, if it has."""
    told = _internal_kv_get(LOGGING)
    if told is not None:
        from rustyray.runtime import logs

        config, level = msgspec.msgpack.decode(told)
        logs.configure(LoggingConfig(*config), level)


def connect(address: str, namespace: str, log_to_driver: bool) -> Callable[[], None]:
    """To the cluster at this address; it goes on when this program leaves."""
    _check_somebody_listens(address)
    ours: dict[str, Any] = {} if log_to_driver else {"log_to_driver": False}
    if not address.startswith("ray://"):
        ours |= _QUIET
    ray.init(address=address, namespace=namespace or None, **ours)
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

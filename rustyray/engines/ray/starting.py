"""Starting a Ray, or connecting to one; what is returned ends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import ray

from rustyray.model import resources as res

if TYPE_CHECKING:
    from rustyray.model.settings import Settings

#: What is our business, or nobody's, in every case.
_QUIET: Final[dict[str, Any]] = {"configure_logging": False}


def start_local(settings: Settings) -> Callable[[], None]:
    """A Ray of this program's own, with the nodes and resources that the settings name."""
    node = _node(settings)
    namespace = settings.namespace or None
    ours = {**_QUIET, "log_to_driver": settings.log_to_driver}
    if settings.num_nodes == 1:
        ray.init(
            address="local",
            namespace=namespace,
            include_dashboard=False,
            _system_config=settings.system_config or None,
            **node,
            **ours,
        )
        return _end
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


def connect(address: str, namespace: str, log_to_driver: bool) -> Callable[[], None]:
    """To the cluster at this address; it goes on when this program leaves."""
    ours: dict[str, Any] = {} if log_to_driver else {"log_to_driver": False}
    if not address.startswith("ray://"):
        ours |= _QUIET
    ray.init(address=address, namespace=namespace or None, **ours)
    return _end


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

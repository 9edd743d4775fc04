"""The engines that cases run on, and the runtimes that they share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from rustyray.api import init_options
from rustyray.runtime import context

#: RustyRay's engines, and "oracle": Ray itself, called through its own module.
ENGINES: Final = ("native", "sim", "ray", "oracle")
ORACLE: Final = "oracle"
RAY_ENGINE: Final = "ray"

#: By the topology that a subject names: what ``init`` is told. A subject of "own" starts what it needs in each case.
#: "zones": a node for each of the letters, which is its label "zone".
OWN: Final = "own"
TOPOLOGIES: Final[dict[str, dict[str, Any]]] = {
    "local": {"num_cpus": 4, "num_gpus": 2, "resources": {"widget": 4}, "namespace": "conformance"},
    "cluster": {"zones": "abc", "num_cpus": 2, "resources": {"widget": 2}, "namespace": "conformance"},
}
_QUIET: Final = {"configure_logging": False, "log_to_driver": False}
_STORE: Final = 100 * 2**20
_PARTS: Final = (
    "dag",
    "exceptions",
    "job_config",
    "runtime_env",
    "util",
    "util.metrics",
    "util.multiprocessing",
    "util.placement_group",
    "util.queue",
    "util.scheduling_strategies",
    "util.state",
)


def missing(engine: str) -> str:
    """Why the engine cannot be had here, or nothing."""
    if engine in (RAY_ENGINE, ORACLE) and find_spec("ray") is None:
        return "Ray is not installed: pip install 'rustyray[ray]', or python3 dev.py test --ray"
    return ""


def api_of(engine: str) -> Any:
    """The module that a program for this engine imports."""
    name = "ray" if engine == ORACLE else "rustyray"
    if engine == ORACLE:  # without init, Ray connects to what was last started on the machine, if it lives or not
        os.environ["RAY_ADDRESS"] = "local"
    for part in _PARTS:
        import_module(f"{name}.{part}")
    return import_module(name)


def start(engine: str, **options: Any) -> Any:
    """``init`` for this engine, with the options that are the same in all of them; "zones" as above."""
    api = api_of(engine)
    options = {"object_store_memory": _STORE, **options}
    zones = options.pop("zones", "")
    if zones:
        return _cluster(api, engine, zones, options)
    if engine == ORACLE:
        return api.init(**{"num_cpus": 2, "address": "local", "include_dashboard": False, **_QUIET, **options})
    return api.init(engine=engine, **options)


def _cluster(api: Any, engine: str, zones: str, options: dict[str, Any]) -> Any:
    """Several nodes; those of a real Ray end with `api.shutdown` and their own cluster's end at the exit."""
    labels: list[dict[str, Any]] = [{"labels": {"zone": zone}} for zone in zones]
    if engine not in (RAY_ENGINE, ORACLE):
        in_cluster = {"_system_config": {"cluster": True}} if engine == "native" else {}
        session = api.init(engine=engine, **labels[0], **in_cluster, **options)
        del options["namespace"]
        for label in labels[1:]:
            context.require_engine("the suite").add_node(init_options.checked(engine=engine, **label, **options))
        return session
    namespace = options.pop("namespace", None)
    cluster = import_module("ray.cluster_utils").Cluster(initialize_head=True, head_node_args=labels[0] | options)
    _clusters.append(cluster)
    for label in labels[1:]:
        cluster.add_node(**label, **options)
    cluster.wait_for_nodes()
    own = {"engine": engine} if engine == RAY_ENGINE else _QUIET
    return api.init(address=cluster.address, namespace=namespace, **own)


_clusters: Final[list[Any]] = []


def lose(engine: str, zone: str, in_order: bool = False) -> None:
    """The node of this zone dies, with all its processes, or ends in order. Not the first one, which is the head."""
    node = next(about["NodeID"] for about in api_of(engine).nodes() if about["Labels"].get("zone") == zone)
    if not _clusters:
        context.require_engine("the suite").remove_node(bytes.fromhex(node), in_order)
        return
    dying = next(one for one in _clusters[-1].list_all_nodes() if one.node_id == node)
    _clusters[-1].remove_node(dying, allow_graceful=in_order)


def end(engine: str) -> None:
    """End what is up."""
    api_of(engine).shutdown()
    while _clusters:
        _clusters.pop().shutdown()


def shared(engine: str, topology: str) -> bool:
    """Whether cases share their runtime. A simulated one has the whole process in its time, and starts in no time."""
    return engine != "sim" and topology != OWN


@contextmanager
def running(engine: str, topology: str) -> Iterator[None]:
    """A runtime of this topology."""
    try:
        if topology != OWN:
            start(engine, **TOPOLOGIES[topology])
        yield
    finally:
        end(engine)

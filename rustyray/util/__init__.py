"""What surrounds the core, as in Ray's ``ray.util``. All but placement groups is imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from rustyray.util.placement_group import (
    get_current_placement_group,
    get_placement_group,
    placement_group,
    placement_group_table,
    remove_placement_group,
)

if TYPE_CHECKING:
    from rustyray.util import rpdb as pdb
    from rustyray.util.actor_pool import ActorPool
    from rustyray.util.check_serialize import inspect_serializability
    from rustyray.util.debug import disable_log_once_globally, enable_periodic_logging, log_once
    from rustyray.util.helpers import as_completed, map_unordered
    from rustyray.util.nodes import get_node_instance_id, get_node_ip_address, list_named_actors
    from rustyray.util.serialization import deregister_serializer, register_serializer

#: The module of each name that is imported late; modules are names, too.
_WHERE: Final = {
    "ActorPool": "actor_pool",
    "as_completed": "helpers",
    "deregister_serializer": "serialization",
    "disable_log_once_globally": "debug",
    "enable_periodic_logging": "debug",
    "get_node_instance_id": "nodes",
    "get_node_ip_address": "nodes",
    "inspect_serializability": "check_serialize",
    "list_named_actors": "nodes",
    "log_once": "debug",
    "map_unordered": "helpers",
    "register_serializer": "serialization",
}
_MODULES: Final = (
    "accelerators",
    "actor_group",
    "actor_pool",
    "annotations",
    "check_serialize",
    "dask",
    "debug",
    "helpers",
    "iter",
    "joblib",
    "metrics",
    "multiprocessing",
    "queue",
    "rpdb",
    "scheduling_strategies",
    "serialization",
    "state",
    "tracing",
)

__all__ = [
    "ActorPool",
    "as_completed",
    "deregister_serializer",
    "disable_log_once_globally",
    "enable_periodic_logging",
    "get_current_placement_group",
    "get_node_instance_id",
    "get_node_ip_address",
    "get_placement_group",
    "inspect_serializability",
    "list_named_actors",
    "log_once",
    "map_unordered",
    "pdb",
    "placement_group",
    "placement_group_table",
    "register_serializer",
    "remove_placement_group",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"rustyray.util.{name}")
    if name == "pdb":  # Ray's other name for it
        return import_module("rustyray.util.rpdb")
    if name not in _WHERE:
        from rustyray.missing import absent

        raise absent(__name__, name)
    value = globals()[name] = getattr(import_module(f"rustyray.util.{_WHERE[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE, *_MODULES, "pdb"})

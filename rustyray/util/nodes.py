"""Where this process is, and which actors have names."""

from __future__ import annotations

import socket
from typing import Any

from rustyray.api import lifecycle
from rustyray.runtime import context


def list_named_actors(all_namespaces: bool = False) -> list[Any]:
    """The names of the living actors that have one, in this program's namespace (as in Ray).

    Args:
        all_namespaces: in all of them; each is then ``{"name": …, "namespace": …}``.
    """
    named = lifecycle.running_engine().named_actors(all_namespaces)
    if all_namespaces:
        return [{"name": name, "namespace": namespace} for namespace, name in named]
    return [name for _, name in named]


def get_node_ip_address(address: str = "8.8.8.8:53") -> str:
    """The address under which others reach this machine (as in Ray); 127.0.0.1 while all nodes are on this machine.

    Args:
        address: the address from which it is to be reachable. Nothing is sent there.
    """
    engine = context.own_engine()
    if engine is not None:
        here = engine.process().node.hex()
        own = [node["NodeManagerAddress"] for node in engine.nodes() if node["NodeID"] == here]
        return str(own[0]) if own else "127.0.0.1"
    host, _, port = address.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, int(port)))
        except OSError:
            return "127.0.0.1"  # there is no network
        return str(probe.getsockname()[0])


def get_node_instance_id() -> str:
    """The id that a cloud gives this machine: always empty, as there is no autoscaler that could ask (as in Ray)."""
    return ""

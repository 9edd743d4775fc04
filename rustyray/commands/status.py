"""``rustyray status``: what the cluster consists of, and what is free."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from rustyray.model import resources
from rustyray.runtime import addresses

if TYPE_CHECKING:
    from rustyray.model.messages import NodeInfo


def add_to(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser("status", help="what a cluster consists of, and what is free")
    parser.set_defaults(run=run)
    parser.add_argument("--address", default="", metavar="HOST:PORT", help="its head; by default the only one here")
    parser.add_argument("--key-file", default="", metavar="PATH", help="the key of a cluster on another machine")
    health = commands.add_parser("health-check", help="whether the head of a cluster answers: 0 if so, else 1")
    health.set_defaults(run=check)
    health.add_argument("--address", default="", metavar="HOST:PORT", help="its head; by default the only one here")
    health.add_argument("--key-file", default="", metavar="PATH", help="the key of a cluster on another machine")


def check(given: argparse.Namespace) -> None:
    """Raises ConnectionError unless the head answers."""
    _nodes(given)


def run(given: argparse.Namespace) -> None:
    address, nodes = _nodes(given)
    living = [node for node in nodes if node.alive]
    print(f"Cluster at {address}: {len(living)} nodes, {len(nodes) - len(living)} dead")
    for node in nodes:
        print(_line(node))


def _nodes(given: argparse.Namespace) -> tuple[str, list[NodeInfo]]:
    from rustyray.engines.native.standing.asking import describe, silence
    from rustyray.engines.native.standing.places import find

    cluster = find(given.address or addresses.of_environment() or "auto", given.key_file)
    nodes = describe(cluster)
    if nodes is None:
        raise ConnectionError(silence(cluster))
    return cluster.address, nodes


def _line(node: NodeInfo) -> str:
    if not node.alive:
        return f"  {node.node.hex()}  dead: {node.reason}"
    amounts = [
        f"{resources.readable(name, node.available.get(name, 0))}/{resources.readable(name, total)} {name}"
        for name, total in node.total.items()
        if total and not resources.is_every_nodes(name)
    ]
    labels = "".join(f" {key}={value}" for key, value in node.labels.items())
    return f"  {node.node.hex()}  {node.hostname} pid {node.pid}  free: {', '.join(amounts)}{labels}"

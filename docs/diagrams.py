"""Draws the diagrams of architecture.md from the tables that the code itself follows.

    python docs/diagrams.py           writes them into the page
    python docs/diagrams.py --check   only says whether the page is up to date

A diagram stands between two comments that name it; everything else on the page is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from rustyray.core.executor import ExecutorCore
from rustyray.core.head.actor import ACTOR_TABLE
from rustyray.core.head.group import GROUP_TABLE
from rustyray.core.head.nodes import NODE_TABLE
from rustyray.core.lifecycle import LIFE_TABLE, RULES
from rustyray.core.node import NodeCore
from rustyray.core.node.bundles import BUNDLE_TABLE
from rustyray.core.node.copies import COPY_TABLE
from rustyray.core.node.workers import WORKER_TABLE
from rustyray.core.owner import OwnerCore
from rustyray.core.owner.records import TASK_TABLE
from rustyray.model.messages import FOR_HEAD, FROM_NODES

PAGE = Path(__file__).with_name("architecture.md")
Edge = tuple[str, str, str]


def states(edges: Iterable[Edge], first: str) -> str:
    """A state diagram; edges between the same two states share one arrow."""
    joined: dict[tuple[str, str], list[str]] = {}
    for before, event, after in edges:
        joined.setdefault((before, after), []).append(event.lower().replace("_", " "))
    names = {name: re.sub(r"\W", "_", name) for edge in joined for name in edge}
    lines = ["stateDiagram-v2"]
    lines += [f'    state "{name.lower().replace("_", " ")}" as {short}' for name, short in names.items()]
    lines += [f"    [*] --> {names[first]}"]
    lines += [f"    {names[a]} --> {names[b]}: {', '.join(events)}" for (a, b), events in joined.items()]
    return "\n".join(lines)


def task_states() -> str:
    edges = [(before, event, after) for event, moves in TASK_TABLE.items() for before, after in moves.items()]
    return states(edges, "waiting for arguments")


def processes() -> str:
    """Who takes which messages, read from the tables by which each core hands them out."""
    owner = OwnerCore(b"\0" * 12, "unix:@example", b"\0" * 8, b"\0" * 4)
    node = NodeCore(b"\0" * 8, {}, address="unix:@example", store_capacity=1 << 20)
    owner_takes = set(owner._handlers)
    from_worker = {"Results", "GiveBack", "Unblocked", "ActorExited"}
    from_owner = {"GetObjects", "ObjectReady", "BorrowAdd", "BorrowAck", "BorrowRelease"}
    told = {kind.__name__ for kind in owner_takes} - from_worker - from_owner
    to_executor = {kind.__name__ for kind in ExecutorCore.takes} - {
        "StartActor",
        "StopActor",
        "StopWorker",
        "LeaseOver",
    }
    node_takes = {kind.__name__ for kind in node._handlers} - {kind.__name__ for kind in FOR_HEAD | FROM_NODES}
    lines = [
        "flowchart LR",
        '    driver["driver<br/>owner core"]',
        '    worker["worker<br/>owner core + executor core"]',
        '    node["node process<br/>node core + head core"]',
        '    zygote["zygote"]',
        "    zygote -. forks .-> node",
        "    node -. forks .-> worker",
        f'    driver -- "{names({*to_executor, "DefineFunction"})}" --> worker',
        f'    worker -- "{names(from_worker)}" --> driver',
        f'    driver <-- "{names(from_owner)}" --> worker',
        f'    driver -- "{names(node_takes & CLIENTS_SAY)}" --> node',
        f'    driver -- "to the head: {names(kind.__name__ for kind in FOR_HEAD)}" --> node',
        f'    node -- "{names(told)}" --> driver',
    ]
    return "\n".join(lines)


#: What drivers and workers say to a node (the rest of what it takes comes from the head).
CLIENTS_SAY = {
    "Blocked", "CancelLease", "RegisterDriver", "RequestLease", "Resumed", "ReturnLease", "Shutdown", "StoreCreate",
    "StoreFree", "StorePin", "StoreSeal", "StoreUnpin", "WorkerReady",
}  # fmt: skip


def names(kinds: Iterable[str]) -> str:
    listed = sorted(kinds)
    return "<br/>".join(", ".join(listed[start : start + 3]) for start in range(0, len(listed), 3))


def stages() -> str:
    rows = ["| stage | deadline, s | then forced for, s |", "|---|---|---|"]
    rows += [
        f"| {rule.stage.value} | {'the grace period' if rule.seconds is None else f'{rule.seconds:g}'} | "
        f"{rule.force_seconds:g} |"
        for rule in RULES
    ]
    return "\n".join(rows)


def mermaid(text: str) -> str:
    return f"```mermaid\n{text}\n```"


DIAGRAMS: dict[str, Callable[[], str]] = {
    "processes": lambda: mermaid(processes()),
    "task": lambda: mermaid(task_states()),
    "worker": lambda: mermaid(states(WORKER_TABLE.edges(), WORKER_TABLE.initial.name)),
    "actor": lambda: mermaid(states(ACTOR_TABLE.edges(), ACTOR_TABLE.initial.name)),
    "group": lambda: mermaid(states(GROUP_TABLE.edges(), GROUP_TABLE.initial.name)),
    "bundle": lambda: mermaid(states(BUNDLE_TABLE.edges(), BUNDLE_TABLE.initial.name)),
    "node": lambda: mermaid(states(NODE_TABLE.edges(), NODE_TABLE.initial.name)),
    "copy": lambda: mermaid(states(COPY_TABLE.edges(), COPY_TABLE.initial.name)),
    "lifecycle": lambda: mermaid(states(LIFE_TABLE.edges(), LIFE_TABLE.initial.name)),
    "stages": stages,
}


def redrawn(page: str) -> str:
    """The page with all its diagrams drawn anew. Raises KeyError for one that there is no table for."""

    def draw(match: re.Match[str]) -> str:
        return f"{match['begin']}\n{DIAGRAMS[match['name']]()}\n{match['end']}"

    pattern = r"(?P<begin><!-- diagram: (?P<name>\w+) -->)\n.*?(?P<end><!-- end of diagram -->)"
    return re.sub(pattern, draw, page, flags=re.DOTALL)


def main(arguments: list[str]) -> int:
    page = PAGE.read_text(encoding="utf-8")
    new = redrawn(page)
    if "--check" in arguments:
        if new != page:
            print("docs/architecture.md is not what the code's tables say: run python docs/diagrams.py")
        return new != page
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

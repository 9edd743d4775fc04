"""The part of the engine that asks the head: named actors, nodes, resources; and what all parts of the engine share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from rustyray.core.owner import OwnerCore
from rustyray.engines.client.inspector import Inspector
from rustyray.engines.client.ports import Pump
from rustyray.engines.client.pressure import PressureCallbacks
from rustyray.engines.client.store import Store
from rustyray.engines.client.waiter import Waiter
from rustyray.exceptions import ActorAlreadyExistsError
from rustyray.model import resources
from rustyray.model.bundles import is_in_bundle
from rustyray.model.messages import (
    ActorInfo,
    AskEntry,
    ClusterDescription,
    DescribeCluster,
    EntryAction,
    EntryAnswer,
    FindActor,
    HeadError,
    InspectClient,
    ListActors,
    Message,
    NamedActors,
    NodeInfo,
)
from rustyray.runtime.engine import ActorHandleState, HeadAway, MemoryPressure, ProcessContext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rustyray.model.settings import Settings

#: Seconds after which a question to the head is asked again, and after which it is given up.
ASK_AGAIN: Final = 1.0
HEAD_AWAY: Final = 60.0


def _port(address: str) -> int:
    """Of ``tcp:host:port``; 0 for a node of one program, which listens at none."""
    return int(address.rpartition(":")[2]) if address.startswith("tcp:") else 0


class ClusterClient(Inspector):
    """Shared state, and the requests to the head."""

    def __init__(self, core: OwnerCore, pump: Pump, store: Store, process: ProcessContext) -> None:
        self.core = core
        self.pump = pump
        self.store = store
        self.address = process.address
        self._submitted = 0
        self._process = process
        #: What the head has said of its end, if it had to end.
        self.head_ended = ""
        self._pressure = PressureCallbacks(pump, process.node)
        self._drop: Callable[[bytes], None] = pump.dropped.append
        pump.handlers[InspectClient] = self._on_inspect

    def process(self) -> ProcessContext:
        return self._process

    def on_memory_pressure(self, callback: Callable[[MemoryPressure], object], fraction: float) -> Callable[[], None]:
        return self._pressure.add(callback, fraction)

    def _ask_head(self, make: Callable[[int], Message], within: float = HEAD_AWAY) -> Message:
        """Ask the head, again if it was away, and wait so many seconds for its answer.

        Raises RuntimeError when it is gone: `HeadAway` when that is only because it has not answered.
        """
        pump = self.pump
        with pump.lock:
            number, waiter = pump.expect()
            pump.flush()
        question = make(number)
        patience = pump.clock() + within
        while (now := pump.clock()) < patience:
            with pump.lock:
                pump.hub.send(pump.head, question, pump.head_address)
                pump.hub.flush()
            if pump.wait(waiter, min(now + ASK_AGAIN, patience)):
                return self._reply(waiter)
        pump.forget(number)
        why = f" ({self.head_ended})" if self.head_ended else ""
        raise HeadAway(f"the head has not answered for {within:g} s{why}: {type(question).__name__}")

    def _reply(self, waiter: Waiter) -> Message:
        self.pump.wait(waiter, None)
        if waiter.reply is None:
            gone = "the head process is gone: the runtime cannot go on, call shutdown() and init() again"
            raise RuntimeError(self.core.closed or gone)
        return waiter.reply

    # --- actors by name -----------------------------------------------------------------------------------------------

    def _created(self, waiter: Waiter, name: str) -> ActorInfo | None:
        """The actor that has the name now; None if ours failed before the head heard of it (its calls tell)."""
        reply = self._reply(waiter)
        if isinstance(reply, HeadError):
            if reply.kind == "argument_failed":
                return None
            raise ActorAlreadyExistsError(reply.message) if reply.kind == "name_taken" else ValueError(reply.message)
        if not isinstance(reply, ActorInfo):
            raise TypeError(f"the head answered {type(reply).__name__} about actor {name!r}")
        return reply

    def find_actor(self, name: str, namespace: str | None) -> ActorHandleState:
        where = self._process.namespace if namespace is None else namespace
        reply = self._ask_head(lambda number: FindActor(number, name, where))
        if isinstance(reply, HeadError):
            raise ValueError(reply.message)
        if not isinstance(reply, ActorInfo):
            raise TypeError(f"the head answered {type(reply).__name__} about actor {name!r}")
        return ActorHandleState(reply.actor, reply.owner_address, reply.handle_meta, reply.max_task_retries, None)

    def named_actors(self, all_namespaces: bool) -> list[tuple[str, str]]:
        reply = self._ask_head(lambda number: ListActors(number, self._process.namespace, all_namespaces))
        return list(reply.names) if isinstance(reply, NamedActors) else []

    def entry(self, action: EntryAction, namespace: bytes, key: bytes, value: bytes) -> tuple[int, list[bytes]]:
        reply = self._ask_head(lambda number: AskEntry(number, action, namespace, key, value))
        return (reply.found, reply.values) if isinstance(reply, EntryAnswer) else (0, [])

    # --- the cluster --------------------------------------------------------------------------------------------------

    def _node_infos(self) -> Sequence[NodeInfo]:
        reply = self._ask_head(DescribeCluster)
        return reply.nodes if isinstance(reply, ClusterDescription) else []

    def nodes(self) -> list[Mapping[str, Any]]:
        return [
            {
                "NodeID": info.node.hex(),
                "Alive": info.alive,
                "alive": info.alive,
                "NodeName": resources.host_of(info.total),
                "NodeManagerAddress": resources.host_of(info.total),
                "NodeManagerHostname": info.hostname,
                "NodeManagerPort": _port(info.address),
                "ObjectManagerPort": _port(info.address),
                "RayletSocketName": info.address,
                "Resources": resources.as_amounts(info.total) if info.alive else {},
                "Labels": dict(info.labels),
                "DeathReasonMessage": info.reason,
                "Pid": info.pid,
            }
            for info in self._node_infos()
        ]

    def add_node(self, settings: Settings) -> bytes:
        raise RuntimeError("nodes can only be added by the program that started the runtime, and only to native ones")

    def remove_node(self, node: bytes, graceful: bool) -> None:
        raise RuntimeError("nodes can only be removed by the program that added them")

    def kill_node(self, node: bytes) -> None:
        raise RuntimeError("nodes can only be killed by the program that started the runtime")

    def pause_node(self, node: bytes) -> None:
        raise RuntimeError("nodes can only be paused by the program that started the runtime")

    def resume_node(self, node: bytes) -> None:
        raise RuntimeError("nodes can only be resumed by the program that started the runtime")

    def keep_apart(self, pairs: frozenset[frozenset[bytes]]) -> None:
        raise RuntimeError("nodes can only be kept apart by the program that started the runtime")

    def cut_connections(self, one: bytes, other: bytes) -> None:
        raise RuntimeError("connections can only be cut by the program that started the runtime")

    def cluster_resources(self) -> dict[str, float]:
        return self._sum(lambda info: info.total)

    def available_resources(self) -> dict[str, float]:
        return self._sum(lambda info: info.available)

    def _sum(self, part: Callable[[NodeInfo], dict[str, int]]) -> dict[str, float]:
        total: dict[str, int] = {}
        for info in self._node_infos():
            if info.alive:
                resources.add(total, part(info))
        amounts = resources.as_amounts(total)
        return {name: amount for name, amount in amounts.items() if amount > 0 and not is_in_bundle(name)}

"""Clusters of several nodes on this machine, for tests; as in Ray."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rustyray.api import init_options, lifecycle
from rustyray.model.options import hint
from rustyray.model.settings import WITHOUT_EFFECT
from rustyray.runtime import context

if TYPE_CHECKING:
    from rustyray.engines.native.standing.of_program import ProgramCluster
    from rustyray.runtime.engine import Engine

#: Suites written for Ray ask so whether to skip tests with clusters.
cluster_not_supported: Final = False
#: What `Cluster.add_node` takes: options of `rustyray.init`.
NODE_OPTIONS: Final = (
    "num_cpus",
    "num_gpus",
    "memory",
    "resources",
    "object_store_memory",
    "object_spilling_directory",
    "enforce_memory",
    "labels",
    "_system_config",
)
#: What is the cluster's, and so only the head node takes it.
HEAD_OPTIONS: Final = (*NODE_OPTIONS, "namespace", "logging_level", "log_to_driver")


class ClusterNode:
    """A node of a `Cluster`: a process of its own, with its own workers, resources, object store and address."""

    def __init__(self, node_id: bytes, address: str, pid: int) -> None:
        self._id = node_id
        self.node_id = node_id.hex()
        self.address = address.removeprefix("tcp:")
        self.pid = pid

    @classmethod
    def of(cls, about: Mapping[str, Any]) -> ClusterNode:
        """The node that an entry of `rustyray.nodes` is about."""
        return cls(bytes.fromhex(about["NodeID"]), about["RayletSocketName"], about["Pid"])

    @property
    def unique_id(self) -> str:
        """As ``node_id``."""
        return self.node_id

    def __repr__(self) -> str:
        return f"<node {self.node_id} at {self.address}, pid {self.pid}>"


class Cluster:
    """A cluster on this machine: nodes come and go while a program runs.

    ``address`` is for ``rustyray.init(address=…)``, in this process and in others of the same user; it is empty while
    there is no head node. As in Ray, `rustyray.shutdown` only leaves the cluster: its nodes, and actors with
    ``lifetime="detached"``, stay until `shutdown`, or until the process ends that has made it, by whatever means.

    Args:
        initialize_head: start the head node at once; otherwise the first `add_node` does.
        connect: connect this process to the cluster, as ``rustyray.init(address=…)`` does.
        head_node_args: options of the head node, as `add_node` takes them; ``logging_level``, of all nodes; and, for
            whoever connects and says nothing else, ``namespace`` and ``log_to_driver``.
        shutdown_at_exit: end the cluster when the interpreter exits. (It ends then in any case; Ray has the option.)

    Raises:
        RuntimeError: ``connect``, and RustyRay is running in this process already; or the head cannot be started.
        ValueError: ``connect`` without ``initialize_head``.
    """

    def __init__(
        self,
        initialize_head: bool = False,
        connect: bool = False,
        head_node_args: Mapping[str, Any] | None = None,
        shutdown_at_exit: bool = True,
    ) -> None:
        if connect and not initialize_head:
            raise ValueError("connect=True needs a head node to connect to: pass initialize_head=True as well")
        self.head_node: ClusterNode | None = None
        self.worker_nodes: list[ClusterNode] = []
        self.address = ""
        self._cluster: ProgramCluster | None = None
        self._shutdown_at_exit = shutdown_at_exit
        if initialize_head:
            self._start_head(dict(head_node_args or {}))
        if connect:
            try:
                self.connect()
            except BaseException:
                self.shutdown()
                raise

    @property
    def gcs_address(self) -> str:
        """As ``address``."""
        return self.address

    def connect(self, namespace: str | None = None) -> lifecycle.Session:
        """Connect this process to the cluster, as ``rustyray.init(address=…, namespace=…)`` does."""
        self._running()
        return lifecycle.init(address=self.address, namespace=namespace)

    def add_node(self, wait: bool = True, **node_args: Any) -> ClusterNode:
        """Start another node; the first one is the head.

        Args:
            wait: has no effect: a node that is returned is one that tasks and actors are sent to. (Ray has the option.)
            node_args: ``num_cpus``, ``num_gpus``, ``memory``, ``resources``, ``object_store_memory``,
                ``object_spilling_directory``, ``enforce_memory`` and ``labels``, as in `rustyray.init`.

        Raises:
            TypeError: There is no such option.
            ValueError: A value is out of range.
            RuntimeError: The node process could not be started, or the cluster has been shut down.
        """
        if self.head_node is None:
            return self._start_head(node_args)
        info = self._running().add_node(init_options.checked(**checked(node_args, NODE_OPTIONS)))
        node = ClusterNode(info.node, info.address, info.pid)
        self.worker_nodes.append(node)
        return node

    def remove_node(self, node: ClusterNode, allow_graceful: bool = True) -> None:
        """End a node; returns when its processes are gone, and the cluster knows.

        Args:
            node: one that `add_node` returned, and not the head.
            allow_graceful: running tasks have a second to finish; otherwise all its processes are killed.

        Raises:
            ValueError: It is the head, or not (or no longer) a node of this cluster.
        """
        if node is self.head_node:
            raise ValueError("the head node cannot be removed: shutdown() ends the cluster")
        if node not in self.worker_nodes:
            raise ValueError(f"{node!r} is not a node of this cluster, or was removed already")
        self._running().remove_node(node._id, allow_graceful)
        self.worker_nodes.remove(node)

    def list_all_nodes(self) -> list[ClusterNode]:
        """The nodes that were not removed, the head first."""
        return ([self.head_node] if self.head_node is not None else []) + self.worker_nodes

    def wait_for_nodes(self, timeout: float = 30) -> None:
        """Wait until the cluster consists of exactly the nodes that were added and not removed.

        Args:
            timeout: the most seconds to wait.

        Raises:
            TimeoutError: They differ still; the message says how.
        """
        wait_for_nodes(self._running().alive, self.list_all_nodes(), timeout)

    def shutdown(self) -> None:
        """End all nodes. If this process is connected, it is not any more."""
        cluster, self._cluster = self._cluster, None
        self.head_node, self.worker_nodes, self.address = None, [], ""
        if cluster is None:
            return
        atexit.unregister(self.shutdown)
        engine = context.own_engine()
        try:
            if engine is not None and engine.process().head == cluster.cluster.head_address:
                lifecycle.shutdown()
        finally:  # whatever interrupts that
            cluster.shutdown()

    def _start_head(self, node_args: Mapping[str, Any]) -> ClusterNode:
        node_args = checked(node_args, HEAD_OPTIONS)
        settings = init_options.checked(**node_args)
        from rustyray.engines.native.standing.of_program import ProgramCluster

        if self._shutdown_at_exit:  # registered now, it comes before what that import has registered
            atexit.register(self.shutdown)
        self._cluster = cluster = ProgramCluster(settings)
        self.head_node = node = ClusterNode(cluster.first.node, cluster.first.address, cluster.first.pid)
        self.address = node.address
        return node

    def _running(self) -> ProgramCluster:
        if self._cluster is None or self._cluster.ended:
            raise RuntimeError("the cluster has no nodes: it was shut down, or add_node() was never called")
        return self._cluster


def alive_for(engine: Engine) -> set[str]:
    """The nodes that are alive for a program that is connected to them."""
    return {about["NodeID"] for about in engine.nodes() if about["Alive"]}


def wait_for_nodes(living: Callable[[], set[str]], nodes: Iterable[ClusterNode], timeout: float) -> None:
    """Wait until ``living`` says that exactly these are alive. Raises TimeoutError after ``timeout`` seconds."""
    wanted = {node.node_id for node in nodes}
    deadline = time.monotonic() + timeout
    while True:
        alive = living()
        if alive == wanted:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"after {timeout:g} s these nodes are missing: {sorted(wanted - alive)}, and these are there and "
                f"should not be: {sorted(alive - wanted)}"
            )


def about(engine: Engine, node_id: bytes) -> Mapping[str, Any]:
    """What the cluster says of a node to a program that is connected."""
    return next(about for about in engine.nodes() if about["NodeID"] == node_id.hex())


def checked(given: Mapping[str, Any], valid: Sequence[str]) -> dict[str, Any]:
    """The options, without those of Ray's that are without effect. Raises TypeError for others than the ``valid``."""
    nothing = {*WITHOUT_EFFECT, *(name.removeprefix("_") for name in WITHOUT_EFFECT)}
    found = {name: value for name, value in given.items() if name not in nothing}
    if not found.get("include_dashboard", True):
        del found["include_dashboard"]
    for name in found:
        if name not in valid:
            raise TypeError(f"a node has no option {name!r}{hint(name, valid)}. Valid ones are {', '.join(valid)}.")
    return found


def __getattr__(name: str) -> object:
    from rustyray.missing import absent

    raise absent(__name__, name)

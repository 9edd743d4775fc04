"""A cluster of one program: drivers join and leave it as any that stands by itself, and it ends with the program.

The program's zygote forks its nodes, which therefore end with it, even when it is killed. The head is in the first.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, Final

import msgspec

from rustyray.core.node.knobs import KNOBS
from rustyray.engines.native import nodes
from rustyray.engines.native.arena import Arena
from rustyray.engines.native.driver import HEAVY, START_TIMEOUT, STORE_MEMORY, check_config
from rustyray.engines.native.network.address import default_address
from rustyray.engines.native.processes.boot import packages_of
from rustyray.engines.native.processes.zygote import Zygote
from rustyray.engines.native.standing import jobs
from rustyray.engines.native.standing.asking import describe
from rustyray.engines.native.standing.caller import Caller
from rustyray.engines.native.standing.places import ClusterFile, Place, ProcessFile, started
from rustyray.engines.native.standing.starting import node_boot
from rustyray.model.ids import NODE_ID_SIZE, NodeID
from rustyray.model.messages import ClusterDescription, DescribeCluster

if TYPE_CHECKING:
    from rustyray.model.messages import NodeInfo
    from rustyray.model.settings import Settings

#: Seconds between two questions whether a node has joined.
LOOK: Final = 0.002
CONFIG: Final = ("descriptors", "start_timeout", *KNOBS)


class ProgramCluster:
    """Starts with its first node. ``cluster`` is what one has to know to join; `ended` when it is no more.

    Args:
        settings: of the first node; the level of logging is that of all nodes, ``namespace`` and ``log_to_driver`` are
            what drivers get that ask for nothing else.

    Raises:
        RuntimeError: The node could not be started.
        TypeError: ``_system_config`` has a setting that nodes do not have.
        ValueError: A setting cannot be.
    """

    def __init__(self, settings: Settings) -> None:
        self._pid = os.getpid()
        self.ended = False
        self._log_level = settings.log_level
        self._nodes: dict[NodeID, nodes.NodeProcess] = {}
        node = os.urandom(NODE_ID_SIZE)
        self.cluster = ClusterFile(
            address="",
            session=os.urandom(8).hex(),
            key=os.urandom(32).hex(),
            head=node.hex(),
            program=self._pid,
            namespace=settings.namespace,
            quiet=not settings.log_to_driver,
        )
        self._place = Place.named(self.cluster.session)
        Zygote.shared().preload([name for name in HEAVY if name in sys.modules])
        all_of_them.append(self)
        try:
            self.first = self._start(node, settings)
        except BaseException:
            self.shutdown()
            raise

    def add_node(self, settings: Settings) -> NodeInfo:
        """Start another node; returns when tasks can go there. Raises as the constructor."""
        return self._start(os.urandom(NODE_ID_SIZE), settings)

    def remove_node(self, node: NodeID, graceful: bool) -> None:
        """End a node; returns when its processes are gone, and the head knows. Raises RuntimeError if it stays."""
        self._end([self._nodes[node]], graceful)
        del self._nodes[node]
        deadline = time.monotonic() + START_TIMEOUT
        while any(info.node == node and info.alive for info in describe(self.cluster) or ()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"node {node.hex()} is gone, and the head has not noticed in {START_TIMEOUT:g} s")

    def alive(self) -> set[str]:
        """The nodes that are alive, as the head knows. Raises RuntimeError when that does not answer."""
        found = describe(self.cluster)
        if found is None:
            raise RuntimeError(f"the head of the cluster at {self.cluster.address} does not answer")
        return {info.node.hex() for info in found if info.alive}

    def pids(self) -> list[int]:
        """Its processes that this one has started."""
        return [process.pid for process in self._nodes.values()]

    def shutdown(self) -> None:
        """End all of it; in a process that was forked from the program, nothing."""
        if self._pid != os.getpid() or self.ended:
            return
        self.ended = True
        all_of_them.remove(self)
        try:
            jobs.stop_all(self._place)
            self._end([*self._nodes.values()], graceful=True)
        except BaseException:  # Ctrl-C, say
            self._end([*self._nodes.values()], graceful=False)
            raise
        finally:
            self._place.remove()

    def _start(self, node: NodeID, settings: Settings) -> NodeInfo:
        check_config(settings.system_config, CONFIG)
        arena = Arena.create(settings.object_store_memory or STORE_MEMORY)
        try:
            taken = sum(len(process.boot.cpus) for process in self._nodes.values())
            boot = node_boot(self.cluster, node, settings, arena.size, self._place.path, cpus_taken=taken)
            boot = msgspec.structs.replace(boot, log_level=self._log_level)
            if not self._nodes:
                boot = msgspec.structs.replace(boot, head=b"", head_address="", first=True)
            process = nodes.fork(boot, arena)
        finally:
            arena.close()  # the node has it
        self._nodes[node] = process
        if not self.cluster.address:
            address = process.boot.address.removeprefix("tcp:")
            self.cluster = msgspec.structs.replace(self.cluster, address=address)
            self._place = Place.record(self.cluster)
        try:
            info = self._joined(process, float(settings.system_config.get("start_timeout", START_TIMEOUT)))
        except BaseException:
            self._end([process], graceful=False)
            del self._nodes[node]
            raise
        inside = default_address(boot.session, node)
        self._place.note(ProcessFile(pid=process.pid, started=started(process.pid), node=node.hex(), address=inside))
        return info

    def _joined(self, process: nodes.NodeProcess, patience: float) -> NodeInfo:
        """Wait until the head has taken it in."""
        zygote, node = Zygote.shared(), process.boot.node
        deadline = time.monotonic() + patience
        try:
            with Caller(self.cluster, self.cluster.head_address, self.cluster.head_bytes, patience) as head:
                while True:
                    answer, _ = head.ask(DescribeCluster(1))
                    assert isinstance(answer, ClusterDescription)
                    for info in answer.nodes:
                        if info.node == node and info.alive:
                            return info
                    if ended := zygote.wait_node(process.pid, LOOK):
                        raise RuntimeError(f"the node process ended while it started: it {ended}")
                    if time.monotonic() > deadline:
                        raise RuntimeError(f"the node process (pid {process.pid}) did not join within {patience:g} s")
        except ConnectionError as error:
            first = next(iter(self._nodes.values()))
            ended = zygote.wait_node(first.pid, nodes.LOOK)
            why = f"it {ended}" if ended else str(error)
            if first is process:
                raise RuntimeError(f"the node process ended while it started: {why}") from error
            raise RuntimeError(f"no node can join: the first one, which has the head, is gone: {why}") from error

    def _end(self, those: list[nodes.NodeProcess], graceful: bool) -> None:
        """End these, for which their workers have a second to finish, or (not ``graceful``) kill them."""
        zygote = Zygote.shared()
        deadline = time.monotonic() + (nodes.LEAVE + nodes.GONE if graceful else 0.0)
        if graceful:
            for process in those:
                zygote.end_node(process.pid)
        left = [one for one in those if zygote.wait_node(one.pid, max(0.0, deadline - time.monotonic())) is None]
        for process in left:
            zygote.kill_node(process.pid)
        for process in left:
            if zygote.wait_node(process.pid, nodes.GONE) is None:
                raise RuntimeError(f"node process {process.pid} was killed, and is still there after {nodes.GONE:g} s")
        for process in those:
            shutil.rmtree(packages_of(process.boot), ignore_errors=True)  # of one that could not do so itself


#: Those of this process that have not ended.
all_of_them: Final[list[ProgramCluster]] = []
# A forked child's copies are the parent's to end.
os.register_at_fork(after_in_child=all_of_them.clear)

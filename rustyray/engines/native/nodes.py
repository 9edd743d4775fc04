"""The node processes of a runtime: the first, with the head in it, and those that join it.

The driver forks them all, and is connected to each: a node whose driver is gone ends at once.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from rustyray.core.node.knobs import configured, number
from rustyray.engines.client.waiter import Waiter
from rustyray.engines.native.arena import Arena
from rustyray.engines.native.network import address as addresses
from rustyray.engines.native.processes.boot import packages_of
from rustyray.engines.native.processes.zygote import Zygote
from rustyray.model.ids import NODE_ID_SIZE, NodeID
from rustyray.model.messages import RegisterDriver, Registered, Shutdown

if TYPE_CHECKING:
    from rustyray.engines.native.driver import Driver
    from rustyray.engines.native.processes.boot import NodeBoot
    from rustyray.model.settings import Settings

#: Seconds between two looks at whether a node that starts is still there.
LOOK: Final = 0.5
#: Seconds that workers of a node that is removed have to leave by themselves.
LEAVE: Final = 1.0
#: Seconds that a killed node process may take to be gone.
GONE: Final = 5.0
#: With fewer a node has no room for its workers' connections, or does not even start.
FEWEST_DESCRIPTORS: Final = 64


class NodeProcess:
    """One node. ``gone`` says how its connection ended; ``joined`` is done when the head has taken it in."""

    def __init__(self, boot: NodeBoot, pid: int) -> None:
        self.boot = boot
        self.pid = pid
        self.joined = Waiter()
        self.gone = ""


def fork(boot: NodeBoot, arena: Arena) -> NodeProcess:
    """Fork a node process. Raises OSError and `ZygoteError` when that cannot be."""
    listeners = [addresses.listen(addresses.default_address(boot.session, boot.node))]
    try:
        if boot.tcp:
            listeners.append(addresses.listen(addresses.any_port()))
            boot = msgspec.structs.replace(boot, address=addresses.format_address(listeners[1]))
        first, *others = [listener.fileno() for listener in listeners]
        with open(os.devnull, "wb") as nowhere:
            out, error = (
                _descriptor((now, at_first, nowhere))
                for now, at_first in ((sys.stdout, sys.__stdout__), (sys.stderr, sys.__stderr__))
            )
            return NodeProcess(boot, Zygote.shared().fork_node(boot, [arena.fd, first, out, error, *others]))
    finally:
        for listener in listeners:
            listener.close()


def _descriptor(streams: Iterable[Any]) -> int:
    """The descriptor of the first that has one: workers write where the driver writes now, as far as that can be.

    It has none where pytest's ``capsys`` has replaced it, or it was closed; its number may be another file's by then.
    """
    for stream in streams:
        try:
            stream.flush()
            number = stream.fileno()
            os.fstat(number)
        except (AttributeError, OSError, TypeError, ValueError):
            continue
        return int(number)
    raise AssertionError("not even the last has one")


class Nodes:
    """All that run or have run, by id. ``patience``: seconds that one may take to join."""

    def __init__(self, driver: Driver, first: NodeProcess, patience: float) -> None:
        self._driver = driver
        self._patience = patience
        self.first = first
        self.all: dict[NodeID, NodeProcess] = {first.boot.node: first}

    def remove_packages(self) -> None:
        """What a node has left that could not do so itself."""
        for node in self.all.values():
            if os.path.isdir(folder := packages_of(node.boot)):
                shutil.rmtree(folder, ignore_errors=True)

    # --- joining ------------------------------------------------------------------------------------------------------

    def cpus_taken(self) -> int:
        """How many CPUs the nodes that run have for themselves."""
        return sum(len(node.boot.cpus) for node in self.all.values() if not node.gone)

    def start(
        self, settings: Settings, store: int, spill_directory: str, prestart: int, cpus: list[int]
    ) -> NodeProcess:
        """Fork another node with a store of ``store`` bytes; it is of use once it has `join`-ed."""
        first = self.first.boot
        arena = Arena.create(store)
        try:
            boot = msgspec.structs.replace(
                first,
                node=os.urandom(NODE_ID_SIZE),
                first=False,
                resources=settings.resources,
                labels=settings.labels,
                spill_directory=spill_directory,
                limits=configured(
                    msgspec.structs.replace(first.limits, enforce_memory=settings.enforce_memory),
                    settings.system_config,
                ),
                cpus=cpus,
                memory_limit=int(number(settings.system_config, "memory_limit", 0)),
                descriptors=descriptors(settings),
                arena_size=arena.size,
                prestart=prestart,
                head=first.node,
                head_address=first.address,
                job=self._driver.core.sched.requests.job,
                namespace=self._driver.process().namespace,
            )
            node = fork(boot, arena)
        finally:
            arena.close()  # the node has it
        self.all[boot.node] = node
        return node

    def join(self, node: NodeProcess) -> Registered:
        """Connect to a node, and wait until the head has taken it in. Raises RuntimeError when that does not happen."""
        pump, boot = self._driver.pump, node.boot
        hello = RegisterDriver(os.getpid(), boot.namespace)
        with pump.lock:
            pump.hub.send(boot.node, hello, boot.address)
            pump.hub.flush()
        deadline = time.monotonic() + self._patience
        while not node.joined.done:
            if node.gone:
                raise RuntimeError(f"the node process ended while it started: {node.gone}")
            if self.first.gone:
                raise RuntimeError(f"no node can join: the first one, which has the head, is gone: {self.first.gone}")
            if not pump.wait(node.joined, min(deadline, time.monotonic() + LOOK)) and time.monotonic() > deadline:
                raise RuntimeError(f"the node process (pid {node.pid}) did not answer within {self._patience:g} s")
        reply = node.joined.reply
        assert isinstance(reply, Registered)
        return reply

    def on_registered(self, peer: bytes, message: Registered, now: float) -> None:
        node = self.all.get(peer)
        if node is not None:
            node.joined.reply = message
            self._driver.pump.finish(node.joined)

    def lost(self, peer: bytes, reason: str) -> None:
        """The connection to a peer has ended."""
        node = self.all.get(peer)
        if node is not None:
            node.gone = reason

    # --- leaving ------------------------------------------------------------------------------------------------------

    def others(self) -> list[NodeProcess]:
        """Those that run beside the first."""
        return [node for node in self.all.values() if node is not self.first and not node.gone]

    def remove(self, node: NodeProcess, graceful: bool) -> None:
        """End a node: its workers finish what they run, for a second, or (not ``graceful``) it is killed."""
        zygote = Zygote.shared()
        if graceful:
            self.ask_to_leave([node])
            if zygote.wait_node(node.pid, LEAVE + GONE) is not None:
                return
        zygote.kill_node(node.pid)
        if zygote.wait_node(node.pid, GONE) is None:
            raise RuntimeError(f"the node process (pid {node.pid}) was killed, and is still there after {GONE:g} s")

    def ask_to_leave(self, nodes: list[NodeProcess]) -> None:
        pump = self._driver.pump
        with pump.lock:
            for node in nodes:
                pump.hub.send(node.boot.node, Shutdown(LEAVE))
            pump.hub.flush()

    def wait_gone(self, nodes: list[NodeProcess], deadline: float) -> bool:
        """Whether they have all ended by then."""
        zygote = Zygote.shared()
        return all(zygote.wait_node(node.pid, max(0.0, deadline - time.monotonic())) is not None for node in nodes)


def descriptors(settings: Settings) -> int:
    """How many files each process of a node may open; 0: as the system allows. Raises ValueError for too few."""
    most = int(number(settings.system_config, "descriptors", 0))
    if 0 < most < FEWEST_DESCRIPTORS:
        raise ValueError(f"descriptors must be {FEWEST_DESCRIPTORS} or more, or 0 for no limit of its own, got {most}")
    return most

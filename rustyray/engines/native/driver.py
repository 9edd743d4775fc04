"""The driver: the user's process, which starts a runtime of its own and takes it down again."""

from __future__ import annotations

import math
import os
import random
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rustyray.core.lifecycle import Step
from rustyray.core.node import NodeLimits
from rustyray.core.node.knobs import KNOBS, configured, number
from rustyray.core.owner import OwnerCore
from rustyray.engines.client.store import Store
from rustyray.engines.native import nodes, pausing
from rustyray.engines.native.any_driver import AnyDriver, on_effect
from rustyray.engines.native.arena import Arena
from rustyray.engines.native.network import address as addresses
from rustyray.engines.native.network.hub import Hub
from rustyray.engines.native.network.parting import Partitions
from rustyray.engines.native.processes import kernel, texts
from rustyray.engines.native.processes.boot import ONE_THREAD, NodeBoot
from rustyray.engines.native.processes.zygote import Zygote
from rustyray.engines.native.pump import Pump
from rustyray.model import resources
from rustyray.model.ids import NODE_ID_SIZE, worker_id
from rustyray.model.messages import Registered, Role, ShutdownDone
from rustyray.runtime.engine import ProcessContext

if TYPE_CHECKING:
    from rustyray.model.settings import Settings

#: The store's capacity unless `init` is given one (bytes): sparse, so only what is used takes memory.
STORE_MEMORY: Final = 2 * 1024**3
#: Seconds between two looks at a node's memory, when it is low.
MEMORY_INTERVAL: Final = 0.25
#: Seconds that a node may take to answer on a machine that is very busy.
START_TIMEOUT: Final = 30.0
#: Seconds that workers get to leave by themselves (``atexit`` hooks) before they are killed.
LEAVE: Final = 1.0
#: Seconds to wait for word on how the node process ended, once its connection is gone.
NODE_END_TIMEOUT: Final = 0.5
CONFIG: Final = ("cluster", "descriptors", "partitions", "prestart", "start_timeout", *KNOBS)
#: Modules that take long to import. If the driver has them, the workers of its later runtimes are forked with them.
HEAVY: Final = ("numpy",)


class Driver(AnyDriver):
    """The engine in the user's own process, with a runtime of its own."""

    def __init__(
        self,
        core: OwnerCore,
        pump: Pump,
        store: Store,
        arena: Arena,
        process: ProcessContext,
        first: nodes.NodeProcess,
        patience: float,
    ) -> None:
        super().__init__(core, pump, store, arena, process)
        self.node_processes = nodes.Nodes(self, first, patience)
        self.node_pid = first.pid
        self._partitions = Partitions(self)

    @classmethod
    def start(cls, settings: Settings) -> Driver:
        config = settings.system_config
        check_config(config)
        node, session, key = os.urandom(NODE_ID_SIZE), os.urandom(8), os.urandom(32)
        me = worker_id(node, 0)
        in_cluster = bool(config.get("cluster")) or settings.num_nodes > 1
        arena = Arena.create(settings.object_store_memory or STORE_MEMORY)
        try:
            first = nodes.fork(_boot(settings, node, session, key, me, arena.size, in_cluster), arena)
        except BaseException:
            arena.close()
            raise
        listeners = [addresses.listen(addresses.default_address(session, me))]
        if in_cluster:
            listeners.append(addresses.listen(addresses.any_port()))
        address = addresses.format_address(listeners[-1])
        core = OwnerCore(me, address, node, b"", random.Random(key).random)
        handlers: dict[type, Any] = {}

        def lost(peer: bytes, reason: str) -> None:
            driver.lost(peer, reason)

        hub = Hub(role=Role.DRIVER, identity=me, session=session, key=key, on_lost=lost, near=node)
        for listener in listeners:
            hub.listen(listener)
        pump = Pump(hub, core, node, first.boot.address, handlers, on_effect)
        where = ProcessContext(
            b"", node, me, settings.namespace, address, True, "", first.boot.address, first.boot.spill_directory
        )
        store = Store(arena, node, pump)
        driver = cls(core, pump, store, arena, where, first, float(config.get("start_timeout", START_TIMEOUT)))
        pump.judge = driver.judge
        handlers[ShutdownDone] = driver.on_done
        handlers[Registered] = driver.node_processes.on_registered
        try:
            driver._join(settings)
        except BaseException as error:
            driver.ending.start_failed(f"the start failed: {error}")
            raise
        Zygote.shared().preload([name for name in HEAVY if name in sys.modules])
        driver.up()
        return driver

    def _join(self, settings: Settings) -> None:
        registered = self.node_processes.join(self.node_processes.first)
        self.core.sched.requests.job = self._process.job = registered.job
        self._process.namespace = registered.namespace
        others = [self.start_node(settings) for _ in range(settings.num_nodes - 1)]
        for node in others:
            self.node_processes.join(node)

    def start_node(self, settings: Settings) -> nodes.NodeProcess:
        """Fork another node with the resources, labels and store of these settings."""
        store = settings.object_store_memory or STORE_MEMORY
        cpus = cpu_quota(settings, self.node_processes.cpus_taken())
        return self.node_processes.start(settings, store, spill_directory(settings), _prestart(settings), cpus)

    def add_node(self, settings: Settings) -> bytes:
        check_config(settings.system_config)
        node = self.start_node(settings)
        try:
            self.node_processes.join(node)
        except BaseException:
            self.node_processes.remove(node, graceful=False)
            raise
        return node.boot.node

    def remove_node(self, node: bytes, graceful: bool) -> None:
        self.node_processes.remove(self.node_processes.all[node], graceful)
        deadline = time.monotonic() + START_TIMEOUT
        while any(about["NodeID"] == node.hex() and about["Alive"] for about in self.nodes()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"node {node.hex()} is gone, and the head has not noticed in {START_TIMEOUT:g} s")

    def kill_node(self, node: bytes) -> None:
        self.node_processes.remove(self.node_processes.all[node], graceful=False)

    def pause_node(self, node: bytes) -> None:
        pausing.pause(self.node_processes.all[node].pid)

    def resume_node(self, node: bytes) -> None:
        pausing.resume(self.node_processes.all[node].pid)

    def keep_apart(self, pairs: frozenset[frozenset[bytes]]) -> None:
        self._check_partitions()
        self._partitions.make(pairs)

    def cut_connections(self, one: bytes, other: bytes) -> None:
        """End the connections between two nodes and their workers; what is on its way is lost."""
        self._check_partitions()
        self._partitions.cut(one, other)

    def _check_partitions(self) -> None:
        if not self.node_processes.first.boot.partitions:
            raise RuntimeError("this runtime was not started with _system_config={'partitions': True}")

    # --- the pump's side, with the lock held --------------------------------------------------------------------------

    def lost(self, peer: bytes, reason: str) -> None:
        self.node_processes.lost(peer, reason)
        super().lost(peer, reason)

    def node_lost(self, reason: str) -> str:
        ended = Zygote.shared().wait_node(self.node_pid, NODE_END_TIMEOUT)
        self.node_gone = f"it {ended}" if ended else reason
        return f"the node process (pid {self.node_pid}) is gone: {self.node_gone}; call shutdown() and init() again"

    # --- the end ------------------------------------------------------------------------------------------------------

    def leave_cluster(self, step: Step) -> str | None:
        """The other nodes end; the cluster ends with its only driver."""
        nodes = self.node_processes
        others = nodes.others()
        if not others:
            return ""
        if step.force:
            for node in others:
                Zygote.shared().kill_node(node.pid)
        else:
            nodes.ask_to_leave(others)
        return f"{len(others)} more nodes" if nodes.wait_gone(others, step.deadline) else None

    def clear(self) -> None:
        self.node_processes.remove_packages()

    def stop_processes(self, step: Step) -> str | None:
        zygote = Zygote.shared()
        if step.force:
            zygote.kill_node(self.node_pid)
        elif not self.say_goodbye(LEAVE, step.deadline):
            return None
        ended = zygote.wait_node(self.node_pid, max(0.0, step.deadline - time.monotonic()))
        if ended is None:
            return None
        return "; ".join(self.done.lines) if self.done is not None else f"the node process {ended}"


def check_config(config: dict[str, Any], valid: Sequence[str] = CONFIG) -> None:
    """Refuse knobs that this engine does not have. Raises TypeError naming the nearest."""
    from rustyray.model.options import hint

    for name in config:
        if name not in valid:
            raise TypeError(
                f"the native engine has no setting {name!r}{hint(name, valid)}. Valid ones are {', '.join(valid)}."
            )


def _boot(
    settings: Settings, node: bytes, session: bytes, key: bytes, me: bytes, arena_size: int, in_cluster: bool
) -> NodeBoot:
    return NodeBoot(
        node=node,
        session=session,
        key=key,
        driver=me,
        driver_pid=os.getpid(),
        namespace=settings.namespace,
        resources=settings.resources,
        first=True,
        arena_size=arena_size,
        address=addresses.default_address(session, node),
        argv=list(map(texts.sendable, sys.argv)),
        sys_path=list(map(texts.sendable, kernel.search_path())),
        cwd=texts.sendable(kernel.directory()),
        env=texts.environment(ONE_THREAD | dict(os.environ)),
        umask=kernel.umask(),
        prestart=_prestart(settings),
        labels=settings.labels,
        log_level=settings.log_level,
        logging=None if settings.logging is None else settings.logging.plain(),
        quiet=not settings.log_to_driver,
        tracing_hook=settings.tracing_hook,
        tcp=in_cluster,
        spill_directory=spill_directory(settings),
        limits=configured(node_limits(settings), settings.system_config),
        cpus=cpu_quota(settings),
        memory_limit=int(number(settings.system_config, "memory_limit", 0)),
        descriptors=nodes.descriptors(settings),
        partitions=bool(settings.system_config.get("partitions")),
    )


def spill_directory(settings: Settings) -> str:
    """Where a node with these settings spills to. Raises ValueError when that cannot be."""
    if settings.spill_directory is None:
        wanted = os.environ.get("TMPDIR") or "/tmp"
        return os.path.abspath(wanted) if os.path.isdir(wanted) else "/tmp"
    found = os.path.abspath(settings.spill_directory)
    if not os.path.isdir(found) or not os.access(found, os.W_OK | os.X_OK):
        raise ValueError(
            f"object_spilling_directory={settings.spill_directory!r} is no directory that this process may write to: "
            "make it first"
        )
    return found


def node_limits(settings: Settings) -> NodeLimits:
    """The numbers by which a native node decides, before ``_system_config``."""
    return NodeLimits(memory_interval=MEMORY_INTERVAL, enforce_memory=settings.enforce_memory)


def cpu_quota(settings: Settings, taken: int = 0) -> list[int]:
    """The CPUs that the workers of a node with these settings may run on; none: all. ``taken`` are other nodes'.

    It is said where that cannot be. Programs on one machine begin with different CPUs.
    """
    quota = settings.system_config.get("cpu_quota")
    if not quota:
        return []
    if not hasattr(os, "sched_setaffinity"):
        print("rustyray: this system has no CPU affinity, so that cpu_quota has no effect", file=sys.stderr)
        return []
    mine = sorted(os.sched_getaffinity(0))
    if isinstance(quota, list):
        return sorted(set(quota) & set(mine)) or mine
    count = max(1, math.ceil(resources.from_units(settings.resources.get(resources.CPU, 0))))
    if count >= len(mine):
        print(f"rustyray: num_cpus={count} leaves nothing of {len(mine)} CPUs for cpu_quota to deny", file=sys.stderr)
        return []
    first = os.getpid() + taken
    return [mine[(first + number) % len(mine)] for number in range(count)]


def _prestart(settings: Settings) -> int:
    cpus = int(resources.from_units(settings.resources.get(resources.CPU, 0)))
    return int(settings.system_config.get("prestart", min(cpus, os.cpu_count() or 1)))

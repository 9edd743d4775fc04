"""Start heads and nodes that stand by themselves. To be called by a process with one thread: it forks."""

from __future__ import annotations

import errno
import importlib
import os
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from rustyray.core.node.knobs import configured, number
from rustyray.engines.native.arena import Arena
from rustyray.engines.native.driver import STORE_MEMORY, cpu_quota, node_limits, spill_directory
from rustyray.engines.native.network import address as addresses
from rustyray.engines.native.nodes import descriptors
from rustyray.engines.native.processes import kernel, texts
from rustyray.engines.native.processes.boot import ONE_THREAD, NodeBoot
from rustyray.engines.native.processes.zygote_main import FOR_WORKERS
from rustyray.engines.native.standing.asking import describe, silence
from rustyray.engines.native.standing.daemon import detach
from rustyray.engines.native.standing.places import ClusterFile, Place, ProcessFile, started
from rustyray.engines.native.standing.stores import open_store
from rustyray.model.ids import NODE_ID_SIZE, NodeID
from rustyray.model.messages import NodeInfo

if TYPE_CHECKING:
    from rustyray.engines.native.network.certificates import Certificates
    from rustyray.model.settings import Settings

#: Where a head listens unless it is told (as in Ray).
PORT: Final = 6379
#: Seconds that a head or a node may take to be there.
PATIENCE: Final = 30.0
#: Seconds between two questions whether it is.
LOOK: Final = 0.02
#: So often within some minutes another node takes the place of one that the head refuses.
RESTARTS: Final = 5
#: Seconds that workers have to end when the node is told to.
GRACE: Final = 1.0
#: The certificates of a cluster, from its session's name and those that its head before had.
Encrypt: TypeAlias = "Callable[[str, Certificates | None], Certificates]"


class StartError(RuntimeError):
    """A head or a node could not be started; the text says why."""


def start_head(
    host: str,
    port: int | None,
    encrypt: Encrypt | None = None,
    store: str = "",
    *,
    tied: bool = False,
) -> ClusterFile:
    """Start a head that listens on ``host`` at ``port``; returns when it answers.

    Args:
        encrypt: makes the certificates for TLS; without it there is no TLS, unless the head before had it.
        port: 0: any that is free; None: that of the head before, if its cluster is known here, or `PORT`.
        store: what `open_store` takes: where the head writes down what it knows, and maybe goes on from.
        tied: the head is killed when this process ends.

    Raises:
        StartError: it could not be started.
        StoreError: the store cannot be used.
        ValueError: ``host`` is not one to listen on, or ``store`` names nothing.
    """
    session = _session_of(store) if store else ""
    before = _known(session) if session else None
    if port is None:
        port = PORT if before is None else int(before.address.rpartition(":")[2])
    certificates = before.certificates if before is not None else None
    if encrypt is not None and before is not None and certificates is None and Place.of(before).processes():
        raise StartError("this cluster has no TLS, and nodes that run: leave it out, or end them first (rustyray stop)")
    listener = _listen(host, port, encrypted=encrypt is not None or certificates is not None)
    session = session or os.urandom(8).hex()
    cluster = ClusterFile(
        address=addresses.format_address(listener).removeprefix("tcp:"),
        session=session,
        key=before.key if before is not None else os.urandom(32).hex(),
        certificates=certificates if encrypt is None else encrypt(session, certificates),
    )
    place = Place.record(cluster)
    log = place.log("head")
    pid = detach(partial(_run_head, cluster, listener, store), log, {listener.fileno()}, tied=tied)
    listener.close()
    place.note(ProcessFile(pid=pid, started=started(pid)))
    _wait_for(lambda: describe(cluster) is not None, pid, "the head", log)
    return cluster


def _session_of(url: str) -> str:
    """The session of the store's cluster. The store of one that is new gets one."""
    store = open_store(url)
    try:
        session = store.session() or os.urandom(8).hex()
        store.belong_to(session)
        return session
    finally:
        store.close()


def _known(session: str) -> ClusterFile | None:
    """What is written down here about the cluster. Raises `StartError` when its head runs."""
    place = Place.named(session)
    for process in place.processes():
        if not process.node:
            raise StartError(f"the head of this cluster runs already (pid {process.pid})")
    return place.cluster()


def _listen(host: str, port: int, encrypted: bool) -> socket.socket:
    wanted = f"{addresses.any_port(host)[:-1]}{port}"
    try:
        return addresses.listen(wanted, encrypted=encrypted)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StartError(f"port {port} is taken: stop what has it, or name another with --port=…") from error
        raise StartError(f"cannot listen at {wanted}: {error.strerror}") from error


def _run_head(cluster: ClusterFile, listener: socket.socket, store: str) -> None:
    from rustyray.engines.native.standing.head_process import HeadProcess

    HeadProcess(cluster, listener, open_store(store) if store else None).run()


def start_node(
    cluster: ClusterFile,
    settings: Settings,
    host: str,
    *,
    beside: bool = False,
    tied: bool = False,
    preload: Sequence[str] = (),
) -> NodeInfo:
    """Start a node of the cluster on this machine; returns when the head has taken it in. Raises `StartError`.

    Args:
        host: where it listens for others.
        beside: it goes with the head.
        tied: it is killed when this process ends.
        preload: modules that its workers are to find imported, beside those of the runtime.
    """
    if describe(cluster) is None:
        raise StartError(silence(cluster))
    for name in (*FOR_WORKERS, *preload):
        importlib.import_module(name)
    place = Place.record(cluster)
    size = settings.object_store_memory or STORE_MEMORY
    node, arena, listeners = furnish(cluster.session_bytes, host, size, cluster.certificates is not None)
    address = addresses.format_address(listeners[1])
    boot = node_boot(cluster, node, settings, arena.size, place.path, address=address, host=host)
    boot = msgspec.structs.replace(
        boot,
        first=beside,
        limits=msgspec.structs.replace(boot.limits, restarts=RESTARTS),
        preload=list(preload),
        tied=os.getpid() if tied else 0,
    )
    log = place.log(f"node-{node.hex()}")
    fds = [arena.fd, *(listener.fileno() for listener in listeners)]
    pid = detach(partial(run_node, boot, fds), log, set(fds), tied=tied)
    arena.close()
    for listener in listeners:
        listener.close()
    inside = addresses.default_address(cluster.session_bytes, node)
    place.note(ProcessFile(pid=pid, started=started(pid), node=node.hex(), address=inside, host=host, beside=beside))
    found: list[NodeInfo] = []

    def joined() -> bool:
        found[:] = [info for info in describe(cluster) or () if info.node == node and info.alive]
        return bool(found)

    _wait_for(joined, pid, "the node", log)
    return found[0]


def furnish(session: bytes, host: str, size: int, encrypted: bool) -> tuple[NodeID, Arena, list[socket.socket]]:
    """What a new node has of its own: an id, a store, where it listens inside this machine, and for others."""
    node = os.urandom(NODE_ID_SIZE)
    inside = addresses.listen(addresses.default_address(session, node))
    return node, Arena.create(size), [inside, addresses.listen(addresses.any_port(host), encrypted=encrypted)]


def run_node(boot: NodeBoot, fds: list[int]) -> None:
    """Be a node, with the descriptors of its arena and of what it listens at; ends the process."""
    from rustyray.engines.native import node_main

    arena, inside, outside = fds
    node_main.main(boot, [arena, inside, os.dup(1), os.dup(2), outside], 0)


def node_boot(
    cluster: ClusterFile,
    node: NodeID,
    settings: Settings,
    arena_size: int,
    folder: str,
    *,
    address: str = "",
    host: str = "127.0.0.1",
    cpus_taken: int = 0,
) -> NodeBoot:
    """What a node of the cluster is told that listens at ``address``; ``folder`` is the cluster's."""
    return NodeBoot(
        node=node,
        session=cluster.session_bytes,
        key=cluster.key_bytes,
        driver=b"",
        driver_pid=0,
        namespace="",
        resources=settings.resources,
        arena_size=arena_size,
        address=address,
        sys_path=list(map(texts.sendable, kernel.search_path())),
        cwd="/",
        env=texts.environment(ONE_THREAD | dict(os.environ)),
        argv=[],
        labels=settings.labels,
        log_level=settings.log_level,
        grace=GRACE,
        session_dir=folder,
        head=cluster.head_bytes,
        head_address=cluster.head_address,
        tcp=True,
        host=host,
        shared=True,
        certificates=cluster.certificates,
        spill_directory=spill_directory(settings),
        limits=configured(node_limits(settings), settings.system_config),
        cpus=cpu_quota(settings, cpus_taken),
        memory_limit=int(number(settings.system_config, "memory_limit", 0)),
        descriptors=descriptors(settings),
    )


def facing(cluster: ClusterFile) -> str:
    """The address of this machine from which the head is reached. Raises `StartError` when there is no way to it."""
    family, where = addresses.parse(cluster.head_address, encrypted=cluster.certificates is not None)
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(where)  # sends nothing
        except OSError as error:
            raise StartError(f"there is no way to the head at {cluster.address}: {error.strerror}") from error
        return str(probe.getsockname()[0])


def _wait_for(is_there: Callable[[], bool], pid: int, what: str, log: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_there():
        if os.waitpid(pid, os.WNOHANG)[0]:
            raise StartError(f"{what} ended while it started. It has left this in {log}:\n{_tail(log)}")
        if time.monotonic() > deadline:
            raise StartError(f"{what} (pid {pid}) was not there within {PATIENCE:g} s; see {log}")
        time.sleep(LOOK)


def _tail(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return "\n".join(file.read().splitlines()[-20:])

"""A driver that joins a cluster which stands by itself, and leaves it again; the cluster goes on."""

from __future__ import annotations

import os
import random
import sys
import time
from functools import partial
from typing import Any, Final

from rustyray.core.effects import Warn
from rustyray.core.lifecycle import Step
from rustyray.core.owner import OwnerCore
from rustyray.engines.client.store import Store
from rustyray.engines.client.waiter import Waiter
from rustyray.engines.native.any_driver import AnyDriver, on_effect
from rustyray.engines.native.arena import Arena
from rustyray.engines.native.network import address as addresses
from rustyray.engines.native.network.hub import Hub
from rustyray.engines.native.processes import kernel, texts
from rustyray.engines.native.processes.boot import ONE_THREAD
from rustyray.engines.native.pump import Pump, show_warning
from rustyray.engines.native.standing.caller import Caller
from rustyray.engines.native.standing.places import ClusterFile, Place, ProcessFile
from rustyray.model.ids import WorkerID, short
from rustyray.model.messages import (
    ArenaLent,
    HeadEnds,
    JobSetup,
    LendArena,
    NodeEnds,
    Output,
    RegisterDriver,
    Registered,
    Role,
    ShutdownDone,
)
from rustyray.runtime.engine import ProcessContext

#: Seconds that the node may take to take a driver in.
PATIENCE: Final = 30.0


class Guest(AnyDriver):
    """The engine in the user's own process, on a node that others started."""

    def __init__(self, core: OwnerCore, pump: Pump, store: Store, arena: Arena, process: ProcessContext) -> None:
        super().__init__(core, pump, store, arena, process)
        self._joined = Waiter()
        #: What the node has said of its end.
        self._last_words = ""
        #: Of each worker's two streams, the line that is not complete.
        self._lines: dict[tuple[WorkerID, bool], bytes] = {}

    @classmethod
    def join(cls, cluster: ClusterFile, namespace: str, log_to_driver: bool) -> Guest:
        """Join through a node on this machine. Without ``log_to_driver``, what its workers write goes nowhere.

        Raises:
            ConnectionError: the cluster has none, or it does not answer.
        """
        node, where, host = _node_here(cluster)
        me, arena = _borrow_arena(cluster, node, where)
        listeners = [addresses.listen(addresses.default_address(cluster.session_bytes, me))]
        certificates = cluster.certificates
        listeners.append(addresses.listen(addresses.any_port(host), encrypted=certificates is not None))
        address = addresses.format_address(listeners[-1])
        core = OwnerCore(me, address, node, b"", random.Random(os.urandom(16)).random)
        handlers: dict[type, Any] = {}

        def lost(peer: bytes, reason: str) -> None:
            guest.lost(peer, reason)

        session, key = cluster.session_bytes, cluster.key_bytes
        hub = Hub(
            role=Role.DRIVER,
            identity=me,
            session=session,
            key=key,
            on_lost=lost,
            near=node,
            certificates=certificates,
        )
        for listener in listeners:
            hub.listen(listener)
        pump = Pump(hub, core, cluster.head_bytes, cluster.head_address, handlers, on_effect)
        folder = Place.of(cluster).path
        namespace = namespace or cluster.namespace
        process = ProcessContext(b"", node, me, namespace, address, True, folder, cluster.head_address)
        guest = cls(core, pump, Store(arena, node, pump), arena, process)
        pump.judge = guest.judge
        handlers |= {ShutdownDone: guest.on_done, Registered: guest._on_registered, Output: guest._on_output}
        handlers |= {NodeEnds: guest._on_node_ends, HeadEnds: guest._on_head_ends}
        try:
            guest._register(where, cluster, quiet=cluster.quiet or not log_to_driver)
        except BaseException as error:
            guest.ending.start_failed(f"the start failed: {error}")
            raise
        guest.up()
        return guest

    def _register(self, where: str, cluster: ClusterFile, *, quiet: bool) -> None:
        pump = self.pump
        with pump.lock:
            register = RegisterDriver(os.getpid(), self._process.namespace, _setup(quiet))
            pump.hub.send(self.core.refs.node, register, where)
            pump.hub.flush()
        if not pump.wait(self._joined, time.monotonic() + PATIENCE):
            from rustyray.engines.native.standing.asking import describe, silence

            if describe(cluster) is None:
                raise ConnectionError(silence(cluster))
            raise ConnectionError(f"the node at {where} did not answer within {PATIENCE:g} s")
        if self.node_gone:
            raise ConnectionError(f"the node at {where} does not take drivers: {self.node_gone}")
        if not self._process.job:
            raise ConnectionError(self.head_ended)

    # --- the pump's side, with the lock held --------------------------------------------------------------------------

    def _on_registered(self, peer: bytes, message: Registered, now: float) -> None:
        self.core.sched.requests.job = self._process.job = message.job
        self._process.namespace = message.namespace
        if not self._joined.done:
            self.pump.finish(self._joined)

    def _on_output(self, peer: bytes, message: Output, now: float) -> None:
        """Show what a worker has written line by line, behind the worker's pid (as in Ray)."""
        key = message.worker, message.error
        *lines, rest = (self._lines.pop(key, b"") + message.data).split(b"\n")
        if rest:
            self._lines[key] = rest
        if lines:
            text = "".join(f"(pid={message.pid}) {line.decode('utf-8', 'replace')}\n" for line in lines)
            self.pump.deferred.append(partial(_show, text, message.error))

    def _on_node_ends(self, peer: bytes, message: NodeEnds, now: float) -> None:
        if peer == self.core.refs.node:
            self._last_words = message.reason

    def _on_head_ends(self, peer: bytes, message: HeadEnds, now: float) -> None:
        """What needs the head waits; the user is told what for."""
        if peer != self.core.refs.node:
            return
        self.head_ended = message.reason
        if not self._joined.done:
            self.pump.finish(self._joined)
        else:
            self.pump.deferred.append(partial(show_warning, Warn(message.reason)))

    def node_lost(self, reason: str) -> str:
        if not self._joined.done:
            self.pump.finish(self._joined)
        node = short(self.core.refs.node)
        why = self._last_words or reason
        return f"node {node}, which this driver had joined, is gone: {why}; call shutdown() and init() again"

    # --- the end ------------------------------------------------------------------------------------------------------

    def leave_cluster(self, step: Step) -> str | None:
        return "" if step.force or self.say_goodbye(0.0, step.deadline) else None

    def stop_processes(self, step: Step) -> str:
        return "the cluster goes on"


def _show(text: str, error: bool) -> None:
    from rustyray.runtime.logs import show

    show(text, sys.stderr if error else sys.stdout)


def _node_here(cluster: ClusterFile) -> tuple[bytes, str, str]:
    """The first node of the cluster on this machine, where it listens, and on which host it does for others."""
    nodes: list[ProcessFile] = [process for process in Place.of(cluster).processes() if process.node]
    if not nodes:
        raise ConnectionError(
            f"no node of the cluster at {cluster.address} runs on this machine, and a driver needs one: start it with "
            f"'rustyray start --address={cluster.address}'"
        )
    return bytes.fromhex(nodes[0].node), nodes[0].address, nodes[0].host


def _borrow_arena(cluster: ClusterFile, node: bytes, where: str) -> tuple[WorkerID, Arena]:
    with Caller(cluster, where, node) as caller:
        answer, fds = caller.ask(LendArena())
    if not isinstance(answer, ArenaLent) or len(fds) != 1:
        for fd in fds:
            os.close(fd)
        raise ConnectionError(f"the node at {where} does not lend its store's memory: it answered {answer!r}")
    os.set_inheritable(fds[0], False)
    return answer.worker, Arena(fds[0], answer.size)


def _setup(quiet: bool) -> JobSetup:
    return JobSetup(
        machine=kernel.this_machine(),
        sys_path=list(map(texts.sendable, kernel.search_path())),
        argv=list(map(texts.sendable, sys.argv)),
        cwd=texts.sendable(kernel.directory()),
        env=texts.environment(ONE_THREAD | dict(os.environ)),
        umask=kernel.umask(),
        quiet=quiet,
    )

"""The driver: the user's process, which starts a runtime of its own and takes it down again."""

from __future__ import annotations

import os
import random
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from rustyray.core.effects import Effect, Warn
from rustyray.core.owner import OwnerCore
from rustyray.engines.client.client import Client
from rustyray.engines.client.store import Store
from rustyray.engines.client.waiter import Waiter
from rustyray.engines.native import address as addresses
from rustyray.engines.native.arena import Arena
from rustyray.engines.native.boot import NodeBoot
from rustyray.engines.native.hub import Hub
from rustyray.engines.native.interrupts import CtrlC
from rustyray.engines.native.pump import Pump, show_warning
from rustyray.engines.native.stopping import Ending
from rustyray.engines.native.zygote import Zygote
from rustyray.model import resources
from rustyray.model.ids import NODE_ID_SIZE, worker_id
from rustyray.model.messages import RegisterDriver, Registered, Role, ShutdownDone
from rustyray.runtime.engine import ProcessContext, ShutdownReport

if TYPE_CHECKING:
    from rustyray.model.settings import Settings

#: The store's capacity unless `init` is given one (bytes): sparse, so only what is used takes memory.
STORE_MEMORY: Final = 2 * 1024**3
#: Seconds that a node may take to answer on a machine that is very busy.
START_TIMEOUT: Final = 30.0
#: Seconds to wait for word on how the node process ended, once its connection is gone.
NODE_END_TIMEOUT: Final = 0.5
CONFIG: Final = ("prestart", "start_timeout")
#: Numeric libraries in workers use one thread each unless the environment says otherwise (as in Ray): there are as
#: many workers as CPUs.
ONE_THREAD: Final = {"OMP_NUM_THREADS": "1"}
#: Modules that take long to import. If the driver has them, the workers of its later runtimes are forked with them.
HEAVY: Final = ("numpy",)


class Driver(Client):
    """The engine in the user's own process."""

    pump: Pump

    def __init__(self, core: OwnerCore, pump: Pump, arena: Arena, process: ProcessContext, node_pid: int) -> None:
        super().__init__(core, pump, Store(arena, process.node, pump), process)
        self.arena = arena
        self.node_pid = node_pid
        self.pid = os.getpid()
        self.node_gone = ""
        self.farewell = Waiter()
        self.done: ShutdownDone | None = None
        self._ending = Ending(self)
        self.ctrl_c = CtrlC(pump)

    @classmethod
    def start(cls, settings: Settings) -> Driver:
        zygote = Zygote.shared()
        check_config(settings.system_config)
        node, session, key = os.urandom(NODE_ID_SIZE), os.urandom(8), os.urandom(32)
        me = worker_id(node, 0)
        node_address = addresses.default_address(session, node)
        address = addresses.default_address(session, me)
        arena = Arena.create(settings.object_store_memory or STORE_MEMORY)
        listener = addresses.listen(node_address)
        try:
            boot = _boot(settings, node, session, key, me, node_address, arena.size)
            pid = zygote.fork_node(boot, [arena.fd, listener.fileno(), _stream(sys.stdout, 1), _stream(sys.stderr, 2)])
        except BaseException:
            arena.close()
            raise
        finally:
            listener.close()
        core = OwnerCore(me, address, node, b"", random.Random(key).random)
        handlers: dict[type, Any] = {}

        def lost(peer: bytes, reason: str) -> None:
            driver.lost(peer, reason)

        hub = Hub(role=Role.DRIVER, identity=me, session=session, key=key, on_lost=lost)
        hub.listen(addresses.listen(address))
        pump = Pump(hub, core, node, handlers, _on_effect)
        where = ProcessContext(b"", node, me, settings.namespace, address, True, "")
        driver = cls(core, pump, arena, where, pid)
        pump.judge = driver.judge
        handlers[ShutdownDone] = driver.on_done
        try:
            driver._register(settings, node_address)
        except BaseException as error:
            driver._ending.start_failed(f"the start failed: {error}")
            raise
        driver._ending.up()
        zygote.preload([name for name in HEAVY if name in sys.modules])
        pump.start()
        driver.ctrl_c.install()
        return driver

    def _register(self, settings: Settings, node_address: str) -> None:
        pump = self.pump
        waiter = Waiter()

        def registered(peer: bytes, message: Registered, now: float) -> None:
            self.core.sched.job = self._process.job = message.job
            self._process.namespace = message.namespace
            pump.finish(waiter)

        pump.handlers[Registered] = registered
        hello = RegisterDriver(os.getpid(), settings.namespace, [], "", {})
        with pump.lock:
            pump.hub.send(self.core.refs.node, hello, node_address)
            pump.hub.flush()
        patience = float(settings.system_config.get("start_timeout", START_TIMEOUT))
        deadline = time.monotonic() + patience
        while not waiter.done:
            if self.node_gone:
                raise RuntimeError(f"the node process ended while it started: {self.node_gone}")
            if not pump.wait(waiter, min(deadline, time.monotonic() + 0.5)) and time.monotonic() > deadline:
                raise RuntimeError(f"the node process (pid {self.node_pid}) did not answer within {patience:g} s")

    # --- the pump's side, with the lock held --------------------------------------------------------------------------

    def lost(self, peer: bytes, reason: str) -> None:
        now = time.monotonic()
        if peer != self.core.refs.node:
            self.core.on_peer_lost(peer, reason, now)
            return
        self.node_gone = reason
        if not self.farewell.done:
            self.pump.finish(self.farewell)
        if not self._ending.begun:
            ended = Zygote.shared().wait_node(self.node_pid, NODE_END_TIMEOUT)
            self.node_gone = reason = f"it {ended}" if ended else reason
            text = f"the node process (pid {self.node_pid}) is gone: {reason}; call shutdown() and init() again"
            self.core.close(text)
            self.core.fail_everything(text, now)
        self.pump.fail_requests()

    def on_done(self, peer: bytes, message: ShutdownDone, now: float) -> None:
        self.done = message
        if not self.farewell.done:
            self.pump.finish(self.farewell)

    # --- the end ------------------------------------------------------------------------------------------------------

    def shutdown(self, grace: float | None = None) -> ShutdownReport:
        if os.getpid() != self.pid:
            raise RuntimeError("this process was forked from the driver: only the driver can shut its runtime down")
        return self._ending.run(grace)


def check_config(config: dict[str, Any]) -> None:
    """Refuse knobs that this engine does not have. Raises TypeError naming the nearest."""
    from rustyray.model.options import hint

    for name in config:
        if name not in CONFIG:
            raise TypeError(
                f"the native engine has no setting {name!r}{hint(name, CONFIG)}. Valid ones are {', '.join(CONFIG)}."
            )


def _boot(
    settings: Settings, node: bytes, session: bytes, key: bytes, me: bytes, address: str, arena_size: int
) -> NodeBoot:
    cpus = int(resources.from_units(settings.resources.get(resources.CPU, 0)))
    umask = os.umask(0o022)
    os.umask(umask)
    return NodeBoot(
        node=node,
        session=session,
        key=key,
        driver=me,
        driver_pid=os.getpid(),
        namespace=settings.namespace,
        resources=settings.resources,
        arena_size=arena_size,
        address=address,
        argv=list(sys.argv),
        sys_path=[os.path.abspath(entry) for entry in sys.path],
        cwd=os.getcwd(),
        env=ONE_THREAD | dict(os.environ),
        umask=umask,
        prestart=int(settings.system_config.get("prestart", min(cpus, os.cpu_count() or 1))),
        labels=settings.labels,
        log_level=settings.log_level,
    )


def _stream(stream: Any, usual: int) -> int:
    """The descriptor behind a standard stream, so that workers write where the driver writes now."""
    try:
        stream.flush()
        number = stream.fileno()
        return int(number) if isinstance(number, int) and number >= 0 else usual
    except (AttributeError, OSError, ValueError):
        return usual  # replaced by something without a descriptor, as pytest's capsys does


def _on_effect(effect: Effect) -> None:
    if isinstance(effect, Warn):
        show_warning(effect)

"""The head in a process of its own: nodes, their workers and what these hold outlive it, and it can come back."""

from __future__ import annotations

import signal
import socket
import time
from typing import Final

from rustyray.core.effects import Effect, Keep, Send
from rustyray.core.head import HeadCore
from rustyray.core.node import NodeLimits
from rustyray.engines.native.network.hub import Hub
from rustyray.engines.native.network.nonsense import cut_off
from rustyray.engines.native.processes import kernel
from rustyray.engines.native.processes.surroundings import tell
from rustyray.engines.native.standing.places import ClusterFile
from rustyray.engines.native.standing.stores import Store, StoreError, TakenOver
from rustyray.model.ids import NODE_ID_SIZE
from rustyray.model.messages import FROM_NODES, HEAD, HeadEnds, Role

#: Seconds that peers have to take what the head said last.
FAREWELL: Final = 1.0


class HeadProcess:
    """The loop: it sleeps until a peer speaks or a deadline of the core comes. SIGTERM ends it.

    With a ``store`` it goes on where the head before it has ended, and writes down what the next one has to know.
    """

    def __init__(self, cluster: ClusterFile, listener: socket.socket, store: Store | None = None) -> None:
        kernel.set_name("rr-head")
        self.address = cluster.address
        self.store = store
        self.core = HeadCore(durable=store is not None)
        self.hub = Hub(
            role=Role.HEAD,
            identity=HEAD,
            session=cluster.session_bytes,
            key=cluster.key_bytes,
            on_lost=self.on_lost,
            certificates=cluster.certificates,
        )
        listener.setblocking(False)
        self.hub.listen(listener)
        self.terminated = False
        self.now = time.monotonic()
        self.renew_at = self.now if store is not None and store.renewal is not None else None
        self.woken, self.wake = kernel.open_wake_pipe()
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.set_wakeup_fd(self.wake, warn_on_full_buffer=False)
        self.hub.watch(self.woken, self.on_signal)

    def on_signal(self) -> None:
        self.terminated |= signal.SIGTERM in kernel.drain(self.woken)

    def run(self) -> None:
        """Serve until told to end, or until the store cannot be used."""
        try:
            self.serve()
        except StoreError as error:
            why = self.why_it_ends(error)
            tell(why)
            for peer in self.hub.peers():
                if len(peer) == NODE_ID_SIZE:
                    self.hub.send(peer, HeadEnds(why))
        self.say_farewell()

    def why_it_ends(self, error: StoreError) -> str:
        """For all who wait for the head: what to do."""
        text = f"the head of the cluster at {self.address} has ended: {error}"
        if self.store is None or isinstance(error, TakenOver):
            return text
        wait = f"nodes wait for it for {NodeLimits().head_away:g} s"
        return f"{text}: {error.remedy}, and run 'rustyray start --head --store={self.store.url}' again ({wait})"

    def serve(self) -> None:
        if self.store is not None:
            self.store.claim()
            self.core.restore(self.store.load(), self.now)
            self.carry_out()
        while not self.terminated:
            self.turn()

    def say_farewell(self) -> None:
        self.hub.flush()
        until = time.monotonic() + FAREWELL
        while any(self.hub.backlog(peer) for peer in self.hub.peers()) and (left := until - time.monotonic()) > 0:
            self.hub.process(self.hub.wait(left))
        self.hub.close()
        if self.store is not None:
            self.store.close()

    def turn(self) -> None:
        due = [when for when in (self.core.next_deadline(), self.renew_at) if when is not None]
        self.hub.flush()
        events = self.hub.wait(max(0.0, min(due) - time.monotonic()) if due else None)
        self.now = time.monotonic()
        if self.store is not None and self.renew_at is not None and self.now >= self.renew_at:
            self.store.renew()
            self.renew_at = self.now + (self.store.renewal or 0.0)
        for peer, message in self.hub.process(events):
            if type(message) in FROM_NODES and len(peer) != NODE_ID_SIZE:
                continue
            try:
                self.core.on_message(peer, message, self.now)
                self.carry_out()
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, others go on
                cut_off(self.hub, peer, message, error)
        self.core.on_time(self.now)
        self.carry_out()

    def on_lost(self, peer: bytes, reason: str) -> None:
        self.core.on_peer_lost(peer, reason, self.now, reached=peer not in self.hub.unreached)

    def carry_out(self) -> None:
        while self.core.out:
            effects = self.core.out[:]
            self.core.out.clear()
            changes = [effect for effect in effects if isinstance(effect, Keep)]
            if changes and self.store is not None:
                self.store.write(changes)  # before anybody is told
            for number, effect in enumerate(effects, 1):
                try:
                    self.perform(effect)
                except Exception:
                    self.core.out[:0] = effects[number:]
                    raise

    def perform(self, effect: Effect) -> None:
        match effect:
            case Send(to=to, message=message, address=address):
                self.hub.send(to, message, address)
            case Keep():
                pass  # it is written down
            case _:
                raise TypeError(f"a head cannot do what its core asks for: {effect!r}")

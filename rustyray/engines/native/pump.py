"""One process' engine room: the hub's messages go into the cores, the cores' effects go out, waiting threads are woken.

The thread that waits does the I/O. A thread that blocks in ``get`` leads: it sleeps in the hub, feeds the cores, and
goes on when what it waits for is there, with no hand-over between threads. Others that wait meanwhile sleep on a gate
of their own. Only while nobody waits does a background thread lead, so that peers are answered while the program
computes.

    leader ──► hub.wait() ──► lock { hub.process() → core.on_message() → core.out → hub.send() → hub.flush() } ──► gates

The background thread is not woken at every ``get`` that ends: it looks every few milliseconds, and takes over when no
thread has waited since its last look. A waiting thread takes the lead from it without asking; both are then in
``hub.wait``, and the background thread steps back at the first event.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from rustyray.core.effects import Effect, JudgeFailure, Ready, Send, Warn
from rustyray.core.owner import OwnerCore
from rustyray.engines.client.waiter import Waiter, Waiting
from rustyray.engines.native.network.hub import Hub
from rustyray.engines.native.network.nonsense import cut_off
from rustyray.engines.native.processes import forks
from rustyray.model.messages import (
    HEAD,
)
from rustyray.model.values import Failed

#: Seconds between two looks of the background thread while others wait now and then.
TICK: Final = 0.005
#: Seconds after which refs that were dropped while nobody did anything are settled at the latest.
SETTLE: Final = 0.2

_BACKGROUND: Final = Waiter()


class Pump(Waiting):
    """Hub, cores and waiting threads of one process. All state is guarded by ``lock``.

    Args:
        hub: the process' connections.
        core: its owner core.
        head: the peer that hosts the head; it listens at ``head_address``.
        handlers: messages that are not the owner core's, by type; called with the lock held.
        on_effect: effects that are not the pump's own; called with the lock held.
    """

    hub: Hub

    def __init__(
        self,
        hub: Hub,
        core: OwnerCore,
        head: bytes,
        head_address: str,
        handlers: dict[type, Callable[[bytes, Any, float], None]],
        on_effect: Callable[[Effect], None],
    ) -> None:
        self.hub = hub
        self.core = core
        self.head = head
        self.head_address = head_address
        super().__init__(handlers)
        self.on_effect = on_effect
        #: Asks a plan whether to retry; called without the lock. Set by the engine.
        self.judge: Callable[[JudgeFailure], bool | Failed] = lambda question: False
        self.clock = time.monotonic
        self.lock: threading.Lock | forks.NoLock = threading.Lock()
        self.deferred: deque[Callable[[], None]] = deque()
        self.interrupted = False
        self._raises: BaseException | None = None
        #: The longest sleep of a waiting thread in seconds, if there is one; see `CtrlC`.
        self.longest_sleep: float | None = None
        self.closed = False
        self._leader: Waiter | None = None
        #: The thread that leads. A callback that it runs meanwhile may wait in turn: then it goes on leading, for that.
        self._leading = 0
        self._sleepers: dict[Waiter, None] = {}
        self._sessions = 0
        self._main_gate: Any = None
        self._idle_gate = threading.Lock()
        self._idle_gate.acquire()
        self._parked = False
        self._thread = threading.Thread(target=self._background, name="rustyray-io", daemon=True)

    def start(self) -> None:
        forks.guard(self)
        self._thread.start()

    # --- the inside, with the lock held -------------------------------------------------------------------------------

    def carry_out(self) -> None:
        """Do what the cores left in ``out``, and send it."""
        out = self.core.out
        hub = self.hub
        while out:
            effects = out[:]
            out.clear()
            for effect in effects:
                kind = type(effect)
                if kind is Send:
                    to = effect.to  # type: ignore[attr-defined]
                    if to == HEAD:
                        hub.send(self.head, effect.message, self.head_address)  # type: ignore[attr-defined]
                    else:
                        hub.send(to, effect.message, effect.address)  # type: ignore[attr-defined]
                elif kind is Ready:
                    self.on_ready(effect.objects)  # type: ignore[attr-defined]
                elif kind is JudgeFailure:
                    self.deferred.append(lambda question=effect: self._judge(question))  # type: ignore[misc]
                else:
                    self.on_effect(effect)
        hub.flush()

    def flush(self) -> None:
        """A thread is about to wait: settle, send everything that waited for company."""
        if self.dropped or self.unpinned:
            self.settle()
        self.core.flush(self.clock())
        self.carry_out()

    def process(self, events: Any) -> None:
        now = self.clock()
        if self.dropped or self.unpinned:
            self.settle()
        core, handlers = self.core, self.handlers
        for peer, message in self.hub.process(events):
            handler = handlers.get(type(message))
            try:
                if handler is None:
                    core.on_message(peer, message, now)
                else:
                    handler(peer, message, now)
            except Exception as error:  # noqa: BLE001 - whatever it is, the program goes on
                cut_off(self.hub, peer, message, error)
        deadline = core.next_deadline()
        if deadline is not None and deadline <= now:
            core.on_time(now)
        if core.freeing.untold:
            core.freeing.flush()
        self.carry_out()

    def finish(self, waiter: Waiter) -> None:
        """What ``waiter`` waited for has happened."""
        waiter.done = True
        if waiter.callback is not None:
            self.deferred.append(waiter.callback)
        elif waiter.gate is not None:
            waiter.gate.release()
            waiter.gate = None

    # --- waiting, without the lock ------------------------------------------------------------------------------------

    def wait(self, waiter: Waiter, deadline: float | None) -> bool:
        """Block until ``waiter`` is done, leading the I/O if nobody else does; False when the deadline passed first.

        Raises:
            KeyboardInterrupt: the running task was cancelled.
        """
        me = threading.get_ident()
        while True:
            self.check_interrupt()
            with self.lock:
                if waiter.done:
                    return True
                outer = self._leader if self._leading == me else None
                lead = outer is not None or self._leader is None or self._leader is _BACKGROUND
                if lead:
                    self._leader = waiter
                    self._leading = me
                    self._sessions += 1
                else:
                    gate = waiter.gate = threading.Lock()
                    gate.acquire()
                    self._sleepers[waiter] = None
            if lead:
                try:
                    if not self._lead(waiter, deadline):
                        return waiter.done
                finally:
                    self._resign(waiter, outer)
            elif not self._sleep(waiter, gate, deadline):
                return waiter.done

    def _lead(self, waiter: Waiter, deadline: float | None) -> bool:
        while not waiter.done:
            # Only as the leader: the wake-up of an `interrupt` before may have been used up by who led then.
            if self.interrupted:
                self.check_interrupt()
            timeout = self._patience()
            if self.longest_sleep is not None:
                timeout = self.longest_sleep if timeout is None else min(timeout, self.longest_sleep)
            if deadline is not None:
                left = deadline - self.clock()
                if left <= 0:
                    # Look once more, without waiting: it may have arrived while we did not run.
                    self.turn(0)
                    return waiter.done
                timeout = left if timeout is None else min(left, timeout)
            self.turn(timeout)
        if self.interrupted:
            self.check_interrupt()
        return True

    def interrupt(self, error: BaseException | None = None) -> None:
        """From a signal handler in the main thread: raise there, as soon as that does no harm.

        It is a KeyboardInterrupt, unless it is to be another ``error``.
        """
        self.interrupted, self._raises = True, error
        self.hub.wake()
        gate = self._main_gate
        if gate is not None:
            try:
                gate.release()
            except RuntimeError:
                pass  # it was released at this very moment, for a better reason

    def check_interrupt(self) -> None:
        """Raise what `interrupt` asked for, in the main thread."""
        if self.interrupted and threading.current_thread() is threading.main_thread():
            error, self.interrupted, self._raises = self._raises or KeyboardInterrupt(), False, None
            raise error

    def _sleep(self, waiter: Waiter, gate: Any, deadline: float | None) -> bool:
        """Sleep until done or called to lead. False when the deadline passed."""
        main = threading.current_thread() is threading.main_thread()
        if main:
            self._main_gate = gate
        goes_on = False
        try:
            left = -1 if deadline is None else max(0.0, deadline - self.clock())
            if self.longest_sleep is not None:
                left = self.longest_sleep if left < 0 else min(left, self.longest_sleep)
            if not self.interrupted:
                gate.acquire(timeout=left)
            goes_on = deadline is None or waiter.done or self.clock() < deadline
        finally:
            if main:
                self._main_gate = None
            with self.lock:
                self._sleepers.pop(waiter, None)
                waiter.gate = None
                if not goes_on:
                    self._call_next()  # in case it was this thread that was called to lead
        return goes_on

    def _resign(self, waiter: Waiter, outer: Waiter | None) -> None:
        with self.lock:
            if self._leader is waiter:
                self._leader = outer
                if outer is None:
                    self._leading = 0
                    self._call_next()

    def _call_next(self) -> None:
        """Nobody leads: call a thread that sleeps, or the background thread if it waits to be called."""
        if self._leader is not None:
            return
        for sleeper in self._sleepers:
            if sleeper.gate is not None:
                sleeper.gate.release()
                sleeper.gate = None
                return
        if self._parked:
            self._parked = False
            self._idle_gate.release()

    def turn(self, timeout: float | None) -> None:
        """One round: sleep for at most ``timeout`` seconds, then do what there is to do."""
        events = self.hub.wait(timeout)
        with self.lock:
            if self.closed:
                return
            self.process(events)
        if self.deferred:
            self.run_deferred()

    def poll(self) -> None:
        """A look at what has arrived, by a thread that is too busy to wait: cheaper than to be interrupted for it."""
        with self.lock:
            if self._leader is _BACKGROUND:
                self._leader = None
            self._sessions += 1
        if self._leader is None:
            self.turn(0)

    def run_deferred(self) -> None:
        """Run what must not run under the lock: callbacks, and questions to the user's own code."""
        deferred = self.deferred
        while deferred:
            try:
                work = deferred.popleft()
            except IndexError:
                return
            work()

    def _judge(self, question: JudgeFailure) -> None:
        verdict = self.judge(question)
        with self.lock:
            self.core.judged(question.task, verdict, self.clock())
            self.carry_out()

    def _patience(self) -> float | None:
        """How long the leader may sleep: until a core's next deadline."""
        deadline = self.core.next_deadline()
        return None if deadline is None else max(0.0, deadline - self.clock())

    # --- the background thread ----------------------------------------------------------------------------------------

    def _background(self) -> None:
        seen = -1
        while not self.closed:
            with self.lock:
                quiet = self._sessions == seen
                seen = self._sessions
                if quiet and self._leader is None:
                    self._leader = _BACKGROUND
                elif quiet:
                    self._parked = True
                leading, parked = self._leader is _BACKGROUND, self._parked
            if leading:
                while self._leader is _BACKGROUND and not self.closed:
                    try:
                        self._background_turn()
                    except BaseException:  # noqa: BLE001 - a callback's, say; without this thread all would stand
                        _tell_error()
                        self._idle_gate.acquire(timeout=SETTLE)
            elif parked:
                self._idle_gate.acquire()
            else:
                self._idle_gate.acquire(timeout=TICK)

    def _background_turn(self) -> None:
        with self.lock:
            if self.closed:
                return
            self.flush()
            timeout = self._patience()
        timeout = SETTLE if timeout is None else min(SETTLE, timeout)
        events = self.hub.wait(timeout)
        with self.lock:
            if self._leader is not _BACKGROUND or self.closed:
                return
            self.process(events)
        if self.deferred:
            self.run_deferred()

    def close(self) -> None:
        """Stop the background thread and close the hub; whoever still waits is woken without a result."""
        with self.lock:
            self.closed = True
            for waiters in list(self.waiting.values()):
                for waiter in waiters:
                    if not waiter.done:
                        self.finish(waiter)
            self.waiting.clear()
            self.fail_requests()
            if self._parked:
                self._parked = False
                self._idle_gate.release()
        self.hub.wake()
        self.run_deferred()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(1.0)
        with self.lock:
            self.hub.close()


def _tell_error() -> None:
    """Nobody else will hear of it."""
    from rustyray.runtime.logs import show

    show(traceback.format_exc(), sys.stderr)


def show_warning(effect: Warn) -> None:
    """A sentence for the user."""
    from rustyray.runtime import logs

    logs.warn(effect.text)

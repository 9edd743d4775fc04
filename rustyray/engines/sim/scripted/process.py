"""The process of scripted programs: what arrives, what its core asks for, who waits, which refs are held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rustyray.core.effects import Effect, JudgeFailure, Ready, Send, Warn
from rustyray.engines.sim.scripted import values
from rustyray.engines.sim.scripted.values import Ref
from rustyray.engines.sim.world.process import OwnerProcess, Program, Until
from rustyray.model.ids import ActorID, JobID, NodeID, ObjectID, WorkerID
from rustyray.model.messages import (
    HEAD,
    ActorInfo,
    GroupInfo,
    HeadError,
    Message,
    StoreCreated,
    StoreFailed,
    StorePinned,
    StoreUnpin,
)
from rustyray.model.values import Failed, Fault, RefInfo, Stored

if TYPE_CHECKING:
    from rustyray.engines.sim.scripted.world import ScriptedWorld


class ProgramError(Exception):
    """An error value met by ``get``."""

    def __init__(self, value: Failed | Fault) -> None:
        super().__init__(name_of(value))
        self.value = value


class Misplaced(ProgramError):
    """A stored value is not where it should be."""

    def __init__(self, object_: ObjectID, stored: Stored, fault: Fault) -> None:
        super().__init__(fault)
        self.object = object_
        self.stored = stored


class ArgumentLost(ProgramError):
    """An argument was there when the task was sent, and is not any more: its owner is to see to it."""


def name_of(value: Failed | Fault) -> str:
    """What a program sees of an error: the text it was raised with, or the kind of a fault."""
    return value.cause.decode() if isinstance(value, Failed) else f"fault {value.kind.name}"


class ClientProcess(OwnerProcess):
    """The process of scripted programs; `rustyray.engines.sim.scripted.client.Client` is what they see of it."""

    world: ScriptedWorld

    def __init__(self, world: ScriptedWorld, me: WorkerID, node: NodeID, job: JobID, namespace: str) -> None:
        super().__init__(world, me, node, job, namespace)
        self.core.sched.large = 1000
        self.parent: bytes = b""
        self._waiting: dict[ObjectID, list[Until]] = {}
        self._replies: dict[int, Until] = {}
        self._request = 0
        self._handlers: dict[type, Callable[[bytes, Message, float], None]] = {
            StoreCreated: self._on_reply,
            StoreFailed: self._on_reply,
            StorePinned: self._on_reply,
            ActorInfo: self._on_answer,
            GroupInfo: self._on_answer,
            HeadError: self._on_answer,
        }

    @property
    def now(self) -> float:
        return self.world.now

    # --- what the world calls -----------------------------------------------------------------------------------------

    def receive(self, peer: bytes, message: Message) -> None:
        self.settle()
        handler = self._handlers.get(type(message))
        if handler is None:
            self.core.on_message(peer, message, self.now)
        else:
            handler(peer, message, self.now)
        self._after()

    def lost(self, peer: bytes, reason: str) -> None:
        if peer == self.world.head:
            self.core.on_peer_lost(HEAD, reason, self.now)
        if peer != HEAD:
            self.core.on_peer_lost(peer, reason, self.now)
        self._after()

    def tick(self) -> None:
        self.settle()
        self.core.flush(self.now)
        self._after()

    def _after(self) -> None:
        deadline = self.core.next_deadline()
        if deadline is not None and deadline <= self.now:
            self.core.on_time(self.now)
        if self.core.freeing.untold:
            self.core.freeing.flush()
        self.carry_out()

    # --- effects ------------------------------------------------------------------------------------------------------

    def send(self, to: bytes, message: Message, address: str = "") -> None:
        if to == HEAD:
            to, address = self.world.head, self.world.head_address
        self.world.send(self.me, to, message, address)

    def carry_out(self) -> None:
        out = self.core.out
        while out:
            effects = out[:]
            out.clear()
            for effect in effects:
                self.perform(effect)

    def perform(self, effect: Effect) -> None:
        if isinstance(effect, Send):
            self.send(effect.to, effect.message, effect.address)
        elif isinstance(effect, Ready):
            self._on_ready(effect.objects)
        elif isinstance(effect, JudgeFailure):
            self.world.later(self.me, lambda: self._judge(effect))
        elif isinstance(effect, Warn):
            self.warnings.append(effect.text)
        else:
            raise TypeError(f"a client cannot do what its core asks for: {effect!r}")

    def settle(self) -> None:
        if self.dropped:
            gone = list(self.dropped)
            self.dropped.clear()
            self.core.drop(gone)
        if self.unpinned:
            views = list(self.unpinned)
            self.unpinned.clear()
            self.send(self.node, StoreUnpin(views))

    def flush(self) -> None:
        """The program is about to wait."""
        self.settle()
        self.core.flush(self.now)
        self.carry_out()

    def _judge(self, question: JudgeFailure) -> None:
        record = self.core.tasks.retries.judged_record(question.task)
        if record is None:
            return
        on_error = record.plan.retry.on_error
        error = ProgramError(question.failed)
        verdict = on_error if isinstance(on_error, bool) else bool(on_error(error))
        self.core.judged(question.task, verdict, self.now)
        self._after()

    # --- waiting ------------------------------------------------------------------------------------------------------

    def _on_ready(self, objects: Sequence[ObjectID]) -> None:
        for object_ in objects:
            for until in self._waiting.pop(object_, ()):
                until.need -= 1
                entry = self.core.objects.get(object_)
                error = entry is None or isinstance(entry.value, Failed | Fault)
                if until.need <= 0 or (until.stop_at_error and error):
                    until.done = True

    def expect(self) -> tuple[int, Until]:
        self._request += 1
        until = self._replies[self._request] = Until()
        return self._request, until

    def _on_reply(self, peer: bytes, message: Message, now: float) -> None:
        until = self._replies.pop(message.request, None)  # type: ignore[union-attr]
        if until is not None:
            if until.forsaken and isinstance(message, StorePinned):
                self.unpinned.append(until.forsaken)
            until.reply = message
            until.done = True

    def _on_answer(self, peer: bytes, message: Message, now: float) -> None:
        self.core.on_message(peer, message, now)
        self._on_reply(peer, message, now)

    def block(self, until: Until) -> Program[None]:
        """Wait for objects. A worker's main program gives back what it will not get to meanwhile."""
        yield until

    # --- refs ---------------------------------------------------------------------------------------------------------

    def _counted(self, object_: ObjectID, owner_address: str, actor: ActorID = b"") -> Ref:
        self.held[object_] = self.held.get(object_, 0) + 1
        return Ref(object_, owner_address, actor)

    def adopt(self, info: RefInfo, actor: ActorID = b"") -> Ref:
        self.core.refs.adopt(info.object, info.owner_address)
        return self._counted(info.object, info.owner_address, actor)

    def again(self, ref: Ref) -> Ref:
        """Another ref to the same object."""
        if not ref.owner_address:
            return Ref(ref.object, "", ref.actor)
        return self.adopt(RefInfo(ref.object, ref.owner_address), ref.actor)

    def drop(self, ref: Ref) -> None:
        """The program lets go of a ref; the count is settled at the next safe point."""
        if not ref.dropped:
            ref.dropped = True
            if ref.actor and not ref.owner_address:
                return  # found by name: not counted
            self.held[ref.object] -= 1
            if not self.held[ref.object]:
                del self.held[ref.object]
            self.dropped.append(ref.object)

    # --- the end ------------------------------------------------------------------------------------------------------

    def let_go(self) -> None:
        kept = self.kept
        for value in kept:
            for ref in values.refs_in(value):
                self.drop(ref)
        if kept:
            kept.clear()
            self.tick()

    # --- for the world's books ----------------------------------------------------------------------------------------

    def what_it_waits_for(self) -> str:
        objects = ", ".join(object_.hex() for object_ in self._waiting)
        return f"objects [{objects}], {len(self._replies)} replies"

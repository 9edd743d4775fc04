"""Which actors there are, what they are called, and who is told about them.

Messages about an actor may arrive before its creation does, because they come on other connections: whoever got a
handle may watch or kill it at once. They are kept until the creation arrives, or its owner is dead.
"""

from __future__ import annotations

from typing import Final

from rustyray.core.head.actor import Actor
from rustyray.core.head.base import HeadBase
from rustyray.core.head.watchers import Watchers
from rustyray.model.ids import ActorID, owner_of
from rustyray.model.messages import (
    ActorInfo,
    ActorState,
    FindActor,
    HeadError,
    KillActor,
    ListActors,
    NamedActors,
    WatchActor,
)
from rustyray.model.values import Fault, FaultKind

#: So many dead actors are remembered, for those who still hold a handle.
DEAD_REMEMBERED: Final = 20_000


class Registry:
    """Actors by id and by name. ``dead`` ones are remembered for those who still hold a handle."""

    __slots__ = ("_base", "_early", "_watchers", "dead", "living", "names")

    def __init__(self, base: HeadBase) -> None:
        self._base = base
        self._watchers = Watchers()
        self._early: dict[ActorID, list[tuple[bytes, WatchActor | KillActor]]] = {}
        self.living: dict[ActorID, Actor] = {}
        self.dead: dict[ActorID, Actor] = {}
        self.names: dict[tuple[str, str], ActorID] = {}

    def get(self, actor: ActorID) -> Actor | None:
        return self.living.get(actor) or self.dead.get(actor)

    def named(self, namespace: str, name: str) -> Actor | None:
        id_ = self.names.get((namespace, name))
        return self.living[id_] if id_ is not None else None

    def add(self, actor: Actor) -> None:
        self.living[actor.id] = actor
        if actor.name is not None:
            self.names[actor.name] = actor.id

    def restore(self, actor: Actor) -> None:
        if actor.state is ActorState.DEAD:
            self.dead[actor.id] = actor
            return
        self.living[actor.id] = actor
        if actor.name is not None and not actor.stopping:
            self.names[actor.name] = actor.id

    def free_name(self, actor: Actor) -> None:
        if actor.name is not None and self.names.get(actor.name) == actor.id:
            del self.names[actor.name]

    def bury(self, actor: Actor) -> None:
        """Tell the watchers that it is dead, for the last time."""
        self.free_name(actor)
        actor.forget_what_it_needs()
        self.tell(actor)
        self._watchers.drop(actor.id)
        del self.living[actor.id]
        self.dead[actor.id] = actor
        if len(self.dead) > DEAD_REMEMBERED:
            oldest = next(iter(self.dead))
            del self.dead[oldest]
            self._base.changed("actor", oldest, None)

    # --- telling ------------------------------------------------------------------------------------------------------

    def answer(self, peer: bytes, actor: Actor, request: int) -> None:
        """Tell one peer the state, and from then on every change (a dead actor has none)."""
        if actor.state is not ActorState.DEAD:
            self._watchers.add(actor.id, peer)
        self._base.send(peer, actor.info(request))

    def tell(self, actor: Actor) -> None:
        for peer in self._watchers.of(actor.id):
            self._base.send(peer, actor.info())

    def forget_peer(self, peer: bytes) -> None:
        """Nobody is there any more to be told anything."""
        self._watchers.drop_peer(peer)

    # --- questions ----------------------------------------------------------------------------------------------------

    def find(self, sender: bytes, message: FindActor, now: float) -> None:
        actor = self.named(message.namespace, message.name)
        if actor is None:
            text = f"no living actor is named {message.name!r} in namespace {message.namespace!r}"
            self._base.send(sender, HeadError(message.request, "no_such_actor", text))
        else:
            self.answer(sender, actor, message.request)

    def list_named(self, sender: bytes, message: ListActors, now: float) -> None:
        names = [name for name in self.names if message.all_namespaces or name[0] == message.namespace]
        self._base.send(sender, NamedActors(message.request, names))

    def watch(self, sender: bytes, message: WatchActor, now: float) -> None:
        actor = self.get(message.actor)
        if actor is not None:
            self.answer(sender, actor, 0)
        else:
            self.keep_early(sender, message)

    # --- before the creation ------------------------------------------------------------------------------------------

    def keep_early(self, sender: bytes, message: WatchActor | KillActor) -> None:
        """``message`` is about an actor that is not known; its creation may be on its way."""
        gone = self._base.why_gone(owner_of(message.actor))
        if gone is None:
            self._early.setdefault(message.actor, []).append((sender, message))
        elif isinstance(message, WatchActor):
            text = f"actor {message.actor.hex()} died: its owner is gone ({gone})"
            fault = Fault(FaultKind.ACTOR_DIED, text, actor=message.actor)
            self._base.send(sender, ActorInfo(message.actor, ActorState.DEAD, fault=fault))

    def take_early(self, actor: ActorID) -> list[tuple[bytes, WatchActor | KillActor]]:
        return self._early.pop(actor, [])

    def owners_gone(self, prefix: bytes) -> None:
        """No creation comes from these any more (they are known to be gone by now): answer whoever waits for one."""
        for id_ in [id_ for id_ in self._early if id_.startswith(prefix)]:
            for sender, message in self._early.pop(id_):
                self.keep_early(sender, message)

    def all(self) -> list[Actor]:
        """The living and the dead that are remembered."""
        return [*self.living.values(), *self.dead.values()]

    def count_by_state(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for actor in self.all():
            counts[actor.state.name] = counts.get(actor.state.name, 0) + 1
        return counts

    def check(self) -> None:
        told = self._base.journal.told
        for id_, actor in [*self.living.items(), *self.dead.items()]:
            dead = actor.state is ActorState.DEAD
            assert dead is (id_ in self.dead) is not (id_ in self.living), f"half dead: {told(actor.what, id_)}"
            named = actor.name is not None and not dead and not actor.stopping
            assert named is (actor.name is not None and self.names.get(actor.name) == id_), (
                f"its name: {told(actor.what, id_)}"
            )
            assert not (dead and self._watchers.of(id_)), f"dead and watched: {told(actor.what, id_)}"
            assert id_ not in self._early, f"known, and its creation is waited for: {told(actor.what, id_)}"
        for name, id_ in self.names.items():
            assert self.living[id_].name == name, f"name {name} belongs to an actor that has another"
        self._watchers.check()

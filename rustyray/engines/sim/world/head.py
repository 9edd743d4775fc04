"""The head in a process of its own. When it dies, another one takes its place, with what it had written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rustyray.core.effects import Effect, Keep, Send
from rustyray.core.head import HeadCore, HeadLimits
from rustyray.model.messages import HEAD, Message

if TYPE_CHECKING:
    from rustyray.engines.sim.world.world import World

ADDRESS: Final = "sim:head"


class HeadHost:
    """The head's process. ``kept`` is what is written down, which outlives it."""

    me: Final = HEAD
    address: Final = ADDRESS

    def __init__(self, world: World, kept: dict[tuple[str, bytes], bytes] | None = None) -> None:
        self.world = world
        self.alive = True
        self.core = HeadCore(HeadLimits(), durable=True)
        self.kept = {} if kept is None else kept

    def start(self) -> None:
        """Go on where the one before has ended."""
        self.core.restore(list(self.kept.values()), self.now)
        self.carry_out()

    @property
    def now(self) -> float:
        return self.world.now

    def receive(self, peer: bytes, message: Message) -> None:
        self.core.on_message(peer, message, self.now)
        self.carry_out()

    def lost(self, peer: bytes, reason: str, reached: bool) -> None:
        self.core.on_peer_lost(peer, reason, self.now, reached)
        self.carry_out()

    def tick(self) -> None:
        self.core.on_time(self.now)
        self.carry_out()

    def next_deadline(self) -> float | None:
        return self.core.next_deadline()

    def check(self) -> None:
        self.core.check()

    @property
    def restless(self) -> bool:
        return False

    def carry_out(self) -> None:
        while self.core.out:
            effects = self.core.out[:]
            self.core.out.clear()
            for effect in effects:
                self.perform(effect)

    def perform(self, effect: Effect) -> None:
        match effect:
            case Send(to=to, message=message, address=address):
                self.world.send(self.me, to, message, address)
            case Keep(kind=kind, key=key, value=value):
                if value is None:
                    self.kept.pop((kind, key), None)
                else:
                    self.kept[kind, key] = value
            case _:
                raise TypeError(f"a head cannot do what its core asks for: {effect!r}")

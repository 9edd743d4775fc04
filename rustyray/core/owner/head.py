"""What a process has told the head, and does not know to have arrived: it is told again when the head was away."""

from __future__ import annotations

from typing import Final

from rustyray.core.effects import Effect, Send
from rustyray.core.owner.actors import Actors
from rustyray.core.owner.groups import Groups
from rustyray.core.owner.records import PUSHED
from rustyray.model.ids import ActorID
from rustyray.model.messages import HEAD, ActorInfo, ActorState, CreateActor, KillActor, WatchActor, WatchGroup

#: Seconds until the head is called again for the first time, and at most.
FIRST: Final = 0.05
MOST: Final = 1.0
#: So many of the last kills are remembered until they are known to have happened.
KILLS: Final = 256


class HeadLine:
    """The way to the head. The hosts make the connection; here it is known what has to be said on a new one."""

    def __init__(self, actors: Actors, groups: Groups, out: list[Effect]) -> None:
        self._actors = actors
        self._groups = groups
        self._out = out
        self._kills: dict[ActorID, KillActor] = {}
        self._delay = FIRST
        self._due: float | None = None

    def kill(self, message: KillActor) -> None:
        """Have an actor ended. (A kill that leaves it to restart is not said twice: it might hit the next start.)"""
        if message.no_restart:
            self._kills[message.actor] = message
            if len(self._kills) > KILLS:
                del self._kills[next(iter(self._kills))]
        self._out.append(Send(HEAD, message))

    def heard(self, info: ActorInfo) -> None:
        """The head is there."""
        self._delay = FIRST
        if info.state is ActorState.DEAD:
            self._kills.pop(info.actor, None)

    def lost(self, now: float) -> None:
        """The connection is gone, or could not be made."""
        if self._due is None:
            self._due = now + self._delay
            self._delay = min(2 * self._delay, MOST)

    def next_deadline(self) -> float | None:
        return self._due

    def on_time(self, now: float) -> None:
        if self._due is None or now < self._due:
            return
        self._due = None
        for link in self._actors.calls.links.values():
            creation = self._actors.creation_of(link)
            if creation is not None and link.spec is not None:
                if creation[0].state == PUSHED:
                    self._out.append(Send(HEAD, CreateActor(link.creating, link.spec, creation[1])))
            elif link.watching and link.state != ActorState.DEAD:
                self._out.append(Send(HEAD, WatchActor(link.actor)))
        for group in self._groups.awaited_groups():
            self._out.append(Send(HEAD, WatchGroup(group)))
        for kill in self._kills.values():
            self._out.append(Send(HEAD, kill))

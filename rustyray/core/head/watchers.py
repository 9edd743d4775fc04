"""Who wants to be told about which actor: both ways round, so that neither end's death costs a search."""

from __future__ import annotations

from rustyray.model.ids import ActorID


class Watchers:
    """Pairs of a peer and an actor, each at most once, in the order in which they were added."""

    __slots__ = ("_actors", "_peers")

    def __init__(self) -> None:
        self._peers: dict[ActorID, dict[bytes, None]] = {}
        self._actors: dict[bytes, dict[ActorID, None]] = {}

    def add(self, actor: ActorID, peer: bytes) -> None:
        self._peers.setdefault(actor, {})[peer] = None
        self._actors.setdefault(peer, {})[actor] = None

    def of(self, actor: ActorID) -> list[bytes]:
        return list(self._peers.get(actor, ()))

    def drop_actor(self, actor: ActorID) -> None:
        for peer in self._peers.pop(actor, ()):
            del self._actors[peer][actor]
            if not self._actors[peer]:
                del self._actors[peer]

    def drop_peer(self, peer: bytes) -> None:
        for actor in self._actors.pop(peer, ()):
            del self._peers[actor][peer]
            if not self._peers[actor]:
                del self._peers[actor]

    def check(self) -> None:
        forth = [(actor, peer) for actor, peers in self._peers.items() for peer in peers]
        back = [(actor, peer) for peer, actors in self._actors.items() for actor in actors]
        assert sorted(forth) == sorted(back), "the watchers' two lists differ"

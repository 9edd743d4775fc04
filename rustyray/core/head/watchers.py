"""Who wants to be told about which actor or group: both ways round, so that neither end's death costs a search."""

from __future__ import annotations


class Watchers:
    """Pairs of a peer and what it watches, each at most once, in the order in which they were added."""

    __slots__ = ("_peers", "_watched")

    def __init__(self) -> None:
        self._peers: dict[bytes, dict[bytes, None]] = {}
        self._watched: dict[bytes, dict[bytes, None]] = {}

    def add(self, subject: bytes, peer: bytes) -> None:
        self._peers.setdefault(subject, {})[peer] = None
        self._watched.setdefault(peer, {})[subject] = None

    def of(self, subject: bytes) -> list[bytes]:
        return list(self._peers.get(subject, ()))

    def drop(self, subject: bytes) -> None:
        for peer in self._peers.pop(subject, ()):
            del self._watched[peer][subject]
            if not self._watched[peer]:
                del self._watched[peer]

    def drop_peer(self, peer: bytes) -> None:
        for subject in self._watched.pop(peer, ()):
            del self._peers[subject][peer]
            if not self._peers[subject]:
                del self._peers[subject]

    def check(self) -> None:
        if not (self._peers or self._watched):
            return
        forth = [(subject, peer) for subject, peers in self._peers.items() for peer in peers]
        back = [(subject, peer) for peer, subjects in self._watched.items() for subject in subjects]
        assert sorted(forth) == sorted(back), "the watchers' two lists differ"

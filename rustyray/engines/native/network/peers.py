"""The links of a process by peer: the one on which it sends, and those that the peer has opened besides.

Two processes may connect to each other at the same moment. Then both links stay, and each side keeps sending on the
one it had first, so that its messages stay in order. A peer is lost as a whole, with all its links.
"""

from __future__ import annotations

from collections.abc import Callable

from rustyray.engines.native.network.link import Link


class Peers:
    """Whom the process has links with, and whom it has lost since the host was told (``wake`` has it told soon)."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        #: The link on which we send to each peer, maybe before its handshake is over.
        self.routes: dict[bytes, Link] = {}
        #: Established links that a peer opened to us while we had one.
        self._others: dict[bytes, list[Link]] = {}
        #: Peers that are gone, with the reason, until the host is told.
        self.lost: dict[bytes, str] = {}
        #: Those of them with whom there was no connection, while the host is told.
        self.unreached: set[bytes] = set()

    def established(self) -> list[bytes]:
        """The peers that have proven who they are."""
        return [peer for peer, link in self.routes.items() if link.established or peer in self._others]

    def add(self, link: Link) -> None:
        """Its peer has proven who it is."""
        if self.routes.setdefault(link.peer, link) is not link:
            self._others.setdefault(link.peer, []).append(link)

    def take(self, peer: bytes) -> list[Link]:
        """All links with the peer, which are ours no more."""
        return [self.routes.pop(peer), *self._others.pop(peer, ())]

    def replace(self, link: Link) -> Link | None:
        """A call of ours failed. If the peer has called us, what we had to say can go there; returns that link."""
        others = self._others.pop(link.peer, None)
        if others is None:
            del self.routes[link.peer]
            return None
        first = self.routes[link.peer] = others.pop(0)
        if others:
            self._others[link.peer] = others
        first.take_over(link)
        return first

    def lose(self, peer: bytes, reason: str, reached: bool = True) -> None:
        """The peer is gone; ``reached``: there was a connection with it."""
        if not reached and peer not in self.lost:
            self.unreached.add(peer)
        self.lost.setdefault(peer, reason)
        self._wake()

    def report(self, on_lost: Callable[[bytes, str], None]) -> None:
        """Tell the host of the losses, each once."""
        lost = dict(self.lost)
        self.lost.clear()
        for peer, reason in lost.items():
            on_lost(peer, reason)
            self.unreached.discard(peer)

    def clear(self) -> None:
        self.routes.clear()
        self._others.clear()
        self.lost.clear()

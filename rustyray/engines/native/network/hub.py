"""All connections of one process, behind one epoll.

    wait()  ── events ──►  process()  ──► accept, handshake, receive, decode  ──►  [(peer, message), …]
    send()  ── queue  ──►  flush()    ──► one system call per link with something to say

The host owns a lock and holds it around every call but `Hub.wait` and `Hub.wake`. Nothing here blocks but `wait`, and
nothing fails at once: a peer that cannot be reached, ends, or sends nonsense is reported through ``on_lost``, after
the messages that came from it before.

A peer is lost as a whole: when one of its links ends, what has arrived on the others is still read, and then they end
too, because messages may have gone with the first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, TypeAlias

from rustyray.engines.native.network.address import default_address
from rustyray.engines.native.network.greeter import Greeter, new_tls
from rustyray.engines.native.network.link import Ended, Link
from rustyray.engines.native.network.parting import Apart
from rustyray.engines.native.network.peers import Peers
from rustyray.engines.native.network.poller import READ, WRITE, Events
from rustyray.engines.native.network.sleeping import Sleep
from rustyray.model.ids import NodeID, WorkerID, node_of, short
from rustyray.wire.codec import decode, encode
from rustyray.wire.handshake import Credentials

if TYPE_CHECKING:
    import socket

    from rustyray.engines.native.network.bodies import Bodies
    from rustyray.engines.native.network.certificates import Certificates
    from rustyray.model.messages import Chunk, Message, Role

Received: TypeAlias = "list[tuple[bytes, Message]]"


class Hub:
    """The connections of one process; see the module.

    Args:
        role: what this process is, told to its peers.
        identity: its id, under which peers send to it.
        session: the session's id; peers of another session are refused.
        key: the session's secret.
        on_lost: called from `process` with a peer's identity and a sentence: it is gone, with what was queued for it.
        clock: seconds, monotonic.
        near: the node beside which it runs: that node and its workers are called at their Unix sockets, wherever else
            they listen.
        certificates: with them all TCP connections speak TLS; without, TCP goes no further than this machine.
    """

    def __init__(
        self,
        *,
        role: Role,
        identity: bytes,
        session: bytes,
        key: bytes,
        on_lost: Callable[[bytes, str], None],
        clock: Callable[[], float] = time.monotonic,
        near: NodeID = b"",
        certificates: Certificates | None = None,
    ) -> None:
        self._near = near
        self._me = Credentials(role, identity, session, key)
        #: Takes the bodies of chunks; without it they are refused.
        self.bodies: Bodies | None = None
        self._on_lost = on_lost
        self._clock = clock
        self._sleep = Sleep(clock)
        self._poller = self._sleep.poller
        self._waker = self._sleep.waker
        self._watched: dict[int, Callable[[], None]] = {self._waker.fd: self._waker.clear}
        self._links: dict[int, Link] = {}
        #: Descriptors of links that have received more than has been read: the poller does not know.
        self._unread: set[int] = set()
        self._greeter = Greeter(self._me, self._poller, self._links, clock, new_tls(certificates, self._read_on))
        self._peers = Peers(self._waker.set)
        self._routes = self._peers.routes
        self._lost = self._peers.lost
        self._dirty: list[Link] = []
        #: Links whose last flush failed. What has arrived on them is still to be read.
        self._broken: list[tuple[Link, Ended]] = []
        self._to_self: Received = []
        #: Peers with whom nothing is exchanged for now.
        self._apart: Apart | None = None
        self._closed = False

    # --- for the thread that waits, without a lock --------------------------------------------------------------------

    def wait(self, timeout: float | None) -> Events:
        """Sleep until something is ready, for at most ``timeout`` seconds (None: without end).

        Hand the result to `process`, an empty one too: deadlines are looked at there. Several threads may wait.
        """
        return self._sleep.wait(timeout, self._greeter.deadline)

    def wake(self) -> None:
        """Make a `wait` return, now or the next time. Any thread, ``__del__`` and signal handlers may call it.

        Several calls before the following `process` count as one: look at what you were woken for after `process`.
        """
        self._waker.set()

    # --- for the host, under its lock ---------------------------------------------------------------------------------

    def listen(self, sock: socket.socket) -> None:
        """Accept peers from ``sock``, which is bound, and belongs to the hub from now on."""
        self._watched[sock.fileno()] = lambda: self._greeter.accept(sock)
        self._greeter.listen(sock)

    def send(self, to: bytes, message: Message, address: str = "") -> None:
        """Queue ``message`` for peer ``to``, to go out with the next `flush`; connect to ``address`` if need be.

        Messages to this process itself come back from `process`; a peer that cannot be reached is lost.

        Raises:
            ValueError: the message is over the size limit.
        """
        link = self._routes.get(to)
        if link is None:
            link = self._find(to, message, address)
            if link is None:
                return
        link.push(encode(message))
        if not link.dirty:
            link.dirty = True
            self._dirty.append(link)

    def send_body(self, to: bytes, chunk: Chunk, body: memoryview) -> None:
        """Queue ``chunk`` and the bytes that it is about, behind all other messages; pulls take turns.

        The bytes stay as they are until they are sent.

        Who asked for them is connected, or gone.
        """
        link = self._routes.get(to)
        if link is not None:
            link.push_body(encode(chunk), body, chunk.pull)
            if not link.dirty:
                link.dirty = True
                self._dirty.append(link)

    def lend(self, to: bytes, message: Message, fd: int) -> None:
        """Send ``message`` at once, with a duplicate of descriptor ``fd``, to a peer that called us on a Unix socket.

        One that can not take it is dropped.
        """
        link = self._routes.get(to)
        if link is not None and not link.send_with(encode(message), fd):
            self.drop(to, "it does not take the descriptor that it asked for")

    def flush(self) -> None:
        """Give the kernel what is queued, as far as it takes it; the rest follows from `process` when it has room."""
        dirty = self._dirty
        if not dirty:
            return
        self._dirty = []
        for link in dirty:
            link.dirty = False
            if link.established and not link.writing:
                self._write(link)

    def process(self, events: Events) -> Received:
        """Do what ``events`` (from `wait`) ask for; return what has arrived as `(peer, message)`, in order per peer.

        The losses it reports belong after the messages that it returned before, and never before one that it returns.
        """
        if self._lost:
            self._peers.report(self._on_lost)
        received, self._to_self = self._to_self, []
        links = self._links
        if self._unread:
            unread, self._unread = self._unread, set()
            events = [*events, *((fd, READ) for fd in unread)]
        for fd, mask in events:
            link = links.get(fd)
            if link is None:
                callback = self._watched.get(fd)
                if callback is not None:
                    callback()
            elif not link.established:
                self._greet(link, self._greeter.greet)
            else:
                if mask != WRITE:
                    try:
                        link.receive(received, self.bodies)
                    except Ended as end:
                        self._end(link, end, received)
                        continue
                if mask & WRITE:
                    self._write(link)
        if self._broken:
            self._end_broken(received)
        deadline = self._greeter.deadline
        if deadline is not None and self._clock() >= deadline:
            for late in self._greeter.due():
                self._greet(late, self._greeter.hurry)
        if self._lost and not received:
            self._peers.report(self._on_lost)
        if self._lost:
            self._waker.set()
        return received

    def watch(self, fd: int, callback: Callable[[], None]) -> None:
        """Call ``callback`` from `process` while ``fd`` is readable.

        It may be called once too often (two threads waited, or ``fd`` has the number of an old one). It must not raise.
        """
        self._watched[fd] = callback
        self._poller.add(fd)

    def unwatch(self, fd: int) -> None:
        """Undo `watch`; call it before closing ``fd``."""
        del self._watched[fd]
        self._poller.remove(fd)

    def peers(self) -> list[bytes]:
        """The peers that are connected and have proven who they are."""
        return self._peers.established()

    def has_link(self, peer: bytes) -> bool:
        """Whether ``send(peer, …)`` needs no address: there is a connection, or one is being made."""
        return peer in self._routes

    def backlog(self, peer: bytes) -> int:
        """Bytes queued for ``peer`` that the kernel has not taken yet."""
        link = self._routes.get(peer)
        return link.queued if link is not None else 0

    @property
    def unreached(self) -> Collection[bytes]:
        """Of the peers that are being reported lost, those with whom there was no connection."""
        return self._peers.unreached

    @property
    def refused(self) -> int:
        """How many strangers were turned away."""
        return self._greeter.refused

    @property
    def last_refusal(self) -> str:
        """Why the last stranger was turned away."""
        return self._greeter.last_refusal

    def drop(self, peer: bytes, reason: str) -> None:
        """End all links with ``peer``, with what is queued and what has arrived; ``on_lost`` follows from `process`."""
        if peer in self._routes:
            for link in self._peers.take(peer):
                self._detach(link)
            self._peers.lose(peer, reason)

    def cut_off(self, nodes: Collection[NodeID], driver: WorkerID) -> None:
        """End all connections with these nodes and their workers, but for ``driver``, for a test."""
        for peer in [peer for peer in self._routes if node_of(peer) in nodes and peer != driver]:
            self.drop(peer, "a test has cut the connection")

    def keep_apart(self, nodes: Collection[NodeID], driver: WorkerID) -> None:
        """Exchange nothing with these nodes and their workers, but for ``driver``, until this is called without them.

        What is sent to them waits.
        """
        released = self._apart.release(self._poller) if self._apart is not None else []
        self._apart = apart = Apart(nodes, driver) if nodes else None
        for link in {*released, *(link for link in self._links.values() if link.established)}:
            if apart is not None and link.peer in apart:
                apart.hold(link, self._poller)
            elif link.fd >= 0:
                self._write(link)
            else:
                self._call(link)

    def close(self) -> None:
        """Close everything, with what is still queued; nobody is reported lost. Threads in `wait` return."""
        if not self._closed:
            self._closed = True
            for link in [*self._links.values()]:
                self._detach(link)
            self._greeter.close(keep_files=False)
            self._clear()
            self._sleep.close()

    def after_fork(self) -> None:
        """In a forked child: close the child's copies of everything; the parent and its peers notice nothing."""
        if not self._closed:
            self._closed = True
            # The poller itself is shared with the parent: nothing may be taken off it here.
            for link in self._links.values():
                link.sock.close()
            self._greeter.close(keep_files=True)
            self._clear()
            self._sleep.after_fork()

    def descriptors(self) -> set[int]:
        """Those of its connections, which a search for what a test has left takes for the runtime's own."""
        return {*self._links}

    # --- links, from the call or the knock to the end -----------------------------------------------------------------

    def _read_on(self, fd: int) -> None:
        self._unread.add(fd)
        self._waker.set()

    def _find(self, to: bytes, message: Message, address: str) -> Link | None:
        """A new link to ``to``; None if the message is settled without one."""
        if self._closed:
            raise RuntimeError("the hub is closed")
        if to == self._me.identity:
            self._to_self.append((to, decode(encode(message))))
            self._waker.set()
            return None
        if to in self._lost:
            # Its loss is about to be reported: this message is one of those that went with it.
            return None
        if not address:
            self._peers.lose(to, f"there is no connection to {short(to)}, and no address to reach it at")
            return None
        if self._near and node_of(to) == self._near:
            address = default_address(self._me.session, to)
        link = Link(to, address)
        if self._apart is not None and to in self._apart:
            self._apart.hold(link, self._poller)
            self._routes[to] = link
            return link
        try:
            self._greeter.call(link)
        except Ended as end:
            self._peers.lose(to, f"{link} {end}", reached=False)
            return None
        self._routes[to] = link
        if self._sleep.threads:
            # They do not know of the new deadline.
            self._waker.set()
        return link

    def _greet(self, link: Link, step: Callable[[Link], bool]) -> None:
        try:
            if not step(link):
                return
        except Ended as end:
            self._abandon(link, end)
            return
        self._peers.add(link)
        if self._apart is not None and link.peer in self._apart:
            self._apart.hold(link, self._poller)
        else:
            self._write(link)

    def _call(self, link: Link) -> None:
        """A call that has waited."""
        try:
            self._greeter.call(link)
        except Ended as end:
            self._abandon(link, end)

    def _detach(self, link: Link) -> None:
        if self._apart is not None:
            self._apart.forget(link, self._poller)
        self._greeter.detach(link)

    def _write(self, link: Link) -> None:
        try:
            done = link.flush()
        except Ended as end:
            self._broken.append((link, end))
            self._waker.set()
            return
        if link.writing is done:
            link.writing = not done
            self._poller.modify(link.fd, writing=not done)

    def _abandon(self, link: Link, end: Ended) -> None:
        """A call of ours failed. If the peer has called us, it is not lost."""
        other = self._peers.replace(link)
        if other is None:
            self._peers.lose(link.peer, f"{link} {end}", reached=False)
        else:
            self._write(other)

    def _end_broken(self, received: Received) -> None:
        broken, self._broken = self._broken, []
        for link, end in broken:
            if link.established:
                link.receive_last(received, self.bodies)
                self._end(link, end, received)

    def _end(self, link: Link, end: Ended, received: Received) -> None:
        """An established link has ended, and its peer with it; what has come from it still counts."""
        for each in self._peers.take(link.peer):
            if each.established and each is not link:
                each.receive_last(received, self.bodies)
            self._detach(each)
        self._peers.lose(link.peer, f"{link} {end}")

    def _clear(self) -> None:
        self._links.clear()
        self._peers.clear()
        self._dirty.clear()
        self._broken.clear()
        self._watched.clear()

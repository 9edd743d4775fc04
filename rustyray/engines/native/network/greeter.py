"""Connections that are not established yet: strangers at the door, and peers of whom we wait for an answer.

Until its handshake has succeeded a stranger costs little and gets nothing: a few may be there at once, for a few
seconds; about a hundred bytes are read from each (where TLS is spoken, what that needs), none of them as a message;
whoever fails is not told why.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from rustyray.engines.native.network import address as addresses
from rustyray.engines.native.network.link import Ended, Link
from rustyray.engines.native.network.poller import Poller
from rustyray.engines.native.processes import kernel
from rustyray.wire.handshake import NONCE_SIZE, ClientHandshake, Credentials, Handshake, ServerHandshake

if TYPE_CHECKING:
    from rustyray.engines.native.network.certificates import Certificates
    from rustyray.engines.native.network.tls import Tls

#: Strangers that may be there at once; more wait in the kernel until one is settled.
MAX_STRANGERS: Final = 64
#: Seconds that a stranger has to prove who it is.
STRANGER_PATIENCE: Final = 5.0
#: Seconds that a peer may take to answer our call. It may be busy; if it dies, that is seen at once.
ANSWER_PATIENCE: Final = 60.0
#: Seconds before each further call of a peer that hung up, or could not accept, before it had said anything.
REDIAL_DELAYS: Final = (0.02, 0.1, 0.5)
#: Seconds without accepting after the system could not give us a connection (no descriptors, no memory).
ACCEPT_PAUSE: Final = 0.1

_ACCEPTS_AT_ONCE: Final = 16
_UCRED: Final = struct.Struct("3i")


class Greeter:
    """Brings links to the end of their handshake, or ends them. ``links`` (by descriptor) is shared with the hub.

    With ``tls``, all that does not stay on this machine by its nature (a Unix socket does) is encrypted.
    """

    def __init__(
        self,
        me: Credentials,
        poller: Poller,
        links: dict[int, Link],
        clock: Callable[[], float],
        tls: Tls | None = None,
    ) -> None:
        self._me = me
        self._tls = tls
        self._poller = poller
        self._links = links
        self._clock = clock
        self._listeners: list[socket.socket] = []
        self._accepting = True
        self._resume_at: float | None = None
        #: Links and when to lose patience with them; for one without a connection: when to call again.
        self._pending: dict[Link, float] = {}
        #: When to ask `due`; maybe too early, never too late.
        self.deadline: float | None = None
        self.strangers = 0
        self.refused = 0
        self.last_refusal = ""

    def listen(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.listen(addresses.BACKLOG)
        self._listeners.append(sock)
        if self._accepting:
            self._poller.add(sock.fileno())

    def accept(self, sock: socket.socket) -> None:
        """Let a few of those who wait at ``sock`` in."""
        for _ in range(_ACCEPTS_AT_ONCE):
            if self.strangers >= MAX_STRANGERS:
                self._pause()
                return
            try:
                connection, _ = sock.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._refused(f"cannot accept a connection: {error.strerror or error}")
                kernel.tell_of_descriptors(error)
                self._pause()
                self._resume_at = self._clock() + ACCEPT_PAUSE
                self._note_deadline(self._resume_at)
                return
            if _is_other_user(connection):
                connection.close()
                self._refused("a process of another user connected")
                continue
            addresses.prepare(connection)
            link = Link()
            self._attach(link, connection, ServerHandshake(self._me, os.urandom(NONCE_SIZE)), server_side=True)
            self.strangers += 1
            self._expect(link, STRANGER_PATIENCE)

    def call(self, link: Link) -> None:
        """Connect ``link`` to its address. Raises `Ended` when that has failed for good."""
        try:
            handshake = ClientHandshake(self._me, link.peer, os.urandom(NONCE_SIZE))
            sock = addresses.connect(link.address, encrypted=self._tls is not None)
        except BlockingIOError:
            self._call_again(link, Ended("does not accept connections", early=True))
            return
        except (OSError, ValueError) as error:
            self.detach(link)
            if isinstance(error, OSError):
                kernel.tell_of_descriptors(error)
            why = getattr(error, "strerror", "") or error
            raise Ended(f"could not be reached at {link.address}: {why}") from error
        self._attach(link, sock, handshake, server_side=False)
        self._expect(link, ANSWER_PATIENCE)
        if sock.family == socket.AF_UNIX:
            self._advance(link)
        else:
            link.connecting = True
            self._poller.modify(link.fd, writing=True)

    def greet(self, link: Link) -> bool:
        """Go on with the handshake of ``link``; True when it has just succeeded.

        Raises:
            Ended: it was a call of ours, and it has failed for good.
        """
        if link.connecting:
            self._poller.modify(link.fd, writing=False)
        return self._advance(link)

    def due(self) -> list[Link]:
        """The links whose time has come: hand each to `hurry`."""
        now = self._clock()
        if self._resume_at is not None and now >= self._resume_at:
            self._resume_at = None
            self._resume()
        due = [link for link, deadline in self._pending.items() if deadline <= now]
        later = [deadline for deadline in self._pending.values() if deadline > now]
        if self._resume_at is not None:
            later.append(self._resume_at)
        self.deadline = min(later, default=None)
        return due

    def hurry(self, link: Link) -> bool:
        """As `greet`, for the last time: the peer had the time it may take. Or it is time to call again."""
        if link.fd < 0:
            self.call(link)
            return False
        if self.greet(link):
            return True
        if link in self._pending and link.fd >= 0:
            if link.address:
                self.detach(link)
                raise Ended(f"did not answer at {link.address} within {ANSWER_PATIENCE:g} s")
            self._turn_away(link, f"was silent for {STRANGER_PATIENCE:g} s")
        return False

    def detach(self, link: Link) -> None:
        """Take ``link`` off every list of ours and close its connection, if it has one."""
        if self._pending.pop(link, None) is not None:
            self._settled(link)
        if link.fd >= 0:
            del self._links[link.fd]
            self._poller.remove(link.fd)
            link.close()

    def close(self, keep_files: bool) -> None:
        """Close the listening sockets; in a forked child the files of the parent's stay."""
        for sock in self._listeners:
            if keep_files:
                sock.close()
            else:
                addresses.close_listener(sock)
        self._listeners.clear()
        self._pending.clear()
        self.deadline = None

    def _attach(self, link: Link, sock: socket.socket, handshake: Handshake, *, server_side: bool) -> None:
        if self._tls is None or sock.family == socket.AF_UNIX:
            link.attach(sock, handshake)
        else:
            tls = self._tls.wrap(sock, server_side)
            link.attach(tls, handshake, tls)

    def _advance(self, link: Link) -> bool:
        """Do the next steps of the handshake that need no waiting."""
        try:
            if link.greet() is None:
                return False
        except Ended as end:
            if link.address:
                self._call_again(link, end)
            else:
                self._turn_away(link, str(end))
            return False
        del self._pending[link]
        self._settled(link)
        return True

    def _call_again(self, link: Link, end: Ended) -> None:
        self.detach(link)
        if not end.early or link.attempts > len(REDIAL_DELAYS):
            raise end
        due = self._clock() + REDIAL_DELAYS[link.attempts - 1]
        link.attempts += 1
        self._pending[link] = due
        self._note_deadline(due)

    def _expect(self, link: Link, patience: float) -> None:
        self._links[link.fd] = link
        self._poller.add(link.fd)
        deadline = self._clock() + patience
        self._pending[link] = deadline
        self._note_deadline(deadline)

    def _note_deadline(self, deadline: float) -> None:
        if self.deadline is None or deadline < self.deadline:
            self.deadline = deadline

    def _settled(self, link: Link) -> None:
        if not link.address:
            self.strangers -= 1
            if self._resume_at is None:
                self._resume()
        if not self._pending and self._resume_at is None:
            self.deadline = None

    def _turn_away(self, link: Link, reason: str) -> None:
        self.detach(link)
        self._refused(f"a stranger {reason}")

    def _refused(self, reason: str) -> None:
        self.refused += 1
        self.last_refusal = reason

    def _pause(self) -> None:
        if self._accepting:
            self._accepting = False
            for sock in self._listeners:
                self._poller.remove(sock.fileno())

    def _resume(self) -> None:
        if not self._accepting:
            self._accepting = True
            for sock in self._listeners:
                self._poller.add(sock.fileno())


def new_tls(certificates: Certificates | None, unread: Callable[[int], None]) -> Tls | None:
    """What connections are encrypted with, if they are."""
    if certificates is None:
        return None
    from rustyray.engines.native.network.tls import Tls  # takes a while, and most runtimes do without

    return Tls(certificates, unread)


def _is_other_user(connection: socket.socket) -> bool:
    """Whether somebody else is at the other end. (Where no kernel tells, the directory's mode keeps them out.)"""
    if sys.platform != "linux" or connection.family != socket.AF_UNIX:
        return False
    _, user, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return bool(user != os.geteuid())

"""Refs of others' objects that were passed on, until their owners have acknowledged that they know who has got them.

So long they are held here: an owner that has not heard of the receiver yet must not think that nobody has the object.
"""

from __future__ import annotations

from collections.abc import Callable

from rustyray.core.effects import Effect, Send
from rustyray.model.ids import WORKER_ID_SIZE, ObjectID, WorkerID
from rustyray.model.messages import BorrowAck, BorrowAdd
from rustyray.model.values import RefInfo


class PassedOn:
    """The open `BorrowAdd`\\ s. ``hold`` and ``release`` count what keeps an object here."""

    __slots__ = ("_hold", "_number", "_open", "_out", "_release")

    def __init__(
        self, out: list[Effect], hold: Callable[[ObjectID, str], object], release: Callable[[ObjectID], None]
    ) -> None:
        self._out = out
        self._hold = hold
        self._release = release
        #: By request: the owner that was told, of whom, and of which objects.
        self._open: dict[int, tuple[WorkerID, WorkerID, list[RefInfo]]] = {}
        self._number = 0

    def __bool__(self) -> bool:
        return bool(self._open)

    def tell(self, borrower: WorkerID, infos: list[RefInfo]) -> None:
        """Tell the owners, and hold the refs until they have acknowledged it."""
        by_owner: dict[WorkerID, list[RefInfo]] = {}
        for info in infos:
            by_owner.setdefault(info.object[:WORKER_ID_SIZE], []).append(info)
        for owner, theirs in by_owner.items():
            self._number += 1
            for info in theirs:
                self._hold(info.object, info.owner_address)
            self._open[self._number] = (owner, borrower, theirs)
            self._send(self._number)

    def _send(self, request: int) -> None:
        owner, borrower, infos = self._open[request]
        told = BorrowAdd(request, borrower, [info.object for info in infos])
        self._out.append(Send(owner, told, infos[0].owner_address))

    def on_ack(self, message: BorrowAck) -> None:
        open_ = self._open.pop(message.request, None)
        if open_ is not None:
            for info in open_[2]:
                self._release(info.object)

    def awaits(self, owner: WorkerID) -> bool:
        return any(told == owner for told, _, _ in self._open.values())

    def tell_again(self, owner: WorkerID) -> None:
        """An owner that got the first counts the second one, too: the object may live until the borrower is gone."""
        for request, (told, _, _) in self._open.items():
            if told == owner:
                self._send(request)

    def end(self, owners: bytes) -> None:
        """The owner, or all owners on a node, will not acknowledge anything."""
        for request, (owner, _, infos) in list(self._open.items()):
            if owner.startswith(owners):
                del self._open[request]
                for info in infos:
                    self._release(info.object)

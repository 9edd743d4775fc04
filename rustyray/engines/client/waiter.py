"""``Waiter``: whoever waits, for values or for an answer; ``Waiting``: all of a process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from rustyray.core.owner import OwnerCore
from rustyray.model.messages import (
    ActorInfo,
    ClusterDescription,
    EntryAnswer,
    GroupInfo,
    GroupList,
    HeadError,
    Inspected,
    Message,
    NamedActors,
    StoreCreated,
    StoreFailed,
    StorePinned,
    StoreUnpin,
)
from rustyray.model.values import Failed, Fault

if TYPE_CHECKING:
    from rustyray.engines.client.ports import Hub

_REPLIES: Final = (
    StoreCreated,
    StoreFailed,
    StorePinned,
    NamedActors,
    ClusterDescription,
    GroupList,
    EntryAnswer,
    Inspected,
)


class Waiter:
    """A thread (or a callback) that waits until ``need`` things have happened, or one of them failed."""

    __slots__ = ("callback", "done", "gate", "need", "reply", "stop_at_error")

    def __init__(self, need: int = 1, stop_at_error: bool = False, callback: Callable[[], None] | None = None) -> None:
        self.need = need
        self.stop_at_error = stop_at_error
        self.callback = callback
        self.done = False
        self.gate: Any = None
        self.reply: Message | None = None


class Waiting(ABC):
    """Who of a process waits for which objects and answers, and which refs and views its program has dropped.

    All of it is guarded by the process' lock, except that anybody may append to ``dropped`` and ``unpinned``.
    """

    core: OwnerCore
    hub: Hub

    def __init__(self, handlers: dict[type, Callable[[bytes, Any, float], None]]) -> None:
        self.handlers = handlers
        self.dropped: deque[bytes] = deque()
        self.unpinned: deque[bytes] = deque()
        #: By object.
        self.waiting: dict[bytes, list[Waiter]] = {}
        #: By number of the request.
        self.replies: dict[int, Waiter] = {}
        self._request = 0
        for kind in _REPLIES:
            handlers.setdefault(kind, self._on_reply)
        for answer in (ActorInfo, GroupInfo, HeadError):
            handlers.setdefault(answer, self._on_answer)

    @abstractmethod
    def finish(self, waiter: Waiter) -> None:
        """What ``waiter`` waited for has happened."""

    def settle(self) -> None:
        """Count off refs and views that the program dropped since the last time."""
        dropped = self.dropped
        if dropped:
            gone = []
            while dropped:
                gone.append(dropped.popleft())
            self.core.drop(gone)
        if self.unpinned:
            views = []
            while self.unpinned:
                views.append(self.unpinned.popleft())
            self.hub.send(self.core.refs.node, StoreUnpin(views))

    def watch(self, object_: bytes, waiter: Waiter) -> None:
        """``waiter`` waits for this object, which has no value yet."""
        waiters = self.waiting.get(object_)
        if waiters is None:
            self.waiting[object_] = [waiter]
        else:
            waiters.append(waiter)

    def unwatch(self, objects: Iterable[bytes], waiter: Waiter) -> None:
        """It does not wait for these any more."""
        for object_ in objects:
            waiters = self.waiting.get(object_)
            if waiters is not None and waiter in waiters:
                waiters.remove(waiter)
                if not waiters:
                    del self.waiting[object_]

    def on_ready(self, objects: Iterable[bytes]) -> None:
        """These objects have a value, or an error."""
        for object_ in objects:
            waiters = self.waiting.pop(object_, None)
            if waiters is None:
                continue
            for waiter in waiters:
                if waiter.done:
                    continue
                waiter.need -= 1
                if waiter.need <= 0 or (waiter.stop_at_error and self._is_error(object_)):
                    self.finish(waiter)

    def _is_error(self, object_: bytes) -> bool:
        entry = self.core.objects.get(object_)
        return entry is None or isinstance(entry.value, Failed | Fault)

    def expect(self) -> tuple[int, Waiter]:
        """A new request number and the waiter for its reply."""
        self._request += 1
        waiter = self.replies[self._request] = Waiter()
        return self._request, waiter

    def forget(self, request: int) -> None:
        """Nobody waits for the reply any more."""
        self.replies.pop(request, None)

    def _on_reply(self, peer: bytes, message: Any, now: float) -> None:
        waiter = self.replies.pop(message.request, None)
        if waiter is not None:
            waiter.reply = message
            self.finish(waiter)

    def _on_answer(self, peer: bytes, message: ActorInfo | GroupInfo | HeadError, now: float) -> None:
        self.core.on_message(peer, message, now)
        if message.request:
            self._on_reply(peer, message, now)

    def fail_requests(self) -> None:
        """Whoever would answer is gone: every request ends without a reply."""
        replies, self.replies = self.replies, {}
        for waiter in replies.values():
            self.finish(waiter)

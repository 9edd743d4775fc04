"""Large values: written to and read from the node's arena, with the node's say-so.

Write: ask for an extent, copy the value there, seal it. Read: ask for a pin, map the extent read-only, and give the pin
back when the last view of it dies. A value of up to ``INLINE_MAX`` bytes never comes here.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from functools import partial
from typing import Any

from rustyray.engines.client.layout import layout_size
from rustyray.engines.client.ports import Arena, Pump
from rustyray.engines.client.waiter import Waiter
from rustyray.model.ids import NodeID, ObjectID
from rustyray.model.messages import (
    StoreAbort,
    StoreCreate,
    StoreCreated,
    StoreFailed,
    StorePin,
    StorePinAll,
    StorePinned,
    StoreSeal,
    StoreUnpin,
)
from rustyray.model.values import Fault, FaultKind, Stored, Value
from rustyray.runtime.serialization import Serialized, ref_infos


class Store:
    """This process' access to its node's arena."""

    def __init__(self, arena: Arena, node: NodeID, pump: Pump) -> None:
        self.arena = arena
        self.node = node
        self.pump = pump

    def write(self, object_: ObjectID, serialized: Serialized, attempt: int = 0) -> Value:
        """Put a value into the arena under ``object_``; what stands for it. A `Fault` says why it could not be."""
        pump = self.pump
        size = layout_size(serialized)
        with pump.lock:
            number, waiter = pump.expect()
            pump.hub.send(self.node, StoreCreate(number, object_, size, attempt))
            pump.flush()
        try:
            pump.wait(waiter, None)
        except BaseException:
            self._tell(StoreAbort(object_))  # the task was cancelled; the answer finds nobody
            raise
        reply = waiter.reply
        if isinstance(reply, StoreFailed):
            return reply.fault
        if not isinstance(reply, StoreCreated):
            return Fault(FaultKind.SYSTEM, "the node process is gone, and its object store with it")
        try:
            self.arena.write(reply.offset, serialized, touched=reply.touched >= size)
        except OSError as error:
            self._tell(StoreAbort(object_))
            if error.errno not in (errno.ENOSPC, errno.ENOMEM, errno.EFBIG):
                raise
            return Fault(
                FaultKind.STORE_FULL,
                f"the system has no memory left for an object of {size} bytes: {error} "
                "(a smaller object_store_memory, or a larger /dev/shm or memory limit, helps)",
            )
        except BaseException:
            self._tell(StoreAbort(object_))
            raise
        self._tell(StoreSeal(object_))
        return Stored(self.node, size, ref_infos(serialized.refs), attempt)

    def _tell(self, message: StoreSeal | StoreAbort) -> None:
        with self.pump.lock:
            self.pump.hub.send(self.node, message)
            self.pump.hub.flush()

    def pin(self, objects: Mapping[ObjectID, Stored]) -> dict[ObjectID, StorePinned | Fault]:
        """Pin objects, all asked for at once; the node brings here what lies elsewhere."""
        pump = self.pump
        waiters: list[tuple[ObjectID, Waiter]] = []
        pins: list[StorePin] = []
        with pump.lock:
            for object_, stored in objects.items():
                number, waiter = pump.expect()
                pins.append(StorePin(number, object_, stored.node, stored.size, stored.attempt))
                waiters.append((object_, waiter))
            pump.settle()  # what is not mapped any more makes room
            pump.hub.send(self.node, pins[0] if len(pins) == 1 else StorePinAll(pins))
            pump.flush()
        pinned: dict[ObjectID, StorePinned | Fault] = {}
        try:
            for _, waiter in waiters:
                pump.wait(waiter, None)
        except BaseException:
            self._forsake(waiters)
            raise
        for object_, waiter in waiters:
            reply = waiter.reply
            if isinstance(reply, StorePinned):
                pinned[object_] = reply
            elif isinstance(reply, StoreFailed):
                pinned[object_] = reply.fault
            else:
                pinned[object_] = Fault(FaultKind.SYSTEM, "the node process is gone, and its object store with it")
        return pinned

    def _forsake(self, waiters: list[tuple[ObjectID, Waiter]]) -> None:
        """The task was cancelled while it waited for these pins: give back those that it got, and those to come."""
        with self.pump.lock:
            for object_, waiter in waiters:
                if waiter.done:
                    self._unpin_granted(object_, waiter)
                else:
                    waiter.callback = partial(self._unpin_granted, object_, waiter)

    def _unpin_granted(self, object_: ObjectID, waiter: Waiter) -> None:
        if isinstance(waiter.reply, StorePinned):
            self.pump.unpinned.append(object_)

    def unpin(self, pins: Mapping[ObjectID, StorePinned | Fault]) -> None:
        """Give back pins that will not be loaded."""
        self.pump.unpinned.extend(object_ for object_, pinned in pins.items() if isinstance(pinned, StorePinned))

    def load(self, object_: ObjectID, pinned: StorePinned) -> Any:
        """The value behind a pin; the pin goes when the value's last view does."""
        unpinned = self.pump.unpinned
        try:
            return self.arena.read(pinned.offset, pinned.size, lambda: unpinned.append(object_))
        except OSError:
            with self.pump.lock:
                self.pump.hub.send(self.node, StoreUnpin([object_]))
            raise

"""A task that is cancelled while it waits for the store leaves nothing pinned and nothing half written."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, cast

import pytest

from rustyray.engines.client.ports import Pump
from rustyray.engines.client.store import Store
from rustyray.engines.client.waiter import Waiter
from rustyray.model.messages import Message, StoreAbort, StoreCreate, StorePinAll, StorePinned
from rustyray.model.values import Stored
from rustyray.runtime.serialization import Serialized


class Interrupting:
    """A pump whose waits are interrupted, from the ``patience``-th on; earlier ones are answered with a pin."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.lock = threading.Lock()
        self.unpinned: deque[bytes] = deque()
        self.waiters: list[Waiter] = []
        self.sent: list[Message] = []
        self.hub = self

    def expect(self) -> tuple[int, Waiter]:
        self.waiters.append(Waiter())
        return len(self.waiters), self.waiters[-1]

    def send(self, to: bytes, message: Message) -> None:
        self.sent.append(message)

    def flush(self) -> None:
        pass

    def settle(self) -> None:
        pass

    def wait(self, waiter: Waiter, deadline: float | None) -> bool:
        number = self.waiters.index(waiter)
        if number >= self.patience:
            raise KeyboardInterrupt
        self.answer(number)
        return True

    def answer(self, number: int) -> None:
        waiter = self.waiters[number]
        waiter.reply = StorePinned(number + 1, 0, 4096)
        waiter.done = True
        if waiter.callback is not None:
            waiter.callback()


def access(patience: int) -> tuple[Store, Interrupting]:
    pump = Interrupting(patience)
    return Store(cast("Any", None), b"node", cast("Pump", pump)), pump


def test_pins_are_given_back_those_that_were_granted_and_those_to_come() -> None:
    store, pump = access(1)
    with pytest.raises(KeyboardInterrupt):
        store.pin({name: Stored(b"node", 4) for name in (b"one", b"two", b"three")})
    [message] = pump.sent
    assert isinstance(message, StorePinAll)
    assert [pin.object for pin in message.pins] == [b"one", b"two", b"three"]
    assert list(pump.unpinned) == [b"one"]
    pump.answer(2)
    assert list(pump.unpinned) == [b"one", b"three"]


def test_an_object_that_was_to_be_written_is_aborted() -> None:
    store, pump = access(0)
    with pytest.raises(KeyboardInterrupt):
        store.write(b"object", Serialized(b"data", (), (), 4))
    assert [type(message) for message in pump.sent] == [StoreCreate, StoreAbort]


def test_pins_that_are_not_loaded_are_given_back() -> None:
    store, pump = access(9)
    pins = store.pin({name: Stored(b"node", 4) for name in (b"one", b"two")})
    store.unpin(pins)
    assert list(pump.unpinned) == [b"one", b"two"]

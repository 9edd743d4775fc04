"""Threads that wait at a hub: woken, several at once, until when."""

from __future__ import annotations

import os
import threading

import pytest

from rustyray.model.messages import BorrowAck
from tests.integration.hub.hubs import Node, acks, connected, turn_until


def test_a_wake_from_another_thread_ends_the_wait(pair: tuple[Node, Node]) -> None:
    a, _ = pair
    for _ in range(3):
        threading.Thread(target=a.hub.wake).start()
        events = a.hub.wait(20.0)
        assert len(events) == 1
        a.hub.wake()
        a.hub.wake()
        assert a.hub.process(events) == []
        assert a.hub.wait(0.0) == []


def test_two_threads_may_wait_and_both_process_the_same_events(pair: tuple[Node, Node]) -> None:
    a, b = pair
    connected(a, b)
    b.send(a, BorrowAck(1))
    events = a.hub.wait(20.0)
    assert a.hub.process(events) == [(b.id, BorrowAck(1))]
    assert a.hub.process(events) == []
    b.hub.close()
    events = a.hub.wait(20.0)
    a.log += a.hub.process(events)
    a.log += a.hub.process(events)
    assert len(a.lost(b)) == 1


def test_two_threads_that_wait_and_process_in_turn_lose_nothing(pair: tuple[Node, Node]) -> None:
    a, b = pair
    connected(a, b)
    lock = threading.Lock()
    total = 3000

    def lead() -> None:
        while len(a.got(b)) < total:
            events = a.hub.wait(0.05)
            with lock:
                a.log += a.hub.process(events)

    threads = [threading.Thread(target=lead) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(total):
        b.send(a, BorrowAck(number))
        if number % 100 == 0:
            a.hub.wake()
    turn_until(lambda: not any(thread.is_alive() for thread in threads), b)
    assert a.got(b) == acks(*range(total))


def test_a_timeout_that_has_passed_is_no_wait(pair: tuple[Node, Node]) -> None:
    a, _ = pair
    assert a.hub.wait(-1.0) == []


def test_closing_ends_the_waits_of_other_threads(pair: tuple[Node, Node]) -> None:
    a, b = pair
    connected(a, b)
    results: list[object] = []
    threads = [threading.Thread(target=lambda: results.append(a.hub.wait(None))) for _ in range(3)]
    for thread in threads:
        thread.start()
    a.hub.close()
    a.hub.close()
    for thread in threads:
        thread.join(20)
    assert len(results) == 3
    assert a.hub.wait(None) == []
    a.hub.wake()
    with pytest.raises(RuntimeError, match="the hub is closed"):
        a.hub.send(b.id, BorrowAck(1), b.address)


def test_other_descriptors_are_watched(pair: tuple[Node, Node]) -> None:
    a, _ = pair
    readable, writable = os.pipe()
    seen: list[bytes] = []
    a.hub.watch(readable, lambda: seen.append(os.read(readable, 10)))
    a.turn()
    os.write(writable, b"now")
    a.turn(20.0)
    assert seen == [b"now"]
    a.hub.unwatch(readable)
    os.write(writable, b"never")
    a.turn()
    assert seen == [b"now"]
    os.close(readable)
    os.close(writable)

"""A hub that is kept apart from a node: what they send each other waits, and nobody is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rustyray.engines.native.network import sleeping
from rustyray.engines.native.network.poller import SelectorPoller
from rustyray.model.ids import node_of
from tests.integration.hub.hubs import Node, acks, connected, nodes, turn_until


@pytest.fixture(params=["epoll", "selectors"])
def three(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Node, Node, Node]]:
    if request.param == "selectors":
        monkeypatch.setattr(sleeping, "new_poller", SelectorPoller)
    with nodes("a", "b", "c") as (a, b, c):
        yield a, b, c


def test_what_is_sent_meanwhile_arrives_in_order_when_it_is_over(three: tuple[Node, Node, Node]) -> None:
    a, b, c = three
    connected(a, b)
    a.hub.keep_apart([node_of(b.id)], b"")
    a.send(b, *acks(1, 2))
    b.send(a, *acks(3))
    a.send(c, *acks(4))
    b.send(c, *acks(5))
    turn_until(lambda: c.got(a) and c.got(b), a, b, c)  # others are reached
    a.send(b, *acks(6))
    turn_until(lambda: b.hub.has_link(a.id), a, b)
    before = len(b.got(a)), len(a.got(b))
    a.hub.keep_apart([], b"")
    turn_until(lambda: len(b.got(a)) == before[0] + 3 and len(a.got(b)) == before[1] + 1, a, b)
    assert b.got(a)[before[0] :] == acks(1, 2, 6)
    assert a.got(b)[before[1] :] == acks(3)
    assert not a.lost(b)
    assert not b.lost(a)


def test_a_connection_that_is_made_meanwhile_carries_nothing_before_it_is_over(
    three: tuple[Node, Node, Node],
) -> None:
    a, b, c = three
    a.hub.keep_apart([node_of(b.id), node_of(c.id)], b"")
    a.send(b, *acks(1))  # called when it is over
    c.send(a, *acks(2))  # received when it is over
    turn_until(lambda: a.id in c.hub.peers(), a, c)
    for _ in range(20):
        a.turn()
        b.turn()
        c.turn()
    assert not b.log
    assert not a.log
    a.hub.keep_apart([node_of(b.id)], b"")
    turn_until(lambda: a.got(c) == acks(2), a, c)
    assert not b.log
    a.hub.keep_apart([], b"")
    turn_until(lambda: b.got(a) == acks(1), a, b)


def test_a_call_that_waited_too_long_is_lost(three: tuple[Node, Node, Node]) -> None:
    a, b, _ = three
    a.hub.keep_apart([node_of(b.id)], b"")
    a.send(b, *acks(1))
    b.close()
    a.turn()
    assert not a.log
    a.hub.keep_apart([], b"")
    turn_until(lambda: bool(a.lost(b)), a)


def test_the_driver_is_on_no_side(three: tuple[Node, Node, Node]) -> None:
    a, b, _ = three
    a.hub.keep_apart([node_of(b.id)], b.id)
    a.send(b, *acks(1))
    b.send(a, *acks(2))
    turn_until(lambda: b.got(a) == acks(1) and a.got(b) == acks(2), a, b)


def test_who_is_kept_apart_can_be_dropped(three: tuple[Node, Node, Node]) -> None:
    a, b, c = three
    connected(a, b)
    a.hub.keep_apart([node_of(b.id), node_of(c.id)], b"")
    a.send(c, *acks(1))  # not called yet
    a.hub.drop(b.id, "enough")
    a.hub.drop(c.id, "enough")
    turn_until(lambda: a.lost(b) == a.lost(c) == ["enough"], a)
    turn_until(lambda: bool(b.lost(a)), b)
    a.hub.keep_apart([], b"")
    a.turn()
    assert not c.log

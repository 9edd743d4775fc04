"""Hubs of several processes: forks, kills, descriptors, and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing

import pytest

from rustyray.model.messages import BorrowAck
from tests.integration.hub.hubs import Node, RawPeer, acks, blob, connected, nodes, turn_until


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_closes_its_copies_and_nobody_notices(pair: tuple[Node, Node]) -> None:
    a, b = pair
    connected(a, b)
    before = _descriptors()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            a.hub.after_fork()
            b.hub.after_fork()
            status = 0 if before - _descriptors() >= 8 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    a.send(b, BorrowAck(1))
    turn_until(lambda: b.got(a) == acks(0, 1), a, b)
    with closing(Node("c")) as c:
        connected(c, a)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_processes_that_all_call_each_other_at_once_and_one_is_killed() -> None:
    everybody = [Node(f"process {number}").listen() for number in range(4)]
    children = []
    for me in everybody:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                others = [node for node in everybody if node is not me]
                for node in others:
                    node.hub.after_fork()
                status = _talk_until_one_is_killed(me, others)
            finally:
                os._exit(status)
        children.append(child)
    for node in everybody:
        node.hub.after_fork()
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0, -signal.SIGKILL]


def _talk_until_one_is_killed(me: Node, others: list[Node]) -> int:
    count = 300
    for number in range(count):
        for other in others:
            me.send(other, blob(number * 97 % 5000), BorrowAck(number))
        me.turn()
    turn_until(lambda: all(len(me.got(other)) >= 2 * count for other in others), me)
    assert all(me.got(other)[1 : 2 * count : 2] == acks(*range(count)) for other in others)
    for other in others:
        me.send(other, BorrowAck(-1))
    turn_until(lambda: all(me.got(other)[-1] == BorrowAck(-1) or me.lost(other) for other in others), me)
    if me.id.startswith(b"process 3"):
        turn_until(lambda: not any(me.hub.backlog(other.id) for other in others), me)
        os.kill(os.getpid(), signal.SIGKILL)
    turn_until(lambda: all(len(me.lost(other)) == 1 for other in others if other.id.startswith(b"process 3")), me)
    return 0


def test_closed_hubs_leave_no_descriptors() -> None:
    before = _descriptors()
    for _ in range(20):
        with nodes("a", "b") as (a, b):
            connected(a, b)
            b.send(a, BorrowAck(1))
            RawPeer(a).close()
    assert _descriptors() == before


def test_no_descriptor_is_inheritable(pair: tuple[Node, Node]) -> None:
    before = {int(name) for name in os.listdir("/dev/fd")}
    with nodes("c", "d") as (c, d):
        connected(c, d)
        made = {int(name) for name in os.listdir("/dev/fd")} - before
        found = [os.get_inheritable(fd) for fd in made if _is_open(fd)]
        assert len(found) >= 6
        assert not any(found)


def test_a_closed_peer_does_not_raise_sigpipe() -> None:
    program = """
import signal
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
from rustyray.model.messages import BorrowAck
from tests.integration.hub.hubs import connected, nodes, turn_until
with nodes("a", "b") as (a, b):
    connected(a, b)
    b.hub.close()
    a.send(b, BorrowAck(1))
    a.send(b, BorrowAck(2))
    turn_until(lambda: a.lost(b), a)
print("alive")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


def _descriptors() -> int:
    return len(os.listdir("/dev/fd"))


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True

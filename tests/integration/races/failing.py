"""Races that crashes, retries and time-outs bring about."""

from __future__ import annotations

import contextlib
import time

import rustyray
from rustyray.exceptions import GetTimeoutError, OwnerDiedError, RayActorError, WorkerCrashedError
from tests.integration.races.races import Cell, Cells, race


@rustyray.remote(num_cpus=0)
class Once:
    """Does the same thing once, however often it is asked to."""

    def __init__(self) -> None:
        self.done: set[str] = set()
        self.count = 0

    def do(self, key: str) -> None:
        if not key or key not in self.done:
            self.done.add(key)
            self.count += 1

    def times(self) -> int:
        return self.count


Onces = rustyray.ActorHandle[Once]


@rustyray.remote(max_retries=3)
def pay(account: Onces, key: str) -> None:
    rustyray.get(account.do.remote(key))


@race(faults="crash")
def retry_with_a_side_effect(right: bool) -> None:
    account = Once.remote()
    with contextlib.suppress(RayActorError):  # another story
        rustyray.get(pay.remote(account, "payment 1" if right else ""))
        assert rustyray.get(account.times.remote()) == 1


@rustyray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)
class Restarted:
    def __init__(self) -> None:
        self.items: list[int] = []

    def add(self, item: int) -> None:
        if item not in self.items:
            self.items.append(item)

    def get(self) -> list[int]:
        return sorted(self.items)


@race(faults="crash")
def restart_loses_the_state(right: bool) -> None:
    cell = Restarted.remote()
    for item in range(2):
        rustyray.get(cell.add.remote(item))
    while right and (missing := {0, 1} - set(rustyray.get(cell.get.remote()))):
        for item in sorted(missing):
            rustyray.get(cell.add.remote(item))
    if not right:
        assert rustyray.get(cell.get.remote()) == [0, 1]


@rustyray.remote
def transfer(one: Onces, other: Onces, right: bool) -> None:
    rustyray.get(one.do.remote("t" if right else ""))
    rustyray.get(other.do.remote("t" if right else ""))


@race(faults="crash")
def half_of_a_transfer(right: bool) -> None:
    """Who gives up in the middle must undo, or go on to the end."""
    one, other = Once.remote(), Once.remote()
    with contextlib.suppress(RayActorError):
        with contextlib.suppress(WorkerCrashedError):
            rustyray.get(transfer.options(max_retries=-1 if right else 0).remote(one, other, right))
        assert rustyray.get(one.times.remote()) == rustyray.get(other.times.remote())


@rustyray.remote
def produce(right: bool) -> object:
    return [1] if right else [rustyray.put(1)]


@race(faults="crash")
def ref_outlives_its_owner(right: bool) -> None:
    """What a worker has put is gone with the worker."""
    try:
        made = rustyray.get(produce.options(max_retries=-1).remote(right))
        assert isinstance(made, list)
        assert (made[0] if right else rustyray.get(made[0])) == 1
    except OwnerDiedError:
        raise AssertionError("the object is gone") from None


@race(faults="delay")
def sent_again_after_a_timeout(right: bool) -> None:
    account = Once.remote()
    rustyray.get(account.times.remote())
    key = "payment 1" if right else ""
    sent = account.do.remote(key)
    try:
        rustyray.get(sent, timeout=0.5)
    except GetTimeoutError:
        rustyray.get(account.do.remote(key))
    assert rustyray.get(account.times.remote()) == 1


@rustyray.remote
def slow(number: int) -> int:
    time.sleep(0.1)
    return number


@race(faults="delay")
def late_taken_for_lost(right: bool) -> None:
    refs = [slow.options(num_cpus=0.5).remote(number) for number in range(2)]
    done, _ = rustyray.wait(refs, num_returns=2, timeout=None if right else 1.0)
    assert sum(rustyray.get(done)) == 1


@rustyray.remote(num_cpus=0)
class Election:
    """Leases for half a second. A token tells later leaders from earlier ones."""

    def __init__(self) -> None:
        self.until = 0.0
        self.leader = 0
        self.token = 0
        self.written: list[int] = []

    def lead(self, who: int) -> int:
        """The token of the leader; 0 for those who are not."""
        now = time.monotonic()
        if now >= self.until and self.leader != who:
            self.leader = who
            self.token += 1
        if self.leader != who:
            return 0
        self.until = now + 0.5
        return self.token

    def write(self, who: int, token: int, fenced: bool) -> None:
        if not fenced or token == self.token:
            self.written.append(self.token - token)

    def stale_writes(self) -> int:
        return sum(1 for late in self.written if late)


@rustyray.remote(num_cpus=0.5)
def candidate(election: rustyray.ActorHandle[Election], who: int, fenced: bool) -> None:
    time.sleep(0.1 * who)
    for _ in range(5):
        if token := rustyray.get(election.lead.remote(who)):
            rustyray.get(election.write.remote(who, token, fenced))
        time.sleep(0.3)


@race(faults="delay")
def two_leaders_after_a_delayed_renewal(right: bool) -> None:
    election = Election.remote()
    rustyray.get([candidate.remote(election, who, right) for who in (1, 2)])
    assert rustyray.get(election.stale_writes.remote()) == 0


@rustyray.remote
def count_to(cell: Cells, last: int) -> None:
    for _ in range(last):
        rustyray.get(cell.add.remote(1))


@race(faults="crash")
def progress_of_a_retried_task(right: bool) -> None:
    """A task that is tried again begins anew; what it counted before has been counted."""
    cell = Cell.remote()
    with contextlib.suppress(RayActorError):
        rustyray.get(count_to.remote(cell, 2))
        found = rustyray.get(cell.get.remote())
        assert found >= 2 if right else found == 2


@rustyray.remote(num_cpus=0, max_restarts=-1)
class Flaky:
    def __init__(self, log: Cells) -> None:
        self.log = log

    def work(self, item: int) -> None:
        rustyray.get(self.log.append.remote(item))


@race(faults="crash")
def given_up_and_done_after_all(right: bool) -> None:
    """An actor's death says nothing about whether the call has had its effect."""
    log = Cell.remote()
    worker = Flaky.remote(log)
    try:
        rustyray.get(worker.work.remote(1))
        least, most = 1, 1
    except RayActorError:
        least, most = 0, (1 if right else 0)
    with contextlib.suppress(RayActorError):
        count = len(rustyray.get(log.items.remote()))
        assert least <= count <= most

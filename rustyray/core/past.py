"""What a process remembers of many short tasks, at next to no cost for each.

Tasks come and end by the thousand, mostly in the order of their numbers. So what happened to them is remembered by
message, as a range of numbers; and what they are, as the numbers from which on an owner's tasks were calls of the same
function. No object of theirs is kept: one that is let go of much later is not in the cache any more, which costs more
than to make it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from rustyray.model.ids import TASK_ID_SIZE, WORKER_ID_SIZE, ActorID, TaskID, WorkerID

#: So many tasks are remembered in each of the `Batches`, and at least the last batch.
REMEMBERED: Final = 4096
#: Seconds for which submissions of the same kind are remembered as one.
GRAIN: Final = 0.001


class Batch(msgspec.Struct, gc=False):
    """``count`` tasks to which the same happened at ``time`` on ``worker``: from ``first`` on, or those in ``ids``.

    ``seconds`` is what all of them took together, ``what`` happened is said where it differs.
    """

    time: float
    worker: WorkerID
    first: TaskID
    count: int
    ids: bytes = b""
    seconds: float = 0.0
    what: str = ""

    def each(self) -> Iterator[TaskID]:
        """Their ids, the last first."""
        if self.ids:
            for end in range(len(self.ids), 0, -TASK_ID_SIZE):
                yield self.ids[end - TASK_ID_SIZE : end]
            return
        maker, number = self.first[:WORKER_ID_SIZE], number_of(self.first)
        for later in reversed(range(self.count)):
            yield maker + (number + later).to_bytes(TASK_ID_SIZE - WORKER_ID_SIZE, "big")


def number_of(task: TaskID) -> int:
    return int.from_bytes(task[WORKER_ID_SIZE:], "big")


def is_range(first: TaskID, last: TaskID, count: int) -> bool:
    """Whether ``count`` ids in ascending order are all that there are between the two."""
    return int.from_bytes(last, "big") - int.from_bytes(first, "big") == count - 1


class Batches:
    """The last batches of one kind."""

    __slots__ = ("_batches", "_count")

    def __init__(self) -> None:
        self._batches: deque[Batch] = deque()
        self._count = 0

    def add(self, batch: Batch) -> None:
        self._batches.append(batch)
        self._count += batch.count
        while self._count > REMEMBERED and len(self._batches) > 1:
            self._count -= self._batches.popleft().count

    def __reversed__(self) -> Iterator[Batch]:
        return reversed(self._batches)

    def __len__(self) -> int:
        return self._count


class Kind(msgspec.Struct, gc=False):
    """From ``number`` on, submitted at ``time``: what tasks are called, and of which actor they are calls."""

    number: int
    time: float
    name: str
    actor: ActorID


class Kinds:
    """What the tasks of an owner are, by their numbers.

    The owner notes each that is not of the last ``plan`` and ``actor``, or comes later than ``until``.
    """

    __slots__ = ("_kinds", "actor", "plan", "until")

    def __init__(self) -> None:
        self._kinds: deque[Kind] = deque(maxlen=REMEMBERED)
        self.plan: object = None
        self.actor: ActorID = b""
        self.until = 0.0

    def note(self, plan: object, number: int, name: str, now: float, actor: ActorID = b"") -> None:
        self.plan, self.actor, self.until = plan, actor, now + GRAIN
        self._kinds.append(Kind(number, now, name, actor))

    def by_number(self) -> KindsByNumber:
        return KindsByNumber(list(self._kinds))


class KindsByNumber:
    """For looking up."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self._kinds = kinds
        self._numbers = [kind.number for kind in kinds]

    def of(self, task: TaskID) -> Kind | None:
        """None of one that was submitted too long ago."""
        at = bisect_right(self._numbers, number_of(task))
        return self._kinds[at - 1] if at else None

"""What a worker does with the items of generators that run in it, without any I/O: who is sent which, and when.

Items that follow one another quickly go together; one that comes alone goes at once. A generator whose items nobody
reads may be `full`: then its host waits for `GoOn` before it asks for the next item.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from rustyray.core.effects import Effect, Send
from rustyray.core.jobs import Job
from rustyray.model.ids import ObjectID, TaskID, WorkerID
from rustyray.model.messages import Items, ItemsRead, StreamOver
from rustyray.model.streams import limit_of
from rustyray.model.values import Stored, Value

#: Seconds for which an item may wait for company after others were sent, and after which it goes without.
LINGER: Final = 0.001
PATIENCE: Final = 0.002


class GoOn(Effect):
    """The generator that this task runs may have been waiting, and need not wait any more."""

    task: TaskID


class Producer(msgspec.Struct, eq=False):
    """A generator that runs here: ``made`` items, of which ``read`` are read, and ``values`` are to be sent.

    ``over``: nobody wants more. ``cut``: so it is, because the connection to ``caller`` broke.
    """

    job: Job
    caller: WorkerID
    task: TaskID
    attempt: int
    limit: int
    made: int = 0
    read: int = 0
    over: bool = False
    cut: bool = False
    values: list[Value] = []

    @property
    def unread(self) -> int:
        return 0 if self.over else self.made - self.read


class Producers:
    """All generators that run in a worker. Effects go to ``out``; ``tell_results`` sends those that have gathered,
    ``release`` lets go of a ref.

    ``limit`` is how many items all of them together may be ahead of their readers, 0: any number.
    """

    __slots__ = ("_gathered", "_release", "_since", "_tell_results", "limit", "of", "out", "sent")

    def __init__(
        self, out: list[Effect], tell_results: Callable[[], None], release: Callable[[ObjectID], None]
    ) -> None:
        self.out = out
        self._tell_results = tell_results
        self._release = release
        self.limit = 0
        self.of: dict[TaskID, Producer] = {}
        self.sent = float("-inf")
        #: Those whose items wait for company, and since when the first does.
        self._gathered: dict[TaskID, Producer] = {}
        self._since = 0.0

    # --- what the host does -------------------------------------------------------------------------------------------

    def begin(self, job: Job) -> Producer:
        """Its first item says that it runs, and so that what was pushed before it does not: the results of that go
        first. Otherwise, when this worker dies, its owner takes another task for the one that ran."""
        self._tell_results()
        task = job.task
        producer = self.of[task.id] = Producer(job, job.caller, task.id, task.attempt, limit_of(task.returns))
        return producer

    def is_full(self, producer: Producer) -> bool:
        """Whether it is to wait until more is read, of its own items or of those of others."""
        if producer.over:
            return False
        if 0 < producer.limit <= producer.unread:
            return True
        return 0 < self.limit <= sum(other.unread for other in self.of.values())

    def waits_for(self, task: TaskID) -> str:
        """What this task's generator waits for, in words; empty if it may go on."""
        producer = self.of.get(task)
        if producer is None or not self.is_full(producer):
            return ""
        return (
            f"somebody to read: {sum(other.unread for other in self.of.values())} items are unread, as many as may be"
        )

    def yielded(self, producer: Producer, value: Value, now: float) -> bool:
        """It has made an item. True if that waits for company now, as the first of those that do."""
        producer.made += 1
        producer.values.append(value)
        self._gathered[producer.task] = producer
        back = producer.job.back
        if back or now - self.sent > LINGER or type(value) is Stored or self.is_full(producer):
            self.flush()
            self.sent = now
            while back:
                self._release(back.pop())
            return False
        if len(self._gathered) == 1 and len(producer.values) == 1:
            self._since = now
            return True
        return False

    def end(self, producer: Producer) -> None:
        """It makes no more. What has gathered goes with the next `flush`, before its result."""
        del self.of[producer.task]
        if self.limit:
            self._go_on(b"")

    def _go_on(self, task: TaskID) -> None:
        """Fewer items are ahead: of this generator, and so of all."""
        self.out += [GoOn(one) for one in self.of] if self.limit else [GoOn(task)]

    def flush(self) -> None:
        """Send what has gathered."""
        if self._gathered:
            gathered, self._gathered = self._gathered, {}
            for producer in gathered.values():
                values, producer.values = producer.values, []
                first = producer.made - len(values)
                self.out.append(Send(producer.caller, Items(producer.task, producer.attempt, first, values)))

    # --- what arrives -------------------------------------------------------------------------------------------------

    def on_read(self, sender: WorkerID, message: ItemsRead) -> None:
        producer = self._of(sender, message)
        if producer is not None:
            producer.read = max(producer.read, message.count)
            self._go_on(producer.task)

    def on_over(self, sender: WorkerID, message: StreamOver) -> None:
        producer = self._of(sender, message)
        if producer is not None:
            producer.over = True
            self._go_on(producer.task)

    def _of(self, sender: WorkerID, message: ItemsRead | StreamOver) -> Producer | None:
        producer = self.of.get(message.task)
        if producer is None or producer.caller != sender or producer.attempt != message.attempt:
            return None
        return producer

    def is_cut(self, task: TaskID) -> bool:
        """Whether its generator runs, and nobody will hear how it ends."""
        producer = self.of.get(task)
        return producer is not None and producer.cut

    def caller_lost(self, caller: bytes) -> None:
        """The connection to a process is gone, and with it what it was to be sent: it will not count on the rest."""
        for producer in self.of.values():
            if producer.caller == caller:
                producer.over = producer.cut = True
                self._go_on(producer.task)

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        return self._since + PATIENCE if self._gathered else None

    def on_time(self, now: float) -> None:
        if self._gathered and now >= self._since + PATIENCE:
            self.flush()
            self.sent = now

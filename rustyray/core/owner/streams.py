"""Streams, seen from their owner: the items of generators, as they come, are read, and are made again.

An item is an object like others, numbered by its place. What is not read yet is held by the stream; the next one that
is to come is there already, without a value, so that it can be waited for, and so is what stands for the end. An
attempt that follows another makes all items again, from the first: those that are known are not delivered twice.

A stream is over for its producer when nobody has its generator, nor the ref that tells when it has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from rustyray.core.effects import Effect, Send
from rustyray.core.owner.arguments import Arguments
from rustyray.core.owner.freeing import Freeing, replaces
from rustyray.core.owner.records import DONE, PUSHED, ActorLink, ObjectEntry, Record
from rustyray.core.owner.references import References
from rustyray.model.ids import FIRST_RETURN, ObjectID, TaskID, WorkerID, item_id, object_id, stream_id
from rustyray.model.messages import Items, ItemsRead, StreamOver
from rustyray.model.plans import MethodPlan, TaskPlan
from rustyray.model.streams import DYNAMIC, limit_of
from rustyray.model.values import Fault, FaultKind, Packed, RefInfo, Stored, Value

#: A pickled None: what a generator itself comes to, and what stands for the end of a stream.
NONE: Final = b"\x80\x05N."
#: A process that dies has stored this many items at most of which its owner has not heard.
UNTOLD: Final = 8
_ALL: Final = (1 << 31) - 1


class Stream(msgspec.Struct, eq=False):
    """The items that a task or call makes.

    Of ``known`` items the first ``read`` have been taken. ``got`` came from the present ``attempt``, which was ``told``
    that so many are read. ``ended``: no more come. ``closed``: nobody reads any more. ``linked`` are the items that the
    task would make again if they were lost; ``kept``: its lineage is, for these. ``stopped``: the attempt was told so.
    ``paced``: others wait for its reader, too, so that the producer is told of each item that is read.
    """

    record: Record
    limit: int
    paced: bool = False
    read: int = 0
    known: int = 0
    attempt: int = 0
    got: int = 0
    told: int = 0
    ended: bool = False
    closed: bool = False
    stopped: bool = False
    kept: bool = False
    linked: dict[ObjectID, None] = {}

    @property
    def listed(self) -> bool:
        """Whether its items are not read one by one, but listed in one object when they are all there."""
        return self.record.task.returns == DYNAMIC


class Streams:
    """All streams of a process that are read, or made, or can be made again."""

    def __init__(self, refs: References, freeing: Freeing, arguments: Arguments, out: list[Effect]) -> None:
        self._refs = refs
        self._freeing = freeing
        self._arguments = arguments
        self._out = out
        self.of: dict[TaskID, Stream] = {}
        #: Ends a lineage (`Tasks` sets it).
        self.forget: Callable[[Record], None]

    def open(self, record: Record) -> None:
        """A generator was called. Whoever reads has one reference to `stream_id`."""
        task = record.task
        paced = isinstance(record.plan, MethodPlan) and record.plan.paced
        stream = self.of[task.id] = Stream(record, limit_of(task.returns), paced)
        if not stream.listed:
            self._refs.objects[stream_id(task.id)] = ObjectEntry(b"", 1)
            self._expect(stream)

    def _expect(self, stream: Stream) -> None:
        """The next item will be waited for."""
        self._refs.objects[item_id(stream.record.task.id, stream.known)] = ObjectEntry(None, 0, 1, stream.record)

    # --- reading ------------------------------------------------------------------------------------------------------

    def take(self, task: TaskID) -> ObjectID | None:
        """The next item, with one local reference for the caller; None: it is not there yet; empty: there is none."""
        stream = self.of[task]
        object_ = item_id(task, stream.read)
        entry = self._refs.objects[object_]
        if stream.read >= stream.known:
            if stream.ended:
                return b""
            if entry.value is None:
                return None
            stream.ended = True  # the runtime has ended, which is what the last item says
            stream.known += 1
            self._refs.objects[item_id(task, stream.known)] = ObjectEntry(NONE, 0, 1)
        stream.read += 1
        entry.local += 1
        entry.holds -= 1
        self._pace(stream)
        return object_

    def next_of(self, task: TaskID) -> ObjectID:
        """The item that would be taken next; it has a value when `take` would not have to wait."""
        stream = self.of.get(task)
        return item_id(task, stream.read) if stream is not None else stream_id(task)

    def is_ready(self, task: TaskID) -> bool:
        """Whether there is an item to be taken, with its value."""
        stream = self.of[task]
        return not self.is_over(task) and self._refs.objects[item_id(task, stream.read)].value is not None

    def is_over(self, task: TaskID) -> bool:
        """Whether all there ever was has been taken."""
        stream = self.of[task]
        return stream.ended and stream.read >= stream.known

    def close(self, task: TaskID) -> None:
        """Nobody reads any more: what has not been read is let go of."""
        stream = self.of.get(task)
        if stream is None or stream.closed:
            return
        stream.closed = True
        last = stream.known + (not stream.listed)
        for index in range(stream.read, last):
            self._refs.release(item_id(task, index))
        self._pace(stream)
        self._look(stream)

    def _pace(self, stream: Stream) -> None:
        """A producer that may not go on before more is read is told, when more has been."""
        read = _ALL if stream.closed else stream.read
        waits = stream.limit and stream.got - stream.told >= stream.limit
        if (waits or stream.paced) and read > stream.told:
            stream.told = read
            self._tell(stream, ItemsRead(stream.record.task.id, stream.attempt, read))

    def _tell(self, stream: Stream, message: ItemsRead | StreamOver) -> None:
        record = stream.record
        where = record.target if isinstance(record.target, ActorLink) else record.lease
        if record.state == PUSHED and where is not None:
            self._out.append(Send(where.worker, message, where.address))

    # --- what arrives -------------------------------------------------------------------------------------------------

    def on_items(self, record: Record | None, sender: WorkerID, message: Items, now: float) -> None:
        """Items have come from where ``record`` runs; None: it is expected from elsewhere, or not any more."""
        stream = self.of.get(message.task)
        if record is None or stream is None or record.task.attempt != message.attempt:
            self._refuse(sender, message)
            return
        if stream.attempt != message.attempt:
            self._anew(stream)
        if message.first != stream.got:
            self._refuse(sender, message)  # the connection broke in between, and the attempt with it
            return
        ready: list[ObjectID] = []
        for value in message.values:
            index = stream.got
            stream.got = index + 1
            self._arrived(stream, index, value, sender, ready, now)
        self._refs.ready_effect(ready)
        self._pace(stream)
        self._look(stream)

    def _anew(self, stream: Stream) -> None:
        """There is another attempt. Others may have stored items once more, and not lived to say so."""
        task = stream.record.task
        stream.attempt, stream.got, stream.told, stream.stopped = task.attempt, 0, 0, False
        for index in range(stream.known):
            object_ = item_id(task.id, index)
            entry = self._refs.objects.get(object_)
            if entry is not None and isinstance(entry.value, Stored):
                self._freeing.scattered[object_] = task.attempt

    def _refuse(self, sender: WorkerID, message: Items) -> None:
        """Free what an attempt made that was given up."""
        for index, value in enumerate(message.values, message.first):
            self._freeing.unwanted(item_id(message.task, index), value)
            self._refs.receive(value, sender)
            self._refs.let_go(value)

    def _arrived(
        self, stream: Stream, index: int, value: Value, sender: WorkerID, ready: list[ObjectID], now: float
    ) -> None:
        object_ = item_id(stream.record.task.id, index)
        plain = type(value) is bytes
        if not plain:
            self._refs.receive(value, sender)
        entry = self._refs.objects.get(object_)
        if index == stream.known and not stream.ended:
            stream.known += 1
            if stream.listed:
                entry = self._refs.objects[object_] = ObjectEntry(None, 0, 1)
            elif not stream.closed:
                self._expect(stream)
        if entry is not None and entry.value is None:
            self._settle(stream, object_, entry, value, ready, now)
        elif entry is not None and replaces(value, entry.value):
            self._refs.replace(entry, value)
        elif entry is None and (stream.attempt or stream.record.alone):
            self._freeing.anywhere([object_], stream.attempt)
        else:
            self._freeing.unwanted(object_, value)
        if not plain:
            self._refs.let_go(value)

    def _settle(
        self, stream: Stream, object_: ObjectID, entry: ObjectEntry, value: Value, ready: list[ObjectID], now: float
    ) -> None:
        record = stream.record
        self._refs.settle(object_, entry, value, ready)
        if isinstance(value, Stored) and isinstance(record.plan, TaskPlan) and record.retries != 0:
            entry.record = record
            stream.linked[object_] = None
        else:
            entry.record = None
            stream.linked.pop(object_, None)
        if record.task.attempt or record.alone:
            if isinstance(value, Stored):
                self._freeing.scattered[object_] = record.task.attempt
            else:  # an attempt before may have stored another, and not lived to say so
                self._freeing.anywhere([object_], record.task.attempt)
        self._arguments.value_arrived(entry, now)

    # --- the end ------------------------------------------------------------------------------------------------------

    def is_whole(self, record: Record, count: bytes) -> bool:
        """Whether all items have come that an attempt has made."""
        return self._got(self.of[record.task.id]) == int.from_bytes(count, "big")

    @staticmethod
    def _got(stream: Stream) -> int:
        return stream.got if stream.attempt == stream.record.task.attempt else 0

    def _free_unheard(self, stream: Stream) -> None:
        """Attempts before, or the one that has failed, may have stored items that their owner has not heard of."""
        task = stream.record.task
        if stream.attempt != task.attempt:
            self._anew(stream)
        if task.attempt or stream.record.alone:
            items = [item_id(task.id, index) for index in range(stream.got, stream.known + UNTOLD)]
            self._freeing.anywhere([item for item in items if item not in self._refs.objects], task.attempt)

    def finish(self, record: Record, ready: list[ObjectID], now: float) -> bool:
        """The generator has come to its end. Whether its task has to be remembered, to make items again."""
        stream = self.of[record.task.id]
        got = self._got(stream)
        text = "it is lost, and the generator, run again, has not made as many items as before"
        for object_ in list(stream.linked):
            entry = self._refs.objects[object_]
            if entry.value is None and int.from_bytes(object_[-4:], "big") > got and not stream.stopped:
                self._settle(stream, object_, entry, Fault(FaultKind.OBJECT_LOST, text), ready, now)
        self._end(stream, ready)
        self._free_unheard(stream)
        stream.kept = bool(stream.linked)
        return stream.kept

    def lost(self, record: Record) -> list[ObjectID]:
        """Items of a generator that has come to its end which were lost meanwhile, after it had made them."""
        stream = self.of.get(record.task.id)
        linked = stream.linked if stream is not None else ()
        return [object_ for object_ in linked if self._refs.objects[object_].value is None]

    def fail(self, record: Record, value: Value, ready: list[ObjectID], now: float) -> None:
        """The task is over, with this error: it is the last item."""
        stream = self.of[record.task.id]
        for object_ in self.lost(record):
            self._settle(stream, object_, self._refs.objects[object_], value, ready, now)
        if not stream.ended:
            self._last(stream, value, ready, now)
        self._end(stream, ready)
        self._free_unheard(stream)

    def _last(self, stream: Stream, value: Value, ready: list[ObjectID], now: float) -> None:
        index = self._got(stream) if stream.listed else stream.known
        object_ = item_id(stream.record.task.id, index)
        entry = self._refs.objects.get(object_)
        if entry is None or entry.value is not None:
            return
        if not stream.listed:
            stream.known += 1
            self._expect(stream)
        self._settle(stream, object_, entry, value, ready, now)

    def _end(self, stream: Stream, ready: list[ObjectID]) -> None:
        if stream.ended:
            return
        stream.ended = True
        if not stream.closed and not stream.listed:
            object_ = item_id(stream.record.task.id, stream.known)
            entry = self._refs.objects[object_]
            entry.record = None
            self._refs.settle(object_, entry, NONE, ready)

    def over(self, record: Record) -> None:
        """The task is over, and what it returns has its value."""
        stream = self.of.get(record.task.id)
        if stream is not None:
            if stream.listed:
                self.close(record.task.id)
            self._look(stream)

    def expect_error(self, record: Record) -> None:
        """A generator whose items are listed has failed, and listed its error after them."""
        stream = self.of[record.task.id]
        index = self._got(stream)
        if index == stream.known:
            stream.known += 1
            self._refs.objects[item_id(record.task.id, index)] = ObjectEntry(None, 0, 1)

    def list_of(self, value: Value) -> Value:
        """What lists the items, with the owner's address for the refs in it, which whoever made it did not know."""
        if not isinstance(value, Packed):
            return value
        refs = [RefInfo(info.object, self._refs.address) for info in value.refs or ()]
        return Packed(value.data, value.buffers, refs or None)

    # --- who needs it -------------------------------------------------------------------------------------------------

    def made_by(self, record: Record) -> list[ObjectID]:
        """The objects that a task returns, or that of its items are here which it would make again."""
        task = record.task
        if task.returns >= 0:
            return [object_id(task.id, index) for index in range(task.returns)]
        stream = self.of.get(task.id)
        return [task.id + FIRST_RETURN, *(stream.linked if stream is not None else ())]

    def freed(self, object_: ObjectID, record: Record) -> None:
        """One of the objects that it makes is gone."""
        stream = self.of.get(record.task.id)
        if stream is not None:
            stream.linked.pop(object_, None)
            self._look(stream)

    def _look(self, stream: Stream) -> None:
        """If nobody needs what it made, it is forgotten; or what it makes, its producer is stopped."""
        record = stream.record
        if not stream.closed:
            return
        if record.state == DONE:
            self._forget_unneeded(stream)
        elif stream.listed or stream.stopped:
            return
        elif record.task.id + FIRST_RETURN not in self._refs.objects and not self.lost(record):
            stream.stopped = self._got(stream) > 0  # otherwise it has not begun, maybe, and will be told again
            self._tell(stream, StreamOver(record.task.id, record.task.attempt))

    def _forget_unneeded(self, stream: Stream) -> None:
        record = stream.record
        if stream.linked:
            return
        self.of.pop(record.task.id, None)
        if stream.kept:
            stream.kept = False
            self.forget(record)

    def unlink(self, record: Record) -> None:
        """Its items cannot be made again any more."""
        stream = self.of.get(record.task.id)
        if stream is not None:
            stream.linked.clear()
            stream.kept = False
            self._look(stream)

    def check(self) -> None:
        """Raises AssertionError when streams contradict themselves."""
        objects = self._refs.objects
        for task, stream in self.of.items():
            assert 0 <= stream.read <= stream.known, f"{task.hex()}: {stream.read} of {stream.known} items are read"
            assert not stream.closed or stream.linked or stream.record.state != DONE, (
                f"{task.hex()} is needed by nobody"
            )
            if not stream.closed and not stream.listed:
                assert stream_id(task) in objects, f"{task.hex()} is read by nobody, and open"
                for index in range(stream.read, stream.known + 1):
                    assert item_id(task, index) in objects, f"item {index} of {task.hex()} is gone unread"
            for object_ in stream.linked:
                assert objects[object_].record is stream.record, f"{object_.hex()} does not know how it is made again"

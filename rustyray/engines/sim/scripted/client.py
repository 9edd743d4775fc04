"""A driver or a worker as a program sees it: submit, get, put and the rest. What waits is a generator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rustyray.engines.sim.scripted import values
from rustyray.engines.sim.scripted.process import ClientProcess, Misplaced, ProgramError
from rustyray.engines.sim.scripted.scripts import in_cpus
from rustyray.engines.sim.scripted.values import Plain, Ref
from rustyray.engines.sim.world.process import Program, Sleep, Until
from rustyray.model.ids import FIRST_RETURN, GroupID, ObjectID, handle_id, object_id, stream_id, task_of
from rustyray.model.messages import (
    HEAD,
    ActorInfo,
    CreateGroup,
    FindActor,
    GroupSpec,
    HeadError,
    Message,
    Packing,
    RemoveGroup,
    StoreAbort,
    StoreCreate,
    StoreCreated,
    StoreFailed,
    StorePin,
    StorePinAll,
    StorePinned,
    StoreSeal,
)
from rustyray.model.plans import ActorPlan, MethodPlan, TaskPlan
from rustyray.model.values import Failed, Fault, FaultKind, Packed, RefInfo, Stored, Value

#: Seconds after which a question to the head is asked again.
ASK_AGAIN: Final = 5.0
#: Seconds for which a value that is not where it should be is looked for, and between two looks.
MISPLACED: Final = 5.0
LOOK: Final = 0.02
#: The size of a big value in the store, in bytes.
BIG: Final = 4096


class Client(ClientProcess):
    """See `rustyray.engines.sim.scripted.worker.Worker` for those that execute as well."""

    # --- tasks and actors ---------------------------------------------------------------------------------------------

    def submit(self, plan: TaskPlan, args: list[Plain]) -> list[Ref]:
        data, infos, deps = self._prepare(args)
        tid = self.core.submit(plan, data, None, infos, deps, self.parent, self.now)
        self.carry_out()
        return self._returned(tid, plan.returns)

    def _prepare(self, args: list[Plain]) -> tuple[bytes, list[RefInfo] | None, list[ObjectID] | None]:
        if not args:
            return b"", None, None
        deps: list[Ref] = []
        data, inside = values.write(args, deps)
        return data, values.infos(inside), [ref.object for ref in deps] or None

    def _returned(self, tid: bytes, returns: int) -> list[Ref]:
        if returns < 0:  # what stands for the reader, and what tells of the end
            return [self._counted(stream_id(tid), self.address), self._counted(tid + FIRST_RETURN, self.address)]
        return [self._counted(object_id(tid, index), self.address) for index in range(returns)]

    def next_item(self, stream: Ref) -> Program[Ref | None]:
        """The next item; None at the end."""
        streams, task = self.core.tasks.streams, task_of(stream.object)
        while True:
            object_ = streams.take(task)
            self.carry_out()
            if object_ is not None:
                return self._counted(object_, self.address) if object_ else None
            until = Until()
            self.core.watch(streams.next_of(task))
            self._waiting.setdefault(streams.next_of(task), []).append(until)
            self.flush()
            if not until.done:
                yield from self.block(until)

    def yield_item(self, value: Plain, big: bool) -> Program[None]:
        """An item of what the process runs; only workers run what yields."""
        raise TypeError(f"{self.me.hex()} yields {value!r}, and runs nothing that streams")

    def create_actor(self, plan: ActorPlan, args: list[Plain]) -> Program[Ref | None]:
        """A handle; None when the name is taken. A named actor's creation waits for the head's answer."""
        data, infos, deps = self._prepare(args)
        request, until = self.expect()
        actor = self.core.create_actor(plan, data, None, infos, deps, request, self.namespace, self.now)
        self.carry_out()
        ref = (
            Ref(handle_id(actor), "", actor) if plan.detached else self._counted(handle_id(actor), self.address, actor)
        )
        if plan.name:
            self.flush()
            yield until
            answer = until.reply
            if isinstance(answer, HeadError) and answer.kind != "argument_failed":
                self.drop(ref)
                return None
            if isinstance(answer, ActorInfo) and answer.actor != actor:
                self.drop(ref)
                return Ref(handle_id(answer.actor), "", answer.actor)
        return ref

    def call(self, handle: Ref, max_task_retries: int, plan: MethodPlan, args: list[Plain]) -> list[Ref]:
        data, infos, deps = self._prepare(args)
        tid = self.core.call(handle.actor, max_task_retries, plan, data, None, infos, deps, self.parent, self.now)
        self.carry_out()
        return self._returned(tid, plan.returns)

    def find_actor(self, name: str) -> Program[Ref | None]:
        request, until = self.expect()
        yield from self._ask_head(FindActor(request, name, self.namespace), until)
        reply = until.reply
        if not isinstance(reply, ActorInfo):
            return None
        return Ref(handle_id(reply.actor), "", reply.actor)

    def kill_actor(self, handle: Ref, no_restart: bool) -> None:
        self.core.kill_actor(handle.actor, no_restart, self.now)
        self.carry_out()

    def cancel(self, ref: Ref, force: bool) -> None:
        self.core.cancels.cancel(ref.object, force, True, self.now)
        self.flush()

    # --- placement groups ---------------------------------------------------------------------------------------------

    def create_group(self, cpus: Sequence[float], packing: Packing) -> Program[GroupID]:
        group = self.core.next_task()
        spec = GroupSpec(group, self.core.sched.requests.job, [in_cpus(amount) for amount in cpus], packing)
        request, until = self.expect()
        yield from self._ask_head(CreateGroup(request, spec), until)
        return group

    def group_ready(self, group: GroupID) -> Ref:
        object_ = self.core.group_ready(group, values.write(0)[0])
        self.carry_out()
        return self._counted(object_, self.address)

    def remove_group(self, group: GroupID) -> Program[None]:
        request, until = self.expect()
        yield from self._ask_head(RemoveGroup(request, group), until)

    def _ask_head(self, question: Message, until: Until) -> Program[None]:
        """Ask until there is an answer: the head may be away."""
        self.flush()
        while not until.done:
            self.send(HEAD, question)
            until.deadline = self.now + ASK_AGAIN
            yield until

    # --- values -------------------------------------------------------------------------------------------------------

    def put(self, value: Plain, big: bool) -> Program[Ref]:
        data, inside = values.write(value)
        object_: ObjectID | None = None
        packed: Value = Packed(data, None, values.infos(inside)) if inside else data
        if big:
            object_ = self.core.next_task() + FIRST_RETURN
            packed = yield from self.store(object_, data, values.infos(inside))
            if isinstance(packed, Fault):
                raise ProgramError(packed)
        object_ = self.core.put(packed, object_)
        return self._counted(object_, self.address)

    def store(self, object_: ObjectID, data: bytes, refs: list[RefInfo] | None, attempt: int = 0) -> Program[Value]:
        """Write a value to the node's store."""
        request, until = self.expect()
        self.send(self.node, StoreCreate(request, object_, BIG, attempt))
        self.flush()
        try:
            yield until
        except BaseException:
            self.send(self.node, StoreAbort(object_))
            raise
        if not isinstance(until.reply, StoreCreated):
            return until.reply.fault if isinstance(until.reply, StoreFailed) else _gone()
        self.world.arena(self.node)[until.reply.offset] = _laid_out(data)
        self.send(self.node, StoreSeal(object_))
        return Stored(self.node, BIG, refs, attempt)

    def get(self, refs: Sequence[Ref]) -> Program[list[Plain]]:
        """The values; raises ProgramError with the first error, without waiting for the rest."""
        patience = 0.0
        while True:
            yield from self._await(refs, len(refs), stop_at_error=True)
            found = [self.core.objects[ref.object].value for ref in refs]
            for value in found:
                if isinstance(value, Failed | Fault):
                    raise ProgramError(value)
            if None in found:
                continue  # one was lost while others were waited for
            try:
                return (yield from self.load([(ref.object, value) for ref, value in zip(refs, found, strict=True)]))
            except Misplaced as missing:
                patience = patience or self.now + MISPLACED
                if self.now > patience or not self.core.asking.ask_anew(missing.object, missing.stored):
                    raise
                self.carry_out()
            yield Sleep(LOOK)

    def wait(self, refs: Sequence[Ref], count: int) -> Program[list[Ref]]:
        """The first ``count`` refs that have a value, in order."""
        ready: list[Ref] = []
        while len(ready) < count:
            yield from self._await(refs, count)
            ready = [ref for ref in refs if self.core.objects[ref.object].value is not None][:count]
        return ready

    def _await(self, refs: Sequence[Ref], count: int, stop_at_error: bool = False) -> Program[None]:
        """Wait until so many have a value, or until one has an error."""
        until = Until(0, stop_at_error=stop_at_error)
        missing: list[ObjectID] = []
        for ref in refs:
            value = self.core.watch(ref.object).value
            if value is None:
                self._waiting.setdefault(ref.object, []).append(until)
                missing.append(ref.object)
            elif stop_at_error and isinstance(value, Failed | Fault):
                until.done = True
        until.need = count - (len(refs) - len(missing))
        self.flush()
        try:
            if until.need > 0 and not until.done:
                yield from self.block(until)
        finally:
            self._unwatch(missing, until)

    def _unwatch(self, objects: list[ObjectID], until: Until) -> None:
        for object_ in objects:
            waiting = self._waiting.get(object_)
            if waiting is not None and until in waiting:
                waiting.remove(until)
                if not waiting:
                    del self._waiting[object_]

    def load(self, wanted: Sequence[tuple[ObjectID, Value | None]]) -> Program[list[Plain]]:
        """Read values; those in the store are pinned while they are read, all at once."""
        for _, value in wanted:
            if not isinstance(value, bytes | Packed | Stored):
                raise ProgramError(value if value is not None else _gone())
        pins: list[StorePin] = []
        waits: list[tuple[ObjectID, Until]] = []
        for object_, value in wanted:
            if isinstance(value, Stored):
                request, until = self.expect()
                pins.append(StorePin(request, object_, value.node, value.size, value.attempt))
                waits.append((object_, until))
        try:
            if pins:
                self.send(self.node, pins[0] if len(pins) == 1 else StorePinAll(pins))
                self.flush()
            for _, until in waits:
                if not until.done:
                    yield until
            replies = iter([until.reply for _, until in waits])
            found = [self._found(object_, value, replies) for object_, value in wanted]
            return [values.read(data, refs, self.adopt) for data, refs in found]  # no ref is made unless all are there
        finally:
            for object_, until in waits:
                if not until.done:
                    until.forsaken = object_
                elif isinstance(until.reply, StorePinned):
                    self.unpinned.append(object_)

    def _found(
        self, object_: ObjectID, value: Value | None, replies: Iterator[Message | None]
    ) -> tuple[bytes, list[RefInfo] | None]:
        """The bytes and the refs of a value. The next of ``replies`` is about it, if it is in the store."""
        if isinstance(value, bytes):
            return value, None
        if isinstance(value, Packed):
            return value.data, value.refs
        assert isinstance(value, Stored)
        reply = next(replies)
        if not isinstance(reply, StorePinned):
            fault = reply.fault if isinstance(reply, StoreFailed) else _gone()
            if fault.kind in (FaultKind.OBJECT_LOST, FaultKind.OBJECT_FREED):
                raise Misplaced(object_, value, fault)
            raise ProgramError(fault)
        written = self.world.arena(self.node)[reply.offset]
        data = written[4 : 4 + int.from_bytes(written[:4], "big")]
        assert written == _laid_out(data), f"object {object_.hex()} is damaged: {written!r}"
        return data, value.refs


def _laid_out(data: bytes) -> bytes:
    """A big value in the store, each piece of which depends on the value."""
    once = len(data).to_bytes(4, "big") + data
    return (once * (BIG // len(once) + 1))[:BIG]


def _gone() -> Fault:
    return Fault(FaultKind.SYSTEM, "there is no value")

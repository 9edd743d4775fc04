"""A worker process: it runs tasks, or one actor, on one program; the order of its duties is the native worker's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rustyray.core.effects import Effect
from rustyray.core.executor import ExecutorCore
from rustyray.core.jobs import Interrupt, Job, Start, Stop
from rustyray.core.owner.lent import give, keep, kept_after, lent
from rustyray.core.owner.streams import NONE
from rustyray.core.producing import GoOn
from rustyray.engines.sim.scripted import values
from rustyray.engines.sim.scripted.client import Client
from rustyray.engines.sim.scripted.process import ArgumentLost, ProgramError
from rustyray.engines.sim.scripted.running import ActorExit, Frame, Returned, ScriptRaised, as_failed
from rustyray.engines.sim.scripted.values import Plain
from rustyray.engines.sim.world.process import Interrupted, Program, Sleep, Until
from rustyray.model.ids import JobID, NodeID, WorkerID, object_id
from rustyray.model.messages import (
    ActorExited,
    ActorStarted,
    Call,
    DefineFunction,
    Message,
    OwnerDied,
    StartActor,
    StopWorker,
    Task,
    WorkerDied,
    WorkerReady,
    WorkerStays,
)
from rustyray.model.values import Failed, Fault, FaultKind, Packed, Value

if TYPE_CHECKING:
    from rustyray.engines.sim.scripted.world import ScriptedWorld

#: Seconds for which a result may wait for company while the next job already runs.
LINGER: Final = 0.001

Outcome = tuple[Job, "bytes | list[Value]", bool, float]


class Worker(Client):
    """A client that also executes."""

    executes = True

    def __init__(self, world: ScriptedWorld, me: WorkerID, node: NodeID, job: JobID, namespace: str) -> None:
        super().__init__(world, me, node, job, namespace)
        self.executor = ExecutorCore(me, node, self.core.out, self.core.refs.release)
        self.core.timed.append(self.executor.producers)
        self._job: Job | None = None
        self._paused = Until()
        self.functions: dict[bytes, str] = {}
        self.actor: StartActor | None = None
        self.failed = False
        self._work = Until()
        self._todo: list[Start | Stop] = []
        self._stop: Stop | None = None
        self._main_job: Job | None = None
        for kind in ExecutorCore.takes:
            self._handlers[kind] = self._to_executor
        self._handlers[StopWorker] = self._on_stop_worker
        self._handlers[DefineFunction] = self._define
        self._handlers[WorkerDied] = self._handlers[OwnerDied] = self._process_died

    # --- what arrives -------------------------------------------------------------------------------------------------

    def lost(self, peer: bytes, reason: str) -> None:
        if peer == self.node:
            self.world.crash(self.me, "it lost its node")
            return
        self.executor.producers.caller_lost(peer)
        super().lost(peer, reason)

    def _to_executor(self, peer: bytes, message: Message, now: float) -> None:
        self.executor.on_message(peer, message)
        if self.executor.queue or self._todo:
            self._work.done = True

    def _on_stop_worker(self, peer: bytes, message: Message, now: float) -> None:
        assert isinstance(message, StopWorker)
        if message.if_unneeded and (self.executor.queue or self.executor.running or self.core.unfinished.is_needed()):
            self.send(self.node, WorkerStays())
        else:
            self._to_executor(peer, message, now)

    def _define(self, peer: bytes, message: Message, now: float) -> None:
        assert isinstance(message, DefineFunction)
        self.functions[message.fn] = message.blob.decode()

    def _process_died(self, peer: bytes, message: Message, now: float) -> None:
        assert isinstance(message, WorkerDied | OwnerDied)
        self.executor.owner_died(message.worker)
        self.core.on_message(peer, message, now)

    def perform(self, effect: Effect) -> None:
        if isinstance(effect, GoOn):
            self._paused.done = True
        elif isinstance(effect, Interrupt):
            self._interrupt(effect)
        elif isinstance(effect, Start | Stop):
            if isinstance(effect, Stop) and not effect.graceful:
                self.world.end(self.me, "it exited with code 0")
                return
            self._todo.append(effect)
            self._work.done = True
        else:
            super().perform(effect)

    def _interrupt(self, effect: Interrupt) -> None:
        if effect.force:
            self.world.crash(self.me, "it was killed by signal 9 (SIGKILL)")
            return
        if effect.recursive:
            self.core.cancels.children(effect.task, False, self.now)
        if self.actor is None and self._main_job is not None and self._main_job.task.id == effect.task:
            self.to_interrupt = True

    def check(self) -> None:
        super().check()
        self.executor.check()

    # --- running ------------------------------------------------------------------------------------------------------

    def main(self) -> Program[None]:
        """The main thread."""
        self.send(self.node, WorkerReady(self.me, 1, self.address))
        executor = self.executor
        sent = self.now
        ended: Outcome | None = None
        while True:
            self._main_job = None
            if ended is not None:
                self._report(ended)
                self.to_interrupt = False
            self.settle()
            job = executor.start_next(self.now)
            if job is None or self.now - sent > LINGER:
                executor.flush()
                self.flush()
                sent = self.now
            self._main_job = job
            ended = None
            if job is not None:
                ended = yield from self._run(job)
            elif self._todo:
                yield from self._do(self._todo.pop(0))
            elif self._stop is not None:
                yield from self._await_acknowledgements()
                self._leave(self._stop.reason)
                if self._stop.may_stay:
                    yield from self._stay()
                self.world.end(self.me, "it exited with code 0")
                return
            else:
                self._work = Until()
                yield self._work

    def _await_acknowledgements(self) -> Program[None]:
        self.carry_out()
        while self.core.refs.passed_on:
            self._work = Until()
            yield Sleep(0.001)

    def _do(self, what: Start | Stop) -> Program[None]:
        if isinstance(what, Start):
            yield from self._construct(what.message)
        else:
            self._stop = what

    def _leave(self, reason: str) -> None:
        self.executor.flush()
        self.flush()
        if self.actor is not None and not self.failed:
            actor, incarnation = self.actor.spec.actor, self.actor.incarnation
            self.executor.farewell(actor, incarnation, reason)
            self.carry_out()
            self.send(self.node, ActorExited(actor, incarnation, reason))
        self.core.sched.on_reclaim(self.now)
        self.carry_out()

    def _stay(self) -> Program[None]:
        """An actor's process does not end while others need what it owns, unless it is told to."""
        self.let_go()
        self.core.retire()
        self.carry_out()
        if self.core.unfinished.is_needed():
            self.send(self.node, WorkerStays())
        while self.core.unfinished.is_needed() and not any(
            isinstance(stop, Stop) and not stop.may_stay for stop in self._todo
        ):
            yield Sleep(0.005)
        self.core.sched.on_reclaim(self.now)
        self.carry_out()

    def _run(self, job: Job) -> Program[Outcome | None]:
        begun = self.now
        task = job.task
        script = self.world.library.script(self._name(task))
        frame = Frame(self, task.attempt, self.kept)
        self.parent = task.id
        self.world.note_run(self, job)
        try:
            args = yield from self._arguments(task)
            if task.returns < 0:
                return (yield from self._stream(job, frame.run(script, args)))
            result = yield from frame.run(script, args)
            packed = yield from self._pack(job, result)
            return job, packed[0], packed[1], self.now - begun
        except ActorExit:
            self.executor.leave()
            self._todo.append(Stop(True, "exit_actor() was called", may_stay=True))
            return None
        except (ProgramError, ScriptRaised, Interrupted) as error:
            return job, [self._failure(job, error)], True, self.now - begun
        finally:
            self.parent = b""
            frame.leave()

    def _stream(self, job: Job, body: Program[Returned]) -> Program[Outcome | None]:
        begun = self.now
        producer = self.executor.producers.begin(job)
        self._job = job
        came_to: list[Value] = []
        try:
            yield from body
            came_to = [NONE, producer.made.to_bytes(4, "big")]
            failed = False
        except (ProgramError, ScriptRaised, Interrupted) as error:
            came_to = [self._failure(job, error)]
            failed = True
        finally:
            self._job = None
            self.executor.producers.end(producer)
        if producer.cut:
            self.executor.ended(job)
            return None
        return job, came_to, failed, self.now - begun

    def yield_item(self, value: Plain, big: bool) -> Program[None]:
        job = self._job
        assert job is not None, "it yields, and does not stream"
        producers, task = self.executor.producers, job.task
        producer = producers.of[task.id]
        packed = yield from self._part(job, producer.made + 1, value, big)
        if isinstance(packed, Fault):
            raise ProgramError(packed)
        producers.yielded(producer, packed, self.now)
        self.carry_out()
        while producers.is_full(producer):
            self._paused = Until()
            yield from self.block(self._paused)
        if producer.over:
            raise Returned(0, False)

    def _name(self, task: Task | Call) -> str:
        if isinstance(task, Call):
            return task.method
        assert task.fn in self.functions, f"{task.name} was pushed to {self.me.hex()} before its code"
        return self.functions[task.fn]

    def _arguments(self, task: Task | Call) -> Program[list[Plain]]:
        try:
            found = yield from self.load([(arg.object, arg.value) for arg in task.deps or ()])
        except ProgramError as error:
            raise ArgumentLost(error.value) from None
        if not task.args:
            return []
        read = values.read(task.args, task.refs, self.adopt, found)
        assert isinstance(read, list)
        return read

    def _pack(self, job: Job, result: Returned) -> Program[tuple[bytes | list[Value], bool]]:
        task = job.task
        parts = [result.value] if task.returns == 1 else result.value
        assert isinstance(parts, list)
        assert len(parts) == task.returns, f"{self._name(task)} returns {parts!r}"
        packed: list[Value] = []
        try:
            for index, part in enumerate(parts):
                packed.append((yield from self._part(job, index, part, result.big)))
        except Interrupted as error:
            return [self._failure(job, error), *packed], True
        if len(packed) == 1 and isinstance(packed[0], bytes):
            return packed[0], False
        return packed, len(packed) == 1 and isinstance(packed[0], Fault)

    def _part(self, job: Job, index: int, part: Plain, big: bool) -> Program[Value]:
        """What is number ``index`` of what a job returns, as it travels."""
        data, refs = values.write(part)
        infos = values.infos(refs)
        value: Value = Packed(data, None, infos) if infos else data
        if big:
            value = yield from self.store(object_id(job.task.id, index), data, infos, job.task.attempt)
        give(self.core.refs, job, value)
        return value

    def _failure(self, job: Job, error: BaseException) -> Value:
        task = job.task
        if isinstance(error, Interrupted):
            return Fault(FaultKind.TASK_CANCELLED, "the task was cancelled while it ran", task=task.id)
        if isinstance(error, ArgumentLost):
            return error.value
        failed = as_failed(error, self.world.library.script(self._name(task)), self, task.id, task.attempt)
        if isinstance(error, ScriptRaised) and (refs := values.refs_in(error.value)):
            infos = values.infos(refs)
            assert isinstance(failed, Failed)
            failed = Failed(failed.cause, failed.function, "", failed.task, attempt=failed.attempt, refs=infos)
            give(self.core.refs, job, failed)
        return failed

    def _report(self, ended: Outcome) -> None:
        job, packed, failed, seconds = ended
        task = job.task
        kept = None
        if task.refs or task.deps:
            self.settle()
            kept = kept_after(self.core.refs, lent(task), job.caller)
        self.executor.finished(job, packed, failed, kept, seconds)

    def _construct(self, message: StartActor) -> Program[None]:
        self.actor = message
        spec = message.spec
        script = self.world.library.script(spec.blob.decode())
        frame = Frame(self, message.incarnation, self.kept)
        failed: Failed | Fault | None = None
        self.parent = spec.actor
        try:
            call = Call(spec.actor, spec.actor, "__init__", 0, spec.args, 0, deps=spec.deps, refs=spec.refs)
            args = yield from self._arguments(call)
            yield from frame.run(script, args)
        except (ProgramError, ScriptRaised, Interrupted) as error:
            failed = as_failed(error, script, self, spec.actor, message.incarnation)
        finally:
            self.parent = b""
            frame.leave()
        self.settle()
        keep(self.core.refs, lent(spec))
        if failed is not None:
            yield from self._await_acknowledgements()
        self.send(self.node, ActorStarted(spec.actor, message.incarnation, self.me, self.address, 1, failed))
        self.flush()
        if failed is not None:
            self.failed = True
            self._todo.append(Stop(True, "its actor failed to start", may_stay=True))

    def block(self, until: Until) -> Program[None]:
        self.executor.block()
        self.carry_out()
        try:
            yield until
        finally:
            if self.alive:
                self.executor.unblock()
                self.carry_out()

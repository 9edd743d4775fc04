"""``Client``: the engine as a program sees it, the same in a driver and in a worker.

Everything that a program can ask for ends here: it is serialized, handed to the owner core under the lock, and waited
for with the pump. What only a worker does (running tasks) or only a driver (starting and stopping) is elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from rustyray.core.effects import JudgeFailure
from rustyray.engines.client.streams import StreamReader
from rustyray.model.ids import FIRST_RETURN, handle_id, object_id
from rustyray.model.streams import DYNAMIC
from rustyray.model.values import Failed, RefInfo
from rustyray.runtime import context, tracing
from rustyray.runtime.engine import ActorHandleState
from rustyray.runtime.faults import said, task_error
from rustyray.runtime.ref import ObjectRef
from rustyray.runtime.serialization import (
    INLINE_MAX,
    Serialized,
    dumps_args,
    loads,
    pack,
    ref_infos,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rustyray.engines.client.environments import Environments
    from rustyray.model.plans import ActorPlan, MethodPlan, TaskPlan
    from rustyray.runtime.engine import Returned

_Prepared = tuple[bytes, "list[bytes] | None", "list[RefInfo] | None", "list[bytes] | None"]
_NOTHING: _Prepared = (b"", None, None, None)


#: A program that submits without waiting looks after the results every so many submissions.
POLL_EVERY: Final = 128


class Client(StreamReader):
    """Implements `rustyray.runtime.engine.Engine`, but for the runtime's start and end."""

    #: The environment of this process, encoded, and what is made of it when it is needed first.
    env = b""
    _environments: Environments | None = None

    @property
    def environments(self) -> Environments:
        if self._environments is None:
            from rustyray.engines.client.environments import Environments

            self._environments = Environments(self, self.env)
        return self._environments

    def set_environment(self, given: Mapping[str, Any]) -> None:
        """What this process submits has this environment from now on, unless it says otherwise."""
        self.env = self.environments.enter(given)

    def environment(self) -> dict[str, Any]:
        return self.environments.given() if self.env else {}

    def check_packages(self) -> None:
        """Raise ValueError if this engine's workers cannot have folders of their own."""

    # --- tasks --------------------------------------------------------------------------------------------------------

    def submit(self, plan: TaskPlan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Returned:
        if args or kwargs:
            data, buffers, infos, deps, keep = self._prepare(args, kwargs)
        else:
            (data, buffers, infos, deps), keep = _NOTHING, None
        if self.env or plan.environment is not None:
            plan = self.environments.within(plan, self.env)
        task = context.current_task.get()
        parent = b""
        if task is not None:
            parent = task.task
            if plan.follows and task.strategy is not None and task.strategy.capture:
                plan = self._following(plan, task.strategy)
        trace = None if tracing.active is None else tracing.active.submitted(plan.task_name or plan.name)
        pump = self.pump
        with pump.lock:
            tid = self.core.submit(plan, data, buffers, infos, deps, parent, pump.clock(), trace)
            if self.core.out:
                pump.carry_out()
        del keep
        return self._returns(tid, plan.returns)

    def _returns(self, tid: bytes, returns: int) -> Returned:
        """The refs of what was just submitted; now and then, a look at what has arrived meanwhile.

        They are counted already, so they are made first: an interrupt then drops them, and nothing is left.
        """
        refs: Returned
        if returns == 1 or returns == DYNAMIC:
            refs = ObjectRef(tid + FIRST_RETURN, self.address, self._drop)
        elif returns < 0:
            refs = self._generator(tid)
        else:
            refs = [ObjectRef(object_id(tid, index), self.address, self._drop) for index in range(returns)]
        self._submitted += 1
        if not self._submitted % POLL_EVERY:
            self.pump.poll()
        if self.pump.interrupted:
            self.pump.check_interrupt()
        return refs or None

    def _prepare(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """The arguments as a task carries them. The last element keeps refs alive until the core holds them."""
        serialized, deps = dumps_args(args, kwargs)
        if serialized is not None and serialized.size > INLINE_MAX:
            large_apart = self._put_large(args, kwargs)
            serialized, deps = dumps_args(*large_apart)
        self._check_ours(deps)
        if serialized is None:
            return b"", None, None, [dep._id for dep in deps] or None, deps
        self._check_ours(serialized.refs)
        buffers = [bytes(buffer) for buffer in serialized.buffers] or None
        return (
            serialized.data,
            buffers,
            ref_infos(serialized.refs),
            [dep._id for dep in deps] or None,
            (serialized, deps),
        )

    def _put_large(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Large arguments go to the store, once, and travel as refs (as in Ray)."""
        return tuple(self._put_if_large(arg) for arg in args), {
            key: self._put_if_large(arg) for key, arg in kwargs.items()
        }

    def _put_if_large(self, arg: Any) -> Any:
        if isinstance(arg, ObjectRef):
            return arg
        packed = pack(arg, "argument")
        size = packed.size if isinstance(packed, Serialized) else len(packed)
        return self._put(packed) if size > INLINE_MAX else arg

    def cancel(self, ref: ObjectRef[Any], force: bool, recursive: bool) -> None:
        with self.pump.lock:
            if force and self.core.cancels.is_call(ref._id):
                raise ValueError(
                    "cancel(force=True) kills the worker, which is not for an actor's method: cancel without force, or "
                    "end the actor with kill(handle)"
                )
            self.core.cancels.cancel(ref._id, force, recursive, self.pump.clock())
            self.pump.flush()
        self.pump.run_deferred()

    def judge(self, question: JudgeFailure) -> bool | Failed:
        """Ask a plan's own predicate whether the exception is worth another attempt. If that raises, it is not, and
        the task's error says so."""
        with self.pump.lock:
            record = self.core.tasks.retries.judged_record(question.task)
        if record is None:
            return False
        on_error = record.plan.retry.on_error
        if isinstance(on_error, bool):
            return on_error
        failed = question.failed
        try:
            return bool(on_error(task_error(failed, loads).cause))
        except Exception as error:  # noqa: BLE001 - the predicate is the user's code
            why = f"(It is not tried again, as retry_exceptions itself raised {said(error)})\n"
            return msgspec.structs.replace(failed, traceback=failed.traceback + why)

    # --- actors -------------------------------------------------------------------------------------------------------

    def create_actor(self, plan: ActorPlan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ActorHandleState:
        if self.env or plan.environment is not None:
            plan = self.environments.actor_within(plan, self.env)
        task = context.current_task.get()
        if task is not None and plan.follows and task.strategy is not None and task.strategy.capture:
            plan = self._following(plan, task.strategy)
        data, buffers, infos, deps, keep = self._prepare(args, kwargs)
        pump = self.pump
        with pump.lock:
            request, waiter = pump.expect()
            namespace = self._process.namespace
            actor = self.core.create_actor(plan, data, buffers, infos, deps, request, namespace, pump.clock())
            pump.carry_out()
        del keep
        ref: ObjectRef[Any] | None = None
        if not plan.detached:
            ref = ObjectRef(handle_id(actor), self.address, self._drop)
        if plan.name:
            info = self._created(waiter, plan.name)
            if info is not None and info.actor != actor:
                return ActorHandleState(info.actor, info.owner_address, info.handle_meta, info.max_task_retries, None)
        return ActorHandleState(actor, self.address, plan.handle_meta, plan.max_task_retries, ref)

    def call(
        self, handle: ActorHandleState, method: MethodPlan, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Returned:
        if handle.actor not in self.core.calls.links:
            self._check_session(handle)
        if args or kwargs:
            data, buffers, infos, deps, keep = self._prepare(args, kwargs)
        else:
            (data, buffers, infos, deps), keep = _NOTHING, None
        task = context.current_task.get()
        parent = task.task if task is not None else b""
        trace = None if tracing.active is None else tracing.active.submitted(method.name)
        pump = self.pump
        with pump.lock:
            tid = self.core.call(
                handle.actor, handle.max_task_retries, method, data, buffers, infos, deps, parent, pump.clock(), trace
            )
            if self.core.out:
                pump.carry_out()
        del keep
        return self._returns(tid, method.returns)

    def _check_session(self, handle: ActorHandleState) -> None:
        session = self.address[: -len(self._process.worker.hex())]
        if handle.owner_address.startswith("unix:") and not handle.owner_address.startswith(session):
            raise ValueError("this is a handle from an earlier runtime of this program: the actor's runtime has ended")

    def kill_actor(self, handle: ActorHandleState, no_restart: bool) -> None:
        self._check_session(handle)
        with self.pump.lock:
            self.core.kill_actor(handle.actor, no_restart, self.pump.clock())
            self.pump.carry_out()
        self.pump.run_deferred()

    def exit_actor(self) -> None:
        raise TypeError("exit_actor() ends the actor that calls it: it can only be called in a method of an actor")

    def adopt_handle(
        self, actor: bytes, owner_address: str, meta: bytes, max_task_retries: int, counted: bool
    ) -> ActorHandleState:
        ref = self.adopt(handle_id(actor), owner_address) if counted else None
        return ActorHandleState(actor, owner_address, meta, max_task_retries, ref)

"""An owner core driven by hand: a node and workers are pretended, the invariants hold after every step."""

from __future__ import annotations

from rustyray.core.effects import Effect, JudgeFailure, Ready, Send, Warn
from rustyray.core.owner import OwnerCore
from rustyray.model import ids
from rustyray.model.messages import (
    HEAD,
    ActorInfo,
    ActorState,
    Done,
    LeaseGranted,
    Message,
    PushCalls,
    PushTasks,
    Results,
    WorkerDied,
)
from rustyray.model.plans import ActorPlan, MethodPlan, RetryPolicy, TaskPlan
from rustyray.model.resources import resource_set
from rustyray.model.values import Failed, Fault, FaultKind, RefInfo, Value
from tests.unit.outbox import Outbox

NODE = b"node-one"
OTHER_NODE = b"node-two"
ME = ids.worker_id(NODE, 0)
WORKERS = [ids.worker_id(NODE, number) for number in range(1, 10)]
ADDRESS = "sim:me"
BOOM = Failed(b"boom", "f", "boom")


def plan(
    name: str = "f", *, returns: int = 1, max_retries: int = 3, retry: RetryPolicy | None = None, cpus: float = 1
) -> TaskPlan:
    return TaskPlan(name.encode(), b"code", name, resource_set({"CPU": cpus}), returns, max_retries, retry)


def ref_to(object_: bytes, address: str = ADDRESS) -> RefInfo:
    return RefInfo(object_, address)


class Owner(Outbox):
    """``core`` under a clock, and what it asked for."""

    def __init__(self, me: bytes = ME) -> None:
        super().__init__()
        self.now = 100.0
        #: Looks at everything after each step; too slow for very many objects.
        self.checks = True
        self.core = OwnerCore(me, ADDRESS, NODE, b"\0\0\0\1")
        self.ready: list[bytes] = []
        self.questions: list[JudgeFailure] = []
        self.warnings: list[str] = []
        self.leases: dict[bytes, int] = {}

    # --- driving ------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        for effect in self.core.out:
            self.note(effect)
        self.core.out.clear()
        if self.checks:
            self.core.check()

    def note(self, effect: Effect) -> None:
        match effect:
            case Send(to=to, message=message):
                self.sent.append((to, message))
            case Ready(objects=objects):
                self.ready += objects
            case JudgeFailure():
                self.questions.append(effect)
            case Warn(text=text):
                self.warnings.append(text)

    def say(self, sender: bytes, message: Message) -> None:
        self.core.on_message(sender, message, self.now)
        self.settle()

    def wait(self, seconds: float) -> None:
        """Let time pass, with a call at each deadline on the way."""
        until = self.now + seconds
        for _ in range(1000):
            due = self.core.next_deadline()
            if due is None or due > until:
                break
            self.now = max(self.now, due)
            self.core.on_time(self.now)
            self.settle()
        else:
            raise AssertionError("its deadline never moves")
        self.now = until

    def flush(self) -> None:
        self.core.flush(self.now)
        self.settle()

    def lose(self, peer: bytes) -> None:
        self.core.on_peer_lost(peer, "end of file", self.now)
        self.settle()

    def die(self, worker: bytes, reason: str = "it was killed by signal 9 (SIGKILL)") -> None:
        """The node says so, and then the connection's end comes."""
        self.say(NODE, WorkerDied(worker, reason))
        self.lose(worker)

    # --- tasks --------------------------------------------------------------------------------------------------------

    def submit(self, of: TaskPlan, deps: list[bytes] | None = None, refs: list[RefInfo] | None = None) -> bytes:
        """Submit a task; its (first) object."""
        args = b"args" if deps or refs else b""
        task = self.core.submit(of, args, None, refs, deps, b"", self.now)
        self.settle()
        return task + ids.FIRST_RETURN

    def grant(self, worker: bytes = WORKERS[0], node: bytes = NODE) -> int:
        """Grant the oldest request for a worker that ``node`` has not answered; the lease's number."""
        open_ = self.asked(node)
        assert open_, "nobody asks for a worker"
        lease = max(self.leases.values(), default=0) + 1
        self.leases[worker] = lease
        self.say(node, LeaseGranted(open_[0], lease, worker, "sim:worker", 7))
        return lease

    def asked(self, node: bytes = NODE) -> list[int]:
        """The requests for workers that are open at the node, oldest first."""
        classes = self.core.sched.classes.values()
        return sorted(number for target in classes for number, asked in target.requests.items() if asked == node)

    def done(self, worker: bytes, *objects: bytes, value: bytes | list[Value] = b"v", seconds: float = 0.0) -> None:
        """The worker reports the tasks that make these objects as done."""
        self.say(worker, Results([Done(ids.task_of(object_), value) for object_ in objects], seconds))

    def fail(self, worker: bytes, object_: bytes, value: Failed | Fault = BOOM) -> None:
        self.say(worker, Results([Done(ids.task_of(object_), [value], True)], 0.0))

    # --- actors -------------------------------------------------------------------------------------------------------

    def create(self, *, max_restarts: int = 0, max_task_retries: int = 0, name: str = "", request: int = 1) -> bytes:
        of = ActorPlan(
            b"c", b"code", "C", [], {}, {}, name=name, max_restarts=max_restarts, max_task_retries=max_task_retries
        )
        actor = self.core.create_actor(of, b"", None, None, None, request, "", self.now)
        self.settle()
        return actor

    def actor_is(
        self, actor: bytes, state: ActorState, incarnation: int = 0, worker: bytes = b"", reason: str = "it crashed"
    ) -> None:
        dead = state in {ActorState.DEAD, ActorState.RESTARTING}
        fault = Fault(FaultKind.ACTOR_DIED, reason, actor=actor) if dead else None
        self.say(HEAD, ActorInfo(actor, state, incarnation, worker, "sim:actor" if worker else "", 7, fault))

    def alive(self, actor: bytes, worker: bytes = WORKERS[0], incarnation: int = 0) -> None:
        self.actor_is(actor, ActorState.ALIVE, incarnation, worker)

    def call(self, actor: bytes, name: str = "m", max_task_retries: int = 0, deps: list[bytes] | None = None) -> bytes:
        method = MethodPlan(name)
        task = self.core.call(actor, max_task_retries, method, b"", None, None, deps, b"", self.now)
        self.settle()
        return task + ids.FIRST_RETURN

    # --- looking ------------------------------------------------------------------------------------------------------

    def pushed(self, worker: bytes) -> list[bytes]:
        """The (first) objects of the tasks and calls pushed to the worker since the last look, in order."""
        tasks = [task for message in self.take(worker, PushTasks) for task in message.tasks]
        calls = [call for message in self.take(worker, PushCalls) for call in message.calls]
        return [task.id + ids.FIRST_RETURN for task in tasks] + [call.id + ids.FIRST_RETURN for call in calls]

    def value(self, object_: bytes) -> Value | None:
        return self.core.objects[object_].value

    def fault(self, object_: bytes) -> FaultKind:
        value = self.value(object_)
        assert isinstance(value, Fault), f"{value!r} is no fault"
        return value.kind

    def fault_or_error(self, object_: bytes) -> str:
        """The kind of the fault, or the text of the application's error, that the object is."""
        value = self.value(object_)
        if isinstance(value, Failed):
            return value.cause.decode()
        return self.fault(object_).name

    def drop(self, *objects: bytes) -> None:
        self.core.drop(list(objects))
        self.settle()

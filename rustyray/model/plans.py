"""What the API has worked out about a function, an actor class or a method before the first call.

Options are validated once, when they are given; each call then only names its plan. Engines and cores read plans and
never change them (``slot`` is the one place where the owner's core keeps what it derived from a plan).
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from rustyray.model.resources import ResourceSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from rustyray.model.strategies import Strategy


class RetryPolicy:
    """When an attempt that ended with an exception of the application is made again.

    ``on_error`` False: never; True: always; a callable decides on the exception itself. ``initial``, ``factor`` and
    ``maximum`` (seconds) shape the back-off before a retry; the jitter comes from the core's injected source.
    """

    __slots__ = ("factor", "initial", "maximum", "on_error")

    def __init__(
        self,
        on_error: bool | Callable[[BaseException], bool] = False,
        initial: float = 0.0,
        factor: float = 2.0,
        maximum: float = 30.0,
    ) -> None:
        self.on_error = on_error
        self.initial = initial
        self.factor = factor
        self.maximum = maximum

    def delay(self, attempt: int) -> float:
        """Seconds after which the attempt with this number, from 0, is followed by another; before the jitter."""
        if self.initial <= 0:
            return 0.0
        try:
            return min(self.maximum, self.initial * self.factor**attempt)
        except OverflowError:
            return self.maximum


class TaskPlan:
    """A remote function with its options.

    ``fn`` is the digest of ``blob`` (the cloudpickled function), ``held`` keeps refs alive that the function's closure
    carries, ``max_retries`` is -1 for "without end".
    ``name`` is the function's, with its module; ``task_name`` what the user calls the task, if anything else.
    ``follows``: it goes where its parent says, who may want it in its own placement group (`following`).
    ``environment`` is the runtime environment that was given, ``env`` what its workers are set up with
    (`rustyray.model.environments`), once that is worked out for the process that submits it (`inside`).
    ``max_calls``: how often one process may run it before it ends, 0: any number of times.
    """

    __slots__ = (
        "blob",
        "env",
        "environment",
        "fn",
        "following",
        "follows",
        "held",
        "inside",
        "max_calls",
        "max_retries",
        "name",
        "resources",
        "retry",
        "returns",
        "shown",
        "slot",
        "strategy",
        "task_name",
    )

    def __init__(
        self,
        fn: bytes,
        blob: bytes,
        name: str,
        resources: ResourceSet,
        returns: int = 1,
        max_retries: int = 3,
        retry: RetryPolicy | None = None,
        held: tuple[object, ...] = (),
        task_name: str = "",
        strategy: Strategy | None = None,
        follows: bool = False,
        environment: dict[str, Any] | None = None,
        max_calls: int = 0,
    ) -> None:
        self.max_calls = max_calls
        self.strategy = strategy
        self.follows = follows
        #: By the strategy of the parent.
        self.following: dict[Strategy, TaskPlan] = {}
        self.env = b""
        self.environment = environment
        #: By the environment of the process.
        self.inside: dict[bytes, TaskPlan] = {}
        self.fn = fn
        self.blob = blob
        self.name = name
        self.task_name = task_name
        self.shown = shown_call(name, task_name)
        self.resources = resources
        self.returns = returns
        self.max_retries = max_retries
        self.retry = retry or NO_RETRY
        self.held = held
        self.slot: object = None

    @property
    def called(self) -> str:
        return self.task_name or self.name

    def following_into(self, strategy: Strategy) -> TaskPlan:
        """The same, elsewhere."""
        plan = copy(self)
        plan.strategy, plan.follows, plan.slot = strategy, False, None
        return plan

    def set_in(self, env: bytes) -> TaskPlan:
        """The same, in workers with this environment."""
        plan = copy(self)
        plan.env, plan.slot, plan.following = env, None, {}
        return plan


class MethodPlan:
    """A method of an actor with its options; ``max_task_retries`` -1 means without end.

    ``group`` is the concurrency group in which it runs, empty for the default one. ``unordered``: a call need not wait
    for those before it whose arguments are not there yet. ``max_pending``: how many may be pending, 0: any number.
    ``call_name`` is what the user calls its calls, if anything; ``shown`` is how people are told of them. ``paced``:
    how far all generators of the actor are ahead of their readers is limited.
    """

    __slots__ = (
        "call_name",
        "group",
        "max_pending",
        "max_task_retries",
        "name",
        "paced",
        "retry",
        "returns",
        "shown",
        "unordered",
    )

    def __init__(
        self,
        name: str,
        returns: int = 1,
        max_task_retries: int = 0,
        retry: RetryPolicy | None = None,
        group: str = "",
        unordered: bool = False,
        max_pending: int = 0,
        call_name: str = "",
        paced: bool = False,
    ) -> None:
        self.paced = paced
        self.name = name
        self.call_name = call_name
        self.shown = shown_call(name, call_name)
        self.returns = returns
        self.max_task_retries = max_task_retries
        self.retry = retry or NO_RETRY
        self.group = group
        self.unordered = unordered
        self.max_pending = max_pending


def shown_call(method: str, name: str) -> str:
    """How a task or call is shown: by its function, and its own name if it has one (`of_shown_call` parts them)."""
    return f"{name} ({method})" if name else method


def of_shown_call(shown: str) -> tuple[str, str]:
    """The function or method, and the task's own name."""
    name, found, method = shown.removesuffix(")").rpartition(" (")
    return (method, name) if found else (shown, "")


class ActorPlan:
    """An actor class with its options, ready to be created. Fields as in `rustyray.model.messages.ActorSpec`.

    Whether it is ``detached`` is None where its options do not say: the program may have (`environments.LIFETIME`).
    """

    __slots__ = (
        "ahead",
        "blob",
        "class_name",
        "detached",
        "env",
        "environment",
        "fn",
        "following",
        "follows",
        "get_if_exists",
        "groups",
        "handle_meta",
        "held",
        "inside",
        "is_async",
        "max_concurrency",
        "max_restarts",
        "max_task_retries",
        "methods",
        "name",
        "namespace",
        "placement",
        "resources",
        "strategy",
    )

    def __init__(
        self,
        fn: bytes,
        blob: bytes,
        class_name: str,
        methods: list[str],
        resources: ResourceSet,
        placement: ResourceSet,
        *,
        name: str = "",
        namespace: str = "",
        detached: bool | None = None,
        get_if_exists: bool = False,
        max_restarts: int = 0,
        max_task_retries: int = 0,
        max_concurrency: int = 1,
        groups: dict[str, int] | None = None,
        is_async: bool = False,
        handle_meta: bytes = b"",
        held: tuple[object, ...] = (),
        strategy: Strategy | None = None,
        follows: bool = False,
        environment: dict[str, Any] | None = None,
        ahead: int = 0,
    ) -> None:
        self.ahead = ahead
        self.strategy = strategy
        self.follows = follows
        #: By the strategy of the task that creates it, as in `TaskPlan`; so are the next ones.
        self.following: dict[Strategy, ActorPlan] = {}
        self.env = b""
        self.environment = environment
        self.inside: dict[bytes, ActorPlan] = {}
        self.fn = fn
        self.blob = blob
        self.class_name = class_name
        self.methods = methods
        self.resources = resources
        self.placement = placement
        self.name = name
        self.namespace = namespace
        self.detached = detached
        self.get_if_exists = get_if_exists
        self.max_restarts = max_restarts
        self.max_task_retries = max_task_retries
        self.max_concurrency = max_concurrency
        self.groups = groups or {}
        self.is_async = is_async
        self.handle_meta = handle_meta
        self.held = held

    @property
    def called(self) -> str:
        return self.class_name

    def following_into(self, strategy: Strategy) -> ActorPlan:
        """The same, elsewhere."""
        plan = copy(self)
        plan.strategy, plan.follows = strategy, False
        return plan

    def set_in(self, env: bytes) -> ActorPlan:
        """The same, in a worker with this environment."""
        plan = copy(self)
        plan.env, plan.following = env, {}
        return plan


NO_RETRY = RetryPolicy()

"""Remote functions: what ``@rustyray.remote`` makes of a function.

``f.remote(…)`` is the hottest path of all. Options were checked and the plan was made before, so that a call counts its
arguments and hands them to the engine, nothing else.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar, overload

from rustyray.api import lifecycle
from rustyray.api.shipping import Code, global_name
from rustyray.api.signatures import Arguments, Parameter, parameters_of
from rustyray.model import options as opt
from rustyray.model import plan_parts as parts
from rustyray.model.plans import TaskPlan
from rustyray.runtime import context

if TYPE_CHECKING:
    from typing import Unpack

    from rustyray.api.typed import Remote, Returning, TaskOptions
    from rustyray.dag import FunctionNode
    from rustyray.runtime.generator import Listed, Streamed
    from rustyray.runtime.ref import ObjectRef

P = ParamSpec("P")
R = TypeVar("R")

_ASYNC_FUNCTION = 0x80 | 0x200  # coroutine functions and async generator functions, in a code object's flags
_GENERATOR = 0x20

if TYPE_CHECKING:

    class _Base(Remote[P, ObjectRef[R]], Generic[P, R]): ...

else:
    _Base = Generic


class RemoteFunction(_Base[P, R]):
    """A function that runs in workers (as in Ray): ``f.remote(…)`` returns a ref to its result at once.

    The plain function stays within reach as ``f.func`` (and ``f.__wrapped__``): call it to run it here, in a test say.
    """

    func: Callable[P, R]

    def __init__(
        self,
        func: Callable[P, R],
        options: Mapping[str, Any] | None = None,
        parameters: Sequence[Parameter] | None = None,  # of one that is just being unpickled, and has no defaults yet
    ) -> None:
        self.func = func
        self._options = dict(options or {})
        if self._options.get("max_calls") is None:  # the memory of a GPU is free only when the process is gone
            self._options["max_calls"] = 1 if self._options.get("num_gpus") else 0
        self._code = Code(func)
        self._arguments = arguments = Arguments(
            self._code.called, parameters_of(func) if parameters is None else parameters
        )
        self._low, self._high = arguments.low, arguments.high
        self._plan: TaskPlan | None = None
        _check_kind(func, self._options)
        functools.update_wrapper(self, func)

    if not TYPE_CHECKING:

        def remote(self, *args, **kwargs):
            """Submit a task with these arguments.

            An argument that is a ref is replaced by its value before the function runs; a ref inside a container stays.

            Returns:
                A ref to the result; with ``num_returns`` a list of refs, or None for 0. Of a generator function: an
                `ObjectRefGenerator`, unless ``num_returns`` says otherwise.

            Raises:
                TypeError: The arguments do not fit the function, or cannot be pickled.
            """
            if kwargs or not self._low <= len(args) <= self._high:
                self._arguments.check(args, kwargs)
            engine = context._engine
            if engine is None:
                engine = lifecycle.running_engine()
            plan = self._plan
            if plan is None:
                plan = self._make_plan()
            return engine.submit(plan, args, kwargs)

    @overload
    def options(  # type: ignore[overload-overlap]
        self, *, num_returns: Literal[1] | None = None, **options: Unpack[TaskOptions]
    ) -> RemoteFunction[P, R]: ...
    @overload
    def options(self, *, num_returns: Literal[0], **options: Unpack[TaskOptions]) -> Returning[P, R, None]: ...  # type: ignore[overload-overlap]
    @overload
    def options(
        self, *, num_returns: Literal["streaming"], **options: Unpack[TaskOptions]
    ) -> Returning[P, R, Streamed]: ...
    @overload
    def options(
        self, *, num_returns: Literal["dynamic"], **options: Unpack[TaskOptions]
    ) -> Returning[P, R, Listed]: ...
    @overload
    def options(self, *, num_returns: int, **options: Unpack[TaskOptions]) -> Returning[P, R, list[ObjectRef[Any]]]: ...
    def options(self, **options: Any) -> Any:
        """The same function with other options, such as ``f.options(num_cpus=2).remote(…)``.

        Raises:
            ValueError: There is no such option, it is not supported yet, or its value is out of range.
            TypeError: A value has the wrong type.
        """
        if "max_calls" in options:
            raise ValueError(
                f"max_calls is a matter of the function itself: write @remote(max_calls={options['max_calls']!r}) "
                f"above {self._code.called}, not .options(…) (as in Ray)"
            )
        changed = RemoteFunction.__new__(RemoteFunction)
        changed.__dict__.update(self.__dict__)
        changed._options = {**self._options, **opt.check_options(opt.Scope.TASK, options)}
        changed._plan = None
        _check_kind(self.func, changed._options)
        return changed

    def _remote(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """``options(…).remote(…)`` in one, which suites written for Ray use."""
        return self.options(**options).remote(*args, **(kwargs or {}))

    def bind(self, *args: Any, **kwargs: Any) -> FunctionNode:
        """A node of a graph of calls that is run later, with ``.execute()``: see `rustyray.dag` (as in Ray).

        Raises:
            TypeError: The arguments do not fit.
        """
        from rustyray.dag.function_node import FunctionNode  # which few programs need

        if kwargs or not self._low <= len(args) <= self._high:
            self._arguments.check(args, kwargs)
        return FunctionNode(self, args, kwargs)

    def _make_plan(self) -> TaskPlan:
        resources = parts.task_resources(self._options)
        strategy, follows = parts.where_to_run(self._options, self._code.called, resources, {})
        fn, blob, held = self._code.packed()
        context.remember(self)
        self._plan = TaskPlan(
            fn,
            blob,
            self._code.called,
            resources,
            returns=parts.returns_of(self._options, self._code.called, is_generator(self.func)),
            max_retries=opt.value_of(self._options, "max_retries"),
            retry=parts.retry_policy(self._options),
            held=held,
            task_name=self._options.get("name") or "",
            strategy=strategy,
            follows=follows,
            environment=self._options.get("runtime_env") or None,
            max_calls=opt.value_of(self._options, "max_calls"),
        )
        return self._plan

    @property
    def _function(self) -> Callable[P, R]:
        """As ``func``; programs that were written for Ray take it from there to run it here."""
        return self.func

    def forget_engine(self) -> None:
        self._plan = None

    def __call__(self, *args: object, **kwargs: object) -> Any:
        name = self.func.__name__
        raise TypeError(
            f"{self._code.called} is a remote function and cannot be called directly: write {name}.remote(…) to run it "
            f"in a worker, or {name}.func(…) to run it here."
        )

    def __repr__(self) -> str:
        return f"<remote function {self._code.called}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return global_name(self.func, self) or (RemoteFunction, (self.func, self._options, self._arguments.parameters))


def is_generator(func: Callable[..., Any]) -> bool:
    """Whether it is a generator function, by itself or with some of its arguments given."""
    while isinstance(func, functools.partial):
        func = func.func
    return bool(getattr(getattr(func, "__code__", None), "co_flags", 0) & _GENERATOR)


def _check_kind(func: Callable[..., Any], options: Mapping[str, Any]) -> None:
    flags = getattr(getattr(func, "__code__", None), "co_flags", 0)
    name = getattr(func, "__qualname__", repr(func))
    if flags & _ASYNC_FUNCTION:
        raise ValueError(
            f"{name} is an async function, which cannot be a task (as in Ray). Make it a method of an actor, or wrap "
            f"it: a plain function that returns asyncio.run({name}(…))."
        )
    if isinstance(options.get("num_returns"), str):
        parts.returns_of(options, name, is_generator(func))  # raises, if it is none

"""Handles of actors, and the methods called through them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar, overload
from zlib import crc32

from rustyray.api.actor_shape import Method, shape_of
from rustyray.api.ids import ActorID
from rustyray.model import options as opt
from rustyray.runtime import context

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    from rustyray.api.typed import MethodOptions, Remote, ReturningMethod
    from rustyray.runtime.engine import ActorHandleState
    from rustyray.runtime.generator import Listed, Streamed
    from rustyray.runtime.ref import ObjectRef

P = ParamSpec("P")
R = TypeVar("R")
T_co = TypeVar("T_co", covariant=True)

if TYPE_CHECKING:

    class _Base(Remote[P, ObjectRef[R]], Generic[P, R]): ...

else:
    _Base = Generic


class ActorMethod(_Base[P, R]):
    """A method of an actor, as found on its handle: ``handle.method.remote(…)`` returns a ref at once (as in Ray)."""

    # It holds what is behind the handle, not the handle: a handle keeps its methods, and must not keep itself alive.
    __slots__ = ("_high", "_low", "_method", "_plan", "_state")

    def __init__(self, state: ActorHandleState, method: Method) -> None:
        self._state = state
        self._method = method
        self._plan = method.plan
        self._low, self._high = method.arguments.low, method.arguments.high

    if not TYPE_CHECKING:

        def remote(self, *args, **kwargs):
            """Call the method. Calls through one process run in order, unless the actor is async or threaded.

            Returns:
                A ref to the result; with ``num_returns`` a list of refs, or None for 0. Of a generator: an
                `ObjectRefGenerator`, unless ``num_returns`` says otherwise.

            Raises:
                TypeError: The arguments do not fit the method, or cannot be pickled.
            """
            if kwargs or not self._low <= len(args) <= self._high:
                self._method.arguments.check(args, kwargs)
            engine = context._engine
            if engine is None:
                engine = context.require_engine("calling an actor")
            return engine.call(self._state, self._plan, args, kwargs)

    @overload
    def options(  # type: ignore[overload-overlap]
        self, *, num_returns: Literal[1] | None = None, **options: Unpack[MethodOptions]
    ) -> ActorMethod[P, R]: ...
    @overload
    def options(self, *, num_returns: Literal[0], **options: Unpack[MethodOptions]) -> ReturningMethod[P, R, None]: ...  # type: ignore[overload-overlap]
    @overload
    def options(
        self, *, num_returns: Literal["streaming"], **options: Unpack[MethodOptions]
    ) -> ReturningMethod[P, R, Streamed]: ...
    @overload
    def options(
        self, *, num_returns: Literal["dynamic"], **options: Unpack[MethodOptions]
    ) -> ReturningMethod[P, R, Listed]: ...
    @overload
    def options(
        self, *, num_returns: int, **options: Unpack[MethodOptions]
    ) -> ReturningMethod[P, R, list[ObjectRef[Any]]]: ...
    def options(self, **options: Any) -> Any:
        """The same method with other options. Raises as `RemoteFunction.options`."""
        shape = shape_of(self._state.meta)
        name = self._plan.name
        checked = opt.check_options(opt.Scope.METHOD, options)
        plan = shape.plan(name, shape.methods[name], checked, self._state.max_task_retries)
        return ActorMethod(self._state, Method(self._method.arguments, plan))

    def _remote(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """``options(…).remote(…)`` in one, which suites written for Ray use."""
        return self.options(**options).remote(*args, **(kwargs or {}))

    def bind(self, *args: Any, **kwargs: Any) -> Any:
        """A node of a graph of calls that is run later: see `rustyray.dag` (as in Ray).

        Returns:
            A `ClassMethodNode`; with ``num_returns`` a tuple of them.

        Raises:
            TypeError: The arguments do not fit.
        """
        from rustyray.dag.class_node import bound_method  # which few programs need

        if kwargs or not self._low <= len(args) <= self._high:
            self._method.arguments.check(args, kwargs)
        return bound_method(self, self._plan.returns, args, kwargs)

    def __call__(self, *args: object, **kwargs: object) -> Any:
        name = self._plan.name
        raise TypeError(f"Methods of actors cannot be called directly: write handle.{name}.remote(…)")

    def __repr__(self) -> str:
        return f"<method {self._method.arguments.called} of an actor>"


class ActorHandle(Generic[T_co]):
    """A handle of an actor whose class is ``T_co``: call its methods with ``handle.method.remote(…)`` (as in Ray).

    Handles can be passed to tasks and other actors, and compare equal when they mean the same actor. An actor that is
    not detached ends when its last handle goes. Those from `get_actor` do not count.
    """

    _rustyray_state: ActorHandleState

    def __init__(self, state: ActorHandleState) -> None:
        self._rustyray_state = state

    def __getattr__(self, name: str) -> ActorMethod[..., Any]:
        if name == "_rustyray_state":  # a half-made handle
            raise AttributeError(name)
        state = self._rustyray_state
        shape = shape_of(state.meta)
        method = shape.method(name, state.max_task_retries)
        if method is None:
            hint = "" if name.startswith("__") else opt.hint(name, shape.methods)
            raise AttributeError(
                f"Actor class {shape.called} has no method {name!r}{hint}; handles have nothing but methods"
            )
        bound: ActorMethod[..., Any] = ActorMethod(state, method)
        self.__dict__[name] = bound
        return bound

    @property
    def _actor_id(self) -> ActorID:
        return ActorID(self._rustyray_state.actor)

    def __dir__(self) -> list[str]:
        return [*{*super().__dir__(), *shape_of(self._rustyray_state.meta).methods}]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ActorHandle):
            return self._rustyray_state.actor == other._rustyray_state.actor
        return NotImplemented

    def __hash__(self) -> int:
        return crc32(self._rustyray_state.actor)  # the order of a set of handles is the same in any process

    def __repr__(self) -> str:
        return f"Actor({shape_of(self._rustyray_state.meta).name}, {self._rustyray_state.actor.hex()})"

    def __reduce__(self) -> tuple[Any, ...]:
        state = self._rustyray_state
        if state.ref is not None:
            context.note_pickled_ref(state.ref)
        parts = (state.actor, state.owner_address, state.meta, state.max_task_retries, state.ref is not None)
        return _rebuild, parts


def _rebuild(actor: bytes, owner_address: str, meta: bytes, max_task_retries: int, counted: bool) -> ActorHandle[Any]:
    engine = context.require_engine("unpickling an actor's handle")
    return ActorHandle(engine.adopt_handle(actor, owner_address, meta, max_task_retries, counted))

"""What type checkers see of ``.remote()`` and ``.options()``; nothing here exists while a program runs.

A call must fit the function's own signature, with keywords and defaults, but an argument may also be a ref to a value
of its type. ``ParamSpec`` alone cannot say the second, and a family of classes for 0 to 9 parameters (as in Ray) cannot
say the first. Both together can: the overloads of `Remote.remote` are the exact signature, and, for calls with up to
eight positional arguments, each argument or a ref to it. `Takes1` and so on read the parameters' types off the
signature. Not covered: refs given by keyword, or beyond the eighth argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    Literal,
    ParamSpec,
    Protocol,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
)

from rustyray.runtime.generator import Listed, Streamed
from rustyray.runtime.ref import ObjectRef

if TYPE_CHECKING:
    from rustyray.api.actor_handle import ActorMethod
    from rustyray.api.placement_groups import PlacementGroup
    from rustyray.api.remote_function import RemoteFunction
    from rustyray.model.strategies import SchedulingStrategy

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
Out = TypeVar("Out")
Out_co = TypeVar("Out_co", covariant=True)
A1 = TypeVar("A1")
A2 = TypeVar("A2")
A3 = TypeVar("A3")
A4 = TypeVar("A4")
A5 = TypeVar("A5")
A6 = TypeVar("A6")
A7 = TypeVar("A7")
A8 = TypeVar("A8")
A1_contra = TypeVar("A1_contra", contravariant=True)
A2_contra = TypeVar("A2_contra", contravariant=True)
A3_contra = TypeVar("A3_contra", contravariant=True)
A4_contra = TypeVar("A4_contra", contravariant=True)
A5_contra = TypeVar("A5_contra", contravariant=True)
A6_contra = TypeVar("A6_contra", contravariant=True)
A7_contra = TypeVar("A7_contra", contravariant=True)
A8_contra = TypeVar("A8_contra", contravariant=True)


class Takes1(Protocol[A1_contra]):
    def _takes(self, a1: A1_contra, /) -> None: ...


class Takes2(Protocol[A1_contra, A2_contra]):
    def _takes(self, a1: A1_contra, a2: A2_contra, /) -> None: ...


class Takes3(Protocol[A1_contra, A2_contra, A3_contra]):
    def _takes(self, a1: A1_contra, a2: A2_contra, a3: A3_contra, /) -> None: ...


class Takes4(Protocol[A1_contra, A2_contra, A3_contra, A4_contra]):
    def _takes(self, a1: A1_contra, a2: A2_contra, a3: A3_contra, a4: A4_contra, /) -> None: ...


class Takes5(Protocol[A1_contra, A2_contra, A3_contra, A4_contra, A5_contra]):
    def _takes(self, a1: A1_contra, a2: A2_contra, a3: A3_contra, a4: A4_contra, a5: A5_contra, /) -> None: ...


class Takes6(Protocol[A1_contra, A2_contra, A3_contra, A4_contra, A5_contra, A6_contra]):
    def _takes(
        self, a1: A1_contra, a2: A2_contra, a3: A3_contra, a4: A4_contra, a5: A5_contra, a6: A6_contra, /
    ) -> None: ...


class Takes7(Protocol[A1_contra, A2_contra, A3_contra, A4_contra, A5_contra, A6_contra, A7_contra]):
    def _takes(
        self, a1: A1_contra, a2: A2_contra, a3: A3_contra, a4: A4_contra, a5: A5_contra, a6: A6_contra, a7: A7_contra, /
    ) -> None: ...


class Takes8(Protocol[A1_contra, A2_contra, A3_contra, A4_contra, A5_contra, A6_contra, A7_contra, A8_contra]):
    def _takes(
        self,
        a1: A1_contra,
        a2: A2_contra,
        a3: A3_contra,
        a4: A4_contra,
        a5: A5_contra,
        a6: A6_contra,
        a7: A7_contra,
        a8: A8_contra,
        /,
    ) -> None: ...


class Remote(Generic[P, Out_co]):
    """Something with a ``.remote()`` that takes what a function with parameters ``P`` takes."""

    def _takes(self, *args: P.args, **kwargs: P.kwargs) -> None: ...

    @overload
    def remote(self, *args: P.args, **kwargs: P.kwargs) -> Out_co: ...
    @overload
    def remote(self: Takes1[A1], a1: A1 | ObjectRef[A1], /) -> Out_co: ...
    @overload
    def remote(self: Takes2[A1, A2], a1: A1 | ObjectRef[A1], a2: A2 | ObjectRef[A2], /) -> Out_co: ...
    @overload
    def remote(
        self: Takes3[A1, A2, A3], a1: A1 | ObjectRef[A1], a2: A2 | ObjectRef[A2], a3: A3 | ObjectRef[A3], /
    ) -> Out_co: ...
    @overload
    def remote(
        self: Takes4[A1, A2, A3, A4],
        a1: A1 | ObjectRef[A1],
        a2: A2 | ObjectRef[A2],
        a3: A3 | ObjectRef[A3],
        a4: A4 | ObjectRef[A4],
        /,
    ) -> Out_co: ...
    @overload
    def remote(
        self: Takes5[A1, A2, A3, A4, A5],
        a1: A1 | ObjectRef[A1],
        a2: A2 | ObjectRef[A2],
        a3: A3 | ObjectRef[A3],
        a4: A4 | ObjectRef[A4],
        a5: A5 | ObjectRef[A5],
        /,
    ) -> Out_co: ...
    @overload
    def remote(
        self: Takes6[A1, A2, A3, A4, A5, A6],
        a1: A1 | ObjectRef[A1],
        a2: A2 | ObjectRef[A2],
        a3: A3 | ObjectRef[A3],
        a4: A4 | ObjectRef[A4],
        a5: A5 | ObjectRef[A5],
        a6: A6 | ObjectRef[A6],
        /,
    ) -> Out_co: ...
    @overload
    def remote(
        self: Takes7[A1, A2, A3, A4, A5, A6, A7],
        a1: A1 | ObjectRef[A1],
        a2: A2 | ObjectRef[A2],
        a3: A3 | ObjectRef[A3],
        a4: A4 | ObjectRef[A4],
        a5: A5 | ObjectRef[A5],
        a6: A6 | ObjectRef[A6],
        a7: A7 | ObjectRef[A7],
        /,
    ) -> Out_co: ...
    @overload
    def remote(
        self: Takes8[A1, A2, A3, A4, A5, A6, A7, A8],
        a1: A1 | ObjectRef[A1],
        a2: A2 | ObjectRef[A2],
        a3: A3 | ObjectRef[A3],
        a4: A4 | ObjectRef[A4],
        a5: A5 | ObjectRef[A5],
        a6: A6 | ObjectRef[A6],
        a7: A7 | ObjectRef[A7],
        a8: A8 | ObjectRef[A8],
        /,
    ) -> Out_co: ...
    def remote(self, *args: Any, **kwargs: Any) -> Any: ...


class Resources(TypedDict, total=False):
    """Options of tasks and actors alike; each may also be None: its default."""

    num_cpus: float | None
    num_gpus: float | None
    memory: float | None
    resources: Mapping[str, float] | None
    name: str | None
    scheduling_strategy: SchedulingStrategy | None
    runtime_env: Mapping[str, Any] | None
    label_selector: Mapping[str, str] | None
    fallback_strategy: Sequence[Mapping[str, Mapping[str, str]]] | None
    placement_group: PlacementGroup | Literal["default"] | None
    placement_group_bundle_index: int | None
    placement_group_capture_child_tasks: bool | None
    accelerator_type: str | None


Retry = bool | list[type[BaseException]] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]


class TaskOptions(Resources, total=False):
    """Options of tasks, other than ``num_returns``."""

    max_retries: int | None
    retry_exceptions: Retry | None
    retry_backoff: float | tuple[float, float, float] | None
    _generator_backpressure_num_objects: int | None


class FunctionOptions(TaskOptions, total=False):
    """Options of tasks that are a matter of the function, not of a call."""

    max_calls: int | None


class ActorOptions(Resources, total=False):
    """Options of actors."""

    max_restarts: int | None
    max_task_retries: int | None
    max_concurrency: int | None
    lifetime: Literal["detached", "non_detached"] | None
    namespace: str | None
    get_if_exists: bool | None
    concurrency_groups: Mapping[str, int] | None
    allow_out_of_order_execution: bool | None
    max_pending_calls: int | None
    _actor_generator_backpressure_num_objects: int | None


class Returning(Remote[P, Out], Generic[P, R, Out]):
    """A remote function that returns other than one ref: ``Out`` is None, a list of refs, or a generator."""

    func: Callable[P, R]

    @overload
    def options(self, *, num_returns: None = None, **options: Unpack[TaskOptions]) -> Returning[P, R, Out]: ...
    @overload
    def options(  # type: ignore[overload-overlap]
        self, *, num_returns: Literal[1], **options: Unpack[TaskOptions]
    ) -> RemoteFunction[P, R]: ...
    @overload
    def options(  # type: ignore[overload-overlap]
        self, *, num_returns: Literal[0], **options: Unpack[TaskOptions]
    ) -> Returning[P, R, None]: ...
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
    def options(self, **options: Any) -> Any: ...


class SeveralReturns(Generic[P, R]):
    """A method with ``num_returns`` other than 1, inside the actor: a call of it is an ordinary one."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        raise NotImplementedError


class SeveralReturnsMethod(Generic[S, P, R]):
    """What ``method(num_returns=…)`` makes of a method, as far as types go."""

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Callable[Concatenate[S, P], R]: ...
    @overload
    def __get__(self, instance: S, owner: type[Any]) -> SeveralReturns[P, R]: ...
    def __get__(self, instance: Any, owner: type[Any]) -> Any: ...


class MarksSeveralReturns(Protocol):
    """``method(num_returns=2)``."""

    def __call__(self, method: Callable[Concatenate[S, P], R], /) -> SeveralReturnsMethod[S, P, R]: ...


class MethodOptions(TypedDict, total=False):
    """Options of actor methods, other than ``num_returns``."""

    name: str | None
    max_task_retries: int | None
    retry_exceptions: Retry | None
    concurrency_group: str | None
    _generator_backpressure_num_objects: int | None


class ReturningMethod(Remote[P, Out], Generic[P, R, Out]):
    """A method on a handle that returns other than one ref: ``Out`` is None, a list of refs, or a generator."""

    @overload
    def options(self, *, num_returns: None = None, **options: Unpack[MethodOptions]) -> ReturningMethod[P, R, Out]: ...
    @overload
    def options(self, *, num_returns: Literal[1], **options: Unpack[MethodOptions]) -> ActorMethod[P, R]: ...  # type: ignore[overload-overlap]
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
    def options(self, **options: Any) -> Any: ...

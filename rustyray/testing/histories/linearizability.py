"""`linearizable`: does a concurrent history make sense as a sequence of operations, each done at one moment?"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, overload

from rustyray.api.actor_class import ActorClass
from rustyray.testing.histories.history import History
from rustyray.testing.histories.models import ClassModel, Model, StepModel
from rustyray.testing.histories.operations import Operation, Outcome, shown
from rustyray.testing.histories.search import Found, GaveUp, NotFound, Search, Steps, same
from rustyray.testing.histories.timeline import Legal, story

S = TypeVar("S")

#: To tell what would have been legal is worth so many places of a search.
_LIMIT_OF_LEGAL = 20_000


class NotLinearizableError(AssertionError):
    """No order of the operations, each taking effect between its call and its return, explains what was seen.

    Attributes:
        operation: the first to return with something that nothing explains.
        legal: how it could have ended; some of the ways, if there are very many.
        prefix: the smallest beginning of the history (of the operation's part of it, if it was partitioned) that cannot
            be explained. Operations that were running at its end have no outcome here.
    """

    def __init__(
        self, message: str, operation: Operation, legal: Sequence[Outcome], prefix: Sequence[Operation]
    ) -> None:
        super().__init__(message)
        self.operation = operation
        self.legal = tuple(legal)
        self.prefix = tuple(prefix)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (*self.args, self.operation, self.legal, self.prefix)


class UndecidedError(RuntimeError):
    """There are too many orders to try: whether the history is linearizable was not found out."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """The smallest prefix that cannot be explained, its last event, and how the operation there could have ended."""

    end: int
    prefix: list[Operation]
    culprit: int
    legal: Sequence[Legal]
    complete: bool


class Linearizable:
    """Checks histories against a sequential model; `linearizable` makes it."""

    def __init__(self, model: Model, partition: Callable[[Operation], Hashable] | None, limit: int) -> None:
        self._model = model
        self._partition = partition
        self._limit = limit

    def check(self, history: History | Iterable[Operation]) -> None:
        """Pass if the history is linearizable with respect to the model.

        Args:
            history: as recorded, or its operations. One that has not returned may have taken effect or not.

        Raises:
            NotLinearizableError: It is not; the message shows where, as a timeline.
            UndecidedError: There were too many orders to try.
            ValueError: The model cannot say anything about an operation, or an operation returns before its call.
            TypeError: States of the model cannot be compared, or not copied.
        """
        failures = []
        for key, operations in self._parts(history):
            steps = Steps(self._model)
            found = self._search(steps, operations)
            if isinstance(found, NotFound):
                failures.append((self._shortest(steps, operations, found), key))
        if failures:
            failure, key = min(failures, key=lambda one: one[0].end)
            told = story(failure.prefix, failure.culprit, failure.legal, failure.complete, key)
            legal = [outcome for outcome, _ in failure.legal]
            raise NotLinearizableError(told, failure.prefix[failure.culprit], legal, failure.prefix)

    def accepts(self, history: History | Iterable[Operation]) -> bool:
        """Whether the history is linearizable with respect to the model. Raises as `check` otherwise."""
        return not any(
            isinstance(self._search(Steps(self._model), operations), NotFound) for _, operations in self._parts(history)
        )

    def _parts(self, history: History | Iterable[Operation]) -> list[tuple[Hashable, list[Operation]]]:
        operations = history.operations() if isinstance(history, History) else list(history)
        for operation in operations:
            if not isinstance(operation, Operation):
                raise TypeError(f"A history has operations, got {shown(operation)}: record them with History()")
            if operation.returned is not None and operation.returned <= operation.invoked:
                raise ValueError(f"{operation} of {operation.client} returned before it was called")
            if (operation.returned is None) is not (operation.outcome is None):
                raise ValueError(f"{operation} of {operation.client} needs both `returned` and `outcome`, or neither")
        if self._partition is None:
            return [(None, operations)]
        parts: dict[Hashable, list[Operation]] = {}
        for operation in operations:
            parts.setdefault(self._partition(operation), []).append(operation)
        return list(parts.items())

    def _search(self, steps: Steps, operations: Sequence[Operation]) -> Found | NotFound:
        try:
            return Search(steps, operations, self._limit).run()
        except GaveUp:
            raise UndecidedError(
                f"Gave up after {self._limit:,} places in the history of {len(operations)} operations without finding "
                "out whether it is linearizable. What helps: partition=lambda op: … where operations on different keys "
                "do not concern each other, operations that return what they did, fewer clients at a time, fewer calls "
                "that never return, or a higher limit=…."
            ) from None

    def _shortest(self, steps: Steps, operations: Sequence[Operation], found: NotFound) -> _Failure:
        """The smallest prefix that cannot be explained.

        The search knows how operations end that are still running in a prefix, where they may yet end in any way. So
        the smallest prefix may be a longer one than that where the search was stuck.
        """
        ends = sorted(_end(operation) for operation in operations if operation.returned is not None)
        for end in ends[ends.index(_end(operations[found.stuck])) :]:
            prefix = [one if _end(one) <= end else _running(one) for one in operations if one.invoked < end]
            culprit = next(place for place, one in enumerate(prefix) if one.returned == end)
            seen = prefix[culprit].outcome
            free = [*prefix[:culprit], replace(prefix[culprit], outcome=None), *prefix[culprit + 1 :]]
            legal, complete = Search(steps, free, min(self._limit, _LIMIT_OF_LEGAL)).outcomes()
            if any(same(outcome, seen) for outcome, _ in legal if seen is not None):
                continue
            if complete or end == ends[-1] or isinstance(self._search(steps, prefix), NotFound):
                return _Failure(end, prefix, culprit, legal, complete)
        raise AssertionError("the whole history is a prefix, too")


def _running(operation: Operation) -> Operation:
    return replace(operation, returned=None, outcome=None, returned_at=None)


def _end(operation: Operation) -> int:
    return operation.returned or 0


@overload
def linearizable(
    model: Callable[[S, str, tuple[Any, ...]], tuple[S, object]],
    *,
    initial: S,
    partition: Callable[[Operation], Hashable] | None = None,
    key: Callable[[S], Hashable] | None = None,
    limit: int = 500_000,
) -> Linearizable: ...
@overload
def linearizable(
    model: object,
    *,
    partition: Callable[[Operation], Hashable] | None = None,
    key: Callable[[Any], Hashable] | None = None,
    limit: int = 500_000,
) -> Linearizable: ...
def linearizable(
    model: Any,
    *,
    initial: Any = ...,
    partition: Callable[[Operation], Hashable] | None = None,
    key: Callable[[Any], Hashable] | None = None,
    limit: int = 500_000,
) -> Linearizable:
    """A checker of histories: each operation must seem to take effect at one moment between its call and its return.

    Args:
        model: what the operations do when they come one at a time. A plain class, whose methods are the operations and
            which is made without arguments; or an object of one, as it is to start; or, with ``initial``, a pure
            function ``step(state, name, args) -> (new state, result)``. What an operation raises counts as its result.
        initial: the state that ``step`` starts with.
        partition: the key of an operation, where those on different keys do not concern each other: the histories of
            the keys are checked one by one, which is much faster. Each starts with a model of its own.
        key: something hashable that is the same for equal states only. By default objects are compared by their
            attributes (as pickled), dicts and sets in any order; states of ``step`` must be hashable.
        limit: give up after so many places in the search, which take some seconds; a step of the model counts as ten.

    Raises:
        TypeError: That is no model.
    """
    if limit < 1:
        raise ValueError(f"linearizable(): limit must be 1 or more places, got {limit!r}")
    if initial is not ...:
        if not callable(model):
            raise TypeError(f"linearizable(step, initial=…) takes a function as the model, got {shown(model)}")
        return Linearizable(StepModel(model, initial, key), partition, limit)
    if isinstance(model, ActorClass):
        raise TypeError(f"{shown(model)} is an actor class: the model must be a plain one, such as its `.cls`")
    if isinstance(model, types.FunctionType | types.MethodType | types.BuiltinFunctionType | functools.partial):
        raise TypeError("A function as the model needs a state to start with: linearizable(step, initial=…)")
    return Linearizable(ClassModel(model, key), partition, limit)

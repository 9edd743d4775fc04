"""Recording histories: of actors, through handles that note each call, or of anything else by hand.

A history is a list of events that only grows, so recording needs no lock: appending to a list is atomic, and an event's
place in the list is its order. Times are for people, and for merging; the order decides, and holds where time is
virtual and many events share an instant.
"""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast, overload

from rustyray.api import calls
from rustyray.api.actor_handle import ActorHandle, ActorMethod
from rustyray.exceptions import GetTimeoutError, RayError, RayTaskError
from rustyray.runtime.ref import ObjectRef
from rustyray.testing.histories.operations import Operation, Outcome, Raised, Returned, shown

T = TypeVar("T")
H = TypeVar("H", bound=ActorHandle[Any])


@dataclass(frozen=True, slots=True)
class Call:
    """What `History.call` returns: says to `History.returned` which operation has ended."""

    number: int


@dataclass(frozen=True, slots=True)
class _Lost:
    why: str


@dataclass(frozen=True, slots=True)
class _Event:
    """``what`` happened to the operation ``number``; None: it was never called after all."""

    number: int
    at: float
    what: Operation | Outcome | _Lost | None


class History:
    """Records operations: an actor's through `wrap`, any others through `call`, `returned` and `raised`.

    Threads may record in the same history. A history can be pickled, so a task can return what it recorded; `merge`
    puts the histories of several processes of one machine together.
    """

    def __init__(self) -> None:
        self._events: list[_Event] = []
        self._numbers = itertools.count()
        self._ended: set[int] = set()
        #: By the id of the ref that a recorded call returned; an id alone does not keep the object alive.
        self._refs: dict[bytes, int] = {}

    def call(self, client: str, name: str, /, *args: object, **kwargs: object) -> Call:
        """Note that ``client`` calls the operation ``name`` now. The arguments are copied.

        Raises:
            TypeError: An argument is a ref, and no model can know the value behind it.
        """
        for where, arg in [*enumerate(args), *kwargs.items()]:
            if isinstance(arg, ObjectRef):
                raise TypeError(
                    f"{name}(): argument {where!r} is a ref, and no model knows the value behind it. Give operations "
                    "that are recorded the value itself."
                )
        args, kwargs = copy.deepcopy((args, kwargs))
        number = next(self._numbers)
        self._note(number, Operation(client, name, args, kwargs))
        return Call(number)

    def returned(self, call: Call, value: object = None) -> None:
        """Note that the operation ended with ``value``, which is copied.

        Raises:
            ValueError: It has ended before.
        """
        self._end(call.number, Returned(copy.deepcopy(value)))

    def raised(self, call: Call, error: BaseException) -> None:
        """Note that the operation ended with an exception. Raises as `returned`."""
        self._end(call.number, Raised(error))

    def lost(self, call: Call, why: str) -> None:
        """Note that nobody will know how the operation ended: it may have taken effect or not.

        One that is never said to have ended counts the same; this keeps the reason for the report.
        """
        self._note(call.number, _Lost(why))

    def wrap(self, handle: H, client: str) -> H:
        """A handle of the same actor whose calls are recorded as those of ``client``.

        Get their results by `get` or `async_get` of this history. `rustyray.get` works, but the history does not see
        it: the operation counts as unfinished, and the check is weaker, though never wrong. Passed on to another
        process, the handle is a plain one.

        Args:
            handle: the actor's handle.
            client: who calls through it.

        Raises:
            TypeError: That is no actor's handle.
        """
        if not isinstance(handle, ActorHandle):
            raise TypeError(
                f"wrap() takes an actor's handle, got {shown(handle)}. Record others by call() and returned()."
            )
        return cast(H, _RecordedHandle(handle, self, client))

    @overload
    def get(self, refs: ObjectRef[T], *, timeout: float | None = None) -> T: ...
    @overload
    def get(self, refs: Sequence[ObjectRef[T]], *, timeout: float | None = None) -> list[T]: ...
    def get(self, refs: Any, *, timeout: float | None = None) -> Any:
        """`rustyray.get`, noting how the recorded calls ended.

        After a GetTimeoutError a call goes on running. One whose actor or worker died, or that was cancelled, may have
        taken effect or not.

        Args:
            refs: a ref of a recorded call, or a list or tuple of them, which are got one after the other.
            timeout: seconds to wait at most for all of them; None: as long as it takes.

        Raises:
            ValueError: A ref is not of a call recorded here.
            Exception: As `rustyray.get`.
        """
        if not isinstance(refs, list | tuple):
            return self._get(refs, timeout)
        end = None if timeout is None else time.monotonic() + timeout
        return [self._get(ref, None if end is None else max(0.0, end - time.monotonic())) for ref in refs]

    async def async_get(self, ref: ObjectRef[T]) -> T:
        """``await ref``, noting how the recorded call ended. Raises as `get`."""
        number = self._number(ref)
        try:
            value = await ref
        except RayError as error:
            self._failed(number, error)
            raise
        self._got(number, value)
        return value

    def operations(self) -> list[Operation]:
        """The operations so far, in the order in which they were called."""
        made: dict[int, Operation] = {}
        for place, event in enumerate(self._events.copy()):
            number, what = event.number, event.what
            if isinstance(what, Operation):
                made[number] = replace(what, invoked=place, invoked_at=event.at)
            elif isinstance(what, _Lost):
                made[number] = replace(made[number], lost=what.why)
            elif what is None:
                del made[number]
            else:
                made[number] = replace(made[number], returned=place, outcome=what, returned_at=event.at)
        return list(made.values())

    @classmethod
    def merge(cls, *histories: History) -> History:
        """One history of several that were recorded at the same time on the same machine, by their clock.

        Events of different histories at the very same time count as simultaneous: calls first.
        """
        merged = cls()
        events = []
        for index, history in enumerate(histories):
            latest = 0.0
            for place, event in enumerate(history._events.copy()):
                latest = max(latest, event.at)  # threads may have been overtaken between clock and list
                events.append((latest, index, place, event))
        events.sort(key=lambda entry: entry[0])
        numbers: dict[tuple[int, int], int] = {}
        for _, group in itertools.groupby(events, key=lambda entry: entry[0]):
            together = list(group)
            if len({index for _, index, _, _ in together}) > 1:
                together.sort(key=lambda entry: not isinstance(entry[3].what, Operation))
            for _, index, _, event in together:
                number = numbers.setdefault((index, event.number), len(numbers))
                merged._events.append(replace(event, number=number))
                if isinstance(event.what, Outcome):
                    merged._ended.add(number)
        merged._numbers = itertools.count(len(numbers))
        return merged

    def __getstate__(self) -> list[_Event]:
        return self._events.copy()

    def __setstate__(self, events: list[_Event]) -> None:
        self.__init__()  # type: ignore[misc] # as good as new
        self._events = events
        self._numbers = itertools.count(max((event.number for event in events), default=-1) + 1)
        self._ended = {event.number for event in events if isinstance(event.what, Outcome)}

    def _note(self, number: int, what: Operation | Outcome | _Lost | None) -> None:
        self._events.append(_Event(number, time.monotonic(), what))

    def _end(self, number: int, outcome: Outcome) -> None:
        if number in self._ended:
            raise ValueError("That operation has ended before: each call returns, or raises, once")
        self._ended.add(number)
        self._note(number, outcome)

    def _get(self, ref: ObjectRef[T], timeout: float | None) -> T:
        number = self._number(ref)
        try:
            value = calls.get(ref, timeout=timeout)
        except RayError as error:
            self._failed(number, error)
            raise
        self._got(number, value)
        return value

    def _number(self, ref: ObjectRef[Any]) -> int:
        if not isinstance(ref, ObjectRef):
            raise TypeError(f"A history gets refs of its recorded calls, not {shown(ref)}")
        number = self._refs.get(ref.binary())
        if number is None:
            raise ValueError(
                f"{ref} is not of a call recorded here: call through the handle that wrap() returned, and get other "
                "refs by rustyray.get()"
            )
        return number

    def _got(self, number: int, value: object) -> None:
        if number not in self._ended:  # who gets a value once more learns nothing new
            self._end(number, Returned(copy.deepcopy(value)))

    def _failed(self, number: int, error: RayError) -> None:
        if number in self._ended or isinstance(error, GetTimeoutError):
            return
        if isinstance(error, RayTaskError):
            self._end(number, Raised(error.cause))
        else:
            self._note(number, _Lost(type(error).__name__))


class _RecordedMethod:
    def __init__(self, method: Any, history: History, client: str, name: str) -> None:
        self._method = method
        self._history = history
        self._client = client
        self._name = name

    def remote(self, *args: Any, **kwargs: Any) -> Any:
        history = self._history
        call = history.call(self._client, self._name, *args, **kwargs)
        try:
            ref = self._method.remote(*args, **kwargs)
        except BaseException:
            history._note(call.number, None)
            raise
        if isinstance(ref, ObjectRef):
            history._refs[ref.binary()] = call.number
        elif ref is not None:
            history.lost(call, "several results")
            raise TypeError(f"{self._name}() returns {len(ref)} refs, and only calls with one result can be recorded")
        return ref

    def options(self, **options: Any) -> _RecordedMethod:
        return _RecordedMethod(self._method.options(**options), self._history, self._client, self._name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._method(*args, **kwargs)  # which says how to call it

    def __repr__(self) -> str:
        return f"{self._method!r}, recorded for {self._client}"


class _RecordedHandle(ActorHandle[Any]):
    def __init__(self, handle: ActorHandle[Any], history: History, client: str) -> None:
        super().__init__(handle._rustyray_state)
        self._rustyray_history = history
        self._rustyray_client = client

    def __getattr__(self, name: str) -> ActorMethod[..., Any]:
        method = super().__getattr__(name)
        if name.startswith("__"):  # such as __ray_ready__: every actor's, and no operation of this one
            return method
        recorded: Any = _RecordedMethod(method, self._rustyray_history, self._rustyray_client, name)
        self.__dict__[name] = recorded
        return cast("ActorMethod[..., Any]", recorded)

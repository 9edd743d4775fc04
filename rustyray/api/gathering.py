"""``get(refs, on_error=…)``: all values and all errors, not only the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rustyray.exceptions import GetTimeoutError, RayError, RaySystemError, RayTaskError

if TYPE_CHECKING:
    from rustyray.runtime.engine import Engine
    from rustyray.runtime.ref import ObjectRef

RAISE: Final = "raise"
GROUP: Final = "group"
RETURN: Final = "return"
ON_ERROR: Final = (RAISE, GROUP, RETURN)
#: So many positions are listed of an error that is met at many refs.
LISTED: Final = 10


def gather(engine: Engine, refs: Sequence[ObjectRef[Any]], timeout: float | None, on_error: str) -> list[Any]:
    """The values of all refs, with errors in their places, or (``on_error`` is "group") raised together.

    Raises:
        GetTimeoutError: Not everything was there in time.
        ExceptionGroup: There are errors, and they are to be raised together.
    """
    different = list(dict.fromkeys(refs))
    ready, late = engine.wait(different, len(different), timeout, True)
    if late:
        raise GetTimeoutError(
            f"get() waited {timeout:g} s; {len(late)} of {len(different)} objects were not ready (the first: "
            f"{late[0].hex()})"
        )
    found = {ref: _outcome(engine, ref) for ref in ready}
    outcomes = [found[ref] for ref in refs]
    if on_error == GROUP:
        failed = {at: outcome.error for at, outcome in enumerate(outcomes) if isinstance(outcome, _Error)}
        if failed:
            raise group(failed, len(refs))
    return [outcome.error if isinstance(outcome, _Error) else outcome for outcome in outcomes]


class _Error:
    """In the place of a value. (A value may be an exception, too.)"""

    __slots__ = ("error",)

    def __init__(self, error: RayError) -> None:
        self.error = error


def _outcome(engine: Engine, ref: ObjectRef[Any]) -> Any:
    from rustyray.runtime.faults import said

    try:
        return engine.get((ref,), None)[0]
    except RayError as error:
        return _Error(error)
    except Exception as error:  # noqa: BLE001 - a value is unpickled by the user's code
        unread = RaySystemError(f"the value of {ref!r} could not be unpickled: {said(error)}")
        unread.__cause__ = error
        return _Error(unread)


def group(failed: dict[int, RayError], count: int) -> ExceptionGroup[RayError]:
    """One error for each cause, with a note saying where it was met. ``failed`` has them by position, of ``count``."""
    by_cause: dict[tuple[object, ...], list[int]] = {}
    for at, error in failed.items():
        by_cause.setdefault(_cause(error), []).append(at)
    causes = []
    for positions in by_cause.values():
        error = failed[positions[0]]
        listed = ", ".join(map(str, positions[:LISTED])) + (", …" if len(positions) > LISTED else "")
        where = f"at {len(positions)} of {count} refs, number {listed}" if count > 1 else "at the only ref"
        vars(error).setdefault("__notes__", []).append(where)  # the class may look its attributes up elsewhere
        causes.append(error)
    reasons = f", for {len(causes)} different reasons" if len(causes) > 1 else ", for 1 reason"
    return ExceptionGroup(f"{len(failed)} of {count} refs failed{reasons if len(causes) < len(failed) else ''}", causes)


def _cause(error: RayError) -> tuple[object, ...]:
    """The same for errors that a person would call the same."""
    if isinstance(error, RayTaskError):
        return type(error.cause), _text(error.cause), error.function_name
    return type(error), error.context.function, error.context.actor, _text(error.__cause__)


def _text(cause: object) -> str:
    """What an exception of the program says, which may be unable to."""
    try:
        return str(cause)
    except Exception:  # noqa: BLE001 - whatever its __str__ does: those of its class count as one cause then
        return ""

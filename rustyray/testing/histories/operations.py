"""Operations on something shared: who called what, when it began and ended, and what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Returned:
    """An operation ended with a value."""

    value: object

    def __str__(self) -> str:
        return shown(self.value)


@dataclass(frozen=True, slots=True)
class Raised:
    """An operation ended with an exception of the code that was called."""

    error: BaseException

    def __str__(self) -> str:
        return f"raised {shown(self.error)}"


Outcome = Returned | Raised


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a history.

    Attributes:
        client: who called.
        name: the operation; for an actor, the method's name.
        args: its positional arguments, as they were when it was called.
        kwargs: its keyword arguments.
        invoked: its place among the events of the history when it was called.
        returned: its place when it ended; None if it has not: it may have taken effect, or may yet, or never.
        outcome: how it ended; None if it has not.
        invoked_at: when it was called, in seconds of ``time.monotonic``.
        returned_at: when it ended, likewise.
        lost: why nobody will ever know how it ended, if that is so.
    """

    client: str
    name: str
    args: tuple[object, ...] = ()
    kwargs: Mapping[str, object] = field(default_factory=dict)
    invoked: int = 0
    returned: int | None = None
    outcome: Outcome | None = None
    invoked_at: float = 0.0
    returned_at: float | None = None
    lost: str = ""

    def __str__(self) -> str:
        arguments = [shown(arg) for arg in self.args] + [f"{name}={shown(arg)}" for name, arg in self.kwargs.items()]
        return f"{self.name}({', '.join(arguments)})"


def shown(value: object, length: int = 60) -> str:
    """``repr``, cut to so many characters."""
    text = repr(value)
    return text if len(text) <= length else text[: length - 1] + "…"

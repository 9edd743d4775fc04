"""`RayError`, the root of the family, and the context that each of its members carries."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple


class ErrorContext(NamedTuple):
    """Where an error happened. Ids are in hexadecimal; what is not known is empty or 0.

    Attempts count from 1; ``max_attempts`` -1 means that there is no limit.
    """

    function: str = ""
    job: str = ""
    task: str = ""
    attempt: int = 0
    max_attempts: int = 0
    actor: str = ""
    actor_repr: str = ""
    worker: str = ""
    pid: int = 0
    node: str = ""
    address: str = ""

    def __str__(self) -> str:
        """One line: what ran, which attempt of how many, and where."""
        about = []
        if self.task:
            about.append(f"task {_short(self.task)}")
        if self.actor_repr or self.actor:
            about.append(f"actor {self.actor_repr or _short(self.actor)}")
        if self.attempt:
            limit = {0: "", -1: "/∞"}.get(self.max_attempts, f"/{self.max_attempts}")
            about.append(f"attempt {self.attempt}{limit}")
        where = []
        if self.pid:
            where.append(f"worker {self.pid}")
        if self.node:
            where.append(f"node {_short(self.node)}")
        if self.address:
            where.append(self.address)
        parts = [self.function, f"({', '.join(about)})" if about else "", f"on {', '.join(where)}" if where else ""]
        return " ".join(part for part in parts if part)


NO_CONTEXT = ErrorContext()


def _short(hex_id: str) -> str:
    # Ids begin with their maker's id, so that neighbours differ at the end only.
    return f"{hex_id[:4]}…{hex_id[-6:]}" if len(hex_id) > 16 else hex_id


class RayError(Exception):
    """The base of all of RustyRay's own exceptions (as in Ray)."""

    #: Where it happened.
    context: ErrorContext = NO_CONTEXT
    #: What it says when it was raised without a message.
    default: ClassVar[str] = ""

    def __init__(self, *args: object, context: ErrorContext = NO_CONTEXT) -> None:
        super().__init__(*args)
        self.context = context

    def describe(self) -> str:
        """What happened, without the line about where."""
        return super().__str__() or self.default

    def __str__(self) -> str:
        where = str(self.context)
        if where and not where.startswith("on "):
            where = f"in {where}"
        return "\n  ".join(part for part in (self.describe(), where) if part)

    def __reduce__(self) -> tuple[Any, ...]:
        # Not by calling the class: constructors differ, and what they worked out is in the state already.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(cls: type[RayError], args: tuple[object, ...], state: dict[str, object]) -> RayError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error

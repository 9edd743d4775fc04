"""``Event``: one thing that happened in a process of the runtime; ``Query``: which of them, and what else, to tell."""

from __future__ import annotations

from typing import Any, Final

import msgspec

#: What events are about.
KINDS: Final = ("task", "actor", "object", "node", "worker", "lease", "placement_group", "lifecycle", "fault")


class Inside(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of what is told about the inside of a runtime: frozen, typed, and as plain data by `to_dict`."""

    def to_dict(self) -> dict[str, Any]:
        """The same as dicts, lists, strings and numbers, for JSON."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


class Event(Inside, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One thing that happened. Ids are in hexadecimal; what does not apply is empty.

    Args:
        time: when, in seconds since the epoch, by the clock of the process that asked (virtual in a simulation).
        kind: what it is about, one of `KINDS`.
        what: what happened: ``"submitted"``, ``"retry"``, ``"seal"``, …
        role: who noted it: ``"driver"``, ``"worker"``, ``"node"`` or ``"head"``.
        process: the id of that process.
        state: the state after it, where a table of states says so.
        cause: why, for people.
        name: the task's, or the actor's class.
        attempt: of the task, from 0.
    """

    time: float
    kind: str
    what: str
    role: str = ""
    process: str = ""
    state: str = ""
    cause: str = ""
    name: str = ""
    task: str = ""
    attempt: int = 0
    actor: str = ""
    object: str = ""
    node: str = ""
    worker: str = ""
    placement_group: str = ""
    job: str = ""

    def __str__(self) -> str:
        ids = [(kind, getattr(self, kind)) for kind in ("task", "actor", "object", "placement_group", "worker", "node")]
        subject = next((f"{kind} {id_}" for kind, id_ in ids if id_), "")
        state = f" ({self.state})" if self.state else ""
        cause = f": {self.cause}" if self.cause else ""
        name = f"{self.name} " if self.name else ""
        return f"{self.time:.6f} {self.role:<6} {self.kind} {self.what}{state} {name}{subject}{cause}"

    def is_about(self, id_: str) -> bool:
        """Whether ``id_`` (in hexadecimal) is one of its ids. An object is also about the task that makes it."""
        ids = (self.task, self.actor, self.object, self.node, self.worker, self.placement_group, self.process, self.job)
        return id_ in ids or (bool(self.object) and self.object.startswith(id_))


class Query(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a process is to tell.

    Args:
        events: so many of its events at most, the newest; 0 for none.
        kinds: of these kinds, or of all if there are none.
        about: only those that are about this id (in hexadecimal), if it is not empty.
        age: only those of the last so many seconds.
        stats: what it counts.
        states: what it is doing.
        stacks: where its threads stand.
        lists: the actors, jobs and objects that it knows; of objects only ``about`` that one, if it is given.
        metrics: what its program has recorded.
    """

    events: int = 0
    kinds: tuple[str, ...] = ()
    about: str = ""
    age: float = float("inf")
    stats: bool = False
    states: bool = False
    stacks: bool = False
    lists: bool = False
    metrics: bool = False

    def wants(self, kind: str) -> bool:
        return bool(self.events) and (not self.kinds or kind in self.kinds)

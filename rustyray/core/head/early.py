"""What is asked about placement groups before the head has heard of their creation.

A handle may be passed on faster than the message that creates its group. An owner's messages come in order, and it
numbers its groups upwards, so that a group which is not known is one of two: older than the last one that its owner
has created, and then removed long ago; or on its way, unless its owner is gone.
"""

from __future__ import annotations

from rustyray.core.head.base import HeadBase
from rustyray.model.ids import GroupID, WorkerID, owner_of
from rustyray.model.messages import FindGroup, RemoveGroup, WatchGroup

Question = FindGroup | RemoveGroup | WatchGroup


class Early:
    """The questions that wait for a creation."""

    __slots__ = ("_base", "_last", "_waiting")

    def __init__(self, base: HeadBase) -> None:
        self._base = base
        self._last: dict[WorkerID, GroupID] = {}
        self._waiting: dict[GroupID, list[tuple[bytes, Question]]] = {}

    def keep(self, sender: bytes, question: Question) -> bool:
        """Keep it if the group may still be created; otherwise there is none, or none any more."""
        group = question.group
        owner = owner_of(group)
        if self._base.why_gone(owner) is not None or group <= self._last.get(owner, b""):
            return False
        self._waiting.setdefault(group, []).append((sender, question))
        return True

    def created(self, group: GroupID) -> list[tuple[bytes, Question]]:
        """What was asked about it, and may now be answered."""
        owner = owner_of(group)
        if self._base.why_gone(owner) is None:
            self._last[owner] = max(group, self._last.get(owner, b""))
        return self._waiting.pop(group, [])

    def owners_gone(self, prefix: bytes) -> list[tuple[bytes, Question]]:
        """Nothing is created by these any more (they are known to be gone by now): what was asked in vain."""
        for owner in [owner for owner in self._last if owner.startswith(prefix)]:
            del self._last[owner]
        groups = [group for group in self._waiting if group.startswith(prefix)]
        return [asked for group in groups for asked in self._waiting.pop(group)]

    def drop_peer(self, peer: bytes) -> None:
        """Nobody is there to be answered."""
        for group, asked in list(self._waiting.items()):
            left = [(sender, question) for sender, question in asked if sender != peer]
            if left:
                self._waiting[group] = left
            else:
                del self._waiting[group]

    def check(self, known: dict[GroupID, object]) -> None:
        for group in self._waiting:
            assert group not in known, f"group {group.hex()} is known, and its creation is waited for"

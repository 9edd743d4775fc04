"""Values of others' objects: asked of their owners, once, and again when what was on its way may be lost."""

from __future__ import annotations

from rustyray.core.effects import Effect, Send
from rustyray.core.owner.records import ObjectEntry
from rustyray.core.owner.references import References
from rustyray.model.ids import WORKER_ID_SIZE, ObjectID, WorkerID
from rustyray.model.messages import GetObjects, ObjectReady
from rustyray.model.values import Stored


class Asking:
    """What this process has asked of owners, and how they answer."""

    __slots__ = ("_out", "_refs")

    def __init__(self, refs: References, out: list[Effect]) -> None:
        self._refs = refs
        self._out = out

    def ask(self, object_: ObjectID, entry: ObjectEntry) -> None:
        """Ask the owner of a borrowed object for its value, once."""
        more = entry.more
        if more is None or more.asked or entry.value is not None or self._refs.owns(object_):
            return
        more.asked = True
        self._out.append(Send(object_[:WORKER_ID_SIZE], GetObjects([object_]), more.owner_address))

    def awaits(self, owner: WorkerID) -> bool:
        """Whether the owner has yet to send us a value, or to acknowledge that we passed on a ref."""
        return self._refs.passed_on.awaits(owner) or any(
            self._is_asked(object_, entry, owner) for object_, entry in self._refs.objects.items()
        )

    @staticmethod
    def _is_asked(object_: ObjectID, entry: ObjectEntry, owner: WorkerID) -> bool:
        more = entry.more
        return more is not None and more.asked and entry.value is None and object_.startswith(owner)

    def ask_again(self, owner: WorkerID) -> None:
        """The connection to the owner broke, and what was on its way may be lost."""
        for object_, entry in self._refs.objects.items():
            if entry.more is not None and self._is_asked(object_, entry, owner):
                self._out.append(Send(owner, GetObjects([object_]), entry.more.owner_address))
        self._refs.passed_on.tell_again(owner)

    def ask_anew(self, object_: ObjectID, stored: Stored) -> bool:
        """A stored value is not where it should be. Whether there is hope: its owner is asked again when it is watched.

        Ours may be about to be made again, when the news of a death arrives. What a dead owner had is gone with it.
        """
        entry = self._refs.objects.get(object_)
        if entry is None or entry.value is not stored or self._refs.owns(object_):
            return entry is not None
        if entry.more is None:
            return False
        entry.value, entry.more.asked = self._refs.gone_with_owner(object_), False
        self._refs.let_go(stored)
        return True

    def give_up(self, owner: WorkerID) -> list[ObjectID]:
        """The owner cannot be reached any more. Returns its objects that somebody here waits for."""
        self._refs.passed_on.end(owner)
        return [object_ for object_, entry in self._refs.objects.items() if self._is_asked(object_, entry, owner)]

    def on_object_ready(self, sender: WorkerID, message: ObjectReady, ready: list[ObjectID]) -> ObjectEntry | None:
        """The owner answered; a value that nobody here wants any more is let go again."""
        self._refs.receive(message.value, sender)
        entry = self._refs.objects.get(message.object)
        if entry is not None and entry.value is None:
            self._refs.settle(message.object, entry, message.value, ready)
        else:
            entry = None
        self._refs.let_go(message.value)
        return entry

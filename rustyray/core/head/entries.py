"""Entries: small values that programs leave with the head, which keeps them as it keeps everything."""

from __future__ import annotations

from rustyray.core.head.base import HeadBase
from rustyray.model.messages import AskEntry, EntryAction, EntryAnswer


class Entry:
    """A value under a key of a namespace."""

    __slots__ = ("key", "namespace", "value")

    def __init__(self, namespace: bytes, key: bytes, value: bytes) -> None:
        self.namespace = namespace
        self.key = key
        self.value = value


class Entries:
    """All of them, by namespace and key."""

    __slots__ = ("_base", "_entries")

    def __init__(self, base: HeadBase) -> None:
        self._base = base
        self._entries: dict[bytes, dict[bytes, Entry]] = {}

    def asked(self, sender: bytes, message: AskEntry, now: float) -> None:
        namespace = self._entries.get(message.namespace, {})
        entry = namespace.get(message.key)
        answer = EntryAnswer(message.request, int(entry is not None), [])
        match message.action:
            case EntryAction.GET:
                answer.values = [entry.value] if entry is not None else []
            case EntryAction.PUT:
                self._set(Entry(message.namespace, message.key, message.value))
            case EntryAction.ADD:
                if entry is None:
                    self._set(Entry(message.namespace, message.key, message.value))
            case EntryAction.DELETE:
                self._delete([entry] if entry is not None else [])
            case EntryAction.LIST | EntryAction.DELETE_ALL:
                found = [entry for key, entry in namespace.items() if key.startswith(message.key)]
                answer.found = len(found)
                if message.action is EntryAction.LIST:
                    answer.values = [entry.key for entry in found]
                else:
                    self._delete(found)
        self._base.send(sender, answer)

    def _set(self, entry: Entry) -> None:
        self._entries.setdefault(entry.namespace, {})[entry.key] = entry
        self._base.changed("entry", _name(entry), entry)

    def _delete(self, entries: list[Entry]) -> None:
        for entry in entries:
            del self._entries[entry.namespace][entry.key]
            self._base.changed("entry", _name(entry), None)

    def restore(self, entry: Entry) -> None:
        self._entries.setdefault(entry.namespace, {})[entry.key] = entry


def _name(entry: Entry) -> bytes:
    """One key for both, which no two entries share."""
    return len(entry.namespace).to_bytes(4, "big") + entry.namespace + entry.key

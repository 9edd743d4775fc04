"""Small values that the head keeps, for all programs of a cluster: by namespace and key (names as in Ray).

They outlive the programs that wrote them, and with a store (``rustyray start --head --store=…``) the head, too.
"""

from __future__ import annotations

from typing import TypeAlias

from rustyray.model.messages import EntryAction
from rustyray.runtime import context

_Bytes: TypeAlias = str | bytes

__all__ = [
    "_internal_kv_del",
    "_internal_kv_exists",
    "_internal_kv_get",
    "_internal_kv_initialized",
    "_internal_kv_list",
    "_internal_kv_put",
]


def _internal_kv_initialized() -> bool:
    """Whether the runtime is up."""
    return context.own_engine() is not None


def _internal_kv_get(key: _Bytes, *, namespace: _Bytes | None = None) -> bytes | None:
    """The value of a key; None if it has none."""
    values = _ask(EntryAction.GET, key, namespace)[1]
    return values[0] if values else None


def _internal_kv_exists(key: _Bytes, *, namespace: _Bytes | None = None) -> bool:
    """Whether a key has a value."""
    return bool(_ask(EntryAction.GET, key, namespace)[0])


def _internal_kv_put(key: _Bytes, value: _Bytes, overwrite: bool = True, *, namespace: _Bytes | None = None) -> bool:
    """Give a key a value. Returns whether it had one before, which stays unless ``overwrite``.

    After the head was away, a value that is written for the first time may count as one that was there.
    """
    action = EntryAction.PUT if overwrite else EntryAction.ADD
    return bool(_ask(action, key, namespace, _as_bytes("value", value))[0])


def _internal_kv_del(key: _Bytes, *, del_by_prefix: bool = False, namespace: _Bytes | None = None) -> int:
    """Take a key's value away, or those of all keys that begin with it. Returns how many there were."""
    return _ask(EntryAction.DELETE_ALL if del_by_prefix else EntryAction.DELETE, key, namespace)[0]


def _internal_kv_list(prefix: _Bytes, *, namespace: _Bytes | None = None) -> list[bytes]:
    """The keys that begin with ``prefix``."""
    return _ask(EntryAction.LIST, prefix, namespace)[1]


def _ask(action: EntryAction, key: _Bytes, namespace: _Bytes | None, value: bytes = b"") -> tuple[int, list[bytes]]:
    where = b"" if namespace is None else _as_bytes("namespace", namespace)
    return context.require_engine("internal_kv").entry(action, where, _as_bytes("key", key), value)


def _as_bytes(what: str, given: _Bytes) -> bytes:
    if isinstance(given, str):
        return given.encode()
    if not isinstance(given, bytes):
        raise TypeError(f"{what} must be a string or bytes, got {given!r}")
    return given

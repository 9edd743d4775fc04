"""Where objects are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rustyray.exceptions import GetTimeoutError
from rustyray.model.events import Query
from rustyray.runtime import context
from rustyray.runtime.ref import ObjectRef


def get_object_locations(
    obj_refs: Sequence[ObjectRef[Any]], timeout_ms: int = -1
) -> dict[ObjectRef[Any], dict[str, Any]]:
    """For each ref ``node_ids``, the nodes that have the object (none for a small one, which its owner keeps), and
    ``object_size`` in bytes, which is None until it has a value (as in Ray). Refs that nobody knows are left out.

    Args:
        obj_refs: the refs.
        timeout_ms: milliseconds to wait at most for processes that do not answer; negative: 10 s.

    Raises:
        GetTimeoutError: A process did not answer in time, and nobody else knows the object.
        RuntimeError: The runtime is not up.
        TypeError: These are no refs.
    """
    engine = context.require_engine("get_object_locations()")
    timeout = 10.0 if timeout_ms < 0 else timeout_ms / 1000
    found: dict[ObjectRef[Any], dict[str, Any]] = {}
    for ref in _checked(obj_refs):
        told = engine.inspect(Query(lists=True, about=ref.hex()), timeout)
        row = next((row for report in told.reports for row in report.objects), None)
        if row is None:
            if told.silent:
                raise GetTimeoutError(f"where {ref!r} is, is not known: {', '.join(told.named())} did not answer")
            continue
        copies = [copy.node for report in told.reports for copy in report.copies if copy.state != "WRITING"]
        found[ref] = {
            "node_ids": list(dict.fromkeys(copies)),
            "object_size": row.size if row.size >= 0 else None,
            "did_spill": any(copy.state == "SPILLED" for report in told.reports for copy in report.copies),
        }
    return found


def get_local_object_locations(obj_refs: Sequence[ObjectRef[Any]]) -> dict[ObjectRef[Any], dict[str, Any]]:
    """As `get_object_locations`, of what this process itself knows: the objects that it owns. Asks nobody."""
    engine = context.require_engine("get_local_object_locations()")
    me = engine.process().worker
    found: dict[ObjectRef[Any], dict[str, Any]] = {}
    for ref in _checked(obj_refs):
        told = engine.inspect(Query(lists=True, about=ref.hex()), 0.0)
        for row in (row for report in told.reports if report.process == me for row in report.objects):
            size = row.size if row.size >= 0 else None
            found[ref] = {"node_ids": [row.node] if row.node else [], "object_size": size, "did_spill": False}
    return found


def _checked(refs: Any) -> Sequence[ObjectRef[Any]]:
    wrong = refs if isinstance(refs, ObjectRef) else next((ref for ref in refs if not isinstance(ref, ObjectRef)), None)
    if wrong is not None:
        raise TypeError(f"locations are known of refs: give a list of them, got {wrong!r}")
    return list(refs)

"""Which rows are wanted: filters, the limit, and what to do when not everybody has answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias, TypeVar

from rustyray.runtime import context
from rustyray.runtime.engine import Engine, Inspection
from rustyray.util.state.rows import Row

#: ``("state", "=", "RUNNING")`` or ``("state", "!=", "RUNNING")``.
Filters: TypeAlias = Sequence[tuple[str, str, Any]] | None
R = TypeVar("R", bound=Row)


class RayStateApiException(Exception):
    """Not everybody who had to be asked has answered."""


def engine_at(address: str | None) -> Engine:
    """The running engine. Raises ValueError if ``address`` is that of another cluster, RuntimeError if it is down."""
    engine = context.require_engine("rustyray.util.state")
    if address not in (None, "auto", "local", engine.process().address):
        raise ValueError(f"this program is not connected to {address!r}: call rustyray.init(address={address!r}) first")
    return engine


def complete(found: Inspection, roles: Iterable[str]) -> None:
    """Raise RayStateApiException if one of these roles did not answer."""
    wanted = set(roles)
    missing = [f"{role} {process.hex()}".rstrip() for role, process in found.silent if role in wanted]
    if missing:
        raise RayStateApiException(
            f"{', '.join(missing)} did not answer in time. raise_on_missing_output=False returns what the others tell."
        )


def chosen(rows: Iterable[R], cls: type[R], filters: Filters, limit: int) -> list[R]:
    """The rows that pass all filters, up to the limit.

    Raises:
        ValueError: A filter has another form, or there is no such field.
    """
    if limit < 1:
        raise ValueError(f"limit must be 1 or more, got {limit!r}")
    checks = [_check(cls, one) for one in filters or ()]
    found = []
    for row in rows:
        if all(_same(getattr(row, field), value) is equal for field, equal, value in checks):
            found.append(row)
            if len(found) == limit:
                break
    return found


def _check(cls: type[Row], one: Any) -> tuple[str, bool, Any]:
    if not isinstance(one, list | tuple) or len(one) != 3 or one[1] not in ("=", "!="):
        raise ValueError(f'a filter is ("state", "=", "RUNNING") or ("state", "!=", "RUNNING"), got {one!r}')
    field, predicate, value = one
    field = field.lower() if isinstance(field, str) else field  # as in Ray
    if field not in cls.__struct_fields__:
        raise ValueError(f"{cls.__name__} has no field {field!r}. It has {', '.join(cls.__struct_fields__)}.")
    return field, predicate == "=", value


def _same(actual: Any, wanted: Any) -> bool:
    """Texts in any case; what is no text is compared as its text, so that filters can come from a command line."""
    return bool(actual == wanted) or str(actual).lower() == str(wanted).lower()

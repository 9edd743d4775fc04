"""``StateApiClient``: ``list_…``, ``get_…`` and ``summarize_…`` by the names of what they are about (as in Ray)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rustyray.util.state import listing, summing
from rustyray.util.state.choosing import engine_at
from rustyray.util.state.common import (
    GetApiOptions,
    ListApiOptions,
    StateResource,
    SummaryApiOptions,
    SummaryResource,
)

#: What cannot be asked for by an id (as in Ray).
_WITHOUT_ID = (StateResource.RUNTIME_ENVS, StateResource.CLUSTER_EVENTS)


class StateApiClient:
    """Asks the runtime that this program is connected to.

    Args:
        address: of the cluster, if it is not clear: that of this program.
        cookies, headers: of no effect: there is no HTTP on the way.

    Raises:
        RuntimeError: The runtime is not up.
        ValueError: ``address`` is that of another cluster.
    """

    def __init__(
        self,
        address: str | None = None,
        cookies: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> None:
        engine_at(address)
        self._address = address

    def list(
        self,
        resource: StateResource,
        options: ListApiOptions,
        raise_on_missing_output: bool = True,
        _explain: bool = False,
    ) -> list[Any]:
        """As the function ``list_…`` for these things. Raises what that raises."""
        ask = getattr(listing, f"list_{StateResource(resource).value}")
        found: list[Any] = ask(
            self._address,
            options.filters,
            options.limit,
            options.timeout,
            raise_on_missing_output=raise_on_missing_output,
        )
        return found

    def get(self, resource: StateResource, id: str, options: GetApiOptions | None, _explain: bool = False) -> Any:  # noqa: A002
        """As the function ``get_…`` for these things. Raises what that raises, and ValueError if there is none."""
        name = StateResource(resource).value
        if resource in _WITHOUT_ID:
            raise ValueError(f"{name} have no ids: use list()")
        ask = getattr(listing, f"get_{name if name == 'objects' else name.removesuffix('s')}")
        return ask(id, self._address, (options or GetApiOptions()).timeout)

    def summary(
        self,
        resource: SummaryResource,
        *,
        options: SummaryApiOptions,
        raise_on_missing_output: bool = True,
        _explain: bool = False,
    ) -> dict[str, Any]:
        """As the function ``summarize_…`` for these things. Raises what that raises."""
        ask = getattr(summing, f"summarize_{SummaryResource(resource).value}")
        found: dict[str, Any] = ask(self._address, options.timeout, raise_on_missing_output)
        return found

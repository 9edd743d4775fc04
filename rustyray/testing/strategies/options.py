"""``runtime_options``: arguments of `rustyray.init`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

MOST_CPUS = 3


def runtime_options(engine: str = "sim", *, max_nodes: int = 2) -> SearchStrategy[dict[str, Any]]:
    """Arguments of `rustyray.init`, as a dict: of small runtimes that start anywhere.

    They shrink to ``{"engine": …, "num_cpus": 1}``.

    Args:
        engine: "sim" or "native".
        max_nodes: the most nodes.

    Raises:
        ValueError: There is no such engine, or no node.
    """
    if engine not in ("sim", "native"):
        raise ValueError(f"there are no options for the engine {engine!r}: it is 'sim' or 'native'")
    if max_nodes < 1:
        raise ValueError(f"max_nodes must be at least 1, not {max_nodes}")
    arguments: dict[str, SearchStrategy[Any]] = {
        "engine": st.just(engine),
        "num_cpus": st.integers(1, MOST_CPUS),
        "num_nodes": st.none() | st.integers(2, max_nodes) if max_nodes > 1 else st.none(),
        "resources": st.none() | st.sampled_from([{"disk": 1}, {"license": 2}]),
        "object_store_memory": st.none() | st.sampled_from([16 * 2**20, 64 * 2**20]),
        "namespace": st.none() | st.sampled_from(["a", "b"]),
        "labels": st.none() | st.just({"zone": "a"}),
        "seed": st.none() | st.integers(1, 1000) if engine == "sim" else st.none(),
    }
    return st.fixed_dictionaries(arguments).map(_without_none)


def _without_none(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}

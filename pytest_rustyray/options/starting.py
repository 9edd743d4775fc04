"""What ``rustyray.init`` is given."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_rustyray.options import topologies
from pytest_rustyray.options.checks import problem_with
from pytest_rustyray.options.table import LIMITS, OURS, Options


def for_init(options: Options, topology: str = "") -> dict[str, Any]:
    """The arguments of ``rustyray.init``.

    Args:
        options: what `for_node` returns.
        topology: which one, if the options name several; the first.

    Raises:
        pytest.UsageError: A value makes no sense; the message names where it was given.
    """
    for name, (value, source) in options.items():
        problem = problem_with(name, value)
        if problem:
            raise pytest.UsageError(f"{source}: {problem}")
    several = topologies.names(options["topology"][0]) if "topology" in options else ["local"]
    defaults = topologies.defaults(topology or several[0])
    given = {name: value for name, (value, source) in options.items() if source or name not in defaults}
    arguments = {name: value for name, value in (defaults | given).items() if name not in OURS}
    nodes = options["nodes"][0] if "nodes" in options else None
    arguments |= topologies.arguments(topology or several[0], nodes if isinstance(nodes, int) else None)
    limits = {name: arguments.pop(name) for name in LIMITS if name in arguments}
    if arguments.get("engine") == "sim":
        return arguments
    if "seed" in arguments:
        del arguments["seed"]  # of the test's chaos, or it was given for all tests and this one has no use for it
    config = {name: value for name, value in limits.items() if value is not None}
    if config:
        arguments["_system_config"] = config
    return arguments

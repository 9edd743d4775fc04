"""What ``rustyray_chaos`` does, and what is told of it in reports."""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_rustyray import options
from pytest_rustyray.fixtures.names import CHAOS, COMMON, FIXTURES
from pytest_rustyray.lifetimes import running_engine

if TYPE_CHECKING:
    from pytest_rustyray.chaos.plan import Chaos

_CHAOS: Final = pytest.StashKey["Chaos"]()


@contextmanager
def drawn(request: pytest.FixtureRequest) -> Iterator[Chaos]:
    """Faults in the runtime that another fixture of the test has started, from a seed."""
    from pytest_rustyray.chaos.plan import Chaos
    from pytest_rustyray.chaos.targets import Targets

    cluster: Any = None
    for name in request.fixturenames:
        if name in FIXTURES:
            found = request.getfixturevalue(name)
            cluster = found if name == "rustyray_cluster" else None
    engine = running_engine()
    if engine is None or hasattr(engine, "simulation"):
        pytest.fail(
            f"{CHAOS} needs a runtime of real processes: use it beside rustyray_cluster or rustyray_local. In a "
            "simulated one, faults are found by exploring (@pytest.mark.rustyray_explore(faults=…))",
            pytrace=False,
        )
    seed: Any = options.for_node(request.config.stash[COMMON], request.node).get("seed", (None, ""))[0]
    chaos = Chaos(Targets(engine, cluster), random.SystemRandom().randrange(2**31) if seed is None else int(seed))
    request.node.stash[_CHAOS] = chaos
    try:
        yield chaos
    finally:
        chaos.stop()


def seed_of(item: pytest.Item) -> int | None:
    """What decides the faults of a test; None if it has none."""
    return item.stash[_CHAOS].seed if _CHAOS in item.stash else None


class Tells:
    """Adds to the report of a failure what was done, and the seed."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        chaos = item.stash.get(_CHAOS, None)
        if chaos is not None and report.failed:
            report.sections.append(("rustyray chaos", chaos.told()))
        return report

"""Cases as pytest's tests: ``test_case`` once for each case and engine, in runtimes that cases share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from rustyray.testing.conformance import departures, runtimes
from rustyray.testing.conformance.cases import Case, cases

pytest.register_assert_rewrite("rustyray.testing.conformance.subjects", "rustyray.testing.conformance.helpers")

#: Take seconds on this engine, case or whole subject: their tests are marked "stress".
SLOW: Final = ("native-losing-", "native-process_pools-", "native-scheduling-hard_affinity_to_no_node_fails")


def on_engines(*engines: str) -> pytest.MarkDecorator:
    """Have a test run with each ``case`` on these engines; those that share a runtime come one after the other."""
    chosen = sorted(cases(), key=lambda case: case.topology)
    return pytest.mark.parametrize(
        ("conformance_engine", "case"),
        [
            pytest.param(
                (engine, case.topology), case, id=id_, marks=[pytest.mark.stress] if id_.startswith(SLOW) else []
            )
            for engine in engines
            for case in chosen
            for id_ in (f"{engine}-{case.id}",)
        ],
        indirect=["conformance_engine"],
        scope="module",
    )


@pytest.fixture(scope="module")
def conformance_engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """The engine, with the runtime up that cases share, if they do; ``request.param`` has the topology, too."""
    engine, topology = request.param
    if reason := runtimes.missing(engine):
        pytest.skip(reason)
    if runtimes.shared(engine, topology):
        with runtimes.running(engine, topology):
            yield engine
    else:
        yield engine


def run(case: Case, engine: str, tmp_path: Path) -> None:
    """Check one case. One that departs has to fail: where it no longer does, its row has no place in the table."""
    from rustyray.testing.conformance.helpers import short_patience  # now that its assertions are explained

    departure = departures.of(case, engine)
    if departure is not None and departure.crashes:
        pytest.xfail(f"{departure.why} (Not tried: it would end this process.)")
    expected = nullcontext() if departure is None or departure.sometimes else short_patience()
    try:
        with expected, _runtime_of(case, engine):
            _check(case, engine, tmp_path)
    except (Exception, pytest.fail.Exception) as error:  # whatever a departure looks like
        if departure is None:
            raise
        pytest.xfail(f"{departure.why} ({type(error).__name__}: {error})")
    if departure is not None and not departure.sometimes:
        pytest.fail(f"{case.id} passes on {engine}: take its row out of the table of departures", pytrace=False)


@contextmanager
def _runtime_of(case: Case, engine: str) -> Iterator[None]:
    """A runtime that is up already if it can be.

    Ray is started anew when a case fails: who knows what it left. (One of ours, begun in a test, would end with it.)
    """
    if not runtimes.shared(engine, case.topology):
        with runtimes.running(engine, case.topology):
            yield
        return
    try:
        yield
    except BaseException:  # a time limit, too
        if engine == runtimes.ORACLE:
            runtimes.end(engine)
            runtimes.start(engine, **runtimes.TOPOLOGIES[case.topology])
        raise


def _check(case: Case, engine: str, tmp_path: Path) -> None:
    given = {
        "api": runtimes.api_of(engine),
        "tmp_path": tmp_path,
        "start": partial(runtimes.start, engine),
        "lose": partial(runtimes.lose, engine),
    }
    case.check(**{name: given[name] for name in case.needs})

"""`rustyray_testrun`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest

from pytest_rustyray import options
from pytest_rustyray.fixtures.names import TESTRUN
from pytest_rustyray.fixtures.standing import SWITCH
from pytest_rustyray.fixtures.starting import arguments, chosen, refuse_second
from pytest_rustyray.testrun.holding import Holding

if TYPE_CHECKING:
    from rustyray import Session

HOLDING: Final = pytest.StashKey[Holding]()


@pytest.fixture(scope="session")
def rustyray_testrun(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A cluster for all tests of the run that ask for it, whichever process of pytest-xdist they run in.

    Each of these is a driver of its own. All have the namespace `testrun` unless the options name another.
    """
    import rustyray
    from pytest_rustyray.fixtures.stored import store_of
    from pytest_rustyray.keeper import process

    refuse_second(request)
    given = options.whole(chosen(request, request.node))
    found = arguments(given, "") | {"store": store_of(given)}
    if found.pop("engine", "native") == "sim":
        pytest.fail(f"{TESTRUN} is shared by processes, and so it cannot be simulated", pytrace=False)
    namespace = found.pop("namespace", None) or "testrun"
    holding, standing, problem = request.config.stash[HOLDING], request.config.stash[SWITCH], ""
    try:
        address = holding.address(found)
    except process.KeeperError as error:
        problem = f"the cluster of the run could not be started: {error}"
    if problem:
        pytest.fail(problem, pytrace=False)
    with process.records(holding.folder):
        session = rustyray.init(address=address, namespace=namespace)
    standing.add(TESTRUN, simulated=False)
    try:
        yield session
    finally:
        session.shutdown()
        standing.remove(TESTRUN)

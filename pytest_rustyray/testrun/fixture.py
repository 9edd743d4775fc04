"""What `rustyray_testrun` does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

import rustyray
from pytest_rustyray import options
from pytest_rustyray.fixtures.names import TESTRUN
from pytest_rustyray.fixtures.standing import standing
from pytest_rustyray.fixtures.starting import arguments, chosen, refuse_second
from pytest_rustyray.fixtures.stored import store_of
from pytest_rustyray.keeper import process
from pytest_rustyray.testrun.holding import holding

if TYPE_CHECKING:
    from rustyray import Session


@contextmanager
def joined(request: pytest.FixtureRequest) -> Iterator[Session]:
    """The cluster of the run, started by the first that asks for it."""
    refuse_second(request)
    given = options.whole(chosen(request, request.node))
    found = arguments(given, "") | {"store": store_of(given)}
    if found.pop("engine", "native") == "sim":
        pytest.fail(f"{TESTRUN} is shared by processes, and so it cannot be simulated", pytrace=False)
    namespace = found.pop("namespace", None) or "testrun"
    here, switch, problem = holding(request.config), standing(request.config), ""
    try:
        address = here.address(found)
    except process.KeeperError as error:
        problem = f"the cluster of the run could not be started: {error}"
    if problem:
        pytest.fail(problem, pytrace=False)
    with process.records(here.folder):
        session = rustyray.init(address=address, namespace=namespace)
    switch.add(TESTRUN, simulated=False)
    try:
        yield session
    finally:
        session.shutdown()
        switch.remove(TESTRUN)

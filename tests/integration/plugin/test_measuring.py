"""pytest-cov counts the lines that run in workers."""

from __future__ import annotations

import json

import pytest

from tests.integration.plugin.conftest import PLUGIN, Suite

pytest.importorskip("pytest_cov")

SHOP = """
    def here(x):
        return x + 1

    def in_a_process_of_its_own(x):
        return x + 0

    def in_a_task(x):
        return x + 2

    def in_an_actor(x):
        return x + 3

    def in_a_constructor(x):
        return x + 4

    async def in_a_coroutine(x):
        return x + 5

    def never(x):
        return x + 6
    """
TESTS = """
    import pytest
    import rustyray
    import shop

    @rustyray.remote
    def task(x):
        return shop.in_a_task(x)

    @rustyray.remote
    class Actor:
        def __init__(self, x):
            self.x = shop.in_a_constructor(x)

        def method(self):
            return shop.in_an_actor(self.x)

    @rustyray.remote
    class Async:
        async def method(self, x):
            return await shop.in_a_coroutine(x)

    def test_task(rustyray_local):
        assert shop.here(0) == 1
        assert rustyray.get(task.remote(0)) == 2

    @pytest.mark.rustyray_isolated
    def test_isolated(rustyray_local):
        assert shop.in_a_process_of_its_own(0) == 0
        assert rustyray.get(Actor.remote(0).method.remote()) == 7

    def test_actors(rustyray_local):
        assert rustyray.get(Actor.remote(0).method.remote()) == 7
        assert rustyray.get(Async.remote().method.remote(0)) == 5
    """


@pytest.mark.parametrize("processes", [(), pytest.param(("-n", "2"), marks=pytest.mark.stress)], ids=["alone", "xdist"])
@pytest.mark.parametrize(
    "more", [(), pytest.param(("--cov-branch",), marks=pytest.mark.stress)], ids=["lines", "branches"]
)
def test_lines_that_run_in_workers_count(suite: Suite, processes: tuple[str, ...], more: tuple[str, ...]) -> None:
    suite.write(shop=SHOP, test_shop=TESTS)
    plugins = ("xdist", "pytest_cov", PLUGIN) if processes else ("pytest_cov", PLUGIN)
    result = suite.run("--cov=shop", "--cov-report=json", *processes, *more, plugins=plugins)
    result.assert_outcomes(passed=3)
    found = json.loads((suite.folder / "coverage.json").read_text())["files"]["shop.py"]
    assert [SHOP.splitlines()[line - 1].strip() for line in found["missing_lines"]] == ["return x + 6"]
    assert not list(suite.folder.glob(".coverage.*")), "all were combined"

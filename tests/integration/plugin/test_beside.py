"""The plugin beside pytest-randomly, pytest-rerunfailures, pytest-asyncio and pytest-timeout, which people have."""

from __future__ import annotations

import pytest

from tests.integration.plugin.conftest import PLUGIN, Suite

MANY = """
    import pytest
    import rustyray

    @rustyray.remote
    def double(number):
        return 2 * number

    def note(name):
        with open("order", "a") as file:
            file.write(f"{name}\\n")

    @pytest.mark.parametrize("number", range(6))
    def test_own(rustyray_local, number):
        assert rustyray.get(double.remote(number)) == 2 * number
        note(number)

    def test_session(rustyray_session):
        assert rustyray.get(double.remote(3)) == 6
        note(6)

    def test_shared(rustyray_shared):
        assert rustyray.get(double.remote(4)) == 8
        note(7)

    @pytest.mark.rustyray(topology="sim", seed=3)
    def test_simulated(rustyray_runtime):
        assert rustyray.get(double.remote(5)) == 10
        note(8)

    @pytest.mark.rustyray_isolated
    def test_isolated(rustyray_local):
        assert rustyray.get(double.remote(6)) == 12
        note(9)
"""


@pytest.mark.stress
def test_the_order_of_tests_does_not_matter(suite: Suite) -> None:
    pytest.importorskip("pytest_randomly")
    suite.write(test_it=MANY)
    orders = []
    for seed in (1, 2):
        suite.run(f"--randomly-seed={seed}", plugins=("pytest_randomly", PLUGIN)).assert_outcomes(passed=10)
        orders.append(suite.noted("order"))
        suite.folder.joinpath("order").unlink()
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(10))
    assert orders[0] != orders[1]


@pytest.mark.parametrize("processes", [(), pytest.param(("-n", "2"), marks=pytest.mark.stress)], ids=["alone", "xdist"])
def test_a_test_that_runs_again_has_a_new_runtime(suite: Suite, processes: tuple[str, ...]) -> None:
    """Whatever made it fail: an assertion, a leak, its deadline. Only a crash is told at once."""
    pytest.importorskip("pytest_rerunfailures")
    suite.write(
        test_it="""
            import os, threading
            import pytest
            import rustyray

            @rustyray.remote
            class Counter:
                def __init__(self):
                    self.count = 0
                def next(self):
                    self.count += 1
                    return self.count

            def attempt(name):
                with open(name, "a+") as file:
                    file.write("1\\n")
                    return file.tell() // 2

            def counts():
                counter = Counter.options(name="counter", namespace="all").remote()
                assert rustyray.get(counter.next.remote()) == 1

            def test_assertion(rustyray_local):
                counts()
                assert attempt("assertion") == 3

            def test_leak(rustyray_local):
                counts()
                if attempt("leak") == 1:
                    os.pipe()

            @pytest.mark.rustyray(timeout=1)
            def test_hang(rustyray_local):
                counts()
                if attempt("hang") == 1:
                    threading.Event().wait()

            @pytest.mark.rustyray_isolated
            def test_crash(rustyray_local):
                counts()
                if attempt("crash") == 1:
                    assert not "at once"
                os._exit(3)

            def test_after(rustyray_local):
                counts()
        """
    )
    plugins = (*(("xdist",) if processes else ()), "pytest_rerunfailures", PLUGIN)
    result = suite.run("--reruns", "2", *processes, plugins=plugins)
    # A test that passed but leaked counts as passed as well as run again.
    assert result.parseoutcomes() == {"passed": 5, "rerun": 5, "failed": 1}, result.stdout.str()
    result.stdout.fnmatch_lines(["*test_crash*", "*left in its call with exit code 3*"])


def test_async_tests(suite: Suite) -> None:
    pytest.importorskip("pytest_asyncio")
    suite.ini("asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    suite.write(
        test_it="""
            import asyncio
            import pytest
            import rustyray

            @rustyray.remote
            class Door:
                def __init__(self):
                    self.opened = asyncio.Event()
                async def wait(self):
                    await self.opened.wait()
                    return "open"
                async def open(self):
                    self.opened.set()

            @pytest.fixture
            async def door(rustyray_local):
                door = Door.remote()
                await door.__ray_ready__.remote()
                return door

            async def test_refs_are_awaited(door):
                waiting = door.wait.remote()
                _, said = await asyncio.gather(door.open.remote(), waiting)
                assert said == "open"

            @pytest.mark.rustyray_isolated
            async def test_in_a_process_of_its_own(door):
                await door.open.remote()
                assert await door.wait.remote() == "open"

            async def test_on_nodes(rustyray_cluster):
                assert await rustyray.remote(lambda: 3).remote() == 3

            @pytest.mark.rustyray(timeout=1)
            async def test_a_hang_is_told(door):
                await door.wait.remote()
        """
    )
    result = suite.run(plugins=("pytest_asyncio.plugin", PLUGIN))
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*test_a_hang_is_told*", "*Door.wait*"])


def test_the_shorter_deadline_wins(suite: Suite) -> None:
    """pytest-timeout's way of ending a test leaves a runtime that ours puts away."""
    pytest.importorskip("pytest_timeout")
    suite.write(
        test_it="""
            import pytest
            import rustyray

            @rustyray.remote
            def hang():
                import threading
                threading.Event().wait()

            @pytest.mark.timeout(1)
            def test_theirs(rustyray_local):
                rustyray.get(hang.remote())

            @pytest.mark.timeout(30)
            @pytest.mark.rustyray(timeout=1)
            def test_ours(rustyray_local):
                rustyray.get(hang.remote())

            def test_after(rustyray_local):
                assert rustyray.get(rustyray.remote(lambda: 3).remote()) == 3
        """
    )
    result = suite.run(plugins=("pytest_timeout", PLUGIN))
    outcomes = result.parseoutcomes()  # errors where the machine was so slow that the runtime was still coming up
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == 2
    assert outcomes["passed"] == 1
    result.stdout.fnmatch_lines(["*Timeout*1.0*s*"])
    result.stdout.fnmatch_lines(["*hang*waits for*"])

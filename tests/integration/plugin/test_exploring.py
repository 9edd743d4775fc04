"""``@pytest.mark.rustyray_explore`` and ``--rustyray-replay``."""

from __future__ import annotations

import re

import pytest

from tests.integration.plugin.conftest import Suite

ACCOUNT = """
    import pytest
    import rustyray

    @rustyray.remote
    class Account:
        def __init__(self):
            self.balance = 100

        def read(self):
            return self.balance

        def write(self, balance):
            self.balance = balance

    @rustyray.remote
    def withdraw(account, amount):
        balance = rustyray.get(account.read.remote())
        rustyray.get(account.write.remote(balance - amount))

    @pytest.mark.rustyray_explore(schedules=100)
    def test_withdraw(amounts):
        account = Account.remote()
        rustyray.get([withdraw.remote(account, amount) for amount in amounts])
        assert rustyray.get(account.read.remote()) == 100 - sum(amounts)

    @pytest.fixture
    def amounts():
        return [10, 20]
"""


def test_a_race_is_told_and_replayed(suite: Suite) -> None:
    suite.write(test_account=ACCOUNT)
    result = suite.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*assert rustyray.get(account.read.remote()) == 100 - sum(amounts)",
            "E*RaceFound: AssertionError in schedule *",
            "E*It takes 1 preemption:",
            "E*`Account.read` runs on worker *, and returns 100",
        ]
    )
    found = re.search(r"pytest test_account.py::test_withdraw (--rustyray-replay=rr1:\S+)", result.stdout.str())
    assert found is not None
    again = suite.run(found[1])
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["E*assert * == (100 - 30)"])


@pytest.mark.stress
def test_a_line_of_another_program_is_refused(suite: Suite) -> None:
    suite.write(test_account=ACCOUNT)
    result = suite.run("--rustyray-replay=rr1:00000001:cpus=2,nodes=1:next3.1")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["the line does not fit: *explore again to get a new line*"])


@pytest.mark.parametrize(
    ("line", "says"), [("rr9:1:2", "*another version*"), ("rr1:zzz", "*is damaged*"), ("nothing", "*is not a line*")]
)
def test_a_line_that_cannot_be_read_stops_the_run(suite: Suite, line: str, says: str) -> None:
    result = suite.write(test_account=ACCOUNT).run(f"--rustyray-replay={line}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --rustyray-replay: {says}"])


def test_a_kept_line_that_no_longer_fits_is_told_without_a_traceback(suite: Suite) -> None:
    suite.write(
        test_kept="""
        import rustyray
        import rustyray.testing

        @rustyray.testing.replay("rr1:00000001:cpus=2,nodes=1:next3.1")
        def test_kept():
            assert rustyray.get(rustyray.put(1)) == 1
        """
    )
    result = suite.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*_ test_kept _*", "the line does not fit: *explore again to get a new line*"])
    result.stdout.no_fnmatch_line("*.py:[0-9]*")


def test_a_test_without_races_passes_once(suite: Suite) -> None:
    suite.write(
        test_sum="""
        import pytest
        import rustyray

        @rustyray.remote
        def double(number):
            return 2 * number

        @pytest.mark.rustyray_explore(schedules=10)
        class TestSum:
            @pytest.mark.parametrize("last", [3, 4])
            def test_sum(self, last):
                assert sum(rustyray.get([double.remote(number) for number in range(last)])) == last * (last - 1)

            def test_skipped(self):
                pytest.skip("not here")
        """
    )
    suite.run().assert_outcomes(passed=2, skipped=1)


def test_misuse_is_told(suite: Suite) -> None:
    suite.write(
        test_misuse="""
        import unittest

        import pytest
        import rustyray

        @pytest.mark.rustyray_explore(schedule=3)
        def test_unknown(): ...

        @pytest.mark.rustyray_explore(3)
        def test_positional(): ...

        @pytest.mark.rustyray_explore(faults="crush")
        def test_fault(): ...

        @pytest.mark.rustyray_explore
        def test_native(rustyray_local): ...

        @pytest.mark.rustyray_explore
        async def test_async(): ...

        @pytest.mark.rustyray_explore
        class TestUnit(unittest.TestCase):
            def test_unit(self): ...

        @pytest.mark.rustyray_explore
        @pytest.mark.rustyray(timeout=20, topology="local")
        def test_options(): ...

        @pytest.mark.rustyray(leaks="off", allow_leaks=["threads"], keep="failed")
        class TestOptions:
            @pytest.mark.rustyray_explore(schedules=1)
            @pytest.mark.rustyray(timeout=20)
            def test_those_of_any_test(self):
                assert rustyray.get(rustyray.put(1)) == 1

        @pytest.fixture
        def native():
            with rustyray.init(num_cpus=1):
                yield

        @pytest.mark.rustyray_explore
        def test_fixture(native): ...

        @pytest.mark.rustyray_explore(schedules=2)
        def test_own_runtime():
            rustyray.shutdown()
            rustyray.init(num_cpus=1)
        """
    )
    result = suite.run()
    result.assert_outcomes(passed=1, errors=7, failed=2)
    result.stdout.fnmatch_lines_random(
        [
            "*::test_unknown: *there is no option 'schedule' (did you mean 'schedules'[?])*",
            "*::test_positional: *takes keyword arguments only, such as schedules=1000; got 3",
            "*::test_fault: *there is no fault 'crush' (did you mean 'crash'[?])*",
            "*::test_native: *cannot use rustyray_local*",
            "*::test_async: *plain test functions*",
            "*::TestUnit::test_unit: *unittest.TestCase runs its methods itself*",
            "*::test_options: @pytest.mark.rustyray(topology=…) has no effect on a test that explores*",
            "each schedule * but one is up already, started by the fixture 'native'*",
            "the scenario started a runtime of its own: *",
        ]
    )


@pytest.mark.stress
def test_errors_that_nobody_reads_fail_the_test_unless_they_are_ignored(suite: Suite) -> None:
    suite.write(
        test_lost="""
        import pytest
        import rustyray

        @rustyray.remote
        def fails():
            raise KeyError("lost")

        @pytest.mark.rustyray_explore(schedules=10)
        def test_forgotten():
            rustyray.wait([fails.remote()])

        @pytest.mark.rustyray_explore(schedules=10, unread_errors="ignore")
        def test_ignored():
            rustyray.wait([fails.remote()])
        """
    )
    result = suite.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*RaceFound: UnreadError in the first schedule: nobody has read the error of a task*",
            "E*`fails` raised KeyError at test_lost.py:*: 'lost'; it was submitted at test_lost.py:*",
        ]
    )
    found = re.search(r"pytest test_lost.py::test_forgotten (--rustyray-replay=rr1:\S+)", result.stdout.str())
    assert found is not None
    again = suite.run(found[1], "-k", "forgotten")
    again.assert_outcomes(failed=1, deselected=1)
    again.stdout.fnmatch_lines(["nobody has read the error of a task*", "*`fails` raised KeyError*"])

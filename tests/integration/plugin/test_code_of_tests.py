"""Functions, classes and exceptions of test modules and conftests work in workers, in every import mode."""

from __future__ import annotations

import pytest

from tests.integration.plugin.conftest import Suite

MODES = ("prepend", "append", "importlib")

CONFTEST = """
    import pytest

    class FromConftest(Exception):
        def __init__(self, text, number):
            super().__init__(text)
            self.number = number

    def helper(value):
        assert value != 13, "unlucky"
        return value + 1

    def fail():
        raise FromConftest("out of a conftest", 7)

    @pytest.fixture
    def tools():
        return helper, fail, FromConftest
"""
TESTS = """
    import dataclasses
    import pytest
    import rustyray

    @dataclasses.dataclass
    class Point:
        x: int
        y: int

    class Custom(ValueError): ...

    @rustyray.remote
    class Counter:
        def __init__(self):
            self.points = []
        def add(self, point):
            assert isinstance(point, Point)
            self.points.append(point)
            return len(self.points)

    SCALE = 2

    @rustyray.remote
    def scaled(point):
        return Point(SCALE * point.x, SCALE * point.y)

    @rustyray.remote
    def fail():
        raise Custom("mine")

    def test_module(rustyray_local):
        assert rustyray.get(scaled.remote(Point(1, 2))) == Point(2, 4)
        counter = Counter.remote()
        assert rustyray.get([counter.add.remote(Point(0, 0)) for _ in range(3)]) == [1, 2, 3]
        with pytest.raises(Custom, match="mine"):
            rustyray.get(fail.remote())

    def test_conftest(rustyray_local, tools):
        helper, fail, error = tools
        assert rustyray.get(rustyray.remote(helper).remote(1)) == 2
        with pytest.raises(error) as caught:
            rustyray.get(rustyray.remote(fail).remote())
        assert caught.value.number == 7
        with pytest.raises(AssertionError, match="unlucky"):
            rustyray.get(rustyray.remote(helper).remote(13))

    def test_local_names(rustyray_local):
        class Local:
            value = 3
        @rustyray.remote
        def local():
            return Local().value + SCALE
        assert rustyray.get(local.remote()) == 5
"""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("packages", [pytest.param(False, marks=pytest.mark.stress), True], ids=["folders", "packages"])
def test_code_of_tests_runs_in_workers(suite: Suite, mode: str, packages: bool) -> None:
    suite.write(tests__conftest=CONFTEST, tests__inner__test_it=TESTS)
    if packages:
        suite.write(tests____init__="", tests__inner____init__="")
    suite.run(f"--import-mode={mode}").assert_outcomes(passed=3)


def test_modules_and_conftests_of_one_name_do_not_get_mixed_up(suite: Suite) -> None:
    test = """
        import rustyray

        class Here:
            def __init__(self):
                self.where = {name!r}

        @rustyray.remote
        def here():
            return Here()

        @rustyray.remote
        def where_is(it):
            return it.where

        def test_here(rustyray_local, where):
            it = rustyray.get(here.remote())
            assert type(it) is Here
            assert it.where == rustyray.get(rustyray.remote(where).remote()) == {name!r}
            assert rustyray.get(where_is.remote(it)) == {name!r}
    """
    conftest = """
        import pytest

        @pytest.fixture
        def where():
            def tell():
                return name()
            return tell

        def name():
            return {name!r}
    """
    for name in ("a", "b"):
        suite.write(
            **{f"{name}__test_it": test.format(name=name), f"{name}__conftest": conftest.format(name=name)},
        )
    suite.run("--import-mode=importlib").assert_outcomes(passed=2)


@pytest.mark.parametrize("engine", ["native", "sim"])
def test_a_worker_has_one_of_each_module(suite: Suite, engine: str) -> None:
    suite.write(
        test_it="""
            import pytest
            import rustyray

            CACHE = {}
            LIMIT = None

            def put(key):
                CACHE[key] = 1

            def read():
                return sorted(CACHE)

            def set_limit(limit):
                global LIMIT
                LIMIT = limit

            def limit():
                return LIMIT

            class Single:
                instance = None

                @classmethod
                def get(cls):
                    if cls.instance is None:
                        cls.instance = cls()
                    put("single")
                    return id(cls.instance)

            pytestmark = pytest.mark.rustyray(engine="ENGINE")

            @rustyray.remote
            class Worker:
                def run(self, function, *args):
                    return function(*args)

            def test_globals(rustyray_local):
                one, other = Worker.remote(), Worker.remote()
                rustyray.get([one.run.remote(put, "a"), one.run.remote(set_limit, 5)])
                assert rustyray.get([one.run.remote(read), one.run.remote(limit)]) == [["a"], 5]
                assert rustyray.get([other.run.remote(read), other.run.remote(limit)]) == [[], None]
                assert (CACHE, LIMIT) == ({}, None)

            def test_classes(rustyray_local):
                one = Worker.remote()
                first, second = rustyray.get([one.run.remote(Single.get) for _ in range(2)])
                assert first == second
                assert rustyray.get(one.run.remote(read)) == ["single"]
                assert Single.instance is None
                back = rustyray.get(one.run.remote(Single))
                assert type(back) is Single
                assert vars(Single)["get"].__func__.__globals__ is globals()

            def test_functions_come_back_as_themselves(rustyray_local):
                assert rustyray.get(Worker.remote().run.remote(dict, [(1, put)])) == {1: put}
        """.replace("ENGINE", engine)
    )
    suite.run().assert_outcomes(passed=3)


def test_a_failed_assertion_in_a_worker_explains_itself(suite: Suite) -> None:
    suite.write(
        test_it="""
            import rustyray

            def double(value):
                return 2 * value

            @rustyray.remote
            def compare(left, right):
                assert double(left) == right

            @rustyray.remote
            class Actor:
                def compare(self, left, right):
                    assert left == right

            def test_numbers(rustyray_local):
                rustyray.get(compare.remote(1, 3))

            def test_lists(rustyray_local):
                rustyray.get(Actor.remote().compare.remote(list(range(40)), [*range(20), 0, *range(21, 40)]))

            def test_hundred_percent(rustyray_local):
                rustyray.get(Actor.remote().compare.remote("100%s of it", "100%d of it"))
        """
    )
    result = suite.run()
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(
        [
            ">       rustyray.get(compare.remote(1, 3))",
            'E         File "*test_it.py", line *, in compare',
            "E           assert double(left) == right",
            "E       AssertionError: assert 2 == 3",
            "E        +  where 2 = double(1)",
            "test_it.py:*: RayTaskError(AssertionError)",
            "*test_lists*",
            "E       AssertionError: assert [[]0, 1, 2, 3, 4, 5, ...[]] == [[]0, 1, 2, 3, 4, 5, ...[]]",
            "E         At index 20 diff: 20 != 0",
            "*test_hundred_percent*",
            "E         - 100%d of it",
            "E         + 100%s of it",
        ]
    )
    result.stdout.no_fnmatch_line("*rustyray/api/*")
    full = suite.run("-vv", "-k", "lists", "--full-trace")
    full.stdout.fnmatch_lines(["*rustyray/api/calls.py*", "*-     0,", "*+     20,"])


def test_the_runtime_may_be_imported_first_in_the_middle_of_a_test(suite: Suite) -> None:
    suite.write(
        test_it="""
            import sys

            def task():
                assert __name__ not in sys.modules
                return "ran"

            def test_it():
                assert "rustyray" not in sys.modules
                import rustyray
                assert rustyray.get(rustyray.remote(task).remote()) == "ran"
                assert type(rustyray.runtime.serialization.__spec__.loader).__name__ == "SourceFileLoader"
        """
    )
    suite.run().assert_outcomes(passed=1)


def test_modules_that_tests_import_travel_by_name(suite: Suite) -> None:
    suite.write(
        tools="""
            import sys

            def where():
                return __name__ in sys.modules and sys.modules[__name__].where is where
        """,
        test_it="""
            import rustyray
            import tools

            def test_it(rustyray_local):
                assert rustyray.get(rustyray.remote(tools.where).remote())
        """,
    )
    suite.run().assert_outcomes(passed=1)


def test_modules_searched_for_doctests_travel_by_name(suite: Suite) -> None:
    suite.write(
        tools='''
            def where():
                """
                >>> 1 + 1
                2
                """
        ''',
        test_it="""
            import rustyray
            from rustyray.runtime.serialization import registered_by_value

            def test_it(rustyray_local):
                assert registered_by_value() == {"test_it"}
        """,
    )
    suite.run("--doctest-modules").assert_outcomes(passed=2)


def test_workers_have_what_explains_assertions_before_a_task_needs_it(suite: Suite) -> None:
    suite.write(
        test_it="""
            import sys
            import rustyray

            @rustyray.remote
            def modules():
                return list(sys.modules)  # no assertion here, so that this function does not need pytest itself

            def test_it(rustyray_local):
                from rustyray.engines.native.processes.zygote import Zygote
                assert {"_pytest.assertion.rewrite", "cloudpickle"} <= set(rustyray.get(modules.remote()))
                assert Zygote.shared().preload_failures() == {}
        """
    )
    suite.run().assert_outcomes(passed=1)

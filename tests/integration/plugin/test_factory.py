"""`rustyray_factory`: several runtimes in one test, one after the other and at once."""

from __future__ import annotations

from collections.abc import Callable

from tests.integration.plugin.conftest import Suite

SEVERAL = """
    import os
    import pytest
    import rustyray

    @rustyray.remote
    def pid():
        return os.getpid()

    def cpus():
        return rustyray.cluster_resources()["CPU"]

    @pytest.mark.rustyray(num_cpus=3)
    def test_one_after_the_other(rustyray_factory):
        for wanted in (1, 2):
            with rustyray_factory(num_cpus=wanted) as session:
                assert isinstance(session, rustyray.Session)
                assert cpus() == wanted
            assert not rustyray.is_initialized()
        assert rustyray_factory() is not None
        assert cpus() == 3

    def test_at_once(rustyray_factory):
        with rustyray_factory(num_cpus=1) as one:
            ref = rustyray.put("in one")
            with rustyray_factory(num_cpus=2) as two:
                assert cpus() == 2
                with pytest.raises(rustyray.exceptions.ObjectLostError):
                    rustyray.get(ref)
                with rustyray_factory.using(one):
                    assert (cpus(), rustyray.get(ref)) == (1, "in one")
                    with rustyray_factory.using(one), rustyray_factory.using(two):
                        assert cpus() == 2
                    assert cpus() == 1
                assert cpus() == 2
                one.shutdown()
                assert rustyray.get(pid.remote()) > 0
            assert not rustyray.is_initialized()
            with pytest.raises(ValueError, match="was not started here, or is down"):
                with rustyray_factory.using(one):
                    pass

    def test_back_in_the_first(rustyray_factory):
        with rustyray_factory(num_cpus=1):
            with rustyray_factory(topology="cluster:2"):
                assert len(rustyray.nodes()) == 2
            assert cpus() == 1

    def test_simulated(rustyray_factory):
        with rustyray_factory(num_cpus=1) as native:
            with rustyray_factory(topology="sim:2", seed=3) as simulated:
                assert len(rustyray.nodes()) == 2
                with pytest.raises(RuntimeError, match="a simulated runtime is up, which has the whole process"):
                    rustyray_factory()
                with pytest.raises(RuntimeError, match="a simulated runtime is up, which has the whole process"):
                    with rustyray_factory.using(native):
                        pass
            assert cpus() == 1

    def test_mistakes(rustyray_factory):
        with pytest.raises(TypeError, match="there is no option 'num_cpu' .did you mean 'num_cpus'"):
            rustyray_factory(num_cpu=1)
        with pytest.raises(ValueError, match="num_cpus must be zero or more"):
            rustyray_factory(num_cpus=-1)
        with pytest.raises(ValueError, match="starts one runtime, and topology names 2"):
            rustyray_factory(topology=["local", "sim"])

    def test_what_is_left_is_shut_down(rustyray_factory):
        with open("pids", "a") as file:
            for _ in range(2):
                rustyray_factory(num_cpus=1)
                print(rustyray.get(pid.remote()), file=file)
                print(rustyray.nodes()[0]["Pid"], file=file)

    def test_nothing_is_left():
        assert not rustyray.is_initialized()
"""


def test_a_test_starts_several_runtimes(suite: Suite, assert_ended: Callable[[list[int]], None]) -> None:
    suite.write(test_it=SEVERAL).run().assert_outcomes(passed=7)
    pids = suite.noted("pids")
    assert len(set(pids)) == 4
    assert_ended(pids)
